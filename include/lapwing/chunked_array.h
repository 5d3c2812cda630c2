// An array that grows without moving its elements, so that another thread can read old ones.
//
// Elements live in chunks of a fixed size; the directory of chunks has a fixed place. One thread
// grows and writes; another may read an element whose index reached it through a queue.
// A chunk of 2 MiB begins in small pages: only what is used of it costs memory, and time to clear it.
// Once it is full the kernel may make a huge page of it (lapwing/large_allocator.h).
// Owns: the chunks. Memory is not given back before destruction.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "lapwing/large_allocator.h"

namespace lapwing {

template <typename T, unsigned kChunkBits, unsigned kDirectoryBits>
class ChunkedArray {
 public:
  // The part of the directory that is not used yet is never read, nor written: it takes no room.
  ChunkedArray() : chunks_(std::make_unique_for_overwrite<T*[]>(kDirectory)) {}
  ~ChunkedArray() {
    for (std::uint64_t at = 0; at < ready_; at += kChunk)
      std::destroy_n(chunk_of(at), std::min(kChunk, ready_ - at));
    for (std::uint64_t at = 0; at < capacity_; at += kChunk)
      LargeAllocator<T>().deallocate(chunk_of(at), kChunk);
  }
  ChunkedArray(const ChunkedArray&) = delete;
  ChunkedArray& operator=(const ChunkedArray&) = delete;

  /// Makes `index` usable; new elements are value-initialized. False when the array is full.
  bool grow_to(std::uint64_t index) {
    if (index < ready_) return true;
    if (index >> kChunkBits >= kDirectory) return false;
    make_ready(index);
    return true;
  }
  /// `grow_to` made it usable.
  bool has(std::uint64_t index) const { return index < ready_; }
  T& operator[](std::uint64_t index) { return chunk_of(index)[index & (kChunk - 1)]; }
  const T& operator[](std::uint64_t index) const { return chunk_of(index)[index & (kChunk - 1)]; }
  std::uint64_t footprint() const { return kDirectory * sizeof(T*) + capacity_ * sizeof(T); }

 private:
  static constexpr std::uint64_t kChunk = std::uint64_t{1} << kChunkBits;
  static constexpr std::uint64_t kDirectory = std::uint64_t{1} << kDirectoryBits;
  static constexpr std::uint64_t kStep = std::max<std::uint64_t>(1, 4096 / sizeof(T));

  T* chunk_of(std::uint64_t index) const { return chunks_[index >> kChunkBits]; }

  void make_ready(std::uint64_t index) {
    while (index >= ready_) {
      if (ready_ == capacity_) {
        chunks_[ready_ >> kChunkBits] = LargeAllocator<T>().allocate_in_small_pages(kChunk);
        if (ready_ != 0) LargeAllocator<T>::allow_huge_pages(chunk_of(ready_ - kChunk), kChunk);
        capacity_ += kChunk;
      }
      const std::uint64_t step = std::min(kStep, capacity_ - ready_);
      std::uninitialized_value_construct_n(&(*this)[ready_], step);
      ready_ += step;
    }
  }

  std::unique_ptr<T*[]> chunks_;
  std::uint64_t ready_ = 0;     // elements that live
  std::uint64_t capacity_ = 0;  // elements that have memory
};

}  // namespace lapwing
