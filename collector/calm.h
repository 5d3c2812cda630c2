// Tells when much has happened and it is calm again: the moment to give back memory.
//
// Thread: its owner's. Owns: nothing.
#pragma once

#include <cstdint>
#include <utility>

namespace lapwing::collector {

class Calm {
 public:
  static constexpr std::uint64_t kMuch = 100'000;  // route changes
  static constexpr std::uint64_t kFew = 250;       // between two looks

  /// To be asked at even intervals, with the route changes so far; `idle`: nothing waits for the
  /// disk. True once after much, at the first look that finds few changes since the one before.
  bool look(std::uint64_t changes, bool idle) {
    const bool few = changes - std::exchange(last_, changes) < kFew;
    if (!few || !idle || changes - since_ < kMuch) return false;
    since_ = changes;
    return true;
  }

 private:
  std::uint64_t last_ = 0;   // changes at the look before
  std::uint64_t since_ = 0;  // changes when it was true last
};

}  // namespace lapwing::collector
