// How long to wait before the next try: from a first pause, doubled each time, to a longest one.
//
// Thread: its owner's.
#pragma once

#include <algorithm>
#include <chrono>

namespace lapwing::sinks {

class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : first_(first), longest_(longest), pause_(first) {}

  /// The pause before this try; the next one is twice as long.
  std::chrono::milliseconds next() {
    const std::chrono::milliseconds pause = pause_;
    pause_ = std::min(pause_ * 2, longest_);
    return pause;
  }
  /// Something worked: start from the first pause again.
  void reset() { pause_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds pause_;
};

}  // namespace lapwing::sinks
