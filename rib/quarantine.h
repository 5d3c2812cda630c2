// Ids that nothing uses any more, kept until the commit that released them is durable.
//
// The store reads what an id stands for on its own thread, and what is on disk names ids; both end
// when the releasing commit is durable. Only then may an id be given to something else. The latest
// may be kept for longer: what goes often comes back, and is found as it was.
// Thread: engine.
#pragma once

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
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
    ++size_;
  }
  /// Calls `fn(id)` for each id released by a commit up to `durable`, in order of release, but for
  /// the last `keep`; before that `prefetch(id, 0)` and, some ids later, `prefetch(id, 1)`.
  template <typename Prefetch, typename Fn>
  void drain(std::uint64_t durable, std::size_t keep, Prefetch&& prefetch, Fn&& fn) {
    constexpr std::size_t kFirst = 16, kSecond = 8;
    while (size_ > keep && groups_.front().first <= durable) {
      const std::vector<std::uint32_t>& ids = groups_.front().second;
      const std::size_t end = std::min(ids.size(), drained_ + (size_ - keep));
      size_ -= end - drained_;
      for (; drained_ < end; ++drained_) {
        if (drained_ + kFirst < end) prefetch(ids[drained_ + kFirst], 0);
        if (drained_ + kSecond < end) prefetch(ids[drained_ + kSecond], 1);
        fn(ids[drained_]);
      }
      if (drained_ != ids.size()) return;
      groups_.pop_front();
      drained_ = 0;
    }
  }

  /// Asks `fn(id)` once for each id whether it stays; then it stands in it once, where it was
  /// released last.
  template <typename Fn>
  void reduce(Fn&& fn) {
    boost::unordered_flat_set<std::uint32_t> seen;
    if (drained_ != 0) {
      std::vector<std::uint32_t>& front = groups_.front().second;
      front.erase(front.begin(), front.begin() + static_cast<std::ptrdiff_t>(drained_));
      drained_ = 0;
    }
    size_ = 0;
    for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
      std::erase_if(group->second,
                    [&](std::uint32_t id) { return !seen.insert(id).second || !fn(id); });
      group->second.shrink_to_fit();
      size_ += group->second.size();
    }
    std::erase_if(groups_, [](const auto& group) { return group.second.empty(); });
  }

 private:
  std::deque<std::pair<std::uint64_t, std::vector<std::uint32_t>>> groups_;
  std::size_t drained_ = 0;  // of the first group
  std::size_t size_ = 0;     // of all groups
};

}  // namespace lapwing::rib
