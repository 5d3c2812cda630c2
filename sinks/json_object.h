// Writes one JSON object member by member.
// Thread: one.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include "sinks/text.h"

namespace lapwing::sinks {

class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  ~JsonObject() { out_ += '}'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json(out_, value);
  }
  template <std::convertible_to<std::string_view> Text>
  void text_or_null(std::string_view name, const std::optional<Text>& value) {
    key(name);
    if (value)
      append_json(out_, *value);
    else
      out_ += "null";
  }
  template <std::integral T>
  void number(std::string_view name, T value) {
    key(name);
    append_number(out_, value);
  }
  template <std::integral T>
  void number_or_null(std::string_view name, std::optional<T> value) {
    key(name);
    if (value)
      append_number(out_, *value);
    else
      out_ += "null";
  }
  void boolean(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void time_or_null(std::string_view name, std::optional<Timestamp> value) {
    key(name);
    if (value)
      append_json_time(out_, *value);
    else
      out_ += "null";
  }
  /// An array; `append(item)` writes one item.
  template <typename List, typename Fn>
  void list(std::string_view name, const List& items, Fn&& append) {
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
  void key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    append_json(out_, name, ':');
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace lapwing::sinks
