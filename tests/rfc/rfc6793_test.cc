// RFC 6793: 4-octet ASNs on sessions with 2-octet neighbours, and in AS_PATH generally.
#include <doctest/doctest.h>

#include "bgp/as_path.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

SessionParameters old_session() {
  SessionParameters p = external_session();
  p.four_octet_as = false;
  p.peer_as = 100;
  return p;
}

std::string merged(const Buffer& path, const Buffer& as4,
                   const SessionParameters& session = old_session()) {
  const Parsed parsed(
      update(origin() + attr(0x40, 2, path) + next_hop() + attr(0xc0, 17, as4), kRoute), session);
  REQUIRE(parsed.records == 1);
  REQUIRE(parsed.batch.records[0].announced == 1);
  return parsed.path_text();
}

}  // namespace

TEST_CASE("RFC 6793 4.2.3: AS4_PATH replaces the end of AS_PATH") {
  CHECK(merged(segment(2, {100, 200, 23456, 23456}, 2), segment(2, {200000, 300000})) ==
        "100 200 200000 300000");
  CHECK(merged(segment(2, {100, 23456}, 2), segment(2, {100, 200000})) == "100 200000");
  CHECK(merged(segment(2, {100, 23456}, 2), {}) == "100 23456");
}

TEST_CASE("RFC 6793 4.2.3: an AS4_PATH that is longer is ignored") {
  CHECK(merged(segment(2, {100, 23456}, 2), segment(2, {1, 2, 200000})) == "100 23456");
  const Parsed parsed(update(origin() + as_path({100, 23456}, 2) + next_hop() +
                                 attr(0xc0, 17, segment(2, {1, 2, 200000})),
                             kRoute),
                      old_session());
  CHECK(parsed.action() == ErrorAction::kNone);
  CHECK((parsed.update.attributes().notes() & note::kAs4PathIgnored) != 0);
}

TEST_CASE("RFC 6793 4.2.3: a set counts as one hop and is not cut") {
  CHECK(merged(segment(1, {10, 20, 30}, 2) + segment(2, {23456}, 2), segment(2, {200000})) ==
        "{10,20,30} 200000");
  CHECK(merged(segment(2, {100}, 2) + segment(1, {10, 20}, 2) + segment(2, {23456}, 2),
               segment(1, {70000, 80000}) + segment(2, {200000})) == "100 {70000,80000} 200000");
}

TEST_CASE("RFC 6793 4.2.3: confederation segments are prepended where they lead or adjoin") {
  SessionParameters session = old_session();
  session.kind = PeerKind::kInternal;
  CHECK(merged(segment(3, {64512, 64513}, 2) + segment(2, {23456}, 2), segment(2, {200000}),
               session) == "(64512 64513) 200000");
  CHECK(merged(segment(2, {100}, 2) + segment(3, {64512}, 2) + segment(2, {23456}, 2),
               segment(2, {200000}), session) == "100 (64512) 200000");
  CHECK(merged(segment(2, {100, 23456}, 2) + segment(3, {64512}, 2), segment(2, {200000}),
               session) == "100 200000");
}

TEST_CASE("RFC 6793 6: confederation segments in AS4_PATH are stripped") {
  CHECK(merged(segment(2, {100, 23456}, 2), segment(3, {65010}) + segment(2, {200000})) ==
        "100 200000");
  CHECK(merged(segment(2, {100, 23456}, 2), segment(4, {65010, 65011})) == "100 23456");
}

TEST_CASE("RFC 6793 6: a malformed AS4_PATH is discarded, the route stays") {
  const Buffer malformed[] = {{2}, {2, 0}, {2, 2, 0, 0, 0, 1}, segment(7, {1}), segment(2, {0})};
  for (const Buffer& as4 : malformed) {
    CHECK(merged(segment(2, {100, 23456}, 2), as4) == "100 23456");
    const Parsed parsed(
        update(origin() + as_path({100}, 2) + next_hop() + attr(0xc0, 17, as4), kRoute),
        old_session());
    CHECK(parsed.action() == ErrorAction::kAttributeDiscard);
  }
}

TEST_CASE("RFC 6793 4.2.3: AGGREGATOR and AS4_AGGREGATOR") {
  const auto parse = [](const Buffer& aggregator, const Buffer& as4_aggregator) {
    return Parsed(
        update(origin() + as_path({100, 23456}, 2) + next_hop() + attr(0xc0, 7, aggregator) +
                   attr(0xc0, 17, segment(2, {200000})) + attr(0xc0, 18, as4_aggregator),
               kRoute),
        old_session());
  };
  const Buffer address = {192, 0, 2, 9};
  const Parsed both = parse(u16(23456) + address, u32(200000) + address);
  CHECK(both.path_text() == "100 200000");
  const auto value = both.path().find(attribute::kAggregator);
  REQUIRE(value);
  CHECK(Buffer(value->begin(), value->end()) == u32(200000) + address);

  // Someone old has aggregated since: both AS4 attributes are void.
  const Parsed since = parse(u16(300) + address, u32(200000) + address);
  CHECK(since.path_text() == "100 23456");
  CHECK((since.update.attributes().notes() & note::kAs4PathIgnored) != 0);
  const auto kept = since.path().find(attribute::kAggregator);
  REQUIRE(kept);
  CHECK(Buffer(kept->begin(), kept->end()) == u32(300) + address);
}

TEST_CASE("RFC 6793 4.1: AS4_PATH and AS4_AGGREGATOR between new speakers are discarded") {
  const Parsed parsed(
      update(mandatory() + attr(0xc0, 17, segment(2, {1, 2})) + attr(0xc0, 18, Buffer(8, 1)),
             kRoute),
      external_session());
  CHECK(parsed.action() == ErrorAction::kAttributeDiscard);
  CHECK(parsed.path_text() == "65001 64500");
  CHECK_FALSE(parsed.path().find(attribute::kAs4Path));
  CHECK_FALSE(parsed.path().find(attribute::kAggregator));
}

TEST_CASE("a long path that was split into segments anywhere is the same path") {
  std::vector<Asn> asns;
  for (Asn i = 1; i <= 600; ++i) asns.push_back(65001 + i % 50);
  const auto split = [&](std::size_t step) {
    Buffer value;
    for (std::size_t at = 0; at < asns.size(); at += step)
      value = value + segment(2, {asns.begin() + static_cast<std::ptrdiff_t>(at),
                                  asns.begin() + static_cast<std::ptrdiff_t>(
                                                     std::min(at + step, asns.size()))});
    return attr(0x40, 2, value);
  };
  std::vector<Buffer> canonical;
  for (const std::size_t step : {255u, 200u, 7u, 1u}) {
    const Parsed parsed(update(origin() + split(step) + next_hop(), kRoute), external_session());
    REQUIRE(parsed.records == 1);
    const Octets octets = parsed.path().octets();
    canonical.emplace_back(octets.begin(), octets.end());
    CHECK(canonical.back() == canonical.front());
    AsPathSegment segment;
    AsPathView view = parsed.path().as_path();
    REQUIRE(view.next(segment));
    CHECK(segment.size == 600);
    CHECK_FALSE(view.next(segment));
  }
}

TEST_CASE("a path of 4,000 ASNs is taken, one more is treat-as-withdraw") {
  const auto path = [](std::size_t hops) {
    Buffer value;
    for (std::size_t left = hops; left != 0;) {
      const std::size_t now = std::min<std::size_t>(left, 250);
      value = value + segment(2, std::vector<Asn>(now, 65001));
      left -= now;
    }
    return update(origin() + attr(0x40, 2, value) + next_hop(), kRoute);
  };
  CHECK(Parsed(path(kMaxHops), external_session()).action() == ErrorAction::kNone);
  CHECK(Parsed(path(kMaxHops + 1), external_session()).action() == ErrorAction::kTreatAsWithdraw);
}
