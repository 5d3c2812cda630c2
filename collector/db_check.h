// `lapwing db check`: looks through the store for damage, beside a running Lapwing or without one.
//
// Thread: main.
#pragma once

#include "collector/config.h"

namespace lapwing::collector {

/// A summary on standard output, each fault on standard error. Exit code: 0 sound, 1 damaged.
int db_check(const Config& config);

}  // namespace lapwing::collector
