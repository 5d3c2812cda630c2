// Detector `peer-state`: a neighbour is lost, is back, or was not heard for a time.
//
// It needs no route. While a neighbour is not heard, nothing is known of what it sees: these events
// are the times for which no other event's absence means anything. Thread: engine.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "lapwing/detector.h"

namespace lapwing::detectors {

std::unique_ptr<Detector> make_peer_state(Settings& settings);

class PeerState final : public Detector {
 public:
  explicit PeerState(std::chrono::seconds blind_after) : blind_after_(blind_after) {}

  std::string_view name() const override { return "peer-state"; }
  void attach(Host& host) override { host_ = &host; }
  RouteInterest route_interest() const override { return RouteInterest::kNone; }
  void restore_state(std::string_view key, std::string_view value) override;
  void on_route_change(const RouteChange&) override {}
  void on_peer_change(const PeerChange& change) override;
  void on_timer(std::uint64_t key) override;

 private:
  struct Down {
    Timestamp since;
    std::string reason;
    bool told_down = false;  // else Lapwing, or this detector, was not running when it was lost
    bool told_blind = false;
    std::uint64_t timer = 0;
  };
  using DownByName = std::map<std::string, Down>;

  void lost(const std::string& peer, const PeerChange& change);
  void back(const std::string& peer, const PeerChange& change);
  void removed(const std::string& peer);
  void stands(const std::string& peer, const PeerChange& change);
  void came_back_unseen(DownByName::iterator it);
  void forget(DownByName::iterator it);
  /// `due`: when it is told as blind.
  void watch_time(const std::string& peer, Down& down, Timestamp due);
  Event make_event(std::string_view type, Action action, const std::string& peer,
                   Timestamp since) const;

  const std::chrono::seconds blind_after_;
  Host* host_ = nullptr;
  DownByName down_;
  std::map<std::uint64_t, std::string> by_timer_;
  std::uint64_t next_timer_ = 1;
};

}  // namespace lapwing::detectors
