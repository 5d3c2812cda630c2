#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "tests/unit/engine_bench.h"

namespace lapwing::rib::engine_test {
namespace {

TEST_CASE("prefixes that come and go all the time do not pile up until it is calm") {
  constexpr int kMany = 200'000, kFlapping = 10'000, kWanted = 65'536;
  Bench b;
  b.start();
  b.commits.durable = 1000;
  b.run(Batch().declare(1, "edge1").up(2).announce_many(3, 0, kMany, {1, 2}).end_of_rib(4));
  b.run(Batch().withdraw_many(5, 0, kMany));
  b.run(Batch());
  CHECK(b.log.released == kWanted);  // more are not wanted from here on
  for (int i = 0; i < 10; ++i) {
    b.run(Batch().announce_many(6, kMany - kFlapping, kMany, {1, 2}));
    b.run(Batch().withdraw_many(6, kMany - kFlapping, kMany));
  }
  b.run(Batch());
  CHECK(b.log.released >= kMany - kFlapping);
}

TEST_CASE("paths that went lately are known when they come again, but not for ever") {
  Bench b(1000);
  b.start();
  b.run(Batch().declare(1, "r").up(2).end_of_rib(3));
  const auto come_and_go = [&](Asn as) {
    b.run(Batch().update(10, {}, {"10.0.0.0/8"}, {as}).update(10, {"10.0.0.0/8"}, {}, {}));
    b.commits.durable = b.commits.list.back().sequence;
    return b.commits.list.back().new_paths.size();
  };
  CHECK(come_and_go(7) == 1);
  CHECK(come_and_go(7) == 0);
  const std::uint64_t paths = b.engine.counters().paths;
  for (Asn as = 100; as < 2000; ++as) come_and_go(as);
  CHECK(b.engine.counters().paths < paths + 1010);
  CHECK(come_and_go(7) == 1);
}

TEST_CASE("ids return only after the commit that released them is durable") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).end_of_rib(3);
  b.run(batch);
  Batch gone;
  gone.update(4, {kP}, {}, {});
  b.run(gone);
  Batch other;
  other.announce(5, kQ, {2});
  b.run(other);
  CHECK(b.commits.list.back().routes[0].prefix == 1);
  CHECK(b.commits.list.back().new_paths[0] == 1);
  b.commits.durable = b.commits.list.back().sequence;
  Batch again;
  again.announce(6, "203.0.113.0/24", {3});
  b.run(again);
  CHECK(b.commits.list.back().routes[0].prefix == 0);
  CHECK(b.commits.list.back().new_paths[0] == 0);
}

TEST_CASE(
    "max-prefix: near the limit and beyond it, a warning each, and an end when there are fewer") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, false).up(2).announce_many(3, 0, 7, {1}));
  CHECK(b.limits.empty());
  b.run(Batch().announce_many(4, 7, 9, {1}));
  REQUIRE(b.limits.size() == 1);
  CHECK(b.limits[0].what == LimitReport::What::kNear);
  b.run(Batch().announce_many(5, 0, 10, {2}));  // changes are no further routes
  CHECK(b.limits.size() == 1);
  b.run(Batch().announce_many(6, 0, 30, {2}));
  REQUIRE(b.limits.size() == 2);
  CHECK(b.limits[1].what == LimitReport::What::kExceeded);
  CHECK(b.limits[1].routes == 10);
  CHECK(b.routes() == 30);
  Batch fewer;
  for (int n = 6; n < 30; ++n) fewer.update(7, {"10.0." + std::to_string(n) + ".0/24"}, {}, {});
  b.run(fewer);
  CHECK(b.limit_events() ==
        Lines{"max-prefix raise warning", "max-prefix raise warning", "max-prefix clear notice"});
}

TEST_CASE(
    "max-prefix: with shutdown not one route more is kept, and nothing until the next session") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, true).up(2).announce_many(3, 0, 500, {1}));
  REQUIRE(b.limits.size() == 2);
  CHECK(b.limits[1].what == LimitReport::What::kStop);
  CHECK(b.limits[1].peer == "r");
  CHECK(b.routes() == 10);
  b.run(Batch().announce_many(4, 0, 1000, {7}).update(5, {"10.0.1.0/24"}, {}, {}));
  CHECK(b.routes() == 10);
  CHECK(b.limits.size() == 2);
  b.commits.durable = 1000;
  b.run(Batch());
  CHECK(b.engine.counters().prefixes.load() == 10);  // what was refused leaves nothing behind
  b.run(Batch().down(6).up(7).announce_many(8, 0, 5, {1}).end_of_rib(9));
  CHECK(b.routes() == 5);
  CHECK(b.limit_events() == Lines{"max-prefix raise warning", "max-prefix raise error"});
}

TEST_CASE("max-prefix: routes kept from a lost session do not count, but cannot pile up") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, true).up(2).announce_many(3, 0, 10, {1}).down(4).up(5));
  b.limits.clear();
  b.run(Batch().announce_many(6, 100, 110, {1}));  // a new table, before the old one is swept
  CHECK(b.routes() == 20);
  CHECK(std::none_of(b.limits.begin(), b.limits.end(), [](const LimitReport& report) {
    return report.what == LimitReport::What::kStop;
  }));
  b.run(Batch().down(7).up(8).announce_many(9, 200, 210, {1}));
  CHECK(b.routes() == 20);
  CHECK(b.limits.back().what == LimitReport::What::kStop);
}

TEST_CASE("max-prefix: a refresh does not begin the count anew; each family has its own limit") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, true).up(2).announce_many(3, 0, 9, {1}).end_of_rib(4));
  b.run(Batch().mark(5, bgp::RecordKind::kRefreshBegin).announce_many(6, 20, 40, {1}));
  CHECK(b.routes() == 10);
  CHECK(b.limits.back().what == LimitReport::What::kStop);

  Bench six;
  six.start();
  six.run(Batch()
              .declare_limited(1, 10, true)
              .up(2)
              .update(3, {},
                      {"2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:3::/48", "2001:db8:4::/48"},
                      {1}));
  CHECK(six.routes() == 3);
  CHECK(six.limits.back().family == kIpv6Unicast);
  CHECK(six.limits.back().limit == 3);
}

TEST_CASE("max-attributes: octets count as those of the neighbour that brought them in") {
  std::size_t keep = 0;
  SUBCASE("") {}
  SUBCASE("what is kept beyond its last route does not count") { keep = 1000; }
  Bench b(keep);
  b.start();
  const auto many = [](Batch& batch, std::int64_t t, Asn from, int count) -> Batch& {
    for (int n = 0; n < count; ++n)
      batch.announce_many(t, n, n + 1, {3333, from, from + static_cast<Asn>(n)});
    return batch;
  };
  // A set of a table transfer takes 28 octets, one of a later update 30: 99 and 3 fit, not one more.
  constexpr std::uint64_t kMost = 99 * 28 + 3 * 30 + 10;
  Batch first;
  first.declare(1, "r");
  first.peer_details.back().max_attributes = kMost;
  b.run(many(first.up(2), 3, 70000, 99).end_of_rib(4));
  CHECK(b.limit_events().empty());
  Batch more;
  b.run(many(more, 5, 80000, 3));
  CHECK(b.limit_events().empty());  // in place of others, which the store still names
  b.commits.durable = b.commits.list.back().sequence;
  Batch last;
  for (Asn n = 0; n < 4; ++n)
    last.announce_many(6, 200 + static_cast<int>(n), 201 + static_cast<int>(n),
                       {3333, 90000, n + 90000});
  b.run(last);
  CHECK(b.limit_events() == Lines{"max-attributes raise error"});
  CHECK(b.routes() == 102);
  REQUIRE(b.limits.size() == 1);
  CHECK(b.limits[0].what == LimitReport::What::kAttributes);
  CHECK(b.limits[0].peer == "r");
  CHECK(b.limits[0].limit == kMost);
  // It comes back with a table of its own: what is kept from before does not count, and is swept.
  b.commits.durable = b.commits.list.back().sequence;
  Batch back;
  b.run(many(back.down(10).up(11), 12, 60000, 99).end_of_rib(13));
  CHECK(b.limit_events() == Lines{"max-attributes raise error", "max-attributes clear notice"});
  CHECK(b.routes() == 99);
}

TEST_CASE("max-attributes: a set that was packed counts for less") {
  Bench b;
  b.start();
  const auto many = [](Batch& batch, std::int64_t t, int first, int last) -> Batch& {
    for (int n = first; n < last; ++n)
      batch.announce_many(t, n, n + 1, {3333, 70000, 70000 + static_cast<Asn>(n)});
    return batch;
  };
  // 30 octets as it was given, 28 packed.
  Batch first;
  first.declare(1, "r");
  first.peer_details.back().max_attributes = 60 * 30;
  first.up(2).end_of_rib(3);
  b.run(many(first, 4, 0, 60));
  CHECK(b.routes() == 60);
  b.run(Batch().mark(5, bgp::RecordKind::kTick));
  Batch more;
  b.run(many(more, 6, 60, 64));
  CHECK(b.routes() == 64);
  CHECK(b.limits.empty());
  Batch last;
  b.run(many(last, 7, 64, 66));
  CHECK(b.limits.size() == 1);
}

TEST_CASE("endless unique attribute sets, on few prefixes, take no more memory than a few") {
  Bench b;
  b.start();
  b.run(Batch().declare(1, "r").up(2));
  std::uint64_t after_warm_up = 0;
  for (int round = 0; round < 60; ++round) {
    Batch batch;
    for (Asn n = 0; n < 500; ++n)
      batch.announce_many(3 + round, 0, 4, {64500, static_cast<Asn>(round) * 500 + n + 1, n + 7});
    b.run(batch);
    b.commits.durable = 1'000'000;  // what was released may be used again
    b.commits.list.clear();
    const Engine::Footprint size = b.engine.footprint();
    if (round == 5) after_warm_up = size.paths + size.prefixes + size.routes;
    if (round > 5) REQUIRE(size.paths + size.prefixes + size.routes <= after_warm_up);
  }
  CHECK(b.routes() == 4);
}

}  // namespace
}  // namespace lapwing::rib::engine_test
