// Builds BGP messages for tests; lengths are computed, never typed, unless a test wants them wrong.
//
// Thread: any. Owns: the octets it builds.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/update.h"
#include "bgp/wire.h"

namespace lapwing::bgp::test {

using Buffer = std::vector<std::uint8_t>;

inline Buffer operator+(Buffer a, const Buffer& b) {
  for (const std::uint8_t octet : b) a.push_back(octet);
  return a;
}

inline Buffer hex(std::string_view text) {
  Buffer out;
  unsigned nibbles = 0;
  unsigned value = 0;
  for (const char c : text) {
    if (c == ' ') continue;
    value = value << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    if (++nibbles % 2 == 0) {
      out.push_back(static_cast<std::uint8_t>(value));
      value = 0;
    }
  }
  return out;
}

inline Buffer u16(unsigned v) {
  Buffer b;
  put_u16(b, v);
  return b;
}
inline Buffer u32(std::uint32_t v) {
  Buffer b;
  put_u32(b, v);
  return b;
}

/// An attribute with an honest length; extended where it must be.
inline Buffer attr(unsigned flags, unsigned type, const Buffer& value) {
  const bool extended = value.size() > 255 || (flags & 0x10) != 0;
  Buffer b{static_cast<std::uint8_t>(flags | (extended ? 0x10u : 0u)),
           static_cast<std::uint8_t>(type)};
  if (extended) b.push_back(static_cast<std::uint8_t>(value.size() >> 8));
  b.push_back(static_cast<std::uint8_t>(value.size()));
  return b + value;
}

/// One AS_PATH segment.
inline Buffer segment(unsigned type, const std::vector<Asn>& asns, unsigned width = 4) {
  Buffer b{static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(asns.size())};
  for (const Asn asn : asns) b = b + (width == 4 ? u32(asn) : u16(asn));
  return b;
}

inline Buffer origin() { return attr(0x40, 1, {0}); }
inline Buffer as_path(const std::vector<Asn>& asns, unsigned width = 4) {
  return attr(0x40, 2, asns.empty() ? Buffer() : segment(2, asns, width));
}
inline Buffer next_hop() { return attr(0x40, 3, {192, 0, 2, 1}); }

/// ORIGIN, AS_PATH (65001 64500) and NEXT_HOP.
inline Buffer mandatory() { return origin() + as_path({65001, 64500}) + next_hop(); }

/// "192.0.2.0/24" as NLRI octets; also IPv6.
inline Buffer nlri(std::string_view text) {
  const auto prefix = parse_prefix(text, true);
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));  // host bits kept
  Buffer b{prefix->length};
  for (std::size_t i = 0; i < (prefix->length + 7u) / 8; ++i) b.push_back(address->bytes[i]);
  return b;
}

/// The body of an UPDATE.
inline Buffer update(const Buffer& attributes, const Buffer& announced = {},
                     const Buffer& withdrawn = {}) {
  return u16(static_cast<unsigned>(withdrawn.size())) + withdrawn +
         u16(static_cast<unsigned>(attributes.size())) + attributes + announced;
}

inline Buffer mp_reach(Family family, const Buffer& hop, const Buffer& routes) {
  return attr(0x80, 14,
              u16(family.afi) + Buffer{family.safi, static_cast<std::uint8_t>(hop.size())} + hop +
                  Buffer{0} + routes);
}
inline Buffer mp_unreach(Family family, const Buffer& routes) {
  return attr(0x80, 15, u16(family.afi) + Buffer{family.safi} + routes);
}

inline SessionParameters external_session() {
  SessionParameters p;
  p.kind = PeerKind::kExternal;
  p.local_as = 65000;
  p.peer_as = 65001;
  p.families.insert(kIpv4Unicast);
  p.families.insert(kIpv6Unicast);
  p.four_octet_as = true;
  return p;
}

inline SessionParameters internal_session() {
  SessionParameters p = external_session();
  p.kind = PeerKind::kInternal;
  p.peer_as = 65000;
  return p;
}

/// Parses one body and keeps everything that came of it.
struct Parsed {
  Buffer body;
  Update update;
  RecordBatch batch;
  unsigned records = 0;

  /// Copies to the octet, so that a sanitizer sees every read beyond the end.
  Parsed(const Buffer& octets, const SessionParameters& session)
      : body(octets.begin(), octets.end()) {
    update.parse(body, session);
    records = update.append_records(from_unix_micros(0), 7, batch);
  }
  ErrorAction action() const { return update.action(); }
  std::uint8_t subcode() const { return update.notification().subcode; }
  PathView path(std::size_t record = 0) const {
    return PathView(batch.attributes(batch.records[record]));
  }
  std::string path_text(std::size_t record = 0) const {
    return format_as_path(path(record).as_path());
  }
  std::vector<std::string> announced(std::size_t record = 0) const {
    return texts(batch.announced(batch.records[record]));
  }
  std::vector<std::string> withdrawn(std::size_t record = 0) const {
    return texts(batch.withdrawn(batch.records[record]));
  }
  static std::vector<std::string> texts(std::span<const NlriKey> keys) {
    std::vector<std::string> out;
    for (const NlriKey& key : keys) out.push_back(format_prefix(to_nlri(key).prefix));
    return out;
  }
};

inline constexpr auto kNone = ErrorAction::kNone;
inline constexpr auto kDiscard = ErrorAction::kAttributeDiscard;
inline constexpr auto kWithdraw = ErrorAction::kTreatAsWithdraw;

/// What most of these tests announce, and a next hop for what is announced by MP_REACH_NLRI.
inline const Buffer kRoute = nlri("198.51.100.0/24");
inline const Buffer kIpv6Hop = hex("20010db8000000000000000000000001");

inline bool has_finding(const Update& update, std::uint8_t type, std::string_view rfc) {
  for (const Finding& f : update.findings())
    if (f.type == type && f.rfc == rfc) return true;
  return false;
}

}  // namespace lapwing::bgp::test
