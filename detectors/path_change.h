// Detector `path-change`: the AS path of something the operator watches is another one.
//
// Compares before and after for each neighbour and prefix that [watch] names, classifies the
// difference (`compare_paths`), and folds what has one cause into one event. Where nothing is
// watched it does nothing. Meaning, settings and limits: docs/DETECTORS.md.
//
// `explained_by`: detectors do not see each other. Where something is watched, this one remembers
// each adjacency that any path shows, by the rule of new-upstream: the UPDATE that shows it first
// raises it, or teaches it if it is all baseline. Both derive the id of its incident from the two
// ASNs. A change to one that was raised, or away from it, names it.
// Thread: engine. Owns: the adjacencies, pending folds and the children of the last events.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "detectors/adjacency.h"
#include "detectors/by_id.h"
#include "detectors/key_index.h"
#include "detectors/path_compare.h"
#include "detectors/path_id_groups.h"
#include "detectors/watch_list.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

struct PathChangeSettings {
  std::chrono::seconds window{2};  // from the first change of a fold
  std::size_t children = 50000;    // kept of each event
  std::size_t events_kept = 64;    // whose children can be asked for, within kMaxKept
};

std::unique_ptr<Detector> make_path_change(Settings& settings);

class PathChange final : public Detector {
 public:
  explicit PathChange(const PathChangeSettings& settings) : settings_(settings) {}

  std::string_view name() const override { return "path-change"; }
  void attach(Host& host) override;
  RouteInterest route_interest() const override {
    return watch_.anything() ? RouteInterest::kAll : RouteInterest::kNone;
  }
  void restore_state(std::string_view key, std::string_view value) override;
  void restore_route(const RouteView& route) override;
  void start_up() override;
  void on_route_change(const RouteChange& change) override;
  void on_update_end() override;
  void on_timer(std::uint64_t key) override;
  void path_released(PathId path) override;
  void prefix_released(PrefixId prefix) override;
  void finish() override;
  std::optional<std::string> query(std::string_view what, std::string_view argument) override;

 private:
  struct FoldKey {
    PathClass kind = PathClass::kTransit;
    Asn left = 0;
    Asn came = 0;
    std::optional<EventId> explained_by;
    friend auto operator<=>(const FoldKey&, const FoldKey&) = default;
  };

  /// Changes of one cause that wait to be reported as one.
  struct Fold {
    std::uint64_t timer = 0;  // also the order in which folds began
    Timestamp first, last;
    std::uint64_t count = 0;
    bool restored = false;  // `count` is a lower bound, from before a restart
    Cause cause = Cause::kLive;
    std::optional<Timestamp> last_known;
    std::optional<Asn> origin, upstream;  // where all agree
    std::optional<Asn> at;               // the AS that both paths share, where all agree
    bool mixed_origin = false, mixed_upstream = false, mixed_at = false;
    PathDifference sample;
    std::set<Prefix> prefixes;  // at most kMaxPrefixSet, to count distinct ones
    bool more_prefixes = false;
    std::vector<std::string> peers;
    std::vector<Evidence> children;  // the first of them are the evidence
  };

  using AdjacencyPair = std::pair<Asn, Asn>;  // origin, upstream

  bool has_other_path(const RouteChange& change) const;
  Adjacency adjacency_of(PathId path, PeerId peer) const;
  bool learn(PathId path, PeerId peer, bool live);
  void judge(const RouteChange& change);
  void know(const AdjacencyPair& pair, bool raised);
  void know_first_shown();
  std::optional<EventId> explanation(const Adjacency& before, const Adjacency& after) const;

  // path_change_folds.cc
  void fold(const RouteChange& change, const PathDifference& d, const Adjacency& before,
            const Adjacency& after);
  void add_child(Fold& f, const RouteChange& change);
  EventId id_of(const FoldKey& key, const Fold& f) const;
  void report(const FoldKey& key, Fold&& f);
  void keep_children(const EventId& id, const Fold& f);
  static std::string fold_state_key(const FoldKey& key);
  void store_fold(const FoldKey& key, const Fold& f);
  void restore_fold(std::string_view value);

  static constexpr std::size_t kMaxFolds = 1024;
  static constexpr std::size_t kMaxPrefixSet = 65536;
  static constexpr std::size_t kMaxPeers = 64;
  static constexpr std::size_t kMaxKnown = (1u << 22) - 1;  // as many as new-upstream
  static constexpr std::size_t kMaxChildren = 100000;  // in all pending folds
  static constexpr std::size_t kMaxKept = 64u << 20;   // octets of children that can be asked for
  static constexpr Asn kMany = 0xffffffff;  // in the key of a fold that takes what is too much

  PathChangeSettings settings_;
  Host* host_ = nullptr;
  WatchList watch_;
  PathIdGroups groups_;
  KeyIndex known_;            // adjacencies, by origin and upstream
  std::vector<bool> raised_;  // by number
  std::map<AdjacencyPair, bool> first_shown_;  // by this UPDATE; true: outside a baseline
  std::vector<RouteChange> waiting_;  // for the end of the UPDATE: it shows an adjacency first
  ById<bool, false> learnt_;          // by PathId: what it shows is known
  std::map<FoldKey, Fold> folds_;
  std::map<std::uint64_t, FoldKey> by_timer_;
  std::uint64_t next_timer_ = 1;
  std::size_t children_ = 0;
  std::size_t kept_octets_ = 0;
  struct Kept {
    EventId id;
    Timestamp time;
    std::string json;
  };
  std::deque<Kept> kept_;  // oldest first
};

}  // namespace lapwing::detectors
