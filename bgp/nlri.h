// NLRI fields: checked once, then read without a way to fail.
//
// Thread: any. Owns: nothing; a range is a view into its message.
// Implements RFC 4271 4.3, RFC 4760 5, RFC 7911 3 (path identifiers), RFC 8277 2 (one label;
// a stack, where one label would leave more bits than an address has), RFC 4364 4.3.4,
// RFC 4659 3.2 (RD), RFC 7606 5.3. Bits beyond the prefix length are cleared (RFC 4271 4.3).
#pragma once

#include <cstdint>
#include <vector>

#include "bgp/record.h"
#include "bgp/wire.h"
#include "lapwing/path.h"
#include "lapwing/prefix.h"

namespace lapwing::bgp {

/// Encoded NLRI of one family.
struct NlriRange {
  Family family;
  bool path_ids = false;
  Octets octets;
  std::uint32_t count = 0;
};

/// Reads one NLRI of a family of `FamilySet`. False when it does not fit `in` or its length is
/// out of range; `key` is then untouched.
bool read_nlri(Cursor& in, Family family, bool path_ids, NlriKey& key);

/// Walks the range and sets its count; false when an NLRI in it cannot be read.
bool check_nlri(NlriRange& range);

/// Appends the keys of a checked range.
void append_nlri(const NlriRange& range, std::vector<NlriKey>& out);

}  // namespace lapwing::bgp
