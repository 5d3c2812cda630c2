// Path attributes: the table of what each must look like, the walk over them, the canonical form.
//
// `AttributeSet::parse` walks the octets once and keeps, for each type, where its value stands and
// what is wrong with it. What is wrong is a `Finding` with the action that RFC 7606 gives it. The
// caller then asks for the canonical form (lapwing/path.h).
// Thread: any. Owns: nothing; a parsed set is a view into the message.
// Implements RFC 4271 4.3, 5 and 6.3; RFC 7606 3, 4 and 7; RFC 1997, 2545, 4360, 4456, 4760, 5065,
// 5701, 6793, 7607, 8092, 8950, 9234. SRv6 services in Prefix-SID are checked (RFC 9252 7).
// Decisions where the RFCs leave room:
// - an unknown well-known attribute is treat-as-withdraw, not 3/2 (RFC 7606 2 prefers it);
// - an unknown optional non-transitive attribute is ignored and counted (RFC 4271 5);
// - an MP_REACH_NLRI next hop of a length that exists (4, 12, 16, 24, 32, 48) but does not suit the
//   family or was not negotiated is treat-as-withdraw, because its NLRI can be located; any other
//   length is 3/1 (RFC 7606 7.11);
// - a next hop in 0/8, 127/8, 224/4, 255.255.255.255, :: or ::1 is treat-as-withdraw (RFC
//   4271 6.3), unless nothing is known of the peer (a file); 240/4 is taken, and so are 127/8 and
//   ::1 from a neighbour with such an address;
// - Partial and the four low bits of the flags are not judged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bgp/nlri.h"
#include "bgp/open.h"
#include "lapwing/path.h"

namespace lapwing::bgp {

/// In ascending order of strength.
enum class ErrorAction : std::uint8_t { kNone, kAttributeDiscard, kTreatAsWithdraw, kSessionReset };

/// "none", "attribute discard", "treat as withdraw", "session reset".
std::string_view to_string(ErrorAction action);

struct Finding {
  ErrorAction action = ErrorAction::kNone;
  std::uint8_t type = 0;     // of the attribute; 0: the message
  std::uint8_t subcode = 0;  // of UPDATE Message Error, should it come to a reset
  std::string_view reason;   // static text
  std::string_view rfc;      // "RFC 7606 7.1"; static text
  Octets octets;             // the attribute with its header, or the field; a view into the message
};

/// The first few findings of a message and, always, the first one of the strongest action.
class Findings {
 public:
  static constexpr std::size_t kMax = 8;

  void clear() {
    strongest_.action = ErrorAction::kNone;
    kept_ = 0;
    total_ = 0;
  }
  void add(const Finding& finding);
  ErrorAction action() const { return strongest_.action; }
  /// Meaningful unless `action()` is kNone.
  const Finding& strongest() const { return strongest_; }
  const Finding* begin() const { return list_.data(); }
  const Finding* end() const { return list_.data() + kept_; }
  bool empty() const { return total_ == 0; }
  std::uint32_t total() const { return total_; }

 private:
  Finding strongest_;
  std::array<Finding, kMax> list_;
  std::size_t kept_ = 0;
  std::uint32_t total_ = 0;
};

/// Odd but right; for counters and flags in the API.
namespace note {
inline constexpr std::uint8_t kAsSet = 1;           // RFC 9774
inline constexpr std::uint8_t kOwnAsInPath = 2;     // RFC 4271 9.1.2
inline constexpr std::uint8_t kFirstAsDiffers = 4;  // RFC 4271 6.3; a route server's way
inline constexpr std::uint8_t kEmptyPathFromEbgp = 8;
inline constexpr std::uint8_t kAs4PathIgnored = 16;  // RFC 6793 4.2.3
}  // namespace note

/// MP_REACH_NLRI or MP_UNREACH_NLRI.
struct MpAttribute {
  bool present = false;
  bool ignored = false;  // its family was not negotiated
  NlriRange nlri;
  std::array<std::uint8_t, 32> next_hop_octets{};
  std::uint8_t next_hop_size = 0;  // MP_REACH_NLRI: 4, 16 or 32 octets, without RD

  Octets next_hop() const { return {next_hop_octets.data(), next_hop_size}; }
};

/// One attribute as it was received. Not initialized: see `AttributeSet::has`.
struct RawAttribute {
  const std::uint8_t* value;
  std::uint16_t size;
  std::uint8_t flags;
};

/// How MP_REACH_NLRI is encoded.
enum class MpReachForm : std::uint8_t {
  kFull,         // RFC 4760 3
  kAbbreviated,  // RFC 6396 4.3.4: length and next hop only; the full form is recognised
};

class AttributeSet {
 public:
  AttributeSet() = default;
  AttributeSet(const AttributeSet&) = delete;
  AttributeSet& operator=(const AttributeSet&) = delete;

  /// Reads all attributes. May be used again and again; no allocation.
  void parse(Octets octets, const SessionParameters& session, MpReachForm form, Findings& findings);

  bool has(std::uint8_t type) const { return test(present_, type); }
  /// Meaningful where `has(type)`.
  const RawAttribute& raw(std::uint8_t type) const { return raw_[type]; }
  const MpAttribute& reach() const { return reach_; }
  const MpAttribute& unreach() const { return unreach_; }
  std::uint8_t notes() const { return notes_; }
  /// Attributes seen, discarded ones included.
  std::uint32_t seen() const { return seen_; }
  /// Unknown optional attributes: kept (transitive) and ignored (non-transitive).
  std::uint32_t unknown_kept() const { return unknown_kept_; }
  std::uint32_t unknown_ignored() const { return unknown_ignored_; }
  /// False when NEXT_HOP has a value that cannot be a next hop.
  bool next_hop_usable() const { return next_hop_usable_; }

  /// Appends the canonical set with this next hop (empty: none).
  void append_canonical(Octets next_hop, std::vector<std::uint8_t>& out) const;

 private:
  friend struct AttributeChecker;
  using Bits = std::array<std::uint64_t, 4>;
  static bool test(const Bits& bits, std::uint8_t type) {
    return (bits[type >> 6] >> (type & 63) & 1) != 0;
  }
  static void set(Bits& bits, std::uint8_t type) {
    bits[type >> 6] |= std::uint64_t{1} << (type & 63);
  }

  void reset(std::size_t octets, const SessionParameters& session);
  void settle_four_octet_as();
  std::uint8_t* write(std::uint8_t type, std::uint8_t* out) const;
  std::uint8_t* write_canonical(Octets next_hop, std::uint8_t* out) const;
  std::uint8_t* write_as_path_value(std::uint8_t* out) const;

  Bits seen_bits_{};  // first ones, discarded ones included
  Bits present_{};    // those that stay
  std::array<RawAttribute, 256> raw_;
  std::size_t octets_ = 0;  // of the whole block
  MpAttribute reach_;
  MpAttribute unreach_;
  std::uint32_t hops_ = 0;
  std::uint32_t as4_hops_ = 0;
  std::uint32_t seen_ = 0;
  std::uint32_t unknown_kept_ = 0;
  std::uint32_t unknown_ignored_ = 0;
  std::uint8_t as_width_ = 4;
  std::uint8_t notes_ = 0;
  bool next_hop_usable_ = true;
  bool use_as4_path_ = false;
  bool use_as4_aggregator_ = false;
};

/// For table dumps: raw path attributes of one entry to an appended canonical set, next hop from
/// MP_REACH_NLRI or else NEXT_HOP. `findings` is cleared first. Gives the strongest action; with
/// kTreatAsWithdraw or stronger nothing is appended. Missing attributes are no error here.
ErrorAction append_attributes(Octets attributes, const SessionParameters& session, MpReachForm form,
                              std::vector<std::uint8_t>& out, Findings& findings);

}  // namespace lapwing::bgp
