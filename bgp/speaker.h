// The BGP speaker: all neighbours of one io thread, their listeners, and what an operator may ask.
//
// It receives routes and gives them to a RecordSink as records. It announces none: nothing here or
// below can encode an announcement. Usage: construct, `listen`, `configure`, run the io_context;
// to end: `stop`, and destroy when its callback was called.
//
// Thread: every call from any thread, but for the constructor, `listen` and the destructor, which
// run on the io thread or while it does not run. Calls take effect on the io thread, in order.
// Owns: listeners, sessions, their sockets and timers. The io_context and the sink outlive it.
// Implements RFC 4271 6.8 and 8 (sessions), RFC 4486 (Cease), RFC 9003 (shutdown communication),
// RFC 4724 (as one who receives only), RFC 7313, RFC 9687; see fsm.h and socket_options.h.
// Deviations: a graceful restart of a neighbour (a new connection while the former one is
// established) is believed when its OPEN is valid, not before; a ROUTE-REFRESH from a neighbour is
// answered by End-of-RIB; incoming connections are refused while a back-off after an error that we
// found runs, and for a neighbour whose records find no room.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/config.h"
#include "bgp/log.h"
#include "bgp/record.h"
#include "lapwing/reader.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::bgp {

/// Times and limits that an operator has no reason to change; tests have.
struct SpeakerOptions {
  bool restarted = false;  // routes of a former run are kept: the R bit of RFC 4724, once
  bool record = false;     // fill RecordBatch::recording
  std::chrono::milliseconds open_hold{240'000};      // RFC 4271 8.2.2, "a large value"
  std::chrono::milliseconds send_hold{480'000};      // RFC 9687; or twice the hold time if longer
  std::chrono::milliseconds retry_limit{120'000};    // the back-off grows to this
  std::optional<std::chrono::milliseconds> retry;    // instead of NeighborConfig::connect_retry
  std::chrono::milliseconds start_spread{1'000};     // neighbours begin at random within it
  std::chrono::milliseconds stable_after{60'000};    // a session of this age resets the back-off
  std::chrono::milliseconds linger{2'000};           // to deliver a last NOTIFICATION
  std::chrono::milliseconds pause_rearm{10'000};     // hold timer, while our own pause lasts
  std::optional<std::chrono::milliseconds> quiet;    // instead of NeighborConfig::quiet_period
  std::size_t pending_per_neighbor = 2;              // accepted connections without a session
  std::size_t pending_total = 256;
};

class Speaker {
 public:
  Speaker(boost::asio::io_context& io, SpeakerConfig config, RecordSink& sink, LogFunction log,
          SpeakerOptions options = {});
  ~Speaker();
  Speaker(const Speaker&) = delete;
  Speaker& operator=(const Speaker&) = delete;

  /// Binds the configured endpoints. Returns what failed, one text for each endpoint:
  /// "listen on 0.0.0.0:179: Permission denied". The others are bound.
  std::vector<std::string> listen();
  /// Where it listens, with the real ports where 0 was asked for.
  std::vector<Endpoint> endpoints() const;

  /// Makes these the neighbours: new ones are added, missing ones removed (Cease/3), changed ones
  /// updated; sessions whose settings are the same are not touched. The first call gives the peer
  /// numbers 0 to n-1 in this order.
  void configure(std::vector<NeighborConfig> neighbors);
  void add(NeighborConfig neighbor);
  void update(NeighborConfig neighbor);  // by name; adds it where it is new
  void remove(std::string name);         // Cease/3

  /// These return false where no neighbour has the name.
  bool clear(std::string_view name, std::string text = {});    // Cease/4, then connects again
  bool refresh(std::string_view name);                         // ROUTE-REFRESH, all families
  bool enable(std::string_view name);
  bool disable(std::string_view name, std::string text = {});  // Cease/2 with this text
  /// The neighbour announced more routes of this family than it may (`MaxPrefix`): Cease/1 with the
  /// family and the limit as data (RFC 4486 4), idle until `clear` or `enable`.
  bool stop_for_max_prefix(std::string_view name, Family family, std::uint64_t limit);
  /// It brought in more than `limit` octets of attribute sets: Cease/8, idle as above.
  bool stop_for_attributes(std::string_view name, std::uint64_t limit);

  /// A copy, in the order of configuration; counters are up to a second old, states are not.
  /// `routes` and `stale` are not known here and zero.
  std::vector<PeerStatus> statuses() const;

  /// Ends all sessions (Cease/2 with `text`), closes the listeners, then calls `done` on the io
  /// thread: when the last NOTIFICATION was delivered, or after `SpeakerOptions::linger`.
  void stop(std::string text, std::function<void()> done);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lapwing::bgp
