// Loads a detector from a shared object (include/lapwing/plugin.h).
//
// The object is first loaded in a child process: what crashes, hangs or ends the process while it is
// loaded or created is refused with a sentence and takes nothing with it. Thread: main, before others
// run. Owns: nothing; a loaded object stays for the life of the process.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lapwing/detector.h"

namespace lapwing::detectors {

/// Lapwing's own, beside the names of built-in detectors: what judges events, and what feeds the API.
inline constexpr std::string_view kOwnNames[] = {"suppression", "update-feed"};

/// The setting `plugin` names the file, relative to `directory`. nullptr and an error at `plugin` in
/// `settings` when it cannot be used.
std::unique_ptr<Detector> load_plugin(const std::string& name, std::string_view directory,
                                      Settings& settings);

}  // namespace lapwing::detectors
