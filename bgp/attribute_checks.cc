#include "bgp/attribute_checks.h"

#include <algorithm>
#include <cstring>

#include "bgp/as_path.h"
#include "bgp/notification.h"

namespace lapwing::bgp {

namespace {

Verdict discard(const char* reason, const char* rfc,
                std::uint8_t subcode = error::kOptionalAttribute) {
  return {ErrorAction::kAttributeDiscard, subcode, reason, rfc};
}

Verdict withdraw(std::uint8_t subcode, const char* reason, const char* rfc) {
  return {ErrorAction::kTreatAsWithdraw, subcode, reason, rfc};
}

Verdict session_reset(std::uint8_t subcode, const char* reason, const char* rfc) {
  return {ErrorAction::kSessionReset, subcode, reason, rfc};
}

/// A host address (RFC 4271 6.3). 240/4 is taken: networks of today use it within themselves.
bool usable_ipv4(const std::uint8_t* p, bool loopback) {
  if (p[0] == 127) return loopback;
  return p[0] != 0 && (p[0] & 0xf0) != 224 && read_u32(p) != 0xffffffff;
}

/// Neither :: nor ::1.
bool usable_ipv6(const std::uint8_t* p, bool loopback) {
  const bool zeros = std::all_of(p, p + 15, [](std::uint8_t b) { return b == 0; });
  return !zeros || p[15] > 1 || (loopback && p[15] == 1);
}

bool is_link_local(const std::uint8_t* p) { return p[0] == 0xfe && (p[1] & 0xc0) == 0x80; }

/// An unnumbered neighbour may leave the global address out: "::" and a link-local one.
bool usable_next_hop(Octets next_hop, bool loopback) {
  if (next_hop.size() == 4) return usable_ipv4(next_hop.data(), loopback);
  return usable_ipv6(next_hop.data(), loopback) ||
         (next_hop.size() == 32 && is_link_local(next_hop.data() + 16));
}

constexpr std::size_t kRdSize = 8;

/// RFC 9252 3.1 and 3.2: the sub-TLVs of an SRv6 Service TLV.
bool check_srv6_service(Cursor service) {
  service.u8();  // reserved
  while (service.ok() && !service.empty()) {
    const std::uint8_t type = service.u8();
    Cursor sub = service.cut(service.u16());
    if (!service.ok()) return false;
    if (type != 1) continue;
    sub.take(21);  // reserved, SID, flags, behaviour, reserved
    while (sub.ok() && !sub.empty()) {
      const std::uint8_t inner_type = sub.u8();
      Cursor inner = sub.cut(sub.u16());
      if (!sub.ok()) return false;
      if (inner_type != 1) continue;
      if (inner.left() != 6) return false;
      const unsigned locator = inner.u8() + 0u + inner.u8();
      const unsigned all = locator + inner.u8() + inner.u8();
      const unsigned transposed = inner.u8();
      const unsigned offset = inner.u8();
      if (all > 128 || transposed > 24) return false;
      if (transposed != 0 && (offset < locator || offset + transposed > all)) return false;
      if (transposed == 0 && offset != 0) return false;
    }
    if (!sub.ok()) return false;
  }
  return service.ok();
}

}  // namespace

Verdict AttributeChecker::origin(AttributeWalk&, Octets value) {
  if (value[0] <= 2) return {};
  return withdraw(error::kInvalidOrigin, "undefined ORIGIN", "RFC 7606 7.1");
}

Verdict AttributeChecker::as_path(AttributeWalk& walk, Octets value) {
  const SessionParameters& session = walk.session;
  const AsPathSummary path = check_as_path(value, session.four_octet_as ? 4 : 2, session.local_as);
  if (path.error != nullptr)
    return withdraw(error::kMalformedAsPath, path.error,
                    path.as_zero ? "RFC 7607 2" : "RFC 7606 7.2");
  const bool external = session.kind == PeerKind::kExternal;
  if (path.confederation && external && !session.confederation)
    return withdraw(error::kMalformedAsPath, "confederation segment from outside", "RFC 5065 5");
  walk.set.hops_ = path.hops;
  if (path.set) walk.set.notes_ |= note::kAsSet;
  if (path.loop) walk.set.notes_ |= note::kOwnAsInPath;
  if (external && value.empty()) walk.set.notes_ |= note::kEmptyPathFromEbgp;
  const bool hidden = !session.four_octet_as && path.first == kAsTrans;
  if (external && !value.empty() && !hidden && path.first != session.peer_as)
    walk.set.notes_ |= note::kFirstAsDiffers;
  return {};
}

Verdict AttributeChecker::next_hop(AttributeWalk& walk, Octets value) {
  // Judged by the caller only where NLRI use it: beside MP_REACH_NLRI it is ignored (RFC 4760 3).
  if (walk.session.kind != PeerKind::kUnknown)
    walk.set.next_hop_usable_ = usable_ipv4(value.data(), walk.session.loopback);
  return {};
}

Verdict AttributeChecker::aggregator(AttributeWalk& walk, Octets value) {
  const bool wide = walk.session.four_octet_as;
  if (value.size() != (wide ? 8u : 6u))
    return discard("wrong length", "RFC 7606 7.7", error::kAttributeLength);
  if ((wide ? read_u32(value.data()) : read_u16(value.data())) == 0)
    return discard("AS 0", "RFC 7607 2");
  return {};
}

Verdict AttributeChecker::read_next_hop(AttributeWalk& walk, Family family, Octets value,
                                        MpAttribute& mp) {
  constexpr const char* kRfc = "RFC 7606 7.11";
  mp.next_hop_size = 0;
  const bool rd = value.size() == 12 || value.size() == 24 || value.size() == 48;
  const bool bare = value.size() == 4 || value.size() == 16 || value.size() == 32;
  if (!rd && !bare)
    return session_reset(error::kMalformedAttributeList, "impossible next hop length", kRfc);
  if (rd != (family.safi == kSafiVpn))
    return withdraw(error::kOptionalAttribute, "next hop length of another family", kRfc);
  Cursor in(value);
  while (!in.empty()) {
    if (rd) in.take(kRdSize);
    const Octets part = in.take(value.size() <= 12 ? 4 : 16);
    if (!in.ok()) break;
    std::memcpy(mp.next_hop_octets.data() + mp.next_hop_size, part.data(), part.size());
    mp.next_hop_size = static_cast<std::uint8_t>(mp.next_hop_size + part.size());
  }
  const bool ipv4_next_hop = mp.next_hop_size == 4;
  if (family.afi == kAfiIpv6 && ipv4_next_hop)
    return withdraw(error::kOptionalAttribute, "IPv4 next hop of IPv6 NLRI", kRfc);
  if (family.afi == kAfiIpv4 && !ipv4_next_hop && !walk.session.extended_next_hop.contains(family))
    return withdraw(error::kOptionalAttribute, "IPv6 next hop was not negotiated", "RFC 8950 4");
  if (walk.session.kind != PeerKind::kUnknown && !usable_next_hop(mp.next_hop(), walk.session.loopback))
    return withdraw(error::kInvalidNextHop, "unusable next hop", "RFC 4271 6.3");
  return {};
}

Verdict AttributeChecker::mp_reach(AttributeWalk& walk, Octets value) {
  constexpr const char* kRfc = "RFC 7606 7.11";
  if (walk.form == MpReachForm::kAbbreviated) return abbreviated_mp_reach(walk, value);
  MpAttribute& mp = walk.set.reach_;
  mp.present = true;
  Cursor in(value);
  mp.nlri.family.afi = in.u16();
  mp.nlri.family.safi = in.u8();
  if (!in.ok())
    return session_reset(error::kMalformedAttributeList, "shorter than AFI and SAFI", kRfc);
  mp.ignored = !walk.session.families.contains(mp.nlri.family);
  if (mp.ignored) return {};
  const Octets next_hop = in.take(in.u8());
  in.u8();  // reserved, ignored
  if (!in.ok())
    return session_reset(error::kMalformedAttributeList, "next hop is longer than the attribute",
                         kRfc);
  mp.nlri.path_ids = walk.session.add_path.contains(mp.nlri.family);
  mp.nlri.octets = in.rest();
  const Verdict verdict = read_next_hop(walk, mp.nlri.family, next_hop, mp);
  if (verdict.action == ErrorAction::kSessionReset || check_nlri(mp.nlri)) return verdict;
  return session_reset(error::kOptionalAttribute, "NLRI cannot be read", "RFC 7606 5.3");
}

Verdict AttributeChecker::abbreviated_mp_reach(AttributeWalk& walk, Octets value) {
  constexpr const char* kRfc = "RFC 6396 4.3.4";
  MpAttribute& mp = walk.set.reach_;
  mp.present = true;
  Cursor in(value);
  std::size_t size = in.u8();
  if (size + 1 != value.size()) {  // the full form, which some dumps have
    in = Cursor(value);
    in.take(3);
    size = in.u8();
  }
  Octets next_hop = in.take(size);
  if (!in.ok()) return withdraw(error::kOptionalAttribute, "next hop does not fit", kRfc);
  if (size == 12 || size == 24) next_hop = next_hop.subspan(kRdSize);
  if (next_hop.size() != 4 && next_hop.size() != 16 && next_hop.size() != 32)
    return withdraw(error::kOptionalAttribute, "impossible next hop length", kRfc);
  std::memcpy(mp.next_hop_octets.data(), next_hop.data(), next_hop.size());
  mp.next_hop_size = static_cast<std::uint8_t>(next_hop.size());
  return {};
}

Verdict AttributeChecker::mp_unreach(AttributeWalk& walk, Octets value) {
  MpAttribute& mp = walk.set.unreach_;
  mp.present = true;
  Cursor in(value);
  mp.nlri.family.afi = in.u16();
  mp.nlri.family.safi = in.u8();
  if (!in.ok())
    return session_reset(error::kOptionalAttribute, "shorter than AFI and SAFI", "RFC 7606 7.12");
  mp.ignored = !walk.session.families.contains(mp.nlri.family);
  if (mp.ignored) return {};
  mp.nlri.path_ids = walk.session.add_path.contains(mp.nlri.family);
  mp.nlri.octets = in.rest();
  if (check_nlri(mp.nlri)) return {};
  return session_reset(error::kOptionalAttribute, "NLRI cannot be read", "RFC 7606 5.3");
}

Verdict AttributeChecker::as4_path(AttributeWalk& walk, Octets value) {
  const AsPathSummary path = check_as_path(value, 4, walk.session.local_as);
  if (path.error != nullptr) return discard(path.error, path.as_zero ? "RFC 7607 2" : "RFC 6793 6");
  walk.set.as4_hops_ = path.hops;
  if (path.loop) walk.set.notes_ |= note::kOwnAsInPath;
  return {};
}

Verdict AttributeChecker::as4_aggregator(AttributeWalk&, Octets value) {
  if (read_u32(value.data()) == 0) return discard("AS 0", "RFC 7607 2");
  return {};
}

Verdict AttributeChecker::prefix_sid(AttributeWalk&, Octets value) {
  Cursor in(value);
  bool srv6_service = false;
  while (!in.empty()) {
    const std::uint8_t type = in.u8();
    srv6_service = srv6_service || type == 5 || type == 6;
    const Cursor tlv = in.cut(in.u16());
    if (!in.ok()) break;
    if (type == 1 && tlv.left() != 7) return discard("Label-Index of wrong length", "RFC 8669 6");
    if (type == 3 && (tlv.left() < 8 || (tlv.left() - 2) % 6 != 0))
      return discard("Originator SRGB of wrong length", "RFC 8669 6");
    if ((type == 5 || type == 6) && !check_srv6_service(tlv))
      return withdraw(error::kOptionalAttribute, "malformed SRv6 service", "RFC 9252 7");
  }
  if (in.ok()) return {};
  if (srv6_service)
    return withdraw(error::kOptionalAttribute, "malformed SRv6 service", "RFC 9252 7");
  return discard("a TLV is longer than the attribute", "RFC 8669 6");
}

}  // namespace lapwing::bgp
