// Reading the journal for the API: pages of events, and where a stream begins.
// Thread: the server's worker; every call may wait for a disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lapwing/event.h"
#include "lapwing/journal.h"
#include "sinks/http_request.h"
#include "sinks/stream_source.h"

namespace lapwing::sinks {

/// Where to begin: after a journal number, or at a time (RFC 3339).
struct Since {
  std::uint64_t number = 0;
  std::optional<Timestamp> time;
};
std::optional<Since> parse_since(std::string_view text);

/// Which events are wanted: type, origin, upstream, peer, incident, severity (that one and graver).
class EventSelector {
 public:
  /// What is wrong with the parameters; empty where nothing is.
  std::string read(const HttpRequest& request);
  bool empty() const {
    return !type_ && !origin_ && !upstream_ && !peer_ && !incident_ && !severity_;
  }
  bool matches(const Event& event) const;

 private:
  std::optional<std::string> type_, peer_, incident_;
  std::optional<Asn> origin_, upstream_;
  std::optional<Severity> severity_;
};

/// The number after which the events at or after `since` stand. Times are searched by halving: right
/// while times in the journal do not step back.
std::uint64_t number_before(const Journal& journal, const Since& since);

/// GET /api/v1/events?since=&limit= and those of EventSelector
HttpResponse get_events(const HttpContext& context, const HttpRequest& request);
/// Checks the parameters of GET /api/v1/events/stream, the same without limit; 200 where they are
/// right.
HttpResponse check_stream(const HttpContext& context, const HttpRequest& request);

/// The journal as server-sent events:
/// https://html.spec.whatwg.org/multipage/server-sent-events.html
class EventReader final : public StreamSource {
 public:
  EventReader(const Journal& journal, const HttpRequest& request);

  std::uint64_t begin() const override;
  Next read(std::uint64_t& number, std::string& out) const override;

 private:
  const Journal& journal_;
  const HttpRequest request_;
  EventSelector selector_;
};

}  // namespace lapwing::sinks
