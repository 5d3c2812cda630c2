// AS_PATH and AS4_PATH as on the wire: checks, the merge of both, and the canonical encoding.
//
// Thread: any. Owns: nothing.
// Implements RFC 4271 4.3 and 6.3, RFC 5065 3 and 5.3 (confederations), RFC 6793 4.2.3 and 6
// (merge, confederation segments in AS4_PATH), RFC 7606 7.2, RFC 7607 (AS 0). Neighbouring
// AS_SEQUENCE (and neighbouring AS_CONFED_SEQUENCE) segments become one, because a long path must
// be split on the wire (255 ASNs a segment) and may be split anywhere: equal paths then are equal
// octets. More than `kMaxHops` ASNs are an error (treat-as-withdraw), which is our own limit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lapwing/path.h"
#include "lapwing/prefix.h"

namespace lapwing::bgp {

inline constexpr std::uint32_t kMaxHops = 4000;

/// What one walk over a path found.
struct AsPathSummary {
  const char* error = nullptr;  // why it is malformed; nullptr: it is not
  bool as_zero = false;         // an error too
  bool confederation = false;   // has AS_CONFED_* segments
  bool set = false;             // has an AS_SET or AS_CONFED_SET
  bool loop = false;            // has `local_as`
  std::uint32_t asns = 0;       // all of them
  std::uint32_t hops = 0;  // RFC 4271 9.1.2.2: a set counts as one, confederations do not count
  Asn first = 0;           // of the first segment; 0 in an empty path
};

/// `width` is 2 or 4 octets an ASN. `local_as` 0: do not look for loops.
AsPathSummary check_as_path(Octets path, unsigned width, Asn local_as);

/// Octets that `write_as_path` needs at most for paths of these sizes.
constexpr std::size_t as_path_bound(std::size_t path, std::size_t as4_path) {
  return 2 * (path + as4_path) + 16;
}

/// Writes the canonical value of a checked path to `out` and returns its end.
std::uint8_t* write_as_path(Octets path, unsigned width, std::uint8_t* out);

/// Writes the canonical value of a two-octet AS_PATH merged with an AS4_PATH, both checked; `hops`
/// of each as `check_as_path` gave it. An AS4_PATH that is longer than the AS_PATH is ignored.
std::uint8_t* write_merged_as_path(Octets path, std::uint32_t hops, Octets as4_path,
                                   std::uint32_t as4_hops, std::uint8_t* out);

}  // namespace lapwing::bgp
