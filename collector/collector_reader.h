// What the API reads, put together from the speaker, the engine's counters and the store.
//
// Thread: any. Owns: nothing; all it reads outlives it.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bgp/speaker.h"
#include "collector/engine_thread.h"
#include "collector/queues.h"
#include "lapwing/reader.h"
#include "rib/engine.h"
#include "rib/store.h"

namespace lapwing::collector {

class CollectorReader final : public Reader {
 public:
  CollectorReader(const rib::Engine& engine, const EngineThread& engine_thread,
                  const RecordQueue& queue, rib::Store& store, std::string version);

  /// From here on the neighbours' sessions are known.
  void set_speaker(const bgp::Speaker* speaker) { speaker_ = speaker; }
  void set_ready(bool ready) { ready_ = ready; }
  /// An event became durable so long after the UPDATE that it tells of.
  void observe_event(double seconds) { event_seconds_.observe(seconds); }

  // lapwing::Reader
  Status status() const override;
  std::vector<PeerStatus> peers() const override;
  std::optional<RoutePage> routes(
      const RouteQuery& query, const std::function<void(const StoredRoute&)>& fn) const override;
  bool history(const HistoryQuery& query,
               const std::function<void(const RouteHistory&)>& fn) const override;
  std::vector<Blind> blind(const std::optional<std::string>& peer) const override;
  std::vector<DetectorStatus> detectors() const override;
  Measures measures() const override;
  std::optional<std::string> detector_query(std::string_view what,
                                            std::string_view argument) const override;

 private:
  static constexpr std::chrono::milliseconds kEngineWait{2000};

  struct Row {
    PeerId peer = 0;
    bgp::NlriKey key;
    StoredRoute route;
  };
  void give(std::vector<Row>& rows, const std::function<void(const StoredRoute&)>& fn) const;
  std::map<PeerId, StoredRoute> templates(const std::optional<std::string>& peer) const;

  const rib::Engine& engine_;
  const EngineThread& engine_thread_;
  const RecordQueue& queue_;
  rib::Store& store_;
  const std::string version_;
  const std::chrono::steady_clock::time_point start_;
  std::atomic<const bgp::Speaker*> speaker_{nullptr};
  std::atomic<bool> ready_{false};
  Histogram<kLatencyBounds.size()> event_seconds_{kLatencyBounds};
};

}  // namespace lapwing::collector
