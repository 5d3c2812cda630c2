// Appending numbers, times and hostile text to output, always as valid UTF-8 (lapwing/utf8.h).
//
// Thread: any.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "lapwing/event.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"
#include "lapwing/utf8.h"
#include "sinks/text_piece.h"

namespace lapwing::sinks {

/// Appends `text` with invalid UTF-8 replaced and control characters shown as '?'.
void append_printable(std::string& out, std::string_view text);

/// Room for `write_number`, for the JSON strings of `write_json_plain` and `write_json_time`.
inline constexpr std::size_t kNumberRoom = 24, kPlainRoom = 256 + 2, kTimeRoom = 29;

template <std::integral T>
char* write_number(char* to, T value) {
  return std::to_chars(to, to + kNumberRoom, value).ptr;
}
template <std::integral T>
void append_number(std::string& out, T value) {
  char digits[kNumberRoom];
  out.append(digits, write_number(digits, value));
}
template <std::integral T>
void append_number(TextPiece& out, T value) {
  out.keep(write_number(out.room(kNumberRoom), value));
}

/// Same text as `format_rfc3339`, without the cost of printf.
void append_rfc3339(std::string& out, Timestamp time);
void append_prefix(std::string& out, const Prefix& prefix);
/// `format_event_id`, 32 octets; gives their end.
char* write_event_id(char* to, const EventId& id);

/// The end of the JSON string of `text`, where it fits and needs no escape, as nearly every text; else
/// null.
char* write_json_plain(char* to, std::string_view text);
/// The end of the JSON string of a time; null beyond years of four digits.
char* write_json_time(char* to, Timestamp time);
/// A JSON string with its quotes (RFC 8259 7), and what is to follow it.
void append_json(std::string& out, std::string_view text, char then = '\0');
void append_json(TextPiece& out, std::string_view text, char then = '\0');
void append_json_time(std::string& out, Timestamp time);
void append_json_time(TextPiece& out, Timestamp time);

/// "new-upstream" -> "NEW_UPSTREAM"; anything else than letters and digits becomes '_'.
std::string message_id(std::string_view type);

}  // namespace lapwing::sinks
