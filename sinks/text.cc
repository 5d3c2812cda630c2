#include "sinks/text.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

namespace lapwing::sinks {

namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::size_t kWord = sizeof kOnes;
/// Sixteen characters, which compare with one instruction; what is true has all bits set.
using Wide [[gnu::vector_size(16)]] = signed char;
constexpr std::size_t kWide = sizeof(Wide);

std::uint64_t word_at(const char* text) {
  std::uint64_t v = 0;
  std::memcpy(&v, text, kWord);
  return v;
}

/// True where one of eight characters needs another look: a control, '"', '\\' or beyond ASCII.
bool any_special(std::uint64_t v) {
  constexpr std::uint64_t kHighs = kOnes * 0x80;
  const auto has = [](std::uint64_t x) { return (x - kOnes) & ~x & kHighs; };  // a zero octet
  const std::uint64_t controls = (v - kOnes * 0x20) & ~v & kHighs;
  return ((v & kHighs) | controls | has(v ^ kOnes * 0x7f) | has(v ^ kOnes * '"') |
          has(v ^ kOnes * '\\')) != 0;
}

// Plain ASCII without anything to escape: what nearly every text is.
std::size_t plain_run(std::string_view text, std::size_t from) {
  std::size_t i = from;
  while (text.size() - i >= kWord && !any_special(word_at(text.data() + i))) i += kWord;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') break;
    ++i;
  }
  return i;
}

/// Copies a text that is plain; false where it is not, with nothing to be read in `to` then. `to` has
/// room for kWord at least.
bool copy_plain(char* to, std::string_view text) {
  if (text.size() < kWord) {
    std::uint64_t v = kOnes * ' ';
    if (!text.empty()) std::memcpy(&v, text.data(), text.size());
    std::memcpy(to, &v, kWord);
    return !any_special(v);
  }
  if (text.size() < kWide) {
    const std::uint64_t first = word_at(text.data());
    const std::uint64_t last = word_at(text.data() + text.size() - kWord);  // may begin within the first
    std::memcpy(to, &first, kWord);
    std::memcpy(to + text.size() - kWord, &last, kWord);
    return !any_special(first) && !any_special(last);
  }
  Wide special{};
  const auto copy = [&](std::size_t at) {
    Wide v;
    std::memcpy(&v, text.data() + at, kWide);
    std::memcpy(to + at, &v, kWide);
    special |= (v < ' ') | (v == 0x7f) | (v == '"') | (v == '\\');  // beyond ASCII: below zero
  };
  for (std::size_t i = 0; i + kWide < text.size(); i += kWide) copy(i);
  copy(text.size() - kWide);  // over the one before it
  std::uint64_t halves[2];
  std::memcpy(halves, &special, kWide);
  return (halves[0] | halves[1]) == 0;
}

void append_json_escape(std::string& out, unsigned char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    default: break;
  }
  out += "\\u00";
  out += kHexDigits[c >> 4];
  out += kHexDigits[c & 15];
}

}  // namespace

void append_printable(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    if (!point.valid)
      out += kReplacementText;
    else if (is_control(point.code))
      out += '?';
    else
      out += text.substr(i, point.size);
    i += point.size;
  }
}

namespace {

/// "2017-10-01T09:07:51.000000Z" with quotes; of years with four digits.
using TimeText = std::array<char, kTimeRoom>;

std::optional<TimeText> quoted_rfc3339(Timestamp time) {
  static_assert(kTimeRoom == kRfc3339Size + 2);
  TimeText text;
  if (write_rfc3339(text.data() + 1, time) == nullptr) return std::nullopt;
  text.front() = text.back() = '"';
  return text;
}

/// The text of a time, null where it has none. What events say happened at few moments.
const TimeText* find_time_text(Timestamp time) {
  struct Known {
    Timestamp time;
    std::optional<TimeText> text;
  };
  constexpr unsigned kKnownBits = 6;
  thread_local std::array<Known, 1 << kKnownBits> known;
  const auto count = static_cast<std::uint64_t>(time.time_since_epoch().count());
  Known& entry = known[count * 0x9e3779b97f4a7c15 >> (64 - kKnownBits)];
  if (entry.time != time || !entry.text) entry = {time, quoted_rfc3339(time)};
  return entry.text ? &*entry.text : nullptr;
}

}  // namespace

char* write_json_time(char* to, Timestamp time) {
  const TimeText* text = find_time_text(time);
  if (text == nullptr) return nullptr;
  std::memcpy(to, text->data(), text->size());
  return to + text->size();
}

void append_rfc3339(std::string& out, Timestamp time) {
  if (const TimeText* text = find_time_text(time))
    out.append(text->data() + 1, text->size() - 2);
  else
    out += format_rfc3339(time);
}

void append_prefix(std::string& out, const Prefix& prefix) {
  char text[kMaxPrefixText];
  out.append(text, write_prefix(text, prefix));
}

char* write_event_id(char* to, const EventId& id) {
  static constexpr auto kHexPairs = [] {
    std::array<std::array<char, 2>, 256> pairs{};
    for (std::size_t b = 0; b < pairs.size(); ++b)
      pairs[b] = {kHexDigits[b >> 4], kHexDigits[b & 15]};
    return pairs;
  }();
  for (const std::uint8_t b : id.bytes) {
    std::memcpy(to, kHexPairs[b].data(), 2);
    to += 2;
  }
  return to;
}

char* write_json_plain(char* to, std::string_view text) {
  if (text.size() > kPlainRoom - 2 || !copy_plain(to + 1, text)) return nullptr;
  to[0] = '"';
  to[text.size() + 1] = '"';
  return to + text.size() + 2;
}

void append_json(std::string& out, std::string_view text, char then) {
  char piece[kPlainRoom + 1];
  if (char* end = write_json_plain(piece, text)) {
    if (then != '\0') *end++ = then;
    out.append(piece, end);
    return;
  }
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = plain_run(text, i);
    out.append(text.data() + i, end - i);
    i = end;
    if (i == text.size()) break;
    const CodePoint point = decode_utf8(text, i);
    if (!point.valid)
      out += kReplacementText;
    else if (point.code < 0x80)
      append_json_escape(out, static_cast<unsigned char>(point.code));
    else if (is_control(point.code))
      append_json_escape(out, static_cast<unsigned char>(point.code & 0xff));
    else
      out += text.substr(i, point.size);
    i += point.size;
  }
  out += '"';
  if (then != '\0') out += then;
}

void append_json(TextPiece& out, std::string_view text, char then) {
  static_assert(kPlainRoom + 1 <= TextPiece::kMost);
  if (char* end = write_json_plain(out.room(kPlainRoom + 1), text)) {
    if (then != '\0') *end++ = then;
    out.keep(end);
  } else {
    append_json(out.flushed(), text, then);
  }
}

void append_json_time(std::string& out, Timestamp time) {
  out += '"';
  append_rfc3339(out, time);
  out += '"';
}

void append_json_time(TextPiece& out, Timestamp time) {
  if (char* end = write_json_time(out.room(kTimeRoom), time))
    out.keep(end);
  else
    append_json_time(out.flushed(), time);
}

std::string message_id(std::string_view type) {
  std::string id;
  for (const char c : type.substr(0, 32)) {
    if (c >= 'a' && c <= 'z')
      id += static_cast<char>(c - 'a' + 'A');
    else if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
      id += c;
    else
      id += '_';
  }
  return id.empty() ? "-" : id;
}

}  // namespace lapwing::sinks
