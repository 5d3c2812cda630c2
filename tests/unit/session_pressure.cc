// What happens when the sink has no room, and when a neighbour is slow, stuck or hostile.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "session_peer.h"

namespace lapwing::bgp::testing {

TEST_CASE("a full sink stops reading, the hold timer is set anew, and nothing is lost") {
  NeighborConfig config = neighbor_config();
  config.hold_time = 3;
  SpeakerOptions options = quick_options();
  options.pause_rearm = milliseconds(300);
  Bench bench({config}, options);
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up"));
  bench.sink().set_full(true);
  // More than socket buffers hold: sending must come to a stop.
  constexpr unsigned kCount = 400'000;
  std::thread sender([&] {
    for (unsigned i = 0; i < kCount; i += 1000) {
      Bytes many;
      for (unsigned k = i; k < i + 1000; ++k) {
        const Bytes one = update_message(k);
        many.insert(many.end(), one.begin(), one.end());
      }
      if (!peer.send(many)) return;
    }
  });
  CHECK(eventually([&] { return bench.logged("set anew, 2 times"); }, milliseconds(8000)));
  CHECK(bench.sink().announced() == 0);
  CHECK(bench.wait_state("Established"));
  bench.sink().set_full(false);
  CHECK(bench.sink().wait_announced(kCount, milliseconds(20000)));
  sender.join();
  CHECK(bench.sink().announced() == kCount);
  CHECK(bench.sink().count("down") == 0);
}

TEST_CASE("a removal while the sink is full still delivers the end of the session") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up"));
  bench.sink().set_full(true);
  peer.send(update_message(1));
  std::this_thread::sleep_for(milliseconds(50));
  bench.speaker().remove("edge1");
  CHECK(peer.notification() == "6/3");
  CHECK(bench.sink().count("update") == 0);
  bench.sink().set_full(false);
  CHECK(bench.sink().wait_for("update edge1"));
  CHECK(bench.sink().wait_for("down edge1"));
}

TEST_CASE("octets that never make a message do not keep a session alive") {
  NeighborConfig config = neighbor_config();
  config.hold_time = 3;
  Bench bench({config});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up"));
  const auto begin = std::chrono::steady_clock::now();
  const Bytes update = update_message(1);
  for (std::size_t i = 0; i + 1 < update.size() && bench.sink().count("down") == 0; ++i) {
    peer.send({update[i]});
    std::this_thread::sleep_for(milliseconds(200));
  }
  CHECK(bench.sink().count("down edge1 sent NOTIFICATION Hold Timer Expired") == 1);
  CHECK(std::chrono::steady_clock::now() - begin < milliseconds(6000));
}

TEST_CASE("RFC 9687: a neighbour that takes nothing is given up with 8/0 after twice the hold time") {
  NeighborConfig config = neighbor_config();
  config.hold_time = 3;
  SpeakerOptions options = quick_options();
  options.send_hold = milliseconds(1000);
  Bench bench({config}, options);
  Peer peer = Peer::connect(bench.port(), "127.0.0.2", 2048);
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up"));
  // Requests fill its window; it speaks, but never reads.
  for (int i = 0; i < 400; ++i) bench.speaker().refresh("edge1");
  const auto begin = std::chrono::steady_clock::now();
  while (bench.sink().count("down") == 0 &&
         std::chrono::steady_clock::now() - begin < milliseconds(10000)) {
    peer.send_keepalive();
    std::this_thread::sleep_for(milliseconds(300));
  }
  CHECK(bench.sink().count("down edge1 sent NOTIFICATION Send Hold Timer Expired") == 1);
  CHECK(std::chrono::steady_clock::now() - begin > milliseconds(4500));
}

TEST_CASE("connections that say nothing are bounded for each neighbour and over all") {
  SpeakerOptions options = quick_options();
  options.pending_total = 3;
  Bench bench({neighbor_config("edge1", "127.0.0.2"), neighbor_config("edge2", "127.0.0.3")},
              options);
  Peer one = bench.connect();
  Peer two = bench.connect();
  REQUIRE(one.receive());
  REQUIRE(two.receive());
  Peer three = bench.connect();
  CHECK(three.notification() == "closed");
  Peer other = bench.connect("127.0.0.3");
  REQUIRE(other.receive());
  Peer over = bench.connect("127.0.0.3");
  CHECK(over.notification() == "closed");
  CHECK(bench.logged("edge2: connection refused: too many connections are pending over all"));
  // One that speaks gets through all the same.
  two.send(open_message(peer_open()));
  two.send_keepalive();
  CHECK(bench.sink().wait_for("up edge1"));
}

TEST_CASE("a neighbour with a full table leaves its fellow's keepalive time alone") {
  NeighborConfig slow = neighbor_config("edge2", "127.0.0.3");
  slow.hold_time = 3;
  Bench bench({neighbor_config(), slow});
  Peer fellow = bench.connect("127.0.0.3");
  REQUIRE(fellow.establish(peer_open("10.0.0.3")));
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up", 2));
  std::thread sender([&] {
    Bytes many;
    for (unsigned k = 0; k < 2000; ++k) {
      const Bytes one = update_message(k);
      many.insert(many.end(), one.begin(), one.end());
    }
    for (int i = 0; i < 100 && peer.send(many); ++i) {
    }
  });
  auto last = std::chrono::steady_clock::now();
  const auto end = last + milliseconds(2500);
  std::chrono::steady_clock::duration longest{};
  while (std::chrono::steady_clock::now() < end) {
    const auto message = fellow.receive(milliseconds(3000));
    REQUIRE(message);
    if (message->type != MessageType::kKeepalive) continue;
    const auto now = std::chrono::steady_clock::now();
    longest = std::max(longest, now - last);
    last = now;
    fellow.send_keepalive();
  }
  sender.join();
  CHECK(longest < milliseconds(1500));
}

TEST_CASE("a flood of connections from unknown addresses is closed, counted, and disturbs nobody") {
  NeighborConfig config = neighbor_config();
  config.hold_time = 3;
  Bench bench({config});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up"));
  std::thread flood([&] {
    for (int i = 0; i < 2000; ++i)
      Peer::knock(bench.port(), "127.9." + std::to_string(i / 250) + "." +
                                    std::to_string(1 + i % 250));
  });
  for (int i = 0; i < 8; ++i) {  // longer than the hold time of both sides
    peer.send(update_message(static_cast<unsigned>(i)));
    peer.send_keepalive();
    std::this_thread::sleep_for(milliseconds(500));
  }
  flood.join();
  CHECK(bench.sink().wait_announced(8));
  CHECK(bench.sink().count("down") == 0);
  CHECK(bench.logged("no neighbor has this address"));
  CHECK(bench.log_count("no neighbor has this address") < 40);
}

TEST_CASE("ten neighbours with hold time 9 send a table at once: all of it arrives, no session is lost") {
  constexpr int kNeighbors = 10;
  constexpr unsigned kRoutes = 60'000;
  std::vector<NeighborConfig> configs;
  for (int n = 0; n < kNeighbors; ++n) {
    configs.push_back(neighbor_config("edge" + std::to_string(n), "127.0.4." + std::to_string(n + 1)));
    configs.back().hold_time = 9;
  }
  Bench bench(configs);
  std::vector<Peer> peers;
  for (int n = 0; n < kNeighbors; ++n) {
    peers.push_back(bench.connect("127.0.4." + std::to_string(n + 1)));
    REQUIRE(peers.back().establish(peer_open("10.0.1." + std::to_string(n + 1), 9)));
  }
  REQUIRE(bench.sink().wait_for("up", kNeighbors));
  std::vector<std::thread> senders;
  for (Peer& peer : peers)
    senders.emplace_back([&peer] {
      for (unsigned k = 0; k < kRoutes; k += 500) {
        Bytes many;
        for (unsigned i = k; i < k + 500; ++i) {
          const Bytes one = update_message(i);
          many.insert(many.end(), one.begin(), one.end());
        }
        if (!peer.send(many)) return;
      }
    });
  for (std::thread& sender : senders) sender.join();
  CHECK(bench.sink().wait_announced(std::uint64_t{kNeighbors} * kRoutes, milliseconds(60000)));
  CHECK(bench.sink().count("down") == 0);
  // Each was told in time that we are there, while the others were read.
  for (Peer& peer : peers) CHECK(peer.notification(milliseconds(100)) == "silent");
}

}  // namespace lapwing::bgp::testing
