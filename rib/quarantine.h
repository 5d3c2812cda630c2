// Ids that nothing uses any more, kept until the commit that released them is durable.
//
// The store reads what an id stands for on its own thread, and what is on disk names ids; both end
// when the releasing commit is durable. Only then may an id be given to something else.
// Thread: engine.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace lapwing::rib {

class Quarantine {
 public:
  void add(std::uint64_t commit, std::uint32_t id) {
    if (groups_.empty() || groups_.back().first != commit) groups_.emplace_back(commit, 0);
    groups_.back().second.push_back(id);
  }
  /// Calls `fn(id)` for each id released by a commit up to `durable`, in order of release; before
  /// that `prefetch(id, 0)` and, some ids later, `prefetch(id, 1)`.
  template <typename Prefetch, typename Fn>
  void drain(std::uint64_t durable, Prefetch&& prefetch, Fn&& fn) {
    constexpr std::size_t kFirst = 16, kSecond = 8;
    while (!groups_.empty() && groups_.front().first <= durable) {
      const std::vector<std::uint32_t> ids = std::move(groups_.front().second);
      groups_.pop_front();
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (i + kFirst < ids.size()) prefetch(ids[i + kFirst], 0);
        if (i + kSecond < ids.size()) prefetch(ids[i + kSecond], 1);
        fn(ids[i]);
      }
    }
  }

 private:
  std::deque<std::pair<std::uint64_t, std::vector<std::uint32_t>>> groups_;
};

}  // namespace lapwing::rib
