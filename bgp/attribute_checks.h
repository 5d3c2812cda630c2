// The checks of attribute values that a length alone cannot judge; named by rows of the table.
//
// Thread: any. Owns: nothing.
// Implements RFC 4271 6.3, RFC 4760 3 and 4, RFC 5065 5, RFC 6793 4.1 and 6, RFC 7606 7, RFC 7607,
// RFC 8950 4, RFC 8669 6 and RFC 9252 7.
#pragma once

#include "bgp/attribute_table.h"
#include "bgp/wire.h"

namespace lapwing::bgp {

/// Each gets a value whose length the table allows, and may keep what it learned in the set.
struct AttributeChecker {
  static Verdict origin(AttributeWalk& walk, Octets value);
  static Verdict as_path(AttributeWalk& walk, Octets value);
  static Verdict next_hop(AttributeWalk& walk, Octets value);
  static Verdict aggregator(AttributeWalk& walk, Octets value);
  static Verdict mp_reach(AttributeWalk& walk, Octets value);
  static Verdict mp_unreach(AttributeWalk& walk, Octets value);
  static Verdict as4_path(AttributeWalk& walk, Octets value);
  static Verdict as4_aggregator(AttributeWalk& walk, Octets value);
  static Verdict prefix_sid(AttributeWalk& walk, Octets value);

 private:
  static Verdict abbreviated_mp_reach(AttributeWalk& walk, Octets value);
  static Verdict read_next_hop(AttributeWalk& walk, Family family, Octets value, MpAttribute& mp);
};

}  // namespace lapwing::bgp
