// RFC 4760, 7911, 8277, 4364, 8950: families, path identifiers, labels, route distinguishers.
#include <doctest/doctest.h>

#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

using Texts = std::vector<std::string>;

const Buffer kHop = {192, 0, 2, 1};
const Buffer kBase = origin() + as_path({65001});

SessionParameters session_of(std::initializer_list<Family> families) {
  SessionParameters p = external_session();
  p.families = {};
  for (const Family f : families) p.families.insert(f);
  return p;
}

}  // namespace

TEST_CASE("RFC 4760 3: multicast and unicast of both IP versions") {
  const Family families[] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}};
  for (const Family f : families) {
    const bool v4 = f.afi == kAfiIpv4;
    const Parsed parsed(update(kBase + mp_reach(f, v4 ? kHop : kIpv6Hop,
                                                nlri(v4 ? "10.0.0.0/8" : "2001:db8::/33"))),
                        session_of({f}));
    REQUIRE(parsed.records == 1);
    CHECK(parsed.batch.nlri[0].family() == f);
    CHECK(parsed.announced() == Texts{v4 ? "10.0.0.0/8" : "2001:db8::/33"});
  }
}

TEST_CASE("RFC 4760 6: a family that was not negotiated is ignored, whatever it holds") {
  const Family other[] = {{25, 70}, {1, 133}, {16388, 71}, {2, 1}, {0xffff, 0xff}};
  for (const Family f : other) {
    const Buffer junk(40, 0xff);
    const Parsed parsed(update(mandatory() + attr(0x80, 14, u16(f.afi) + Buffer{f.safi} + junk) +
                                   attr(0x80, 15, u16(f.afi) + Buffer{f.safi} + junk),
                               nlri("198.51.100.0/24")),
                        session_of({kIpv4Unicast}));
    CHECK(parsed.action() == ErrorAction::kNone);
    CHECK(parsed.update.ignored_families() == 2);
    CHECK(parsed.announced() == Texts{"198.51.100.0/24"});
  }
  // IPv4 unicast is a family like any other.
  const Parsed parsed(update(mandatory(), Buffer{77}, Buffer{99}), session_of({kIpv6Unicast}));
  CHECK(parsed.action() == ErrorAction::kNone);
  CHECK(parsed.update.ignored_families() == 2);
  CHECK(parsed.records == 0);
}

TEST_CASE("RFC 4760 3: NEXT_HOP beside MP_REACH_NLRI alone is not used") {
  const Parsed parsed(update(kBase + attr(0x40, 3, u32(0)) +
                             mp_reach(kIpv6Unicast, kIpv6Hop, nlri("2001:db8::/32"))),
                      external_session());
  CHECK(parsed.action() == ErrorAction::kNone);
  CHECK(format_address(*parsed.path().next_hop()) == "2001:db8::1");
}

TEST_CASE("RFC 8950 4: IPv4 NLRI with an IPv6 next hop only where negotiated") {
  const Buffer message = update(kBase + mp_reach(kIpv4Unicast, kIpv6Hop, nlri("10.0.0.0/8")));
  SessionParameters session = session_of({kIpv4Unicast});
  CHECK(Parsed(message, session).action() == ErrorAction::kTreatAsWithdraw);
  session.extended_next_hop.insert(kIpv4Unicast);
  const Parsed parsed(message, session);
  CHECK(parsed.action() == ErrorAction::kNone);
  CHECK(format_address(*parsed.path().next_hop()) == "2001:db8::1");
}

TEST_CASE("RFC 7911 3: path identifiers are read where negotiated, and only there") {
  SessionParameters session = session_of({kIpv4Unicast, kIpv6Unicast});
  session.add_path.insert(kIpv4Unicast);
  const Buffer route = nlri("10.0.0.0/8");
  const Parsed parsed(update(mandatory(), u32(1) + route + u32(0x80000000) + route, u32(9) + route),
                      session);
  REQUIRE(parsed.records == 1);
  REQUIRE(parsed.batch.nlri.size() == 3);
  CHECK(parsed.batch.nlri[0].path_id == 9);
  CHECK(parsed.batch.nlri[1].path_id == 1);
  CHECK(parsed.batch.nlri[2].path_id == 0x80000000);
  CHECK(parsed.batch.nlri[2].has_path_id == 1);

  const Parsed ipv6(update(kBase + mp_reach(kIpv6Unicast, kIpv6Hop, nlri("2001:db8::/32"))),
                    session);
  REQUIRE(ipv6.records == 1);
  CHECK(ipv6.batch.nlri[0].has_path_id == 0);

  for (const Buffer& cut : {Buffer{0}, Buffer{0, 0, 0}, Buffer{0, 0, 0, 1}})
    CHECK(Parsed(update(mandatory(), cut), session).action() == ErrorAction::kSessionReset);
  // Without ADD-PATH four zero octets are four default routes.
  const Parsed plain(update(mandatory(), u32(0) + route), session_of({kIpv4Unicast}));
  CHECK(plain.announced() ==
        Texts{"0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0", "10.0.0.0/8"});
}

TEST_CASE("RFC 8277 2: labels are taken off") {
  const Family labeled{kAfiIpv4, kSafiLabeled};
  const SessionParameters session = session_of({labeled});
  const auto announced = [&](std::string_view octets) {
    const Parsed parsed(update(kBase + mp_reach(labeled, kHop, hex(octets))), session);
    return parsed.action() == ErrorAction::kSessionReset ? Texts{"reset"} : parsed.announced();
  };
  CHECK(announced("30 000101 0a0101") == Texts{"10.1.1.0/24"});
  CHECK(announced("30 000100 0a0101") == Texts{"10.1.1.0/24"});  // S bit does not matter
  CHECK(announced("50 000100 000201 0a010101") == Texts{"10.1.1.1/32"});
  CHECK(announced("18 000101") == Texts{"0.0.0.0/0"});
  CHECK(announced("10 0001") == Texts{"reset"});
  CHECK(announced("50 000101 000201 0a010101") == Texts{"reset"});
  CHECK(announced("30 000101 0a01") == Texts{"reset"});
  for (const char* label : {"800000", "000000"}) {
    const Parsed gone(update(mp_unreach(labeled, hex("30") + hex(label) + hex("0a0101"))), session);
    CHECK(gone.withdrawn() == Texts{"10.1.1.0/24"});
  }
}

TEST_CASE("RFC 4364 4.3.4, RFC 4659 3.2: the RD is part of the key, the label is not") {
  const Family vpn4{kAfiIpv4, kSafiVpn};
  const Family vpn6{kAfiIpv6, kSafiVpn};
  const SessionParameters session = session_of({vpn4, vpn6});
  const Buffer rd(8);
  const auto keys = [&](Family f, const Buffer& hop, const Buffer& routes) {
    const Parsed parsed(update(kBase + mp_reach(f, rd + hop, routes)), session);
    REQUIRE(parsed.records == 1);
    return parsed.batch.nlri;
  };
  const auto a = keys(vpn4, kHop, hex("70 000101 0000fde800000064 0a0101"));
  const auto b = keys(vpn4, kHop, hex("70 000201 0000fde800000064 0a0101"));
  REQUIRE(a.size() == 1);
  CHECK(a == b);
  CHECK(a[0].rd == 0x0000fde800000064);
  CHECK(format_prefix(to_nlri(a[0]).prefix) == "10.1.1.0/24");
  const auto c = keys(vpn6, kIpv6Hop, hex("88 000101 0000fde800000064 20010db80001"));
  CHECK(format_prefix(to_nlri(c[0]).prefix) == "2001:db8:1::/48");
  // Global and link-local next hop, each with its RD.
  const Parsed both(
      update(kBase + mp_reach(vpn6, rd + kIpv6Hop + rd + hex("fe80") + Buffer(13) + Buffer{1},
                              hex("88 000101 0000fde800000064 20010db80001"))),
      session);
  CHECK(both.path().find(attribute::kNextHop)->size() == 32);
  CHECK(format_address(*both.path().next_hop()) == "2001:db8::1");
  for (const char* bad :
       {"57 000101 0000fde8000000", "79 000101 0000fde800000064 0a010101 00", "ff"})
    CHECK(Parsed(update(kBase + mp_reach(vpn4, rd + kHop, hex(bad))), session).action() ==
          ErrorAction::kSessionReset);
}

TEST_CASE("RFC 4760 4: an UPDATE with MP_UNREACH_NLRI needs no other attribute") {
  const Parsed parsed(update(mp_unreach(kIpv6Unicast, nlri("2001:db8::/32") + nlri("::/0"))),
                      external_session());
  CHECK(parsed.action() == ErrorAction::kNone);
  CHECK(parsed.withdrawn() == Texts{"2001:db8::/32", "::/0"});
}
