// Detector `visibility`: nobody that is heard has a route any more for something that is watched.
//
// Counts the routes of each prefix of a watched origin, by that origin alone, and of each watched
// prefix and each more-specific of it that no watched origin has. What is lost of one origin is one
// outage: raised at the end of the UPDATE that took the last route away, cleared when all of it is
// back, with its duration. A neighbour that is lost takes nothing away. Meaning, settings and
// limits: docs/DETECTORS.md. Thread: engine. Owns: the counts.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "detectors/evidence.h"
#include "detectors/matters.h"
#include "detectors/path_origins.h"
#include "detectors/watch_list.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

struct VisibilitySettings {
  unsigned lost_percent = 0;  // lost when at most this part of the routes it had is left
  std::size_t flap_threshold = 4;
  std::chrono::seconds flap_window{3600};
};

std::unique_ptr<Detector> make_visibility(Settings& settings);

class Visibility final : public Detector {
 public:
  explicit Visibility(const VisibilitySettings& settings) : settings_(settings) {}

  std::string_view name() const override { return "visibility"; }
  void attach(Host& host) override;
  RouteInterest route_interest() const override {
    return watch_.any_prefix() || watch_.any_origin() ? RouteInterest::kAll : RouteInterest::kNone;
  }
  void restore_state(std::string_view key, std::string_view value) override;
  void restore_route(const RouteView& route) override;
  void start_up() override;
  void on_route_change(const RouteChange& change) override;
  void on_update_end() override;
  void on_timer(std::uint64_t key) override;
  void path_released(PathId path) override;
  void prefix_released(PrefixId prefix) override { watch_.prefix_released(prefix); }

 private:
  struct Count {
    std::uint32_t routes = 0;
    std::uint32_t peak = 0;  // most routes since it was last lost
    bool lost = false;
  };
  struct OfOrigin : Count {
    Asn as = 0;
    bool visible = false;  // counted in Origin::visible
  };
  struct Subject {
    Count all;
    Asn lost_origin = 0;            // of the route that went last, where `all` is lost
    std::vector<OfOrigin> origins;  // that have routes; of watched ones also what is lost
    bool judged = false;            // its first UPDATE is over
    bool unexpected = false;        // not followed: a more-specific that came from such an origin

    OfOrigin* find(Asn origin);
    OfOrigin& of(Asn origin);
    bool has(Asn origin) const;
    bool lost() const;  // as a whole, or to one of its origins
  };
  /// What the present UPDATE did to one prefix.
  struct Touch {
    bool live = false;
    bool said = false;      // by the neighbour itself, in a first table or after it
    bool newcomer = false;  // an origin that it did not have
    Asn went = 0;           // origin of the route that went last
    Witnesses by;
  };
  struct Shown {
    std::vector<Prefix> prefixes;
    std::uint32_t prefix_count = 0;
    Witnesses by;
  };
  struct Origin {
    std::uint32_t visible = 0;          // prefixes with a route of it that are not lost
    std::deque<Timestamp> outages;      // begins, the last ones
    bool dark = false;                  // nothing of it is visible any more
    bool damped = false;
    std::uint64_t folded = 0;           // outages since it was damped
    Timestamp damped_since, calm_at;    // begin and end of damping, where `damped`
    Shown last;                         // what was folded last
    std::vector<Evidence> lost_by;      // of what is lost now and went while damped
  };
  using Batch = std::map<Asn, std::vector<Nlri>>;  // by origin, in order of prefix

  bool counts(PathId path, PeerId peer, PrefixId prefix);
  Subject* add(const Nlri& nlri, Asn origin);
  void remove(Subject& subject, Asn origin, bool baseline);
  void recount(Subject& subject);
  bool is_lost(const Count& count) const;
  bool watched(const Subject& subject, const Nlri& nlri) const;
  bool expected(const Subject& subject, const Nlri& nlri) const;
  void judge_origin(Subject& subject, const Nlri& nlri, const Touch& touch);
  void judge(Subject& subject, const Nlri& nlri, const Touch& touch, Batch& lost, Batch& back);
  void lose(Asn origin, const std::vector<Nlri>& prefixes);
  void tell_lost(Asn origin, const std::vector<Nlri>& prefixes, const Shown& shown, Action action);
  void regain(Asn origin, const std::vector<Nlri>& prefixes);
  void unwatch(Asn origin, const std::vector<Nlri>& prefixes);
  /// They leave the outage. Since when the first of them was lost.
  Timestamp leave(Asn origin, const std::vector<Nlri>& prefixes);
  void note_dark(Asn as);
  void forget_old_outages(Origin& origin) const;
  bool damp(Asn as, const std::vector<Nlri>& prefixes);
  std::vector<Asn> other_origins(Asn lost, const std::vector<Nlri>& prefixes) const;
  bool covered(const Nlri& nlri, Asn origin) const;
  Shown shown(const std::vector<Nlri>& prefixes) const;
  void fill(Event& e, const Shown& shown) const;
  void store(Asn origin, const Nlri& nlri);
  void set_unexpected(Subject& subject, const Nlri& nlri, bool unexpected);
  void store_damping(Asn as);
  bool restore_whole(Subject& subject, const Nlri& nlri, OfOrigin& of);
  void restore_damping(Asn as, std::string_view value);
  Event make_event(std::string_view type, Action action, Asn origin, Timestamp since,
                   const Nlri& of) const;
  void emit_flap(Asn as, Action action);
  /// What is lost now; where an origin is damped.
  Shown all_lost(Asn as) const;

  static constexpr std::size_t kMaxSubjects = 100000;

  const VisibilitySettings settings_;
  Host* host_ = nullptr;
  WatchList watch_;
  PathOrigins origins_;
  std::map<Nlri, Subject> subjects_;
  std::map<Asn, Origin> by_origin_;
  std::map<Nlri, Touch> touched_;
  Matters<Asn> outages_{kMaxSubjects};
};

}  // namespace lapwing::detectors
