// Detector `prefix-flap`: a prefix whose route at one neighbour changes again and again.
//
// Counts changes for each (prefix, neighbour) in windows of event time. One event stands from the
// change that is one too many until nothing was too much for a whole window. Thread: engine.
// Owns: the counts; bounded, what is quiet is forgotten at the end of each window.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "detectors/evidence.h"
#include "detectors/watch_list.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

struct PrefixFlapSettings {
  bool all = false;  // or only what is watched
  std::uint32_t threshold = 20;
  std::chrono::seconds window{600};
};

std::unique_ptr<Detector> make_prefix_flap(Settings& settings);

class PrefixFlap final : public Detector {
 public:
  explicit PrefixFlap(const PrefixFlapSettings& settings) : settings_(settings) {}

  std::string_view name() const override { return "prefix-flap"; }
  void attach(Host& host) override;
  RouteInterest route_interest() const override {
    return settings_.all || watch_.anything() ? RouteInterest::kLive : RouteInterest::kNone;
  }
  void restore_state(std::string_view key, std::string_view value) override;
  void start_up() override;
  void on_route_change(const RouteChange& change) override;
  void on_timer(std::uint64_t key) override;
  void path_released(PathId path) override { watch_.path_released(path); }
  void prefix_released(PrefixId prefix) override { watch_.prefix_released(prefix); }

 private:
  struct Count {
    PeerId peer = 0;
    std::uint32_t changes = 0;      // in this window
    std::uint32_t withdrawals = 0;  // of these
  };
  struct Entry {
    std::vector<Count> counts;   // in the order in which neighbours spoke
    bool raised = false;
    Timestamp since;             // raised at
    std::uint64_t total = 0;     // changes since then
    Witnesses last;              // where raised: the neighbours, and the last change
  };

  void raise(const Nlri& nlri, Entry& p, const Count& count, const RouteChange& change);
  void clear(const Nlri& nlri, const Entry& p);
  void note(Entry& p, const RouteChange& change) const;
  Event make_event(const Nlri& nlri, const Entry& p, Action action) const;

  static constexpr std::size_t kMaxPrefixes = 65536;
  static constexpr std::size_t kMaxPeers = 1024;  // counted of one prefix
  static constexpr std::uint64_t kWindowTimer = 1;

  const PrefixFlapSettings settings_;
  Host* host_ = nullptr;
  WatchList watch_;
  std::map<Nlri, Entry> prefixes_;
};

}  // namespace lapwing::detectors
