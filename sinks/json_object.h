// Writes one JSON object member by member.
// Thread: one.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sinks/text.h"

namespace lapwing::sinks {

/// The name of a member. A literal is known to need no escape (it does not compile otherwise) and is
/// written in one piece.
class JsonName {
 public:
  template <std::size_t N>
  consteval JsonName(const char (&literal)[N]) : size_(N + 3) {
    static_assert(N + 3 <= kMaxPiece, "a literal name is short");
    piece_[0] = ',';
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

  /// `"name":`, after a comma unless it is the first of its object.
  void append_to(std::string& out, bool first) const {
    if (size_ != 0) {
      out.append(piece_ + (first ? 1 : 0), size_ - (first ? 1 : 0));
      return;
    }
    if (!first) out += ',';
    append_json(out, text_, ':');
  }

 private:
  static constexpr std::size_t kMaxPiece = 32;
  char piece_[kMaxPiece] = {};  // of a literal: ,"name":
  std::size_t size_ = 0;
  std::string_view text_;
};

class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  void text(const JsonName& name, std::string_view value) {
    key(name);
    append_json(out_, value);
  }
  template <std::convertible_to<std::string_view> Text>
  void text_or_null(const JsonName& name, const std::optional<Text>& value) {
    key(name);
    if (value)
      append_json(out_, *value);
    else
      out_ += "null";
  }
  template <std::integral T>
  void number(const JsonName& name, T value) {
    key(name);
    append_number(out_, value);
  }
  template <std::integral T>
  void number_or_null(const JsonName& name, std::optional<T> value) {
    key(name);
    if (value)
      append_number(out_, *value);
    else
      out_ += "null";
  }
  void boolean(const JsonName& name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void time_or_null(const JsonName& name, std::optional<Timestamp> value) {
    key(name);
    if (value)
      append_json_time(out_, *value);
    else
      out_ += "null";
  }
  /// An array; `append(item)` writes one item.
  template <typename List, typename Fn>
  void list(const JsonName& name, const List& items, Fn&& append) {
    key(name);
    out_ += '[';
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
    name.append_to(out_, first_);
    first_ = false;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace lapwing::sinks
