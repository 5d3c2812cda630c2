// What the kernel says of this process.
// Thread: any.
#pragma once

#include <cstdint>

namespace lapwing::sinks {

struct ProcessFigures {
  double cpu_seconds = 0;
  double start_seconds = 0;  // Unix time
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t max_files = 0;
  std::uint64_t threads = 0;
};

/// From /proc/self; what cannot be read is zero.
ProcessFigures read_process_figures();

}  // namespace lapwing::sinks
