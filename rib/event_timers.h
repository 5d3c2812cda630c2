// Timers in event time: ordered by due time, then by the order in which they were set.
//
// Thread: engine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "lapwing/time.h"

namespace lapwing::rib {

class EventTimers {
 public:
  struct Key {
    std::uint32_t owner = 0;
    std::uint64_t key = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  /// Replaces a timer with the same key.
  void set(Key key, Timestamp due) {
    cancel(key);
    const auto [it, added] = queue_.emplace(std::pair(due, ++order_), key);
    by_key_.emplace(key, it->first);
  }
  void cancel(Key key) {
    const auto it = by_key_.find(key);
    if (it == by_key_.end()) return;
    queue_.erase(it->second);
    by_key_.erase(it);
  }
  void cancel_all(std::uint32_t owner) {
    for (auto it = by_key_.lower_bound({owner, 0}); it != by_key_.end() && it->first.owner == owner;) {
      queue_.erase(it->second);
      it = by_key_.erase(it);
    }
  }
  bool due(Timestamp now) const { return !queue_.empty() && queue_.begin()->first.first <= now; }
  struct Timer {
    Timestamp due;
    Key key;
  };
  /// Takes the first timer. Only when one is due.
  Timer pop() {
    const auto it = queue_.begin();
    const Timer timer{it->first.first, it->second};
    by_key_.erase(it->second);
    queue_.erase(it);
    return timer;
  }

 private:
  using Due = std::pair<Timestamp, std::uint64_t>;
  std::map<Due, Key> queue_;
  std::map<Key, Due> by_key_;
  std::uint64_t order_ = 0;
};

}  // namespace lapwing::rib
