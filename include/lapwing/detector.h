// The interface of a detector: what it is told, what it may ask, what it may do.
//
// A detector is told every change of every neighbour's Adj-RIB-In, in order. It may raise events,
// set timers in event time, and keep durable state; what it does while it handles one change is
// committed together with that change, or not at all. Built-in detectors use this and nothing else.
//
// [Threading]  Every call comes from the engine thread, one after the other. A detector needs no lock
//              and starts no thread.
// [Time]       `Host::now()` is the time of the record being handled (or of the timer that is due).
//              It never steps back. A detector reads no clock and uses no randomness: the same
//              records give the same events.
// [Lifetimes]  References and views in arguments live until the call returns. `PathView`s from
//              `Host::path` live until the call returns.
// [Exceptions] A detector that throws is disabled for the rest of the run, and an event says so.
// [Ids]        `PrefixId` and `PathId` are small dense numbers, good as indices. They are handles of
//              this run: another run numbers differently, so they must not reach an event, nor
//              decide an order. A PathId stays valid until `path_released`, a PrefixId until
//              `prefix_released`; neither comes between a change and its `on_update_end`, so what a
//              change named may be looked up there. A PeerId stays valid until kRemoved was told. An id
//              that is not valid must not be looked up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/event.h"
#include "lapwing/function_ref.h"
#include "lapwing/path.h"
#include "lapwing/prefix.h"
#include "lapwing/settings.h"
#include "lapwing/time.h"

namespace lapwing {

using PeerId = std::uint32_t;    // dense, stable for a name in one store
using PrefixId = std::uint32_t;  // one for each Nlri (path identifier included), for all neighbours
using PathId = std::uint32_t;    // one for each attribute set, for all neighbours
inline constexpr PathId kNoPath = 0xffffffff;

struct PeerInfo {
  PeerId id = 0;
  std::string name;      // configured; the identity over reconnects, address changes and years
  IpAddress address;     // of the present or last session
  Asn as = 0;
  Asn local_as = 0;
  bool internal = false; // iBGP: `as` equals `local_as`
};

struct RouteChange {
  PeerId peer = 0;
  PrefixId prefix = 0;
  PathId before = kNoPath;  // kNoPath: no route
  PathId after = kNoPath;   // kNoPath: withdrawn. `before` and `after` always differ
  Cause cause = Cause::kLive;
  /// This neighbour's first table, a prefix of which we cannot know what it was before, or a
  /// neighbour that is removed: it teaches, it does not alarm.
  bool baseline = false;
  /// With `baseline`: the neighbour is no longer configured, or its session became internal or external.
  /// Nobody said that the route is gone.
  bool peer_removed = false;
  /// Set when the change was found after a gap: the last time at which `before` was known to hold.
  /// (`changed_between` is then [last_known, Host::now()].)
  std::optional<Timestamp> last_known;
};

enum class PeerEvent : std::uint8_t {
  kUp,            // session established; its routes, if any, are still stale
  kDown,          // session lost: all its routes are stale from here on, none is withdrawn
  kBaselineDone,  // first table of a family is complete
  kSynchronized,  // a family was compared after a gap; nothing of it is stale any more
  kRemoved,       // no longer configured; its routes were withdrawn before this, as `baseline` changes
  kStanding,      // to a detector that has started, of a neighbour that had a session before: it is up,
                  // or is awaited, and has none since `blind_since`. After a start of the process it
                  // is told when time is known again, by the first record; else right after `start_up`
};

struct PeerChange {
  PeerId peer = 0;
  PeerEvent event = PeerEvent::kUp;
  Family family;          // of kBaselineDone and kSynchronized
  std::string reason;     // of kDown: for a person, from the wire where the neighbour said it; escaped
                          // by the sinks, not here
  std::optional<Timestamp> blind_since;  // of kUp after a kDown or a restart, and of kStanding: since
                                         // when we were blind
};

/// What the operator watches ([watch] in the configuration).
struct Watch {
  std::vector<Prefix> prefixes;  // each with its more-specifics
  std::vector<Asn> origins;
  std::vector<Asn> ases;         // anywhere on the path
};

/// Which route changes a detector wants to be told. What nobody wants costs nothing.
enum class RouteInterest : std::uint8_t {
  kNone,  // none: it lives of `on_peer_change` and timers
  kLive,  // those that are not `baseline`, and no `restore_route`
  kAll,
};

/// One neighbour's route, as `Host::for_each_route` shows it.
struct RouteView {
  PeerId peer = 0;
  PrefixId prefix = 0;
  PathId path = kNoPath;
  bool stale = false;  // kept from a session that was lost: unobserved, not gone
};

/// What a detector may ask and do. Lives longer than the detector.
class Host {
 public:
  virtual Timestamp now() const = 0;
  /// [Lifetime] The octets live until the call into the detector returns: what is wanted for longer is
  /// kept by its id.
  virtual PathView path(PathId) const = 0;
  virtual Nlri nlri(PrefixId) const = 0;
  /// The prefix of its NLRI; cheaper than the whole.
  virtual Prefix prefix(PrefixId id) const { return nlri(id).prefix; }
  /// Its NLRI has a path identifier (RFC 7911); cheaper than the whole.
  virtual bool has_path_id(PrefixId id) const { return nlri(id).has_path_id; }
  /// Its id where a neighbour has a route for it, or had one lately. What differs in its path identifier,
  /// or has none, is another NLRI of the same prefix.
  virtual std::optional<PrefixId> find_prefix(const Nlri&) const = 0;
  virtual const PeerInfo& peer(PeerId) const = 0;
  /// False: the id stands for nothing, now.
  virtual bool has_path(PathId) const = 0;
  virtual bool has_prefix(PrefixId) const = 0;
  virtual bool has_peer(PeerId) const = 0;
  virtual const Watch& watch() const = 0;
  /// Origin ASNs of route servers, left out of paths ([speaker] route-server-as).
  virtual std::span<const Asn> route_server_ases() const = 0;
  /// True while no neighbour has withdrawn or changed this route, but its session is lost.
  virtual bool is_stale(PeerId, PrefixId) const = 0;
  /// The routes of all neighbours for one NLRI, in ascending order of peer, until `fn` returns false.
  virtual void for_each_route(PrefixId, FunctionRef<bool(const RouteView&)> fn) const = 0;

  /// Calls `on_timer(key)` when event time reaches `due`, before any record of that time or later.
  /// A timer with the same key is replaced. Timers of one time fire in the order in which they were
  /// set. Timers do not outlive the process: restore them in `start_up`. One that is due already fires
  /// before the next record. A detector that sets more than 100,000 of these within `on_timer`, while
  /// `now` stands, fails: it would never end.
  virtual void set_timer(std::uint64_t key, Timestamp due) = 0;
  virtual void cancel_timer(std::uint64_t key) = 0;

  /// Durable state of this detector. Committed with the change being handled.
  virtual void put_state(std::string_view key, std::string_view value) = 0;
  virtual void erase_state(std::string_view key) = 0;
  /// False in a replay, which stores nothing: what is put is dropped, and need not be made.
  virtual bool keeps_state() const { return true; }

  /// An event that says nothing yet. Its memory may be that of one that was told before: where events
  /// are many it costs less than a new one.
  virtual Event blank_event() { return {}; }
  /// Commits the event with the change being handled. `event.id` must be set (see `make_event_id`).
  /// An id that is in the journal already is recognised and not stored twice.
  virtual void emit(Event&& event) = 0;

  /// A raise may wait until enough neighbours show what it tells (docs/DETECTORS.md, min-peers). False: none
  /// waits, and `add_witness` does nothing.
  virtual bool counts_witnesses() const { return false; }
  /// This neighbour, too, shows what an event of this incident and type raised.
  virtual void add_witness(const EventId& incident, std::string_view type, PeerId peer) {
    (void)incident, (void)type, (void)peer;
  }

 protected:
  ~Host() = default;
};

class Detector {
 public:
  virtual ~Detector() = default;

  /// The name of its table in the configuration, and the prefix of its durable state.
  virtual std::string_view name() const = 0;

  /// Start: `attach`, then `restore_state` for each stored entry in ascending order of key, then
  /// `restore_route` for each stored route (all stale), then `start_up`.
  virtual void attach(Host& host) = 0;
  /// Asked once, after `attach`. With kNone neither `on_route_change` and `on_update_end` nor
  /// `path_released` and `prefix_released` are called; with kLive `on_update_end` follows only where
  /// `on_route_change` came before it.
  virtual RouteInterest route_interest() const { return RouteInterest::kAll; }
  virtual void restore_state(std::string_view key, std::string_view value);
  virtual void restore_route(const RouteView& route);
  virtual void start_up() {}

  virtual void on_route_change(const RouteChange& change) = 0;
  /// All NLRI of one UPDATE (or of one step of a sweep) have been told.
  virtual void on_update_end() {}
  virtual void on_peer_change(const PeerChange&) {}
  virtual void on_timer(std::uint64_t /*key*/) {}
  /// Asked once, after `attach`. True: `prefetch` is called.
  virtual bool prefetches() const { return false; }
  /// A change of this route will be told soon, if it is one: a detector with large tables may ask
  /// for the memory that it will need. Called with step 0 and, some changes later each, 1 and 2.
  /// Also for one id alone, the other being 0xffffffff: with step 0 before it is released, and for
  /// a path with steps 0 and 1 before it is announced.
  /// Only a hint: it may be wrong, and must change nothing.
  virtual void prefetch(PrefixId, PathId /*before*/, int /*step*/) const noexcept {}
  /// No route uses this id any more, and it may be given to another path (prefix) from here on.
  virtual void path_released(PathId) {}
  virtual void prefix_released(PrefixId) {}
  /// The records have ended (replay) or the program ends: report what waits for a timer. Called
  /// once in a replay; never live, where a restart must not differ from a pause.
  virtual void finish() {}

  /// Answers a read of the API, for example ("upstreams", "131279"), as one JSON value in text; no
  /// value: not mine. Must not change anything.
  virtual std::optional<std::string> query(std::string_view /*what*/, std::string_view /*argument*/) {
    return std::nullopt;
  }
};

inline void Detector::restore_state(std::string_view, std::string_view) {}
inline void Detector::restore_route(const RouteView&) {}

/// Makes an id from parts that say what the event is. The same parts, the same id.
EventId make_event_id(std::string_view domain, std::span<const std::uint64_t> parts);

/// Creates the detector of that name with these settings; nullptr if there is none of that name.
/// Errors of the settings are noted in them.
std::unique_ptr<Detector> make_detector(std::string_view name, Settings& settings);
/// The names that `make_detector` knows, in the order in which detectors are called.
std::vector<std::string_view> detector_names();
/// True for a type of event that a built-in detector, the engine or the journal raises.
bool is_built_in_event_type(std::string_view type);
/// True for those that run unless the configuration says otherwise.
bool runs_by_default(std::string_view name);

}  // namespace lapwing
