// The engine's thread: takes batches from the queue, and serves requests between them.
//
// Thread: main for `start` and `stop`; `post` any. Owns: the thread. The engine and the queue
// outlive it.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "collector/queues.h"
#include "rib/engine.h"

namespace lapwing::collector {

class EngineThread {
 public:
  EngineThread(rib::Engine& engine, RecordQueue& queue) : engine_(engine), queue_(queue) {}
  ~EngineThread() { stop(); }

  /// `at_end` runs on the thread, after all that was in the queue when it was closed.
  void start(std::function<void()> at_end = {});
  /// Lets the engine finish what is in the queue.
  void stop();

  /// Runs `fn` on the engine thread, between two batches. False when it did not run within
  /// `timeout`; it then never runs.
  bool run(const std::function<void(rib::Engine&)>& fn, std::chrono::milliseconds timeout) const;

 private:
  rib::Engine& engine_;
  RecordQueue& queue_;
  std::thread thread_;
};

}  // namespace lapwing::collector
