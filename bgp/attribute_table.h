// One row for each path attribute that has rules: what is right, and what to do when it is not.
//
// `AttributeSet::parse` applies a row in this order: unwanted from an external neighbour, flags,
// length, then the check of the value. Types without a row are unknown.
// Thread: any. Owns: nothing; all of it is static.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "bgp/attributes.h"

namespace lapwing::bgp {

struct AttributeWalk {
  const SessionParameters& session;
  MpReachForm form;
  AttributeSet& set;
};

/// What a check says of a value; kNone: it is right. The reason is static text.
struct Verdict {
  ErrorAction action = ErrorAction::kNone;
  std::uint8_t subcode = 0;
  const char* reason = nullptr;
  const char* rfc = nullptr;
};

using AttributeCheck = Verdict (*)(AttributeWalk&, Octets value);

/// Flags of RFC 4271 4.3.
inline constexpr std::uint8_t kOptional = 0x80;
inline constexpr std::uint8_t kTransitive = 0x40;
inline constexpr std::uint8_t kPartial = 0x20;
inline constexpr std::uint8_t kExtendedLength = 0x10;

struct AttributeRule {
  std::uint8_t type = 0;
  const char* name = nullptr;
  std::uint8_t flags = 0;                        // Optional and Transitive as they must be
  ErrorAction wrong_flags = ErrorAction::kNone;  // kNone: not judged
  std::uint16_t min = 0;
  std::uint16_t max = 0xffff;
  std::uint16_t multiple = 1;
  ErrorAction external = ErrorAction::kNone;  // wrong length, from eBGP or an unknown peer
  ErrorAction internal = ErrorAction::kNone;  // wrong length, from iBGP
  /// Discarded when it comes from eBGP; AS4_*: on a session with 4-octet ASNs.
  bool depends_on_session = false;
  AttributeCheck check = nullptr;
  const char* rfc = nullptr;
};

/// By type; nullptr: the attribute is unknown.
extern const std::array<const AttributeRule*, 256> kAttributeRules;

inline const AttributeRule* attribute_rule(std::uint8_t type) { return kAttributeRules[type]; }

/// "AS_PATH", "type 99".
std::string attribute_name(std::uint8_t type);

}  // namespace lapwing::bgp
