// Reading the feed of route changes for the API: GET /api/v1/updates/stream.
//
// Thread: `read` and `begin` the server's worker; construction and destruction the server's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lapwing/update_feed.h"
#include "sinks/http_request.h"
#include "sinks/route_filter.h"
#include "sinks/stream_source.h"

namespace lapwing::sinks {

/// Checks the parameters: prefix (with its more-specifics), peer, origin, transit, as, community,
/// family; 200 where they are right.
HttpResponse check_updates(const HttpContext& context, const HttpRequest& request);

/// One client's view of the feed.
class UpdateReader final : public StreamSource {
 public:
  /// `wake` is called from the engine thread when there is news.
  UpdateReader(UpdateFeed& feed, const HttpRequest& request, std::function<void()> wake);
  ~UpdateReader() override;
  UpdateReader(const UpdateReader&) = delete;
  UpdateReader& operator=(const UpdateReader&) = delete;

  std::uint64_t begin() const override { return feed_.last(); }
  /// Server-sent events. A gap is told as an event "lost" with the number of changes.
  Next read(std::uint64_t& number, std::string& out) const override;

 private:
  UpdateFeed& feed_;
  RouteFilter filter_;
  std::optional<Prefix> prefix_;
  std::optional<std::string> peer_;
  int subscription_ = 0;
};

}  // namespace lapwing::sinks
