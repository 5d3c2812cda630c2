// UTF-8 of hostile text: one decoder for all that writes text or takes it over.
//
// Invalid UTF-8 becomes U+FFFD, one for each maximal ill-formed part (Unicode 3.9, as browsers do).
// Thread: any. Owns: nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lapwing {

/// One code point and the octets it took; U+FFFD for what is no UTF-8.
struct CodePoint {
  char32_t code = 0xfffd;
  std::size_t size = 1;
  bool valid = false;
};

inline constexpr std::string_view kReplacementText = "\xef\xbf\xbd";

/// Decodes the code point at `at`, which must be below `text.size()`.
inline CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = octet(at);
  if (first < 0x80) return {first, 1, true};
  std::size_t more = 0;
  unsigned char low = 0x80, high = 0xbf;  // the second octet's range (Unicode table 3-7)
  char32_t code = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    more = 1;
    code = first & 0x1fu;
  } else if (first >= 0xe0 && first <= 0xef) {
    more = 2;
    code = first & 0x0fu;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    more = 3;
    code = first & 0x07u;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return {};
  }
  for (std::size_t i = 1; i <= more; ++i) {
    if (at + i >= text.size() || octet(at + i) < low || octet(at + i) > high)
      return {0xfffd, i, false};
    code = code << 6 | (octet(at + i) & 0x3fu);
    low = 0x80;
    high = 0xbf;
  }
  return {code, more + 1, true};
}

/// Appends `text` with invalid UTF-8 replaced.
inline void append_utf8(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    out += point.valid ? text.substr(i, point.size) : kReplacementText;
    i += point.size;
  }
}

/// C0 and C1 control characters and DEL.
inline constexpr bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c <= 0x9f); }

/// The largest cut of `text` not longer than `limit` that does not divide a code point.
inline std::string_view cut_utf8(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

}  // namespace lapwing
