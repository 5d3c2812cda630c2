// Address families, IP addresses, prefixes and NLRI as values.
//
// `Prefix` is an IPv4 or IPv6 prefix in canonical form: bits beyond `length` are zero. `Nlri` is
// what a neighbour announces: a prefix, its address family (RFC 4760), and where negotiated a path
// identifier (RFC 7911) and a route distinguisher (RFC 4364). Labels are not part of the key.
// Thread: any. Owns: nothing on the heap.
#pragma once

#include <arpa/inet.h>

#include <array>
#include <bit>
#include <charconv>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace lapwing {

using Asn = std::uint32_t;

/// AFI and SAFI as on the wire (RFC 4760 3), IANA numbers.
struct Family {
  std::uint16_t afi = 0;
  std::uint8_t safi = 0;
  friend constexpr auto operator<=>(const Family&, const Family&) = default;
};

inline constexpr std::uint16_t kAfiIpv4 = 1;
inline constexpr std::uint16_t kAfiIpv6 = 2;
inline constexpr std::uint8_t kSafiUnicast = 1;
inline constexpr std::uint8_t kSafiMulticast = 2;
inline constexpr std::uint8_t kSafiLabeled = 4;  // RFC 8277
inline constexpr std::uint8_t kSafiVpn = 128;    // RFC 4364, RFC 4659
inline constexpr Family kIpv4Unicast{kAfiIpv4, kSafiUnicast};
inline constexpr Family kIpv6Unicast{kAfiIpv6, kSafiUnicast};

/// "ipv4-unicast", "ipv6-vpn", or "afi-25-safi-65" where the family has no name here.
inline std::string format_family(Family f) {
  std::string text = f.afi == kAfiIpv4 ? "ipv4-" : f.afi == kAfiIpv6 ? "ipv6-" : "";
  const char* safi = f.safi == kSafiUnicast     ? "unicast"
                     : f.safi == kSafiMulticast ? "multicast"
                     : f.safi == kSafiLabeled   ? "labeled-unicast"
                     : f.safi == kSafiVpn       ? "vpn"
                                                : nullptr;
  if (!text.empty() && safi != nullptr) return text + safi;
  return "afi-" + std::to_string(f.afi) + "-safi-" + std::to_string(f.safi);
}

/// Reads the names that `format_family` writes for families with a name.
inline std::optional<Family> parse_family(std::string_view text) {
  for (const std::uint16_t afi : {kAfiIpv4, kAfiIpv6})
    for (const std::uint8_t safi : {kSafiUnicast, kSafiMulticast, kSafiLabeled, kSafiVpn})
      if (text == format_family({afi, safi})) return Family{afi, safi};
  return std::nullopt;
}

enum class IpVersion : std::uint8_t { kV4 = 4, kV6 = 6 };

/// An address in network byte order; an IPv4 address uses the first four octets, the rest is zero.
struct IpAddress {
  IpVersion version = IpVersion::kV4;
  std::array<std::uint8_t, 16> bytes{};

  constexpr std::size_t size() const { return version == IpVersion::kV4 ? 4 : 16; }
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) {
    return a.version == b.version && a.word(0) == b.word(0) && a.word(8) == b.word(8);
  }
  /// By version, then octet by octet: eight at a time, for prefixes are sorted for each event.
  friend constexpr std::strong_ordering operator<=>(const IpAddress& a, const IpAddress& b) {
    if (const auto order = a.version <=> b.version; order != 0) return order;
    if (const auto order = a.word(0) <=> b.word(0); order != 0) return order;
    return a.word(8) <=> b.word(8);
  }

 private:
  /// Eight octets as a big-endian number.
  constexpr std::uint64_t word(std::size_t at) const {
    std::uint64_t v = 0;
    if (std::is_constant_evaluated() || std::endian::native != std::endian::little) {
      for (std::size_t i = 0; i < 8; ++i) v = v << 8 | bytes[at + i];
      return v;
    }
    std::memcpy(&v, bytes.data() + at, sizeof v);
    return __builtin_bswap64(v);  // not made of the loop by each compiler
  }
};

/// 127/8 (RFC 1122 3.2.1.3) or ::1 (RFC 4291 2.5.3).
constexpr bool is_loopback(const IpAddress& a) {
  IpAddress six{IpVersion::kV6, {}};
  six.bytes[15] = 1;
  return a.version == IpVersion::kV4 ? a.bytes[0] == 127 : a == six;
}

/// RFC 5952 text for IPv6, dotted quad for IPv4, into at least INET6_ADDRSTRLEN octets; returns its end.
inline char* write_address(char* out, const IpAddress& a) {
  if (a.version == IpVersion::kV6)
    return out + std::strlen(::inet_ntop(AF_INET6, a.bytes.data(), out, INET6_ADDRSTRLEN));
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (i != 0) *out++ = '.';
    out = std::to_chars(out, out + 3, a.bytes[i]).ptr;
  }
  return out;
}
inline std::string format_address(const IpAddress& a) {
  char text[INET6_ADDRSTRLEN];
  return std::string(text, write_address(text, a));
}

inline std::optional<IpAddress> parse_address(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  IpAddress a;
  if (::inet_pton(AF_INET, buffer, a.bytes.data()) == 1) return a;
  a.version = IpVersion::kV6;
  if (::inet_pton(AF_INET6, buffer, a.bytes.data()) == 1) return a;
  return std::nullopt;
}

/// The same address with all bits beyond the first `length` cleared.
inline constexpr IpAddress mask_address(IpAddress a, unsigned length) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const unsigned first = static_cast<unsigned>(i) * 8;
    if (length <= first)
      a.bytes[i] = 0;
    else if (length < first + 8)
      a.bytes[i] = static_cast<std::uint8_t>(a.bytes[i] & (0xff << (first + 8 - length)));
  }
  return a;
}

/// Canonical: bits of `address` beyond `length` are zero. Ordered by version, address, length.
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;  // bits, 0..32 or 0..128

  static constexpr Prefix make(const IpAddress& address, std::uint8_t length) {
    return Prefix{mask_address(address, length), length};
  }
  constexpr unsigned max_length() const { return address.version == IpVersion::kV4 ? 32 : 128; }
  /// True for the prefix itself and for every more specific one.
  constexpr bool contains(const Prefix& other) const {
    return address.version == other.address.version && length <= other.length &&
           mask_address(other.address, length) == address;
  }
  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;
};

inline constexpr std::size_t kMaxPrefixText = INET6_ADDRSTRLEN + 4;

/// "175.45.176.0/24", into at least kMaxPrefixText octets; returns its end.
inline char* write_prefix(char* out, const Prefix& p) {
  out = write_address(out, p.address);
  *out++ = '/';
  return std::to_chars(out, out + 3, p.length).ptr;
}
inline std::string format_prefix(const Prefix& p) {
  char text[kMaxPrefixText];
  return std::string(text, write_prefix(text, p));
}

/// Reads "175.45.176.0/24". Host bits set: nullopt unless `mask_host_bits`.
inline std::optional<Prefix> parse_prefix(std::string_view text, bool mask_host_bits = false) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  unsigned length = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + slash + 1, end, length);
  if (error != std::errc{} || rest != end) return std::nullopt;
  if (length > (address->version == IpVersion::kV4 ? 32u : 128u)) return std::nullopt;
  const Prefix p = Prefix::make(*address, static_cast<std::uint8_t>(length));
  if (!mask_host_bits && p.address != *address) return std::nullopt;
  return p;
}

/// What a neighbour announces or withdraws. `path_id` counts only where `has_path_id`; `rd` is zero
/// except in VPN families. Ordered by family, RD, prefix, path identifier.
struct Nlri {
  Family family;
  std::uint64_t rd = 0;
  Prefix prefix;
  bool has_path_id = false;
  std::uint32_t path_id = 0;
  friend constexpr auto operator<=>(const Nlri&, const Nlri&) = default;
};

}  // namespace lapwing
