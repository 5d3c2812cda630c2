// OPEN: encoding, decoding, validation, negotiation.
#include <doctest/doctest.h>

#include "bgp/open.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

Buffer open_body(const Buffer& parameters, unsigned as = 65001, unsigned hold = 90,
                 unsigned version = 4) {
  return Buffer{static_cast<std::uint8_t>(version)} + u16(as) + u16(hold) + Buffer{10, 0, 0, 2} +
         Buffer{static_cast<std::uint8_t>(parameters.size())} + parameters;
}
Buffer extended_body(const Buffer& parameters) {
  return Buffer{4} + u16(65001) + u16(90) + Buffer{10, 0, 0, 2, 255, 255} +
         u16(static_cast<unsigned>(parameters.size())) + parameters;
}
Buffer cap(unsigned code, const Buffer& value) {
  return Buffer{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(value.size())} + value;
}
Buffer param(const Buffer& capabilities) {
  return Buffer{2, static_cast<std::uint8_t>(capabilities.size())} + capabilities;
}

const OpenExpectation kExpected{65000, 65001, *parse_address("10.0.0.1"), std::nullopt};

/// "2/4", or "ok".
std::string judge(const Buffer& body, const OpenExpectation& expected = kExpected) {
  Open open;
  auto error = decode_open(body, open);
  if (!error) error = check_open(open, expected);
  if (!error) return "ok";
  return std::to_string(error->code) + '/' + std::to_string(error->subcode);
}

Open decoded(const Buffer& parameters) {
  Open open;
  CHECK_FALSE(decode_open(open_body(parameters), open));
  return open;
}

NeighborConfig neighbor() {
  NeighborConfig n;
  n.name = "edge1";
  n.peer_as = 65001;
  n.local_as = 65000;
  return n;
}

}  // namespace

TEST_CASE("RFC 4271 6.2: version, AS, hold time and identifier") {
  CHECK(judge(open_body({})) == "ok");
  for (const unsigned version : {0u, 3u, 5u, 255u})
    CHECK(judge(open_body({}, 65001, 90, version)) == "2/1");
  Open open;
  const auto error = decode_open(open_body({}, 65001, 90, 3), open);
  REQUIRE(error);
  CHECK(Buffer(error->data.begin(), error->data.end()) == Buffer{0, 4});
  for (const unsigned as : {0u, 65002u, 23456u}) CHECK(judge(open_body({}, as)) == "2/2");
  for (const unsigned hold : {1u, 2u}) CHECK(judge(open_body({}, 65001, hold)) == "2/6");
  for (const unsigned hold : {0u, 3u, 65535u}) CHECK(judge(open_body({}, 65001, hold)) == "ok");
  Buffer zero = open_body({});
  zero[5] = zero[8] = 0;
  CHECK(judge(zero) == "2/3");
}

TEST_CASE("RFC 6286 2.2: our own identifier is wrong within our AS only") {
  OpenExpectation expected = kExpected;
  expected.router_id = *parse_address("10.0.0.2");
  CHECK(judge(open_body({}), expected) == "ok");
  expected.local_as = 65001;
  CHECK(judge(open_body({}), expected) == "2/3");
}

TEST_CASE("RFC 6793 4.2: the 4-octet AS capability and AS_TRANS") {
  OpenExpectation expected = kExpected;
  expected.peer_as = 200000;
  CHECK(judge(open_body(param(cap(65, u32(200000))), 23456), expected) == "ok");
  CHECK(judge(open_body(param(cap(65, u32(200000))), 65001), expected) == "2/2");
  CHECK(judge(open_body(param(cap(65, u32(65001))), 65001)) == "ok");
  CHECK(judge(open_body(param(cap(65, u32(65001))), 65002)) == "2/2");
  CHECK(judge(open_body(param(cap(65, u32(0))), 23456)) == "2/2");
  CHECK(judge(open_body(param(cap(65, u32(0))), 65001)) == "2/2");
  for (const std::size_t size : {0u, 2u, 3u, 5u})
    CHECK(judge(open_body(param(cap(65, Buffer(size))))) == "2/0");
}

TEST_CASE("RFC 9234 4.2: a role that does not match ours is 2/11, where we said ours") {
  OpenExpectation expected = kExpected;
  const auto theirs = [](unsigned role) {
    return open_body(param(cap(9, {static_cast<std::uint8_t>(role)})));
  };
  for (unsigned role = 0; role < 8; ++role) CHECK(judge(theirs(role), expected) == "ok");
  const unsigned match[] = {3, 2, 1, 0, 4};
  for (unsigned ours = 0; ours < 5; ++ours) {
    expected.role = static_cast<Role>(ours);
    CHECK(judge(open_body({}), expected) == "ok");
    for (unsigned role = 0; role < 8; ++role)
      CHECK(judge(theirs(role), expected) == (role == match[ours] ? "ok" : "2/11"));
  }
}

TEST_CASE("RFC 4271 6.2, RFC 5492 4: optional parameters and their lengths") {
  CHECK(judge(open_body({1, 0})) == "2/4");
  CHECK(judge(open_body({3, 2, 0, 0})) == "2/4");
  CHECK(judge(open_body({2})) == "2/0");
  CHECK(judge(open_body({2, 5, 1})) == "2/0");
  CHECK(judge(open_body(param({1}))) == "2/0");
  CHECK(judge(open_body(param({1, 255, 0}))) == "2/0");
  CHECK(judge(open_body(param(cap(1, Buffer(3))))) == "2/0");
  CHECK(judge(open_body(param(cap(64, {0})))) == "2/0");
  CHECK(judge(open_body(param(cap(64, Buffer(5))))) == "2/0");
  Buffer over = open_body(param(cap(2, {})));
  over[9] = 5;
  CHECK(judge(over) == "2/0");
  over[9] = 3;
  CHECK(judge(over) == "2/0");
  over[9] = 0;
  CHECK(judge(over) == "2/0");
  CHECK(judge(Buffer(9, 4)) == "2/0");
}

TEST_CASE("RFC 9072 2: extended optional parameters; CVE-2022-40302, -40318, -43681") {
  const Buffer short_one = Buffer{2} + u16(6) + cap(1, hex("00010001"));
  CHECK(judge(extended_body(short_one)) == "ok");
  Buffer long_one;
  for (int i = 0; i < 200; ++i) long_one = long_one + Buffer{2} + u16(7) + cap(200, Buffer(5));
  CHECK(judge(extended_body(long_one)) == "ok");
  Buffer odd_length = extended_body(short_one);
  odd_length[9] = 1;  // ignored once type 255 is there
  CHECK(judge(odd_length) == "ok");
  const Buffer whole = extended_body(short_one);
  for (std::size_t size = 10; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(judge(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))) == "2/0");
  }
  CHECK(judge(extended_body({2, 0})) == "2/0");
}

TEST_CASE("RFC 5492 4: unknown, repeated and contradicting capabilities are tolerated") {
  Buffer many;
  for (int i = 0; i < 20; ++i) many = many + param(cap(65, u32(65001)) + cap(2, {}));
  CHECK(judge(open_body(many)) == "ok");
  const Open open = decoded(param(cap(65, u32(65001)) + cap(65, u32(7)) + cap(200, {1, 2}) +
                                  cap(1, hex("00010001")) + cap(1, hex("00010001"))));
  CHECK(open.as == 65001);
  CHECK(open.capabilities.families == std::vector<Family>{kIpv4Unicast});
  REQUIRE(open.capabilities.unknown.size() == 1);
  CHECK(open.capabilities.unknown[0] == UnknownCapability{200, {1, 2}});
}

TEST_CASE("capabilities with lying inner lengths are not announced, and nothing breaks") {
  const Buffer lying[] = {
      cap(73, {9, 'a'}), cap(73, {1, 'a', 200}), cap(73, {}),          cap(75, {200, 'x'}),
      cap(75, {}),       cap(69, Buffer(3, 1)),  cap(5, Buffer(5, 1)), cap(71, Buffer(6, 1))};
  for (const Buffer& c : lying) {
    const Capabilities capabilities = decoded(param(c)).capabilities;
    CHECK(capabilities == Capabilities());
  }
}

TEST_CASE("every capability that we know is read") {
  const Open open = decoded(param(
      cap(1, hex("00010001")) + cap(1, hex("00190046")) + cap(2, {}) + cap(5, hex("000100010002")) +
      cap(6, {}) + cap(9, {3}) + cap(64, hex("c078 00010180 00020100")) + cap(65, u32(65001)) +
      cap(69, hex("00010102 00020103 00010204")) + cap(70, {}) + cap(71, hex("00010180 ffffff")) +
      cap(73, hex("0272310165")) + cap(75, hex("0178"))));
  const Capabilities& c = open.capabilities;
  CHECK(c.families == std::vector<Family>{kIpv4Unicast, {25, 70}});
  CHECK(c.route_refresh);
  CHECK(c.extended_next_hop == std::vector<ExtendedNextHop>{{kIpv4Unicast, 2}});
  CHECK(c.extended_message);
  CHECK(c.role == 3);
  REQUIRE(c.graceful_restart);
  CHECK(c.graceful_restart->restarting);
  CHECK(c.graceful_restart->notification);
  CHECK(c.graceful_restart->time == 120);
  CHECK(c.graceful_restart->families ==
        std::vector<GracefulRestartFamily>{{kIpv4Unicast, true}, {kIpv6Unicast, false}});
  CHECK(c.add_path ==
        std::vector<AddPathFamily>{{kIpv4Unicast, false, true}, {kIpv6Unicast, true, true}});
  CHECK(c.enhanced_route_refresh);
  CHECK(c.long_lived == std::vector<LongLivedFamily>{{kIpv4Unicast, true, 0xffffff}});
  CHECK(c.host_name == "r1");
  CHECK(c.domain_name == "e");
  CHECK(c.software_version == "x");
  CHECK(describe_capabilities(c).find("4-octet-as 65001") != std::string::npos);
}

TEST_CASE("what make_open and encode_open write is read back the same") {
  NeighborConfig n = neighbor();
  n.local_as = 200000;
  n.families = {kIpv4Unicast, kIpv6Unicast, {1, 128}};
  n.add_path = {kIpv4Unicast};
  n.role = Role::kPeer;
  const Open ours = make_open(n, *parse_address("192.0.2.10"), true);
  Buffer message;
  encode_open(ours, message);
  const Frame frame = frame_message(message, kMaxMessageSize);
  REQUIRE(frame.state == Frame::State::kMessage);
  Open read;
  REQUIRE_FALSE(decode_open(frame.body, read));
  CHECK(read.as_field == kAsTrans);
  read.as_field = 0;
  CHECK(read == ours);
}

TEST_CASE("an OPEN with many capabilities uses extended parameters, in both directions") {
  Open ours = make_open(neighbor(), *parse_address("192.0.2.10"), false);
  for (std::uint8_t code = 200; code < 210; ++code)
    ours.capabilities.unknown.push_back({code, Buffer(100, 1)});
  Buffer message;
  encode_open(ours, message);
  CHECK(message[kHeaderSize + 9] == 255);
  Open read;
  REQUIRE_FALSE(decode_open(Octets(message).subspan(kHeaderSize), read));
  read.as_field = 0;
  CHECK(read == ours);
}

TEST_CASE("negotiate: only what both sides have announced") {
  NeighborConfig n = neighbor();
  n.add_path = {kIpv4Unicast, kIpv6Unicast};
  const Open ours = make_open(n, *parse_address("10.0.0.1"), false);
  Open theirs = ours;
  theirs.as = 65001;
  theirs.hold_time = 30;
  theirs.router_id = *parse_address("10.0.0.2");
  theirs.capabilities.families = {kIpv6Unicast, {25, 70}, kIpv4Unicast};
  theirs.capabilities.four_octet_as = 65001;
  theirs.capabilities.add_path = {{kIpv4Unicast, false, true}, {kIpv6Unicast, true, false}};
  theirs.capabilities.long_lived = {{kIpv4Unicast, false, 3600}};
  const SessionParameters p = negotiate(ours, theirs);
  CHECK(p.kind == PeerKind::kExternal);
  CHECK(p.families.to_vector() == std::vector<Family>{kIpv4Unicast, kIpv6Unicast});
  CHECK(p.add_path.to_vector() == std::vector<Family>{kIpv4Unicast});
  CHECK(p.four_octet_as);
  CHECK(p.max_message_size() == kMaxExtendedMessageSize);
  CHECK(p.enhanced_route_refresh);
  CHECK(p.extended_next_hop.contains(kIpv4Unicast));
  CHECK(p.graceful_restart);
  CHECK(p.graceful_notification);
  CHECK(p.restart_families.contains(kIpv6Unicast));
  CHECK(p.forwarding_families.empty());
  CHECK(p.long_lived_time[0] == 3600);
  CHECK(p.hold_time == 30);
  CHECK(p.keepalive_interval == 10);
  CHECK(format_address(p.peer_router_id) == "10.0.0.2");
}

TEST_CASE("negotiate: an OPEN without capabilities is IPv4 unicast with 2-octet ASNs") {
  const Open ours = make_open(neighbor(), *parse_address("10.0.0.1"), false);
  Open theirs;
  theirs.as = 65000;
  theirs.hold_time = 0;
  const SessionParameters p = negotiate(ours, theirs);
  CHECK(p.internal());
  CHECK(p.families.to_vector() == std::vector<Family>{kIpv4Unicast});
  CHECK_FALSE(p.four_octet_as);
  CHECK_FALSE(p.route_refresh);
  CHECK_FALSE(p.graceful_restart);
  CHECK(p.max_message_size() == kMaxMessageSize);
  CHECK(p.hold_time == 0);
  CHECK(p.keepalive_interval == 0);
}

TEST_CASE("capabilities in words are escaped") {
  Capabilities c;
  c.host_name = "evil\nname";
  CHECK(describe_capabilities(c) == "host-name evil\\x0aname");
}
