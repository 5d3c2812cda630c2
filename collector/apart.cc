#include "collector/apart.h"

namespace lapwing::collector {

Apart::Apart() {
  CPU_ZERO(&allowed_);
  several_ = ::sched_getaffinity(0, sizeof allowed_, &allowed_) == 0 && CPU_COUNT(&allowed_) > 1;
}

void Apart::begin_wait(Side side) const {
  const int cpu = cpu_[other(side)].load(std::memory_order_relaxed);
  if (!several_ || cpu < 0 || cpu >= CPU_SETSIZE) return;
  cpu_set_t elsewhere = allowed_;
  CPU_CLR(static_cast<std::size_t>(cpu), &elsewhere);
  if (CPU_COUNT(&elsewhere) != 0) ::sched_setaffinity(0, sizeof elsewhere, &elsewhere);
}

void Apart::end_wait(Side side) {
  if (!several_) return;
  ::sched_setaffinity(0, sizeof allowed_, &allowed_);
  here(side);
}

}  // namespace lapwing::collector
