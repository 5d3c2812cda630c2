// A list of AS numbers that is asked for every hop of every path: nearly always the answer is no.
//
// Thread: any. Owns: its numbers, and a bitmap of 512 octets that spares the search.
#pragma once

#include <algorithm>
#include <bitset>
#include <utility>
#include <vector>

#include "lapwing/prefix.h"

namespace lapwing::detectors {

class AsSet {
 public:
  explicit AsSet(std::vector<Asn> sorted) : ases_(std::move(sorted)) {
    for (const Asn as : ases_) may_hold_.set(as % kBits);
  }
  bool contains(Asn as) const {
    return may_hold_.test(as % kBits) && std::binary_search(ases_.begin(), ases_.end(), as);
  }

 private:
  static constexpr std::size_t kBits = 4096;
  std::vector<Asn> ases_;
  std::bitset<kBits> may_hold_;
};

}  // namespace lapwing::detectors
