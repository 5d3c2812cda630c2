// The speaker: neighbours that come, change and go; unknown addresses; ranges; errors.
#include <doctest/doctest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>

#include "session_peer.h"

namespace lapwing::bgp::testing {

TEST_CASE("a connection from an unknown address is closed at once, and the log is not flooded") {
  Bench bench({neighbor_config()});
  for (int i = 0; i < 40; ++i) {
    Peer stranger = bench.connect("127.0.0.77");
    CHECK(stranger.notification() == "closed");
  }
  CHECK(bench.log_count("connection from 127.0.0.77") <= 5);
  CHECK(bench.logged("no neighbor has this address"));
}

TEST_CASE("peer numbers and statuses stand in the order of configuration") {
  Bench bench({neighbor_config("zulu", "127.0.0.4"), neighbor_config("alpha", "127.0.0.5"),
               neighbor_config("mike", "127.0.0.6")});
  REQUIRE(bench.sink().wait_for("declare", 3));
  CHECK(bench.sink().lines() ==
        std::vector<std::string>{"declare zulu 0", "declare alpha 1", "declare mike 2"});
  const auto statuses = bench.speaker().statuses();
  REQUIRE(statuses.size() == 3);
  CHECK(statuses[0].name == "zulu");
  CHECK(statuses[1].name == "alpha");
  CHECK(statuses[2].name == "mike");
  CHECK(statuses[0].state == "Active");
  CHECK(bench.sink().ticks() == 0);
  CHECK(eventually([&] { return bench.sink().ticks() >= 2; }));
}

TEST_CASE("reconfiguration restarts only sessions whose settings changed") {
  NeighborConfig one = neighbor_config("one", "127.0.0.2");
  NeighborConfig two = neighbor_config("two", "127.0.0.3");
  NeighborConfig three = neighbor_config("three", "127.0.0.4");
  Bench bench({one, two, three});
  Peer first = bench.connect("127.0.0.2");
  Peer second = bench.connect("127.0.0.3");
  Peer third = bench.connect("127.0.0.4");
  REQUIRE(first.establish(peer_open("10.0.0.2")));
  REQUIRE(second.establish(peer_open("10.0.0.3")));
  REQUIRE(third.establish(peer_open("10.0.0.4")));
  REQUIRE(bench.sink().wait_for("up", 3));
  one.description = "a new word changes nothing";
  two.hold_time = 30;
  bench.speaker().configure({two, one, neighbor_config("four", "127.0.0.5")});
  CHECK(second.notification() == "6/6");
  CHECK(third.notification() == "6/3");
  CHECK(first.notification(milliseconds(200)) == "silent");
  CHECK(eventually([&] { return bench.speaker().statuses().size() == 3; }));
  CHECK(bench.speaker().statuses()[0].name == "two");
  CHECK(bench.status("one").description == "a new word changes nothing");
  CHECK(bench.sink().wait_for("declare four 3"));
  Peer again = bench.connect("127.0.0.3");
  REQUIRE(again.establish(peer_open("10.0.0.3")));
  CHECK(eventually([&] { return bench.status("two").hold_time == 30; }));
}

TEST_CASE("dynamic neighbours: named by range and address, bounded, numbered when they are up") {
  NeighborConfig range = neighbor_config("lab");
  range.range = parse_prefix("127.0.1.0/24");
  range.dynamic_limit = 2;
  Bench bench({range});
  {
    Peer scan = bench.connect("127.0.1.200");
    REQUIRE(scan.receive());
    CHECK(bench.wait_state("OpenSent", "lab-127.0.1.200"));
  }
  CHECK(eventually([&] { return bench.speaker().statuses().empty(); }));
  Peer first = bench.connect("127.0.1.1");
  REQUIRE(first.establish(peer_open("10.0.0.2")));
  REQUIRE(bench.sink().wait_for("up lab-127.0.1.1"));
  CHECK(bench.sink().lines().front() == "declare lab-127.0.1.1 0");
  {
    Peer second = bench.connect("127.0.1.2");
    REQUIRE(second.establish(peer_open("10.0.0.3")));
    REQUIRE(bench.sink().wait_for("up lab-127.0.1.2"));
    Peer third = bench.connect("127.0.1.3");
    CHECK(third.notification() == "closed");
    CHECK(bench.logged("its range has no room"));
  }
  // One that is down stays in sight until another needs its place.
  REQUIRE(bench.sink().wait_for("down lab-127.0.1.2"));
  CHECK(bench.status("lab-127.0.1.2").established == 1);
  Peer third = bench.connect("127.0.1.3");
  REQUIRE(third.establish(peer_open("10.0.0.4")));
  REQUIRE(bench.sink().wait_for("declare lab-127.0.1.3 2"));
  CHECK(bench.status("lab-127.0.1.2").name.empty());
  bench.speaker().disable("lab-127.0.1.1", "bye");
  CHECK(first.notification() == "6/2");
  bench.speaker().remove("lab");
  CHECK(third.notification() == "6/3");
}

TEST_CASE("a wrong AS is told 2/2 and is the reason to be read") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  Open open = peer_open();
  open.as = 65009;
  open.capabilities.four_octet_as = 65009;
  peer.send(open_message(open));
  CHECK(peer.notification() == "2/2");
  CHECK(eventually([&] { return bench.status().last_error.find("Bad Peer AS") !=
                                std::string::npos; }));
}

TEST_CASE("stop says Cease/2 to everyone and calls back when all is said") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.wait_state("Established"));
  std::atomic<bool> done = false;
  bench.speaker().stop("collector upgrade", [&] { done = true; });
  CHECK(peer.notification() == "6/2");
  CHECK(std::string(peer.data.begin() + 1, peer.data.end()) == "collector upgrade");
  CHECK(peer.notification() == "closed");
  CHECK(eventually([&] { return done.load(); }));
  CHECK(bench.sink().count("down edge1") == 1);
}

TEST_CASE("a listener that cannot bind says where and why") {
  Bench bench({neighbor_config()});
  boost::asio::io_context io;
  TestSink sink;
  SpeakerConfig config;
  config.local_as = kLocalAs;
  config.listen = {{*parse_address("127.0.0.1"), bench.port(), {}},
                   {*parse_address("203.0.113.7"), 0, {}},
                   {*parse_address("127.0.0.1"), 0, {}}};
  Speaker speaker(io, config, sink, {});
  const auto errors = speaker.listen();
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == "listen on 127.0.0.1:" + std::to_string(bench.port()) +
                         ": Address already in use");
  CHECK(errors[1] == "listen on 203.0.113.7:0: Cannot assign requested address");
  CHECK(speaker.endpoints().size() == 1);
}

TEST_CASE("a speaker can be destroyed at any moment, sessions and all") {
  for (int i = 0; i < 5; ++i) {
    Bench bench({neighbor_config()});
    Peer peer = bench.connect();
    if (i > 0) peer.send(open_message(peer_open()));
    if (i > 1) peer.send_keepalive();
    if (i > 2) bench.sink().set_full(true);
    if (i > 3) bench.speaker().disable("edge1", "late");
    std::this_thread::sleep_for(milliseconds(i));
  }
}

}  // namespace lapwing::bgp::testing
