// Detector `new-upstream`: an origin AS that gains, loses, regains or shifts an upstream.
//
// For every origin in the tables, without configuration: knowledge of each (origin, upstream) that
// outlives restarts, and exact counts of the prefixes that show it now. What a neighbour's first
// table shows is learnt in silence. Meaning, settings and limits: docs/DETECTORS.md; the events:
// docs/EVENTS.md.
//
// One UPDATE is judged at its end, so that an event names all of its prefixes:
//   on_route_change   counts, and notes what changed for each adjacency (`Touch`)
//   on_update_end     decides the transitions, then emits, then stores knowledge
//   on_timer          ends share windows, damping and storm minutes
// Thread: engine. Owns: knowledge, sightings, pending windows.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "detectors/adjacency.h"
#include "detectors/by_id.h"
#include "detectors/evidence.h"
#include "detectors/knowledge.h"
#include "detectors/sightings.h"
#include "detectors/watch_list.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

struct NewUpstreamSettings {
  std::chrono::seconds share_window{1};         // watched origins and raised incidents
  std::chrono::seconds share_window_quiet{60};  // all others
  std::size_t flap_threshold = 4;
  std::chrono::seconds flap_window{600};
  std::chrono::seconds flap_quiet{900};
  std::uint32_t storm_limit = 600;            // events a minute
  std::uint32_t storm_limit_followed = 6000;  // the same, of upstreams that are followed closely
  std::chrono::days incident_days{30};  // how long a raised upstream is followed closely
  std::chrono::seconds new_origin_grace{600};  // in which further upstreams of a new origin are due
};

std::unique_ptr<Detector> make_new_upstream(Settings& settings);

class NewUpstream final : public Detector {
 public:
  explicit NewUpstream(const NewUpstreamSettings& settings) : settings_(settings) {}

  std::string_view name() const override { return "new-upstream"; }
  void attach(Host& host) override;
  void restore_state(std::string_view key, std::string_view value) override;
  void restore_route(const RouteView& route) override;
  void start_up() override;
  void on_route_change(const RouteChange& change) override;
  void on_update_end() override;
  void on_peer_change(const PeerChange& change) override;
  void on_timer(std::uint64_t key) override;
  bool prefetches() const override { return true; }
  void prefetch(PrefixId prefix, PathId before, int step) const noexcept override;
  void path_released(PathId path) override;
  void prefix_released(PrefixId prefix) override;
  void finish() override;
  std::optional<std::string> query(std::string_view what, std::string_view argument) override;

 private:
  /// A prefix that came behind an adjacency or left it.
  struct Toggle {
    Prefix prefix;
    bool added = false;
  };
  /// Changes of a set of prefixes, bounded: after kMaxToggles only counts are compared.
  struct Toggles {
    std::vector<Toggle> list;  // as they came
    bool overflow = false;
    void add(const Prefix& prefix, bool added);
    void clear() {
      list.clear();
      overflow = false;
    }
    /// What remains of them: each prefix once, sorted; none that went and came back.
    std::vector<Toggle> net() const;
    bool cancelled() const;  // nothing remains
  };

  enum class Outcome : std::uint8_t {
    kNone,
    kTaught,
    kUnobserved,
    kForgotten,
    kNew,
    kReturned,
    kGone,
    kTakenBack,
    kFlapBegins,
    kFolded
  };

  /// A route change of the present UPDATE that changed what shows an adjacency.
  struct Seen {
    PeerId peer = 0;
    PrefixId prefix = 0;
    PathId before = kNoPath;
    PathId after = kNoPath;
    std::uint32_t next = kNoNumber;  // of the same adjacency, in `seen_`
    bool added = false;
  };

  /// What one UPDATE did to one adjacency. What an event would say of it is worked out by
  /// `details`, for the few of which one is made.
  struct Touch {
    std::uint64_t order = 0;  // origin, upstream
    std::uint32_t adjacency = 0;
    std::uint32_t prefixes_before = 0;
    std::int32_t origin_prefixes_before = 0;  // of those that were news
    std::uint32_t first = kNoNumber;  // list in `seen_`, the first kMaxToggles
    std::uint32_t last = kNoNumber;
    std::uint32_t count = 0;
    std::uint32_t details = kNoNumber;  // in `details_`
    // In `seen_`, of no list: a first table took its last prefix while a raise of it stands.
    std::uint32_t last_taken = kNoNumber;
    bool overflow = false;
    bool added_live = false;  // a prefix came, or left, outside the baseline
    bool removed_live = false;
    bool taken_back = false;  // a first table no longer shows it: the neighbour itself said so
    bool new_origin = false;
    bool judged_later = false;  // its evidence is wanted again: by a single-homed event
    Outcome outcome = Outcome::kNone;
    Cause cause = Cause::kLive;
    std::int64_t baseline_delta = 0;
    std::optional<Timestamp> origin_since;  // of a new origin that appeared before this UPDATE
    std::optional<Timestamp> last_known;  // the earliest of its changes
  };

  struct Details {
    bool direct = false;
    bool poisoned = false;
    std::vector<PeerId> peers;
    std::vector<Evidence> evidence;
  };

  /// Changes of an adjacency's prefixes that wait to be reported as one.
  struct ShareWindow {
    std::uint32_t adjacency = kNoNumber;  // kNoNumber: this place is free
    Timestamp opened, due, last;
    std::uint32_t old_count = 0;
    std::int32_t old_origin_count = 0;  // of those that were news
    bool restored = false;  // from before a restart: what changed is not known, only how many
    Cause cause = Cause::kLive;
    std::size_t max_evidence = Event::kMaxEvidence;
    std::optional<Timestamp> last_known;
    Toggles toggles;
    std::vector<Evidence> evidence;
  };

  /// An origin whose number of open adjacencies this UPDATE may have changed.
  struct OriginTouch {
    std::uint32_t origin = 0;
    std::uint32_t open_before = 0;
  };

  enum StormType : std::size_t { kShare, kGone, kReturned, kSingleHomed, kFlap, kStormTypes };
  struct Storm {
    bool running = false;  // a minute has begun
    Timestamp began;
    std::uint32_t emitted = 0;
    std::uint32_t emitted_followed = 0;
    bool stored = true;  // as it is now
    std::array<std::uint32_t, kStormTypes> folded{};
    std::vector<std::string> samples;
    std::uint32_t folded_total() const;
  };

  /// An adjacency that is unobserved because the session of the neighbour that showed it turned: if
  /// that neighbour's next tables do not show it, it is gone.
  struct Dropped {
    PeerId peer = 0;
    Timestamp at;
    std::set<Family> tables;  // that are not complete yet
    bool stored = false;
  };

  /// A route, in an order that ids have no part in.
  struct Sighted {
    Nlri nlri;
    std::string_view name;  // of the neighbour
    PeerId peer = 0;
    PrefixId id = 0;
    PathId path = kNoPath;

    auto order() const { return std::tie(nlri, name); }
    bool operator<(const Sighted& other) const { return order() < other.order(); }
    bool operator==(const Sighted& other) const { return order() == other.order(); }
  };
  struct Shown {
    std::uint32_t peers = 0;
    bool sampled = false;  // neighbours are those of a sample of the prefixes
  };

  struct Counters {
    std::uint64_t own = 0, ambiguous = 0, none = 0, beyond_limit = 0;
  };

  // new_upstream.cc: counting and deciding
  /// `likely`: an adjacency that the path may show, what the route before it did; or kNoNumber.
  std::uint32_t adjacency_of(PathId path, PeerId peer, std::uint32_t likely);
  std::uint32_t look_up(PathId path, PeerId peer, std::uint32_t likely);
  std::uint32_t number_of(Asn origin, Asn upstream);
  Touch& touch(std::uint32_t adjacency);
  void note(std::uint32_t adjacency, const RouteChange& change, bool added);
  /// Its prefixes but for what first tables taught: a change of this is news.
  std::int32_t origin_news(std::uint32_t origin) const;
  void note_taken_back(Touch& t, const RouteChange& change);
  void note_dropped(const AdjacencyRecord& r, const RouteChange& change);
  void end_unheard(const PeerChange& change);
  void note_shares();
  void settle_origin_counts();
  bool awaits_order(const Touch& t) const;
  void decide_in_order();
  void decide(Touch& t);
  void appear(Touch& t);
  void vanish(Touch& t);
  bool damp(Touch& t);
  void tell_outcomes();
  void judge_origin(Touch& t) const;
  void touch_origin(std::uint32_t origin);
  bool followed(const AdjacencyRecord& r) const;
  bool loud(const AdjacencyRecord& r) const { return followed(r) || watch_.names(r.origin); }
  bool admit(StormType type, const AdjacencyRecord& r);
  void end_storm_minute();

  // new_upstream_events.cc: what is said
  /// `which`, two parts at most: which event of this type and adjacency it is.
  Event make_event(const AdjacencyRecord& r, std::string_view type, Action action,
                   Severity severity, std::initializer_list<std::uint64_t> which) const;
  Evidence evidence_of(const Seen& seen);
  Details& details(Touch& t);
  void fill_from_touch(Event& e, Touch& t);
  void emit_new(Touch& t);
  void emit_returned(Touch& t);
  void emit_gone(Touch& t);
  void emit_unheard(std::uint32_t adjacency, const Dropped& dropped);
  void emit_gone_after_flap(std::uint32_t adjacency);
  /// `at`: when it went.
  Event make_gone(AdjacencyRecord& r, Timestamp at);
  void emit_flap_begins(Touch& t);
  void emit_flap_state(std::uint32_t adjacency, Action action);
  bool becomes_single_homed(const OriginTouch& o) const;
  bool ends_single_homed(const OriginTouch& o) const;
  void judge_single_homed(const OriginTouch& o);
  void judge_single_homed_after_flap(std::uint32_t adjacency);
  void raise_single_homed(std::uint32_t origin, std::uint32_t went, Touch* t);
  void clear_single_homed(std::uint32_t origin, std::uint32_t came, Touch* t);
  std::vector<KnownUpstream> known_upstreams(std::uint32_t origin, Asn except) const;
  struct LastSeen {
    Timestamp at;
    bool unobserved = false;  // open, and nobody who is heard shows it for any prefix looked at
  };
  LastSeen last_seen(std::uint32_t adjacency, std::size_t prefixes) const;
  /// Of those that show it: sorted, at most `most`.
  void lowest_prefixes(std::uint32_t adjacency, std::size_t most,
                       std::vector<Prefix>& lowest) const;
  void name_removed(const Touch& t, std::vector<Prefix>& prefixes) const;
  void show_routes(std::uint32_t adjacency, bool came, Event& e);
  void find_routes(std::uint32_t adjacency, std::vector<Sighted>& out) const;
  /// The smallest Event::kMaxPrefixes prefixes that show it now, and the names, sorted, of at most
  /// kMaxPeers neighbours.
  Shown show(std::uint32_t adjacency, std::vector<Prefix>& prefixes,
             std::vector<std::string>& names) const;
  bool shows(const RouteView& route, std::uint32_t adjacency) const;
  void name_peers(const std::vector<PeerId>& peers, std::vector<std::string>& names) const;
  std::string_view upstream_role(std::uint32_t adjacency, const Details& d) const;

  // new_upstream_share.cc: windows
  ShareWindow* window_of(std::uint32_t adjacency);
  void prefetch_window(std::uint32_t adjacency);
  ShareWindow& add_window(std::uint32_t adjacency);
  bool changes_share(const Touch& t) const;
  void note_share(Touch& t);
  void add_toggles(const Touch& t, Toggles& to) const;
  void open_window(Touch& t);
  void close_window(std::uint32_t adjacency, bool report);
  void emit_share(std::uint32_t adjacency, const ShareWindow& w);
  std::int64_t old_origin_count(const AdjacencyRecord& r, const ShareWindow& w) const;
  void flush_windows();

  // new_upstream_state.cc: what is kept
  void store(std::uint32_t adjacency);
  void store_window(std::uint32_t adjacency, const ShareWindow& w);
  /// Null: it is over.
  void store_dropped(const AdjacencyRecord& r, Dropped* dropped);
  void store_single_homed(std::uint32_t origin);
  void store_storm();
  void restore_window(Asn origin, Asn upstream, std::string_view value);
  void restore_dropped(Asn origin, Asn upstream, std::string_view value);
  void restore_single_homed(Asn origin, std::string_view value);
  void restore_storm(std::string_view value);
  std::string upstreams_as_json(Asn origin) const;
  std::string statistics_as_json() const;

  static constexpr std::size_t kMaxToggles = 64;
  static constexpr std::size_t kFewToggles = 12;
  static constexpr std::size_t kMaxWindows = 65536;
  static constexpr std::size_t kQuietEvidence = 1;  // of a share that nobody follows
  static constexpr std::size_t kPrefixSample = 64;
  static constexpr std::size_t kMaxPeers = 64;
  static constexpr std::size_t kMaxKnown = 100;
  static constexpr std::size_t kDetailsKept = 64;
  static constexpr std::uint64_t kShareTimer = 1ull << 32;  // and the adjacency
  static constexpr std::uint64_t kFlapTimer = 2ull << 32;
  static constexpr std::uint64_t kStormTimer = 3ull << 32;

  NewUpstreamSettings settings_;
  Host* host_ = nullptr;
  WatchList watch_;
  Knowledge knowledge_;
  Sightings sightings_;

  // The adjacency that each path shows, by PathId.
  static constexpr std::uint32_t kUnset = 0xffffffff;
  static constexpr std::uint32_t kNothing = 0xfffffffe;
  static constexpr std::uint32_t kByPeer = 0xfffffffd;  // depends on who shows it
  ById<std::uint32_t, kUnset> by_path_;
  Counters counters_;  // distinct paths, not routes

  std::vector<Touch> touched_;  // by the present UPDATE
  std::vector<Touch*> ordered_;  // those that are decided in order, ascending, from its end on
  std::vector<Seen> seen_;
  std::deque<Details> details_;  // those of earlier UPDATEs keep their memory
  std::uint32_t details_used_ = 0;
  mutable std::vector<std::uint32_t> known_scratch_;  // of `known_upstreams`
  mutable std::vector<PeerId> peers_scratch_;         // of `show`
  std::string value_scratch_;  // of what is stored
  EvidenceTexts texts_;
  std::vector<OriginTouch> origins_touched_;
  std::vector<ShareWindow> windows_;  // by AdjacencyRecord::window
  std::vector<std::uint32_t> free_windows_;
  std::uint64_t windows_refused_ = 0;
  Storm storm_;
  std::map<std::pair<Asn, Asn>, Dropped> dropped_;    // by origin and upstream; few, for a moment
  std::vector<std::optional<Timestamp>> lost_at_;  // by PeerId: when it was last lost
};

}  // namespace lapwing::detectors
