// The paths of the API and what answers them.
#include <charconv>

#include "sinks/http_console.h"
#include "sinks/http_control.h"
#include "sinks/http_events.h"
#include "sinks/http_metrics.h"
#include "sinks/http_observe.h"
#include "sinks/http_openapi.h"
#include "sinks/http_request.h"
#include "sinks/http_routes.h"
#include "sinks/http_updates.h"
#include "sinks/peer_json.h"
#include "sinks/ris_reader.h"

namespace lapwing::sinks {

namespace {

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

HttpResponse get_openapi(const HttpContext&, const HttpRequest&) {
  return {200, "application/json", std::string(kOpenApi)};
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

/// Of a path that takes no parameters.
template <HttpResponse (*handle)(const HttpContext&, const HttpRequest&)>
HttpResponse plain(const HttpContext& context, const HttpRequest& request) {
  if (const auto wrong = request.unknown_parameter({})) return problem(400, *wrong);
  return handle(context, request);
}

using Where = HttpRoute::Where;

using Access = HttpRoute::Access;

constexpr HttpRoute kRoutes[] = {
    {"GET", "/api/v1/status", Where::kHere, Access::kRead, plain<get_status>},
    {"GET", "/api/v1/peers", Where::kWorker, Access::kRead, plain<get_peers>},
    {"GET", "/api/v1/peers/{}", Where::kWorker, Access::kRead, plain<get_peer>},
    {"POST", "/api/v1/peers/{}/clear", Where::kWorker, Access::kWrite, post_peer_clear},
    {"POST", "/api/v1/peers/{}/refresh", Where::kWorker, Access::kWrite, post_peer_refresh},
    {"POST", "/api/v1/peers/{}/enable", Where::kWorker, Access::kWrite, post_peer_enable},
    {"POST", "/api/v1/peers/{}/disable", Where::kWorker, Access::kWrite, post_peer_disable},
    {"POST", "/api/v1/reload", Where::kWorker, Access::kWrite, post_reload},
    {"GET", "/api/v1/routes", Where::kWorker, Access::kRead, get_routes},
    {"GET", "/api/v1/history", Where::kWorker, Access::kRead, get_history},
    {"GET", "/api/v1/blind", Where::kWorker, Access::kRead, get_blind},
    {"GET", "/api/v1/sinks", Where::kWorker, Access::kRead, get_sinks},
    {"GET", "/api/v1/detectors", Where::kWorker, Access::kRead, get_detectors},
    {"GET", "/api/v1/origins/{}/upstreams", Where::kWorker, Access::kRead, plain<get_upstreams>},
    {"GET", "/api/v1/suppressed", Where::kWorker, Access::kRead, get_suppressed},
    {"GET", "/api/v1/events", Where::kWorker, Access::kRead, get_events},
    {"GET", "/api/v1/events/stream", Where::kEvents, Access::kRead, check_stream},
    {"GET", "/api/v1/events/{}/children", Where::kWorker, Access::kRead, get_event_children},
    {"GET", "/api/v1/updates/stream", Where::kUpdates, Access::kRead, check_updates},
    {"GET", "/v1/stream/", Where::kRisLines, Access::kRead, check_ris_stream},
    {"GET", "/v1/ws/", Where::kRisSocket, Access::kRead, check_ris_socket},
    {"GET", "/api/v1/openapi.json", Where::kWorker, Access::kRead, plain<get_openapi>},
    {"GET", "/", Where::kWorker, Access::kOpen, get_console},
    {"GET", "/metrics", Where::kWorker, Access::kRead, get_metrics},
    {"GET", "/livez", Where::kHere, Access::kOpen, get_live},
    {"GET", "/readyz", Where::kHere, Access::kOpen, get_ready},
};

}  // namespace

std::span<const HttpRoute> http_routes() { return kRoutes; }

}  // namespace lapwing::sinks
