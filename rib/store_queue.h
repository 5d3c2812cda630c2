// Commits on their way from the engine to the store thread: engine -> store.
//
// Bounded in octets while the disk is well: `push` waits. While it is ill, `push` never waits;
// commits that wait side by side are joined instead.
// Thread: `push`, `squeeze` engine thread; `pending`, `bytes` any; the rest store thread.
// Owns: the waiting commits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "rib/commit.h"

namespace lapwing::rib {

/// Octets that a commit holds.
std::size_t footprint(const Commit& commit);
/// What it counts as pending: its route changes, at least 1 if there is anything in it.
std::uint64_t pending_of(const Commit& commit);
/// Joins neighbours; of several writes to one route the last stays, with the first one's `before`,
/// and none where there was no route before nor after.
void join_commits(std::deque<Commit>& commits);

class CommitQueue {
 public:
  explicit CommitQueue(std::size_t max_bytes) : max_bytes_(max_bytes), join_at_(max_bytes) {}

  void push(Commit&& commit);
  /// Route changes that are waiting or being written; 0: nothing at all is (see pending_of).
  std::uint64_t pending() const { return pending_.load(std::memory_order_acquire); }

  /// Octets of commits that wait or are being written.
  std::size_t bytes() const;

  /// Moves the next group to `group`. False: nothing came for `idle`, or the queue is stopped and
  /// empty. While much is coming it waits a little, to write more at once.
  bool take(std::vector<Commit>& group, std::chrono::milliseconds idle);
  /// While the disk is ill: joins what waits, and says what it and the group taken last name.
  std::optional<CommitNames> squeeze();

  /// The group taken last is durable. It stays as it is until then.
  void written(const std::vector<Commit>& group);
  void set_well(bool well);
  /// Returns early, and true, when `stop` was called.
  bool sleep(std::chrono::milliseconds time);

  void stop();
  bool stopped() const;

 private:
  using Clock = std::chrono::steady_clock;
  void linger(std::unique_lock<std::mutex>& lock);
  void join();

  const std::size_t max_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_, has_room_;
  // All guarded by mutex_.
  std::deque<Commit> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::size_t waiting_routes_ = 0;
  std::size_t waiting_events_ = 0;
  const std::vector<Commit>* taken_ = nullptr;  // not durable yet
  std::size_t taken_bytes_ = 0;
  std::size_t join_at_;
  std::uint64_t pushes_ = 0;
  std::size_t last_group_ = 0;  // routes
  Clock::time_point last_taken_{};
  bool well_ = true;
  bool stopped_ = false;

  std::atomic<std::uint64_t> pending_{0};
};

}  // namespace lapwing::rib
