// collector/mrt_source: BGP4MP messages and states as records.
#include <doctest/doctest.h>

#include "mrt_builder.h"

using namespace mrt_test;

namespace {

constexpr Peer kPeer{};  // 192.0.2.1, AS64501
constexpr unsigned kAs4 = 4;

Bytes announce(std::uint32_t seconds, const Peer& peer = kPeer,
               std::string_view prefix = "203.0.113.0/24") {
  return bgp4mp(seconds, kAs4, peer, update({}, attributes({peer.as, 64511}), {{prefix}}));
}

}  // namespace

TEST_CASE("source: an UPDATE of an unknown neighbour declares it, midway, and brings it up") {
  const Replay r = replay({bgp4mp(
      100, kAs4, kPeer,
      update({{"198.51.100.0/24"}}, attributes({64501, 64511}), {{"203.0.113.0/24"}}))});
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1 midway", "100 p0 up",
                               "100 p0 -198.51.100.0/24 +203.0.113.0/24 via 64501 64511"}));
  REQUIRE(r.peers.size() == 1);
  CHECK(r.peers[0].address == ip("192.0.2.1"));
  CHECK(r.peers[0].as == 64501);
  CHECK(r.peers[0].local_as == 64500);
  CHECK(r.statistics.updates == 1);
  CHECK(r.statistics.announcements == 1);
  CHECK(r.statistics.withdrawals == 1);
  CHECK(r.statistics.first_time == at(100));
}

TEST_CASE("source: a neighbour whose session begins in the file did not join midway") {
  const Replay r = replay({state_change(100, kPeer, 5, 6) + announce(101)});
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1", "100 p0 up",
                               "101 p0 +203.0.113.0/24 via 64501 64511"}));
  CHECK(r.statistics.state_changes == 1);
}

TEST_CASE("source: the loss of a session that was not heard says that the next one is whole") {
  const Replay r = replay({state_change(100, kPeer, 6, 1) + state_change(110, kPeer, 5, 6)});
  CHECK(text(r.lines) == text({"110 p0 declare 192.0.2.1", "110 p0 up"}));
}

TEST_CASE("source: Established to another state is down, with the states; Quagga's 7 and 8 too") {
  const Replay r = replay({announce(100) + state_change(110, kPeer, 6, 7) +
                           state_change(111, kPeer, 7, 8) + announce(120) +
                           state_change(130, kPeer, 6, 99)});
  CHECK(text(r.lines) ==
        text({"100 p0 declare 192.0.2.1 midway", "100 p0 up",
              "100 p0 +203.0.113.0/24 via 64501 64511",
              "110 p0 down state change: Established to Clearing", "120 p0 up",
              "120 p0 +203.0.113.0/24 via 64501 64511",
              "130 p0 down state change: Established to state 99"}));
}

TEST_CASE("source: Established twice is a new session") {
  const Replay r = replay({state_change(100, kPeer, 5, 6) + state_change(110, kPeer, 5, 6)});
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1", "100 p0 up",
                               "110 p0 down a new session was established", "110 p0 up"}));
}

TEST_CASE("source: a NOTIFICATION is down with its reason, once") {
  const Replay r = replay({announce(100) + bgp4mp(110, kAs4, kPeer, message(3, {6, 2})) +
                           state_change(110, kPeer, 6, 1)});
  REQUIRE(r.lines.size() == 4);
  CHECK(r.lines[3] == "110 p0 down Cease: Administrative Shutdown");
  CHECK(r.statistics.notifications == 1);
}

TEST_CASE("source: an OPEN of a neighbour that is up begins a new session where no states are told") {
  const Replay r = replay({announce(100) + bgp4mp(110, kAs4, kPeer, open(64501)) + announce(111)});
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1 midway", "100 p0 up",
                               "100 p0 +203.0.113.0/24 via 64501 64511",
                               "110 p0 down the neighbour opened a new session", "111 p0 up",
                               "111 p0 +203.0.113.0/24 via 64501 64511"}));
  CHECK(r.statistics.opens == 1);
  const Replay with_states = replay({state_change(90, kPeer, 5, 6) + announce(100) +
                                     bgp4mp(110, kAs4, kPeer, open(64501)) + announce(111)});
  CHECK(with_states.lines.size() == 4);
}

TEST_CASE("RFC 4724 2: End-of-RIB of a neighbour is a record") {
  const Bytes ipv6_end = message(2, Bytes{0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1});
  const Replay r = replay({state_change(100, kPeer, 5, 6) + bgp4mp(101, kAs4, kPeer, end_of_rib()) +
                           bgp4mp(102, kAs4, kPeer, ipv6_end)});
  REQUIRE(r.lines.size() == 4);
  CHECK(r.lines[2] == "101 p0 end ipv4-unicast");
  CHECK(r.lines[3] == "102 p0 end ipv6-unicast");
  CHECK(r.statistics.end_of_ribs == 2);
}

TEST_CASE("source: 60 seconds without an UPDATE end the first table of a session") {
  const Peer other{"192.0.2.2", 64502};
  const Bytes up = state_change(100, kPeer, 5, 6) + announce(110) + announce(150);
  CHECK(replay({up + announce(209, other)}).lines.back().find("end") == std::string::npos);
  const Replay r = replay({up + announce(210, other) + announce(400, other)});
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1", "100 p0 up",
                               "110 p0 +203.0.113.0/24 via 64501 64511",
                               "150 p0 +203.0.113.0/24 via 64501 64511",
                               "210 p0 end ipv4-unicast",
                               "210 p1 declare 192.0.2.2 midway", "210 p1 up",
                               "210 p1 +203.0.113.0/24 via 64502 64511",
                               "400 p1 +203.0.113.0/24 via 64502 64511"}));
}

TEST_CASE("source: the quiet period ends also the families that a neighbour had before its loss") {
  Bytes reach{0, 2, 1, 16};
  put_address(reach, ip("2001:db8::1"));
  reach.push_back(0);
  put_prefix(reach, "2001:db8:1::/48");
  const Bytes v6 = attribute(0x40, 1, {0}) + as_path({64501}, true) + attribute(0x80, 14, reach);
  const Peer other{"192.0.2.2", 64502};
  const Replay r = replay({announce(100) + bgp4mp(101, kAs4, kPeer, update({}, v6, {})) +
                           state_change(110, kPeer, 6, 1) + state_change(120, kPeer, 5, 6) +
                           announce(121) + announce(300, other)});
  REQUIRE(r.lines.size() == 12);
  CHECK(r.lines[7] == "181 p0 end ipv4-unicast");
  CHECK(r.lines[8] == "181 p0 end ipv6-unicast");
  REQUIRE(r.sessions.size() >= 3);
  CHECK(r.sessions[2].families ==
        std::vector<Family>{lapwing::kIpv4Unicast, lapwing::kIpv6Unicast});
}

TEST_CASE("source: a session that is slow to begin has its quiet period after its first UPDATE") {
  const Peer other{"192.0.2.2", 64502};
  const Replay r = replay({state_change(100, kPeer, 5, 6) + announce(200, other) +
                           announce(300) + announce(400, other)});
  REQUIRE(r.lines.size() == 8);
  CHECK(r.lines[5] == "300 p0 +203.0.113.0/24 via 64501 64511");
  CHECK(r.lines[6] == "360 p0 end ipv4-unicast");
}

TEST_CASE("source: no quiet period after End-of-RIB, a loss, or for a neighbour joined midway") {
  const Peer other{"192.0.2.2", 64502};
  const auto ends = [](const Replay& r) {
    return std::count_if(r.lines.begin(), r.lines.end(), [](const std::string& line) {
      return line.find(" end ") != std::string::npos;
    });
  };
  CHECK(ends(replay({announce(100) + announce(300, other)})) == 0);
  CHECK(ends(replay({state_change(100, kPeer, 5, 6) + announce(101) +
                     bgp4mp(102, kAs4, kPeer, end_of_rib()) + announce(300, other)})) == 1);
  CHECK(ends(replay({state_change(100, kPeer, 5, 6) + announce(101) +
                     state_change(110, kPeer, 6, 1) + announce(300, other)})) == 0);
}

TEST_CASE("RFC 6396 4.4.2: the subtype says the size of ASNs in the message") {
  const Bytes two = bgp4mp(100, 1, kPeer,
                           update({}, attributes({64501, 64511}, false), {{"203.0.113.0/24"}}));
  const Bytes four = bgp4mp(101, 4, {"192.0.2.2", 4200000001, 64500},
                            update({}, attributes({4200000001}), {{"203.0.113.0/24"}}));
  const Replay r = replay({two + four});
  REQUIRE(r.lines.size() == 6);
  CHECK(r.lines[2] == "100 p0 +203.0.113.0/24 via 64501 64511");
  CHECK(r.lines[5] == "101 p1 +203.0.113.0/24 via 4200000001");
}

TEST_CASE("RFC 8050 3: ADD-PATH subtypes have path identifiers") {
  for (const unsigned subtype : {8u, 9u}) {
    const Replay r = replay({bgp4mp(
        100, subtype, kPeer,
        update({{"198.51.100.0/24", 3}}, attributes({64501}, subtype == 9), {{"203.0.113.0/24", 9}},
               true))});
    CHECK(r.lines.back() == "100 p0 -198.51.100.0/24#3 +203.0.113.0/24#9 via 64501");
  }
}

TEST_CASE("RFC 7911 4: where both OPENs are in the file, they say which family has path identifiers") {
  const Bytes send{1, 4, 0, 1, 0, 1, 69, 4, 0, 1, 1, 2}, receive{1, 4, 0, 1, 0, 1, 69, 4, 0, 1, 1, 1};
  const Bytes with_ids = update({}, attributes({64501}, false), {{"203.0.113.0/24", 9}}, true);
  const Replay r = replay({bgp4mp(100, 6, kPeer, open(64500, receive)) +
                           bgp4mp(100, 1, kPeer, open(64501, send)) +
                           bgp4mp(101, 1, kPeer, with_ids)});
  CHECK(r.lines.back() == "101 p0 +203.0.113.0/24#9 via 64501");
  CHECK(r.lines.front() == "101 p0 declare 192.0.2.1");
  CHECK(r.statistics.local_messages == 1);
  const Bytes without = update({}, attributes({64501}, false), {{"203.0.113.0/24"}});
  const Replay one = replay({bgp4mp(100, 1, kPeer, open(64501, send)) +
                             bgp4mp(101, 1, kPeer, without)});
  CHECK(one.lines.back() == "101 p0 +203.0.113.0/24 via 64501");
}

TEST_CASE("RFC 7911 3: an offer of ADD-PATH is believed when an UPDATE cannot be read without") {
  const Bytes send{1, 4, 0, 1, 0, 1, 69, 4, 0, 1, 1, 2};
  const Bytes with_ids = update({}, attributes({64501}), {{"203.0.113.0/24", 1}}, true);
  const Replay r = replay({bgp4mp(100, kAs4, kPeer, open(64501, send)) +
                           bgp4mp(101, kAs4, kPeer, with_ids)});
  CHECK(r.lines.back() == "101 p0 +203.0.113.0/24#1 via 64501");
  CHECK(r.statistics.would_reset == 0);
  const Replay none = replay({bgp4mp(100, kAs4, kPeer, open(64501)) +
                              bgp4mp(101, kAs4, kPeer, with_ids)});
  CHECK(none.lines.empty());
  CHECK(none.statistics.would_reset == 1);
}

TEST_CASE("RFC 8050 3: what the collector sent is counted and not believed") {
  for (const unsigned subtype : {6u, 7u, 10u, 11u}) {
    const Replay r = replay({bgp4mp(100, subtype, kPeer,
                                    update({}, attributes({64501}), {{"203.0.113.0/24"}}))});
    CHECK(r.lines.empty());
    CHECK(r.statistics.local_messages == 1);
    CHECK(r.statistics.updates == 0);
  }
}

TEST_CASE("source: names are the configured ones, else addresses; an AS tells equal ones apart") {
  const auto name_of = [](const IpAddress& a) -> std::optional<std::string> {
    if (a == ip("192.0.2.1")) return "edge1";
    return std::nullopt;
  };
  const Replay r = replay({announce(100) + announce(101, {"192.0.2.1", 64777}) +
                           announce(102, {"2001:db8::1", 64501}) +
                           announce(103, {"2001:db8::1", 64502}) + announce(104)},
                          {.name_of = name_of});
  REQUIRE(r.peers.size() == 4);
  CHECK(r.peers[0].name == "edge1");
  CHECK(r.peers[1].name == "edge1#64777");
  CHECK(r.peers[2].name == "2001:db8::1");
  CHECK(r.peers[3].name == "2001:db8::1#64502");
  CHECK(r.lines.back() == "104 p0 +203.0.113.0/24 via 64501 64511");
}

TEST_CASE("RFC 6793 9: AS_TRANS in a two-octet record is the neighbour known by its address") {
  Bytes body = bgp4mp_header({"192.0.2.1", 23456}, false);
  bgp::put_u16(body, 6);
  bgp::put_u16(body, 1);
  const Replay r =
      replay({announce(100, {"192.0.2.1", 4200000001}) + record(110, 16, 0, body)});
  CHECK(r.peers.size() == 1);
  CHECK(r.lines.back() == "110 p0 down state change: Established to Idle");
}

TEST_CASE("RFC 6396 3: microseconds of BGP4MP_ET reach the records") {
  Bytes body;
  bgp::put_u32(body, 123456);
  const Bytes msg = update({}, attributes({64501}), {{"203.0.113.0/24"}});
  std::vector<Timestamp> times;
  lapwing::collector::MrtSource source([&times](bgp::RecordBatch& batch) {
    for (const auto& r : batch.records) times.push_back(r.time);
  });
  const TempFile file(record(100, 17, 4, body + bgp4mp_header(kPeer, true) + msg));
  REQUIRE(source.read_files({file.path()}));
  source.finish();
  REQUIRE(times.size() == 3);
  CHECK(times[2] == at(100, 123456));
}

TEST_CASE("source: neighbours live on from one file to the next") {
  const Replay r = replay({announce(100), announce(200)});
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1 midway", "100 p0 up",
                               "100 p0 +203.0.113.0/24 via 64501 64511",
                               "200 p0 +203.0.113.0/24 via 64501 64511"}));
  CHECK(r.statistics.files == 2);
}

TEST_CASE("source: malformed messages and unknown types are counted and the rest is read") {
  const Bytes cut_message(18, 0xff);
  Bytes too_long = end_of_rib();
  too_long[17] = 0xff;
  const Replay r = replay({bgp4mp(100, kAs4, kPeer, cut_message) +
                           bgp4mp(100, kAs4, kPeer, too_long) +
                           bgp4mp(100, kAs4, kPeer, message(9, {})) +
                           bgp4mp(100, kAs4, kPeer, message(1, {4, 0})) +
                           record(100, 16, 4, Bytes{1, 2, 3}) + record(100, 16, 3, Bytes(40)) +
                           record(100, 48, 0, Bytes(4)) + announce(101)});
  CHECK(r.lines.size() == 3);
  CHECK(r.statistics.malformed == 5);
  CHECK(r.statistics.warnings.size() == 5);
  CHECK(r.statistics.warnings[1].offset == 12 + 20 + 18);
  CHECK(r.statistics.skipped.at({16, 3}) == 1);
  CHECK(r.statistics.skipped.at({48, 0}) == 1);
  CHECK(r.statistics.records == 8);
}

TEST_CASE("RFC 7606: findings in a file are counted, and nothing is reset") {
  const Bytes bad_origin = attribute(0x40, 1, {9}) + as_path({64501}, true) +
                           attribute(0x40, 3, {192, 0, 2, 1});
  const Bytes broken = message(2, Bytes{0, 99, 0, 0});
  const Replay r = replay({announce(100) +
                           bgp4mp(101, kAs4, kPeer, update({}, bad_origin, {{"203.0.113.0/24"}})) +
                           bgp4mp(102, kAs4, kPeer, broken) + announce(103)});
  CHECK(r.statistics.treated_as_withdraw == 1);
  CHECK(r.statistics.would_reset == 1);
  CHECK(r.lines.at(3) == "101 p0 -203.0.113.0/24");
  CHECK(r.lines.back() == "103 p0 +203.0.113.0/24 via 64501 64511");
}

TEST_CASE("source: what has octets but no record of MRT is a warning and false") {
  for (const bool merge : {false, true}) {
    const auto readable = [merge](const std::vector<std::string>& paths) {
      lapwing::collector::MrtOptions options;
      options.merge = merge;
      lapwing::collector::MrtSource source([](bgp::RecordBatch&) {}, std::move(options));
      const bool all = source.read_files(paths);
      CHECK(all == (source.statistics().warning_count == 0));
      return all;
    };
    const TempFile empty(Bytes{}), good(announce(100));
    CHECK(readable({empty.path()}));
    CHECK(readable({good.path(), empty.path()}));
    const std::string prose = "There is nothing here that a collector wrote. ";
    const TempFile text(Bytes(prose.begin(), prose.end()));
    CHECK_FALSE(readable({text.path()}));
    CHECK_FALSE(readable({good.path(), text.path()}));
    CHECK_FALSE(readable({"/", good.path()}));
  }
}

TEST_CASE("source: files named in another order than that of their times are a warning") {
  const TempFile early(announce(100) + announce(200)), late(announce(150) + announce(90));
  const auto warnings = [](const std::vector<std::string>& paths, bool merge) {
    lapwing::collector::MrtOptions options;
    options.merge = merge;
    lapwing::collector::MrtSource source([](bgp::RecordBatch&) {}, std::move(options));
    CHECK(source.read_files(paths));
    return source.statistics().warnings;
  };
  CHECK(warnings({early.path(), late.path(), late.path()}, false).empty());
  CHECK(warnings({late.path(), early.path()}, true).empty());
  const auto told = warnings({late.path(), early.path()}, false);
  REQUIRE(told.size() == 1);
  CHECK(told[0].file == early.path());
  CHECK(told[0].offset == 0);
  CHECK(told[0].reason.find("begins at 1970-01-01T00:01:40.000000Z, earlier than the file named "
                            "before it, at 1970-01-01T00:02:30.000000Z") == 0);
}

TEST_CASE("source: a missing file is a warning and false") {
  lapwing::collector::MrtSource source([](bgp::RecordBatch&) {});
  CHECK_FALSE(source.read_files({"/nonexistent/file"}));
  CHECK(source.statistics().warnings.size() == 1);
}
