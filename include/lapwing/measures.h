// Figures of the running program, for metrics: copies, taken when they are asked for.
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lapwing/prefix.h"

namespace lapwing {

/// A histogram's state: counts of observations up to each bound, and beyond the last one.
struct HistogramValue {
  std::vector<double> bounds;          // seconds, or whatever the metric's unit is; ascending
  std::vector<std::uint64_t> counts;   // bounds.size() + 1, not cumulative
  double sum = 0;
};

/// Counts observations by size. Thread: any; no lock.
template <std::size_t N>
class Histogram {
 public:
  explicit Histogram(const std::array<double, N>& bounds) : bounds_(bounds) {}

  void observe(double value) {
    std::size_t i = 0;
    while (i < N && value > bounds_[i]) ++i;
    counts_[i].fetch_add(1, std::memory_order_relaxed);
    double sum = sum_.load(std::memory_order_relaxed);
    while (!sum_.compare_exchange_weak(sum, sum + value, std::memory_order_relaxed)) {
    }
  }
  HistogramValue value() const {
    HistogramValue out;
    out.bounds.assign(bounds_.begin(), bounds_.end());
    for (const auto& count : counts_) out.counts.push_back(count.load(std::memory_order_relaxed));
    out.sum = sum_.load(std::memory_order_relaxed);
    return out;
  }

 private:
  const std::array<double, N> bounds_;
  std::array<std::atomic<std::uint64_t>, N + 1> counts_{};
  std::atomic<double> sum_{0};
};

/// 1 ms to 60 s: from the arrival of an UPDATE to its event on disk.
inline constexpr std::array<double, 14> kLatencyBounds{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,
                                                       0.2,   0.5,   1,     2,    5,    10,   60};
/// Of one atomic write of the store.
inline constexpr std::array<double, 11> kWriteBounds{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02,
                                                     0.05,   0.1,   0.5,   2,     10};
/// Route changes in one atomic write.
inline constexpr std::array<double, 7> kBatchBounds{1, 10, 100, 1000, 10000, 100000, 1000000};

struct StoreMeasures {
  HistogramValue write_seconds;
  HistogramValue batch_changes;
  std::uint64_t pending_bytes = 0;          // commits waiting for the disk
  std::uint64_t memtable_bytes = 0;
  std::uint64_t table_bytes = 0;            // sorted table files
  std::uint64_t wal_bytes = 0;
  std::uint64_t history_bytes = 0;          // history of large groups, in files of its own
  std::uint64_t compaction_pending_bytes = 0;
  std::uint64_t compactions_running = 0;
  bool writes_stalled = false;
};

struct Measures {
  // Engine; none where it did not answer in time.
  struct Engine {
    std::uint64_t prefix_bytes = 0, path_bytes = 0, route_bytes = 0;
    std::vector<std::pair<std::string, std::vector<std::pair<Family, std::uint64_t>>>> routes;
  };
  std::optional<Engine> engine;
  std::uint64_t announcements = 0, withdrawals = 0, duplicates = 0, changes = 0, events = 0;
  std::uint64_t queue_bytes = 0, queue_limit_bytes = 0;
  std::uint64_t queue_refusals = 0;  // a source found no room: the sockets pause
  HistogramValue event_seconds;      // from the arrival of an UPDATE to its event on disk
  StoreMeasures store;
};

}  // namespace lapwing
