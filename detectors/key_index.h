// The number of each key of 64 bits, in an open-addressed table that holds the keys themselves: a
// look-up reads one place, in huge pages where the table is large.
//
// Keys are not removed. Iteration is not offered, so that no order of hashing can reach a result.
// Thread: one. Owns: its slots, 12 octets each, at most three quarters full.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detectors/id_table.h"
#include "lapwing/large_allocator.h"

namespace lapwing::detectors {

class KeyIndex {
 public:
  static constexpr std::uint32_t kNone = IdTable::kNone;

  /// Before the first `insert`. It comes from this process, so that nobody can choose keys that
  /// collide.
  void set_seed(std::uint64_t seed) { seed_ = seed; }

  std::uint32_t find(std::uint64_t key) const {
    if (slots_.empty()) return kNone;
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash(key) & mask; slots_[at].number != kNone; at = (at + 1) & mask)
      if (slots_[at].holds(key)) return slots_[at].number;
    return kNone;
  }

  /// The key is not in it.
  void insert(std::uint64_t key, std::uint32_t number) {
    if ((used_ + 1) * 4 > slots_.size() * 3) grow();
    place(Slot(key, number));
    ++used_;
  }

 private:
  struct Slot {
    std::uint32_t low = 0, high = 0;  // two halves: one number of eight octets would make it sixteen
    std::uint32_t number = kNone;

    Slot() = default;
    Slot(std::uint64_t key, std::uint32_t its_number)
        : low(static_cast<std::uint32_t>(key)),
          high(static_cast<std::uint32_t>(key >> 32)),
          number(its_number) {}
    std::uint64_t key() const { return static_cast<std::uint64_t>(high) << 32 | low; }
    bool holds(std::uint64_t wanted) const { return key() == wanted; }
  };
  static_assert(sizeof(Slot) == 12);

  std::uint64_t hash(std::uint64_t key) const { return mix_words(seed_, key, 0); }

  void place(const Slot& slot) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash(slot.key()) & mask;
    while (slots_[at].number != kNone) at = (at + 1) & mask;
    slots_[at] = slot;
  }

  void grow() {
    LargeVector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.number != kNone) place(slot);
  }

  LargeVector<Slot> slots_;
  std::uint64_t seed_ = 0;
  std::size_t used_ = 0;
};

}  // namespace lapwing::detectors
