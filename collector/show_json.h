// Reading the API's JSON for `lapwing show`: members as cells of a table.
//
// Thread: main.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/time.h"

namespace lapwing::collector {

namespace json = boost::json;

std::optional<json::value> parse_value(std::string_view body);
std::optional<json::object> parse_object(std::string_view body);
const json::array* array_of(const json::object& object, std::string_view name);
/// The list that an answer consists of: a member of an object, or the whole answer.
const json::array* list_of(const json::value& answer, std::string_view name);
/// Its objects; nullopt where there is no such list or something else stands in it.
std::optional<std::vector<json::object>> objects_of(std::string_view body, std::string_view name);
std::string text_of(const json::value& value);
/// One word or number of the object; "-" where it is missing, null or empty.
std::string cell(const json::object& object, std::string_view name);
bool flag(const json::object& object, std::string_view name, bool fallback);
std::string as_text(const json::object& object, std::string_view name);
/// "2017-10-01 09:07:51Z".
std::string short_time(const std::string& text);
std::string time_cell(const json::object& object, std::string_view name);
std::string age_cell(const json::object& object, std::string_view name, Timestamp now);
std::string count_cell(const json::object& object, std::string_view name);
/// An object with the times `from` and `to`; "still" where the latter is null.
struct IntervalCells {
  std::string from, to, duration;
  IntervalCells(const json::object& interval, Timestamp now);
};
std::string state_cell(const json::object& peer);

/// Titles and values, one a line.
class Lines {
 public:
  void add(std::string_view title, std::string_view value);
  void add_number(std::string_view title, const json::object& object, std::string_view name) {
    add(title, cell(object, name));
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace lapwing::collector
