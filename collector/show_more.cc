// History, blind intervals, sinks, detectors, updates, and the answers of writes.
#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <sstream>

#include "collector/show.h"
#include "collector/show_json.h"
#include "collector/show_table.h"

namespace lapwing::collector {
namespace {

// The AS path of the member, or what stands for no route.
std::string path_cell(const json::object& change, std::string_view name) {
  const json::value* value = change.if_contains({name.data(), name.size()});
  const json::object* path = value == nullptr ? nullptr : value->if_object();
  if (path == nullptr) return "-";
  const std::string text = cell(*path, "as_path");
  return text == "-" ? "(empty)" : text;
}

// How long the oldest event has waited.
std::string lag_cell(const json::object& sink) {
  const json::value* seconds = sink.if_contains("lag_seconds");
  boost::system::error_code error;
  const auto count = seconds != nullptr && cell(sink, "waiting") != "0"
                         ? seconds->to_number<std::int64_t>(error)
                         : -1;
  return count < 0 || error ? "-" : format_age(std::chrono::seconds(count));
}

std::string list_lines(const json::object& object, std::string_view name, std::string_view indent) {
  std::string out;
  if (const json::array* items = array_of(object, name))
    for (const json::value& item : *items) out += fmt::format("{}{}\n", indent,
                                                              printable(text_of(item)));
  return out;
}

}  // namespace

Shown show_history(std::string_view body, const Screen& screen) {
  const auto rows = objects_of(body, "history");
  if (!rows) return std::nullopt;
  Table table;
  table.add_column("Time");
  table.add_column("Neighbour");
  table.add_column("Change");
  table.add_column("Path before", Table::Align::kLeft, true);
  table.add_column("Path after", Table::Align::kLeft, true);
  for (const json::object& row : *rows)
    table.add_row({time_cell(row, "time"), cell(row, "peer"), cell(row, "change"),
                   path_cell(row, "before"), path_cell(row, "after")});
  std::string text = table.render(screen.width);
  if (const auto root = parse_object(body); root && flag(*root, "truncated", false))
    text += "There are older changes; see --limit.\n";
  return text;
}

Shown show_blind(std::string_view body, const Screen& screen) {
  const auto intervals = objects_of(body, "blind");
  if (!intervals) return std::nullopt;
  Table table;
  table.add_column("Neighbour");
  table.add_column("From");
  table.add_column("To");
  table.add_column("For", Table::Align::kRight);
  table.add_column("Reason", Table::Align::kLeft, true);
  for (const json::object& blind : *intervals) {
    const IntervalCells interval(blind, screen.now);
    table.add_row({cell(blind, "peer"), interval.from, interval.to, interval.duration,
                   cell(blind, "reason")});
  }
  return table.render(screen.width);
}

Shown show_sinks(std::string_view body, const Screen& screen) {
  const auto sinks = objects_of(body, "sinks");
  if (!sinks) return std::nullopt;
  Table table;
  table.add_column("Sink", Table::Align::kLeft, true);
  table.add_column("State");
  table.add_column("At event", Table::Align::kRight);
  table.add_column("Waiting", Table::Align::kRight);
  table.add_column("For", Table::Align::kRight);
  table.add_column("Retries", Table::Align::kRight);
  table.add_column("Lost", Table::Align::kRight);
  for (const json::object& sink : *sinks) {
    const std::string state = cell(sink, "state");
    table.add_row({cell(sink, "name"), state.substr(0, state.find(':')), cell(sink, "cursor"),
                   cell(sink, "waiting"), lag_cell(sink), cell(sink, "retries"),
                   cell(sink, "lost")});
  }
  // Errors are sentences: each has a line of its own below its sink.
  std::string out;
  std::istringstream lines(table.render(screen.width));
  std::string line;
  std::getline(lines, line);
  out += line + '\n';
  for (const json::object& sink : *sinks) {
    std::getline(lines, line);
    out += line + '\n';
    if (const std::string error = cell(sink, "last_error"); error != "-")
      out += "  last error: " + printable(error) + '\n';
  }
  return out;
}

Shown show_detectors(std::string_view body, const Screen& screen) {
  const auto detectors = objects_of(body, "detectors");
  if (!detectors) return std::nullopt;
  Table table;
  table.add_column("Detector");
  table.add_column("Enabled");
  table.add_column("Calls", Table::Align::kRight);
  table.add_column("Microseconds", Table::Align::kRight);
  for (const json::object& detector : *detectors)
    table.add_row({cell(detector, "name"), cell(detector, "enabled"), cell(detector, "calls"),
                   cell(detector, "microseconds")});
  return table.render(screen.width);
}

Shown show_suppressed(std::string_view body, const Screen& screen) {
  const auto rules = objects_of(body, "rules"), events = objects_of(body, "events");
  if (!rules || !events) return std::nullopt;
  Table counts;
  counts.add_column("Rule", Table::Align::kLeft, true);
  counts.add_column("Suppressed", Table::Align::kRight);
  for (const json::object& rule : *rules)
    counts.add_row({cell(rule, "rule"), cell(rule, "count")});
  Table table;
  table.add_column("Time");
  table.add_column("Rule");
  table.add_column("Type");
  table.add_column("Summary", Table::Align::kLeft, true);
  for (const json::object& event : *events)
    table.add_row({time_cell(event, "time"), cell(event, "rule"), cell(event, "type"),
                   cell(event, "summary")});
  return counts.render(screen.width) + '\n' + table.render(screen.width);
}

Shown show_update_line(std::string_view text) {
  const auto update = parse_object(text);
  if (!update) return std::nullopt;
  if (update->contains("lost"))
    return fmt::format("{} changes were lost: this client is too slow\n", cell(*update, "lost"));
  if (!update->contains("change")) return std::nullopt;
  std::string line = fmt::format("{} {:<12} {:<8} {:<20} ", time_cell(*update, "time"),
                                 cell(*update, "peer"), cell(*update, "change"),
                                 cell(*update, "prefix"));
  const std::string before = path_cell(*update, "before"), after = path_cell(*update, "after");
  line += after == "-" ? "was " + before : before == "-" ? after : after + " (was " + before + ")";
  return printable(line) + '\n';
}

std::string show_done(std::string_view body) {
  const auto done = parse_object(body);
  if (!done) return "done\n";
  return printable(cell(*done, "detail")) + '\n' + list_lines(*done, "changes", "  ");
}

std::string show_problem(unsigned status, std::string_view body) {
  const auto problem = parse_object(body);
  if (!problem || !problem->contains("errors"))
    return "lapwing: " + problem_text(status, body) + '\n';
  return "lapwing: " + printable(cell(*problem, "detail")) + '\n' +
         list_lines(*problem, "errors", "");
}

std::string text_body(std::string_view text) {
  if (text.empty()) return {};
  return json::serialize(json::object{{"text", json::string_view(text.data(), text.size())}});
}

std::vector<std::string> names_of(std::string_view body, std::string_view member) {
  std::vector<std::string> names;
  const auto objects = objects_of(body, member);
  if (objects)
    for (const json::object& object : *objects) names.push_back(cell(object, "name"));
  return names;
}

}  // namespace lapwing::collector
