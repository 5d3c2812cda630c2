// Which neighbours are kept although they left the configuration, and until when.
//
// Thread: any. Owns: the names; a mutex guards them.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "collector/config.h"
#include "rib/engine.h"

namespace lapwing::collector {

class RemovedPeers {
 public:
  /// Before the engine and the speaker learn of the neighbours.
  void configure(const Config& config);
  /// Drops from the engine, on its thread, those that are not configured, are down, and ended
  /// longer ago than the configuration keeps them. Returns their names.
  std::vector<std::string> drop(rib::Engine& engine) const;
  bool is_configured(std::string_view name) const;

 private:
  bool stands(std::string_view name) const;  // `mutex_` is held

  mutable std::mutex mutex_;
  std::vector<std::string> names_;   // guarded by mutex_
  std::vector<std::string> ranges_;  // guarded by mutex_: of dynamic neighbours, NAME-ADDRESS
  std::chrono::seconds keep_{0};     // guarded by mutex_
};

}  // namespace lapwing::collector
