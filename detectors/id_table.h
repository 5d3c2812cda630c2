// A hash table of dense numbers whose keys stand elsewhere.
//
// Holds 32-bit ids and as much of the hash, so that what an id stands for is read for few others;
// the caller hashes and compares. Ids are not removed one by one: `clear` and insert anew. Iteration
// is not offered, so that no order of hashing can reach a result.
// Thread: one. Owns: its slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lapwing/large_allocator.h"
#include "lapwing/prefix.h"

namespace lapwing::detectors {

/// Mixes 128 bits and a seed into 64.
inline std::uint64_t mix_words(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
  const auto fold = [](std::uint64_t x, std::uint64_t y) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(x) * y;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  return fold(a ^ seed ^ 0x9e3779b97f4a7c15, b ^ fold(seed | 1, 0xd6e8feb86659fd93));
}

/// The path identifier does not count.
inline std::uint64_t hash_nlri(std::uint64_t seed, const Nlri& nlri) {
  std::uint64_t words[2];
  static_assert(sizeof words == sizeof nlri.prefix.address.bytes);
  std::memcpy(words, nlri.prefix.address.bytes.data(), sizeof words);
  const std::uint64_t kind = static_cast<std::uint64_t>(nlri.family.afi) << 32 |
                             static_cast<std::uint64_t>(nlri.family.safi) << 16 |
                             nlri.prefix.length;
  return mix_words(mix_words(seed, words[0], words[1]), nlri.rd, kind);
}

/// A seed for hashing: an address of this process, so that no neighbour can prepare keys that
/// collide. It decides no order that anyone sees.
inline std::uint64_t seed_of(const void* object) {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(object));
}

class IdTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  /// The id for which `equal(id)` holds among those of this hash; kNone if there is none.
  template <typename Equal>
  std::uint32_t find(std::uint64_t hash, Equal&& equal) const {
    if (slots_.empty()) return kNone;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask; slots_[at].id != kNone; at = (at + 1) & mask)
      if (slots_[at].tag == tag_of(hash) && equal(slots_[at].id)) return slots_[at].id;
    return kNone;
  }

  /// True when `clear` must be called before the next `insert`.
  bool full() const { return (used_ + 1) * 4 > slots_.size() * 3; }

  /// Makes room for `count` ids and more, and forgets all: the caller inserts them again.
  void clear(std::size_t count) {
    std::size_t size = 64;
    while (size * 3 < (count + 1) * 6) size *= 2;
    slots_.assign(size, Slot{});
    used_ = 0;
  }

  void insert(std::uint64_t hash, std::uint32_t id) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].id != kNone) at = (at + 1) & mask;
    slots_[at] = {id, tag_of(hash)};
    ++used_;
  }

 private:
  struct Slot {
    std::uint32_t id = kNone;
    std::uint32_t tag = 0;
  };
  /// The place comes from the other half.
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  LargeVector<Slot> slots_;
  std::size_t used_ = 0;
};

}  // namespace lapwing::detectors
