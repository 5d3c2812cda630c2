// What has taken down sessions, routers and collectors before; each by its name.
#include <doctest/doctest.h>

#include "bgp/message.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

ErrorAction act(const Buffer& attributes, const SessionParameters& session = external_session()) {
  return Parsed(update(attributes, kRoute), session).action();
}

}  // namespace

TEST_CASE("2009 SuproNet: a path of hundreds of hops in several segments is taken") {
  for (const std::size_t hops : {256u, 750u, 2049u, 3500u}) {
    Buffer value;
    for (std::size_t left = hops; left != 0;) {
      const std::size_t now = std::min<std::size_t>(left, 255);
      value = value + segment(2, std::vector<Asn>(now, 65001));
      left -= now;
    }
    const Parsed parsed(update(origin() + attr(0x40, 2, value) + next_hop(), kRoute),
                        external_session());
    CHECK(parsed.action() == kNone);
    AsPathSegment segment;
    AsPathView path = parsed.path().as_path();
    REQUIRE(path.next(segment));
    CHECK(segment.size == hops);
  }
}

TEST_CASE("2009 AS4_PATH with confederation segments does not reset") {
  SessionParameters session = external_session();
  session.four_octet_as = false;
  const Buffer as4 = attr(0xc0, 17, segment(3, {64512}) + segment(2, {196618}));
  const Buffer attributes = origin() + as_path({65001, 23456}, 2) + next_hop() + as4;
  CHECK(Parsed(update(attributes, kRoute), session).path_text() == "65001 196618");
}

TEST_CASE("2010 RIPE and Duke: attribute 99 of 3,000 octets is kept") {
  CHECK(act(mandatory() + attr(0xe0, 99, Buffer(3000, 0xab))) == kNone);
}

TEST_CASE("2011 AS68: low flag bits are not judged") {
  for (unsigned low = 1; low < 16; ++low)
    CHECK(act(mandatory() + attr(0xc0 | low, 8, u32(1))) == kNone);
}

TEST_CASE("2023-06-02: ENTROPY_LABEL_CAPABILITY, empty or junk, is kept") {
  CHECK(act(mandatory() + attr(0xc0, 28, {})) == kNone);
  CHECK(act(mandatory() + attr(0xe0, 28, Buffer(40, 0xff))) == kNone);
}

TEST_CASE("CVE-2023-38802, CVE-2024-44070, CVE-2024-31948: TUNNEL_ENCAPSULATION is kept raw") {
  for (const std::size_t size : {0u, 1u, 3u, 4u, 200u})
    CHECK(act(mandatory() + attr(0xc0, 23, Buffer(size, 0xff))) == kNone);
}

TEST_CASE("2025-05-20: PREFIX_SID of zeros does not reset") {
  for (const std::size_t size : {0u, 1u, 3u, 7u, 30u, 255u}) {
    const ErrorAction action = act(mandatory() + attr(0xc0, 40, Buffer(size)));
    CHECK((action == kNone || action == kDiscard));
  }
}

TEST_CASE("2025-10: ONLY_TO_CUSTOMER with a lying extended length is treat-as-withdraw") {
  CHECK(act(mandatory() + Buffer{0xd0, 35, 4, 0, 0, 0, 0xfd, 0xe9}) == kWithdraw);
}

TEST_CASE("CVE-2026-37459 and others: attributes we have no use for are kept raw") {
  for (const unsigned type : {22u, 24u, 29u, 33u, 36u, 39u, 128u}) {
    CAPTURE(type);
    const unsigned flags = type == 29 || type == 24 || type == 33 ? 0x80 : 0xc0;
    const Parsed parsed(update(mandatory() + attr(flags, type, Buffer(5, 0xff)), kRoute),
                        external_session());
    CHECK(parsed.action() == kNone);
    CHECK(parsed.path().find(static_cast<std::uint8_t>(type)));
  }
  for (const unsigned type : {0u, 11u, 241u, 254u, 255u})
    CHECK(act(mandatory() + attr(0xc0, type, Buffer(5, 0xff))) == kNone);
}

TEST_CASE("BIRD's private code point: attribute 254 from a neighbour is data like any other") {
  const Parsed parsed(update(mandatory() + attr(0xc0, 254, u32(0xdeadbeef)), kRoute),
                      external_session());
  CHECK(parsed.batch.records[0].announced == 1);
  CHECK(parsed.path().find(254));
}

TEST_CASE("CVE-2023-41358: NLRI without attributes are treat-as-withdraw") {
  CHECK(act({}) == kWithdraw);
}

TEST_CASE("CVE-2023-46753, CVE-2023-47235: NLRI with one unknown attribute are treat-as-withdraw") {
  CHECK(act(attr(0xc0, 200, {1, 2})) == kWithdraw);
}

TEST_CASE("CVE-2023-47234: MP_UNREACH_NLRI and NLRI without mandatory attributes") {
  const Parsed parsed(update(mp_unreach(kIpv6Unicast, nlri("2001:db8::/32")), kRoute),
                      external_session());
  CHECK(parsed.action() == kWithdraw);
  CHECK(parsed.withdrawn() == std::vector<std::string>{"2001:db8::/32", "198.51.100.0/24"});
}

TEST_CASE("End-of-RIB look-alikes with one to three octets of attributes do nothing") {
  for (const Buffer& junk : {Buffer{0}, Buffer{0x40, 1}, Buffer{0x50, 1, 0}, Buffer{0x40, 1, 9}}) {
    const Parsed parsed(update(junk), external_session());
    CHECK(parsed.action() == kWithdraw);
    CHECK(parsed.records == 0);
    CHECK_FALSE(parsed.update.end_of_rib());
  }
  const Parsed parsed(update(mp_unreach(kIpv6Unicast, {}) + Buffer{0x40}), external_session());
  CHECK_FALSE(parsed.update.end_of_rib());
  CHECK(parsed.records == 0);
}

TEST_CASE("CVE-2026-37462: a withdrawn length of 65,535 is a reset, not a wrap") {
  CHECK(Parsed(hex("ffff 0000 00"), external_session()).action() == ErrorAction::kSessionReset);
  CHECK(Parsed(hex("fffe ffff 00"), external_session()).action() == ErrorAction::kSessionReset);
}

TEST_CASE("CVE-2026-41643: AS4_PATH before AS_PATH") {
  SessionParameters session = external_session();
  session.four_octet_as = false;
  const Parsed parsed(update(attr(0xc0, 17, segment(2, {200000})) + next_hop() +
                                 as_path({65001, 23456}, 2) + origin(),
                             kRoute),
                      session);
  CHECK(parsed.path_text() == "65001 200000");
  CHECK(act(attr(0xc0, 17, segment(2, {200000})) + next_hop() + origin(), session) == kWithdraw);
}

TEST_CASE("CVE-2026-30405: NEXT_HOP of any length does not crash") {
  for (const std::size_t size : {0u, 1u, 3u, 5u, 16u, 255u})
    CHECK(act(origin() + as_path({65001}) + attr(0x40, 3, Buffer(size, 1))) == kWithdraw);
}

TEST_CASE("CVE-2010-1674, CVE-2011-3327, CVE-2026-37461: communities of odd lengths") {
  for (const unsigned type : {8u, 16u, 25u, 32u}) {
    const std::size_t unit = type == 8 ? 4 : type == 16 ? 8 : type == 25 ? 20 : 12;
    for (std::size_t size = 0; size <= 2 * unit; ++size) {
      CAPTURE(type);
      CAPTURE(size);
      const bool right = size != 0 && size % unit == 0;
      CHECK(act(mandatory() + attr(0xc0, type, Buffer(size, 1))) == (right ? kNone : kWithdraw));
    }
  }
}

TEST_CASE("CVE-2023-38406, CVE-2026-37457: Flowspec that was not negotiated is never parsed") {
  for (std::size_t size = 0; size < 64; ++size) {
    const Buffer junk(size, 0xf0);
    CHECK(act(mandatory() + attr(0x80, 14, u16(1) + Buffer{133} + junk)) == kNone);
    CHECK(act(mandatory() + attr(0x80, 15, u16(1) + Buffer{133} + junk)) == kNone);
  }
}

TEST_CASE("CVE-2023-38407: labelled NLRI beyond the attribute") {
  SessionParameters session = external_session();
  const Family labeled{kAfiIpv4, kSafiLabeled};
  session.families.insert(labeled);
  for (unsigned bits = 0; bits < 256; ++bits) {
    const Buffer routes = Buffer{static_cast<std::uint8_t>(bits)} + hex("000100");
    Parsed(update(mandatory() + mp_reach(labeled, {192, 0, 2, 1}, routes)), session);
    Parsed(update(mp_unreach(labeled, routes)), session);
  }
}

TEST_CASE("CVE-2023-31490: SRv6 sub-TLVs with lying lengths") {
  const Buffer good = hex("05 0019 00 01 0015 00 fcbbbbbb0001e0000000000000000000 00 0040 00");
  CHECK(act(mandatory() + attr(0xc0, 40, good)) == kNone);
  for (std::size_t size = 0; size < good.size(); ++size) {
    const Buffer cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    const ErrorAction action = act(mandatory() + attr(0xc0, 40, cut));
    CHECK(action < ErrorAction::kSessionReset);
    if (size != 0) CHECK(action != kNone);
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    Buffer changed = good;
    changed[at] = 0xff;
    CHECK(act(mandatory() + attr(0xc0, 40, changed)) < ErrorAction::kSessionReset);
  }
}

TEST_CASE("65,535 octets: 16,000 prefixes, or 16,000 communities, in one extended message") {
  Buffer routes;
  for (unsigned i = 0; i < 16000; ++i)
    routes = std::move(routes) +
             Buffer{24, 10, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
  const Parsed many(update(mandatory(), routes), external_session());
  CHECK(many.batch.records[0].announced == 16000);
  Buffer communities(16000 * 4, 1);
  const Parsed wide(update(mandatory() + attr(0xc0, 8, communities), kRoute), external_session());
  CHECK(wide.path().find(8)->size() == communities.size());
}

TEST_CASE("every message cut at every octet, and with every octet changed, is handled") {
  SessionParameters session = external_session();
  session.families = FamilySet::all();
  const Buffer whole =
      update(mandatory() + attr(0x80, 4, u32(1)) + attr(0xc0, 7, u32(64500) + u32(1)) +
                 attr(0xc0, 8, u32(1)) + attr(0xc0, 16, Buffer(8)) + attr(0xc0, 32, Buffer(12)) +
                 attr(0xc0, 40, hex("01000700000000000001")) +
                 mp_reach({2, 128}, Buffer(8) + hex("20010db8000000000000000000000001"),
                          hex("88 000101 0000fde800000064 20010db80001")) +
                 mp_unreach(kIpv6Unicast, nlri("2001:db8::/32")),
             kRoute, nlri("203.0.113.0/24"));
  for (const bool wide : {true, false}) {
    session.four_octet_as = wide;
    for (std::size_t size = 0; size < whole.size(); ++size)
      Parsed(Buffer(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), session);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        Buffer changed = whole;
        changed[at] = static_cast<std::uint8_t>(value);
        Parsed(changed, session);
      }
    }
  }
  CHECK(Parsed(whole, session).records > 0);
}
