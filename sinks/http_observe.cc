#include "sinks/http_observe.h"

#include <algorithm>

#include "sinks/json_object.h"
#include "sinks/peer_json.h"
#include "sinks/route_filter.h"
#include "sinks/route_json.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::uint64_t kMostRows = 10000;

// A sentence where the parameter is there and no time.
std::optional<std::string> time_parameter(const HttpRequest& request, std::string_view name,
                                          std::optional<Timestamp>& out) {
  const auto text = request.parameter(name);
  if (!text) return std::nullopt;
  out = parse_rfc3339(*text);
  if (out) return std::nullopt;
  return std::string(name) + " must be a time such as 2017-10-01T09:07:51Z";
}

std::string read_history_query(const HttpRequest& request, HistoryQuery& query) {
  static constexpr std::string_view kKnown[] = {"prefix", "peer", "since", "until", "limit"};
  if (auto wrong = request.unknown_parameter(kKnown)) return *wrong;
  const auto prefix = prefix_or_address(request.parameter("prefix").value_or(""));
  if (!prefix) return "prefix is needed: one such as 203.0.113.0/24, or an address";
  query.prefix = *prefix;
  query.peer = request.parameter("peer");
  std::optional<Timestamp> since, until;
  if (auto wrong = time_parameter(request, "since", since)) return *wrong;
  if (auto wrong = time_parameter(request, "until", until)) return *wrong;
  query.from = since.value_or(query.from);
  query.to = until.value_or(query.to);
  std::uint64_t limit = query.limit;
  if (auto wrong = request.number_parameter("limit", 1, kMostRows, limit)) return *wrong;
  query.limit = static_cast<std::size_t>(limit);
  return {};
}

void append_history(std::string& out, const RouteHistory& row) {
  JsonObject object(out);
  object.time_or_null("time", row.time);
  object.text("peer", row.peer);
  object.text("change", !row.after ? "withdraw" : row.before ? "replace" : "announce");
  append_nlri_members(object, row.nlri);
  object.key("before");
  append_path_json(out, row.before);
  object.key("after");
  append_path_json(out, row.after);
}

}  // namespace

HttpResponse get_history(const HttpContext& context, const HttpRequest& request) {
  HistoryQuery query;
  if (const std::string wrong = read_history_query(request, query); !wrong.empty())
    return problem(400, wrong);
  HttpResponse response;
  response.body = "{\"history\":[";
  const bool truncated = context.reader.history(query, [&response](const RouteHistory& row) {
    if (response.body.back() != '[') response.body += ',';
    append_history(response.body, row);
  });
  response.body += truncated ? "],\"truncated\":true}\n" : "],\"truncated\":false}\n";
  return response;
}

HttpResponse get_suppressed(const HttpContext& context, const HttpRequest& request) {
  static constexpr std::string_view kKnown[] = {"rule"};
  if (const auto wrong = request.unknown_parameter(kKnown)) return problem(400, *wrong);
  auto answer = context.reader.detector_query("suppressed", request.parameter("rule").value_or(""));
  if (!answer) return problem(404, "no such rule");
  return {200, "application/json", std::move(*answer) + "\n"};
}

HttpResponse get_event_children(const HttpContext& context, const HttpRequest& request) {
  if (const auto wrong = request.unknown_parameter({})) return problem(400, *wrong);
  auto answer = context.reader.detector_query("path-change-children", request.captures.at(0));
  if (!answer || *answer == "[]")
    return problem(404, "no children are kept of an event '" + request.captures.at(0) + "'");
  return {200, "application/json", std::move(*answer) + "\n"};
}

HttpResponse get_blind(const HttpContext& context, const HttpRequest& request) {
  static constexpr std::string_view kKnown[] = {"peer", "at"};
  if (const auto wrong = request.unknown_parameter(kKnown)) return problem(400, *wrong);
  std::optional<Timestamp> at;
  if (const auto wrong = time_parameter(request, "at", at)) return problem(400, *wrong);
  std::vector<Blind> intervals = context.reader.blind(request.parameter("peer"));
  if (at)
    std::erase_if(intervals, [&](const Blind& b) { return b.from > *at || (b.to && *b.to < *at); });
  HttpResponse response;
  {
    JsonObject object(response.body);
    object.list("blind", intervals, [&](const Blind& blind) {
      JsonObject entry(response.body);
      entry.text("peer", blind.peer);
      entry.time_or_null("from", blind.from);
      entry.time_or_null("to", blind.to);
      entry.text("reason", blind.reason);
    });
  }
  response.body += '\n';
  return response;
}

HttpResponse get_sinks(const HttpContext& context, const HttpRequest& request) {
  if (const auto wrong = request.unknown_parameter({})) return problem(400, *wrong);
  const auto sinks = context.sinks ? context.sinks() : std::vector<SinkStatus>();
  HttpResponse response;
  {
    JsonObject object(response.body);
    append_sinks_member(response.body, object, sinks, context.journal.last());
  }
  response.body += '\n';
  return response;
}

HttpResponse get_detectors(const HttpContext& context, const HttpRequest& request) {
  if (const auto wrong = request.unknown_parameter({})) return problem(400, *wrong);
  HttpResponse response;
  {
    JsonObject object(response.body);
    object.list("detectors", context.reader.detectors(), [&](const DetectorStatus& detector) {
      JsonObject entry(response.body);
      entry.text("name", detector.name);
      entry.boolean("enabled", detector.enabled);
      entry.number("calls", detector.calls);
      entry.number("microseconds", detector.microseconds);
    });
  }
  response.body += '\n';
  return response;
}

}  // namespace lapwing::sinks
