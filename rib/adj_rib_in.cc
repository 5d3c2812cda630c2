#include "rib/adj_rib_in.h"

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

void RoutePages::give_back(std::uint32_t page) {
  marks_[page] = Marks{};
  marks_[page].next_free = free_;
  free_ = page;
}

AdjRibIn::~AdjRibIn() {
  for (const std::uint32_t page : pages_)
    if (page != kNone) pool_.give_back(page);
}

PathId AdjRibIn::insert(PrefixId id, PathId path) {
  const std::size_t at = id / kPageSize;
  if (at >= pages_.size()) pages_.resize(at + 1, kNone);
  if (pages_[at] == kNone) pages_[at] = pool_.take();
  const PathId before = std::exchange(pool_.paths(pages_[at])[id % kPageSize], path);
  if (before == kNoPath) {
    ++pool_.marks(pages_[at]).used;
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
  if (--pool_.marks(page).used == 0) {
    pool_.give_back(page);
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
  for (const std::uint32_t page : pages_) octets += page != kNone ? sizeof(RoutePages::Paths) + sizeof(RoutePages::Marks) : 0;
  return octets;
}

}  // namespace lapwing::rib
