#include "rib/adj_rib_in.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace lapwing::rib {

std::uint32_t RoutePages::take() {
  std::uint32_t page = free_;
  if (page == kNone) {
    if (!paths_.grow_to(used_) || !marks_.grow_to(used_)) throw std::bad_alloc();
    page = used_++;
  } else {
    free_ = marks_[page].next_free;
  }
  paths_[page].fill(kNoPath);
  return page;
}

RoutePages::Holders::iterator RoutePages::find(std::size_t block, PeerId peer) {
  return std::lower_bound(blocks_[block].begin(), blocks_[block].end(), peer,
                          [](const Holder& s, PeerId wanted) { return s.peer < wanted; });
}

std::uint32_t RoutePages::take(std::size_t block, PeerId peer) {
  if (block >= blocks_.size()) blocks_.resize(block + 1);
  const std::uint32_t page = take();
  blocks_[block].insert(find(block, peer), Holder{peer, page, 0});
  return page;
}

bool RoutePages::note(PrefixId id, PeerId peer, bool shown) {
  Holder& holder = *find(id / kPageSize, peer);
  const std::uint64_t bit = std::uint64_t{1} << id % kPageSize;
  holder.routes = shown ? holder.routes | bit : holder.routes & ~bit;
  return holder.routes != 0;
}

void RoutePages::give_back(std::size_t block, PeerId peer) {
  const auto at = find(block, peer);
  const std::uint32_t page = at->page;
  blocks_[block].erase(at);
  marks_[page] = Marks{};
  marks_[page].next_free = free_;
  free_ = page;
}

AdjRibIn::~AdjRibIn() {
  for (std::size_t block = 0; block < pages_.size(); ++block)
    if (pages_[block] != kNone) pool_.give_back(block, peer_);
}

PathId AdjRibIn::insert(PrefixId id, PathId path) {
  const std::size_t at = id / kPageSize;
  if (at >= pages_.size()) pages_.resize(at + 1, kNone);
  if (pages_[at] == kNone) pages_[at] = pool_.take(at, peer_);
  const PathId before = std::exchange(pool_.paths(pages_[at])[id % kPageSize], path);
  if (before == kNoPath) {
    pool_.note(id, peer_, true);
    ++size_;
  } else {
    clear_stale(id);
  }
  return before;
}

PathId AdjRibIn::erase(PrefixId id) {
  const std::uint32_t page = page_of(id);
  if (page == kNone) return kNoPath;
  const PathId before = std::exchange(pool_.paths(page)[id % kPageSize], kNoPath);
  if (before == kNoPath) return before;
  clear_stale(id);
  --size_;
  if (!pool_.note(id, peer_, false)) {
    pool_.give_back(id / kPageSize, peer_);
    pages_[id / kPageSize] = kNone;
  }
  return before;
}

void AdjRibIn::mark_stale(PrefixId id) {
  RoutePages::Marks& marks = pool_.marks(page_of(id));
  const std::uint64_t bit = std::uint64_t{1} << id % kPageSize;
  if ((marks.stale & bit) != 0) return;
  marks.stale |= bit;
  ++stale_;
}

bool AdjRibIn::clear_stale(PrefixId id) {
  if (stale_ == 0) return false;  // without a look at the marks
  RoutePages::Marks& marks = pool_.marks(page_of(id));
  const std::uint64_t bit = std::uint64_t{1} << id % kPageSize;
  if ((marks.stale & bit) == 0) return false;
  marks.stale &= ~bit;
  --stale_;
  return true;
}

void AdjRibIn::mark_all_stale() {
  for (const std::uint32_t page : pages_) {
    if (page == kNone) continue;
    const RoutePages::Paths& paths = pool_.paths(page);
    for (std::size_t i = 0; i < kPageSize; ++i)
      if (paths[i] != kNoPath) pool_.marks(page).stale |= std::uint64_t{1} << i;
  }
  stale_ = size_;
}

std::vector<PrefixId> AdjRibIn::stale_routes() const {
  std::vector<PrefixId> ids;
  ids.reserve(stale_);
  for (std::size_t p = 0; p < pages_.size(); ++p)
    for (std::uint64_t bits = pages_[p] == kNone ? 0 : pool_.marks(pages_[p]).stale; bits != 0;
         bits &= bits - 1)
      ids.push_back(static_cast<PrefixId>(p * kPageSize) +
                    static_cast<PrefixId>(std::countr_zero(bits)));
  return ids;
}

std::uint64_t AdjRibIn::footprint() const {
  std::uint64_t octets = pages_.capacity() * sizeof(std::uint32_t);
  for (const std::uint32_t page : pages_) octets += page != kNone ? RoutePages::kOctetsOfPage : 0;
  return octets;
}

}  // namespace lapwing::rib
