#include "collector/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace lapwing::collector {
namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kNotice:
      return "notice";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "info";
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u == 0x7f)
      out += fmt::format("\\x{:02x}", u);
    else
      out += c;
  }
}

// A log that cannot be written has nobody to complain to: what fails is dropped.
void write_stderr(std::string_view line) {
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    line.remove_prefix(static_cast<std::size_t>(n));
  }
}

Timestamp system_now() {
  return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view text) {
  for (const LogLevel level : {LogLevel::kError, LogLevel::kWarning, LogLevel::kNotice,
                               LogLevel::kInfo, LogLevel::kDebug})
    if (text == level_name(level)) return level;
  return std::nullopt;
}

bool is_journal_stream(const char* journal_stream, int fd) {
  if (journal_stream == nullptr) return false;
  const char* end = journal_stream + std::strlen(journal_stream);
  dev_t device = 0;
  ino_t inode = 0;
  const auto [colon, device_error] = std::from_chars(journal_stream, end, device);
  if (device_error != std::errc{} || colon == end || *colon != ':') return false;
  const auto [rest, inode_error] = std::from_chars(colon + 1, end, inode);
  if (inode_error != std::errc{} || rest != end) return false;
  struct stat status {};
  return ::fstat(fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

Log::Log()
    : Log(write_stderr, system_now,
          is_journal_stream(std::getenv("JOURNAL_STREAM"), STDERR_FILENO)) {}

Log::Log(Writer writer, Clock clock, bool journal)
    : writer_(std::move(writer)), clock_(std::move(clock)), journal_(journal) {}

void Log::set_level(LogLevel level) {
  const std::lock_guard lock(mutex_);
  level_ = level;
}

void Log::write(LogLevel level, std::string_view matter, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (level > level_) return;
  const Timestamp now = clock_();
  auto it = matters_.find(matter);
  if (it == matters_.end()) {
    if (matters_.size() >= kMaxMatters) make_room(now);
    it = matters_.emplace(std::string(matter), Matter{now}).first;
  }
  Matter& state = it->second;
  if (now < state.window_start || now - state.window_start >= kWindow) {
    state.window_start = now;
    state.written = 0;
  }
  if (state.written == kBurst) {
    ++state.left_out;
    return;
  }
  ++state.written;
  put(level, now, matter, text, std::exchange(state.left_out, 0));
}

void Log::flush() {
  const std::lock_guard lock(mutex_);
  const Timestamp now = clock_();
  for (auto& [matter, state] : matters_) {
    if (state.left_out == 0) continue;
    const std::uint64_t left_out = std::exchange(state.left_out, 0);
    put(LogLevel::kNotice, now, matter, fmt::format("{} further lines left out", left_out), 0);
  }
}

void Log::put(LogLevel level, Timestamp now, std::string_view matter, std::string_view text,
              std::uint64_t left_out) {
  std::string line;
  if (journal_) {
    line = fmt::format("<{}>", static_cast<int>(level));
  } else {
    line = format_rfc3339(now);
    line.replace(line.size() - 4, 4, "Z");  // milliseconds are enough for a person
    line += fmt::format(" {} ", level_name(level));
  }
  if (!matter.empty()) {
    append_escaped(line, matter);
    line += ": ";
  }
  append_escaped(line, text);
  if (left_out > 0) line += fmt::format(" ({} lines before this one left out)", left_out);
  line += '\n';
  writer_(line);
}

// Matters are named by our own code and by neighbours of the configuration; dynamic neighbours come
// and go.
void Log::make_room(Timestamp now) {
  std::erase_if(matters_, [now](const auto& entry) {
    return entry.second.left_out == 0 && now - entry.second.window_start >= kWindow;
  });
  while (matters_.size() >= kMaxMatters) matters_.erase(matters_.begin());
}

Log& log() {
  static Log instance;
  return instance;
}

}  // namespace lapwing::collector
