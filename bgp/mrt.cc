#include "bgp/mrt.h"

#include <algorithm>

#include "bgp/nlri.h"
#include "bgp/open.h"
#include "bgp/wire.h"

namespace lapwing::bgp::mrt {

namespace {

IpAddress read_address(Cursor& in, IpVersion version) {
  IpAddress a;
  a.version = version;
  const Octets octets = in.take(a.size());
  std::copy(octets.begin(), octets.end(), a.bytes.begin());
  return a;
}

Asn read_asn(Cursor& in, bool four_octets) { return four_octets ? in.u32() : in.u16(); }

/// The key of `length` bits at `address`; host bits are cleared.
NlriKey make_key(Family family, const IpAddress& address, std::uint8_t length) {
  Nlri nlri;
  nlri.family = family;
  nlri.prefix = Prefix::make(address, length);
  return to_key(nlri);
}

Family rib_family(std::uint16_t subtype) {
  const unsigned kind = subtype >= table_dump_v2::kRibIpv4UnicastAddPath
                            ? subtype - table_dump_v2::kRibIpv4UnicastAddPath
                            : subtype - table_dump_v2::kRibIpv4Unicast;
  return {kind < 2 ? kAfiIpv4 : kAfiIpv6, kind % 2 == 0 ? kSafiUnicast : kSafiMulticast};
}

}  // namespace

Header read_header(const std::uint8_t* p) {
  return {read_u32(p), read_u16(p + 4), read_u16(p + 6), read_u32(p + 8)};
}

Fault open_record(const Header& header, Octets body, RecordView& out) {
  out.time = Timestamp(std::chrono::seconds(header.seconds));
  out.type = header.type;
  out.subtype = header.subtype;
  out.body = body;
  if (header.type != type::kBgp4mpEt) return {};
  if (body.size() < 4) return {"extended timestamp cut off"};
  const std::uint32_t micros = read_u32(body.data());
  if (micros >= 1'000'000) return {"extended timestamp of a second or more"};
  out.time += microseconds(micros);
  out.type = type::kBgp4mp;
  out.body = body.subspan(4);
  return {};
}

Fault parse_peer_index_table(Octets body, PeerIndexTable& out) {
  constexpr std::uint8_t kIpv6Peer = 1;
  constexpr std::uint8_t kFourOctetAs = 2;
  out = PeerIndexTable();
  Cursor in(body);
  out.collector_id = read_address(in, IpVersion::kV4);
  const Octets view = in.take(in.u16());
  out.view.assign(view.begin(), view.end());
  const std::uint16_t count = in.u16();
  if (!in.ok()) return {"peer index table cut off"};
  for (unsigned i = 0; i < count; ++i) {
    PeerEntry peer;
    const std::uint8_t kind = in.u8();
    peer.router_id = read_address(in, IpVersion::kV4);
    peer.address = read_address(in, (kind & kIpv6Peer) != 0 ? IpVersion::kV6 : IpVersion::kV4);
    peer.as = read_asn(in, (kind & kFourOctetAs) != 0);
    if (!in.ok()) return {"peer index table cut off"};
    out.peers.push_back(peer);
  }
  return {};
}

bool RibRecord::next(RibEntry& out, Fault& fault) {
  if (left_ == 0) return false;
  --left_;
  Cursor in(Octets(at_, end_));
  out.peer_index = in.u16();
  out.originated = in.u32();
  out.path_id = add_path ? in.u32() : 0;
  out.attributes = in.take(in.u16());
  if (!in.ok()) {
    left_ = 0;
    fault = {"RIB entry cut off"};
    return false;
  }
  at_ = in.at();
  return true;
}

namespace {

bool is_rib_generic(std::uint16_t subtype) {
  return subtype == table_dump_v2::kRibGeneric || subtype == table_dump_v2::kRibGenericAddPath;
}

}  // namespace

bool is_rib_record(const RecordView& record) {
  if (is_rib_generic(record.subtype)) {
    Cursor in(record.body);
    in.u32();  // sequence
    const Family family{in.u16(), in.u8()};
    return !in.ok() || FamilySet::index(family) >= 0;
  }
  return (record.subtype >= table_dump_v2::kRibIpv4Unicast &&
          record.subtype < table_dump_v2::kRibGeneric) ||
         (record.subtype >= table_dump_v2::kRibIpv4UnicastAddPath &&
          record.subtype < table_dump_v2::kRibGenericAddPath);
}

Fault parse_rib(const RecordView& record, RibRecord& out) {
  Cursor in(record.body);
  out.sequence = in.u32();
  out.add_path = record.subtype >= table_dump_v2::kRibIpv4UnicastAddPath;
  Family family;
  if (is_rib_generic(record.subtype)) {
    family.afi = in.u16();
    family.safi = in.u8();
    if (!in.ok()) return {"record ends before its prefix"};
    if (FamilySet::index(family) < 0) return {"RIB_GENERIC of a family that is not read"};
  } else {
    family = rib_family(record.subtype);
  }
  if (!read_nlri(in, family, false, out.nlri)) return {"a prefix that cannot be read"};
  out.count = in.u16();
  if (!in.ok()) return {"record ends before its entry count"};
  out.left_ = out.count;
  out.at_ = in.at();
  out.end_ = in.at() + in.left();
  return {};
}

bool is_table_dump_subtype(std::uint16_t subtype) { return subtype >= 1 && subtype <= 4; }

Fault parse_table_dump(const RecordView& record, TableDumpEntry& out) {
  const bool v4 = record.subtype == 1 || record.subtype == 3;
  const IpVersion version = v4 ? IpVersion::kV4 : IpVersion::kV6;
  out.four_octet_as = record.subtype >= 3;
  Cursor in(record.body);
  out.view = in.u16();
  out.sequence = in.u16();
  const IpAddress address = read_address(in, version);
  const std::uint8_t length = in.u8();
  in.u8();  // status, "1" always
  out.originated = in.u32();
  out.peer = read_address(in, version);
  out.peer_as = read_asn(in, out.four_octet_as);
  out.attributes = in.take(in.u16());
  if (!in.ok()) return {"TABLE_DUMP entry cut off"};
  if (length > address.size() * 8) return {"prefix length beyond the address size"};
  out.nlri = make_key({v4 ? kAfiIpv4 : kAfiIpv6, kSafiUnicast}, address, length);
  return {};
}

bool is_bgp4mp_subtype(std::uint16_t subtype) {
  // kEntry has a body of its own.
  return subtype == bgp4mp::kStateChange || subtype == bgp4mp::kMessage ||
         (subtype >= bgp4mp::kMessageAs4 && subtype <= bgp4mp::kMessageAs4LocalAddPath);
}

Fault parse_bgp4mp(const RecordView& record, Bgp4mp& out) {
  const std::uint16_t s = record.subtype;
  out.state_change = s == bgp4mp::kStateChange || s == bgp4mp::kStateChangeAs4;
  out.four_octet_as = s == bgp4mp::kMessageAs4 || s == bgp4mp::kStateChangeAs4 ||
                      s == bgp4mp::kMessageAs4Local || s == bgp4mp::kMessageAs4AddPath ||
                      s == bgp4mp::kMessageAs4LocalAddPath;
  out.add_path = s >= bgp4mp::kMessageAddPath;
  out.from_local = s == bgp4mp::kMessageLocal || s == bgp4mp::kMessageAs4Local ||
                   s == bgp4mp::kMessageLocalAddPath || s == bgp4mp::kMessageAs4LocalAddPath;
  Cursor in(record.body);
  out.peer_as = read_asn(in, out.four_octet_as);
  out.local_as = read_asn(in, out.four_octet_as);
  out.interface_index = in.u16();
  const std::uint16_t afi = in.u16();
  if (!in.ok()) return {"BGP4MP header cut off"};
  if (afi != kAfiIpv4 && afi != kAfiIpv6) return {"BGP4MP peer of an unknown address family"};
  const IpVersion version = afi == kAfiIpv4 ? IpVersion::kV4 : IpVersion::kV6;
  out.peer = read_address(in, version);
  out.local = read_address(in, version);
  if (out.state_change) {
    out.old_state = in.u16();
    out.new_state = in.u16();
    out.message = {};
  } else {
    out.message = in.rest();
  }
  if (!in.ok()) return {"BGP4MP header cut off"};
  return {};
}

Fault parse_bgp4mp_entry(const RecordView& record, Bgp4mpEntry& out) {
  Cursor in(record.body);
  out.route.peer_as = in.u16();
  out.local_as = in.u16();
  in.u16();  // interface index
  const std::uint16_t peer_afi = in.u16();
  if (!in.ok()) return {"BGP4MP_ENTRY cut off"};
  if (peer_afi != kAfiIpv4 && peer_afi != kAfiIpv6)
    return {"BGP4MP peer of an unknown address family"};
  const IpVersion version = peer_afi == kAfiIpv4 ? IpVersion::kV4 : IpVersion::kV6;
  out.route.peer = read_address(in, version);
  out.local = read_address(in, version);
  out.route.view = in.u16();
  in.u16();  // status
  out.route.originated = in.u32();
  const std::uint16_t afi = in.u16();
  const Family family{afi, in.u8()};
  out.next_hop = in.take(in.u8());
  if (!in.ok()) return {"BGP4MP_ENTRY cut off"};
  if (FamilySet::index(family) < 0) return {"BGP4MP_ENTRY of a family that is not read"};
  if (!read_nlri(in, family, false, out.route.nlri)) return {"a prefix that cannot be read"};
  out.route.attributes = in.take(in.u16());
  if (!in.ok()) return {"BGP4MP_ENTRY cut off"};
  return {};
}

}  // namespace lapwing::bgp::mrt
