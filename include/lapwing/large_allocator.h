// Memory for tables of many megabytes that are read at random: huge pages where the kernel has
// them.
//
// Such a table read with pages of 4 KiB costs a walk of the page tables for nearly every look-up,
// and in a virtual machine two. Blocks from 2 MiB on are mapped by themselves, aligned, and marked
// for huge pages (madvise(2), MADV_HUGEPAGE); smaller ones come from the heap as always.
//
// Thread: any. Owns: nothing.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace lapwing {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

namespace detail {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kMapLarge = false;  // the sanitizer watches the heap only
#else
inline constexpr bool kMapLarge = true;
#endif

inline std::size_t whole_pages(std::size_t bytes) {
  return (bytes + kHugePage - 1) / kHugePage * kHugePage;
}

/// Throws std::bad_alloc. `bytes` is a multiple of kHugePage.
inline void* map_large(std::size_t bytes, bool huge) {
  void* const mapped = ::mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t head =
      (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (head != 0) ::munmap(begin, head);
  if (head != kHugePage) ::munmap(begin + head + bytes, kHugePage - head);
  // A wish: without it all works as well.
  ::madvise(begin + head, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  return begin + head;
}

}  // namespace detail

template <typename T>
struct LargeAllocator {
  using value_type = T;

  LargeAllocator() = default;
  template <typename U>
  LargeAllocator(const LargeAllocator<U>&) {}

  T* allocate(std::size_t count) {
    if (count > SIZE_MAX / sizeof(T) - kHugePage) throw std::bad_alloc();
    const std::size_t bytes = count * sizeof(T);
    if (!detail::kMapLarge || bytes < kHugePage)
      return static_cast<T*>(::operator new (bytes, std::align_val_t{alignof(T)}));
    return static_cast<T*>(detail::map_large(detail::whole_pages(bytes), true));
  }
  /// The same without huge pages: what is never used of it takes no memory.
  T* allocate_in_small_pages(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (!detail::kMapLarge || bytes < kHugePage) return allocate(count);
    return static_cast<T*>(detail::map_large(detail::whole_pages(bytes), false));
  }
  /// Lets the kernel make huge pages of such a block when it has time (khugepaged). Others may read it.
  static void allow_huge_pages(T* block, std::size_t count) noexcept {
    const std::size_t bytes = count * sizeof(T);
    if (!detail::kMapLarge || bytes < kHugePage) return;
    ::madvise(block, detail::whole_pages(bytes), MADV_HUGEPAGE);
  }
  void deallocate(T* block, std::size_t count) noexcept {
    const std::size_t bytes = count * sizeof(T);
    if (!detail::kMapLarge || bytes < kHugePage)
      ::operator delete (block, std::align_val_t{alignof(T)});
    else
      ::munmap(block, detail::whole_pages(bytes));
  }
  friend bool operator==(const LargeAllocator&, const LargeAllocator&) { return true; }
};

template <typename T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace lapwing
