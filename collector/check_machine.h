// What a configuration asks of this machine: addresses, directories, permissions. For `lapwing check`.
//
// Thread: main.
#pragma once

#include <vector>

#include "collector/config.h"

namespace lapwing::collector {

/// Adds an error for what `run` would refuse here and now, a warning for what it would bear.
/// A collector that runs already is no fault.
void check_machine(const Config& config, std::vector<Diagnostic>& diagnostics);

}  // namespace lapwing::collector
