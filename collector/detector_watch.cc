#include "collector/detector_watch.h"

#include <fmt/format.h>

#include <utility>

namespace lapwing::collector {

void DetectorWatch::look(Clock::time_point now) {
  if (answer_) {
    std::optional<Summaries> summaries;
    {
      const std::lock_guard lock(answer_->mutex);
      summaries = std::exchange(answer_->summaries, std::nullopt);
    }
    if (!summaries) {
      rib::RunningDetector running = parts_.running();
      if (running.name != running_.name || running.call != running_.call) {
        running_ = std::move(running);
        since_ = now;
      } else if (!running.name.empty() && now - since_ >= kPeriod) {
        report(running.name,
               fmt::format("has not returned for {} s: no neighbour's updates are taken meanwhile",
                           std::chrono::duration_cast<std::chrono::seconds>(now - since_).count()),
               now);
      }
      return;
    }
    answer_.reset();
    if (compared_)
      compare(*summaries, std::chrono::duration_cast<std::chrono::microseconds>(now - *compared_),
              now);
    microseconds_.clear();
    for (const rib::DetectorSummary& d : *summaries) microseconds_[d.name] = d.microseconds;
    compared_ = now;
  }
  if (compared_ && now - *compared_ < kPeriod) return;
  running_ = {};
  answer_ = std::make_shared<Answer>();
  parts_.ask([answer = answer_](Summaries summaries) {
    const std::lock_guard lock(answer->mutex);
    answer->summaries = std::move(summaries);
  });
}

void DetectorWatch::compare(const Summaries& summaries, std::chrono::microseconds passed,
                            Clock::time_point now) {
  for (const rib::DetectorSummary& d : summaries) {
    const auto before = microseconds_.find(d.name);
    // After a reload its count begins anew.
    if (before == microseconds_.end() || d.microseconds < before->second) continue;
    const double part =
        static_cast<double>(d.microseconds - before->second) / static_cast<double>(passed.count());
    if (part > kSlowPart)
      report(d.name,
             fmt::format("took {:.0f} % of the last {} s: it slows the reading of every neighbour",
                         std::min(part, 1.0) * 100,
                         std::chrono::duration_cast<std::chrono::seconds>(passed).count()),
             now);
  }
}

void DetectorWatch::report(const std::string& detector, const std::string& text,
                           Clock::time_point now) {
  constexpr std::chrono::minutes kBetween{1};
  const auto last = reported_.find(detector);
  if (last != reported_.end() && now - last->second < kBetween) return;
  reported_[detector] = now;
  parts_.report(detector, text);
}

}  // namespace lapwing::collector
