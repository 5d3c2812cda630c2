// `lapwing replay`: the detectors over MRT files, in event time, without store and without network.
//
// Events go to standard output as JSON lines, a summary to standard error. The same files give the
// same octets on every run.
// Thread: main. Decompressing, decoding (main), the engine and printing run side by side.
#pragma once

#include <optional>

#include "collector/config.h"
#include "collector/replay_options.h"

namespace lapwing::collector {

/// Exit code: 0, or 1 when a file cannot be opened or the configuration is wrong.
int replay(const std::optional<Config>& config, const ReplayOptions& options);

}  // namespace lapwing::collector
