// A run of Lapwing without its sockets: engine, detectors, store, journal and a sink that writes a
// file, heard by a Session.
//
// Thread: the one that made it; the store and the sinks have theirs.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "rib/engine.h"
#include "rib/store.h"
#include "sinks/sink_set.h"

namespace lapwing::crash {

/// What a run tells those who may kill it.
struct Progress {
  std::atomic<std::uint64_t> batches{0};  // that the engine was given
  std::atomic<std::uint64_t> durable{0};  // commits that the store has called durable
  std::atomic<std::uint64_t> told{0};     // the highest event that a sink was told to be durable
};

/// A number from the environment, to repeat a failure with; null: always `fallback`.
std::uint64_t number_from(const char* variable, std::uint64_t fallback);
/// As many deaths as a test tries, or what it tries otherwise: fewer where sanitizers make it slow.
std::uint64_t deaths(const char* variable, std::uint64_t plain, std::uint64_t sanitized);

class Run {
 public:
  /// Throws where the store or the file of the sink cannot be opened.
  Run(const rib::StoreOptions& options, const std::filesystem::path& sink_file, Progress& progress,
      std::uint64_t squeeze_from = 8u << 20);
  ~Run();
  void hear(const bgp::RecordBatch& batch);
  rib::Store& store() { return *store_; }
  const rib::EngineCounters& counters() const { return engine_->counters(); }
  /// All that was heard is durable, and all events are in the file; false after 30 s.
  bool settle();
  void stop();

 private:
  Progress& progress_;
  std::unique_ptr<rib::Store> store_;
  std::unique_ptr<rib::Engine> engine_;
  std::unique_ptr<sinks::SinkSet> sinks_;
  int subscription_ = 0;
  bool stopped_ = false;
};

}  // namespace lapwing::crash
