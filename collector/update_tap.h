// The feed of changes of routes and sessions, filled by a detector that raises nothing.
//
// Usage: one `UpdateRing` for the life of the program; `make_tap` makes the detector that fills it,
// last in the engine's order. While nobody watches a change costs one load.
// Thread: the tap engine; the ring any.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "lapwing/detector.h"
#include "lapwing/update_feed.h"

namespace lapwing::collector {

class UpdateRing final : public UpdateFeed {
 public:
  static constexpr std::size_t kMaxUpdates = 65536;
  static constexpr std::size_t kMaxOctets = 16u << 20;  // of attributes

  // lapwing::UpdateFeed
  std::vector<RouteUpdate> read_after(std::uint64_t number, std::size_t limit) const override;
  std::uint64_t last() const override;
  int subscribe(std::function<void()> fn) override;
  void unsubscribe(int handle) override;

  bool watched() const { return watchers_count_.load(std::memory_order_relaxed) != 0; }
  /// Numbers it and keeps it; the oldest make room.
  void add(RouteUpdate&& update);
  /// Tells the watchers of what was added since.
  void tell();

 private:
  static std::size_t octets_of(const RouteUpdate& update);

  std::atomic<int> watchers_count_{0};
  mutable std::mutex mutex_;
  // All guarded by mutex_.
  std::deque<RouteUpdate> updates_;
  std::size_t octets_ = 0;
  std::uint64_t last_ = 0;
  std::map<int, std::function<void()>> watchers_;
  int next_handle_ = 1;
};

std::unique_ptr<Detector> make_tap(UpdateRing& ring);

}  // namespace lapwing::collector
