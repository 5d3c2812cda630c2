// Every queue of the program, declared in one place.
//
//   RecordQueue       io thread(s) -> engine thread   bounded by octets; full: a socket is not read
//   Recorder          io thread(s) -> record thread   bounded by octets; full: counted, said, a gap
//   EngineThread::post  any thread -> engine thread   reads of detectors; bounded by its callers
//   rib::Store::submit  engine thread -> store thread bounded by octets; full: the engine waits
//   Journal           store thread -> sink thread     on disk; a sink reads on from its cursor
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "bgp/record.h"

namespace lapwing::collector {

/// Told, where set, before the engine's thread waits for work and after it.
struct WaitWatch {
  std::function<void()> begin = {};
  std::function<void()> end = {};
};

/// Batches of records on their way to the engine, and the requests that the engine serves between
/// batches.
/// Thread: any; a mutex guards all members.
class RecordQueue final : public bgp::RecordSink {
 public:
  /// Full: more than half of `max_octets` waits, and a batch would make it more than all. So a
  /// large batch finds room at the moment that `when_room` tells.
  explicit RecordQueue(std::size_t max_octets, WaitWatch watch = {})
      : max_octets_(max_octets), watch_(std::move(watch)) {}

  // bgp::RecordSink. A taken batch leaves an empty one that was used before, with its memory.
  bool try_push(bgp::RecordBatch& batch) override;
  void when_room(std::function<void()> fn) override;

  void post(std::function<void()> request);
  /// No batch is taken any more; `pop` empties the queue and then ends.
  void close();

  struct Work {
    bgp::RecordBatch batch;
    std::vector<std::function<void()>> requests;
  };
  /// Waits for work. False when the queue is closed and empty.
  bool pop(Work& out);
  /// Gives the memory of a batch back for later use.
  void recycle(bgp::RecordBatch&& batch);

  std::size_t octets() const;
  std::size_t max_octets() const { return max_octets_; }
  std::uint64_t refusals() const;

 private:
  void wait_for_work(std::unique_lock<std::mutex>& lock);

  static constexpr std::size_t kMaxSpare = 8;
  static constexpr std::size_t kMaxSpareOctets = 2u << 20;  // a larger batch is not kept

  const std::size_t max_octets_;
  const WaitWatch watch_;  // [Threading] called by `pop`, without the mutex
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::deque<bgp::RecordBatch> batches_;
  std::vector<std::function<void()>> requests_;
  std::vector<std::function<void()>> waiters_;
  std::vector<bgp::RecordBatch> spare_;
  std::size_t octets_ = 0;
  std::uint64_t refusals_ = 0;
  bool closed_ = false;
};

}  // namespace lapwing::collector
