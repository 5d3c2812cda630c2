// Writes one JSON object member by member.
// Thread: one.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sinks/text.h"

namespace lapwing::sinks {

/// The name of a member. A literal is known to need no escape: it does not compile otherwise.
class JsonName {
 public:
  template <std::size_t N>
  consteval JsonName(const char (&literal)[N]) : text_(literal, N - 1), plain_(true) {
    for (const char c : text_)
      if (c < ' ' || c > '~' || c == '"' || c == '\\' || N > kMaxLiteral)
        throw "a name has to be plain and short";
  }
  JsonName(const std::string& text) : text_(text) {}

  /// `"name":` after `before`.
  void append_to(std::string& out, std::string_view before) const {
    if (!plain_) {
      out += before;
      append_json(out, text_, ':');
      return;
    }
    char piece[kMaxLiteral + 4];
    char* end = std::copy(before.begin(), before.end(), piece);
    *end++ = '"';
    end = std::copy(text_.begin(), text_.end(), end);
    *end++ = '"';
    *end++ = ':';
    out.append(piece, static_cast<std::size_t>(end - piece));
  }

 private:
  static constexpr std::size_t kMaxLiteral = 60;
  std::string_view text_;
  bool plain_ = false;
};

class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  void text(JsonName name, std::string_view value) {
    key(name);
    append_json(out_, value);
  }
  template <std::convertible_to<std::string_view> Text>
  void text_or_null(JsonName name, const std::optional<Text>& value) {
    key(name);
    if (value)
      append_json(out_, *value);
    else
      out_ += "null";
  }
  template <std::integral T>
  void number(JsonName name, T value) {
    key(name);
    append_number(out_, value);
  }
  template <std::integral T>
  void number_or_null(JsonName name, std::optional<T> value) {
    key(name);
    if (value)
      append_number(out_, *value);
    else
      out_ += "null";
  }
  void boolean(JsonName name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void time_or_null(JsonName name, std::optional<Timestamp> value) {
    key(name);
    if (value)
      append_json_time(out_, *value);
    else
      out_ += "null";
  }
  /// An array; `append(item)` writes one item.
  template <typename List, typename Fn>
  void list(JsonName name, const List& items, Fn&& append) {
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
  void key(JsonName name) {
    name.append_to(out_, first_ ? "" : ",");
    first_ = false;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace lapwing::sinks
