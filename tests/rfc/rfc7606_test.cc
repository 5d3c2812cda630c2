// RFC 7606: what each attribute error does, for external and internal neighbours.
#include <doctest/doctest.h>

#include "bgp/attribute_table.h"
#include "bgp/notification.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

constexpr auto kReset = ErrorAction::kSessionReset;

struct Case {
  const char* what;
  Buffer attribute;
  ErrorAction external;
  ErrorAction internal;
};

/// The mandatory attributes without that type, and this one.
Buffer with(unsigned type, const Buffer& attribute) {
  Buffer all;
  if (type != 1) all = all + origin();
  if (type != 2) all = all + as_path({65001, 64500});
  if (type != 3) all = all + next_hop();
  return all + attribute;
}

void check(const Case& c) {
  CAPTURE(c.what);
  const unsigned type = c.attribute[1];
  const Buffer attributes = with(type, c.attribute);
  for (const bool internal : {false, true}) {
    CAPTURE(internal);
    const Parsed parsed(update(attributes, kRoute),
                        internal ? internal_session() : external_session());
    const ErrorAction expected = internal ? c.internal : c.external;
    CHECK(to_string(parsed.action()) == to_string(expected));
    if (parsed.action() != expected || expected == kReset) continue;
    REQUIRE(parsed.records == 1);
    const Record& record = parsed.batch.records[0];
    CHECK(record.announced == (expected == kWithdraw ? 0 : 1));
    CHECK(record.withdrawn == (expected == kWithdraw ? 1 : 0));
    // A discarded attribute is gone from the canonical set.
    if (expected == kDiscard && type != 0)
      CHECK_FALSE(parsed.path().find(static_cast<std::uint8_t>(type)));
  }
}

}  // namespace

TEST_CASE("RFC 7606 3 c: a wrong Optional or Transitive flag has the action of the attribute") {
  struct Known {
    unsigned type;
    unsigned flags;
    Buffer value;
    ErrorAction wrong;
    bool internal_only;
  };
  const Known known[] = {
      {1, 0x40, {0}, kWithdraw, false},
      {2, 0x40, segment(2, {65001}), kWithdraw, false},
      {3, 0x40, {192, 0, 2, 1}, kWithdraw, false},
      {4, 0x80, u32(5), kWithdraw, false},
      {5, 0x40, u32(100), kWithdraw, true},
      {6, 0x40, {}, kDiscard, false},
      {7, 0xc0, u32(64500) + u32(1), kWithdraw, false},
      {8, 0xc0, u32(1), kWithdraw, false},
      {9, 0x80, u32(1), kWithdraw, true},
      {10, 0x80, u32(1), kWithdraw, true},
      {16, 0xc0, u32(1) + u32(2), kWithdraw, false},
      {25, 0xc0, Buffer(20), kWithdraw, false},
      {26, 0x80, hex("01000b0000000000000001"), kDiscard, false},
      {32, 0xc0, Buffer(12), kWithdraw, false},
      {35, 0xc0, u32(64500), kWithdraw, false},
      {40, 0xc0, hex("01000700000000000001"), kDiscard, false},
  };
  for (const Known& k : known) {
    CAPTURE(k.type);
    const ErrorAction right_external = k.internal_only ? kDiscard : kNone;
    check({"right flags", attr(k.flags, k.type, k.value), right_external, kNone});
    check(
        {"Partial and unused bits", attr(k.flags | 0x2f, k.type, k.value), right_external, kNone});
    check(
        {"needless extended length", attr(k.flags | 0x10, k.type, k.value), right_external, kNone});
    for (const unsigned flip : {0x80u, 0x40u, 0xc0u})
      check({"wrong flags", attr(k.flags ^ flip, k.type, k.value),
             k.internal_only ? kDiscard : k.wrong, k.wrong});
  }
}

TEST_CASE("RFC 7606 7: wrong lengths and values have the action of the attribute") {
  const Buffer bad_count = {2, 3, 0, 0, 0, 1};
  const Case cases[] = {
      {"ORIGIN empty", attr(0x40, 1, {}), kWithdraw, kWithdraw},
      {"ORIGIN of two octets", attr(0x40, 1, {0, 0}), kWithdraw, kWithdraw},
      {"ORIGIN 3", attr(0x40, 1, {3}), kWithdraw, kWithdraw},
      {"AS_PATH empty", attr(0x40, 2, {}), kNone, kNone},
      {"AS_PATH of one octet", attr(0x40, 2, {2}), kWithdraw, kWithdraw},
      {"AS_PATH with an empty segment", attr(0x40, 2, {2, 0}), kWithdraw, kWithdraw},
      {"AS_PATH whose count overruns", attr(0x40, 2, bad_count), kWithdraw, kWithdraw},
      {"AS_PATH with an odd rest", attr(0x40, 2, segment(2, {65001}) + Buffer{2}), kWithdraw,
       kWithdraw},
      {"AS_PATH with segment type 0", attr(0x40, 2, segment(0, {65001})), kWithdraw, kWithdraw},
      {"AS_PATH with segment type 5", attr(0x40, 2, segment(5, {65001})), kWithdraw, kWithdraw},
      {"AS_PATH with AS 0", attr(0x40, 2, segment(2, {65001, 0})), kWithdraw, kWithdraw},
      {"AS_PATH with an AS_SET", attr(0x40, 2, segment(1, {65001, 2})), kNone, kNone},
      {"confederation sequence", attr(0x40, 2, segment(3, {65001})), kWithdraw, kNone},
      {"confederation set", attr(0x40, 2, segment(4, {65001})), kWithdraw, kNone},
      {"NEXT_HOP empty", attr(0x40, 3, {}), kWithdraw, kWithdraw},
      {"NEXT_HOP of 16 octets", attr(0x40, 3, Buffer(16, 1)), kWithdraw, kWithdraw},
      {"NEXT_HOP 0.0.0.0", attr(0x40, 3, u32(0)), kWithdraw, kWithdraw},
      {"NEXT_HOP 127.0.0.1", attr(0x40, 3, {127, 0, 0, 1}), kWithdraw, kWithdraw},
      {"NEXT_HOP 224.0.0.1", attr(0x40, 3, {224, 0, 0, 1}), kWithdraw, kWithdraw},
      {"NEXT_HOP 239.255.255.255", attr(0x40, 3, {239, 255, 255, 255}), kWithdraw, kWithdraw},
      {"MULTI_EXIT_DISC empty", attr(0x80, 4, {}), kWithdraw, kWithdraw},
      {"MULTI_EXIT_DISC of 3", attr(0x80, 4, Buffer(3)), kWithdraw, kWithdraw},
      {"LOCAL_PREF", attr(0x40, 5, u32(100)), kDiscard, kNone},
      {"LOCAL_PREF of 3", attr(0x40, 5, Buffer(3)), kDiscard, kWithdraw},
      {"ATOMIC_AGGREGATE of 1", attr(0x40, 6, {0}), kDiscard, kDiscard},
      {"AGGREGATOR of 6", attr(0xc0, 7, Buffer(6, 1)), kDiscard, kDiscard},
      {"AGGREGATOR of 8", attr(0xc0, 7, Buffer(8, 1)), kNone, kNone},
      {"AGGREGATOR of AS 0", attr(0xc0, 7, u32(0) + u32(1)), kDiscard, kDiscard},
      {"COMMUNITIES empty", attr(0xc0, 8, {}), kWithdraw, kWithdraw},
      {"COMMUNITIES of 5", attr(0xc0, 8, Buffer(5)), kWithdraw, kWithdraw},
      {"ORIGINATOR_ID", attr(0x80, 9, u32(1)), kDiscard, kNone},
      {"ORIGINATOR_ID of 5", attr(0x80, 9, Buffer(5)), kDiscard, kWithdraw},
      {"CLUSTER_LIST empty", attr(0x80, 10, {}), kDiscard, kWithdraw},
      {"CLUSTER_LIST of 6", attr(0x80, 10, Buffer(6)), kDiscard, kWithdraw},
      {"EXTENDED COMMUNITIES empty", attr(0xc0, 16, {}), kWithdraw, kWithdraw},
      {"EXTENDED COMMUNITIES of 12", attr(0xc0, 16, Buffer(12)), kWithdraw, kWithdraw},
      {"AS4_PATH", attr(0xc0, 17, segment(2, {1})), kDiscard, kDiscard},
      {"AS4_AGGREGATOR", attr(0xc0, 18, Buffer(8, 1)), kDiscard, kDiscard},
      {"IPV6 EXTENDED COMMUNITIES of 21", attr(0xc0, 25, Buffer(21)), kWithdraw, kWithdraw},
      {"LARGE_COMMUNITY empty", attr(0xc0, 32, {}), kWithdraw, kWithdraw},
      {"LARGE_COMMUNITY of 13", attr(0xc0, 32, Buffer(13)), kWithdraw, kWithdraw},
      {"ONLY_TO_CUSTOMER of 3", attr(0xc0, 35, Buffer(3)), kWithdraw, kWithdraw},
      {"ONLY_TO_CUSTOMER 0", attr(0xc0, 35, u32(0)), kNone, kNone},
      {"PREFIX_SID with a short Label-Index", attr(0xc0, 40, hex("01000100")), kDiscard, kDiscard},
      {"PREFIX_SID whose SRv6 service overruns", attr(0xc0, 40, hex("05001900")), kWithdraw,
       kWithdraw},
      {"unknown well-known", attr(0x40, 200, {1}), kWithdraw, kWithdraw},
      {"unknown transitive", attr(0xc0, 200, {1}), kNone, kNone},
      {"unknown non-transitive", attr(0x80, 200, {1}), kNone, kNone},
  };
  for (const Case& c : cases) check(c);
}

TEST_CASE("RFC 7606 3 d: a mandatory attribute that is missing is treat-as-withdraw") {
  for (const unsigned type : {1u, 2u, 3u}) {
    CAPTURE(type);
    const Parsed parsed(update(with(type, {}), kRoute), external_session());
    CHECK(parsed.action() == kWithdraw);
    CHECK(has_finding(parsed.update, static_cast<std::uint8_t>(type), "RFC 7606 3 (d)"));
    CHECK(parsed.withdrawn() == std::vector<std::string>{"198.51.100.0/24"});
  }
}

TEST_CASE("RFC 7606 3 g: of a repeated attribute the first one counts; MP attributes reset") {
  const Buffer twice = mandatory() + attr(0x80, 4, u32(1)) + attr(0x80, 4, u32(2));
  const Parsed parsed(update(twice, kRoute), external_session());
  CHECK(parsed.action() == kDiscard);
  CHECK(parsed.path().multi_exit_disc() == 1u);

  // Even when the first one was discarded, or the second one is malformed.
  const Buffer broken = mandatory() + attr(0xc0, 8, u32(1)) + attr(0xc0, 8, Buffer(3));
  CHECK(Parsed(update(broken, kRoute), external_session()).action() == kDiscard);

  const Buffer gone = mp_unreach(kIpv6Unicast, nlri("2001:db8::/32"));
  const Parsed reset(update(gone + gone), external_session());
  CHECK(reset.action() == kReset);
  CHECK(reset.subcode() == error::kMalformedAttributeList);
}

TEST_CASE("RFC 7606 3 h: the strongest of several errors wins") {
  const Buffer attributes =
      mandatory() + attr(0x40, 6, {1}) + attr(0xc0, 8, Buffer(3)) + attr(0xc0, 7, Buffer(3));
  const Parsed parsed(update(attributes, kRoute), external_session());
  CHECK(parsed.action() == kWithdraw);
  CHECK(parsed.update.findings().total() == 3);
  CHECK(parsed.update.findings().strongest().type == 8);
}

TEST_CASE("RFC 7606 3 b: lengths beyond the message reset with 3/1") {
  for (const char* body : {"0005 0000", "ffff 0000", "0000 0001", "0000 ffff", "0000"}) {
    CAPTURE(body);
    const Parsed parsed(hex(body), external_session());
    CHECK(parsed.action() == kReset);
    CHECK(parsed.subcode() == error::kMalformedAttributeList);
    CHECK(parsed.records == 0);
  }
}

TEST_CASE("RFC 7606 4: an attribute that overruns the block is treat-as-withdraw") {
  const Buffer overrunning[] = {{0x40},
                                {0x40, 1},
                                {0x50, 1, 0},
                                {0x40, 1, 2, 0},
                                {0xc0, 8, 200, 1, 2, 3, 4},
                                {0xd0, 35, 4, 0, 0, 0, 0, 1}};
  for (const Buffer& last : overrunning) {
    const Parsed parsed(update(mandatory() + last, kRoute), external_session());
    CHECK(parsed.action() == kWithdraw);
    CHECK(parsed.withdrawn() == std::vector<std::string>{"198.51.100.0/24"});
  }
}

TEST_CASE("RFC 7606 3 j: an MP attribute that overruns the block resets, its NLRI are lost") {
  for (const std::uint8_t type : {std::uint8_t{14}, std::uint8_t{15}}) {
    const Parsed parsed(update(mandatory() + Buffer{0x80, type, 200, 0, 2, 1}, kRoute),
                        external_session());
    CHECK(parsed.action() == kReset);
    CHECK(parsed.subcode() == error::kMalformedAttributeList);
  }
}

TEST_CASE("RFC 7606 5.2: an attribute error resets when nothing is announced") {
  const Buffer bad = origin() + attr(0xc0, 8, Buffer(3));
  const Parsed alone(update(bad), external_session());
  CHECK(alone.action() == kReset);
  CHECK(alone.subcode() == error::kAttributeLength);
  CHECK(Buffer(alone.update.notification().data.begin(), alone.update.notification().data.end()) ==
        attr(0xc0, 8, Buffer(3)));
  CHECK(Parsed(update(bad, {}, kRoute), external_session()).action() == kReset);
  CHECK(Parsed(update(bad + mp_unreach(kIpv6Unicast, nlri("2001:db8::/32"))), external_session())
            .action() == kReset);
  // Announced in a family that we ignore is announced all the same.
  const Buffer evpn = mp_reach({25, 70}, Buffer(4, 1), Buffer(10));
  CHECK(Parsed(update(bad + evpn), external_session()).action() == kWithdraw);
  // Discard alone does not reset, nor does a missing mandatory attribute.
  CHECK(Parsed(update(origin() + attr(0x40, 6, {1})), external_session()).action() == kDiscard);
  CHECK(Parsed(update(origin()), external_session()).action() == kNone);
}

TEST_CASE("RFC 7606 5.2: MP_UNREACH_NLRI alone with wrong flags still withdraws") {
  Buffer gone = mp_unreach(kIpv6Unicast, nlri("2001:db8::/32"));
  gone[0] = 0x40;
  const Parsed parsed(update(gone), external_session());
  CHECK(parsed.action() == kWithdraw);
  CHECK(parsed.withdrawn() == std::vector<std::string>{"2001:db8::/32"});
}

TEST_CASE("RFC 7606 3 j: NLRI that cannot be read reset with 3/10, nothing is half applied") {
  const Buffer good = nlri("198.51.100.0/24");
  const Buffer bad[] = {{33, 1, 2, 3, 4, 5}, {255}, {24, 1, 2}, {32}};
  for (const Buffer& b : bad) {
    for (const bool withdrawn : {false, true}) {
      const Parsed parsed(withdrawn ? update({}, {}, good + b) : update(mandatory(), good + b),
                          external_session());
      CHECK(parsed.action() == kReset);
      CHECK(parsed.subcode() == error::kInvalidNetwork);
      CHECK(parsed.records == 0);
      CHECK(parsed.batch.nlri.empty());
    }
  }
}

TEST_CASE("RFC 7606 7.11: the next hop of MP_REACH_NLRI") {
  const Buffer base = origin() + as_path({65001});
  const Buffer route = nlri("2001:db8::/32");
  const Buffer global = hex("20010db8000000000000000000000001");
  const Buffer local = hex("fe800000000000000000000000000001");
  const auto act = [&](const Buffer& hop) {
    return Parsed(update(base + mp_reach(kIpv6Unicast, hop, route)), external_session()).action();
  };
  CHECK(act(global) == kNone);
  CHECK(act(global + local) == kNone);
  CHECK(act(Buffer(16) + local) == kNone);
  CHECK(act(Buffer(16)) == kWithdraw);
  CHECK(act({192, 0, 2, 1}) == kWithdraw);
  CHECK(act(Buffer(8) + global) == kWithdraw);
  for (const std::size_t size : {0u, 1u, 5u, 15u, 17u, 31u, 33u, 47u, 49u, 255u}) {
    CAPTURE(size);
    CHECK(act(Buffer(size, 0x20)) == kReset);
  }
  const Buffer beyond = attr(0x80, 14, hex("00020110 20010db8"));
  const Parsed parsed(update(base + beyond), external_session());
  CHECK(parsed.action() == kReset);
  CHECK(parsed.subcode() == error::kMalformedAttributeList);
}

TEST_CASE("RFC 7606 5.3 and 7.12: MP NLRI that cannot be read reset with 3/9") {
  const Buffer base = origin() + as_path({65001});
  const Buffer hop = hex("20010db8000000000000000000000001");
  for (const Buffer& routes : {Buffer{129}, Buffer{64, 0x20, 1}, Buffer{255, 1}}) {
    const Parsed reach(update(base + mp_reach(kIpv6Unicast, hop, routes)), external_session());
    CHECK(reach.action() == kReset);
    CHECK(reach.subcode() == error::kOptionalAttribute);
    const Parsed unreach(update(mp_unreach(kIpv6Unicast, routes)), external_session());
    CHECK(unreach.action() == kReset);
    CHECK(unreach.subcode() == error::kOptionalAttribute);
  }
  for (const std::size_t size : {0u, 1u, 2u}) {
    CHECK(Parsed(update(attr(0x80, 15, Buffer(size))), external_session()).action() == kReset);
    CHECK(Parsed(update(attr(0x80, 14, Buffer(size))), external_session()).action() == kReset);
  }
}

TEST_CASE("every row of the attribute table is found by its type and has a name") {
  for (const unsigned type : {1u, 2u, 14u, 15u, 17u, 35u, 40u, 128u}) {
    const AttributeRule* rule = attribute_rule(static_cast<std::uint8_t>(type));
    REQUIRE(rule != nullptr);
    CHECK(rule->type == type);
  }
  CHECK(attribute_rule(99) == nullptr);
  CHECK(attribute_name(2) == "AS_PATH");
  CHECK(attribute_name(99) == "type 99");
}
