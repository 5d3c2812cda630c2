// The engine: applies records to the Adj-RIB-Ins, tells the detectors, builds the commits.
//
// It is a function of (configuration, starting state, ordered records): it reads no clock, draws no
// random number, and nothing it does depends on how records were grouped into batches. A live
// session, a file and a test are all sources of the same records.
//
// Usage: add_detector … ; then either load what a store kept (`begin_restore` … `end_restore`) or
// `end_restore` at once; then `process` batches. Commits go to the CommitSink.
//
// Semantics of sessions (RFC 4724 4.2 in spirit, for every neighbour): a lost session leaves its
// routes stale. When the neighbour is back, a route announced again as it was is no change; what
// differs is a change with cause `resync`; End-of-RIB sweeps what was not announced again. The
// first complete table of a family is the baseline: it teaches and does not alarm. See
// docs/ARCHITECTURE.md.
// Thread: engine, except where a function says otherwise.
// Owns: the tables and the detectors.
#pragma once

#include <array>
#include <atomic>
#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bgp/record.h"
#include "lapwing/detector.h"
#include "lapwing/event_filter.h"
#include "rib/adj_rib_in.h"
#include "rib/commit.h"
#include "rib/event_timers.h"
#include "rib/path_table.h"
#include "rib/prefix_table.h"

namespace lapwing::rib {

/// A neighbour and its number of routes of one family, at its limit (bgp::MaxPrefix).
struct LimitReport {
  enum class What : std::uint8_t {
    kNear,
    kExceeded,
    kStop,        // what it announces is ignored until its next session
    kAttributes,  // as kStop, for octets of attribute sets: of no family
  };
  What what = What::kNear;
  std::string peer;
  Family family;
  std::uint64_t routes = 0;
  std::uint64_t limit = 0;
};

struct EngineOptions {
  // Events say cause `replay` where a live run says `live`; they alone go to the sink, in a commit for
  // each batch: nothing else of it would be kept.
  bool replay = false;
  Watch watch;
  std::vector<Asn> route_server_ases;
  /// [Threading] engine; it must not block.
  std::function<void(const LimitReport&)> on_limit;
  /// [Threading] engine; it must not block. Null: only the event says so.
  std::function<void(const std::string& detector, const std::string& error)> on_detector_failed;
  /// [Threading] engine; it must not block. Is a neighbour that is not up still configured? Null: yes.
  std::function<bool(std::string_view name)> awaits;
  /// Attribute sets kept beyond their last route: what flaps comes back, and is found as it was.
  std::size_t paths_kept = 1 << 14;
  /// Nanoseconds from anywhere, to count and measure calls of detectors with; nothing else depends on
  /// it. Null: neither is done.
  std::uint64_t (*stopwatch)() = nullptr;
  /// While the disk takes nothing: octets of released ids from which on they are looked through.
  std::uint64_t squeeze_from = 8u << 20;
};

/// Counters that any thread may read.
struct PeerCounters {
  std::string name;
  PeerId id = 0;
  std::atomic<std::uint64_t> routes{0};
  std::atomic<std::uint64_t> stale{0};
};

struct EngineCounters {
  std::atomic<std::uint64_t> routes{0};
  std::atomic<std::uint64_t> prefixes{0};
  std::atomic<std::uint64_t> paths{0};
  std::atomic<std::uint64_t> announcements{0};
  std::atomic<std::uint64_t> withdrawals{0};
  std::atomic<std::uint64_t> duplicates{0};  // announced again as it was
  std::atomic<std::uint64_t> changes{0};
  std::atomic<std::uint64_t> events{0};
};

/// What the engine knows of a neighbour, copied.
struct PeerSummary {
  PeerId id = 0;
  std::string name;
  Asn as = 0;
  bool up = false;
  Timestamp last_change;                 // of `up`; the epoch where it was never up
  std::optional<Timestamp> blind_since;  // none: heard now, or never yet
  std::string blind_reason;
  std::vector<std::pair<Family, std::uint64_t>> routes;
};

struct RunningDetector {
  std::string name;        // empty: none is being called
  std::uint64_t call = 0;  // which one it is
};

struct DetectorSummary {
  std::string name;
  bool enabled = true;  // false: it threw and is not called any more
  std::uint64_t calls = 0;
  std::uint64_t microseconds = 0;  // spent in it, from a sample of its calls
};

class Engine final : public Dictionary {
 public:
  Engine(EngineOptions options, CommitSink& sink);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// In the order in which they are to be called. Before anything else. The first one that is an
  /// EventFilter judges the events of all others.
  void add_detector(std::unique_ptr<Detector> detector);

  // Restoring: meta, peers, paths, states, routes, as rib::LoadVisitor. False: contradictory data.
  void restore_meta(Timestamp alive_until);
  bool restore_peer(const PeerRecord& record);
  bool restore_path(PathId id, Octets octets);
  bool restore_route(PeerId peer, const bgp::NlriKey& key, PathId path);
  struct RestoredRoute {
    PeerId peer = 0;
    PathId path = kNoPath;
    bgp::NlriKey key;
  };
  /// The same for many, which costs less; the number of those that contradict others.
  std::size_t restore_routes(std::span<const RestoredRoute> routes);
  void restore_state(std::string_view detector, std::string_view key, std::string_view value);
  /// Tells the detectors what was restored and starts them.
  void end_restore();

  /// Other detectors in place of the present ones, with what they look at, as a restart with them would
  /// have it. `stored` tells what the store keeps of the detectors; what was submitted must be durable.
  using StateFn =
      std::function<void(std::string_view detector, std::string_view key, std::string_view value)>;
  void replace_detectors(Watch watch, std::vector<Asn> route_server_ases,
                         std::vector<std::unique_ptr<Detector>> detectors,
                         const std::function<void(const StateFn&)>& stored);
  /// Submits what is open. Returns the number of the last commit.
  std::uint64_t submit_open();

  /// Drops a neighbour that is no longer configured, with all its routes.
  void remove_peer(std::string_view name);
  /// Names of all neighbours of which something is kept.
  std::vector<std::string> peer_names() const;
  std::vector<PeerSummary> peer_summaries() const;
  std::vector<DetectorSummary> detector_summaries() const;

  void process(const bgp::RecordBatch& batch);
  /// The records have ended: fires no timer, calls Detector::finish, submits what is left.
  void finish();

  /// `Detector::query` of the first detector that answers.
  std::optional<std::string> query(std::string_view what, std::string_view argument);

  /// True while that route is kept from a session that was lost.
  bool is_stale(PeerId peer, const bgp::NlriKey& key) const;

  Timestamp now() const { return now_; }
  /// [Threading] any.
  const EngineCounters& counters() const { return counters_; }
  /// [Threading] any. The references stay valid as long as the engine.
  std::vector<const PeerCounters*> peer_counters() const;
  /// [Threading] any. The detector that is being called.
  RunningDetector running_detector() const;
  /// Octets held by the tables, by part. Engine thread.
  struct Footprint {
    std::uint64_t prefixes = 0;
    std::uint64_t paths = 0;
    std::uint64_t routes = 0;
  };
  Footprint footprint() const;
  /// Those that any neighbour has, each once, whatever path identifiers it has. Walks them all. Engine
  /// thread.
  std::uint64_t distinct_prefixes() const { return prefixes_.distinct_prefixes(); }

  // rib::Dictionary
  bgp::NlriKey nlri_key(PrefixId id) const override { return prefixes_.key(id); }
  Octets path_octets(PathId id, PathBuffer& buffer) const override {
    return paths_.octets(id, buffer);
  }
  void prefetch_nlri(PrefixId id) const override { prefixes_.prefetch_key(id); }
  void prefetch_path(PathId id, int step) const override {
    if (step == 0)
      paths_.prefetch_entry(id);
    else
      paths_.prefetch_octets(id);
  }

 private:
  class DetectorHost;

  enum class LimitLevel : std::uint8_t { kFine, kNear, kExceeded };
  struct KeyHash {
    std::size_t operator()(const bgp::NlriKey& key) const { return PrefixTable::hash(key); }
  };
  struct KeptPaths {
    std::vector<PrefixId> ids;
    bool numbered = false;  // some with a path identifier
    bool plain = false;     // one without
  };
  struct FamilyState {
    Family family;
    bool baseline_done = false;
    bool synchronizing = false;           // a session is back, or a refresh runs; not swept yet
    bool refresh = false;                 // of synchronizing: by request, nothing was missed
    std::optional<Timestamp> last_known;  // of what is stale
    std::uint64_t routes = 0;             // of this family in the Adj-RIB-In
    std::uint64_t kept = 0;               // of these: of a lost session, not announced again
    std::uint64_t limit = 0;              // 0: none
    std::uint64_t near = 0;               // a part of it, for a warning
    LimitLevel level = LimitLevel::kFine;
    // While a session that is back is compared: see engine_path_ids.cc. By NLRI without identifier; asked,
    // never walked.
    std::optional<boost::unordered_flat_map<bgp::NlriKey, KeptPaths, KeyHash>> kept_paths;
    std::optional<bool> path_ids_now;  // where the session before had it otherwise
    // Of a neighbour joined midway: seen with a route that was withdrawn since. Asked, never
    // walked.
    std::unordered_set<bgp::NlriKey, KeyHash> withdrawn;

    std::uint64_t announced() const { return routes - kept; }
    void end_comparison() {
      synchronizing = refresh = false;
      kept_paths.reset();
      path_ids_now.reset();
    }
  };
  struct Peer {
    Peer(RoutePages& pages, PeerId id) : rib(pages, id) {}

    PeerInfo info;
    bool up = false;
    bool joined_midway = false;
    bool over_limit = false;  // stopped: its updates are ignored until its next session
    std::optional<bgp::MaxPrefix> max_prefix;
    std::uint64_t max_attributes = 0;      // as PeerDetail
    std::uint64_t attributes = 0;          // octets of sets that it brought in and that are kept
    std::uint64_t attributes_allowed = 0;  // in this session
    bool attributes_exceeded = false;      // said
    Timestamp last_change;
    std::optional<Timestamp> blind_since;
    std::string blind_reason;
    std::vector<FamilyState> families;
    AdjRibIn rib;
    PeerCounters* counters = nullptr;
  };

  bool restore_route(PeerId peer, const bgp::NlriKey& key, std::uint64_t hash, PathId path);
  void process_record(const bgp::RecordBatch& batch, const bgp::Record& record);
  void fire_timers(Timestamp until);
  void renumber_as(Peer& peer, const bgp::PeerDetail& detail);
  bool is_one_hop(PathId path);
  void declare_peer(std::uint32_t source_number, const bgp::PeerDetail& detail);
  void peer_up(Peer& peer, const bgp::SessionDetail& detail);
  void peer_down(Peer& peer, const std::string& reason);
  void refresh_begin(Peer& peer, Family family);
  void end_of_rib(Peer& peer, Family family, bool refresh_end);
  void sweep(Peer& peer, FamilyState& family);
  /// By NLRI: the order in which detectors are told.
  std::vector<PrefixId> routes_in_order(const Peer& peer) const;
  void update(Peer& peer, const bgp::RecordBatch& batch, const bgp::Record& record);
  void look_ahead(const bgp::RecordBatch& batch, std::size_t at);
  void look_ahead(const Peer& peer, const bgp::RecordBatch& batch, std::size_t at, bool withdrawn);
  /// Its id where looking ahead found it: ids are given back between batches only.
  PrefixId found_ahead(std::size_t at) const {
    const Ahead& ahead = ahead_[at % kAhead];
    return ahead.of == at ? ahead.prefix : PrefixTable::kNone;
  }
  void announce(Peer& peer, FamilyState& family, const bgp::NlriKey& key, std::size_t at,
                PathId path);
  const KeptPaths* kept_paths(const Peer& peer, FamilyState& family, const bgp::NlriKey& key);
  bool renumber(Peer& peer, FamilyState& family, const bgp::NlriKey& key, PrefixId prefix,
                PathId path);
  bool shows_otherwise(const Peer& peer, FamilyState& family, const bgp::NlriKey& key);
  /// True where what it shows now is compared with nothing: it teaches. `before`: its route.
  bool is_first_sight(Peer& peer, FamilyState& family, const bgp::NlriKey& key, PathId before);
  void withdraw(Peer& peer, FamilyState& family, const bgp::NlriKey& key, std::size_t at);
  void remove_route(Peer& peer, PrefixId prefix, RouteChange change, bool write);
  void set_limit(const Peer& peer, FamilyState& family);
  /// False: a further route is one too many, the neighbour is to be stopped.
  bool admit(Peer& peer, FamilyState& family);
  void note_fewer(Peer& peer, FamilyState& family);
  /// The set was not known before: it counts as this neighbour's until it is freed.
  void bring_in(Peer& peer, PathId path);
  void exceed_attributes(Peer& peer);
  void note_fewer_attributes(Peer& peer);
  void emit_attributes(const Peer& peer, Action action);
  void tell_limit(Event&& event);
  void report_limit(Peer& peer, FamilyState& family, LimitLevel level);
  void emit_limit(const Peer& peer, const FamilyState& family, LimitLevel level, bool stop);
  void record_write(const RouteChange& change);
  void notify(const RouteChange& change);
  void notify(const PeerChange& change);
  void update_end();
  template <typename Fn>
  void call(DetectorHost& host, Fn&& fn);

  Peer& peer_of(std::uint32_t source_number);
  Peer& add_peer(PeerId id, const std::string& name);
  Peer* find_peer(std::string_view name);
  FamilyState& family_of(Peer& peer, Family family) {
    for (FamilyState& state : peer.families)
      if (state.family == family) return state;
    return add_family(peer, family);
  }
  FamilyState& add_family(Peer& peer, Family family);
  void write_peer(const Peer& peer);
  void flush(bool even_if_empty);
  void recycle();
  void recycle_when_calm();
  void recycle_prefixes(std::uint64_t most);
  /// Gives back attribute sets that nothing uses and that the disk is done with, but for `keep`.
  void recycle_paths(std::size_t keep);
  PathTable::Form form_of_new(Peer& peer, Family family);
  void pack_paths();
  void squeeze(std::uint64_t waiting);
  void forget_prefix(PrefixId id);
  void forget_path(PathId id);
  void publish();

  /// For a detector: lives until the call into it returns.
  PathView path_view(PathId id);
  void forget_unpacked();

  void start_detectors();
  /// As soon as detectors have started and the time is known.
  void tell_start();
  enum class DetectorState : std::uint8_t { kFailed, kRuns, kLeft };
  Event detector_failed(const std::string& detector, const std::string& error,
                        DetectorState state) const;
  /// What a detector says, unless the filter holds it back. `from`: null if it is not there any more.
  void emit(const DetectorHost* from, const std::string& detector, Event&& event);

  /// The id under which an event is kept: its own, or of what came again at one moment.
  EventId id_in_moment(const Event& event);

  EngineOptions options_;
  CommitSink& sink_;
  // How often each was called, by name; never removed.
  using DetectorCalls = std::map<std::string, std::atomic<std::uint64_t>, std::less<>>;
  DetectorCalls detector_calls_;
  std::atomic<const DetectorCalls::value_type*> running_{nullptr};
  // Events of the present moment: what one incident said last, and how often an id stood again.
  struct Said {
    EventId last;
    boost::container::small_vector<std::pair<EventId, std::uint32_t>, 1> times;
  };
  // Ids of detectors are octets of a SHA-256. Asked, never walked.
  struct IdHash {
    using is_avalanching = void;
    std::size_t operator()(const EventId& id) const {
      std::size_t hash = 0;
      std::memcpy(&hash, id.bytes.data(), sizeof hash);
      return hash;
    }
  };
  boost::unordered_flat_map<EventId, Said, IdHash> said_;
  Timestamp said_at_{};
  // What the sink is done with: the memory of `blank_event`.
  std::vector<Event> spent_;
  std::vector<std::unique_ptr<DetectorHost>> detectors_;
  // Until it is told how detectors have started: those that had failed, and why. Stored like the state
  // of a detector that no configuration can name.
  std::map<std::string, std::string, std::less<>> failed_detectors_;
  static constexpr std::string_view kFailedDetectors = "failed detectors";
  bool start_told_ = false;  // at the start the time is not known before the first record
  std::vector<DetectorHost*> route_listeners_;  // of changes outside first tables
  EventFilter* filter_ = nullptr;
  DetectorHost* filter_host_ = nullptr;
  std::vector<const Detector*> prefetchers_;
  std::vector<DetectorHost*> baseline_listeners_;  // of first tables, and of restored routes
  PrefixTable prefixes_;
  PathTable paths_;
  // The set that is being announced, as the batch has it: what detectors ask for most.
  PathId announced_ = kNoPath;
  Octets announced_octets_;
  // Other sets for the detector that is being called.
  std::deque<PathBuffer> unpacked_;
  std::size_t unpacked_used_ = 0;
  EventTimers timers_;
  RoutePages pages_;                          // outlives peers_
  std::vector<std::unique_ptr<Peer>> peers_;  // by PeerId; null: removed
  struct Source {
    PeerId peer = 0;
    bgp::PeerDetail detail;  // as it was declared last
  };
  std::vector<Source> sources_;  // by their number
  PeerId next_peer_ = 0;
  std::span<const std::uint64_t> hashes_;   // of the batch's NLRI: the batch's own, or…
  std::vector<std::uint64_t> own_hashes_;  // …where whoever made it made none
  struct Ahead {
    std::size_t of = SIZE_MAX;  // which NLRI of the batch
    PrefixId prefix = PrefixTable::kNone;
    PathId path = kNoPath;
  };
  static constexpr std::size_t kAhead = 32;
  std::array<Ahead, kAhead> ahead_;  // of the NLRI that come next, by their number
  // What routes for a few prefixes need stays in the processor's cache: no need to ask for it.
  static constexpr std::uint64_t kLookAheadFrom = 50000;
  bool looks_ahead_ = false;
  Timestamp now_{};
  bool update_open_ = false;       // on_route_change without on_update_end yet
  bool live_update_open_ = false;  // …for a change outside a first table
  Commit commit_;
  std::uint64_t sequence_ = 1;    // of commit_
  std::uint64_t squeeze_at_ = 0;  // octets of released ids
  EngineCounters counters_;
  std::uint64_t changes_at_tick_ = 0;
  std::uint64_t announcements_ = 0, withdrawals_ = 0, duplicates_ = 0, changes_ = 0, routes_ = 0;
  mutable std::mutex peer_counters_mutex_;
  std::deque<PeerCounters> peer_counters_;  // guarded by peer_counters_mutex_ (the list only)
};

}  // namespace lapwing::rib
