// Durations and sizes as people write them in a configuration.
//
// Every function returns nullopt for text that is no such value.
// Thread: any.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace lapwing {
namespace units_detail {

/// The number at the beginning, which is taken off.
inline std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

inline std::optional<std::uint64_t> multiply(std::uint64_t value, std::uint64_t unit) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value > kMax / unit) return std::nullopt;
  return value * unit;
}

}  // namespace units_detail

/// "90s", "5m", "2h", "1d", "1h30m"; a number alone is seconds.
inline std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  struct Unit {
    char letter;
    std::uint64_t seconds;
  };
  constexpr std::array<Unit, 5> kUnits{
      {{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}}};
  constexpr std::uint64_t kMaxSeconds = std::uint64_t{1} << 40;
  std::uint64_t total = 0;
  std::size_t next_unit = 0;  // units descend: "1h30m", never "30m1h" or "1m1m"
  bool first = true;
  while (first || !text.empty()) {
    const auto number = units_detail::take_number(text);
    if (!number) return std::nullopt;
    std::uint64_t unit = 1;
    if (text.empty()) {
      if (!first) return std::nullopt;
    } else {
      while (next_unit < kUnits.size() && kUnits[next_unit].letter != text.front()) ++next_unit;
      if (next_unit == kUnits.size()) return std::nullopt;
      unit = kUnits[next_unit++].seconds;
      text.remove_prefix(1);
    }
    const auto part = units_detail::multiply(*number, unit);
    if (!part || *part > kMaxSeconds - total) return std::nullopt;
    total += *part;
    first = false;
  }
  return std::chrono::seconds(static_cast<std::int64_t>(total));
}

/// Octets: "4096", "64KiB", "16 MiB", "2GiB"; KB, MB and GB are powers of ten, K, M and G of two.
inline std::optional<std::uint64_t> parse_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t octets;
  };
  constexpr std::array<Unit, 12> kUnits{{{"", 1},
                                         {"B", 1},
                                         {"K", 1u << 10},
                                         {"KiB", 1u << 10},
                                         {"KB", 1000},
                                         {"M", 1u << 20},
                                         {"MiB", 1u << 20},
                                         {"MB", 1000000},
                                         {"G", 1u << 30},
                                         {"GiB", 1u << 30},
                                         {"GB", 1000000000},
                                         {"TiB", std::uint64_t{1} << 40}}};
  const auto number = units_detail::take_number(text);
  if (!number) return std::nullopt;
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  for (const Unit& unit : kUnits)
    if (unit.name == text) return units_detail::multiply(*number, unit.octets);
  return std::nullopt;
}

}  // namespace lapwing
