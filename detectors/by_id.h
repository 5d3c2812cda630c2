// What a detector remembers of each path or prefix by its id: a small value, `kUnset` where there
// is none.
//
// Ids are dense, so it is an array, and it grows without a copy.
// Thread: engine. Owns: the memory.
#pragma once

#include <bit>
#include <cstdint>

#include "lapwing/chunked_array.h"
#include "lapwing/prefetch.h"

namespace lapwing::detectors {

template <typename T, T kUnset>
class ById {
 public:
  T operator[](std::uint32_t id) const { return has(id) ? values_[id].value : kUnset; }
  /// Makes room where there is none. Throws std::bad_alloc.
  void set(std::uint32_t id, T value) {
    values_.grow_to(id);
    values_[id].value = value;
  }
  void reset(std::uint32_t id) {
    if (has(id)) values_[id].value = kUnset;
  }
  void prefetch(std::uint32_t id) const {
    if (has(id)) prefetch_line(&values_[id]);
  }
  std::uint64_t footprint() const { return values_.footprint(); }

 private:
  struct Value {
    T value = kUnset;
  };
  bool has(std::uint32_t id) const { return values_.has(id); }

  // Chunks of 2 MiB, for every id that there is.
  static constexpr unsigned kChunkBits = 21 - std::bit_width(sizeof(T) - 1);
  ChunkedArray<Value, kChunkBits, 32 - kChunkBits> values_;
};

}  // namespace lapwing::detectors
