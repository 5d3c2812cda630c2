// Connecting, back-off and collisions (RFC 4271 6.8, RFC 6286, RFC 4724 5).
#include <doctest/doctest.h>

#include "session_peer.h"

namespace lapwing::bgp::testing {

namespace {

NeighborConfig active_config(std::uint16_t port) {
  NeighborConfig config = neighbor_config();
  config.passive = false;
  config.port = port;
  return config;
}

}  // namespace

TEST_CASE("RFC 4271 8.2.2: it connects, from the local address, and tries again") {
  PeerListener listener;
  NeighborConfig config = active_config(listener.port());
  config.local_address = parse_address("127.0.0.9");
  Bench bench({config});
  {
    auto first = listener.accept();
    REQUIRE(first);
  }  // closed without a word
  auto second = listener.accept();
  REQUIRE(second);
  CHECK(second->establish(peer_open()));
  CHECK(bench.wait_state("Established"));
}

TEST_CASE("RFC 4271 8.2.1: the back-off grows and is bounded") {
  std::uint16_t dead = 0;
  { dead = PeerListener().port(); }
  Bench bench({active_config(dead)});
  std::this_thread::sleep_for(milliseconds(1000));
  const std::size_t tries = bench.log_count("connect: Connection refused");
  // 50, 100, 200, 200 … ms with jitter: 5 to 9 in a second; without back-off it were 20 and more.
  CHECK(tries >= 3);
  CHECK(tries <= 10);
  CHECK(bench.status().last_error == "connect: Connection refused");
}

TEST_CASE("RFC 4271 6.8: the connection of the higher identifier survives a collision") {
  for (const bool peer_is_higher : {true, false}) {
    INFO("peer is higher: ", peer_is_higher);
    PeerListener listener;
    Bench bench({active_config(listener.port())});
    auto theirs = listener.accept();  // what the speaker began
    REQUIRE(theirs);
    Peer ours = bench.connect();      // what the peer began
    const Open open = peer_open(peer_is_higher ? "10.0.0.2" : "10.0.0.0");
    // Both get an OPEN; the first one to be answered reaches OpenConfirm.
    REQUIRE(theirs->receive());
    REQUIRE(ours.receive());
    theirs->send(open_message(open));
    const auto keepalive = theirs->receive();
    REQUIRE(keepalive);
    CHECK(keepalive->type == MessageType::kKeepalive);
    ours.send(open_message(open));
    Peer& loser = peer_is_higher ? *theirs : ours;
    Peer& winner = peer_is_higher ? ours : *theirs;
    CHECK(loser.notification() == "6/7");
    winner.send_keepalive();
    CHECK(bench.sink().wait_for("up edge1"));
    CHECK(winner.notification(milliseconds(200)) == "silent");
    CHECK(bench.sink().count("down") == 0);
  }
}

TEST_CASE("RFC 6286 2.3: with equal identifiers the connection of the higher AS survives") {
  PeerListener listener;
  Bench bench({active_config(listener.port())});
  auto theirs = listener.accept();
  REQUIRE(theirs);
  Peer ours = bench.connect();
  const Open open = peer_open("10.0.0.1");  // as ours; the peer's AS is the higher one
  REQUIRE(theirs->receive());
  REQUIRE(ours.receive());
  theirs->send(open_message(open));
  REQUIRE(theirs->receive());
  ours.send(open_message(open));
  CHECK(theirs->notification() == "6/7");
  ours.send_keepalive();
  CHECK(bench.sink().wait_for("up edge1"));
}

TEST_CASE("RFC 4271 6.8: a second connection does not end an established session") {
  Bench bench({neighbor_config()});
  Peer first = bench.connect();
  REQUIRE(first.establish(peer_open()));
  REQUIRE(bench.wait_state("Established"));
  Peer second = bench.connect();
  second.send(open_message(peer_open()));
  CHECK(second.notification() == "6/7");
  CHECK(first.notification(milliseconds(100)) == "silent");
  CHECK(bench.sink().count("down") == 0);
}

TEST_CASE("RFC 4724 5: a neighbour that restarts gracefully replaces its old connection in silence") {
  Bench bench({neighbor_config()});
  Open open = peer_open();
  open.capabilities.graceful_restart = GracefulRestart{};
  open.capabilities.graceful_restart->time = 120;
  open.capabilities.graceful_restart->families = {{kIpv4Unicast, true}};
  Peer first = bench.connect();
  REQUIRE(first.establish(open));
  REQUIRE(bench.wait_state("Established"));
  Peer second = bench.connect();
  CHECK(first.notification(milliseconds(100)) == "silent");  // not before its OPEN
  REQUIRE(second.establish(open));
  CHECK(first.notification() == "closed");
  REQUIRE(bench.sink().wait_for("down edge1 the neighbor restarted"));
  CHECK(bench.sink().wait_for("up edge1", 2));
  CHECK(second.notification(milliseconds(100)) == "silent");
}

TEST_CASE("an operator's clear connects again at once") {
  PeerListener listener;
  Bench bench({active_config(listener.port())});
  auto first = listener.accept();
  REQUIRE(first);
  REQUIRE(first->establish(peer_open()));
  REQUIRE(bench.wait_state("Established"));
  bench.speaker().clear("edge1");
  CHECK(first->notification() == "6/4");
  auto second = listener.accept();
  REQUIRE(second);
  CHECK(second->establish(peer_open()));
}

}  // namespace lapwing::bgp::testing
