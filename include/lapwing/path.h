// A route's attributes in Lapwing's canonical encoding, and views over it.
//
// What a neighbour sent as path attributes is brought to one form before it is compared, stored or
// shown, so that equal paths are equal octets. An attribute set is a sequence of entries in
// ascending order of type, each type once:
//
//     type (1 octet) | length (varint) | value
//
//   1 ORIGIN            1 octet                         RFC 4271 5.1.1
//   2 AS_PATH           segments: type (1 octet), count (varint), ASNs (varint each);
//                       AS4_PATH merged (RFC 6793 4.2.3); an empty path has length 0
//   3 NEXT_HOP          4, 16 or 32 octets, from NEXT_HOP or MP_REACH_NLRI, without RD
//   4 MULTI_EXIT_DISC, 5 LOCAL_PREF                     4 octets
//   6 ATOMIC_AGGREGATE                                  0 octets
//   7 AGGREGATOR        4 octets ASN, 4 octets address; AS4_AGGREGATOR merged
//   8 COMMUNITIES, 9 ORIGINATOR_ID, 10 CLUSTER_LIST, 16 EXTENDED COMMUNITIES,
//   25 IPv6 EXTENDED COMMUNITIES, 32 LARGE_COMMUNITY, 35 OTC   as on the wire, order kept
//   any other type      1 octet flags, then the value as on the wire (RFC 4271 5, "unknown")
//
// A varint is LEB128: seven bits an octet, lowest first. MP_REACH_NLRI, MP_UNREACH_NLRI, AS4_PATH
// and AS4_AGGREGATOR never occur. The views trust the encoding: they read what the codec or the
// store (which verifies a checksum) has written. They do not own; they live as long as the octets.
// Thread: any.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <span>
#include <string>

#include "lapwing/prefix.h"

namespace lapwing {

using Octets = std::span<const std::uint8_t>;

namespace attribute {
inline constexpr std::uint8_t kOrigin = 1;
inline constexpr std::uint8_t kAsPath = 2;
inline constexpr std::uint8_t kNextHop = 3;
inline constexpr std::uint8_t kMultiExitDisc = 4;
inline constexpr std::uint8_t kLocalPref = 5;
inline constexpr std::uint8_t kAtomicAggregate = 6;
inline constexpr std::uint8_t kAggregator = 7;
inline constexpr std::uint8_t kCommunities = 8;
inline constexpr std::uint8_t kOriginatorId = 9;
inline constexpr std::uint8_t kClusterList = 10;
inline constexpr std::uint8_t kMpReachNlri = 14;
inline constexpr std::uint8_t kMpUnreachNlri = 15;
inline constexpr std::uint8_t kExtendedCommunities = 16;
inline constexpr std::uint8_t kAs4Path = 17;
inline constexpr std::uint8_t kAs4Aggregator = 18;
inline constexpr std::uint8_t kIpv6ExtendedCommunities = 25;
inline constexpr std::uint8_t kLargeCommunity = 32;
inline constexpr std::uint8_t kOnlyToCustomer = 35;
}  // namespace attribute

/// True where the canonical value is bare; all other types carry their flags octet first.
inline constexpr bool has_bare_value(std::uint8_t type) {
  return (type >= 1 && type <= 10) || type == attribute::kExtendedCommunities ||
         type == attribute::kIpv6ExtendedCommunities || type == attribute::kLargeCommunity ||
         type == attribute::kOnlyToCustomer;
}

/// Big-endian reads; the caller has checked the length.
inline constexpr std::uint16_t read_u16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
inline constexpr std::uint32_t read_u32(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0]) << 24 | static_cast<std::uint32_t>(p[1]) << 16 |
         static_cast<std::uint32_t>(p[2]) << 8 | p[3];
}

/// Reads one varint and moves `p` past it; never reads at or beyond `end`. Inlined, so that `p` is in
/// a register in the loops over hops: several for each route change.
[[gnu::always_inline]] inline std::uint32_t read_varint(const std::uint8_t*& p, const std::uint8_t* end) {
  if (end - p >= 3) [[likely]] {  // few values take more
    const std::uint32_t first = p[0], second = p[1], third = p[2];
    if (first < 0x80) return p += 1, first;
    const std::uint32_t two = (first & 0x7f) | ((second & 0x7f) << 7);
    if (second < 0x80) return p += 2, two;
    if (third < 0x80) return p += 3, two | third << 14;
  }
  std::uint32_t value = 0;
  for (unsigned shift = 0; p != end && shift < 32; shift += 7) {
    const std::uint8_t octet = *p++;
    value |= static_cast<std::uint32_t>(octet & 0x7f) << shift;
    if ((octet & 0x80) == 0) break;
  }
  return value;
}

/// Octets that `write_varint` writes; values are sizes and ASNs, below 2^32.
inline constexpr std::size_t varint_size(std::size_t value) {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}
/// Writes one varint and returns the place after it.
inline std::uint8_t* write_varint(std::uint8_t* out, std::size_t value) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<std::uint8_t>(value | 0x80);
  *out++ = static_cast<std::uint8_t>(value);
  return out;
}

/// RFC 4271 4.3, RFC 5065 3.
enum class SegmentType : std::uint8_t {
  kAsSet = 1,
  kAsSequence = 2,
  kAsConfedSequence = 3,
  kAsConfedSet = 4,
};

/// One segment; `next` walks its ASNs in the order of the wire.
class AsPathSegment {
 public:
  SegmentType type = SegmentType::kAsSequence;
  std::uint32_t size = 0;  // ASNs

  /// False at the end; `out` is then untouched.
  bool next(Asn& out) {
    if (left_ == 0) return false;
    --left_;
    out = read_varint(at_, end_);
    return true;
  }

 private:
  friend class AsPathView;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint32_t left_ = 0;
};

/// The AS_PATH of an attribute set. Usage:
///   for (auto path = view.as_path(); path.next(segment);) while (segment.next(asn)) …
class AsPathView {
 public:
  AsPathView() = default;
  explicit AsPathView(Octets octets) : at_(octets.data()), end_(octets.data() + octets.size()) {}

  bool empty() const { return at_ == end_; }
  Octets octets() const { return {at_, end_}; }

  /// False at the end; moves this view to the next segment.
  bool next(AsPathSegment& out) {
    if (at_ == end_) return false;
    out.type = static_cast<SegmentType>(*at_++);
    out.size = read_varint(at_, end_);
    out.left_ = out.size;
    out.at_ = at_;
    out.end_ = end_;
    for (std::uint32_t i = 0; i < out.size; ++i)
      while (at_ != end_ && (*at_++ & 0x80) != 0) {
      }
    return true;
  }

 private:
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
};

/// Appends "3333 1103 {64496,64497} (65001 65002) [65003,65004]": sets in braces, confederation
/// sequences in parentheses, confederation sets in brackets (RFC 5065). An empty path is "".
inline void append_as_path(std::string& text, AsPathView path) {
  // An ASN of n octets has up to 3 n digits and one sign before it; a segment has two octets before
  // its ASNs, and up to three signs. `kItem`: also where a damaged set says more ASNs than it has.
  constexpr std::ptrdiff_t kItem = 16;
  const std::size_t before = text.size();
  text.resize(before + path.octets().size() * 4 + kItem);
  char* const begin = text.data() + before;
  char* out = begin;
  char* const end = text.data() + text.size();
  AsPathSegment segment;
  while (path.next(segment)) {
    const bool set =
        segment.type == SegmentType::kAsSet || segment.type == SegmentType::kAsConfedSet;
    const char open = segment.type == SegmentType::kAsSet              ? '{'
                      : segment.type == SegmentType::kAsConfedSet      ? '['
                      : segment.type == SegmentType::kAsConfedSequence ? '('
                                                                       : '\0';
    const char close = open == '{' ? '}' : open == '[' ? ']' : ')';
    if (out != begin) *out++ = ' ';
    if (open != '\0') *out++ = open;
    Asn asn = 0;
    for (bool first = true; end - out >= kItem && segment.next(asn); first = false) {
      if (!first) *out++ = set ? ',' : ' ';
      out = std::to_chars(out, end, asn).ptr;
    }
    if (open != '\0') *out++ = close;
  }
  text.resize(static_cast<std::size_t>(out - text.data()));
}

inline std::string format_as_path(AsPathView path) {
  std::string text;
  append_as_path(text, path);
  return text;
}

/// One attribute set. Copying the view does not copy the octets.
class PathView {
 public:
  PathView() = default;
  explicit PathView(Octets octets) : octets_(octets) {}

  Octets octets() const { return octets_; }

  /// The value of `type`, flags octet included where the type is not bare.
  std::optional<Octets> find(std::uint8_t type) const {
    const std::uint8_t* p = octets_.data();
    const std::uint8_t* end = p + octets_.size();
    while (p != end) {
      const std::uint8_t t = *p++;
      const std::uint32_t length = read_varint(p, end);
      if (t == type) return Octets(p, length);
      if (t > type) break;
      p += length;
    }
    return std::nullopt;
  }

  /// Calls `fn(type, value)` for each attribute in ascending order of type.
  template <typename Fn>
  void for_each(Fn&& fn) const {
    const std::uint8_t* p = octets_.data();
    const std::uint8_t* end = p + octets_.size();
    while (p != end) {
      const std::uint8_t t = *p++;
      const std::uint32_t length = read_varint(p, end);
      fn(t, Octets(p, length));
      p += length;
    }
  }

  AsPathView as_path() const {
    const auto value = find(attribute::kAsPath);
    return value ? AsPathView(*value) : AsPathView();
  }
  /// 0 IGP, 1 EGP, 2 INCOMPLETE.
  std::optional<std::uint8_t> origin() const {
    const auto value = find(attribute::kOrigin);
    return value ? std::optional((*value)[0]) : std::nullopt;
  }
  /// The global address where a link-local one follows it (RFC 2545 3).
  std::optional<IpAddress> next_hop() const {
    const auto value = find(attribute::kNextHop);
    if (!value) return std::nullopt;
    IpAddress a;
    a.version = value->size() == 4 ? IpVersion::kV4 : IpVersion::kV6;
    std::memcpy(a.bytes.data(), value->data(), a.size());
    return a;
  }
  std::optional<std::uint32_t> multi_exit_disc() const { return number(attribute::kMultiExitDisc); }
  std::optional<std::uint32_t> local_pref() const { return number(attribute::kLocalPref); }
  std::optional<std::uint32_t> only_to_customer() const {
    return number(attribute::kOnlyToCustomer);
  }
  bool atomic_aggregate() const { return find(attribute::kAtomicAggregate).has_value(); }

 private:
  std::optional<std::uint32_t> number(std::uint8_t type) const {
    const auto value = find(type);
    return value ? std::optional(read_u32(value->data())) : std::nullopt;
  }

  Octets octets_;
};

}  // namespace lapwing
