#include "collector/show.h"

#include <fmt/format.h>

#include <algorithm>

#include "collector/show_json.h"
#include "collector/show_table.h"

namespace lapwing::collector {
namespace {

std::string event_subject(const json::object& event) {
  const std::string origin = as_text(event, "origin_as");
  const std::string upstream = as_text(event, "upstream_as");
  if (origin == "-") return "-";
  return upstream == "-" ? origin : origin + " < " + upstream;
}

// When each upstream was active, oldest first; "" where the answer does not say.
std::string show_active_intervals(const std::vector<json::object>& upstreams,
                                  const Screen& screen) {
  Table table;
  table.add_column("Upstream", Table::Align::kRight);
  table.add_column("Active from");
  table.add_column("To");
  table.add_column("For", Table::Align::kRight);
  table.add_column("Gaps", Table::Align::kRight);
  for (const json::object& upstream : upstreams) {
    const json::array* intervals = array_of(upstream, "intervals");
    for (std::size_t i = 0; intervals != nullptr && i < intervals->size(); ++i)
      if (const json::object* interval = (*intervals)[i].if_object()) {
        const IntervalCells cells(*interval, screen.now);
        table.add_row({as_text(upstream, "as"), cells.from, cells.to, cells.duration,
                       cell(*interval, "gaps")});
      }
  }
  return table.empty() ? "" : table.render(screen.width);
}

}  // namespace

std::string format_age(std::chrono::seconds age) {
  const auto s = std::max<std::int64_t>(0, age.count());
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  if (s < 100 * 86400) return fmt::format("{}d{:02}h", s / 86400, s / 3600 % 24);
  return fmt::format("{}d", s / 86400);
}

Shown show_status(std::string_view body) {
  const auto status = parse_object(body);
  if (!status) return std::nullopt;
  Lines lines;
  lines.add("Version", cell(*status, "version"));
  const json::value* uptime = status->if_contains("uptime_seconds");
  if (uptime != nullptr && uptime->is_number()) {
    boost::system::error_code error;
    const auto seconds = uptime->to_number<std::int64_t>(error);
    lines.add("Uptime", error ? "-" : format_age(std::chrono::seconds(seconds)));
  }
  lines.add("Ready", cell(*status, "ready"));
  lines.add("Neighbours up",
            cell(*status, "peers_up") + " of " + cell(*status, "peers_configured"));
  lines.add_number("Routes", *status, "routes");
  lines.add_number("Prefixes", *status, "prefixes");
  lines.add_number("Paths", *status, "paths");
  lines.add_number("Not yet on disk", *status, "store_pending");
  lines.add_number("Events", *status, "events");
  lines.add_number("Storage errors", *status, "store_errors");
  if (cell(*status, "store_error") != "-")
    lines.add("Last storage error", cell(*status, "store_error"));
  const json::array* sinks = array_of(*status, "sinks");
  for (std::size_t i = 0; sinks != nullptr && i < sinks->size(); ++i)
    if (const json::object* sink = (*sinks)[i].if_object())
      lines.add("Sink", cell(*sink, "name") + ", " + cell(*sink, "state") + ", at event " +
                            cell(*sink, "cursor"));
  return lines.take();
}

Shown show_peers(std::string_view body, const Screen& screen) {
  const auto peers = objects_of(body, "peers");
  if (!peers) return std::nullopt;
  Table table;
  table.add_column("Neighbour");
  table.add_column("Address");
  table.add_column("AS", Table::Align::kRight);
  table.add_column("State");
  table.add_column("For", Table::Align::kRight);
  table.add_column("Routes", Table::Align::kRight);
  table.add_column("Stale", Table::Align::kRight);
  table.add_column("Updates", Table::Align::kRight);
  table.add_column("Description", Table::Align::kLeft, true);
  for (const json::object& peer : *peers)
    table.add_row({cell(peer, "name"), cell(peer, "address"), cell(peer, "as"), state_cell(peer),
                   age_cell(peer, "since", screen.now), cell(peer, "routes"), cell(peer, "stale"),
                   cell(peer, "updates_received"), cell(peer, "description")});
  return table.render(screen.width);
}

Shown show_peer(std::string_view body, const Screen& screen) {
  const auto peer = parse_object(body);
  if (!peer || !peer->contains("name")) return std::nullopt;
  Lines lines;
  lines.add("Neighbour", cell(*peer, "name"));
  lines.add("Description", cell(*peer, "description"));
  lines.add("Address", cell(*peer, "address") + " port " + cell(*peer, "port"));
  lines.add("AS", cell(*peer, "as") + ", ours " + cell(*peer, "local_as"));
  lines.add("State", state_cell(*peer) + " for " + age_cell(*peer, "since", screen.now));
  lines.add("Since", time_cell(*peer, "since"));
  lines.add("Last heard", time_cell(*peer, "last_heard"));
  lines.add("Router ID", cell(*peer, "router_id"));
  lines.add("Hold time", cell(*peer, "hold_time") + " s");
  lines.add("Families", cell(*peer, "families"));
  const json::array* capabilities = array_of(*peer, "capabilities");
  bool first = true;
  if (capabilities != nullptr)
    for (const json::value& capability : *capabilities) {
      lines.add(first ? "Capabilities" : "", text_of(capability));
      first = false;
    }
  if (first) lines.add("Capabilities", "-");
  lines.add("Routes", cell(*peer, "routes") + ", stale " + cell(*peer, "stale"));
  lines.add("Messages", cell(*peer, "messages_received") + " received, " +
                            cell(*peer, "messages_sent") + " sent");
  lines.add("Updates", cell(*peer, "updates_received") + " received, " + cell(*peer, "malformed") +
                           " malformed");
  lines.add("Established", cell(*peer, "established") + " times");
  lines.add("Last error", cell(*peer, "last_error"));
  return lines.take();
}

Shown show_routes(std::string_view body, const Screen& screen) {
  if (const auto count = parse_object(body); count && count->contains("count"))
    return cell(*count, "count") + '\n';
  const auto routes = objects_of(body, "routes");
  if (!routes) return std::nullopt;
  const auto root = parse_object(body);
  Table table;
  table.add_column("Prefix");
  table.add_column("Neighbour");
  table.add_column("Age", Table::Align::kRight);
  table.add_column("");
  table.add_column("Next hop");
  table.add_column("AS path", Table::Align::kLeft, true);
  for (const json::object& route : *routes) {
    std::string prefix = cell(route, "prefix");
    if (const std::string rd = cell(route, "rd"); rd != "-") prefix = rd + ' ' + prefix;
    if (const std::string id = cell(route, "path_id"); id != "-") prefix += " #" + id;
    std::string path = cell(route, "as_path");
    if (path == "-") path = "(empty)";
    table.add_row({prefix, cell(route, "peer"), age_cell(route, "since", screen.now),
                   flag(route, "stale", false) ? "stale" : "", cell(route, "next_hop"), path});
  }
  std::string text = table.render(screen.width);
  if (root && flag(*root, "truncated", false)) {
    const std::string next = cell(*root, "next");
    text += "There are more routes; see --limit" +
            (next == "-" ? std::string() : ", or --after " + printable(next)) + ".\n";
  }
  return text;
}

Shown show_upstreams(std::string_view body, const Screen& screen) {
  const auto upstreams = objects_of(body, "upstreams");
  if (!upstreams) return std::nullopt;
  Table table;
  table.add_column("Upstream", Table::Align::kRight);
  table.add_column("Active");
  table.add_column("Prefixes", Table::Align::kRight);
  table.add_column("Times", Table::Align::kRight);
  table.add_column("First seen");
  table.add_column("Last seen");
  table.add_column("Neighbours", Table::Align::kLeft, true);
  for (const json::object& upstream : *upstreams)
    table.add_row({as_text(upstream, "as"),
                   flag(upstream, "unobserved", false) ? "unobserved" : cell(upstream, "active"),
                   count_cell(upstream, "prefixes"), cell(upstream, "activations"),
                   time_cell(upstream, "first_seen"), time_cell(upstream, "last_seen"),
                   cell(upstream, "peers")});
  const std::string intervals = show_active_intervals(*upstreams, screen);
  return table.render(screen.width) + (intervals.empty() ? "" : '\n' + intervals);
}

Shown show_events(std::string_view body, const Screen& screen) {
  const auto events = objects_of(body, "events");
  if (!events) return std::nullopt;
  Table table;
  table.add_column("Number", Table::Align::kRight);
  table.add_column("Time");
  table.add_column("Severity");
  table.add_column("Type");
  table.add_column("Action");
  table.add_column("Subject");
  table.add_column("Summary", Table::Align::kLeft, true);
  for (const json::object& event : *events)
    table.add_row({cell(event, "number"), time_cell(event, "time"), cell(event, "severity"),
                   cell(event, "type"), cell(event, "action"), event_subject(event),
                   cell(event, "summary")});
  return table.render(screen.width);
}

Shown show_event_line(std::string_view text) {
  const auto event = parse_object(text);
  if (!event || !event->contains("type")) return std::nullopt;
  return printable(fmt::format("{} {:<9} {} {}: {}", time_cell(*event, "time"),
                               cell(*event, "severity"), cell(*event, "type"),
                               cell(*event, "action"), cell(*event, "summary"))) +
         '\n';
}

bool is_empty_answer(std::string_view body, std::string_view member) {
  const auto root = parse_value(body);
  const json::array* array = root ? list_of(*root, member) : nullptr;
  return array != nullptr && array->empty();
}

std::string problem_text(unsigned status, std::string_view body) {
  const auto problem = parse_object(body);
  const std::string title = problem ? cell(*problem, "title") : "-";
  const std::string detail = problem ? cell(*problem, "detail") : "-";
  if (title == "-" && detail == "-") return fmt::format("HTTP status {}", status);
  if (title == "-") return printable(detail);
  return printable(detail == "-" ? title : title + ": " + detail);
}

}  // namespace lapwing::collector
