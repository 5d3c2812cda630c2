#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine_bench.h"

namespace lapwing::rib::engine_test {
namespace {

TEST_CASE("a lost session leaves routes stale; the same table again is no change (promise 2)") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  Batch lost;
  lost.down(10);
  CHECK(b.run(lost) == Lines{"down"});
  CHECK(b.engine.counters().routes == 2);
  Batch back;
  back.up(20).announce(21, kP, {1, 2}).announce(21, kQ, {1, 2}).end_of_rib(22);
  CHECK(b.run(back) == Lines{"up", "synchronized"});
  REQUIRE(b.commits.list.back().blind.size() == 1);
  CHECK(b.commits.list.back().blind[0].range == TimeRange{at(10), at(20)});
}

TEST_CASE("a neighbour that returns with another AS and address under its name is the same one") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  const PeerId id = b.commits.list.back().peers.back().id;
  Batch moved;
  moved.down(10).declare(11, "edge1");
  moved.peer_details.back().as = 4444;
  moved.peer_details.back().address = *parse_address("192.0.2.44");
  moved.up(20).announce(21, kP, {1, 2}).announce(21, kQ, {1, 9}).end_of_rib(22);
  CHECK(b.run(moved) == Lines{"down", "up", "edge1 198.51.100.0/24 1 2 -> 1 9 resync since 10",
                              "end", "synchronized"});
  CHECK(b.routes() == 2);
  const PeerRecord& stored = b.commits.list.back().peers.back();
  CHECK(stored.id == id);
  CHECK(stored.as == 4444);
  CHECK(stored.address == *parse_address("192.0.2.44"));
  CHECK(b.recorder->host_->peer(id).as == 4444);
}

TEST_CASE("what changed in a gap is found as resync, with the time it was last known (promise 3)") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  Batch gap;
  gap.down(10).up(20).announce(21, kP, {1, 9}).announce(22, kP, {1, 8}).end_of_rib(23);
  CHECK(b.run(gap) == Lines{"down", "up", "edge1 192.0.2.0/24 1 2 -> 1 9 resync since 10", "end",
                            "edge1 192.0.2.0/24 1 9 -> 1 8 live", "end",
                            "edge1 198.51.100.0/24 1 2 -> none resync since 10", "end",
                            "synchronized"});
}

TEST_CASE(
    "a neighbour whose local AS changes: routes of one hop are judged anew, others left alone") {
  Bench b;
  b.start();
  b.run(Batch()
            .declare(1, "r")
            .up(2)
            .announce(2, "10.0.2.0/24", {3333, 3333})
            .announce(2, "10.0.1.0/24", {3333, 100})
            .announce(2, "10.0.0.0/24", {3333})
            .announce(2, "10.0.3.0/24", {})
            .end_of_rib(3));
  const Lines lines = b.run(Batch().declare(4, "r", false, 64513));
  CHECK(lines == Lines{"r 10.0.0.0/24 3333 -> none live baseline",
                       "r 10.0.2.0/24 3333 3333 -> none live baseline",
                       "r 10.0.3.0/24  -> none live baseline",
                       "r 10.0.0.0/24 none -> 3333 live baseline to 64513",
                       "r 10.0.2.0/24 none -> 3333 3333 live baseline to 64513",
                       "r 10.0.3.0/24 none ->  live baseline to 64513", "end"});
  CHECK(b.routes() == 4);
  CHECK(b.run(Batch().declare(5, "r", false, 64513)).empty());
  // After a restart with another configuration, too.
  Bench again;
  PeerRecord record;
  record.name = "r";
  record.as = 3333;
  record.local_as = 64512;
  REQUIRE(again.engine.restore_peer(record));
  const auto path = path_of({3333});
  REQUIRE(again.engine.restore_path(7, path));
  REQUIRE(again.engine.restore_route(0, key_of("10.0.0.0/24"), 7));
  again.start();
  CHECK(again.run(Batch().declare(4, "r", false, 64513)) ==
        Lines{"r 10.0.0.0/24 3333 -> none live baseline",
              "r 10.0.0.0/24 none -> 3333 live baseline to 64513", "end"});
}

TEST_CASE("a neighbour that becomes internal, or external: its next table teaches") {
  Bench b;
  b.start();
  b.run(Batch()
            .declare(1, "r")
            .up(2)
            .announce(2, "10.0.1.0/24", {3333, 100})
            .announce(2, "10.0.2.0/24", {3333, 100})
            .announce(2, "10.0.0.0/24", {3333})
            .end_of_rib(3)
            .down(4));
  // A path of one hop would mean something else; the others are kept until the table has come.
  CHECK(b.run(Batch().declare(5, "r", false, 3333)) ==
        Lines{"r 10.0.0.0/24 3333 -> none live baseline removed", "end"});
  CHECK(b.routes() == 2);
  CHECK(b.commits.list.back().record_history);
  CHECK_FALSE(b.commits.list.back().peers.back().families.at(0).baseline_done);
  const Lines table = b.run(
      Batch().declare(6, "r", false, 3333).up(7).announce(7, "10.0.1.0/24", {100}).end_of_rib(8));
  CHECK(table == Lines{"up", "r 10.0.1.0/24 3333 100 -> 100 resync baseline to 3333 since 4", "end",
                       "r 10.0.2.0/24 3333 100 -> none resync baseline to 3333 since 4", "end",
                       "baseline-done"});
  // Where it was not known what it is, nothing speaks against what was shown.
  CHECK(b.run(Batch().declare(9, "r", false, 0)).size() == 3);
  CHECK(b.run(Batch().declare(10, "r", false, 64512)).size() == 3);
  CHECK(b.routes() == 1);
}

TEST_CASE(
    "a neighbour that was up when Lapwing ended is blind from then on, however many starts "
    "follow") {
  PeerRecord record;
  record.name = "r";
  record.as = 3333;
  record.up = true;
  record.last_change = at(100);
  Bench first;
  first.engine.restore_meta(at(500));
  REQUIRE(first.engine.restore_peer(record));
  first.start();
  first.run(Batch().declare(510, "r"));
  const PeerRecord stored = first.commits.list.back().peers.back();
  CHECK_FALSE(stored.up);
  Bench second;
  second.engine.restore_meta(at(510));
  REQUIRE(second.engine.restore_peer(stored));
  second.start();
  REQUIRE(second.engine.peer_summaries().size() == 1);
  CHECK(second.engine.peer_summaries()[0].blind_since == at(500));
  CHECK(second.engine.peer_summaries()[0].blind_reason == "Lapwing was not running");
}

TEST_CASE(
    "why a neighbour was lost is known after a start; what an older version stored has no reason") {
  Bench first;
  first.start();
  Batch batch;
  batch.declare(1, "r").up(2).down(3);
  batch.session_details.back().reason = "hold timer expired";
  first.run(batch);
  PeerRecord stored = first.commits.list.back().peers.back();
  for (const char* const reason : {"hold timer expired", "the session was down"}) {
    Bench next;
    REQUIRE(next.engine.restore_peer(stored));
    next.start();
    CHECK(next.engine.peer_summaries()[0].blind_reason == reason);
    next.run(Batch().declare(9, "r").up(10));
    CHECK(next.commits.list.back().blind[0].reason == reason);
    CHECK(next.commits.list.back().peers.back().blind_reason.empty());
    stored.blind_reason.clear();
  }
}

TEST_CASE("restored routes are stale until announced again; identical ones are no change") {
  Bench b;
  PeerRecord record;
  record.id = 4;
  record.name = "edge1";
  record.up = true;
  record.last_change = at(2);
  record.families = {{kIpv4Unicast, true}};
  const auto set = path_of({1, 2});
  b.engine.restore_meta(at(50));
  CHECK(b.engine.restore_peer(record));
  CHECK_FALSE(b.engine.restore_peer(record));
  CHECK(b.engine.restore_path(9, set));
  b.engine.restore_state("recorder", "a", "b");
  b.engine.restore_state("other", "a", "b");
  const std::vector<Engine::RestoredRoute> routes = {{4, 9, key_of(kP)},
                                                     {4, 9, key_of(kQ)},
                                                     {4, 9, key_of(kQ)},
                                                     {5, 9, key_of(kQ)},
                                                     {4, 99, key_of("10.0.0.0/8")}};
  CHECK(b.engine.restore_routes(routes) == 3);  // twice the same, no such neighbour, no such path
  CHECK_FALSE(b.engine.restore_route(4, key_of(kQ), 8));
  CHECK_FALSE(b.engine.restore_route(5, key_of(kQ), 9));
  b.engine.end_restore();
  CHECK(b.log.take() ==
        Lines{"state a=b", "restore edge1 192.0.2.0/24", "restore edge1 198.51.100.0/24", "start"});
  CHECK(b.recorder->host_->is_stale(4, 0));
  Batch batch;
  batch.declare(60, "edge1")
      .up(60)
      .announce(61, kP, {1, 2})
      .announce(61, kQ, {1, 3})
      .end_of_rib(62);
  CHECK(b.run(batch) == Lines{"standing since 50", "up",
                              "edge1 198.51.100.0/24 1 2 -> 1 3 resync since 50", "end",
                              "synchronized"});
  CHECK(b.commits.list.back().routes.size() == 1);
  CHECK(b.commits.list.back().blind[0].range == TimeRange{at(50), at(60)});
  Batch later;  // it is told once
  later.down(63).up(64);
  CHECK(b.run(later) == Lines{"down", "up"});
}

TEST_CASE("a removed neighbour's routes teach their absence silently") {
  Bench b;
  remove_after_first_table(b);
  CHECK(b.log.take() ==
        Lines{"edge1 192.0.2.0/24 1 -> none live baseline removed", "end", "removed"});
  CHECK(b.commits.list.back().removed_peers == std::vector<PeerId>{0});
  CHECK(b.commits.list.back().routes.empty());
  CHECK(b.engine.peer_names().empty());
  Batch returns;
  returns.declare(10, "edge1");
  b.run(returns);
  CHECK(b.commits.list.back().peers[0].id == 1);
}

TEST_CASE("a session that goes on after its neighbour was removed is that of a new neighbour") {
  Bench b;
  remove_after_first_table(b);
  b.log.take();
  Batch again;  // of the same source, which does not declare its neighbour anew
  again.up(10).announce(11, kP, {1}).end_of_rib(11);
  CHECK(b.run(again) ==
        Lines{"up", "edge1 192.0.2.0/24 none -> 1 live baseline", "end", "baseline-done"});
  CHECK(b.engine.peer_names() == std::vector<std::string>{"edge1"});
  REQUIRE(b.commits.list.back().routes.size() == 1);
  CHECK(b.commits.list.back().routes[0].peer == 1);
}

TEST_CASE("a summary says who is heard, since when not, and how many routes of each family") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).announce(3, kQ, {1}).end_of_rib(3);
  b.run(batch);
  PeerSummary peer = b.engine.peer_summaries().at(0);
  CHECK(peer.up);
  CHECK_FALSE(peer.blind_since);
  CHECK(peer.routes == std::vector<std::pair<Family, std::uint64_t>>{{kIpv4Unicast, 2}});
  Batch down;
  down.update(4, {kP}, {}, {}).down(5);
  b.run(down);
  peer = b.engine.peer_summaries().at(0);
  CHECK_FALSE(peer.up);
  CHECK(peer.blind_since == at(5));
  CHECK(peer.last_change == at(5));
  CHECK(peer.routes[0].second == 1);
}

}  // namespace
}  // namespace lapwing::rib::engine_test
