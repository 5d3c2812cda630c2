// The program's own log: one line for each matter, to standard error.
//
//   log().warning("store", "disk is full; {} commits wait", n);
//
// Under systemd (JOURNAL_STREAM names our standard error) a line starts with "<N>", which journald
// takes as its severity; elsewhere with the time in UTC and the level. Events are not log lines:
// they go to the sinks.
//
// Rate: a matter ("peer edge1", "store") writes at most `kBurst` lines in `kWindow`. What was left
// out is counted and told with the next line of the matter that is written, or by `flush`.
// Control characters are escaped, so that a line stays a line.
// Thread: any; a mutex guards the counters and the write. Owns: its counters.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lapwing/time.h"

namespace lapwing::collector {

/// The numbers are those of RFC 5424 6.2.1 and sd-daemon(3).
enum class LogLevel : std::uint8_t { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6, kDebug = 7 };

/// "error", "warning", "notice", "info", "debug".
std::optional<LogLevel> parse_log_level(std::string_view text);

class Log {
 public:
  using Writer = std::function<void(std::string_view line)>;  // the line ends with '\n'
  using Clock = std::function<Timestamp()>;

  static constexpr unsigned kBurst = 10;
  static constexpr std::chrono::seconds kWindow{10};
  static constexpr std::size_t kMaxMatters = 4096;

  /// Writes to standard error, by the system's clock.
  Log();
  Log(Writer writer, Clock clock, bool journal);

  void set_level(LogLevel level);
  void write(LogLevel level, std::string_view matter, std::string_view text);
  /// Tells what was left out so far.
  void flush();

  template <typename... Args>
  void error(std::string_view matter, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kError, matter, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void warning(std::string_view matter, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kWarning, matter, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void notice(std::string_view matter, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kNotice, matter, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void info(std::string_view matter, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kInfo, matter, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void debug(std::string_view matter, fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::kDebug, matter, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  struct Matter {
    Timestamp window_start;
    unsigned written = 0;
    std::uint64_t left_out = 0;
  };

  void put(LogLevel level, Timestamp now, std::string_view matter, std::string_view text,
           std::uint64_t left_out);
  void make_room(Timestamp now);

  Writer writer_;
  Clock clock_;
  bool journal_;
  std::mutex mutex_;
  LogLevel level_ = LogLevel::kInfo;                    // guarded by mutex_
  std::map<std::string, Matter, std::less<>> matters_;  // guarded by mutex_
};

/// The program's log.
Log& log();

/// True when JOURNAL_STREAM ("device:inode") names the file behind `fd`.
bool is_journal_stream(const char* journal_stream, int fd);

}  // namespace lapwing::collector
