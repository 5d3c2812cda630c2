// Points in time and their RFC 3339 text.
//
// All times in records, events and detectors are `Timestamp`: microseconds since the Unix epoch,
// UTC, leap seconds as POSIX has them. Nothing in this header reads a clock.
// Thread: any.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace lapwing {

using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;
using std::chrono::microseconds;

inline constexpr Timestamp from_unix_micros(std::int64_t us) { return Timestamp(microseconds(us)); }
inline constexpr std::int64_t unix_micros(Timestamp t) { return t.time_since_epoch().count(); }

/// What `write_rfc3339` writes.
inline constexpr std::size_t kRfc3339Size = 27;

/// `format_rfc3339` into `to`, without its end; null, and nothing written, for a year that has not four
/// digits.
inline char* write_rfc3339(char* to, Timestamp t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const int year = static_cast<int>(date.year());
  if (year < 0 || year > 9999) return nullptr;
  const auto micros = static_cast<std::uint64_t>((t - day).count());
  const auto of_day = static_cast<unsigned>(micros / 1000000);
  const auto put = [&to](unsigned value, unsigned width, char then) {
    for (unsigned i = width; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
    to[width] = then;
    to += width + 1;
  };
  put(static_cast<unsigned>(year), 4, '-');
  put(static_cast<unsigned>(date.month()), 2, '-');
  put(static_cast<unsigned>(date.day()), 2, 'T');
  put(of_day / 3600, 2, ':');
  put(of_day / 60 % 60, 2, ':');
  put(of_day % 60, 2, '.');
  put(static_cast<unsigned>(micros % 1000000), 6, 'Z');
  return to;
}

/// "2017-10-01T09:07:51.000000Z": always six digits and Z, so that texts sort as times do.
inline std::string format_rfc3339(Timestamp t) {
  char usual[kRfc3339Size];
  if (write_rfc3339(usual, t) != nullptr) return std::string(usual, kRfc3339Size);
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss<microseconds> clock(t - day);
  char text[48];
  const int n = std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return std::string(text, static_cast<std::size_t>(n));
}

/// Reads what `format_rfc3339` writes, with any number of fraction digits (further ones than six
/// are cut) or none, and 'Z' or a numeric offset. nullopt when it is no such text.
inline std::optional<Timestamp> parse_rfc3339(std::string_view s) {
  const auto digits = [&s](std::size_t at, std::size_t n) -> int {
    if (at + n > s.size()) return -1;
    int v = 0;
    for (std::size_t i = at; i < at + n; ++i) {
      if (s[i] < '0' || s[i] > '9') return -1;
      v = v * 10 + (s[i] - '0');
    }
    return v;
  };
  if (s.size() < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != 't' && s[10] != ' ') ||
      s[13] != ':' || s[16] != ':')
    return std::nullopt;
  const int year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
  const int hour = digits(11, 2), minute = digits(14, 2), second = digits(17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  std::size_t at = 19;
  std::int64_t fraction = 0;
  if (at < s.size() && s[at] == '.') {
    std::int64_t unit = 100000;
    const std::size_t first = ++at;
    for (; at < s.size() && s[at] >= '0' && s[at] <= '9'; ++at, unit /= 10)
      fraction += (s[at] - '0') * unit;
    if (at == first) return std::nullopt;
  }
  std::chrono::minutes offset{0};
  if (at < s.size() && (s[at] == 'Z' || s[at] == 'z')) {
    ++at;
  } else {
    if (at + 6 != s.size() || (s[at] != '+' && s[at] != '-') || s[at + 3] != ':') return std::nullopt;
    const int oh = digits(at + 1, 2), om = digits(at + 4, 2);
    if (oh < 0 || oh > 23 || om < 0 || om > 59) return std::nullopt;
    offset = std::chrono::minutes((oh * 60 + om) * (s[at] == '-' ? -1 : 1));
    at += 6;
  }
  if (at != s.size()) return std::nullopt;
  return Timestamp(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) - offset + std::chrono::seconds(second) +
         microseconds(fraction);
}

}  // namespace lapwing
