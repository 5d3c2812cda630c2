// What the API reads, put together from the speaker, the engine's counters and the store.
//
// Thread: any. Owns: nothing; all it reads outlives it.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "bgp/speaker.h"
#include "collector/engine_thread.h"
#include "lapwing/reader.h"
#include "rib/engine.h"
#include "rib/store.h"

namespace lapwing::collector {

class CollectorReader final : public Reader {
 public:
  CollectorReader(const rib::Engine& engine, const EngineThread& engine_thread, rib::Store& store,
                  std::string version);

  /// From here on the neighbours' sessions are known.
  void set_speaker(const bgp::Speaker* speaker) { speaker_ = speaker; }
  void set_ready(bool ready) { ready_ = ready; }

  // lapwing::Reader
  Status status() const override;
  std::vector<PeerStatus> peers() const override;
  bool routes(const RouteQuery& query,
              const std::function<void(const StoredRoute&)>& fn) const override;
  std::optional<std::string> detector_query(std::string_view what,
                                            std::string_view argument) const override;

 private:
  struct Row {
    PeerId peer = 0;
    bgp::NlriKey key;
    StoredRoute route;
  };
  bool give(std::vector<Row>& rows, const std::function<void(const StoredRoute&)>& fn) const;

  const rib::Engine& engine_;
  const EngineThread& engine_thread_;
  rib::Store& store_;
  const std::string version_;
  const std::chrono::steady_clock::time_point start_;
  std::atomic<const bgp::Speaker*> speaker_{nullptr};
  std::atomic<bool> ready_{false};
};

}  // namespace lapwing::collector
