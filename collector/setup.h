// Makes what a configuration names: the detectors, and the check of their and the sinks' tables.
//
// Thread: main.
#pragma once

#include <memory>
#include <vector>

#include "collector/config.h"
#include "lapwing/detector.h"
#include "rib/engine.h"

namespace lapwing::collector {

/// The version of the program, as the build names it.
extern const char kVersion[];

/// The names of all detectors and sinks that the program has.
LoadOptions load_options();

/// Does it name detectors that the program does not have itself?
bool has_plugins(const Config& config);

/// In the order in which the engine calls them: that of `detector_names`. Errors of their settings
/// are added to `diagnostics`.
std::vector<std::unique_ptr<Detector>> make_detectors(const Config& config,
                                                      std::vector<Diagnostic>& diagnostics);

/// Adds the errors of all detectors' and sinks' tables.
void check_settings(const Config& config, std::vector<Diagnostic>& diagnostics);

rib::EngineOptions engine_options(const Config& config, bool replay);

}  // namespace lapwing::collector
