// The settings of one table of the configuration, as a detector or a sink reads them.
//
// The consumer asks for each key by name and gives its default; a value of the wrong type or out of
// range is noted as an error and the default returned. `finish` then notes every key that nobody
// asked for. The program turns each error into file:line:column.
// Thread: main.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lapwing/units.h"

namespace lapwing {

using SettingValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                 std::vector<std::string>, std::vector<std::vector<std::int64_t>>>;

struct SettingError {
  std::string key;
  std::string message;  // what was expected: "an integer from 1 to 86400"
};

class Settings {
 public:
  void set(std::string key, SettingValue value) { values_[std::move(key)] = std::move(value); }
  bool has(std::string_view key) const { return values_.find(key) != values_.end(); }

  bool boolean(std::string_view key, bool fallback) {
    return get<bool>(key, fallback, "true or false");
  }
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                       std::int64_t max) {
    const std::string wanted =
        "an integer from " + std::to_string(min) + " to " + std::to_string(max);
    const std::int64_t value = get<std::int64_t>(key, fallback, wanted);
    if (value >= min && value <= max) return value;
    if (has(key)) error(key, "must be " + wanted);
    return fallback;
  }
  /// Seconds, or a text such as "90s", "5m", "2h", "1d".
  std::chrono::seconds duration(std::string_view key, std::chrono::seconds fallback,
                                std::int64_t min, std::int64_t max) {
    const auto parse = [](const std::string& text) -> std::optional<std::int64_t> {
      const auto value = parse_duration(text);
      return value ? std::optional<std::int64_t>(value->count()) : std::nullopt;
    };
    return std::chrono::seconds(measure(key, fallback.count(), min, max, parse,
                                        "seconds, or a text such as \"90s\", \"5m\", \"2h\""));
  }
  /// Octets, or a text such as "64KiB", "16MiB".
  std::int64_t octets(std::string_view key, std::int64_t fallback, std::int64_t min,
                      std::int64_t max) {
    const auto parse = [](const std::string& text) -> std::optional<std::int64_t> {
      const auto value = parse_size(text);
      return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
    };
    return measure(key, fallback, min, max, parse, "octets, or a text such as \"16MiB\"");
  }
  std::string text(std::string_view key, std::string fallback) {
    return get<std::string>(key, std::move(fallback), "a string");
  }
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback) {
    return list<std::string>(key, std::move(fallback), "an array of strings");
  }
  std::vector<std::int64_t> integers(std::string_view key, std::vector<std::int64_t> fallback) {
    return list<std::int64_t>(key, std::move(fallback), "an array of integers");
  }
  /// Groups of numbers: [[1, 2], [3, 4]].
  std::vector<std::vector<std::int64_t>> groups(std::string_view key,
                                                std::vector<std::vector<std::int64_t>> fallback) {
    return list<std::vector<std::int64_t>>(key, std::move(fallback),
                                           "an array of arrays of integers");
  }

  void error(std::string_view key, std::string message) {
    errors_.push_back({std::string(key), std::move(message)});
  }
  bool failed() const { return !errors_.empty(); }
  /// True when the same keys have the same values, whatever was asked and noted.
  bool has_same_values(const Settings& other) const { return values_ == other.values_; }

  /// Notes unknown keys and returns all errors in order of discovery.
  const std::vector<SettingError>& finish() {
    for (const auto& [key, value] : values_) {
      if (asked_.contains(key)) continue;
      std::string known;
      for (const auto& name : asked_) known += (known.empty() ? "" : ", ") + name;
      error(key, "unknown key; known here: " + known);
    }
    return errors_;
  }

 private:
  template <typename T>
  T get(std::string_view key, T fallback, std::string_view wanted) {
    asked_.emplace(key);
    const auto it = values_.find(key);
    if (it == values_.end()) return fallback;
    if (const T* value = std::get_if<T>(&it->second)) return *value;
    error(key, "must be " + std::string(wanted));
    return fallback;
  }
  template <typename Parse>
  std::int64_t measure(std::string_view key, std::int64_t fallback, std::int64_t min,
                       std::int64_t max, const Parse& parse, std::string_view wanted) {
    asked_.emplace(key);
    const auto it = values_.find(key);
    if (it == values_.end()) return fallback;
    std::optional<std::int64_t> value;
    if (const auto* number = std::get_if<std::int64_t>(&it->second))
      value = *number;
    else if (const auto* text = std::get_if<std::string>(&it->second))
      value = parse(*text);
    if (value && *value >= min && *value <= max) return *value;
    error(key, "must be " + std::string(wanted) + ", from " + std::to_string(min) + " to " +
                   std::to_string(max));
    return fallback;
  }
  // An empty TOML array has no element type; it arrives as a list of strings.
  template <typename T>
  std::vector<T> list(std::string_view key, std::vector<T> fallback, std::string_view wanted) {
    asked_.emplace(key);
    const auto it = values_.find(key);
    if (it == values_.end()) return fallback;
    if (const auto* value = std::get_if<std::vector<T>>(&it->second)) return *value;
    if (const auto* none = std::get_if<std::vector<std::string>>(&it->second); none && none->empty())
      return {};
    error(key, "must be " + std::string(wanted));
    return fallback;
  }

  std::map<std::string, SettingValue, std::less<>> values_;
  std::set<std::string, std::less<>> asked_;
  std::vector<SettingError> errors_;
};

}  // namespace lapwing
