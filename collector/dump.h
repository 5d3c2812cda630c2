// `lapwing dump`: the stored Adj-RIB-Ins as a TABLE_DUMP_V2 file, in which bgpdump and replay read.
//
// Reads the store itself, read-only: a running daemon is not asked and not disturbed. The records carry
// the time until which the tables are known to hold, so that two dumps of one store are equal.
// Thread: main.
#pragma once

#include "collector/config.h"
#include "collector/replay_options.h"

namespace lapwing::collector {

/// Exit code: 0; 1 when the store cannot be read, a neighbour is not in it, or the output cannot be
/// written.
int dump(const Config& config, const DumpOptions& options);

}  // namespace lapwing::collector
