// collector/mrt_source: table dumps as records.
#include <doctest/doctest.h>

#include "mrt_builder.h"

using namespace mrt_test;

namespace {

const std::vector<Peer> kPeers{{"192.0.2.1", 64501}, {"192.0.2.2", 64502}, {"192.0.2.3", 64503}};
const Bytes kFirst = attributes({64501, 64511});
const Bytes kSecond = attributes({64502, 64511});

Bytes table(std::uint32_t seconds) {
  return peer_index(seconds, kPeers) +
         rib(seconds, 2, "198.51.100.0/24", {{0, kFirst}, {1, kSecond}}) +
         rib(seconds + 1, 2, "203.0.113.0/24", {{0, kFirst}});
}

Bytes announce_own(std::uint32_t seconds, const Peer& peer) {
  return bgp4mp(seconds, 4, peer, update({}, attributes({peer.as}), {{"203.0.113.0/24"}}));
}

Bytes table_dump(std::uint32_t seconds, std::string_view prefix, const Peer& peer) {
  Bytes body;
  bgp::put_u32(body, 0);
  const Prefix p = *lapwing::parse_prefix(prefix);
  put_address(body, p.address);
  bgp::put_u8(body, p.length);
  bgp::put_u8(body, 1);
  bgp::put_u32(body, 1000);
  put_address(body, ip(peer.address));
  bgp::put_u16(body, peer.as);
  const Bytes block = attributes({peer.as, 64511}, false);
  bgp::put_u16(body, static_cast<unsigned>(block.size()));
  return record(seconds, 12, 1, body + block);
}

Bytes reach_v6(bool abbreviated) {
  Bytes reach;
  if (!abbreviated) reach = {0, 2, 1};
  reach.push_back(16);
  put_address(reach, ip("2001:db8::1"));
  if (!abbreviated) {
    reach.push_back(0);
    put_prefix(reach, "2001:db8:1::/48");
  }
  return attribute(0x40, 1, {0}) + as_path({64501}, true) + attribute(0x80, 14, reach);
}

}  // namespace

TEST_CASE("RFC 6396 4.3: a first table brings its neighbours up and ends with End-of-RIB") {
  const Replay r = replay({table(100)});
  CHECK(text(r.lines) ==
        text({"100 p0 declare 192.0.2.1", "100 p0 up", "100 p0 +198.51.100.0/24 via 64501 64511",
              "100 p1 declare 192.0.2.2", "100 p1 up", "100 p1 +198.51.100.0/24 via 64502 64511",
              "101 p0 +203.0.113.0/24 via 64501 64511", "101 p0 end ipv4-unicast",
              "101 p1 end ipv4-unicast"}));
  CHECK(r.statistics.prefixes == 2);
  CHECK(r.statistics.table_entries == 3);
  CHECK(r.sessions.at(0).router_id == ip("192.0.2.9"));
}

TEST_CASE("source: a neighbour of the index without a route is not declared until it speaks") {
  const Replay r = replay({table(100) + announce_own(110, kPeers[2])});
  REQUIRE(r.peers.size() == 3);
  CHECK(r.peers[2].name == "192.0.2.3");
  CHECK(r.peers[2].joined_midway);
}

TEST_CASE("source: a table ends at the first record that is none, and is then no longer first") {
  const Replay r = replay({table(100) + announce_own(110, kPeers[0]), table(200)});
  CHECK(text(Replay{{r.lines.begin() + 7, r.lines.end()}, {}, {}, {}}.lines) ==
        text({"101 p0 end ipv4-unicast", "101 p1 end ipv4-unicast",
              "110 p0 declare 192.0.2.1", "110 p0 +203.0.113.0/24 via 64501",
              "200 p0 refresh ipv4-unicast",
              "200 p0 +198.51.100.0/24 via 64501 64511", "200 p1 refresh ipv4-unicast",
              "200 p1 +198.51.100.0/24 via 64502 64511", "201 p0 +203.0.113.0/24 via 64501 64511",
              "201 p0 refreshed ipv4-unicast", "201 p1 refreshed ipv4-unicast"}));
}

TEST_CASE("source: a table after a lost session is that session's first table") {
  const Replay r = replay({table(100) + state_change(150, kPeers[1], 6, 1), table(200)});
  const std::string all = text(r.lines);
  CHECK(all.find("200 p0 refresh ipv4-unicast") != std::string::npos);
  CHECK(all.find("200 p1 refresh") == std::string::npos);
  CHECK(all.find("200 p1 up") != std::string::npos);
  CHECK(r.lines.back() == "201 p1 end ipv4-unicast");
}

TEST_CASE("source: a table for a neighbour that was joined midway is a refresh") {
  const Replay r = replay({announce_own(90, kPeers[0]) + table(100)});
  CHECK(r.peers.at(0).joined_midway);
  CHECK_FALSE(r.peers.at(1).joined_midway);
  CHECK(r.lines.at(3) == "100 p0 refresh ipv4-unicast");
  CHECK(r.lines.at(r.lines.size() - 2) == "101 p0 refreshed ipv4-unicast");
  CHECK(r.lines.back() == "101 p1 end ipv4-unicast");
}

TEST_CASE("source: a second peer index table begins a second table dump") {
  const Replay r = replay({table(100) + table(200)});
  const std::string all = text(r.lines);
  CHECK(all.find("101 p1 end ipv4-unicast\n200 p0 refresh ipv4-unicast") != std::string::npos);
}

TEST_CASE("source: prefixes with the same attributes share a record, and octets within a batch") {
  const Bytes one = peer_index(100, kPeers) + rib(100, 2, "198.51.100.0/24", {{0, kFirst}}) +
                    rib(100, 2, "203.0.113.0/24", {{0, kFirst}});
  CHECK(replay({one}).lines.at(2) == "100 p0 +198.51.100.0/24 +203.0.113.0/24 via 64501 64511");
  std::vector<std::uint32_t> places;
  lapwing::collector::MrtSource source([&places](bgp::RecordBatch& batch) {
    for (const auto& r : batch.records)
      if (r.kind == bgp::RecordKind::kUpdate) places.push_back(r.attributes_at);
  });
  const TempFile file(table(100));
  REQUIRE(source.read_files({file.path()}));
  source.finish();
  REQUIRE(places.size() == 3);
  CHECK(places[0] == places[2]);
  CHECK(places[0] != places[1]);
}

TEST_CASE("RFC 8050 4: several routes of one neighbour have path identifiers") {
  const Replay r = replay(
      {peer_index(100, kPeers) + rib(100, 8, "203.0.113.0/24", {{0, kFirst, 1}, {0, kSecond, 2}})});
  CHECK(r.lines.at(2) == "100 p0 +203.0.113.0/24#1 via 64501 64511");
  CHECK(r.lines.at(3) == "100 p0 +203.0.113.0/24#2 via 64502 64511");
}

TEST_CASE("RFC 6396 4.3.4: MP_REACH_NLRI in its short form, and whole") {
  for (const bool abbreviated : {true, false}) {
    std::vector<std::string> hops;
    lapwing::collector::MrtSource source([&hops](bgp::RecordBatch& batch) {
      for (const auto& r : batch.records)
        if (r.kind == bgp::RecordKind::kUpdate)
          hops.push_back(
              lapwing::format_address(*lapwing::PathView(batch.attributes(r)).next_hop()));
    });
    const TempFile file(peer_index(100, kPeers) +
                        rib(100, 4, "2001:db8:1::/48", {{0, reach_v6(abbreviated)}}));
    REQUIRE(source.read_files({file.path()}));
    source.finish();
    REQUIRE(hops.size() == 1);
    CHECK(hops[0] == "2001:db8::1");
  }
}

TEST_CASE("RFC 6396 4.2: TABLE_DUMP is a first table with ASNs of two octets") {
  const Replay r = replay({table_dump(100, "198.51.100.0/24", kPeers[0]) +
                           table_dump(100, "198.51.100.0/24", kPeers[1])});
  CHECK(text(r.lines) ==
        text({"100 p0 declare 192.0.2.1", "100 p0 up", "100 p0 +198.51.100.0/24 via 64501 64511",
              "100 p1 declare 192.0.2.2", "100 p1 up", "100 p1 +198.51.100.0/24 via 64502 64511",
              "100 p0 end ipv4-unicast", "100 p1 end ipv4-unicast"}));
}

TEST_CASE("source: equal octets mean different paths with ASNs of two and of four octets") {
  // AS_SEQUENCE of two: 4 octets of ASNs, or 8 that are not there; both blocks are equal octets.
  const Bytes block = attributes({64501}, true);
  const Replay r = replay({peer_index(100, kPeers) + rib(100, 2, "203.0.113.0/24", {{0, block}}) +
                           table_dump(100, "198.51.100.0", 24, {"192.0.2.1", 64501}, block)});
  // Read with two octets an ASN the AS_PATH is malformed: nothing is announced.
  CHECK(r.statistics.table_entries == 2);
  CHECK(r.statistics.treated_as_withdraw == 1);
  CHECK(r.lines.at(2) == "100 p0 +203.0.113.0/24 via 64501");
}

TEST_CASE("source: entries without a peer in the index, and attributes that RFC 7606 rejects") {
  const Bytes bad =
      attribute(0x40, 1, {9}) + as_path({64501}, true) + attribute(0x40, 3, {192, 0, 2, 1});
  const Replay r = replay({peer_index(100, kPeers) +
                           rib(100, 2, "203.0.113.0/24", {{9, kFirst}, {0, bad}, {1, kSecond}})});
  CHECK(r.statistics.malformed == 1);
  CHECK(r.statistics.treated_as_withdraw == 1);
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1", "100 p0 up", "100 p1 declare 192.0.2.2",
                               "100 p1 up", "100 p1 +203.0.113.0/24 via 64502 64511",
                               "100 p0 end ipv4-unicast", "100 p1 end ipv4-unicast"}));
  const Replay none = replay({rib(100, 2, "203.0.113.0/24", {{0, kFirst}})});
  CHECK(none.lines.empty());
  CHECK(none.statistics.malformed == 1);
}

TEST_CASE("source: the index of one file does not serve another") {
  const Replay r = replay({table(100), rib(200, 2, "203.0.113.0/24", {{0, kFirst}})});
  CHECK(r.statistics.malformed == 1);
}

TEST_CASE("source: a slow dump is not ended by the quiet period") {
  Bytes file = state_change(95, kPeers[0], 5, 6) + peer_index(100, kPeers) +
               rib(100, 2, "198.51.100.0/24", {{0, kFirst}});
  for (std::uint32_t s = 110; s < 400; s += 10)
    file = file + rib(s, 2, "192.0.2.0/24", {{1, kSecond}});
  file = file + rib(400, 2, "203.0.113.0/24", {{0, kFirst}});
  const Replay r = replay({file});
  const auto ends = std::count_if(r.lines.begin(), r.lines.end(), [](const std::string& line) {
    return line.find(" end ") != std::string::npos;
  });
  CHECK(ends == 2);
  CHECK(r.lines.at(r.lines.size() - 2).find("400 ") == 0);
}
