#include "rib/adj_rib_in.h"

#include <bit>
#include <utility>

namespace lapwing::rib {

PathId AdjRibIn::insert(PrefixId id, PathId path) {
  const std::size_t at = id / kPageSize;
  if (at >= pages_.size()) pages_.resize(at + 1);
  if (!pages_[at]) {
    pages_[at] = std::make_unique<Page>();
    pages_[at]->path.fill(kNoPath);
  }
  Page& page = *pages_[at];
  const PathId before = std::exchange(page.path[id % kPageSize], path);
  if (before == kNoPath) {
    ++page.used;
    ++size_;
  } else if (const std::uint64_t bit = std::uint64_t{1} << id % kPageSize; (page.stale & bit) != 0) {
    page.stale &= ~bit;
    --stale_;
  }
  return before;
}

PathId AdjRibIn::erase(PrefixId id) {
  const std::size_t at = id / kPageSize;
  if (at >= pages_.size() || !pages_[at]) return kNoPath;
  Page& page = *pages_[at];
  const PathId before = std::exchange(page.path[id % kPageSize], kNoPath);
  if (before == kNoPath) return before;
  clear_stale(id);
  --size_;
  if (--page.used == 0) pages_[at].reset();
  return before;
}

void AdjRibIn::mark_stale(PrefixId id) {
  Page& page = *pages_[id / kPageSize];
  const std::uint64_t bit = std::uint64_t{1} << id % kPageSize;
  if ((page.stale & bit) != 0) return;
  page.stale |= bit;
  ++stale_;
}

bool AdjRibIn::clear_stale(PrefixId id) {
  Page& page = *pages_[id / kPageSize];
  const std::uint64_t bit = std::uint64_t{1} << id % kPageSize;
  if ((page.stale & bit) == 0) return false;
  page.stale &= ~bit;
  --stale_;
  return true;
}

void AdjRibIn::mark_all_stale() {
  for (const auto& page : pages_) {
    if (!page) continue;
    for (std::size_t i = 0; i < kPageSize; ++i)
      if (page->path[i] != kNoPath) page->stale |= std::uint64_t{1} << i;
  }
  stale_ = size_;
}

std::vector<PrefixId> AdjRibIn::stale_routes() const {
  std::vector<PrefixId> ids;
  ids.reserve(stale_);
  for (std::size_t p = 0; p < pages_.size(); ++p)
    for (std::uint64_t bits = pages_[p] ? pages_[p]->stale : 0; bits != 0; bits &= bits - 1)
      ids.push_back(static_cast<PrefixId>(p * kPageSize) +
                    static_cast<PrefixId>(std::countr_zero(bits)));
  return ids;
}

std::uint64_t AdjRibIn::footprint() const {
  std::uint64_t octets = pages_.capacity() * sizeof(void*);
  for (const auto& page : pages_) octets += page ? sizeof(Page) : 0;
  return octets;
}

}  // namespace lapwing::rib
