// One neighbour's Adj-RIB-In: PrefixId to PathId, with a stale mark (RFC 4724 4.1).
//
// Ids are dense over all neighbours, so the table is a directory of pages of 64 routes: a full feed
// takes 4.3 octets a route, a small one a page for each cluster of its prefixes. Empty pages are
// given back.
// Thread: engine. Owns: its pages.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "lapwing/detector.h"

namespace lapwing::rib {

class AdjRibIn {
 public:
  void prefetch(PrefixId id) const {
    const std::size_t page = id / kPageSize;
    if (page < pages_.size() && pages_[page]) __builtin_prefetch(&pages_[page]->path[id % kPageSize]);
  }
  PathId find(PrefixId id) const {
    const Page* page = page_of(id);
    return page == nullptr ? kNoPath : page->path[id % kPageSize];
  }
  bool is_stale(PrefixId id) const {
    const Page* page = page_of(id);
    return page != nullptr && (page->stale >> id % kPageSize & 1) != 0;
  }
  /// Stores the route, clears its stale mark, returns the one before (kNoPath: none).
  PathId insert(PrefixId id, PathId path);
  /// Removes the route and returns it (kNoPath: there was none).
  PathId erase(PrefixId id);
  void mark_stale(PrefixId id);
  /// True when it was stale.
  bool clear_stale(PrefixId id);
  void mark_all_stale();

  std::uint64_t size() const { return size_; }
  std::uint64_t stale() const { return stale_; }
  std::uint64_t footprint() const;

  /// Calls `fn(id, path, stale)` in ascending order of id. `fn` may erase or re-mark that route.
  template <typename Fn>
  void for_each(Fn&& fn) const {
    for (std::size_t p = 0; p < pages_.size(); ++p)
      for (std::size_t i = 0; pages_[p] && i < kPageSize; ++i)
        if (pages_[p]->path[i] != kNoPath)
          fn(static_cast<PrefixId>(p * kPageSize + i), pages_[p]->path[i],
             (pages_[p]->stale >> i & 1) != 0);
  }
  /// The stale routes, in ascending order of id.
  std::vector<PrefixId> stale_routes() const;

 private:
  static constexpr std::size_t kPageSize = 64;
  struct Page {
    std::array<PathId, kPageSize> path;
    std::uint64_t stale = 0;
    std::uint32_t used = 0;
  };

  const Page* page_of(PrefixId id) const {
    const std::size_t page = id / kPageSize;
    return page < pages_.size() ? pages_[page].get() : nullptr;
  }

  std::vector<std::unique_ptr<Page>> pages_;
  std::uint64_t size_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace lapwing::rib
