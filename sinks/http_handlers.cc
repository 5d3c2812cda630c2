// The paths of the API and what answers them.
#include <charconv>

#include "sinks/http_events.h"
#include "sinks/http_metrics.h"
#include "sinks/http_request.h"
#include "sinks/peer_json.h"
#include "sinks/route_json.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::size_t kMostRoutes = 50000;

HttpResponse get_status(const HttpContext& context, const HttpRequest&) {
  HttpResponse response;
  const auto sinks = context.sinks ? context.sinks() : std::vector<SinkStatus>();
  append_status_json(response.body, context.program, context.reader.status(), sinks);
  response.body += '\n';
  return response;
}

HttpResponse get_live(const HttpContext&, const HttpRequest&) {
  return {200, "text/plain; charset=utf-8", "ok\n"};
}

HttpResponse get_ready(const HttpContext& context, const HttpRequest&) {
  const bool ready = context.reader.status().ready;
  return {ready ? 200u : 503u, "text/plain; charset=utf-8", ready ? "ready\n" : "starting\n"};
}

HttpResponse get_peers(const HttpContext& context, const HttpRequest&) {
  HttpResponse response;
  response.body = "{\"peers\":[";
  for (const PeerStatus& peer : context.reader.peers()) {
    if (response.body.back() != '[') response.body += ',';
    append_peer_json(response.body, peer);
  }
  response.body += "]}\n";
  return response;
}

HttpResponse get_peer(const HttpContext& context, const HttpRequest& request) {
  for (const PeerStatus& peer : context.reader.peers()) {
    if (peer.name != request.captures.at(0)) continue;
    HttpResponse response;
    append_peer_json(response.body, peer);
    response.body += '\n';
    return response;
  }
  return problem(404, "no neighbour is called '" + request.captures.at(0) + "'");
}

// A prefix, or an address as the prefix that holds it alone.
std::optional<Prefix> prefix_or_address(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return parse_prefix(text, true);
  const auto address = parse_address(text);
  if (!address) return std::nullopt;
  return Prefix::make(*address, address->version == IpVersion::kV4 ? 32 : 128);
}

std::optional<Match> parse_match(std::string_view text) {
  if (text == "exact") return Match::kExact;
  if (text == "longest") return Match::kLongest;
  if (text == "longer") return Match::kLonger;
  if (text == "shorter") return Match::kShorter;
  return std::nullopt;
}

// What is wrong with the parameters; empty when `query` is set.
std::string read_route_query(const HttpRequest& request, RouteQuery& query) {
  static constexpr std::string_view kKnown[] = {"prefix", "match", "peer", "limit"};
  if (const auto name = request.unknown_parameter(kKnown))
    return "unknown parameter '" + *name + "'; known: prefix, match, peer, limit";
  const auto prefix = request.parameter("prefix");
  if (prefix) {
    query.prefix = prefix_or_address(*prefix);
    if (!query.prefix) return "prefix must be one such as 203.0.113.0/24, or an address";
    query.match = prefix->find('/') == std::string::npos ? Match::kLongest : Match::kExact;
  }
  if (const auto text = request.parameter("match")) {
    const auto match = parse_match(*text);
    if (!match) return "match must be exact, longest, longer or shorter";
    query.match = *match;
  }
  query.peer = request.parameter("peer");
  if (const auto text = request.parameter("limit")) {
    const char* end = text->data() + text->size();
    const auto [rest, error] = std::from_chars(text->data(), end, query.limit);
    if (error != std::errc{} || rest != end || query.limit < 1 || query.limit > kMostRoutes)
      return "limit must be a number from 1 to 50000";
  }
  return {};
}

HttpResponse get_routes(const HttpContext& context, const HttpRequest& request) {
  RouteQuery query;
  if (const std::string wrong = read_route_query(request, query); !wrong.empty())
    return problem(400, wrong);
  HttpResponse response;
  response.body = "{\"routes\":[";
  const bool truncated = context.reader.routes(query, [&response](const StoredRoute& route) {
    if (response.body.back() != '[') response.body += ',';
    append_route_json(response.body, route);
  });
  response.body += "],\"truncated\":";
  response.body += truncated ? "true}\n" : "false}\n";
  return response;
}

HttpResponse get_upstreams(const HttpContext& context, const HttpRequest& request) {
  const std::string& text = request.captures.at(0);
  Asn as = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, as);
  if (error != std::errc{} || rest != end)
    return problem(400, "'" + text + "' is no AS number");
  auto answer = context.reader.detector_query("upstreams", std::to_string(as));
  if (!answer) return problem(404, "nothing is known of the upstreams of AS" + std::to_string(as));
  return {200, "application/json", std::move(*answer) + "\n"};
}

using Where = HttpRoute::Where;

constexpr HttpRoute kRoutes[] = {
    {"GET", "/api/v1/status", Where::kHere, false, get_status},
    {"GET", "/api/v1/peers", Where::kWorker, false, get_peers},
    {"GET", "/api/v1/peers/{}", Where::kWorker, false, get_peer},
    {"GET", "/api/v1/routes", Where::kWorker, false, get_routes},
    {"GET", "/api/v1/origins/{}/upstreams", Where::kWorker, false, get_upstreams},
    {"GET", "/api/v1/events", Where::kWorker, false, get_events},
    {"GET", "/api/v1/events/stream", Where::kStream, false, check_stream},
    {"GET", "/metrics", Where::kWorker, false, get_metrics},
    {"GET", "/livez", Where::kHere, true, get_live},
    {"GET", "/readyz", Where::kHere, true, get_ready},
};

}  // namespace

std::span<const HttpRoute> http_routes() { return kRoutes; }

}  // namespace lapwing::sinks
