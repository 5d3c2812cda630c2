// Keeps two threads that wait for each other on processors of their own.
//
// A thread is woken beside the one that wakes it unless another processor is known to be idle. In a
// virtual machine an idle processor looks taken away (KVM), so two threads that work hand in hand
// end up sharing one while the next stands idle: a replay took up to a half more time. So who waits says
// before it does where it will not be woken. While it runs it may run anywhere: where others want the
// processors, too, the kernel moves it as ever.
// Thread: each side its own functions. Owns: nothing. Only a wish: without it all works as well.
#pragma once

#include <sched.h>

#include <array>
#include <atomic>
#include <cstddef>

namespace lapwing::collector {

class Apart {
 public:
  enum Side : std::size_t { kDecoder, kEngine };

  /// Where this side runs, from time to time.
  void here(Side side) { sides_[side].cpu.store(::sched_getcpu(), std::memory_order_relaxed); }
  /// Until `end_wait` the calling thread is on any processor that it may use but the other side's.
  void begin_wait(Side side);
  void end_wait(Side side);

 private:
  static constexpr Side other(Side side) { return side == kDecoder ? kEngine : kDecoder; }

  struct OneSide {
    std::atomic<int> cpu{-1};
    // Of its thread alone: which it may use; asked each time, for an operator may change it meanwhile.
    cpu_set_t allowed;
    bool excludes = false;
  };
  std::array<OneSide, 2> sides_;
};

}  // namespace lapwing::collector
