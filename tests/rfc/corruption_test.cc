// Each known attribute times each way to get it wrong, in a live session, with the action by RFC.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/rfc/live_session.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;
using namespace lapwing::bgp::testing;
using What = Outcome::What;

namespace {

/// One way to get an attribute wrong; the order is that of the letters in `Row::expected`.
enum class Fault { kOptional, kTransitive, kLowBits, kShort, kLong, kEmpty, kOverrun, kTwice };
constexpr std::array<std::string_view, 8> kFaultNames{
    "Optional flipped", "Transitive flipped", "Partial and low bits", "an octet short",
    "an octet long",    "empty",              "beyond the block",     "there twice"};

/// The letters: A kept, D discarded and the route stays, W withdrawn, - not applicable.
struct Row {
  std::uint8_t type;
  unsigned flags;
  std::string_view value;
  std::string_view external;  // expected from eBGP, one letter for each Fault
  std::string_view internal;
  std::string_view rfc;
};

// clang-format off
constexpr Row kRows[] = {
    // type flags value (hexadecimal)                         eBGP        iBGP
    {1,  0x40, "00",                                          "WWA-WWWA", "WWA-WWWA", "7606 7.1"},
    {2,  0x40, "02020000fde90000fbf4",                        "WWAWWAWA", "WWAWWAWA", "7606 7.2; an empty path: 4271 5.1.2, facts of route servers"},
    {3,  0x40, "c0000201",                                    "WWAWWWWA", "WWAWWWWA", "7606 7.3"},
    {4,  0x80, "00000007",                                    "WWAWWWWA", "WWAWWWWA", "7606 7.4"},
    {5,  0x40, "00000064",                                    "DDDDDDWD", "WWAWWWWA", "7606 7.5"},
    {6,  0x40, "",                                            "DDA-DAWA", "DDA-DAWA", "7606 7.6"},
    {7,  0xc0, "0000fbf4c0000201",                            "WWADDDWA", "WWADDDWA", "7606 7.7"},
    {8,  0xc0, "fbf40001fbf40002",                            "WWAWWWWA", "WWAWWWWA", "7606 7.8"},
    {9,  0x80, "c0000201",                                    "DDDDDDWD", "WWAWWWWA", "7606 7.9"},
    {10, 0x80, "c0000201c0000202",                            "DDDDDDWD", "WWAWWWWA", "7606 7.10"},
    {16, 0xc0, "0002fbf400000001",                            "WWAWWWWA", "WWAWWWWA", "7606 7.14"},
    {17, 0xc0, "02010000fbf4",                                "DDDDDDWD", "DDDDDDWD", "6793 4.1: between new speakers"},
    {18, 0xc0, "0000fbf4c0000201",                            "DDDDDDWD", "DDDDDDWD", "6793 4.1: between new speakers"},
    {22, 0xc0, "0006000000c0000201",                          "WAAAAAWA", "WAAAAAWA", "7606 3 c; the value has no rule: raw"},
    {23, 0xc0, "000f0004000400ff",                            "WAAAAAWA", "WAAAAAWA", "7606 3 c; 9012 13: raw"},
    {25, 0xc0, "000220010db8000000000000000000000001fbf4", "WWAWWWWA", "WWAWWWWA", "7606 7.15"},
    {26, 0x80, "01000b0000000000000064",                      "DDAAAAWA", "DDAAAAWA", "7311 3.2"},
    {32, 0xc0, "0000fbf40000000100000002",                    "WWAWWWWA", "WWAWWWWA", "8092 6"},
    {35, 0xc0, "0000fbf4",                                    "WWAWWWWA", "WWAWWWWA", "9234 5"},
    {40, 0xc0, "01000700000000000001",                        "DDADDAWA", "DDADDAWA", "8669 6"},
};
// clang-format on

struct Spoilt {
  Bytes message;
  char expected;
  std::uint8_t type;
  std::string text;
};

Bytes raw_attribute(unsigned flags, std::uint8_t type, const Bytes& value) {
  Bytes out{static_cast<std::uint8_t>(flags), type, static_cast<std::uint8_t>(value.size())};
  put_octets(out, value);
  return out;
}

/// ORIGIN, AS_PATH and NEXT_HOP but for `without`.
Bytes others(std::uint8_t without, Asn first) {
  Bytes out;
  if (without != 1) put_octets(out, origin());
  if (without != 2) put_octets(out, as_path({first, 64500}));
  if (without != 3) put_octets(out, next_hop());
  return out;
}

Bytes message_of(const Bytes& attributes, unsigned number, unsigned lie = 0) {
  Bytes nlri{32, 100, 70, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  Bytes out;
  const std::size_t start = begin_message(MessageType::kUpdate, out);
  put_u16(out, 0);
  put_u16(out, static_cast<unsigned>(attributes.size()));
  put_octets(out, attributes);
  put_octets(out, nlri);
  end_message(start, out);
  if (lie != 0) out[kHeaderSize + 4 + attributes.size() - lie] = 0xf0;  // the attribute's length
  return out;
}

Bytes spoil(const Row& row, Fault fault, Asn first, unsigned number) {
  Bytes value = from_hex(row.value);
  unsigned flags = row.flags;
  const Bytes rest = others(row.type, first);
  switch (fault) {
    case Fault::kOptional: flags ^= 0x80; break;
    case Fault::kTransitive: flags ^= 0x40; break;
    case Fault::kLowBits: flags |= 0x2f; break;
    case Fault::kShort: value.pop_back(); break;
    case Fault::kLong: value.push_back(0); break;
    case Fault::kEmpty: value.clear(); break;
    case Fault::kOverrun: {
      const Bytes bad = raw_attribute(flags, row.type, value);
      return message_of(rest + bad, number, static_cast<unsigned>(value.size() + 1));
    }
    case Fault::kTwice: {
      const Bytes one = raw_attribute(flags, row.type, value);
      Bytes other = value;  // another value: the first one counts (RFC 7606 3 g)
      if (!other.empty()) other.back() ^= 1;
      return message_of(one + rest + raw_attribute(flags, row.type, other), number);
    }
  }
  return message_of(rest + raw_attribute(flags, row.type, value), number);
}

char letter(LiveSession& session, const Outcome& outcome, std::uint8_t type,
            const std::string& key) {
  if (outcome.what == What::kWithdrawn) return 'W';
  if (outcome.what == What::kReset) return 'R';
  if (outcome.what != What::kAccepted) return '?';
  const auto route = session.bench().sink().route(key);
  if (!route) return '?';
  return PathView(*route).find(type) ? 'A' : 'D';
}

std::string key_text(const Bytes& message) {
  return TestSink::route_key(announced_keys(message, Terms{}).front());
}

void play_matrix(bool internal) {
  Terms terms;
  if (internal) terms.peer_as = terms.local_as;
  LiveSession session(terms);
  std::vector<Spoilt> all;
  for (const Row& row : kRows) {
    const std::string_view expected = internal ? row.internal : row.external;
    for (std::size_t f = 0; f < kFaultNames.size(); ++f) {
      if (expected[f] == '-') continue;
      const auto number = static_cast<unsigned>(all.size());
      all.push_back({spoil(row, static_cast<Fault>(f), internal ? 64501 : kPeerAs, number),
                     expected[f], row.type,
                     "attribute " + std::to_string(row.type) + ", " + std::string(kFaultNames[f]) +
                         " (RFC " + std::string(row.rfc) + ")"});
    }
  }
  std::vector<Bytes> messages;
  for (const Spoilt& one : all) messages.push_back(one.message);
  const auto outcomes = session.play_all(messages);
  REQUIRE(outcomes.size() == messages.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(all[i].text, ": ", outcomes[i].text());
    const char got = letter(session, outcomes[i], all[i].type, key_text(all[i].message));
    CHECK(std::string(1, got) == std::string(1, all[i].expected));
  }
  CHECK(session.sessions() == 1);
  CHECK(eventually([&] { return session.bench().status().malformed > 50; }));
}

/// One message and what becomes of its route: "accepted", "withdrawn", "reset 3/9".
struct Case {
  std::string_view what;
  Bytes body;
  std::string_view expected;
};

Bytes whole(const Bytes& body) {
  Bytes out;
  const std::size_t start = begin_message(MessageType::kUpdate, out);
  put_octets(out, body);
  end_message(start, out);
  return out;
}

void play_cases(LiveSession& session, const std::vector<Case>& cases) {
  std::size_t resets = 0;
  for (const Case& one : cases) {
    const Outcome outcome = session.play(whole(one.body));
    INFO(one.what);
    CHECK(outcome.text() == one.expected);
    resets += outcome.what == What::kReset ? 1 : 0;
  }
  CHECK(session.sessions() <= resets + 1);
}

const Bytes kPrefix{24, 198, 18, 7};
const Bytes kPrefix6{48, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x07};
const Bytes kHop6 = hex("20010db8000000000000000000000001");

}  // namespace

TEST_CASE("RFC 7606: the corruption matrix, from an external neighbour") { play_matrix(false); }

TEST_CASE("RFC 7606: the corruption matrix, from an internal neighbour") { play_matrix(true); }

TEST_CASE("RFC 7606 7.2, 7607, 5065, 9774: AS_PATH segments, in a live session") {
  LiveSession session{Terms{}};
  const auto path = [](std::string_view value) {
    return update(origin() + attr(0x40, 2, hex(value)) + next_hop(), kPrefix);
  };
  play_cases(session,
             {{"no ASN in a segment (7606 7.2)", path("0200"), "withdrawn"},
              {"an empty segment after a good one", path("02010000fde9 0200"), "withdrawn"},
              {"segment type 0", path("0001 0000fde9"), "withdrawn"},
              {"segment type 5", path("0501 0000fde9"), "withdrawn"},
              {"a count that goes beyond", path("0203 0000fde9 0000fbf4"), "withdrawn"},
              {"a count of 255", path("02ff 0000fde9"), "withdrawn"},
              {"one octet left over", path("0201 0000fde9 02"), "withdrawn"},
              {"2-octet ASNs on a session of 4", path("0202 fde9 fbf4"), "withdrawn"},
              {"AS 0 at the end (7607 2)", path("0202 0000fde9 00000000"), "withdrawn"},
              {"AS 0 in a set", path("0201 0000fde9 0102 00000000 0000fbf4"), "withdrawn"},
              {"AS_CONFED_SEQUENCE from outside (5065 5)", path("0301 0000fde9"), "withdrawn"},
              {"AS_CONFED_SET from outside", path("0201 0000fde9 0401 0000fbf4"), "withdrawn"},
              {"AS_SET (9774, kept as data)", path("0201 0000fde9 0102 0000fbf4 0000fbf5"),
               "accepted"},
              {"our own AS (4271 9.1.2, kept as data)", path("0202 0000fde9 0000fde8"), "accepted"},
              {"another first AS (4271 6.3, route servers)", path("0201 0000fbf4"), "accepted"},
              {"AS_TRANS and 4294967295", path("0203 0000fde9 00005ba0 ffffffff"), "accepted"}});
}

TEST_CASE("RFC 4271 6.3, RFC 7606 7.3 and 7.11: next hops, in a live session") {
  LiveSession session{Terms{}};
  const auto v4 = [](std::string_view hop) {
    return update(origin() + as_path({kPeerAs}) + attr(0x40, 3, hex(hop)), kPrefix);
  };
  const auto v6 = [](const Bytes& hop) {
    return update(mp_reach(kIpv6Unicast, hop, kPrefix6) + origin() + as_path({kPeerAs}));
  };
  const Bytes link_local = hex("fe800000000000000000000000000001");
  play_cases(session, {{"0.0.0.0", v4("00000000"), "withdrawn"},
                       {"0.0.0.1", v4("00000001"), "withdrawn"},
                       {"127.0.0.1, from 127.0.0.2", v4("7f000001"), "accepted"},
                       {"224.0.0.5", v4("e0000005"), "withdrawn"},
                       {"255.255.255.255", v4("ffffffff"), "withdrawn"},
                       {"an address", v4("c0000201"), "accepted"},
                       {"3 octets", v4("c00002"), "withdrawn"},
                       {"16 octets", v4("20010db8000000000000000000000001"), "withdrawn"},
                       {"::", v6(Bytes(16, 0)), "withdrawn"},
                       {"::1, from 127.0.0.2", v6(hex("00000000000000000000000000000001")), "accepted"},
                       {"global", v6(kHop6), "accepted"},
                       {"global and link-local (2545 3)", v6(kHop6 + link_local), "accepted"},
                       {"4 octets for IPv6", v6({192, 0, 2, 1}), "withdrawn"},
                       {"24 octets, for VPN", v6(Bytes(8, 0) + kHop6), "withdrawn"},
                       {"0 octets", v6({}), "reset 3/1"},
                       {"5 octets", v6(Bytes(5, 1)), "reset 3/1"},
                       {"33 octets", v6(Bytes(33, 1)), "reset 3/1"}});
}

TEST_CASE("RFC 7606 3, 5, 7.11, 7.12: MP attributes and NLRI, in a live session") {
  LiveSession session{Terms{}};
  const Bytes good = origin() + as_path({kPeerAs});
  const auto reach = [&](const Bytes& routes) {
    return update(mp_reach(kIpv6Unicast, kHop6, routes) + good);
  };
  const Bytes reach6 = mp_reach(kIpv6Unicast, kHop6, kPrefix6);
  Bytes other_flags = reach6;
  other_flags[0] = 0xc0;
  Bytes overrun = reach6;
  overrun[2] = 0xff;
  Bytes unreach_overrun = mp_unreach(kIpv6Unicast, kPrefix6);
  unreach_overrun[2] = 0xff;
  const Bytes long_hop = attr(0x80, 14, hex("0002 01 20") + kHop6);
  play_cases(
      session,
      {{"MP_REACH_NLRI, well", update(reach6 + good), "accepted"},
       {"Transitive set (3 c)", update(other_flags + good), "withdrawn"},
       {"no AS_PATH (3 d)", update(reach6 + origin()), "withdrawn"},
       {"no ORIGIN (3 d)", update(reach6 + as_path({kPeerAs})), "withdrawn"},
       {"prefix of 129 bits (5.3)", reach({129, 1}), "reset 3/9"},
       {"prefix cut off (5.3)", reach({64, 0x20, 0x01}), "reset 3/9"},
       {"two octets (7.11)", update(attr(0x80, 14, {0, 2}) + good), "reset 3/1"},
       {"next hop beyond the attribute", update(long_hop + good), "reset 3/1"},
       {"twice (3 g)", update(reach6 + good + reach6), "reset 3/1"},
       {"beyond the block (3 j)", update(good + overrun), "reset 3/1"},
       {"MP_UNREACH_NLRI twice (3 g)",
        update(mp_unreach(kIpv6Unicast, kPrefix6) + mp_unreach(kIpv6Unicast, kPrefix6)),
        "reset 3/1"},
       {"MP_UNREACH_NLRI of two octets (7.12)", update(attr(0x80, 15, {0, 2})), "reset 3/9"},
       {"MP_UNREACH_NLRI, 129 bits (5.3)", update(mp_unreach(kIpv6Unicast, {129, 1})), "reset 3/9"},
       {"MP_UNREACH_NLRI beyond the block", update(unreach_overrun), "reset 3/1"},
       {"a family of nobody (4760 6)", update(mp_reach({25, 70}, kHop6, hex("0221ff")) + good),
        "nothing"},
       {"NLRI of 33 bits (3 j)", update(mandatory(), {33, 198, 18, 7, 1, 1}), "reset 3/10"},
       {"NLRI cut off (3 j)", update(mandatory(), {24, 198, 18}), "reset 3/10"},
       {"withdrawn NLRI of 33 bits", update({}, {}, {33, 198, 18, 7, 1, 1}), "reset 3/10"},
       {"withdrawn length beyond the message (3 b)", hex("00ff 0000"), "reset 3/1"},
       {"attributes beyond the message (3 b)", hex("0000 00ff 400101"), "reset 3/1"},
       {"attributes, 65,535 octets", hex("0000 ffff 400101"), "reset 3/1"},
       {"no attribute at all", update({}, kPrefix), "withdrawn"},
       {"no ORIGIN (3 d)", update(as_path({kPeerAs}) + next_hop(), kPrefix), "withdrawn"},
       {"no AS_PATH (3 d)", update(origin() + next_hop(), kPrefix), "withdrawn"},
       {"no NEXT_HOP (3 d)", update(good, kPrefix), "withdrawn"},
       {"one octet after the last attribute", update(mandatory() + Bytes{0x40}, kPrefix),
        "withdrawn"},
       {"two octets after the last attribute", update(mandatory() + Bytes{0x40, 1}, kPrefix),
        "withdrawn"},
       {"attributes backwards", update(next_hop() + as_path({kPeerAs}) + origin(), kPrefix),
        "accepted"},
       {"ORIGIN 3", update(attr(0x40, 1, {3}) + as_path({kPeerAs}) + next_hop(), kPrefix),
        "withdrawn"},
       {"unknown well-known attribute 200 (3 c)", update(mandatory() + attr(0x40, 200, {1}), kPrefix),
        "withdrawn"},
       {"unknown optional attribute 200", update(mandatory() + attr(0x80, 200, {1}), kPrefix),
        "accepted"},
       {"attribute 0", update(mandatory() + attr(0xc0, 0, {1}), kPrefix), "accepted"},
       {"an error and nothing announced (5.2)", update(attr(0x40, 1, {9}) + as_path({kPeerAs})),
        "reset 3/6"}});
}
