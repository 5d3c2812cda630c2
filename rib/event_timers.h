// Timers in event time: ordered by due time, then by the order in which they were set.
//
// A heap whose entries are not removed when a timer is cancelled or set anew: `live_` knows which
// entry of a key counts. Dead entries are dropped when they reach the top, and all at once when
// they are the majority.
// Thread: engine.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

#include "lapwing/time.h"

namespace lapwing::rib {

class EventTimers {
 public:
  struct Key {
    std::uint32_t owner = 0;
    std::uint64_t key = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Timer {
    Timestamp due;
    Key key;
  };

  /// Replaces a timer with the same key.
  void set(Key key, Timestamp due) {
    live_[key] = ++order_;
    heap_.push_back({due, order_, key});
    std::push_heap(heap_.begin(), heap_.end(), later);
    if (heap_.size() > 2 * live_.size() + kSlack) drop_dead();
  }
  void cancel(Key key) { live_.erase(key); }
  void cancel_all(std::uint32_t owner) {
    boost::unordered::erase_if(live_, [owner](const auto& entry) { return entry.first.owner == owner; });
  }
  bool due(Timestamp now) {
    while (!heap_.empty() && heap_.front().due <= now) {
      if (is_live(heap_.front())) return true;
      drop_first();
    }
    return false;
  }
  /// Takes the first timer. Only when there is one.
  Timer pop() {
    drop_dead_first();
    const Entry first = heap_.front();
    drop_first();
    live_.erase(first.key);
    return {first.due, first.key};
  }

 private:
  struct Entry {
    Timestamp due;
    std::uint64_t order = 0;
    Key key;
  };
  struct Hash {
    std::size_t operator()(const Key& k) const {
      return (k.key ^ static_cast<std::uint64_t>(k.owner) << 48) * 0x9e3779b97f4a7c15;
    }
  };
  static constexpr std::size_t kSlack = 1024;

  static bool later(const Entry& a, const Entry& b) {
    return a.due != b.due ? b.due < a.due : b.order < a.order;
  }
  bool is_live(const Entry& entry) const {
    const auto it = live_.find(entry.key);
    return it != live_.end() && it->second == entry.order;
  }
  void drop_first() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
  }
  void drop_dead_first() {
    while (!heap_.empty() && !is_live(heap_.front())) drop_first();
  }
  void drop_dead() {
    std::erase_if(heap_, [this](const Entry& entry) { return !is_live(entry); });
    std::make_heap(heap_.begin(), heap_.end(), later);
  }

  std::vector<Entry> heap_;
  boost::unordered_flat_map<Key, std::uint64_t, Hash> live_;  // order of the entry that counts
  std::uint64_t order_ = 0;
};

}  // namespace lapwing::rib
