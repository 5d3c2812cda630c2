// One neighbour's Adj-RIB-In: PrefixId to PathId, with a stale mark (RFC 4724 4.1).
//
// Ids are dense over all neighbours, so the table is a directory of pages of 64 routes: a full feed
// takes 4.6 octets a route, a small one a page for each cluster of its prefixes. Pages come from a pool
// of all neighbours and go back there when they are empty.
// Thread: engine. Owns: its pages.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <vector>

#include "lapwing/chunked_array.h"
#include "lapwing/detector.h"
#include "lapwing/prefetch.h"

namespace lapwing::rib {

/// Pages of all neighbours.
class RoutePages {
 public:
  static constexpr std::size_t kPageSize = 64;
  static constexpr std::uint32_t kNone = 0;  // a page without routes: what has no page reads it
  using Paths = std::array<PathId, kPageSize>;
  struct Marks {
    std::uint64_t stale = 0;  // a bit for each route
    std::uint32_t next_free = kNone;
  };

  RoutePages() { take(); }

  void prefetch(PrefixId id) const {
    if (id / kPageSize < blocks_.size()) prefetch_line(&blocks_[id / kPageSize]);
  }
  /// An empty page for the prefixes of `block`. Throws std::bad_alloc.
  std::uint32_t take(std::size_t block, PeerId peer);
  void give_back(std::size_t block, PeerId peer);
  /// There is a route, or none any more, where there was not. False: the page has none left.
  bool note(PrefixId id, PeerId peer, bool shown);
  /// Calls `fn(peer, path, stale)` for each route for the prefix, in ascending order of peer, until
  /// it returns false.
  template <typename Fn>
  void for_each_route(PrefixId id, Fn&& fn) const {
    if (id / kPageSize >= blocks_.size()) return;
    for (const Holder& holder : blocks_[id / kPageSize]) {
      if ((holder.routes >> id % kPageSize & 1) == 0) continue;
      const bool stale = (marks_[holder.page].stale >> id % kPageSize & 1) != 0;
      if (!fn(holder.peer, paths_[holder.page][id % kPageSize], stale)) return;
    }
  }

  Paths& paths(std::uint32_t page) { return paths_[page]; }
  const Paths& paths(std::uint32_t page) const { return paths_[page]; }
  Marks& marks(std::uint32_t page) { return marks_[page]; }
  const Marks& marks(std::uint32_t page) const { return marks_[page]; }

 private:
  /// A neighbour that has a page for a block of prefixes, and which routes stand in it.
  struct Holder {
    PeerId peer = 0;
    std::uint32_t page = kNone;
    std::uint64_t routes = 0;
  };
  static_assert(sizeof(Holder) == 16);

  std::uint32_t take();
  using Holders = boost::container::small_vector<Holder, 1>;
  Holders::iterator find(std::size_t block, PeerId peer);

  ChunkedArray<Paths, 13, 11> paths_;
  ChunkedArray<Marks, 13, 11> marks_;
  std::uint32_t used_ = 0;
  std::uint32_t free_ = kNone;
  LargeVector<Holders> blocks_;  // each in ascending order of peer

 public:
  static constexpr std::size_t kOctetsOfPage = sizeof(Paths) + sizeof(Marks) + sizeof(Holder);
};

class AdjRibIn {
 public:
  /// `pages` outlives it. No two of one pool have the same peer.
  AdjRibIn(RoutePages& pages, PeerId peer) : pool_(pages), peer_(peer) {}
  ~AdjRibIn();
  AdjRibIn(const AdjRibIn&) = delete;
  AdjRibIn& operator=(const AdjRibIn&) = delete;

  void prefetch(PrefixId id) const {
    pool_.prefetch(id);
    prefetch_line(&pool_.paths(page_of(id))[id % kPageSize]);
  }
  PathId find(PrefixId id) const { return pool_.paths(page_of(id))[id % kPageSize]; }
  bool is_stale(PrefixId id) const {
    if (stale_ == 0) return false;  // without a look at the marks
    return (pool_.marks(page_of(id)).stale >> id % kPageSize & 1) != 0;
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
      for (std::size_t i = 0; pages_[p] != kNone && i < kPageSize; ++i) {
        const PathId path = pool_.paths(pages_[p])[i];
        if (path != kNoPath)
          fn(static_cast<PrefixId>(p * kPageSize + i), path,
             (pool_.marks(pages_[p]).stale >> i & 1) != 0);
      }
  }
  /// The stale routes, in ascending order of id.
  std::vector<PrefixId> stale_routes() const;

 private:
  static constexpr std::size_t kPageSize = RoutePages::kPageSize;
  static constexpr std::uint32_t kNone = RoutePages::kNone;

  /// Its page, by number; kNone: no route of this page's ids.
  std::uint32_t page_of(PrefixId id) const {
    const std::size_t at = id / kPageSize;
    return at < pages_.size() ? pages_[at] : kNone;
  }

  RoutePages& pool_;
  const PeerId peer_;
  std::vector<std::uint32_t> pages_;
  std::uint64_t size_ = 0;
  std::uint64_t stale_ = 0;
};

}  // namespace lapwing::rib
