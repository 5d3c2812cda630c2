#include "rib/adj_rib_in.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

namespace lapwing::rib {
namespace {

/// Without a branch, so that the compiler compares sixteen at once.
bool stands(const RoutePages::Numbers& numbers, std::uint8_t number) {
  std::uint8_t found = 0;
  for (const std::uint8_t other : numbers) found |= other == number ? 1 : 0;
  return found != 0;
}

}  // namespace

std::uint32_t RoutePages::take() {
  std::uint32_t page = free_;
  if (page == kNone) {
    if (!numbers_.grow_to(used_) || !marks_.grow_to(used_)) throw std::bad_alloc();
    page = used_++;
  } else {
    free_ = marks_[page].paths;
  }
  numbers_[page].fill(0);
  marks_[page] = Marks{};
  return page;
}

// Not every place is looked at: a path that has two numbers takes four octets more, and no harm.
PathId RoutePages::exchange(std::uint32_t page, PrefixId id, PathId path) {
  Numbers& numbers = numbers_[page];
  Marks& marks = marks_[page];
  const std::size_t at = id % kPageSize;
  const std::uint8_t was = std::exchange(numbers[at], std::uint8_t{0});
  const PathId before = was == 0 ? kNoPath : path_at(marks, was);
  unsigned number = path == kNoPath ? 0 : number_beside(numbers, marks, at, path);
  if (was != 0 && !stands(numbers, was)) {
    if (path != kNoPath && number == 0)
      path_at(marks, number = was) = path;
    else
      empty(marks, was);
  }
  if (path != kNoPath && number == 0) number = new_number(marks, path);
  numbers[at] = static_cast<std::uint8_t>(number);
  return before;
}

// Prefixes that come together stand together.
unsigned RoutePages::number_beside(const Numbers& numbers, const Marks& marks, std::size_t at,
                                   PathId path) const {
  for (const std::size_t beside : {at - 1, at + 1})
    if (beside < kPageSize && numbers[beside] != 0 && path_at(marks, numbers[beside]) == path)
      return numbers[beside];
  return 0;
}

unsigned RoutePages::new_number(Marks& marks, PathId path) {
  if (marks.empty == 0) return grow(marks, path);
  const unsigned number = marks.empty;
  PathId& place = path_at(marks, number);
  marks.empty = static_cast<std::uint8_t>(place & ~kEmpty);
  place = path;
  return number;
}

unsigned RoutePages::grow(Marks& marks, PathId path) {
  for (unsigned number = marks.quads * kQuadSize; number != 0; --number)
    if (path_at(marks, number) == path) return number;
  const std::uint32_t first = take_quads(marks.quads + std::size_t{1});
  for (unsigned place = 0; place < marks.quads * kQuadSize; ++place)
    quads_[first * kQuadSize + place] = quads_[marks.paths * kQuadSize + place];
  if (marks.quads != 0) give_back_quads(marks);
  marks.paths = first;
  ++marks.quads;
  const unsigned last = marks.quads * kQuadSize;
  for (unsigned number = last; number != last - kQuadSize + 1; --number) empty(marks, number);
  path_at(marks, last - kQuadSize + 1) = path;
  return last - kQuadSize + 1;
}

std::uint32_t RoutePages::take_quads(std::size_t count) {
  if (const std::uint32_t first = free_quads_[count]; first != kNone) {
    free_quads_[count] = quads_[first * kQuadSize];
    return first;
  }
  if (quads_used_ % kQuadsOfChunk + count > kQuadsOfChunk)
    quads_used_ += kQuadsOfChunk - quads_used_ % kQuadsOfChunk;
  const std::uint32_t first = quads_used_;
  if (!quads_.grow_to((first + count) * kQuadSize - 1)) throw std::bad_alloc();
  quads_used_ += static_cast<std::uint32_t>(count);
  return first;
}

void RoutePages::give_back_quads(const Marks& marks) {
  quads_[marks.paths * kQuadSize] = std::exchange(free_quads_[marks.quads], marks.paths);
}

RoutePages::Holders::iterator RoutePages::holder_of(std::size_t block, PeerId peer) {
  return std::lower_bound(blocks_[block].begin(), blocks_[block].end(), peer,
                          [](const Holder& s, PeerId wanted) { return s.peer < wanted; });
}

std::uint32_t RoutePages::take(std::size_t block, PeerId peer) {
  if (block >= blocks_.size()) blocks_.resize(block + 1);
  const std::uint32_t page = take();
  blocks_[block].insert(holder_of(block, peer), Holder{peer, page, 0});
  return page;
}

bool RoutePages::note(PrefixId id, PeerId peer, bool shown) {
  Holder& holder = *holder_of(id / kPageSize, peer);
  const std::uint64_t bit = std::uint64_t{1} << id % kPageSize;
  holder.routes = shown ? holder.routes | bit : holder.routes & ~bit;
  return holder.routes != 0;
}

void RoutePages::give_back(std::size_t block, PeerId peer) {
  const auto at = holder_of(block, peer);
  const std::uint32_t page = at->page;
  blocks_[block].erase(at);
  if (marks_[page].quads != 0) give_back_quads(marks_[page]);
  marks_[page].paths = free_;
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
  const PathId before = pool_.exchange(pages_[at], id, path);
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
  const PathId before = pool_.exchange(page, id, kNoPath);
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
    const RoutePages::Numbers& numbers = pool_.numbers(page);
    for (std::size_t i = 0; i < kPageSize; ++i)
      if (numbers[i] != 0) pool_.marks(page).stale |= std::uint64_t{1} << i;
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
  for (const std::uint32_t page : pages_) octets += page != kNone ? pool_.footprint(page) : 0;
  return octets;
}

}  // namespace lapwing::rib
