// bgp/mrt: every record type and subtype, hand-made; every length cut.
#include "bgp/mrt.h"

#include <doctest/doctest.h>

#include "mrt_builder.h"

using namespace mrt_test;

namespace {

mrt::RecordView view(const Bytes& r) {
  mrt::RecordView out;
  const mrt::Fault fault = mrt::open_record(mrt::read_header(r.data()), Octets(r).subspan(12), out);
  REQUIRE_FALSE(fault);
  return out;
}

std::string prefix_of(const bgp::NlriKey& key) {
  return lapwing::format_prefix(bgp::to_nlri(key).prefix);
}

const Bytes kAttributes = attributes({64501, 64502});

}  // namespace

TEST_CASE("RFC 6396 2: the header has time, type, subtype and length") {
  const Bytes r = record(1506848871, 16, 4, Bytes(7));
  const mrt::Header h = mrt::read_header(r.data());
  CHECK(h.seconds == 1506848871);
  CHECK(h.type == 16);
  CHECK(h.subtype == 4);
  CHECK(h.length == 7);
}

TEST_CASE("RFC 6396 3: an extended timestamp adds microseconds and leaves the body") {
  const Bytes r = record(100, 17, 4, Bytes{0, 0x0f, 0x42, 0x3f, 0xaa});
  const mrt::RecordView out = view(r);
  CHECK(out.time == at(100, 999'999));
  CHECK(out.type == mrt::type::kBgp4mp);
  CHECK(out.body.size() == 1);
  CHECK(out.body[0] == 0xaa);
}

TEST_CASE("RFC 6396 3: an extended timestamp that is cut off or a second is a fault") {
  mrt::RecordView out;
  const Bytes cut = record(100, 17, 4, Bytes{0, 0, 0});
  CHECK(mrt::open_record(mrt::read_header(cut.data()), Octets(cut).subspan(12), out));
  const Bytes large = record(100, 17, 4, Bytes{0, 0x0f, 0x42, 0x40});
  CHECK(mrt::open_record(mrt::read_header(large.data()), Octets(large).subspan(12), out));
}

TEST_CASE("RFC 6396 4.2: TABLE_DUMP gives one route of one peer") {
  for (const unsigned subtype : {1u, 2u, 3u, 4u}) {
    CAPTURE(subtype);
    const bool v4 = subtype == 1 || subtype == 3;
    const bool four = subtype >= 3;
    Bytes body;
    bgp::put_u16(body, 3);
    bgp::put_u16(body, 9);
    put_address(body, ip(v4 ? "203.0.113.77" : "2001:db8:1::77"));
    bgp::put_u8(body, v4 ? 24 : 48);
    bgp::put_u8(body, 1);
    bgp::put_u32(body, 777);
    put_address(body, ip(v4 ? "192.0.2.1" : "2001:db8::1"));
    put_asn(body, 64501, four);
    bgp::put_u16(body, 3);
    bgp::put_octets(body, Bytes{1, 2, 3});
    const Bytes r = record(5, 12, subtype, body);
    mrt::TableDumpEntry e;
    REQUIRE_FALSE(mrt::parse_table_dump(view(r), e));
    CHECK(e.view == 3);
    CHECK(e.sequence == 9);
    CHECK(prefix_of(e.nlri) == (v4 ? "203.0.113.0/24" : "2001:db8:1::/48"));
    CHECK(e.originated == 777);
    CHECK(e.peer == ip(v4 ? "192.0.2.1" : "2001:db8::1"));
    CHECK(e.peer_as == 64501);
    CHECK(e.four_octet_as == four);
    CHECK(e.attributes.size() == 3);
    for (std::size_t n = 0; n < body.size(); ++n) {
      const Bytes cut = record(5, 12, subtype, Bytes(body.begin(), body.begin() + long(n)));
      CHECK(mrt::parse_table_dump(view(cut), e));
    }
    body[v4 ? 8 : 20] = v4 ? 33 : 129;
    CHECK(mrt::parse_table_dump(view(record(5, 12, subtype, body)), e));
  }
}

TEST_CASE("RFC 6396 4.3.1: PEER_INDEX_TABLE has peers of both families") {
  const Bytes r = peer_index(5, {{"192.0.2.1", 64501}, {"2001:db8::1", 4200000001}});
  mrt::PeerIndexTable table;
  REQUIRE_FALSE(mrt::parse_peer_index_table(view(r).body, table));
  CHECK(table.view == "view");
  CHECK(table.collector_id == ip("198.51.100.1"));
  REQUIRE(table.peers.size() == 2);
  CHECK(table.peers[0].address == ip("192.0.2.1"));
  CHECK(table.peers[0].as == 64501);
  CHECK(table.peers[1].address == ip("2001:db8::1"));
  CHECK(table.peers[1].as == 4200000001);
  CHECK(table.peers[1].router_id == ip("192.0.2.9"));
}

TEST_CASE("RFC 6396 4.3.1: a peer of a two-octet AS") {
  Bytes body;
  put_address(body, ip("198.51.100.1"));
  bgp::put_u16(body, 0);
  bgp::put_u16(body, 1);
  bgp::put_u8(body, 0);
  put_address(body, ip("192.0.2.9"));
  put_address(body, ip("192.0.2.1"));
  bgp::put_u16(body, 64501);
  mrt::PeerIndexTable table;
  REQUIRE_FALSE(mrt::parse_peer_index_table(Octets(body), table));
  REQUIRE(table.peers.size() == 1);
  CHECK(table.peers[0].as == 64501);
}

TEST_CASE("RFC 6396 4.3.1: a cut peer index table is a fault and keeps the peers before it") {
  const Bytes r = peer_index(5, {{"192.0.2.1", 64501}, {"192.0.2.2", 64502}});
  mrt::PeerIndexTable table;
  for (std::size_t n = 12; n < r.size(); ++n)
    CHECK(mrt::parse_peer_index_table(Octets(r).subspan(12, n - 12), table));
  CHECK(table.peers.size() == 1);
}

TEST_CASE("RFC 6396 4.3.2, RFC 8050 4: RIB subtypes say family and ADD-PATH") {
  struct Row {
    unsigned subtype;
    std::string_view prefix;
    Family family;
    bool add_path;
  };
  const Row rows[] = {
      {2, "203.0.113.0/24", {1, 1}, false}, {3, "203.0.113.0/24", {1, 2}, false},
      {4, "2001:db8::/32", {2, 1}, false},  {5, "2001:db8::/32", {2, 2}, false},
      {8, "203.0.113.0/24", {1, 1}, true},  {9, "203.0.113.0/24", {1, 2}, true},
      {10, "2001:db8::/32", {2, 1}, true},  {11, "2001:db8::/32", {2, 2}, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.subtype);
    const Bytes r = rib(5, row.subtype, row.prefix, {{0, kAttributes, 11}, {1, {}, 12}});
    CHECK(mrt::is_rib_record(view(r)));
    mrt::RibRecord out;
    REQUIRE_FALSE(mrt::parse_rib(view(r), out));
    CHECK(prefix_of(out.nlri) == row.prefix);
    CHECK(out.nlri.family() == row.family);
    CHECK(out.add_path == row.add_path);
    CHECK(out.count == 2);
    mrt::RibEntry e;
    mrt::Fault fault;
    REQUIRE(out.next(e, fault));
    CHECK(e.peer_index == 0);
    CHECK(e.originated == 1000);
    CHECK(e.path_id == (row.add_path ? 11u : 0u));
    CHECK(Bytes(e.attributes.begin(), e.attributes.end()) == kAttributes);
    REQUIRE(out.next(e, fault));
    CHECK(e.peer_index == 1);
    CHECK(e.attributes.empty());
    CHECK_FALSE(out.next(e, fault));
    CHECK_FALSE(fault);
  }
}

TEST_CASE("RFC 6396 4.3.3, RFC 8050 4: RIB_GENERIC names its family") {
  for (const unsigned subtype : {6u, 12u}) {
    const Bytes r = rib(5, subtype, "2001:db8::/32", {{1, kAttributes, 5}}, Bytes{0, 2, 1});
    CHECK(mrt::is_rib_record(view(r)));
    mrt::RibRecord out;
    REQUIRE_FALSE(mrt::parse_rib(view(r), out));
    CHECK(out.nlri.family() == lapwing::kIpv6Unicast);
    CHECK(out.add_path == (subtype == 12));
    mrt::RibEntry e;
    mrt::Fault fault;
    REQUIRE(out.next(e, fault));
    CHECK(e.path_id == (subtype == 12 ? 5u : 0u));
    const Bytes other = rib(5, subtype, "203.0.113.0/24", {}, Bytes{0x40, 4, 71});
    CHECK(mrt::parse_rib(view(other), out));
    CHECK_FALSE(mrt::is_rib_record(view(other)));
    mrt::RecordView cut = view(other);
    cut.body = cut.body.first(6);
    CHECK(mrt::is_rib_record(cut));  // a fault, which parse_rib names
  }
  for (const unsigned subtype : {1u, 7u, 13u})
    CHECK_FALSE(mrt::is_rib_record(view(rib(5, subtype, "203.0.113.0/24", {}))));
}

TEST_CASE("RFC 6396 4.3.2: a RIB record cut anywhere is a fault") {
  const Bytes r = rib(5, 8, "203.0.113.0/24", {{0, kAttributes, 11}, {1, kAttributes, 12}});
  for (std::size_t n = 12; n < r.size(); ++n) {
    mrt::RecordView cut = view(r);
    cut.body = cut.body.first(n - 12);
    mrt::RibRecord out;
    mrt::Fault fault = mrt::parse_rib(cut, out);
    mrt::RibEntry e;
    int entries = 0;
    if (!fault)
      while (out.next(e, fault)) ++entries;
    CHECK(fault);
    CHECK(entries < 2);
  }
}

TEST_CASE("RFC 6396 4.3.2: a prefix longer than its address is a fault") {
  Bytes r = rib(5, 2, "203.0.113.0/24", {});
  r[16] = 33;
  mrt::RibRecord out;
  CHECK(mrt::parse_rib(view(r), out));
}

TEST_CASE("RFC 6396 4.4, RFC 8050 3: subtypes of BGP4MP say ASN size, origin and ADD-PATH") {
  struct Row {
    unsigned subtype;
    bool four, local, add_path;
  };
  const Row rows[] = {{1, false, false, false}, {4, true, false, false}, {6, false, true, false},
                      {7, true, true, false},   {8, false, false, true}, {9, true, false, true},
                      {10, false, true, true},  {11, true, true, true}};
  for (const Row& row : rows) {
    for (const std::string_view address : {"192.0.2.1", "2001:db8::1"}) {
      CAPTURE(row.subtype);
      const Asn as = row.four ? 4200000001 : 64501;
      const Bytes r = bgp4mp(5, row.subtype, {address, as, 64500}, Bytes{1, 2});
      mrt::Bgp4mp out;
      REQUIRE_FALSE(mrt::parse_bgp4mp(view(r), out));
      CHECK(out.peer == ip(address));
      CHECK(out.peer_as == as);
      CHECK(out.local_as == 64500);
      CHECK(out.interface_index == 7);
      CHECK(out.four_octet_as == row.four);
      CHECK(out.from_local == row.local);
      CHECK(out.add_path == row.add_path);
      CHECK_FALSE(out.state_change);
      CHECK(out.message.size() == 2);
    }
  }
  CHECK_FALSE(mrt::is_bgp4mp_subtype(2));
  CHECK_FALSE(mrt::is_bgp4mp_subtype(3));
  CHECK_FALSE(mrt::is_bgp4mp_subtype(12));
}

TEST_CASE("RFC 6396 4.4.1: STATE_CHANGE with ASNs of both sizes, and Quagga's own states") {
  const Bytes r = state_change(5, {}, 7, 8);
  mrt::Bgp4mp out;
  REQUIRE_FALSE(mrt::parse_bgp4mp(view(r), out));
  CHECK(out.state_change);
  CHECK(out.old_state == 7);
  CHECK(out.new_state == 8);
  Bytes body = bgp4mp_header({}, false);
  bgp::put_u16(body, 5);
  bgp::put_u16(body, 6);
  const Bytes two = record(5, 16, 0, body);
  REQUIRE_FALSE(mrt::parse_bgp4mp(view(two), out));
  CHECK(out.state_change);
  CHECK(out.peer_as == 64501);
  CHECK(out.new_state == 6);
}

TEST_CASE("RFC 6396 4.4: a BGP4MP header cut anywhere, or of an unknown family, is a fault") {
  const Bytes r = state_change(5, {}, 5, 6);
  mrt::Bgp4mp out;
  for (std::size_t n = 12; n < r.size(); ++n) {
    mrt::RecordView cut = view(r);
    cut.body = cut.body.first(n - 12);
    CHECK(mrt::parse_bgp4mp(cut, out));
  }
  Bytes other = r;
  other[12 + 11] = 3;
  CHECK(mrt::parse_bgp4mp(view(other), out));
}
