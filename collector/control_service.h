// What an operator may change while the collector runs: sessions, and the configuration by reload.
//
// A reload changes what differs and nothing else: sessions, sinks and detectors whose settings are
// the same go on untouched. Detectors begin anew together, from what the store keeps, as after a
// restart. The API's certificate is read again, whether its settings differ or not. What needs a
// restart refuses the whole reload.
// Thread: any but the io and the engine thread; one reload at a time. Owns: the configuration.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "bgp/speaker.h"
#include "collector/config.h"
#include "collector/config_changes.h"
#include "collector/engine_thread.h"
#include "collector/removed_peers.h"
#include "collector/update_tap.h"
#include "lapwing/control.h"
#include "rib/store.h"
#include "sinks/http_server.h"
#include "sinks/sink_set.h"

namespace lapwing::collector {

/// What the engine runs for this configuration: the detectors and, last, the tap of updates.
std::vector<std::unique_ptr<Detector>> make_engine_detectors(const Config& config, UpdateRing& ring,
                                                             std::vector<Diagnostic>& diagnostics);

class ControlService final : public Control {
 public:
  struct Parts {
    bgp::Speaker& speaker;
    EngineThread& engine_thread;
    rib::Store& store;
    sinks::SinkSet& sinks;
    RemovedPeers& removed;
    UpdateRing& updates;
    /// Reads the API's certificate again; may be called on any thread.
    std::function<sinks::HttpRenewal()> certificate;
  };
  ControlService(Parts parts, Config config, std::string path)
      : parts_(parts), config_(std::move(config)), path_(std::move(path)) {}

  // lapwing::Control
  ControlResult peer(std::string_view name, PeerAction action, std::string_view text) override;
  ControlResult reload() override;

 private:
  ControlResult reload_locked();
  std::string replace_detectors(const Config& config);

  const Parts parts_;
  std::mutex mutex_;
  Config config_;  // guarded by mutex_
  const std::string path_;
};

}  // namespace lapwing::collector
