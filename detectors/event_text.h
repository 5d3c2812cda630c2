// Pieces of text and small collections that events are made of, all of bounded size.
//
// Thread: any. Owns: what it returns.
#pragma once

#include <fmt/compile.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/event.h"
#include "lapwing/path.h"
#include "lapwing/time.h"

namespace lapwing::detectors {

inline constexpr std::size_t kMaxPathText = 1000;

/// A piece of text that is short in most cases, and then needs no allocation. It can be compared and
/// formatted like a text.
class ShortText {
 public:
  operator std::string_view() const { return {chars_.data(), chars_.size()}; }
  /// Appends.
  ShortText& operator+=(std::string_view text) {
    chars_.append(text.data(), text.data() + text.size());
    return *this;
  }
  /// Appends what a compiled format (FMT_COMPILE) says.
  template <typename Format, typename... Arguments>
  ShortText& add(const Format& format, const Arguments&... arguments) {
    fmt::format_to(std::back_inserter(chars_), format, arguments...);
    return *this;
  }

 private:
  fmt::basic_memory_buffer<char, 120> chars_;
};
inline bool operator==(const ShortText& a, std::string_view b) { return std::string_view(a) == b; }
inline std::ostream& operator<<(std::ostream& out, const ShortText& t) {
  return out << std::string_view(t);
}

}  // namespace lapwing::detectors

template <>
struct fmt::formatter<lapwing::detectors::ShortText> : fmt::formatter<std::string_view> {};

namespace lapwing::detectors {

/// Makes `to` what a compiled format (FMT_COMPILE) says, with one allocation at most.
template <typename Format, typename... Arguments>
void set_text(std::string& to, const Format& format, const Arguments&... arguments) {
  fmt::memory_buffer text;
  fmt::format_to(std::back_inserter(text), format, arguments...);
  to.assign(text.data(), text.size());
}

/// Writes the AS path as text. Longer than kMaxPathText: cut after a whole hop, then "… (N hops)".
void write_bounded_path(std::string& text, AsPathView path);

/// "1 h 06 min 54 s", "54 s", "3 d 02 h 00 min 05 s". Fractions of a second are cut.
ShortText format_duration(microseconds d);
std::int64_t whole_seconds(microseconds d);

/// "a, b and c"; of more than `show`, the first ones "and N more". `count` may be larger than what
/// is at hand.
ShortText join_names(std::span<const std::string> names, std::size_t count, std::size_t show = 3);
ShortText join_prefixes(std::span<const Prefix> prefixes, std::size_t count,
                        std::size_t show = 3);

/// "1 prefix", "3 prefixes".
ShortText count_of(std::uint64_t n, std::string_view one, std::string_view many);

/// Inserts in order unless present; keeps the smallest `limit`. False: already present.
template <typename T>
bool insert_bounded(std::vector<T>& sorted, const T& value, std::size_t limit) {
  if (sorted.size() >= limit && !sorted.empty() && sorted.back() < value) return true;
  auto it = sorted.begin();
  auto end = sorted.end();
  while (it != end) {
    auto middle = it + (end - it) / 2;
    if (*middle < value)
      it = middle + 1;
    else
      end = middle;
  }
  if (it != sorted.end() && *it == value) return false;
  if (sorted.size() >= limit) {
    if (it == sorted.end()) return true;
    const auto at = it - sorted.begin();
    sorted.pop_back();
    it = sorted.begin() + at;
  }
  sorted.insert(it, value);
  return true;
}

/// As `insert_bounded`. True: there are more than `limit` of them, and not all are in it.
template <typename T>
bool insert_overflows(std::vector<T>& sorted, const T& value, std::size_t limit) {
  const bool full = sorted.size() >= limit;
  return insert_bounded(sorted, value, limit) && full;
}

/// A JSON string with its quotes (RFC 8259 7), invalid UTF-8 replaced.
std::string json_string(std::string_view text);

/// Big-endian octets for durable keys and values.
void put_u8(std::string& to, std::uint8_t v);
void put_u32(std::string& to, std::uint32_t v);
void put_u64(std::string& to, std::uint64_t v);

/// Reads what the put functions wrote; after the first read beyond the end `ok` is false and all
/// reads give 0.
class StateReader {
 public:
  explicit StateReader(std::string_view octets) : left_(octets) {}
  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }
  Timestamp time() { return from_unix_micros(static_cast<std::int64_t>(number(8))); }
  std::string text() {
    const std::size_t size = u32();
    if (size > left_.size()) ok_ = false;
    if (!ok_) return {};
    std::string out(left_.substr(0, size));
    left_.remove_prefix(size);
    return out;
  }
  void octets(std::span<std::uint8_t> out) {
    if (out.size() > left_.size()) ok_ = false;
    if (!ok_) return;
    std::memcpy(out.data(), left_.data(), out.size());
    left_.remove_prefix(out.size());
  }
  /// What `put_nlri` wrote.
  Nlri nlri();
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && left_.empty(); }

 private:
  std::uint64_t number(std::size_t size) {
    if (left_.size() < size) ok_ = false;
    if (!ok_) return 0;
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < size; ++i) v = v << 8 | static_cast<std::uint8_t>(left_[i]);
    left_.remove_prefix(size);
    return v;
  }
  std::string_view left_;
  bool ok_ = true;
};

inline void put_time(std::string& to, Timestamp t) {
  put_u64(to, static_cast<std::uint64_t>(unix_micros(t)));
}
inline void put_octets(std::string& to, std::span<const std::uint8_t> octets) {
  to.append(reinterpret_cast<const char*>(octets.data()), octets.size());
}
/// Without a path identifier: 32 octets, so that equal NLRI are equal keys.
void put_nlri(std::string& to, const Nlri& nlri);
inline void put_text(std::string& to, std::string_view text) {
  put_u32(to, static_cast<std::uint32_t>(text.size()));
  to += text;
}

}  // namespace lapwing::detectors
