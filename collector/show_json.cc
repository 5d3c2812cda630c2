#include "collector/show_json.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>

#include "collector/show.h"
#include "collector/show_table.h"

namespace lapwing::collector {

std::optional<json::value> parse_value(std::string_view body) {
  boost::system::error_code error;
  json::value value = json::parse({body.data(), body.size()}, error);
  if (error) return std::nullopt;
  return value;
}

std::optional<json::object> parse_object(std::string_view body) {
  auto value = parse_value(body);
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->as_object());
}

const json::array* array_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  return value == nullptr ? nullptr : value->if_array();
}

const json::array* list_of(const json::value& answer, std::string_view name) {
  return answer.is_object() ? array_of(answer.get_object(), name) : answer.if_array();
}

std::optional<std::vector<json::object>> objects_of(std::string_view body, std::string_view name) {
  const auto root = parse_value(body);
  const json::array* array = root ? list_of(*root, name) : nullptr;
  if (array == nullptr) return std::nullopt;
  std::vector<json::object> objects;
  for (const json::value& item : *array) {
    if (!item.is_object()) return std::nullopt;
    objects.push_back(item.as_object());
  }
  return objects;
}

std::string text_of(const json::value& value) {
  if (const auto* text = value.if_string()) return std::string(text->data(), text->size());
  if (value.is_null()) return "-";
  if (const auto* flag = value.if_bool()) return *flag ? "yes" : "no";
  if (const auto* array = value.if_array()) {
    std::string joined;
    for (const json::value& item : *array) {
      if (!joined.empty()) joined += ' ';
      joined += text_of(item);
    }
    return joined.empty() ? "-" : joined;
  }
  return json::serialize(value);
}

std::string cell(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr) return "-";
  std::string text = text_of(*value);
  return text.empty() ? "-" : text;
}

bool flag(const json::object& object, std::string_view name, bool fallback) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  return value != nullptr && value->is_bool() ? value->as_bool() : fallback;
}

std::string as_text(const json::object& object, std::string_view name) {
  std::string text = cell(object, name);
  return text == "-" ? text : "AS" + text;
}

std::string short_time(const std::string& text) {
  const auto time = parse_rfc3339(text);
  if (!time) return text;
  std::string out = format_rfc3339(*time).substr(0, 19) + 'Z';
  out[10] = ' ';
  return out;
}

std::string time_cell(const json::object& object, std::string_view name) {
  return short_time(cell(object, name));
}

std::string age_cell(const json::object& object, std::string_view name, Timestamp now) {
  const std::string text = cell(object, name);
  const auto time = parse_rfc3339(text);
  if (!time) return text;
  return format_age(std::chrono::floor<std::chrono::seconds>(now - *time));
}

std::string count_cell(const json::object& object, std::string_view name) {
  const json::array* array = array_of(object, name);
  return array == nullptr ? cell(object, name) : std::to_string(array->size());
}

IntervalCells::IntervalCells(const json::object& interval, Timestamp now)
    : from(time_cell(interval, "from")), to("still"), duration("-") {
  const auto begin = parse_rfc3339(cell(interval, "from"));
  const auto end = parse_rfc3339(cell(interval, "to"));
  if (end) to = time_cell(interval, "to");
  if (begin)
    duration = format_age(std::chrono::floor<std::chrono::seconds>(end.value_or(now) - *begin));
}

std::string state_cell(const json::object& peer) {
  return flag(peer, "enabled", true) ? cell(peer, "state") : "disabled";
}

void Lines::add(std::string_view title, std::string_view value) {
  out_ += fmt::format("{:<19}{}\n", title, printable(value));
}

}  // namespace lapwing::collector
