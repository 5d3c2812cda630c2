// `lapwing run`: the collector, from its start to SIGTERM.
//
// Thread: main, which becomes the io thread.
#pragma once

#include <string>

#include "collector/config.h"

namespace lapwing::collector {

/// Exit code: 0 after SIGTERM or SIGINT, 1 when it cannot start.
int run(const Config& config, const std::string& config_path);

}  // namespace lapwing::collector
