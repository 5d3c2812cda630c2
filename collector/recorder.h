// Writes what live sessions send into MRT files: [record] of the configuration.
//
//   RecordingSink  stands before the engine's queue and takes the recording out of each batch that the
//                  queue has accepted, so that the files have the engine's order
//   Recorder       a bounded queue and a thread that writes the files
//
// The io thread never waits: what finds no room in the queue, or what the disk refuses, is counted,
// said in the log, and marked in the recording as a gap. Files are named
// updates.YYYYMMDD.HHMMSS.mrt[.gz] by the time (UTC) of their first record; a new one is begun at each
// multiple of `rotate_every` and beyond `rotate_size`. Each begins with the neighbours' names.
// Format: docs/FORMATS.md.
// Thread: `push` any; `start` and `stop` main. Owns: the thread and the open file.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "bgp/mrt.h"
#include "bgp/record.h"
#include "collector/config.h"
#include "collector/record_file.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::collector {

class Recorder {
 public:
  struct Counters {
    std::atomic<std::uint64_t> records{0};  // written
    std::atomic<std::uint64_t> octets{0};   // before compression
    std::atomic<std::uint64_t> lost{0};     // records that found no room or that the disk refused
    std::atomic<std::uint64_t> files{0};
  };

  Recorder(RecordConfig config, IpAddress router_id);
  ~Recorder() { stop(); }

  /// Makes the directory and sees that it takes a file; otherwise says what is wrong.
  std::string start();
  /// Writes what waits, closes the file.
  void stop();

  /// Whole MRT records; never waits.
  void push(std::vector<std::uint8_t>&& records);

  const Counters& counters() const { return counters_; }

 private:
  struct Chunk {
    std::vector<std::uint8_t> records;
    std::uint64_t lost_before = 0;
  };

  bool take(Chunk& chunk);
  void run();
  void write_record(Octets record);
  void put(Octets record);
  bool begin_file(Timestamp time);
  void close_file();
  void fail(const std::string& error);
  bool note_neighbor(Octets record);

  const RecordConfig config_;
  const IpAddress router_id_;
  Counters counters_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Chunk> queue_;          // guarded by mutex_
  std::uint64_t queued_ = 0;         // guarded by mutex_: octets
  std::uint64_t lost_ = 0;           // guarded by mutex_: records since the last chunk
  bool stop_ = false;                // guarded by mutex_
  // Writer thread only.
  std::unique_ptr<RecordFile> file_;
  std::vector<std::vector<std::uint8_t>> neighbors_;  // their marks, in order of first appearance
  std::map<std::string, std::size_t> neighbor_at_;    // by name, in `neighbors_`
  std::int64_t period_ = 0;          // of the open file: its number in multiples of rotate_every
  bool started_ = false;             // the run's first mark was written
  std::uint64_t unflushed_ = 0;      // records since the last flush of the open file
  std::uint64_t gap_ = 0;            // lost records that no mark tells of yet
  std::chrono::steady_clock::time_point retry_at_{};
  std::thread thread_;
};

class RecordingSink final : public bgp::RecordSink {
 public:
  RecordingSink(bgp::RecordSink& next, Recorder& recorder) : next_(next), recorder_(recorder) {}
  bool try_push(bgp::RecordBatch& batch) override;
  void when_room(std::function<void()> fn) override { next_.when_room(std::move(fn)); }

 private:
  bgp::RecordSink& next_;
  Recorder& recorder_;
};

}  // namespace lapwing::collector
