// What the API and the command line may read of the collector: copies, never the engine's memory.
//
// Thread: any. Every call returns a copy that is consistent in itself; it may be older than the
// engine's state by what is not durable yet (`Status::store_pending`).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lapwing/detector.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing {

/// The state of one neighbour's session, published by the io thread.
struct PeerStatus {
  std::string name;
  IpAddress address;
  std::uint16_t port = 0;
  Asn as = 0;
  Asn local_as = 0;
  std::string description;
  std::string state;                     // RFC 4271 8.2.2: "Idle" … "Established"
  std::optional<Timestamp> since;        // of the present state
  std::optional<Timestamp> last_heard;
  std::optional<std::string> router_id;  // of the neighbour
  std::string last_error;                // last reason for a session's end, for a person
  std::uint16_t hold_time = 0;           // negotiated, seconds; 0 where not established
  std::vector<Family> families;          // negotiated
  std::vector<std::string> capabilities; // the neighbour's, in words
  std::uint64_t routes = 0;              // in its Adj-RIB-In, stale ones included
  std::uint64_t stale = 0;
  std::uint64_t updates_received = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t malformed = 0;           // UPDATEs with an RFC 7606 finding
  std::uint64_t established = 0;         // times
  bool enabled = true;
};

struct Status {
  std::string version;
  std::uint64_t uptime_seconds = 0;
  std::uint64_t peers_configured = 0;
  std::uint64_t peers_up = 0;
  std::uint64_t routes = 0;         // held in all Adj-RIB-Ins
  std::uint64_t prefixes = 0;       // distinct
  std::uint64_t paths = 0;          // distinct attribute sets
  std::uint64_t store_pending = 0;  // route changes not yet durable
  std::uint64_t events = 0;         // highest number in the journal
  std::uint64_t store_errors = 0;
  std::string store_error;          // last one; empty where all is well
  bool ready = false;               // stored tables loaded, listeners bound
};

struct StoredRoute {
  std::string peer;
  Asn peer_as = 0;
  Nlri nlri;
  std::vector<std::uint8_t> path;  // canonical attributes: PathView(path)
  Timestamp since;                 // last change of this route
  bool stale = false;
};

enum class Match : std::uint8_t { kExact, kLongest, kLonger, kShorter };

struct RouteQuery {
  std::optional<Prefix> prefix;  // none: every prefix
  Match match = Match::kExact;   // kLonger and kShorter include the prefix itself
  std::optional<std::string> peer;
  std::size_t limit = 1000;
};

class Reader {
 public:
  virtual ~Reader() = default;
  virtual Status status() const = 0;                // cheap: no I/O, no lock that is held long
  virtual std::vector<PeerStatus> peers() const = 0;  // in the order of the configuration
  /// In ascending order of NLRI, then peer. Returns true when the limit cut something off.
  virtual bool routes(const RouteQuery& query, const std::function<void(const StoredRoute&)>& fn)
      const = 0;
  /// `Detector::query` of the first detector that knows `what`, run on the engine thread.
  virtual std::optional<std::string> detector_query(std::string_view what,
                                                    std::string_view argument) const = 0;
};

}  // namespace lapwing
