// OPEN: capabilities of both sides, validation, and what a session has agreed on.
//
// `decode_open` reads the neighbour's OPEN, `check_open` judges it, `negotiate` gives the
// `SessionParameters` that everything behind OPEN (UPDATE decoding, timers) takes as an argument.
// Thread: any. Owns: what it decodes.
// Implements RFC 4271 4.2 and 6.2, RFC 4760 8, RFC 5492, RFC 6286, RFC 6793, RFC 9072, and the
// capabilities of RFC 2918, 4724, 6793, 7313, 7911, 8538, 8654, 8950, 9234, 9494 and FQDN, software
// version (drafts). Of a capability that is there twice with different values the first one counts,
// except that list capabilities (1, 5, 64, 69, 71) are joined (RFC 5492 4). A capability whose
// length cannot be right: Multiprotocol, ORF, Graceful Restart, 4-octet AS and Role are answered
// with 2/0; of any other known capability it is taken as not announced.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bgp/config.h"
#include "bgp/message.h"
#include "bgp/notification.h"
#include "lapwing/path.h"
#include "lapwing/prefix.h"

namespace lapwing::bgp {

inline constexpr Asn kAsTrans = 23456;  // RFC 6793 9

/// A set of the families that Lapwing decodes: IPv4 and IPv6 with SAFI 1, 2, 4 and 128. Others can
/// be in no set.
class FamilySet {
 public:
  static constexpr int kCount = 8;
  /// 0 to 7, or -1 for a family that Lapwing does not decode.
  static constexpr int index(Family f) {
    if (f.afi != kAfiIpv4 && f.afi != kAfiIpv6) return -1;
    const int base = f.afi == kAfiIpv4 ? 0 : 4;
    switch (f.safi) {
      case kSafiUnicast:
        return base;
      case kSafiMulticast:
        return base + 1;
      case kSafiLabeled:
        return base + 2;
      case kSafiVpn:
        return base + 3;
      default:
        return -1;
    }
  }
  static constexpr Family family(int index) {
    constexpr std::uint8_t kSafis[] = {kSafiUnicast, kSafiMulticast, kSafiLabeled, kSafiVpn};
    return {index < 4 ? kAfiIpv4 : kAfiIpv6, kSafis[index & 3]};
  }
  static constexpr FamilySet all() { return FamilySet(0xff); }

  constexpr FamilySet() = default;
  constexpr bool contains(Family f) const {
    const int i = index(f);
    return i >= 0 && (bits_ >> i & 1) != 0;
  }
  constexpr void insert(Family f) {
    const int i = index(f);
    if (i >= 0) bits_ = static_cast<std::uint8_t>(bits_ | 1u << i);
  }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr FamilySet operator&(FamilySet other) const {
    return FamilySet(static_cast<std::uint8_t>(bits_ & other.bits_));
  }
  /// In ascending order of AFI, then SAFI.
  std::vector<Family> to_vector() const {
    std::vector<Family> families;
    for (int i = 0; i < kCount; ++i)
      if ((bits_ >> i & 1) != 0) families.push_back(family(i));
    return families;
  }
  friend constexpr bool operator==(const FamilySet&, const FamilySet&) = default;

 private:
  constexpr explicit FamilySet(std::uint8_t bits) : bits_(bits) {}
  std::uint8_t bits_ = 0;
};

namespace capability {
inline constexpr std::uint8_t kMultiprotocol = 1;              // RFC 4760
inline constexpr std::uint8_t kRouteRefresh = 2;               // RFC 2918
inline constexpr std::uint8_t kOutboundRouteFiltering = 3;     // RFC 5291
inline constexpr std::uint8_t kExtendedNextHop = 5;            // RFC 8950
inline constexpr std::uint8_t kExtendedMessage = 6;            // RFC 8654
inline constexpr std::uint8_t kRole = 9;                       // RFC 9234
inline constexpr std::uint8_t kGracefulRestart = 64;           // RFC 4724
inline constexpr std::uint8_t kFourOctetAs = 65;               // RFC 6793
inline constexpr std::uint8_t kAddPath = 69;                   // RFC 7911
inline constexpr std::uint8_t kEnhancedRouteRefresh = 70;      // RFC 7313
inline constexpr std::uint8_t kLongLivedGracefulRestart = 71;  // RFC 9494
inline constexpr std::uint8_t kFqdn = 73;
inline constexpr std::uint8_t kSoftwareVersion = 75;
}  // namespace capability

struct ExtendedNextHop {
  Family family;
  std::uint16_t next_hop_afi = 0;
  friend bool operator==(const ExtendedNextHop&, const ExtendedNextHop&) = default;
};

struct AddPathFamily {
  Family family;
  bool receive = false;  // the sender of the capability can receive
  bool send = false;
  friend bool operator==(const AddPathFamily&, const AddPathFamily&) = default;
};

struct GracefulRestartFamily {
  Family family;
  bool forwarding = false;  // F bit
  friend bool operator==(const GracefulRestartFamily&, const GracefulRestartFamily&) = default;
};

struct GracefulRestart {
  bool restarting = false;    // R bit
  bool notification = false;  // N bit, RFC 8538
  std::uint16_t time = 0;     // seconds, 0..4095
  std::vector<GracefulRestartFamily> families;
  friend bool operator==(const GracefulRestart&, const GracefulRestart&) = default;
};

struct LongLivedFamily {
  Family family;
  bool forwarding = false;
  std::uint32_t stale_time = 0;  // seconds, 24 bits
  friend bool operator==(const LongLivedFamily&, const LongLivedFamily&) = default;
};

struct UnknownCapability {
  std::uint8_t code = 0;
  std::vector<std::uint8_t> value;
  friend bool operator==(const UnknownCapability&, const UnknownCapability&) = default;
};

struct Capabilities {
  std::vector<Family> families;  // Multiprotocol; any AFI and SAFI; none: IPv4 unicast (RFC 4760 8)
  bool route_refresh = false;
  std::vector<ExtendedNextHop> extended_next_hop;
  bool extended_message = false;
  std::optional<std::uint8_t> role;
  std::optional<GracefulRestart> graceful_restart;
  std::optional<Asn> four_octet_as;
  std::vector<AddPathFamily> add_path;
  bool enhanced_route_refresh = false;
  std::vector<LongLivedFamily> long_lived;
  std::string host_name;  // raw octets of the neighbour: escape before showing
  std::string domain_name;
  std::string software_version;
  std::vector<UnknownCapability> unknown;
  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

struct Open {
  std::uint8_t version = 4;
  Asn as = 0;                   // of the 4-octet AS capability where it is there
  std::uint16_t as_field = 0;   // "My Autonomous System"; set by `decode_open` only
  std::uint16_t hold_time = 0;  // seconds
  IpAddress router_id;          // IPv4
  Capabilities capabilities;
  friend bool operator==(const Open&, const Open&) = default;
};

/// Our OPEN to this neighbour, as the configuration has it. `restarting` sets the R bit: our
/// process has started again and keeps the routes of before.
Open make_open(const NeighborConfig& neighbor, const IpAddress& router_id, bool restarting);

/// Appends one whole OPEN. AS_TRANS where `as` does not fit (RFC 6793 4.2.2); extended parameters
/// (RFC 9072) where the capabilities need more than 255 octets. `as` over 65535 needs the
/// capability.
void encode_open(const Open& open, std::vector<std::uint8_t>& out);

/// Reads the body of an OPEN. An error is the NOTIFICATION to send: 2/0, 2/1, 2/4.
std::optional<Notification> decode_open(Octets body, Open& out);

/// What we expect of the neighbour.
struct OpenExpectation {
  Asn local_as = 0;
  Asn peer_as = 0;           // 0: any
  IpAddress router_id;       // ours
  std::optional<Role> role;  // ours, where we announced one
};

/// Judges what `decode_open` has read: 2/2, 2/3, 2/6, 2/11, or nullopt.
std::optional<Notification> check_open(const Open& theirs, const OpenExpectation& expected);

/// kUnknown: a file does not say; nothing is then an error that depends on it.
enum class PeerKind : std::uint8_t { kUnknown, kExternal, kInternal };

/// What both sides have agreed on. Plain data; copy it freely.
struct SessionParameters {
  PeerKind kind = PeerKind::kUnknown;
  bool confederation = false;  // external, but a member of our confederation (RFC 5065)
  bool loopback = false;       // the neighbour is on this host: 127/8 and ::1 are next hops
  Asn local_as = 0;
  Asn peer_as = 0;
  IpAddress local_router_id;
  IpAddress peer_router_id;

  FamilySet families;           // both sides announced
  FamilySet add_path;           // the neighbour sends path identifiers (RFC 7911)
  FamilySet extended_next_hop;  // IPv4 families with IPv6 next hops (RFC 8950)
  bool four_octet_as = false;
  bool extended_messages = false;
  bool route_refresh = false;           // the neighbour answers ROUTE-REFRESH
  bool enhanced_route_refresh = false;  // and frames its answer by BoRR and EoRR

  bool graceful_restart = false;       // the neighbour announced it: it sends End-of-RIB
  bool peer_restarting = false;        // R bit
  bool graceful_notification = false;  // both set the N bit (RFC 8538)
  std::uint16_t restart_time = 0;      // seconds, theirs
  FamilySet restart_families;          // theirs, among `families`
  FamilySet forwarding_families;       // F bit
  std::array<std::uint32_t, FamilySet::kCount> long_lived_time{};  // seconds, by FamilySet::index

  std::uint16_t hold_time = 0;           // seconds; 0: no keepalives
  std::uint16_t keepalive_interval = 0;  // seconds

  bool internal() const { return kind == PeerKind::kInternal; }
  std::size_t max_message_size() const {
    return extended_messages ? kMaxExtendedMessageSize : kMaxMessageSize;
  }
  /// For messages in a file: all families, IPv6 next hops and nothing known of the peer.
  static SessionParameters of_file(bool four_octet_as, bool add_path) {
    SessionParameters p;
    p.families = FamilySet::all();
    if (add_path) p.add_path = FamilySet::all();
    p.extended_next_hop = FamilySet::all();
    p.four_octet_as = four_octet_as;
    p.extended_messages = true;
    return p;
  }
};

/// Both OPENs have been checked.
SessionParameters negotiate(const Open& ours, const Open& theirs);

/// "ipv4-unicast, ipv6-unicast, route-refresh, 4-octet-as 64512, add-path ipv4-unicast receive …",
/// for a person; escaped, one line.
std::string describe_capabilities(const Capabilities& capabilities);

}  // namespace lapwing::bgp
