// Ids that nothing uses any more, kept until the commit that released them is durable.
//
// The store reads what an id stands for on its own thread, and what is on disk names ids; both end
// when the releasing commit is durable. Only then may an id be given to something else.
// Thread: engine.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
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

  /// Asks `fn(id)` once for each id whether it stays; then it stands in it once, where it was
  /// released last.
  template <typename Fn>
  void reduce(Fn&& fn) {
    boost::unordered_flat_set<std::uint32_t> seen;
    for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
      std::erase_if(group->second,
                    [&](std::uint32_t id) { return !seen.insert(id).second || !fn(id); });
      group->second.shrink_to_fit();
    }
    std::erase_if(groups_, [](const auto& group) { return group.second.empty(); });
  }

 private:
  std::deque<std::pair<std::uint64_t, std::vector<std::uint32_t>>> groups_;
};

}  // namespace lapwing::rib
