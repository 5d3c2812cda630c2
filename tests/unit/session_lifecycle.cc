// The life of a session over a loopback socket: OPEN, timers, NOTIFICATIONs, commands.
#include <doctest/doctest.h>

#include <chrono>

#include "bgp/notification.h"
#include "bgp/wire.h"
#include "session_peer.h"

namespace lapwing::bgp::testing {

TEST_CASE("RFC 4271 4.2: OPEN carries what is configured and the session comes up") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  REQUIRE(peer.send(open_message(peer_open())));
  const auto first = peer.receive();
  REQUIRE(first);
  REQUIRE(first->type == MessageType::kOpen);
  Open ours;
  REQUIRE(!decode_open(first->body, ours));
  CHECK(ours.as == kLocalAs);
  CHECK(ours.hold_time == 90);
  CHECK(format_address(ours.router_id) == "10.0.0.1");
  CHECK(ours.capabilities.families == std::vector<Family>{kIpv4Unicast, kIpv6Unicast});
  CHECK(ours.capabilities.four_octet_as == kLocalAs);
  CHECK(ours.capabilities.route_refresh);
  CHECK(ours.capabilities.enhanced_route_refresh);
  CHECK(ours.capabilities.extended_message);
  CHECK(!ours.capabilities.extended_next_hop.empty());
  CHECK(ours.capabilities.add_path.empty());
  CHECK(!ours.capabilities.role);
  CHECK(ours.capabilities.long_lived.empty());
  REQUIRE(ours.capabilities.graceful_restart);
  CHECK(!ours.capabilities.graceful_restart->restarting);
  for (const auto& family : ours.capabilities.graceful_restart->families)
    CHECK(!family.forwarding);

  CHECK(bench.sink().count("up") == 0);
  const auto second = peer.receive();
  REQUIRE(second);
  CHECK(second->type == MessageType::kKeepalive);
  peer.send_keepalive();
  REQUIRE(bench.sink().wait_for("up edge1 ipv4-unicast ipv6-unicast"));
  CHECK(bench.sink().lines().front() == "declare edge1 0");
  // We have no routes and say so: one End-of-RIB for each family.
  for (int i = 0; i < 2; ++i) {
    const auto message = peer.receive();
    REQUIRE(message);
    CHECK(message->type == MessageType::kUpdate);
    CHECK(message->body.size() == (i == 0 ? 4u : 10u));
  }
  CHECK(bench.wait_state("Established"));
  const PeerStatus status = bench.status();
  CHECK(status.router_id == "10.0.0.2");
  CHECK(status.hold_time == 90);
  CHECK(status.established == 1);
  CHECK(!status.capabilities.empty());
  REQUIRE(peer.send(update_message(1)));
  CHECK(bench.sink().wait_for("update edge1 +1 -0"));
}

TEST_CASE("RFC 4724 4: after a restart the R bit is set for the first session only") {
  SpeakerOptions options = quick_options();
  options.restarted = true;
  Bench bench({neighbor_config()}, options);
  for (const bool restarting : {true, false}) {
    Peer peer = bench.connect();
    peer.send(open_message(peer_open()));
    const auto open = peer.receive();
    REQUIRE(open);
    Open ours;
    REQUIRE(!decode_open(open->body, ours));
    REQUIRE(ours.capabilities.graceful_restart);
    CHECK(ours.capabilities.graceful_restart->restarting == restarting);
    peer.receive();
    peer.send_keepalive();
    REQUIRE(bench.sink().wait_for("up edge1", restarting ? 1 : 2));
  }
}

TEST_CASE("RFC 4271 6: messages in segments of one octet are messages all the same") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  peer.send_slowly(open_message(peer_open()));
  peer.send_slowly(keepalive_message());
  for (unsigned i = 0; i < 3; ++i) peer.send_slowly(update_message(i));
  CHECK(bench.sink().wait_for("update edge1 +1 -0", 3));
}

TEST_CASE("RFC 4271 4.4 and 6.5: keepalives at a third of the hold time; a silent peer is told 4/0") {
  NeighborConfig config = neighbor_config();
  config.hold_time = 3;
  Bench bench({config});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up"));
  CHECK(bench.status().hold_time == 3);
  const auto begin = std::chrono::steady_clock::now();
  unsigned keepalives = 0;
  std::optional<Message> message = peer.receive();
  for (; message && message->type != MessageType::kNotification; message = peer.receive())
    if (message->type == MessageType::kKeepalive) ++keepalives;
  const auto took = std::chrono::steady_clock::now() - begin;
  REQUIRE(message);
  CHECK(message->body == Bytes{4, 0});
  CHECK(took > milliseconds(2700));
  CHECK(took < milliseconds(4500));
  CHECK(keepalives >= 2);
  CHECK(keepalives <= 4);
  CHECK(bench.sink().wait_for("down edge1 sent NOTIFICATION Hold Timer Expired"));
}

TEST_CASE("RFC 4271 4.2: hold time 0 means no keepalives and no expiry") {
  NeighborConfig config = neighbor_config();
  config.hold_time = 3;
  Bench bench({config});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open("10.0.0.2", 0)));
  REQUIRE(bench.sink().wait_for("up"));
  unsigned keepalives = 0;
  while (const auto message = peer.receive(milliseconds(1300)))
    if (message->type == MessageType::kKeepalive) ++keepalives;
  CHECK(keepalives == 0);
  CHECK(!peer.closed());
  CHECK(bench.status().hold_time == 0);
}

TEST_CASE("RFC 4271 8.2.2: a peer that never sends OPEN is told 4/0") {
  SpeakerOptions options = quick_options();
  options.open_hold = milliseconds(200);
  Bench bench({neighbor_config()}, options);
  Peer peer = bench.connect();
  CHECK(peer.notification() == "4/0");
  CHECK(peer.notification() == "closed");
}

TEST_CASE("RFC 6608 3: an unexpected message is answered with its subcode and its type") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  peer.send_keepalive();
  CHECK(peer.notification() == "5/1");
  CHECK(peer.data == Bytes{4});
  // What follows such an error is refused while the back-off runs.
  REQUIRE(eventually([&] {
    Peer second = bench.connect();
    second.send(open_message(peer_open()));
    const auto open = second.receive();
    if (!open || open->type != MessageType::kOpen) return false;
    second.send(open_message(peer_open()));
    return second.notification() == "5/2" && second.data == Bytes{1};
  }));
}

TEST_CASE("RFC 4271 6.4: a NOTIFICATION is not answered, and its name is the reason") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up"));
  Bytes data;
  encode_shutdown_communication("maintenance at 02:00", data);
  peer.send(notification_message(6, 2, data));
  CHECK(peer.notification() == "closed");
  REQUIRE(bench.sink().wait_for("down edge1 received NOTIFICATION Cease"));
  CHECK(bench.sink().lines().back().find("maintenance at 02:00") != std::string::npos);
  CHECK(eventually([&] {
    return bench.status().last_error.find("maintenance at 02:00") != std::string::npos;
  }));
}

TEST_CASE("RFC 4271 6.2: NOTIFICATION data says which version and which length") {
  Bench bench({neighbor_config()});
  {
    Peer peer = bench.connect();
    Bytes open = open_message(peer_open());
    open[kHeaderSize] = 3;
    peer.send(open);
    CHECK(peer.notification() == "2/1");
    CHECK(peer.data == Bytes{0, 4});
  }
  REQUIRE(eventually([&] {
    Peer peer = bench.connect();
    Bytes keepalive = keepalive_message();
    keepalive[17] = 5;
    peer.send(keepalive);
    return peer.notification() == "1/2" && peer.data == Bytes{0, 5};
  }));
}

TEST_CASE("RFC 9003: disable says Cease/2 with the operator's text; enable lets in again") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.wait_state("Established"));
  CHECK(!bench.speaker().disable("nobody"));
  REQUIRE(bench.speaker().disable("edge1", "ticket 4711"));
  CHECK(peer.notification() == "6/2");
  REQUIRE(peer.data.size() == 12);
  CHECK(std::string(peer.data.begin() + 1, peer.data.end()) == "ticket 4711");
  CHECK(peer.notification() == "closed");
  CHECK(bench.sink().wait_for("down edge1"));
  CHECK(bench.wait_state("Idle"));
  CHECK(!bench.status().enabled);
  {
    Peer refused = bench.connect();
    CHECK(refused.notification() == "closed");
  }
  REQUIRE(bench.speaker().enable("edge1"));
  REQUIRE(bench.wait_state("Active"));
  Peer again = bench.connect();
  CHECK(again.establish(peer_open()));
}

TEST_CASE("RFC 4486: clear is Cease/4, removal Cease/3, too many prefixes Cease/1") {
  Bench bench({neighbor_config()});
  {
    Peer peer = bench.connect();
    REQUIRE(peer.establish(peer_open()));
    REQUIRE(bench.wait_state("Established"));
    bench.speaker().clear("edge1");
    CHECK(peer.notification() == "6/4");
  }
  {
    Peer peer = bench.connect();
    REQUIRE(peer.establish(peer_open()));
    REQUIRE(bench.wait_state("Established"));
    bench.speaker().stop_for_max_prefix("edge1", kIpv6Unicast, 1000);
    CHECK(peer.notification() == "6/1");
    CHECK(peer.data == from_hex("000201000003e8"));  // RFC 4486 4: family and upper bound
    REQUIRE(bench.wait_state("Idle"));
    CHECK(bench.status().last_error == "more than 1000 routes of ipv6-unicast");
    Peer refused = bench.connect();
    CHECK(refused.notification() == "closed");
    bench.speaker().clear("edge1");
    REQUIRE(bench.wait_state("Active"));
  }
  {
    Peer peer = bench.connect();
    REQUIRE(peer.establish(peer_open()));
    REQUIRE(bench.wait_state("Established"));
    bench.speaker().stop_for_attributes("edge1", 1000);
    CHECK(peer.notification() == "6/8");
    REQUIRE(bench.wait_state("Idle"));
    CHECK(bench.status().last_error == "more than 1000 octets of attributes");
    bench.speaker().clear("edge1");
    REQUIRE(bench.wait_state("Active"));
  }
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.wait_state("Established"));
  bench.speaker().remove("edge1");
  CHECK(peer.notification() == "6/3");
  CHECK(bench.sink().wait_for("down", 3));
  CHECK(eventually([&] { return bench.speaker().statuses().empty(); }));
}

TEST_CASE("RFC 2918 and RFC 7313: refresh is asked for by family; theirs gets an End-of-RIB at most") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.wait_state("Established"));
  bench.speaker().refresh("edge1");
  for (const Bytes& body : {Bytes{0, 1, 0, 1}, Bytes{0, 2, 0, 1}}) {
    const auto message = peer.receive_special();
    REQUIRE(message);
    CHECK(message->type == MessageType::kRouteRefresh);
    CHECK(message->body == body);
  }
  Bytes out;
  encode_route_refresh({kIpv4Unicast, RefreshKind::kBegin}, out);
  encode_route_refresh({kIpv4Unicast, RefreshKind::kEnd}, out);
  encode_route_refresh({kIpv4Unicast, RefreshKind::kRequest}, out);
  peer.send(out);
  const auto answer = peer.receive();
  REQUIRE(answer);
  CHECK(answer->type == MessageType::kUpdate);
  CHECK(answer->body == Bytes{0, 0, 0, 0});
  CHECK(bench.sink().wait_for("refresh-begin edge1 ipv4-unicast"));
  CHECK(bench.sink().wait_for("refresh-end edge1 ipv4-unicast"));
  CHECK(!peer.receive(milliseconds(100)));
}

TEST_CASE("RFC 4724 2: End-of-RIB is passed on; a quiet family gets one, once") {
  SpeakerOptions options = quick_options();
  options.quiet = milliseconds(300);
  Bench bench({neighbor_config()}, options);
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.sink().wait_for("up edge1 ipv4-unicast ipv6-unicast"));
  Bytes end;
  encode_end_of_rib(kIpv6Unicast, end);
  peer.send(end);
  // UPDATEs keep IPv4 from being quiet.
  for (unsigned i = 0; i < 5; ++i) {
    peer.send(update_message(i));
    std::this_thread::sleep_for(milliseconds(120));
    CHECK(bench.sink().count("end-of-rib edge1 ipv4-unicast") == 0);
  }
  CHECK(bench.sink().wait_for("end-of-rib edge1 ipv4-unicast"));
  peer.send(update_message(9));
  std::this_thread::sleep_for(milliseconds(500));
  CHECK(bench.sink().count("end-of-rib edge1 ipv4-unicast") == 1);
  CHECK(bench.sink().count("end-of-rib edge1 ipv6-unicast") == 1);
}

TEST_CASE("RFC 4724 3: who promised End-of-RIB may be silent for long, before its table and within") {
  SpeakerOptions options = quick_options();
  options.quiet = milliseconds(100);
  Bench bench({neighbor_config()}, options);
  Peer peer = bench.connect();
  Open open = peer_open();
  open.capabilities.graceful_restart.emplace();
  REQUIRE(peer.establish(open));
  REQUIRE(bench.sink().wait_for("up edge1 ipv4-unicast ipv6-unicast expects"));
  std::this_thread::sleep_for(milliseconds(350));
  peer.send(update_message(1));
  std::this_thread::sleep_for(milliseconds(350));
  CHECK(bench.sink().count("end-of-rib") == 0);
  Bytes end;
  encode_end_of_rib(kIpv4Unicast, end);
  peer.send(end);
  CHECK(bench.sink().wait_for("end-of-rib edge1 ipv4-unicast"));
  // A family for which it is never sent is not waited for forever.
  CHECK(bench.sink().wait_for("end-of-rib edge1 ipv6-unicast"));
  CHECK(bench.sink().count("end-of-rib edge1 ipv4-unicast") == 1);
}

TEST_CASE("RFC 7606: a malformed UPDATE is logged with its octets, and the session stays") {
  Bench bench({neighbor_config()});
  Peer peer = bench.connect();
  REQUIRE(peer.establish(peer_open()));
  REQUIRE(bench.wait_state("Established"));
  Bytes bad = update_message(1);
  bad[kHeaderSize + 7] = 9;  // ORIGIN
  for (int i = 0; i < 20; ++i) peer.send(bad);
  REQUIRE(peer.send(update_message(2)));
  CHECK(bench.sink().wait_for("update edge1 +1 -0"));
  CHECK(bench.sink().wait_for("update edge1 +0 -1", 20));
  CHECK(bench.logged("edge1: malformed UPDATE, treat as withdraw"));
  CHECK(bench.logged("40010109"));
  CHECK(bench.log_count("malformed UPDATE") == 5);
  CHECK(eventually([&] { return bench.status().malformed == 20; }));
}

}  // namespace lapwing::bgp::testing
