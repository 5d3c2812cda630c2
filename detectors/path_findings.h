// The base of detectors that judge a path by itself: whatever shows a finding is counted, and a
// finding that no first table has shown is an incident for as long as any route shows it.
//
// A derived class says what a path shows (`judge`) and how that is told (`describe`). The judgement is
// remembered by path id: the hot path costs two look-ups. Meaning of raise, update and clear:
// docs/DETECTORS.md, "Findings in a path".
// Thread: engine. Owns: the findings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detectors/by_id.h"
#include "detectors/event_text.h"
#include "detectors/evidence.h"
#include "detectors/watch_list.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

/// What a path shows. Equal findings are one matter, whatever routes show it.
struct Finding {
  std::uint8_t kind = 0;  // of the derived class, from 1
  Asn as = 0;             // the AS that did it
  Asn left = 0;           // the AS that it gave the route to; 0: none
  Asn right = 0;          // the AS that it had the route from; 0: none
  friend auto operator<=>(const Finding&, const Finding&) = default;
};

struct PathFindingSettings {
  bool all = true;                  // or only what is watched
  std::chrono::seconds window{60};  // further prefixes of a finding are told together
  std::chrono::seconds linger{60};  // it must be gone that long to be told gone
};

class PathFindings : public Detector {
 public:
  void attach(Host& host) override;
  RouteInterest route_interest() const override {
    return settings_.all || watch_.anything() ? RouteInterest::kAll : RouteInterest::kNone;
  }
  void restore_state(std::string_view key, std::string_view value) override;
  void restore_route(const RouteView& route) override;
  void start_up() override;
  void on_route_change(const RouteChange& change) override;
  void on_update_end() override;
  void on_peer_change(const PeerChange& change) override;
  void on_timer(std::uint64_t key) override;
  bool prefetches() const override { return true; }
  void prefetch(PrefixId, PathId before, int step) const noexcept override {
    if (step == 0) by_path_.prefetch(before);
  }
  void path_released(PathId path) override;
  void prefix_released(PrefixId prefix) override { watch_.prefix_released(prefix); }
  void finish() override;

 protected:
  explicit PathFindings(const PathFindingSettings& settings) : settings_(settings) {}
  const Host& host() const { return *host_; }

  /// The strongest finding of a path; nullopt for nearly all of them.
  virtual std::optional<Finding> judge(PathView path) const = 0;
  struct Text {
    std::string_view rule;
    std::string what;             // "AS15169 passes routes of AS4713 on to AS701"
    std::vector<Field> fields;
  };
  virtual Text describe(const Finding& finding) const = 0;

 private:
  struct Shown {
    std::vector<Prefix> prefixes;  // sorted, at most kMaxPrefixes
    bool more_prefixes = false;
    Witnesses by;
    // One for each route that came, sorted, at most kMaxPrefixes; none of what went.
    std::vector<std::pair<Prefix, PeerId>> routes;
  };
  struct State {
    std::uint64_t routes = 0;      // that show it
    Timestamp first_seen;
    Timestamp raised_at;           // of the present incident, where `raised`
    std::uint32_t times = 0;       // raised so often
    bool taught = false;           // a first table showed it: it is no news
    bool raised = false;           // an incident stands
    std::optional<Timestamp> window_due, gone_due;
    Timestamp gone_at;
    PeerId lost_with = 0;          // where no route is left and nobody said so: whose were dropped
    std::uint64_t gathered = 0;    // routes that came within the window
    std::size_t stored = 0;        // of `came.routes`, when it was stored last
    std::vector<std::pair<Prefix, std::string>> waited;  // while restoring: `came.routes` by name
    Shown came;                    // in the present UPDATE, or in the window; what left again is not
    Shown went;                    // in the last UPDATE that took such a route away
  };
  using Findings = std::map<Finding, State>;
  using Entry = Findings::value_type;

  enum class Judged : std::uint8_t { kNotYet, kNothing, kFound };
  static constexpr std::size_t kMaxFindings = 65536;
  static constexpr std::size_t kMaxPrefixes = 4096;
  static constexpr std::size_t kStoredAtOnce = 16;  // that wait; more only where they double

  Entry* finding_of(PathId path, PrefixId prefix) {
    if (path == kNoPath || by_path_[path] == Judged::kNothing) return nullptr;
    return finding_or_new(path, prefix);
  }
  Entry* finding_or_new(PathId path, PrefixId prefix);
  Judged look_up(PathId path);
  void gather(Shown& shown, const RouteChange& change) const;
  void arrived(State& s, const RouteChange& change) const;
  void left_again(State& s, const RouteChange& change) const;
  void decide(Entry& entry);
  EventId incident_of(const Finding& finding) const;
  void emit(Entry& entry, Action action);
  void store(Entry& entry);
  void put_waiting(std::string& value, const State& state) const;
  static void read_waiting(StateReader& in, State& state);
  void set_timer(Entry& entry);
  void after_window(Entry& entry);
  void after_gone(Entry& entry);
  void end_unheard(const PeerChange* table);

  const PathFindingSettings settings_;
  Host* host_ = nullptr;
  WatchList watch_;
  Findings findings_;
  std::vector<Entry*> numbers_;       // findings in the order of their first sight; never moved
  std::map<Finding, std::uint32_t> number_of_;
  ById<Judged, Judged::kNotYet> by_path_;
  std::unordered_map<PathId, std::uint32_t> found_;  // its number, where kFound
  std::set<Finding> touched_;         // by the present UPDATE, outside a first table
};

}  // namespace lapwing::detectors
