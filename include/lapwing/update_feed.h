// Changes of routes and sessions as they happen, for whoever watches them now: kept in memory,
// bounded, not durable.
//
// Nothing is kept while nobody watches. A watcher that is slower than the routers loses the oldest
// changes and sees it by the gap in the numbers; the engine never waits for it.
// Thread: any; the implementation locks what it must.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lapwing/event.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing {

enum class SessionNews : std::uint8_t { kNone, kUp, kDown };

struct RouteUpdate {
  std::uint64_t number = 0;  // grows by one
  std::uint64_t message = 0; // the same for the changes of one UPDATE, or of one step of a sweep
  Timestamp time;
  std::string peer;
  IpAddress peer_address;  // of the present or last session
  Asn peer_as = 0;
  SessionNews session = SessionNews::kNone;  // else it is of the session, and what follows is empty
  Nlri nlri;
  std::optional<std::vector<std::uint8_t>> before;  // canonical attributes; none: no route
  std::optional<std::vector<std::uint8_t>> after;
  Cause cause = Cause::kLive;
  bool baseline = false;  // of a first table
};

class UpdateFeed {
 public:
  virtual ~UpdateFeed() = default;
  /// Changes after `number` that are still kept, oldest first, at most `limit`.
  virtual std::vector<RouteUpdate> read_after(std::uint64_t number, std::size_t limit) const = 0;
  virtual std::uint64_t last() const = 0;
  /// `fn` is called, from the engine thread (it must only post), when there is news. Keeping begins
  /// with the first watcher and ends with the last.
  virtual int subscribe(std::function<void()> fn) = 0;
  virtual void unsubscribe(int handle) = 0;
};

}  // namespace lapwing
