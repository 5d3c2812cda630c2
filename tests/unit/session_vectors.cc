// Messages by FSM state, played into live sessions (vectors/session.jsonl of the shared data).
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

#include "session_peer.h"

namespace lapwing::bgp::testing {

namespace {

std::string name_of(const Message& notification) {
  return std::to_string(notification.body.at(0)) + "/" + std::to_string(notification.body.at(1));
}

/// Reads until `accept` says that the session goes on, or a NOTIFICATION or the end comes.
template <typename F>
std::string watch(Peer& peer, F accept) {
  while (const auto message = peer.receive(milliseconds(2000))) {
    if (message->type == MessageType::kNotification) return name_of(*message);
    if (accept(*message)) return "stay-up";
  }
  return peer.closed() ? "closed" : "silent";
}

/// "stay-up", "6/2", "closed" or "silent".
std::string play(Bench& bench, const std::string& state, const Bytes& octets) {
  Peer peer = bench.connect();
  if (state == "opensent") {
    const auto open = peer.receive(milliseconds(2000));
    if (!open || open->type != MessageType::kOpen) return "refused";
    peer.send(octets);
    return watch(peer, [](const Message& m) { return m.type == MessageType::kKeepalive; });
  }
  if (!peer.establish(peer_open())) return "refused";
  while (const auto message = peer.receive(milliseconds(2000)))
    if (message->type == MessageType::kUpdate && message->body.size() == 10) break;
  // A session that goes on answers a ROUTE-REFRESH with an End-of-RIB.
  Bytes out = octets;
  encode_route_refresh({kIpv4Unicast, RefreshKind::kRequest}, out);
  peer.send(out);
  return watch(peer, [](const Message& m) {
    return m.type == MessageType::kUpdate && m.body.size() == 4;
  });
}

}  // namespace

TEST_CASE("session.jsonl: every message gets one of the answers that are right in its state") {
  const char* shared = std::getenv("LAPWING_SHARED_DATA");
  std::ifstream file(std::string(shared == nullptr ? "" : shared) + "/vectors/session.jsonl");
  if (shared == nullptr || !file) {
    MESSAGE("skipped: LAPWING_SHARED_DATA is absent");
    return;
  }
  SpeakerOptions options = quick_options();
  options.retry = milliseconds(0);  // no back-off after errors
  options.retry_limit = milliseconds(0);
  NeighborConfig config = neighbor_config();
  config.extended_messages = false;
  Bench bench({config}, options);
  std::size_t played = 0;
  for (std::string line; std::getline(file, line); ++played) {
    const auto row = boost::json::parse(line).as_object();
    const std::string id(row.at("id").as_string());
    const Bytes octets = from_hex(row.at("hex").as_string());
    const std::string state(row.at("state").as_string());
    REQUIRE(bench.wait_state("Active"));
    const std::string answer = play(bench, state, octets);
    std::string allowed;
    if (row.at("allow").is_array())
      for (const auto& pair : row.at("allow").as_array())
        allowed += " " + std::to_string(pair.at(0).as_int64()) + "/" +
                   std::to_string(pair.at(1).as_int64());
    if (row.contains("expect") || row.contains("soft")) allowed += " stay-up";
    if (allowed.empty()) allowed = " closed 1/2";
    allowed += " ";
    INFO(id, ": ", answer, ", allowed:", allowed);
    CHECK(allowed.find(" " + answer + " ") != std::string::npos);
  }
  CHECK(played >= 54);
}

}  // namespace lapwing::bgp::testing
