#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "tests/unit/engine_bench.h"

namespace lapwing::rib::engine_test {
namespace {

TEST_CASE("the first table is baseline, later changes are live, repetition is no change") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).end_of_rib(4);
  CHECK(b.run(first) ==
        Lines{"up", "edge1 192.0.2.0/24 none -> 1 2 live baseline", "end", "baseline-done"});
  CHECK(b.commits.list.size() == 1);
  CHECK_FALSE(b.commits.list[0].record_history);
  Batch second;
  second.announce(5, kP, {1, 2}).announce(6, kP, {1, 3}).update(7, {kP, kQ}, {}, {});
  CHECK(b.run(second) == Lines{"edge1 192.0.2.0/24 1 2 -> 1 3 live", "end",
                               "edge1 192.0.2.0/24 1 3 -> none live", "end"});
  CHECK(b.commits.list[1].record_history);
  CHECK(b.engine.counters().duplicates == 1);
  CHECK(b.engine.counters().routes == 0);
}

/// A neighbour with two paths for each of two prefixes that lost its session.
struct TwoPaths : Bench {
  TwoPaths() {
    start();
    Batch first;
    first.declare(1, "e").up(2);
    for (const std::string& prefix : {kP, kQ})
      first.announce(3, prefix + "#1", {1, 2}).announce(3, prefix + "#2", {3, 4});
    run(first.end_of_rib(4).down(10));
  }
};

TEST_CASE("path identifiers that a new session gives anew: the same paths teach, and are no change") {
  TwoPaths b;
  Batch back;
  back.up(20).announce(21, kP + "#2", {1, 2}).announce(21, kP + "#1", {3, 4});
  back.announce(21, kQ + "#7", {3, 4}).announce(21, kQ + "#1", {1, 2}).end_of_rib(22);
  CHECK(b.run(back) == Lines{"up", "e 192.0.2.0/24#2 3 4 -> 1 2 resync baseline",
                             "e 192.0.2.0/24#1 1 2 -> 3 4 resync baseline", "end",
                             "e 198.51.100.0/24#7 none -> 3 4 resync baseline",
                             "e 198.51.100.0/24#2 3 4 -> none resync baseline", "end",
                             "synchronized"});
  CHECK(b.engine.counters().routes == 4);
  CHECK(b.engine.counters().prefixes == 4);
  CHECK(b.engine.counters().paths == 2);
  // Each stands under its new number, and counts as one reference does.
  Batch gone;
  gone.update(30, {kP + "#1", kP + "#2", kQ + "#1", kQ + "#2", kQ + "#7"}, {}, {});
  CHECK(b.run(gone) == Lines{"e 192.0.2.0/24#1 3 4 -> none live", "e 192.0.2.0/24#2 1 2 -> none live",
                             "e 198.51.100.0/24#1 1 2 -> none live",
                             "e 198.51.100.0/24#7 3 4 -> none live", "end"});
  CHECK(b.engine.counters().routes == 0);
  CHECK(b.engine.counters().prefixes == 0);
}

TEST_CASE("path identifiers given anew, and a path that went, came or changed: that is told") {
  TwoPaths b;
  Batch back;
  back.up(20).announce(21, kP + "#7", {3, 4}).announce(21, kQ + "#2", {1, 2});
  back.announce(21, kQ + "#1", {5, 6}).end_of_rib(22);
  CHECK(b.run(back) == Lines{"up", "e 192.0.2.0/24#7 none -> 3 4 resync baseline",
                             "e 192.0.2.0/24#2 3 4 -> none resync baseline", "end",
                             "e 198.51.100.0/24#2 3 4 -> 1 2 resync baseline",
                             "e 198.51.100.0/24#1 1 2 -> 3 4 resync baseline", "end",
                             "e 198.51.100.0/24#1 3 4 -> 5 6 resync since 10", "end",
                             "e 192.0.2.0/24#1 1 2 -> none resync since 10", "end",
                             "synchronized"});
  CHECK(b.engine.counters().routes == 3);
  // What was announced in this session is not looked at again, neither now nor while it is compared.
  Batch again;
  again.down(40).up(41).announce(42, kQ + "#1", {1, 2}).announce(42, kQ + "#2", {1, 2});
  again.announce(42, kP + "#7", {3, 4}).end_of_rib(43);
  Batch live;
  live.announce(30, kP + "#7", {1, 2}).announce(31, kP + "#7", {3, 4});
  CHECK(b.run(live) == Lines{"e 192.0.2.0/24#7 3 4 -> 1 2 live", "end",
                             "e 192.0.2.0/24#7 1 2 -> 3 4 live", "end"});
  CHECK(b.run(again) == Lines{"down", "up", "e 198.51.100.0/24#1 5 6 -> 1 2 resync baseline",
                              "e 198.51.100.0/24#2 1 2 -> 5 6 resync baseline", "end",
                              "e 198.51.100.0/24#2 5 6 -> 1 2 resync since 40", "end",
                              "synchronized"});
}

TEST_CASE("path identifiers given anew: the route counts as announced, and the next is one too many") {
  Bench b;
  b.start();
  Batch first;
  first.declare_limited(1, 2, true).up(2);
  first.announce(3, kP + "#1", {1, 2}).announce(3, kP + "#2", {3, 4}).end_of_rib(4).down(10);
  b.run(first);
  Batch back;
  back.up(20).announce(21, kP + "#2", {1, 2}).announce(21, kP + "#1", {3, 4});
  back.announce(21, kP + "#3", {5, 6});
  b.run(back);
  CHECK(b.engine.counters().routes == 2);
}

TEST_CASE("a session without path identifiers after one with: what it hides is not gone") {
  TwoPaths b;
  Batch without;
  without.up(20).announce(21, kP, {1, 2}).end_of_rib(22);
  CHECK(b.run(without) == Lines{"up", "e 192.0.2.0/24 none -> 1 2 resync baseline",
                                "e 192.0.2.0/24#1 1 2 -> none resync baseline", "end",
                                "e 192.0.2.0/24#2 3 4 -> none resync baseline since 10",
                                "e 198.51.100.0/24#1 1 2 -> none resync baseline since 10",
                                "e 198.51.100.0/24#2 3 4 -> none resync baseline since 10", "end",
                                "synchronized"});
}

TEST_CASE("a session with path identifiers after one without: what was hidden teaches, a prefix does not") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "e").up(2).announce(3, kP, {1, 2}).end_of_rib(4).down(10);
  b.run(first);
  Batch with;
  with.up(20).announce(21, kP + "#1", {3, 4}).announce(21, kP + "#2", {1, 2});
  with.announce(21, kQ + "#1", {5, 6}).end_of_rib(22).down(30);
  CHECK(b.run(with) == Lines{"up", "e 192.0.2.0/24#1 none -> 3 4 resync baseline since 10", "end",
                             "e 192.0.2.0/24#2 none -> 1 2 resync baseline",
                             "e 192.0.2.0/24 1 2 -> none resync baseline", "end",
                             "e 198.51.100.0/24#1 none -> 5 6 resync since 10", "end",
                             "synchronized", "down"});
  Batch without;
  without.up(40).announce(41, kP, {3, 4}).announce(41, kQ, {7, 8}).end_of_rib(42);
  CHECK(b.run(without) == Lines{"up", "e 192.0.2.0/24 none -> 3 4 resync baseline",
                                "e 192.0.2.0/24#1 3 4 -> none resync baseline", "end",
                                "e 198.51.100.0/24 none -> 7 8 resync baseline since 30", "end",
                                "e 192.0.2.0/24#2 1 2 -> none resync baseline since 30",
                                "e 198.51.100.0/24#1 5 6 -> none resync baseline since 30", "end",
                                "synchronized"});
  CHECK(b.engine.counters().routes == 2);
}

TEST_CASE("a prefix counts once, with path identifiers, without and both; of several neighbours, too") {
  Bench b;
  b.start();
  CHECK(b.engine.distinct_prefixes() == 0);
  Batch batch;
  batch.declare(1, "e").up(2).announce(3, kP + "#1", {1}).announce(3, kP + "#2", {2});
  batch.announce(3, kP, {3}).announce(3, kQ + "#1", {1}).announce(3, kQ + "#2", {1});
  batch.announce(3, "10.0.0.0/8", {1}).announce(3, "2001:db8::1/128", {1});
  b.run(batch);
  CHECK(b.engine.counters().prefixes == 7);
  CHECK(b.engine.distinct_prefixes() == 4);
  Batch gone;  // it stays known until the commit is durable
  gone.update(4, {kP, kQ + "#1", "10.0.0.0/8"}, {}, {});
  b.run(gone);
  CHECK(b.engine.distinct_prefixes() == 3);
}

TEST_CASE(
    "ids of withdrawn prefixes are given back as far as new ones are wanted, the rest when calm") {
  constexpr int kMany = 200'000, kWanted = 65'536;
  Bench b;
  b.start();
  b.commits.durable = 1000;
  b.run(Batch().declare(1, "edge1").up(2).announce_many(3, 0, kMany, {1, 2}).end_of_rib(4));
  const std::uint64_t octets = b.engine.footprint().prefixes;
  b.run(Batch().withdraw_many(5, 0, kMany));
  CHECK(b.engine.counters().prefixes == 0);
  b.run(Batch());
  CHECK(b.log.released == kWanted);
  b.run(Batch().announce_many(6, kMany, kMany + 60'000, {1, 2}));
  CHECK(b.engine.counters().prefixes == 60'000);
  b.run(Batch());
  CHECK(b.log.released == 2 * kWanted);
  CHECK(b.engine.footprint().prefixes == octets);
  const auto tick = [&b](std::int64_t t) {
    Batch batch;
    batch.add_tick(at(t));
    b.run(batch);
  };
  tick(7);  // much has changed since the last
  CHECK(b.log.released == 2 * kWanted);
  b.run(Batch().announce_many(8, 150'000, kMany, {1, 3}));  // they come back
  tick(9);
  CHECK(b.log.released == 2 * kWanted);
  tick(10);
  CHECK(b.log.released == 150'000);
  CHECK(b.engine.counters().prefixes == 110'000);
}

TEST_CASE("a neighbour joined midway teaches at first sight of a prefix and alarms after it") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "x", true).up(1).announce(2, kP, {1, 2}).announce(3, kP, {1, 3});
  CHECK(b.run(batch) == Lines{"up", "x 192.0.2.0/24 none -> 1 2 live baseline", "end",
                              "x 192.0.2.0/24 1 2 -> 1 3 live", "end"});
}

TEST_CASE("joined midway: what is seen to go is known to have no route; what nobody saw is not") {
  Bench b;
  b.start();
  // First seen to be withdrawn: which route it had is not known, so the next one teaches.
  Batch unknown;
  unknown.declare(1, "x", true).up(1).update(2, {kP}, {}, {}).announce(3, kP, {1, 2});
  CHECK(b.run(unknown) == Lines{"up", "x 192.0.2.0/24 none -> 1 2 live baseline", "end"});
  // Seen, then withdrawn, once or twice: what comes back is a change.
  Batch known;
  known.update(4, {kP}, {}, {}).update(5, {kP}, {}, {}).announce(6, kP, {1, 3});
  known.update(7, {kP}, {}, {}).announce(8, kP, {1, 3}).announce(9, kQ, {1, 3});
  CHECK(b.run(known) ==
        Lines{"x 192.0.2.0/24 1 2 -> none live", "end", "x 192.0.2.0/24 none -> 1 3 live", "end",
              "x 192.0.2.0/24 1 3 -> none live", "end", "x 192.0.2.0/24 none -> 1 3 live", "end",
              "x 198.51.100.0/24 none -> 1 3 live baseline", "end"});
  // A session that is seen to begin brings a first table, and all of it teaches.
  Batch session;
  session.update(10, {kP}, {}, {}).down(11).up(12).announce(13, kP, {1, 4});
  CHECK(b.run(session) == Lines{"x 192.0.2.0/24 1 3 -> none live", "end", "down", "up",
                                "x 192.0.2.0/24 none -> 1 4 resync baseline since 11", "end"});
}

TEST_CASE("RFC 7313: what a refresh does not repeat is swept at EoRR, nothing else changes") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  Batch refresh;
  refresh.mark(10, bgp::RecordKind::kRefreshBegin)
      .announce(11, kP, {1, 2})
      .end_of_rib(12)
      .mark(13, bgp::RecordKind::kRefreshEnd);
  CHECK(b.run(refresh) ==
        Lines{"edge1 198.51.100.0/24 1 2 -> none resync since 10", "end", "synchronized"});
  Batch lonely;
  lonely.mark(14, bgp::RecordKind::kRefreshEnd);
  CHECK(b.run(lonely) == Lines{});
}

}  // namespace
}  // namespace lapwing::rib::engine_test
