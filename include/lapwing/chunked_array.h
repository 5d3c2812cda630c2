// An array that grows without moving its elements, so that another thread can read old ones.
//
// Elements live in chunks of a fixed size; the directory of chunks has a fixed place. One thread
// grows and writes; another may read an element whose index reached it through a queue.
// A chunk of 2 MiB is a huge page (lapwing/large_allocator.h).
// Owns: the chunks. Memory is not given back before destruction.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lapwing/large_allocator.h"

namespace lapwing {

template <typename T, unsigned kChunkBits, unsigned kDirectoryBits>
class ChunkedArray {
 public:
  ChunkedArray() : chunks_(new LargeVector<T>[kDirectory]) {}

  /// Makes `index` usable; new elements are value-initialized. False when the array is full.
  bool grow_to(std::uint64_t index) {
    if (index >> kChunkBits >= kDirectory) return false;
    while (used_ <= index >> kChunkBits) chunks_[used_++].resize(kChunk);
    return true;
  }
  T& operator[](std::uint64_t index) { return chunks_[index >> kChunkBits][index & (kChunk - 1)]; }
  const T& operator[](std::uint64_t index) const {
    return chunks_[index >> kChunkBits][index & (kChunk - 1)];
  }
  std::uint64_t footprint() const {
    return kDirectory * sizeof(LargeVector<T>) + used_ * kChunk * sizeof(T);
  }
  std::uint64_t capacity() const { return used_ * kChunk; }

 private:
  static constexpr std::uint64_t kChunk = std::uint64_t{1} << kChunkBits;
  static constexpr std::uint64_t kDirectory = std::uint64_t{1} << kDirectoryBits;
  std::unique_ptr<LargeVector<T>[]> chunks_;
  std::uint64_t used_ = 0;
};

}  // namespace lapwing
