#include "collector/apart.h"

namespace lapwing::collector {

void Apart::begin_wait(Side side) {
  OneSide& own = sides_[side];
  const int cpu = sides_[other(side)].cpu.load(std::memory_order_relaxed);
  if (cpu < 0 || cpu >= CPU_SETSIZE ||
      ::sched_getaffinity(0, sizeof own.allowed, &own.allowed) != 0)
    return;
  cpu_set_t elsewhere = own.allowed;
  CPU_CLR(static_cast<std::size_t>(cpu), &elsewhere);
  own.excludes =
      CPU_COUNT(&elsewhere) != 0 && ::sched_setaffinity(0, sizeof elsewhere, &elsewhere) == 0;
}

void Apart::end_wait(Side side) {
  OneSide& own = sides_[side];
  if (own.excludes) ::sched_setaffinity(0, sizeof own.allowed, &own.allowed);
  own.excludes = false;
  here(side);
}

}  // namespace lapwing::collector
