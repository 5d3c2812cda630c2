// Says which detector makes the engine slow, and in which one it hangs.
//
// Detectors run on the engine's thread: a slow one slows the reading of every neighbour, one that
// never returns stops it. Neither can be interrupted; both can be named. A report comes at most
// once a minute for each detector.
//
// Usage: `look` once a second.
//
// Thread: one for `look`; `ask` may answer on any. Owns: nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "rib/engine.h"

namespace lapwing::collector {

class DetectorWatch {
 public:
  using Clock = std::chrono::steady_clock;
  using Summaries = std::vector<rib::DetectorSummary>;
  struct Parts {
    /// Has the engine answer with its summaries, soon or when it is free again.
    std::function<void(std::function<void(Summaries)> answer)> ask;
    /// The detector that is being called, and which call it is.
    std::function<rib::RunningDetector()> running;
    std::function<void(const std::string& detector, const std::string& text)> report;
  };
  /// One that takes more than this part of the time is slow; one whose call takes a period hangs.
  static constexpr double kSlowPart = 0.5;
  static constexpr std::chrono::seconds kPeriod{10};

  explicit DetectorWatch(Parts parts) : parts_(std::move(parts)) {}

  void look(Clock::time_point now);

 private:
  struct Answer {
    std::mutex mutex;
    std::optional<Summaries> summaries;  // guarded by mutex
  };
  void compare(const Summaries& summaries, std::chrono::microseconds passed, Clock::time_point now);
  void report(const std::string& detector, const std::string& text, Clock::time_point now);

  const Parts parts_;
  std::shared_ptr<Answer> answer_;  // of the question that is open
  rib::RunningDetector running_;  // while the question is open
  Clock::time_point since_{};     // that call is seen
  std::optional<Clock::time_point> compared_;
  std::map<std::string, std::uint64_t> microseconds_;  // of the last answer
  std::map<std::string, Clock::time_point> reported_;
};

}  // namespace lapwing::collector
