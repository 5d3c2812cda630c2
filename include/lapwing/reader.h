// What the API and the command line may read of the collector: copies, never the engine's memory.
//
// Thread: any. Every call returns a copy that is consistent in itself; it may be older than the
// engine's state by what is not durable yet (`Status::store_pending`).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lapwing/detector.h"
#include "lapwing/measures.h"
#include "lapwing/path.h"
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
  /// By message type (RFC 4271 4.1, RFC 2918): index 1 OPEN to 5 ROUTE-REFRESH.
  std::array<std::uint64_t, 6> received_by_type{};
  std::array<std::uint64_t, 6> sent_by_type{};
  std::uint64_t malformed = 0;           // UPDATEs with an RFC 7606 finding
  /// By the strongest finding: attribute discard, treat as withdraw, session reset (RFC 7606 2).
  std::array<std::uint64_t, 3> malformed_by_action{};
  std::optional<std::chrono::milliseconds> hold_left;  // until the hold timer expires
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
  std::function<bool(const Nlri&, const PathView&)> wanted;  // empty: all
  std::size_t limit = 1000;                                  // routes given
  std::size_t scan = static_cast<std::size_t>(-1);           // routes looked at
  std::string after;             // RoutePage::next of the page before; empty: from the beginning
};

struct RoutePage {
  std::size_t given = 0;
  bool more = false;   // the limit or the scan ended it
  std::string next;    // where the next page begins, where there is more; hexadecimal
};

/// At `time` this neighbour's route became `after`.
struct RouteHistory {
  Timestamp time;
  std::string peer;
  Nlri nlri;
  std::optional<std::vector<std::uint8_t>> before;  // canonical attributes; none: no route
  std::optional<std::vector<std::uint8_t>> after;
};

struct HistoryQuery {
  Prefix prefix;  // exactly this one
  Timestamp from{};
  Timestamp to{microseconds{std::numeric_limits<std::int64_t>::max()}};
  std::optional<std::string> peer;
  std::size_t limit = 1000;
};

/// A time in which a neighbour was not heard.
struct Blind {
  std::string peer;
  Timestamp from;
  std::optional<Timestamp> to;  // none: it lasts
  std::string reason;
};

struct DetectorStatus {
  std::string name;
  bool enabled = true;             // false: it failed and is not called any more
  std::uint64_t calls = 0;
  std::uint64_t microseconds = 0;  // spent in it, estimated from a sample
};

class Reader {
 public:
  virtual ~Reader() = default;
  virtual Status status() const = 0;                // cheap: no I/O, no lock that is held long
  virtual std::vector<PeerStatus> peers() const = 0;  // in the order of the configuration
  /// In ascending order of NLRI, then peer. nullopt: `after` is no position.
  virtual std::optional<RoutePage> routes(
      const RouteQuery& query, const std::function<void(const StoredRoute&)>& fn) const = 0;
  /// Newest first. True when the limit cut something off.
  virtual bool history(const HistoryQuery& query,
                       const std::function<void(const RouteHistory&)>& fn) const = 0;
  /// Of all neighbours, or of one, in ascending order of begin.
  virtual std::vector<Blind> blind(const std::optional<std::string>& peer) const = 0;
  virtual std::vector<DetectorStatus> detectors() const = 0;
  /// For metrics; may wait for the engine.
  virtual Measures measures() const = 0;
  /// `Detector::query` of the first detector that knows `what`, run on the engine thread.
  virtual std::optional<std::string> detector_query(std::string_view what,
                                                    std::string_view argument) const = 0;
};

}  // namespace lapwing
