// RFC 4271: the UPDATE's own fields, canonical form, records; RFC 4724: End-of-RIB.
#include <doctest/doctest.h>

#include <algorithm>

#include "bgp/hash.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("RFC 4271 4.3: announced and withdrawn prefixes become one record") {
  const Parsed parsed(update(mandatory() + attr(0x80, 4, u32(7)), kRoute + nlri("0.0.0.0/0"),
                             nlri("203.0.113.0/24")),
                      external_session());
  CHECK(parsed.action() == ErrorAction::kNone);
  REQUIRE(parsed.records == 1);
  const Record& record = parsed.batch.records[0];
  CHECK(record.kind == RecordKind::kUpdate);
  CHECK(record.peer == 7);
  CHECK(record.last_of_message);
  CHECK(parsed.withdrawn() == Texts{"203.0.113.0/24"});
  CHECK(parsed.announced() == Texts{"198.51.100.0/24", "0.0.0.0/0"});
  CHECK(parsed.path_text() == "65001 64500");
  CHECK(parsed.path().origin() == 0);
  CHECK(parsed.path().multi_exit_disc() == 7u);
  CHECK(format_address(*parsed.path().next_hop()) == "192.0.2.1");
  CHECK(record.attributes_hash == hash_octets(hash_seed(), parsed.batch.attributes(record)));
}

TEST_CASE("RFC 4271 4.3: bits beyond the prefix length do not count") {
  const Parsed a(update(mandatory(), Buffer{20, 10, 1, 0xff}), external_session());
  const Parsed b(update(mandatory(), Buffer{20, 10, 1, 0xf0}), external_session());
  CHECK(a.announced() == Texts{"10.1.240.0/20"});
  CHECK(a.batch.nlri == b.batch.nlri);
}

TEST_CASE("RFC 4271 4.3: a prefix that is withdrawn and announced is announced") {
  const Buffer other = nlri("203.0.113.0/24");
  const Parsed parsed(update(mandatory(), kRoute, kRoute + other), external_session());
  CHECK(parsed.withdrawn() == Texts{"203.0.113.0/24"});
  CHECK(parsed.announced() == Texts{"198.51.100.0/24"});

  // Many: the other way of finding them.
  Buffer announced;
  Buffer withdrawn;
  for (std::uint8_t i = 0; i < 200; ++i) {
    announced = announced + Buffer{24, 10, 1, i};
    withdrawn = withdrawn + Buffer{24, 10, static_cast<std::uint8_t>(i % 2), i};
  }
  const Parsed many(update(mandatory(), announced, withdrawn), external_session());
  CHECK(many.batch.records[0].withdrawn == 100);
  CHECK(many.batch.records[0].announced == 200);
  CHECK(many.announced()[199] == "10.1.199.0/24");
  for (const std::string& text : many.withdrawn()) CHECK(text.starts_with("10.0."));
}

TEST_CASE("RFC 4271 5: attributes in any order give the same canonical octets") {
  std::vector<Buffer> attributes = {origin(),
                                    as_path({65001, 64500}),
                                    next_hop(),
                                    attr(0x80, 4, u32(7)),
                                    attr(0x40, 6, {}),
                                    attr(0xc0, 8, u32(1) + u32(2)),
                                    attr(0xc0, 32, Buffer(12, 3)),
                                    attr(0xe0, 99, {1, 2, 3})};
  std::sort(attributes.begin(), attributes.end());
  Buffer first;
  unsigned orders = 0;
  do {
    Buffer all;
    for (const Buffer& a : attributes) all = all + a;
    const Parsed parsed(update(all, kRoute), external_session());
    REQUIRE(parsed.records == 1);
    const Octets octets = parsed.path().octets();
    const Buffer canonical(octets.begin(), octets.end());
    if (first.empty()) first = canonical;
    REQUIRE(canonical == first);
    std::uint8_t last = 0;
    parsed.path().for_each([&last](std::uint8_t type, Octets) {
      REQUIRE(type > last);
      last = type;
    });
  } while (std::next_permutation(attributes.begin(), attributes.end()) && ++orders < 5000);
  CHECK(orders == 5000);
}

TEST_CASE("RFC 4271 4.3: how a length or a flag was encoded does not change the canonical octets") {
  const Buffer extended =
      origin() + attr(0x50, 2, segment(2, {65001, 64500})) + next_hop() + attr(0xdf, 99, {1});
  const Buffer plain = mandatory() + attr(0xc0, 99, {1});
  const Parsed a(update(extended, kRoute), external_session());
  const Parsed b(update(plain, kRoute), external_session());
  CHECK(std::ranges::equal(a.path().octets(), b.path().octets()));
  // Partial is information: kept.
  const Parsed c(update(mandatory() + attr(0xe0, 99, {1}), kRoute), external_session());
  CHECK_FALSE(std::ranges::equal(c.path().octets(), b.path().octets()));
}

TEST_CASE("RFC 4271 5: unknown transitive attributes are kept, non-transitive ones ignored") {
  const Parsed parsed(
      update(mandatory() + attr(0xc0, 99, Buffer(3000, 7)) + attr(0x80, 241, {1}), kRoute),
      external_session());
  CHECK(parsed.action() == ErrorAction::kNone);
  REQUIRE(parsed.path().find(99));
  CHECK(parsed.path().find(99)->size() == 3001);
  CHECK((*parsed.path().find(99))[0] == 0xc0);
  CHECK_FALSE(parsed.path().find(241));
  CHECK(parsed.update.attributes().unknown_kept() == 1);
  CHECK(parsed.update.attributes().unknown_ignored() == 1);
}

TEST_CASE("IPv4 NLRI and MP_REACH_NLRI in one message become two records") {
  const Parsed parsed(update(mandatory() + mp_reach(kIpv6Unicast, kIpv6Hop, nlri("2001:db8::/32")) +
                                 mp_unreach(kIpv6Unicast, nlri("2001:db8:1::/48")),
                             kRoute, nlri("203.0.113.0/24")),
                      external_session());
  REQUIRE(parsed.records == 2);
  CHECK(parsed.withdrawn(0) == Texts{"203.0.113.0/24", "2001:db8:1::/48"});
  CHECK(parsed.announced(0) == Texts{"198.51.100.0/24"});
  CHECK(format_address(*parsed.path(0).next_hop()) == "192.0.2.1");
  CHECK_FALSE(parsed.batch.records[0].last_of_message);
  CHECK(parsed.withdrawn(1).empty());
  CHECK(parsed.announced(1) == Texts{"2001:db8::/32"});
  CHECK(format_address(*parsed.path(1).next_hop()) == "2001:db8::1");
  CHECK(parsed.batch.records[1].last_of_message);
}

TEST_CASE("treat-as-withdraw withdraws all that the message announces, in one record") {
  const Parsed parsed(update(attr(0x40, 1, {9}) + as_path({65001}) + next_hop() +
                                 mp_reach(kIpv6Unicast, kIpv6Hop, nlri("2001:db8::/32")),
                             kRoute, nlri("203.0.113.0/24")),
                      external_session());
  REQUIRE(parsed.records == 1);
  CHECK(parsed.withdrawn() == Texts{"203.0.113.0/24", "198.51.100.0/24", "2001:db8::/32"});
  CHECK(parsed.batch.records[0].announced == 0);
  CHECK(parsed.batch.octets.empty());
}

TEST_CASE(
    "RFC 4724 2: End-of-RIB of IPv4 unicast is the empty UPDATE, of others an empty MP_UNREACH") {
  const Parsed ipv4(update({}), external_session());
  REQUIRE(ipv4.records == 1);
  CHECK(ipv4.batch.records[0].kind == RecordKind::kEndOfRib);
  CHECK(ipv4.batch.records[0].family == kIpv4Unicast);

  const Parsed ipv6(update(mp_unreach(kIpv6Unicast, {})), external_session());
  REQUIRE(ipv6.records == 1);
  CHECK(ipv6.batch.records[0].kind == RecordKind::kEndOfRib);
  CHECK(ipv6.batch.records[0].family == kIpv6Unicast);

  CHECK(Parsed(update(mp_unreach({25, 70}, {})), external_session()).records == 0);
  CHECK(Parsed(update(origin() + mp_unreach(kIpv6Unicast, {})), external_session()).records == 0);
  CHECK(Parsed(update(mp_unreach(kIpv6Unicast, {}), {}, kRoute), external_session())
            .batch.records[0]
            .kind == RecordKind::kUpdate);
}

TEST_CASE("odd but right paths are taken and noted") {
  const auto notes = [](const Buffer& path) {
    const Parsed parsed(update(origin() + path + next_hop(), kRoute), external_session());
    CHECK(parsed.action() == ErrorAction::kNone);
    CHECK(parsed.batch.records[0].announced == 1);
    return parsed.update.attributes().notes();
  };
  CHECK(notes(as_path({65001, 64500})) == 0);
  CHECK(notes(as_path({64999, 64500})) == note::kFirstAsDiffers);
  CHECK(notes(as_path({65001, 65000})) == note::kOwnAsInPath);
  CHECK(notes(as_path({})) == note::kEmptyPathFromEbgp);
  CHECK(notes(attr(0x40, 2, segment(2, {65001}) + segment(1, {1, 2}))) == note::kAsSet);
}

TEST_CASE("append_attributes: entries of table dumps (RFC 6396 4.3.4)") {
  const SessionParameters file = SessionParameters::of_file(true, false);
  Buffer out;
  Findings findings;
  const auto next_hop_of = [&](const Buffer& attributes) {
    out.clear();
    CHECK(append_attributes(attributes, file, MpReachForm::kAbbreviated, out, findings) ==
          ErrorAction::kNone);
    return format_address(*PathView(out).next_hop());
  };
  const Buffer base = origin() + as_path({65001});
  CHECK(next_hop_of(base + next_hop()) == "192.0.2.1");
  CHECK(next_hop_of(base + attr(0x80, 14, Buffer{16} + kIpv6Hop)) == "2001:db8::1");
  CHECK(next_hop_of(base + attr(0x80, 14, Buffer{32} + kIpv6Hop + kIpv6Hop)) == "2001:db8::1");
  CHECK(next_hop_of(base + mp_reach(kIpv6Unicast, kIpv6Hop, nlri("2001:db8::/32"))) ==
        "2001:db8::1");
  CHECK(next_hop_of(base + attr(0x80, 14, hex("00020110") + kIpv6Hop)) == "2001:db8::1");
  // What depends on the kind of neighbour is kept.
  CHECK(next_hop_of(base + next_hop() + attr(0x40, 5, u32(100)) + attr(0x80, 9, u32(1))) ==
        "192.0.2.1");
  CHECK(PathView(out).local_pref() == 100u);

  out = {1, 2, 3};
  const Buffer bad = base + attr(0x80, 14, Buffer{16, 1, 2});
  CHECK(append_attributes(bad, file, MpReachForm::kAbbreviated, out, findings) ==
        ErrorAction::kTreatAsWithdraw);
  CHECK(out == Buffer{1, 2, 3});
}

TEST_CASE("an Update object can be used again without a trace of the message before") {
  Update reader;
  RecordBatch batch;
  const SessionParameters session = external_session();
  const Buffer full = update(
      mandatory() + attr(0xc0, 8, u32(1)) + mp_reach(kIpv6Unicast, kIpv6Hop, nlri("2001:db8::/32")),
      kRoute, nlri("203.0.113.0/24"));
  const Buffer broken = update(mandatory() + attr(0xc0, 8, Buffer(3)), kRoute);
  const Buffer reset = hex("0005 0000");
  const Buffer small = update(mandatory(), kRoute);
  const Parsed expected(small, session);
  for (const Buffer* before : {&full, &broken, &reset, &small}) {
    reader.parse(*before, session);
    batch.clear();
    reader.append_records(from_unix_micros(0), 7, batch);
    CHECK(reader.parse(small, session) == ErrorAction::kNone);
    batch.clear();
    CHECK(reader.append_records(from_unix_micros(0), 7, batch) == 1);
    CHECK(batch.octets == expected.batch.octets);
    CHECK(batch.nlri == expected.batch.nlri);
    CHECK(batch.records[0].withdrawn == 0);
  }
}
