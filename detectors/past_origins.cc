#include "detectors/past_origins.h"

#include <algorithm>
#include <bit>

#include "detectors/event_text.h"
#include "detectors/id_table.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kPastFormat = 1;

}  // namespace

void PastOrigins::remember(const Nlri& nlri, Asn origin, const Past& past) {
  if (entries_.size() == 2 * limit_) make_room();
  entries_.push_back({nlri, origin, past, kNone, false});
  note_change(entries_.size() - 1);
}

// The newest entries that nobody took stay. A double of one that is kept counts too: it is only
// that fewer others are.
void PastOrigins::make_room() {
  std::size_t from = entries_.size(), kept = 0;
  while (from > 0 && kept < limit_) kept += entries_[--from].taken ? 0 : 1;
  for (std::size_t i = 0; i < entries_.size(); i += kPiece) note_change(i);
  std::size_t to = 0;
  for (std::size_t i = from; i < entries_.size(); ++i)
    if (!entries_[i].taken) entries_[to++] = entries_[i];
  entries_.resize(to);
  std::fill(slots_.begin(), slots_.end(), kNone);
  indexed_ = 0;
}

void PastOrigins::note_change(std::size_t entry) {
  const auto piece = static_cast<std::uint32_t>(entry / kPiece);
  if (tracked_ && (changed_.empty() || changed_.back() != piece)) changed_.push_back(piece);
}

/// format | for each entry that nobody took: NLRI | origin (4) | left | times (4) | raised (1)
std::string PastOrigins::encode(std::uint32_t piece) const {
  std::string value;
  const std::size_t end = std::min(entries_.size(), (piece + std::size_t{1}) * kPiece);
  for (std::size_t i = piece * kPiece; i < end; ++i) {
    const Entry& entry = entries_[i];
    if (entry.taken) continue;
    if (value.empty()) put_u8(value, kPastFormat);
    put_nlri(value, entry.nlri);
    put_u32(value, entry.origin);
    put_time(value, entry.past.left);
    put_u32(value, entry.past.times);
    put_u8(value, entry.past.raised ? 1 : 0);
  }
  return value;
}

bool PastOrigins::restore(std::uint32_t piece, std::string_view value) {
  if (piece >= 2 * limit_ / kPiece || piece * kPiece < entries_.size()) return false;
  // Places that are empty in what was stored stay empty: each entry keeps its piece.
  const Entry empty{{}, 0, {}, kNone, true};
  entries_.resize(piece * kPiece, empty);
  StateReader in(value);
  if (in.u8() != kPastFormat) return false;
  while (in.ok() && !in.at_end() && entries_.size() < (piece + std::size_t{1}) * kPiece) {
    Entry& entry = entries_.emplace_back();
    entry.nlri = in.nlri();
    entry.origin = in.u32();
    entry.past.left = in.time();
    entry.past.times = in.u32();
    entry.past.raised = in.u8() != 0;
  }
  if (!in.at_end()) return false;
  entries_.resize((piece + std::size_t{1}) * kPiece, empty);
  return true;
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
    note_change(at);
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
