// What the operator says about the speaker and its neighbours, checked and ready for use.
//
// Thread: built on main, copied to the io thread. Owns: all text.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lapwing/prefix.h"

namespace lapwing::bgp {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 179;
  std::string scope;  // interface name of a link-local IPv6 address
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// RFC 9234 4.1. Not advertised unless configured: a collector should not.
enum class Role : std::uint8_t {
  kProvider = 0,
  kRouteServer = 1,
  kRouteServerClient = 2,
  kCustomer = 3,
  kPeer = 4,
};

/// The most routes that a neighbour may announce, counted for each family by itself.
struct MaxPrefix {
  std::uint64_t limit = 0;
  unsigned warn_percent = 80;
  bool shut_down = false;                                  // Cease/1 and idle; otherwise warn only
  std::vector<std::pair<Family, std::uint64_t>> families;  // instead of `limit`

  std::uint64_t limit_of(Family family) const {
    for (const auto& [own, most] : families)
      if (own == family) return most;
    return limit;
  }
  friend bool operator==(const MaxPrefix&, const MaxPrefix&) = default;
};

/// Ten full tables of each family: where nothing is configured, memory is bounded all the same.
inline constexpr std::uint64_t kDefaultMaxPrefix = 10'000'000;
/// Octets of attribute sets that a neighbour may bring in: a full table has 20 MB.
inline constexpr std::uint64_t kDefaultMaxAttributes = std::uint64_t{1} << 30;

/// TCP-AO (RFC 5925): the numbers under which both sides know the one master key, and its
/// algorithm.
struct TcpAo {
  /// 96 bits of either are sent (RFC 5926 3.2).
  enum class Algorithm : std::uint8_t { kHmacSha1, kAes128Cmac };

  Algorithm algorithm = Algorithm::kHmacSha1;
  std::uint8_t send_id = 0;
  std::uint8_t receive_id = 0;
  friend bool operator==(const TcpAo&, const TcpAo&) = default;
};

/// One [[neighbor]] table.
struct NeighborConfig {
  std::string name;
  IpAddress address;            // of a single neighbour
  std::string scope;            // of a link-local address
  std::optional<Prefix> range;  // set: dynamic neighbours from this prefix, `address` unused
  std::uint32_t dynamic_limit = 100;
  Asn peer_as = 0;
  Asn local_as = 0;  // [speaker] local-as unless overridden
  std::uint16_t port = 179;
  std::optional<IpAddress> local_address;
  bool passive = false;  // never connects
  bool enabled = true;
  std::uint16_t hold_time = 90;            // seconds; 0 or 3..65535
  std::chrono::seconds connect_retry{10};  // first interval; doubles up to 120 s, jittered
  std::chrono::seconds quiet_period{60};   // end of the first table where no End-of-RIB comes
  std::string password;                    // TCP-MD5 (RFC 2385), or the key of TCP-AO; never shown
  std::optional<TcpAo> tcp_ao;             // set: TCP-AO in place of TCP-MD5
  bool ttl_security = false;               // GTSM (RFC 5082)
  std::optional<unsigned> multihop;  // TTL of our packets; none: 1 for eBGP unless ttl_security
  std::vector<Family> families{kIpv4Unicast, kIpv6Unicast};
  std::vector<Family> add_path;   // receive (RFC 7911)
  bool extended_messages = true;  // RFC 8654
  std::optional<Role> role;
  MaxPrefix max_prefix{kDefaultMaxPrefix, 80, true, {}};
  std::uint64_t max_attributes = kDefaultMaxAttributes;
  std::string description;
  friend bool operator==(const NeighborConfig&, const NeighborConfig&) = default;
};

struct SpeakerConfig {
  Asn local_as = 0;
  IpAddress router_id;  // IPv4
  std::vector<Endpoint> listen;
  friend bool operator==(const SpeakerConfig&, const SpeakerConfig&) = default;
};

}  // namespace lapwing::bgp
