// Asks for the cache line at an address that will be read or written soon.
//
// GCC takes a function in which nothing but __builtin_prefetch happens for one without effects, and
// drops the calls of it that it did not inline at once: half of all prefetches were never made. The
// empty assembly is an effect that costs no instruction.
// Thread: any. Any address will do, also one that is not mapped.
#pragma once

namespace lapwing {

inline void prefetch_line(const void* address) {
  __builtin_prefetch(address);
  asm volatile("" : : "r"(address));
}

}  // namespace lapwing
