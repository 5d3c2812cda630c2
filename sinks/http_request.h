// A request and a response of the API without the transport, and the table that joins them.
//
// Thread: any. Owns: its text.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lapwing/control.h"
#include "lapwing/journal.h"
#include "lapwing/reader.h"
#include "lapwing/sink.h"
#include "lapwing/update_feed.h"
#include "sinks/program.h"

namespace lapwing::sinks {

/// What the handlers read. What is referred to outlives the server; `sinks` may be called on the
/// server's threads at any time until it is stopped, and may be empty.
struct HttpContext {
  Reader& reader;
  Journal& journal;
  Program program;
  std::function<std::vector<SinkStatus>()> sinks;
  Control* control = nullptr;     // none: nothing can be changed
  UpdateFeed* updates = nullptr;  // none: updates cannot be followed
};

struct HttpRequest {
  std::string method;
  std::vector<std::string> captures;  // what stood for each {} of the pattern, decoded
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string last_event_id;
  std::string accept;
  std::string ris_subscribe;  // X-RIS-Subscribe
  std::string body;

  /// The first value of that name.
  std::optional<std::string> parameter(std::string_view name) const;
  /// All values of that name.
  std::vector<std::string> parameters(std::string_view name) const;
  /// A sentence about the first name that is not in `known`; none where there is none.
  std::optional<std::string> unknown_parameter(std::span<const std::string_view> known) const;
  /// A sentence where the parameter is there and no number in [min, max]; sets `out` where it is.
  std::optional<std::string> number_parameter(std::string_view name, std::uint64_t min,
                                              std::uint64_t max, std::uint64_t& out) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string security_policy = {};  // Content-Security-Policy; empty: none
  /// The rest of a long body: appends the next piece, which may be empty; false with the last one.
  /// Called on the worker, when what came before was sent.
  std::function<bool(std::string& out)> more = nullptr;
};

/// RFC 9457: {"type":"about:blank","title":…,"status":…,"detail":…}.
HttpResponse problem(unsigned status, std::string_view detail);
std::string_view reason_phrase(unsigned status);

struct HttpRoute {
  enum class Where : std::uint8_t {
    kHere,    // cheap: on the server's thread
    kWorker,  // may wait for a disk or the engine
    // Streams; `handle` only checks the request, on the server's thread: 200 starts the stream.
    kEvents,     // server-sent events
    kUpdates,
    kRisLines,   // RIS Live by HTTP
    kRisSocket,  // RIS Live by WebSocket (RFC 6455)
  };
  enum class Access : std::uint8_t {
    kOpen,   // everybody
    kRead,   // with the token where there is one
    kWrite,  // by the Unix socket, or with a token
  };
  std::string_view method;
  std::string_view pattern;  // "/api/v1/peers/{}"
  Where where = Where::kHere;
  Access access = Access::kRead;
  HttpResponse (*handle)(const HttpContext&, const HttpRequest&) = nullptr;
};

std::span<const HttpRoute> http_routes();

struct RouteMatch {
  const HttpRoute* route = nullptr;
  std::string allow;  // methods of the path, where only the method is wrong
  HttpRequest request;
  bool malformed = false;  // the target is no path with a query
};

/// HEAD finds the routes of GET.
RouteMatch match_route(std::span<const HttpRoute> routes, std::string_view method,
                       std::string_view target);

/// RFC 3986 2.1; nullopt for a broken escape or an escaped NUL. `plus_is_blank` in queries.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank);

}  // namespace lapwing::sinks
