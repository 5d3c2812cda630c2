// A line on a terminal that says how far a long step is.
//
// Writes to standard error, and only where that is a terminal; `clear` removes the line before other
// text is printed. At most some ten times a second.
// Thread: any; a mutex guards the line. Owns: nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace lapwing::collector {

class Progress {
 public:
  /// `total`: of what `show` counts; 0: not known.
  explicit Progress(std::uint64_t total);

  void show(std::uint64_t done, std::string_view what);
  void clear();

 private:
  const std::uint64_t total_;
  const bool on_;
  std::mutex mutex_;
  bool shown_ = false;                                // guarded by mutex_
  std::chrono::steady_clock::time_point next_{};      // guarded by mutex_
};

/// "[##########          ]  50 %  rrc00.updates.gz", cut to `width` columns; without a bar where the
/// total is not known: "12 MiB  -".
std::string progress_line(std::uint64_t done, std::uint64_t total, std::string_view what,
                          std::size_t width);

}  // namespace lapwing::collector
