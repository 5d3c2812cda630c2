#include "collector/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace lapwing::collector {

namespace {

constexpr std::chrono::milliseconds kInterval{100};

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string progress_line(std::uint64_t done, std::uint64_t total, std::string_view what,
                          std::size_t width) {
  constexpr std::uint64_t kBar = 20;
  std::string line;
  if (total == 0) {
    line = fmt::format("{} MiB  {}", done >> 20, what);
  } else {
    const std::uint64_t part = std::min(done, total);
    line = fmt::format("[{:<20}] {:3} %  {}", std::string(part * kBar / total, '#'),
                       part * 100 / total, what);
  }
  return line.substr(0, width);
}

Progress::Progress(std::uint64_t total) : total_(total), on_(::isatty(STDERR_FILENO) != 0) {}

void Progress::show(std::uint64_t done, std::string_view what) {
  if (!on_) return;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + kInterval;
  shown_ = true;
  const std::string line = progress_line(done, total_, what, terminal_width() - 1);
  fmt::print(stderr, "\r{}\x1b[K", line);
}

void Progress::clear() {
  const std::lock_guard lock(mutex_);
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
}

}  // namespace lapwing::collector
