// bgp/mrt_encode and its reading back: sessions, Lapwing's marks, tables; old tables.
#include <doctest/doctest.h>

#include "bgp/attributes.h"
#include "bgp/mrt_encode.h"
#include "bgp/open.h"
#include "mrt_builder.h"

using namespace mrt_test;

namespace {

const mrt::SessionEnds kEnds{ip("192.0.2.1"), ip("192.0.2.254"), 64501, 64500};
constexpr mrt::MessageForm kPlain{};

Octets body_of(const Bytes& message) { return Octets(message).subspan(bgp::kHeaderSize); }

Bytes start_mark() {
  Bytes out;
  mrt::append_mark({}, at(90), ip("192.0.2.254"), out);
  return out;
}

Bytes peer_mark(std::string_view name, Asn as = 64501, std::int64_t seconds = 90) {
  mrt::Mark mark;
  mark.kind = mrt::Mark::Kind::kPeer;
  mark.text = name;
  mark.peers = {{ip("192.0.2.1"), {}, as}, {ip("192.0.2.254"), ip("192.0.2.254"), 64500}};
  Bytes out;
  mrt::append_mark(mark, at(seconds), ip("192.0.2.254"), out);
  return out;
}

bgp::Open open_of(Asn as) {
  bgp::Open open;
  open.as = as;
  open.hold_time = 90;
  open.router_id = ip("192.0.2.9");
  open.capabilities.families = {lapwing::kIpv4Unicast};
  open.capabilities.four_octet_as = as;
  return open;
}

/// Both OPENs and the STATE_CHANGE, as a recording has them.
Bytes session_up(std::int64_t seconds, const bgp::Open& ours, const bgp::Open& theirs) {
  Bytes out, open;
  bgp::encode_open(ours, open);
  mrt::append_message(kEnds, at(seconds), {true, false, true}, bgp::MessageType::kOpen,
                      body_of(open), out);
  open.clear();
  bgp::encode_open(theirs, open);
  mrt::append_message(kEnds, at(seconds), kPlain, bgp::MessageType::kOpen, body_of(open), out);
  mrt::append_state_change(kEnds, at(seconds), 5, 6, out);
  return out;
}

Bytes session_up(std::int64_t seconds) {
  return session_up(seconds, open_of(64500), open_of(64501));
}

Bytes message_record(std::int64_t seconds, const Bytes& message,
                     bgp::MessageType type = bgp::MessageType::kUpdate,
                     mrt::MessageForm form = kPlain, std::int64_t micros = 0) {
  Bytes out;
  mrt::append_message(kEnds, at(seconds, micros), form, type, body_of(message), out);
  return out;
}

Bytes announcement(std::int64_t seconds) {
  return message_record(seconds, update({}, attributes({64501, 64511}), {{"203.0.113.0/24"}}));
}

Bytes down(std::int64_t seconds, std::string_view reason) {
  Bytes out;
  mrt::Mark mark;
  mark.kind = mrt::Mark::Kind::kDown;
  mark.text = reason;
  mark.peers = {{kEnds.peer, {}, kEnds.peer_as}};
  mrt::append_mark(mark, at(seconds), kEnds.local, out);
  mrt::append_state_change(kEnds, at(seconds), 6, 1, out);
  return out;
}

Bytes route_refresh(unsigned kind) { return message(5, Bytes{0, 1, static_cast<std::uint8_t>(kind), 1}); }

}  // namespace

TEST_CASE("recording: a session is read back as it was, with its name, OPENs and reason") {
  const Replay r = replay({start_mark() + peer_mark("edge1") + session_up(100) +
                           announcement(101) + message_record(102, end_of_rib()) +
                           message_record(110, message(3, {6, 2}), bgp::MessageType::kNotification) +
                           down(110, "received NOTIFICATION Cease")});
  CHECK(text(r.lines) ==
        text({"90 p0 declare edge1", "100 p0 up", "101 p0 +203.0.113.0/24 via 64501 64511",
              "102 p0 end ipv4-unicast", "110 p0 down received NOTIFICATION Cease"}));
  CHECK(r.peers[0].as == 64501);
  CHECK(r.peers[0].local_as == 64500);
  CHECK(r.sessions[0].families == std::vector<Family>{lapwing::kIpv4Unicast});
  CHECK(r.sessions[0].router_id == ip("192.0.2.9"));
  CHECK(r.statistics.malformed == 0);
}

TEST_CASE("recording: a neighbour on the same host has next hops of it, as in its session") {
  for (const char* const address : {"127.0.0.2", "192.0.2.1"}) {
    CAPTURE(address);
    const mrt::SessionEnds ends{ip(address), ip("192.0.2.254"), 64501, 64500};
    mrt::Mark mark;
    mark.kind = mrt::Mark::Kind::kPeer;
    mark.text = "edge1";
    mark.peers = {{ends.peer, {}, 64501}, {ends.local, ends.local, 64500}};
    Bytes file = start_mark(), ours, theirs;
    mrt::append_mark(mark, at(90), ends.local, file);
    bgp::encode_open(open_of(64500), ours);
    bgp::encode_open(open_of(64501), theirs);
    mrt::append_message(ends, at(100), {true, false, true}, bgp::MessageType::kOpen, body_of(ours),
                        file);
    mrt::append_message(ends, at(100), kPlain, bgp::MessageType::kOpen, body_of(theirs), file);
    mrt::append_state_change(ends, at(100), 5, 6, file);
    const Bytes announced =
        update({}, attributes({64501}, true, "127.0.0.2"), {{"203.0.113.0/24"}});
    mrt::append_message(ends, at(101), kPlain, bgp::MessageType::kUpdate, body_of(announced), file);
    const Replay r = replay({file});
    const bool on_host = ends.peer != ip("192.0.2.1");
    CHECK(r.statistics.treated_as_withdraw == (on_host ? 0 : 1));
    CHECK((text(r.lines).find("+203.0.113.0/24") != std::string::npos) == on_host);
  }
}

TEST_CASE("recording: microseconds and the size of ASNs are those of the session") {
  const Bytes two = update({}, attributes({64501, 64511}, false), {{"203.0.113.0/24"}});
  const Bytes rec = message_record(100, two, bgp::MessageType::kUpdate, {false, false, false}, 250000);
  const mrt::Header header = mrt::read_header(rec.data());
  mrt::RecordView view;
  REQUIRE_FALSE(mrt::open_record(header, Octets(rec).subspan(mrt::kHeaderSize), view));
  CHECK(header.length + mrt::kHeaderSize == rec.size());
  CHECK(view.time == at(100, 250000));
  CHECK(view.subtype == mrt::bgp4mp::kMessage);
  CHECK(replay({rec}).lines.back() == "100 p0 +203.0.113.0/24 via 64501 64511");
}

TEST_CASE("recording: an AS that does not fit into two octets is AS_TRANS there") {
  Bytes out;
  mrt::append_message({ip("192.0.2.1"), ip("192.0.2.2"), 64501, 4200000000}, at(1),
                      {false, false, false}, bgp::MessageType::kKeepalive, {}, out);
  mrt::RecordView view;
  REQUIRE_FALSE(
      mrt::open_record(mrt::read_header(out.data()), Octets(out).subspan(mrt::kHeaderSize), view));
  mrt::Bgp4mp parsed;
  REQUIRE_FALSE(mrt::parse_bgp4mp(view, parsed));
  CHECK(parsed.local_as == bgp::kAsTrans);
  CHECK(parsed.peer == ip("192.0.2.1"));
  CHECK(parsed.local == ip("192.0.2.2"));
}

TEST_CASE("recording: families that were not agreed on are left out, as the session did") {
  Bytes reach{0, 2, 1, 16};
  put_address(reach, ip("2001:db8::1"));
  reach.push_back(0);
  put_prefix(reach, "2001:db8:1::/48");
  const Bytes v6 = attribute(0x40, 1, {0}) + as_path({64501}, true) + attribute(0x80, 14, reach);
  const Bytes file = start_mark() + peer_mark("edge1") + session_up(100) +
                     message_record(101, update({}, v6, {})) + announcement(102);
  CHECK(text(replay({file}).lines) == text({"90 p0 declare edge1", "100 p0 up",
                                            "102 p0 +203.0.113.0/24 via 64501 64511"}));
}

TEST_CASE("recording: ADD-PATH of the OPENs holds in both directions of what it says") {
  bgp::Open ours = open_of(64500), theirs = open_of(64501);
  ours.capabilities.add_path = {{lapwing::kIpv4Unicast, true, false}};
  theirs.capabilities.add_path = {{lapwing::kIpv4Unicast, false, true}};
  const Bytes with_ids = update({}, attributes({64501}), {{"203.0.113.0/24", 9}}, true);
  const Bytes plain = start_mark() + peer_mark("edge1") + session_up(100, ours, theirs) +
                      message_record(101, with_ids, bgp::MessageType::kUpdate, {true, true, false});
  CHECK(replay({plain}).lines.back() == "101 p0 +203.0.113.0/24#9 via 64501");
}

TEST_CASE("recording: nothing is made for a quiet neighbour; its End-of-RIBs are all there") {
  const Peer other{"192.0.2.2", 64502};
  const Bytes later = bgp4mp(400, 4, other, update({}, attributes({64502}), {{"198.51.100.0/24"}}));
  const Bytes recorded = session_up(100) + announcement(101) + later;
  for (const std::string& line : replay({start_mark() + peer_mark("edge1") + recorded}).lines)
    CHECK(line.find(" end ") == std::string::npos);
  const auto lines = replay({recorded}).lines;
  CHECK(std::count(lines.begin(), lines.end(), "161 p0 end ipv4-unicast") == 1);
}

TEST_CASE("recording: a file from the middle of a run joins midway, under the same name") {
  const Replay r = replay({peer_mark("edge1", 64501, 900) + announcement(901)});
  CHECK(text(r.lines) == text({"900 p0 declare edge1 midway", "901 p0 up",
                               "901 p0 +203.0.113.0/24 via 64501 64511"}));
  const Replay both = replay({start_mark() + peer_mark("edge1") + session_up(100),
                              peer_mark("edge1", 64501, 900) + announcement(901)});
  CHECK(text(both.lines) == text({"90 p0 declare edge1", "100 p0 up",
                                  "901 p0 +203.0.113.0/24 via 64501 64511"}));
}

TEST_CASE("recording: where Lapwing began anew, nobody is up, since the record before") {
  const Replay r = replay({start_mark() + peer_mark("edge1") + session_up(100) + announcement(101),
                           start_mark() + peer_mark("edge1", 64501, 200) + session_up(201)});
  CHECK(text(r.lines) == text({"90 p0 declare edge1", "100 p0 up",
                               "101 p0 +203.0.113.0/24 via 64501 64511",
                               "101 p0 down Lapwing was not running", "201 p0 up"}));
}

TEST_CASE("recording: a neighbour whose AS is left open is found by its address") {
  const Replay r = replay({start_mark() + peer_mark("any", 0) + session_up(100) + announcement(101)});
  CHECK(text(r.lines) == text({"90 p0 declare any", "100 p0 up",
                               "101 p0 +203.0.113.0/24 via 64501 64511"}));
}

TEST_CASE("recording: a gap is counted and warned of, with the place") {
  mrt::Mark gap;
  gap.kind = mrt::Mark::Kind::kGap;
  gap.lost = 17;
  Bytes mark;
  mrt::append_mark(gap, at(102), ip("192.0.2.254"), mark);
  const Bytes before = start_mark() + peer_mark("edge1") + session_up(100);
  const Replay r = replay({before + mark + announcement(103)});
  CHECK(r.statistics.lost == 17);
  REQUIRE(r.statistics.warnings.size() == 1);
  CHECK(r.statistics.warnings[0].offset == before.size());
  CHECK(r.statistics.warnings[0].reason.find("17 messages were lost") != std::string::npos);
}

TEST_CASE("recording: a peer index table of others is no mark") {
  mrt::PeerIndexTable table;
  for (const char* view : {"", "lapwing", "lapwing/1 peer", "lapwing/1 gap x", "lapwing/1 peer x", "lapwing/1 down x",
                           "lapwing/2 start"}) {
    table.view = view;
    CHECK_FALSE(mrt::read_mark(table));
  }
}

TEST_CASE("RFC 7313 4: BoRR and EoRR in a file are the refresh that they were") {
  const Replay r = replay({session_up(100) + announcement(101) +
                           message_record(102, route_refresh(1), bgp::MessageType::kRouteRefresh) +
                           announcement(103) +
                           message_record(104, route_refresh(2), bgp::MessageType::kRouteRefresh) +
                           message_record(105, route_refresh(0), bgp::MessageType::kRouteRefresh)});
  REQUIRE(r.lines.size() == 6);
  CHECK(r.lines[3] == "102 p0 refresh ipv4-unicast");
  CHECK(r.lines[5] == "104 p0 refreshed ipv4-unicast");
}

TEST_CASE("table: canonical attributes written to the wire and read again are the same octets") {
  const Bytes long_path = as_path(std::vector<Asn>(200, 4200000001), true);
  Bytes extended = attribute(0xc0, 8, Bytes(252, 7));  // communities
  const Bytes base = attribute(0x40, 1, {2}) + long_path;
  Bytes hop6{16};
  put_address(hop6, ip("2001:db8::1"));
  const std::vector<Bytes> sets{
      base + attribute(0x40, 3, {192, 0, 2, 1}) + attribute(0x80, 4, {0, 0, 0, 9}),
      attribute(0x40, 1, {0}) + as_path({}, true) + attribute(0x80, 14, hop6) + extended,
      base + attribute(0x40, 3, {192, 0, 2, 1}) + attribute(0x40, 6, {}) +
          attribute(0xc0, 7, {0, 0, 251, 245, 192, 0, 2, 9}) + attribute(0xe0, 99, {1, 2, 3})};
  const auto session = bgp::SessionParameters::of_file(true, false);
  for (Bytes set : sets) {
    // The path has more than 255 octets: its length needs two.
    if (const auto at = std::search(set.begin(), set.end(), long_path.begin(), long_path.end());
        at != set.end()) {
      *at = 0x50;
      const std::size_t value = long_path.size() - 3;
      at[2] = static_cast<std::uint8_t>(value >> 8);
      set.insert(at + 3, static_cast<std::uint8_t>(value));
    }
    bgp::Findings findings;
    Bytes canonical, wire, again;
    REQUIRE(bgp::append_attributes(set, session, bgp::MpReachForm::kAbbreviated, canonical,
                                   findings) == bgp::ErrorAction::kNone);
    REQUIRE(mrt::append_wire_attributes(canonical, wire));
    REQUIRE(bgp::append_attributes(wire, session, bgp::MpReachForm::kAbbreviated, again, findings) ==
            bgp::ErrorAction::kNone);
    CHECK(canonical == again);
  }
}

TEST_CASE("table: attributes of more than 65,535 octets are refused and leave nothing") {
  Bytes canonical{1, 1, 0, 99};
  std::uint8_t size[8];
  std::uint8_t* const end = lapwing::write_varint(size, 70001);
  canonical.insert(canonical.end(), &size[0], end);
  canonical.push_back(0xc0);
  canonical.resize(canonical.size() + 70000);
  Bytes out{42};
  CHECK_FALSE(mrt::append_wire_attributes(canonical, out));
  CHECK(out == Bytes{42});
}

TEST_CASE("table: RIB records of every family are read back, ADD-PATH too") {
  const Bytes wire = attributes({64501});
  for (const std::uint16_t afi : {lapwing::kAfiIpv4, lapwing::kAfiIpv6}) {
    for (const std::uint8_t safi : {lapwing::kSafiUnicast, lapwing::kSafiMulticast,
                                    lapwing::kSafiLabeled, lapwing::kSafiVpn}) {
      for (const bool add_path : {false, true}) {
        CAPTURE(afi);
        CAPTURE(safi);
        CAPTURE(add_path);
        lapwing::Nlri nlri;
        nlri.family = {afi, safi};
        nlri.prefix = *lapwing::parse_prefix(afi == 1 ? "203.0.113.128/25" : "2001:db8:1::/48");
        if (safi == lapwing::kSafiVpn) nlri.rd = 0x0001000200030004;
        Bytes out;
        mrt::RibEncoder rib(at(100), 5, bgp::to_key(nlri), add_path, out);
        rib.add(0, at(50), 1, wire);
        rib.add(1, at(51), 2, wire);
        rib.end();
        mrt::RecordView view;
        REQUIRE_FALSE(mrt::open_record(mrt::read_header(out.data()),
                                       Octets(out).subspan(mrt::kHeaderSize), view));
        CHECK(mrt::read_header(out.data()).length + mrt::kHeaderSize == out.size());
        mrt::RibRecord read;
        REQUIRE_FALSE(mrt::parse_rib(view, read));
        CHECK(read.sequence == 5);
        CHECK(read.count == 2);
        CHECK(bgp::to_nlri(read.nlri) == nlri);
        mrt::RibEntry entry;
        mrt::Fault fault;
        REQUIRE(read.next(entry, fault));
        REQUIRE(read.next(entry, fault));
        CHECK(entry.peer_index == 1);
        CHECK(entry.originated == 51);
        CHECK(entry.path_id == (add_path ? 2 : 0));
        CHECK(Bytes(entry.attributes.begin(), entry.attributes.end()) == wire);
        CHECK_FALSE(read.next(entry, fault));
        CHECK_FALSE(fault);
      }
    }
  }
}

TEST_CASE("source: what is later than the end asked for is left out and counted") {
  const auto announce = [](std::uint32_t seconds) {
    return bgp4mp(seconds, 4, {}, update({}, attributes({64501}), {{"203.0.113.0/24"}}));
  };
  const Replay r = replay({announce(100) + announce(200) + announce(201)}, {.to = at(200)});
  CHECK(r.lines.size() == 4);
  CHECK(r.statistics.after_end == 1);
  CHECK(r.statistics.last_time == at(200));
}

TEST_CASE("source: BGP4MP_ENTRY of old OpenBGPD is a table, its next hop beside the attributes") {
  const auto entry = [](std::string_view prefix) {
    Bytes body = bgp4mp_header({"192.0.2.1", 64501}, false);
    bgp::put_u16(body, 0);  // view
    bgp::put_u16(body, 1);  // status
    bgp::put_u32(body, 50);
    bgp::put_u16(body, 1);
    bgp::put_u8(body, 1);
    bgp::put_u8(body, 4);
    put_address(body, ip("192.0.2.77"));
    put_prefix(body, prefix);
    const Bytes set = attribute(0x40, 1, {0}) + as_path({64501, 64511}, false);
    bgp::put_u16(body, static_cast<unsigned>(set.size()));
    bgp::put_octets(body, set);
    return record(100, 16, 2, body);
  };
  const Replay r = replay({entry("198.51.100.0/24") + entry("203.0.113.0/24")});
  CHECK(text(r.lines) == text({"100 p0 declare 192.0.2.1", "100 p0 up",
                               "100 p0 +198.51.100.0/24 +203.0.113.0/24 via 64501 64511",
                               "100 p0 end ipv4-unicast"}));
  CHECK(r.peers[0].local_as == 64500);
  CHECK(r.statistics.table_entries == 2);
  Bytes cut = entry("198.51.100.0/24");
  cut.resize(cut.size() - 1);
  cut[11] = static_cast<std::uint8_t>(cut[11] - 1);
  CHECK(replay({cut}).statistics.malformed == 1);
}
