// Detector `prefix-watch`: a prefix that was not there before, within or beside what is watched.
//
//   more-specific   within a shorter watched prefix; an error where another AS than that prefix's
//                   originates it
//   new-prefix      of a watched origin; or a watched prefix itself that nobody had, an error where
//                   its origin is not watched
// What a first table shows is known from then on, for good. Each event stands until the last route of
// its prefixes is gone. Thread: engine. Owns: what is known.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "detectors/matters.h"
#include "detectors/path_origins.h"
#include "detectors/watch_list.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

std::unique_ptr<Detector> make_prefix_watch(Settings& settings);

class PrefixWatch final : public Detector {
 public:
  std::string_view name() const override { return "prefix-watch"; }
  void attach(Host& host) override;
  RouteInterest route_interest() const override {
    return watch_.any_prefix() || watch_.any_origin() ? RouteInterest::kAll : RouteInterest::kNone;
  }
  void restore_state(std::string_view key, std::string_view value) override;
  void restore_route(const RouteView& route) override;
  void start_up() override;
  void on_route_change(const RouteChange& change) override;
  void on_update_end() override;
  void on_peer_change(const PeerChange& change) override;
  void path_released(PathId path) override;
  void prefix_released(PrefixId prefix) override { watch_.prefix_released(prefix); }

 private:
  /// A prefix with the AS that originates it, PathOrigins::kNone where that cannot be told.
  struct Pair {
    Nlri nlri;
    Asn origin = 0;
    friend auto operator<=>(const Pair&, const Pair&) = default;
  };
  /// What one event is about: prefixes of one origin within one watched prefix, or within none.
  struct Matter {
    std::optional<Prefix> within;
    Asn origin = 0;
    friend auto operator<=>(const Matter&, const Matter&) = default;
  };
  struct Known {
    std::uint32_t routes = 0;
    bool seen = false;    // ever, so that its state is stored
    bool raised = false;  // its first sight was an event
    bool standing = false;  // …that has not ended yet
    Matter in;              // of which, as it was watched then
    bool joined = false;    // it came to a prefix that another AS had: `origin-change` told it
    PeerId lost_with = 0;   // where no route is left and nobody said so: whose routes were dropped
    std::uint32_t times = 0;
  };
  struct Touch {
    bool live = false;
    bool said = false;  // by the neighbour itself, in a first table or after it
    std::uint32_t routes_before = 0;
    Cause cause = Cause::kLive;
    std::optional<Timestamp> last_known;
    std::string peer;
    std::optional<Evidence> evidence;
  };

  std::optional<Pair> pair_of(PathId path, const RouteChange& change, const Nlri& nlri);
  Matter matter_of(const Pair& pair) const;
  bool is_news(const Pair& pair) const;
  bool expected(const Matter& matter, const Nlri& nlri) const;
  std::string rule_of(const Matter& matter, bool own, std::size_t again, std::size_t all) const;
  void note(const Pair& pair, const RouteChange& change, bool added);
  enum class News { kAppeared, kLeft, kLeftUnseen, kUnwatched };
  static std::string_view type_of(const Matter& m);
  static std::vector<std::uint64_t> parts_of(const Matter& m);
  static EventId incident_of(const Matter& m);
  void report(const Matter& matter, const std::vector<Pair>& pairs, News news);
  void end_unheard(const PeerChange* table);
  bool is_watched(const Pair& pair) const;
  void store(const Pair& pair, const Known& known);

  static constexpr std::size_t kMaxKnown = 200000;

  Host* host_ = nullptr;
  WatchList watch_;
  PathOrigins origins_;
  std::map<Pair, Known> known_;
  std::map<Pair, Touch> touched_;
  Matters<Matter> standing_{kMaxKnown};
};

}  // namespace lapwing::detectors
