#include "collector/watchdog.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace lapwing::collector {

namespace {

std::optional<std::int64_t> number_of(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const char* end = text + std::strlen(text);
  std::int64_t value = 0;
  const auto [rest, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

}  // namespace

void Watchdog::watch(std::string name, std::function<void(std::function<void()>)> ask) {
  Thread& thread = threads_.emplace_back();
  thread.name = std::move(name);
  thread.ask = std::move(ask);
}

void Watchdog::watch_progress(std::string name, std::function<bool()> alive) {
  Thread& thread = threads_.emplace_back();
  thread.name = std::move(name);
  thread.alive = std::move(alive);
}

bool Watchdog::beat() {
  bool all = true;
  for (Thread& thread : threads_) {
    if (thread.alive) {
      thread.silent = !thread.alive();
    } else {
      thread.silent = !*thread.answered;
      if (!thread.silent) {
        *thread.answered = false;
        thread.ask([answered = thread.answered] { *answered = true; });
      }
    }
    all = all && !thread.silent;
  }
  return all;
}

std::string Watchdog::silent() const {
  std::string names;
  for (const Thread& thread : threads_)
    if (thread.silent) names += (names.empty() ? "" : ", ") + thread.name;
  return names;
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  const auto interval = number_of("WATCHDOG_USEC");
  const auto process = number_of("WATCHDOG_PID");
  if (!interval || *interval <= 0 || (process && *process != ::getpid())) return std::nullopt;
  return std::chrono::microseconds(*interval / 2);
}

}  // namespace lapwing::collector
