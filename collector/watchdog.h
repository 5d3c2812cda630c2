// Tells the service manager that every thread makes progress, and stops telling it when one does not.
//
// Usage: `watch` each thread with a function that asks it to call back, then `beat` at regular
// times; `beat` is true when every thread has answered since it was asked last. A thread that waits
// for another one (the engine for the store) counts as alive while that one does.
// Thread: `beat` one; the answers any.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lapwing::collector {

class Watchdog {
 public:
  /// `ask(answer)` makes the thread call `answer` once, soon.
  void watch(std::string name, std::function<void(std::function<void()> answer)> ask);
  /// A thread that is seen by what it does: `alive()` is true when it moved, or had nothing to do.
  void watch_progress(std::string name, std::function<bool()> alive);

  /// Asks those that have answered again.
  bool beat();
  /// Names of those that have not answered in the last `beat`.
  std::string silent() const;

 private:
  struct Thread {
    std::string name;
    std::function<void(std::function<void()>)> ask;  // or
    std::function<bool()> alive;
    std::shared_ptr<std::atomic<bool>> answered = std::make_shared<std::atomic<bool>>(true);
    bool silent = false;
  };
  std::vector<Thread> threads_;
};

/// Half of WATCHDOG_USEC where the service manager expects this process to beat; see
/// sd_watchdog_enabled(3).
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace lapwing::collector
