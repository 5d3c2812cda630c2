// Detector `origin-change`: a prefix is originated by an AS that no neighbour showed for it before.
//
// Where the old origin is still seen, too, it is a conflict of origins (MOAS, RFC 1930 7). Judged from
// the routes that there are, so a first table costs nothing; what is remembered is which origins a
// prefix lost, and which events stand. Meaning, settings and limits: docs/DETECTORS.md.
// Thread: engine. Owns: what it remembers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detectors/evidence.h"
#include "detectors/id_table.h"
#include "detectors/matters.h"
#include "detectors/past_origins.h"
#include "detectors/path_id_groups.h"
#include "detectors/path_origins.h"
#include "detectors/watch_list.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

struct OriginChangeSettings {
  bool all = true;                  // or only what is watched
  std::chrono::seconds window{60};  // further prefixes of a matter are told together
  std::chrono::seconds quiet{900};  // after the third time: what is back sooner is not told
};

std::unique_ptr<Detector> make_origin_change(Settings& settings);

class OriginChange final : public Detector {
 public:
  explicit OriginChange(const OriginChangeSettings& settings) : settings_(settings) {}

  std::string_view name() const override { return "origin-change"; }
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
    if (step == 0) origins_.prefetch(before);
  }
  void path_released(PathId path) override;
  void prefix_released(PrefixId prefix) override;
  void finish() override;

 private:
  /// Prefixes of `from` that `to` originates now: one matter, however many they are.
  struct Key {
    Asn from = 0;
    Asn to = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Arrival {
    std::uint32_t times = 1;
    bool watched = false;  // by one of the routes that showed it
  };
  /// What waits to be told of a matter.
  struct News {
    std::uint64_t timer = 0;       // 0: told at the end of this UPDATE, or not set yet
    Timestamp due;                 // of the timer, where the matter did not begin with it
    std::vector<Prefix> prefixes;  // sorted, at most kMaxPrefixes
    bool more_prefixes = false;
    std::map<Nlri, Arrival> arrivals;  // of them
    Witnesses by;
    bool more_watched = false;  // of those that are not among `arrivals`
    bool first = false;  // the matter began with it
  };
  /// How many prefixes of the news have another origin still, and which ones.
  struct Others {
    std::size_t prefixes = 0;
    std::set<Asn> origins;
    bool alike = true;  // each of those prefixes has all of them
  };
  struct Gone {
    News news;
    std::vector<Nlri> nlri;
    bool unseen = false;  // while the detector was off
  };
  struct Standing {
    Key key;
    std::uint32_t times = 1;
    bool shown = true;  // by a route; while restoring: by one that was restored
    PeerId lost_with = 0;  // where not shown any more: whose routes were dropped
  };
  /// Back too soon to be told, unless it stays.
  struct Flapping {
    std::uint32_t times = 0;
    Asn from = 0;     // if no other has the prefix when it is told
    Timestamp until;  // it is told then
    News news;
    std::uint64_t timer = 0;
    bool shown = true;  // while restoring: by a route that was restored
  };
  /// A prefix and one of its origins.
  using Claim = std::pair<Nlri, Asn>;
  struct ClaimHash {
    std::uint64_t seed = 0;
    std::size_t operator()(const Claim& claim) const {
      return hash_nlri(seed ^ claim.second, claim.first);
    }
  };

  // Looked up only: no order of hashing reaches a result.
  template <typename Value>
  using ByClaim = std::unordered_map<Claim, Value, ClaimHash>;

  void arrived(const Nlri& nlri, Asn from, Asn to, const RouteChange& change, std::uint32_t times);
  void departed(const Claim& claim, const RouteChange& change);
  std::optional<Asn> last_origin(const Nlri& nlri);
  Nlri prefix_of(const RouteChange& change) const;
  bool enter(const Key& key, const Nlri& nlri, std::uint32_t times);
  void note_arrival(News& news, const Nlri& nlri, const RouteChange& change, std::uint32_t times);
  void begin_flapping(const Claim& claim, Flapping&& flapping);
  void await_end(const Claim& claim, Flapping& flapping);
  void end_flapping(ByClaim<Flapping>::iterator at);
  void tell_flapping(const Claim& claim);
  void add_witness(const Claim& claim, const RouteChange& change);
  bool minds(const Claim& claim) const;
  void hear(const Claim& claim);
  void end_unheard(const PeerChange* table);
  bool may_store_past();
  bool witness_arrival(News& news, const Nlri& nlri, const RouteChange& change);
  void gather(News& news, const Nlri& nlri, const RouteChange& change);
  void raise(const Key& key, News& news, Action action);
  void clear(const Key& key, Gone& gone);
  void leave_news(const Key& key, std::size_t standing, Gone& gone,
                  std::map<Nlri, Timestamp>& entered);
  Others others_of(Asn to, const News& news);
  std::string summary_of(const Key& key, const Event& e, const News& news,
                         const Others& others) const;
  Event make_event(const Key& key, Action action, Timestamp since, const Prefix& of) const;
  static EventId incident_of(const Key& key);
  void fill(Event& e, const News& news) const;
  void await_news(const Key& key, News& news);

  // origin_change_state.cc
  void store(const Key& key, const Nlri& nlri);
  void store_flapping(const Claim& claim, const Flapping& flapping);
  void erase_flapping(const Claim& claim);
  void store_past();
  bool restore_flapping(std::string_view name, std::string_view value);
  void restore_arrival(News& news, const Nlri& nlri, const RouteChange& shown, std::uint32_t times);

  static constexpr std::size_t kMaxStanding = 100000;
  static constexpr std::size_t kMaxPast = 65536;
  static constexpr std::size_t kMaxPrefixes = 4096;
  static constexpr std::uint32_t kFlapTimes = 3;
  static constexpr std::uint64_t kStoreTimer = 0;

  const OriginChangeSettings settings_;
  Host* host_ = nullptr;
  WatchList watch_;
  PathOrigins origins_;
  PathIdGroups groups_;
  Matters<Key> standing_{kMaxStanding};
  ByClaim<Standing> matter_of_{0, ClaimHash{seed_of(this)}};      // by prefix and new origin
  std::size_t unheard_ = 0;  // matters that are not shown, after the start
  ByClaim<Flapping> flapping_{0, ClaimHash{seed_of(this)}};
  PastOrigins past_{kMaxPast};
  bool store_past_now_ = false;    // at the end of this UPDATE
  bool store_past_later_ = false;  // by its timer
  Timestamp past_second_;
  std::uint32_t past_stores_ = 0;                  // at ends of UPDATEs in that second
  std::map<Key, News> news_;                       // of this UPDATE, or of a window
  std::map<Key, Gone> gone_;                       // of this UPDATE
  /// By a path identifier, in this UPDATE: another one may show the same. With its last change.
  std::map<Claim, RouteChange> leaving_;
  std::map<std::uint64_t, Key> by_timer_;
  std::map<std::uint64_t, Claim> claim_by_timer_;  // of those that flap
  std::uint64_t next_timer_ = 1;
  std::vector<Asn> others_;  // scratch of `on_route_change`
};

}  // namespace lapwing::detectors
