// Path attributes that were brought to canonical form a moment ago, for tables that repeat them.
//
// In a table dump neighbouring prefixes often have the same attributes. Within one batch a record may
// point to the octets of an earlier one; this cache finds them by the octets as they stood in the
// file, so that neither decoding nor copying is done again. Direct mapped: a new set takes the place
// of an old one.
// Thread: its owner's. Owns: copies of the octets it has seen in the current batch.
#pragma once

#include <cstdint>
#include <vector>

#include "bgp/attributes.h"
#include "bgp/hash.h"
#include "lapwing/path.h"

namespace lapwing::collector {

class AttributeCache {
 public:
  /// What decoding gave; `at` and `size` count in the batch's octets.
  struct Entry {
    std::uint64_t raw_hash = 0;
    std::uint32_t generation = 0;  // of another batch: empty
    std::uint32_t raw_at = 0;
    std::uint32_t raw_size = 0;
    std::uint32_t at = 0;
    std::uint32_t size = 0;
    bgp::ErrorAction action = bgp::ErrorAction::kNone;
    std::uint64_t hash = 0;  // Record::attributes_hash
  };

  /// The batch has begun anew.
  void clear() {
    ++generation_;
    raw_.clear();
  }

  /// The place for `raw`; `found` tells whether it holds it. If not, all but `raw_*` and
  /// `generation` is the caller's to set. Valid until the next call. `four_octet_as` belongs to the
  /// key: it decides what the octets mean.
  Entry& find(Octets raw, bool four_octet_as, bool& found) {
    const std::uint64_t hash =
        bgp::hash_octets(bgp::hash_seed() + (four_octet_as ? 1 : 0), raw);
    if (entries_.empty()) entries_.resize(kEntries);  // most files of updates never ask
    Entry& entry = entries_[hash & (kEntries - 1)];
    found = entry.generation == generation_ && entry.raw_hash == hash &&
            entry.raw_size == raw.size() &&
            (raw.empty() || std::memcmp(raw_.data() + entry.raw_at, raw.data(), raw.size()) == 0);
    if (found) return entry;
    entry = Entry();
    entry.raw_hash = hash;
    entry.generation = generation_;
    entry.raw_at = static_cast<std::uint32_t>(raw_.size());
    entry.raw_size = static_cast<std::uint32_t>(raw.size());
    raw_.insert(raw_.end(), raw.begin(), raw.end());
    return entry;
  }

 private:
  static constexpr std::size_t kEntries = 4096;

  std::vector<Entry> entries_;
  std::vector<std::uint8_t> raw_;
  std::uint32_t generation_ = 1;
};

}  // namespace lapwing::collector
