// Writes one JSON object member by member.
// Thread: one.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "sinks/text.h"

namespace lapwing::sinks {

/// The name of a member. A literal is known to need no escape (it does not compile otherwise) and is
/// written in one piece.
class JsonName {
 public:
  static constexpr std::size_t kMaxPiece = 32;

  template <std::size_t N>
  consteval JsonName(const char (&literal)[N]) : size_(N + 3) {
    static_assert(N + 3 <= kMaxPiece, "a literal name is short");
    piece_[1] = '"';
    for (std::size_t i = 0; i + 1 < N; ++i) {
      if (literal[i] < ' ' || literal[i] > '~' || literal[i] == '"' || literal[i] == '\\')
        throw "a literal name is plain";
      piece_[i + 2] = literal[i];
    }
    piece_[N + 1] = '"';
    piece_[N + 2] = ':';
  }
  JsonName(const std::string& text) : text_(text) {}

  bool is_literal() const { return size_ != 0; }
  /// Of a literal: `"name":` after `before`, with kMaxPiece octets touched; gives its end.
  char* write(char* to, char before) const {
    std::memcpy(to, piece_, kMaxPiece);
    to[0] = before;
    return to + size_;
  }
  /// Of any other.
  std::string_view text() const { return text_; }

 private:
  char piece_[kMaxPiece] = {};  // of a literal: "name": from the second octet on
  std::size_t size_ = 0;
  std::string_view text_;
};

/// `Out` is a std::string, or a TextPiece where objects have many members.
template <typename Out>
class BasicJsonObject {
 public:
  explicit BasicJsonObject(Out& out) : out_(out) {}
  ~BasicJsonObject() {
    if (first_) out_ += '{';
    out_ += '}';
  }
  BasicJsonObject(const BasicJsonObject&) = delete;
  BasicJsonObject& operator=(const BasicJsonObject&) = delete;

  void text(const JsonName& name, std::string_view value) {
    const auto plain = [value](char* to) { return write_json_plain(to, value); };
    if (!write<kPlainRoom>(name, plain)) append_json(out_, value);
  }
  template <std::convertible_to<std::string_view> Text>
  void text_or_null(const JsonName& name, const std::optional<Text>& value) {
    if (value)
      text(name, *value);
    else
      null(name);
  }
  template <std::integral T>
  void number(const JsonName& name, T value) {
    write<kNumberRoom>(name, [value](char* to) { return write_number(to, value); });
  }
  template <std::integral T>
  void number_or_null(const JsonName& name, std::optional<T> value) {
    if (value)
      number(name, *value);
    else
      null(name);
  }
  void boolean(const JsonName& name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void time(const JsonName& name, Timestamp value) {
    const auto usual = [value](char* to) { return write_json_time(to, value); };
    if (!write<kTimeRoom>(name, usual)) append_json_time(out_, value);
  }
  void time_or_null(const JsonName& name, std::optional<Timestamp> value) {
    if (value)
      time(name, *value);
    else
      null(name);
  }
  void null(const JsonName& name) {
    key(name);
    out_ += "null";
  }
  /// An array; `append(item)` writes one item.
  template <typename List, typename Fn>
  void list(const JsonName& name, const List& items, Fn&& append) {
    write<1>(name, [](char* to) {
      *to = '[';
      return to + 1;
    });
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += ',';
      first = false;
      append(item);
    }
    out_ += ']';
  }
  /// Writes the name; the caller appends the value.
  void key(const JsonName& name) {
    write<0>(name, [](char* to) { return to; });
  }
  /// A member whose value has at most `kRoom` octets, appended in one piece with its name: `value(to)`
  /// writes it and gives its end. Null: the value is not such a one, and false is given; the name stands
  /// there, the caller appends the value.
  template <std::size_t kRoom, typename Fn>
  bool write(const JsonName& name, Fn&& value) {
    constexpr std::size_t kPiece = JsonName::kMaxPiece + kRoom;
    const char before = first_ ? '{' : ',';
    first_ = false;
    if (!name.is_literal()) {
      out_ += before;
      append_json(out_, name.text(), ':');
    }
    bool written = false;
    const auto write_piece = [&](char* to) {
      char* const at = name.is_literal() ? name.write(to, before) : to;
      char* const end = value(at);
      written = end != nullptr;
      return written ? end : at;
    };
    if constexpr (std::is_same_v<Out, std::string>) {
      char piece[kPiece];
      out_.append(piece, write_piece(piece));
    } else {
      static_assert(kPiece <= Out::kMost);
      out_.keep(write_piece(out_.room(kPiece)));
    }
    return written;
  }

 private:
  Out& out_;
  bool first_ = true;
};

using JsonObject = BasicJsonObject<std::string>;

}  // namespace lapwing::sinks
