#include "detectors/past_origins.h"

#include <algorithm>
#include <bit>

#include "detectors/id_table.h"

namespace lapwing::detectors {

void PastOrigins::remember(const Nlri& nlri, Asn origin, const Past& past) {
  if (entries_.size() == 2 * limit_) make_room();
  entries_.push_back({nlri, origin, past, kNone, false});
}

// The newest entries that nobody took stay. A double of one that is kept counts too: it is only
// that fewer others are.
void PastOrigins::make_room() {
  std::size_t from = entries_.size(), kept = 0;
  while (from > 0 && kept < limit_) kept += entries_[--from].taken ? 0 : 1;
  std::size_t to = 0;
  for (std::size_t i = from; i < entries_.size(); ++i)
    if (!entries_[i].taken) entries_[to++] = entries_[i];
  entries_.resize(to);
  std::fill(slots_.begin(), slots_.end(), kNone);
  indexed_ = 0;
}

std::uint32_t& PastOrigins::slot(const Nlri& nlri) {
  return slots_[hash_nlri(seed_of(this), nlri) & (slots_.size() - 1)];
}

void PastOrigins::index() {
  if (slots_.empty()) slots_.assign(std::bit_ceil(2 * limit_), kNone);
  for (; indexed_ < entries_.size(); ++indexed_) {
    std::uint32_t& newest = slot(entries_[indexed_].nlri);
    entries_[indexed_].older = newest;
    newest = static_cast<std::uint32_t>(indexed_);
  }
}

std::optional<PastOrigins::Past> PastOrigins::take(const Nlri& nlri, Asn origin) {
  if (entries_.empty()) return std::nullopt;
  index();
  std::optional<Past> found;
  for (std::uint32_t at = slot(nlri); at != kNone; at = entries_[at].older) {
    Entry& entry = entries_[at];
    if (entry.taken || entry.origin != origin || entry.nlri != nlri) continue;
    if (!found) found = entry.past;
    entry.taken = true;
  }
  return found;
}

std::optional<Asn> PastOrigins::last_origin(const Nlri& nlri) {
  if (entries_.empty()) return std::nullopt;
  index();
  std::optional<Asn> last;
  Timestamp left;
  for (std::uint32_t at = slot(nlri); at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    if (entry.taken || entry.nlri != nlri) continue;
    if (last && (entry.past.left < left || (entry.past.left == left && entry.origin > *last)))
      continue;
    last = entry.origin;
    left = entry.past.left;
  }
  return last;
}

}  // namespace lapwing::detectors
