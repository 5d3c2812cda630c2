// Attribute sets as they are kept in memory: half the octets of the canonical form.
//
// What nearly every set has is told by bits instead of headers; the next hop and the neighbour's AS,
// which come together in thousands of sets, by one number; numbers are varints; and a community names
// its AS by the place in the AS_PATH where it stands, most often. What does not fit stays as it is.
// Equal sets have equal octets, and unpacking gives back exactly what was packed.
//
//     shape (varint of bits) | size and entries (lapwing/path.h) of the rest | head
//     | AS_PATH: count, ASNs less the first | MULTI_EXIT_DISC | LOCAL_PREF | COMMUNITIES
//     | LARGE_COMMUNITY
//
// each only where its bit is set, numbers as varints. A list of communities is their number, then for
// each the code (3 bits) and the low half in 13 bits; or, where these are above 30 * 256 + 255, 31 in
// 5 bits and the low half in two octets. For a large one it is the code (one octet) and two numbers.
// Code 0 to 5: the ASN at that place of the path, repetitions left out; 6: as in the one before; 7:
// told next, in two (four) octets.
// Thread: engine; `unpack` also where a set's number came through a queue. Owns: the heads.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <vector>

#include "lapwing/chunked_array.h"
#include "lapwing/path.h"

namespace lapwing::rib {

/// Room for one unpacked set. Kept from set to set it costs no allocation.
using PathBuffer = std::vector<std::uint8_t>;

class AttributePacker {
 public:
  /// Valid until the next call. Octets that are not canonical can be packed, too: they stay as they are.
  Octets pack(Octets canonical);
  /// What was packed. `packed` may be longer than that was. Valid until `buffer` is used again.
  Octets unpack(Octets packed, PathBuffer& buffer) const;

  std::uint64_t footprint() const { return heads_.footprint(); }

 private:
  static constexpr std::uint32_t kMaxHeads = 1 << 14;  // what comes later is told in full
  static constexpr std::uint32_t kNoHead = kMaxHeads;

  /// NEXT_HOP and, where the path has one, its first ASN.
  struct Head {
    std::uint8_t size = 0;  // of the next hop
    bool has_as = false;
    std::array<std::uint8_t, 32> next_hop{};
    Asn as = 0;
    friend bool operator==(const Head&, const Head&) = default;
  };
  struct HeadHash {
    using is_avalanching = void;
    std::size_t operator()(const Head& head) const;
  };
  std::uint32_t number_of(const Head& head);

  ChunkedArray<Head, 10, 4> heads_;  // by number; any set may name one: never freed
  boost::unordered_flat_map<Head, std::uint32_t, HeadHash> numbers_;
  std::uint32_t latest_ = kNoHead;  // most often it is the same as before
  std::vector<std::uint8_t> scratch_;
};

}  // namespace lapwing::rib
