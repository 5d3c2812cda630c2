// One neighbour's Adj-RIB-In: PrefixId to PathId, with a stale mark (RFC 4724 4.1).
//
// Ids are dense over all neighbours, so the table is a directory of pages of 64 routes. Neighbouring
// ids are prefixes that came together, and share a few paths: a page names its paths once, and each
// route by one octet. A full feed takes 2 to 3 octets a route, at worst 5.5; a small one a page for
// each cluster of its prefixes. Pages come from a pool of all neighbours and go back there when they are
// empty.
// Thread: engine. Owns: its pages.
#pragma once

#include <array>
#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <vector>

#include "lapwing/chunked_array.h"
#include "lapwing/detector.h"
#include "lapwing/prefetch.h"
#include "rib/path_table.h"

namespace lapwing::rib {

/// Pages of all neighbours.
class RoutePages {
 public:
  static constexpr std::size_t kPageSize = 64;
  static constexpr std::uint32_t kNone = 0;  // a page without routes: what has no page reads it

  using Numbers = std::array<std::uint8_t, kPageSize>;  // 0: no route; else of a path, from 1
  struct Marks {
    std::uint64_t stale = 0;      // a bit for each route
    std::uint32_t paths = kNone;  // the first quad of its paths; while it is free the next free page
    std::uint8_t quads = 0;       // four paths each
    std::uint8_t empty = 0;       // the first place without a path, by number; 0: none
  };
  static_assert(sizeof(Marks) == 16);

  RoutePages() { take(); }

  void prefetch(PrefixId id) const {
    if (id / kPageSize < blocks_.size()) prefetch_line(&blocks_[id / kPageSize]);
  }
  void prefetch(std::uint32_t page, PrefixId id) const {
    prefetch_line(&numbers_[page][id % kPageSize]);
    prefetch_line(&marks_[page]);
  }
  /// Reads what that has asked for.
  void prefetch_path(std::uint32_t page, PrefixId id) const {
    if (const unsigned number = numbers_[page][id % kPageSize]; number != 0)
      prefetch_line(&path_at(marks_[page], number));
  }

  PathId find(std::uint32_t page, PrefixId id) const {
    const unsigned number = numbers_[page][id % kPageSize];
    return number == 0 ? kNoPath : path_at(marks_[page], number);
  }
  /// Stores the path (kNoPath: none) and returns the one before.
  PathId exchange(std::uint32_t page, PrefixId id, PathId path);

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
      if (!fn(holder.peer, find(holder.page, id), stale)) return;
    }
  }

  const Numbers& numbers(std::uint32_t page) const { return numbers_[page]; }
  Marks& marks(std::uint32_t page) { return marks_[page]; }
  const Marks& marks(std::uint32_t page) const { return marks_[page]; }
  /// What the page takes.
  std::uint64_t footprint(std::uint32_t page) const {
    return sizeof(Numbers) + sizeof(Marks) + sizeof(Holder) +
           marks_[page].quads * kQuadSize * sizeof(PathId);
  }
  /// What all pages take, those that are free included.
  std::uint64_t footprint() const {
    return numbers_.footprint() + marks_.footprint() + quads_.footprint();
  }

 private:
  static constexpr unsigned kQuadSize = 4;
  static constexpr std::size_t kMaxQuads = kPageSize / kQuadSize;
  static constexpr PathId kEmpty = PathTable::kEndOfIds;  // and the number of the next empty place

  /// A neighbour that has a page for a block of prefixes, and which routes stand in it.
  struct Holder {
    PeerId peer = 0;
    std::uint32_t page = kNone;
    std::uint64_t routes = 0;
  };
  static_assert(sizeof(Holder) == 16);

  std::uint32_t take();
  using Holders = boost::container::small_vector<Holder, 1>;
  Holders::iterator holder_of(std::size_t block, PeerId peer);

  const PathId& path_at(const Marks& marks, unsigned number) const {
    return quads_[marks.paths * kQuadSize + number - 1];
  }
  PathId& path_at(const Marks& marks, unsigned number) {
    return quads_[marks.paths * kQuadSize + number - 1];
  }
  /// Of this path, if the prefix before or after has it; else 0.
  unsigned number_beside(const Numbers& numbers, const Marks& marks, std::size_t at,
                         PathId path) const;
  unsigned new_number(Marks& marks, PathId path);
  unsigned grow(Marks& marks, PathId path);
  void empty(Marks& marks, unsigned number) {
    path_at(marks, number) = kEmpty | marks.empty;
    marks.empty = static_cast<std::uint8_t>(number);
  }
  /// So many, side by side in one chunk. Throws std::bad_alloc.
  std::uint32_t take_quads(std::size_t count);
  void give_back_quads(const Marks& marks);

  ChunkedArray<Numbers, 15, 9> numbers_;
  ChunkedArray<Marks, 17, 7> marks_;
  std::uint32_t used_ = 0;
  std::uint32_t free_ = kNone;
  static constexpr unsigned kQuadBits = 17;
  static constexpr std::uint32_t kQuadsOfChunk = 1u << kQuadBits;
  ChunkedArray<PathId, kQuadBits + 2, 12> quads_;  // kQuadSize paths each
  std::uint32_t quads_used_ = 1;  // number 0 says that there are none
  std::array<std::uint32_t, kMaxQuads + 1> free_quads_{};  // by count: head of a list through them
  LargeVector<Holders> blocks_;  // each in ascending order of peer
};

class AdjRibIn {
 public:
  /// `pages` outlives it. No two of one pool have the same peer.
  AdjRibIn(RoutePages& pages, PeerId peer) : pool_(pages), peer_(peer) {}
  ~AdjRibIn();
  AdjRibIn(const AdjRibIn&) = delete;
  AdjRibIn& operator=(const AdjRibIn&) = delete;

  /// Asks for the memory that a look at this route will need; the second once the first arrived.
  void prefetch(PrefixId id) const {
    pool_.prefetch(id);
    pool_.prefetch(page_of(id), id);
  }
  void prefetch_path(PrefixId id) const { pool_.prefetch_path(page_of(id), id); }
  PathId find(PrefixId id) const { return pool_.find(page_of(id), id); }
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
        const auto id = static_cast<PrefixId>(p * kPageSize + i);
        const PathId path = pool_.find(pages_[p], id);
        if (path != kNoPath) fn(id, path, (pool_.marks(pages_[p]).stale >> i & 1) != 0);
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
