// RIS Live: the messages, the filters, and the stream over HTTP.
#include <doctest/doctest.h>

#include "sink_ris_support.h"
#include "sinks/ris_filter.h"
#include "sinks/ris_message.h"
#include "sinks/ris_subscriptions.h"

namespace lapwing::sinks {
namespace {

std::vector<std::string> messages_of(const std::vector<RouteUpdate>& updates) {
  std::vector<std::string> out;
  for (std::span<const RouteUpdate> rest(updates); !rest.empty();)
    append_ris_message(out.emplace_back(), take_ris_changes(rest), "rrc");
  return out;
}

TEST_CASE("RIS Live: an UPDATE has the members and the types of the manual") {
  std::vector<RouteUpdate> updates = {announced(255, "175.45.176.0/24"),
                                      announced(256, "175.45.177.0/24"),
                                      withdrawn(257, "175.45.178.0/24")};
  const auto messages = messages_of(updates);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0] ==
        R"({"type":"ris_message","data":{"timestamp":1506848871.001250,"peer":"192.0.2.7",)"
        R"("peer_asn":"3333","id":"192.0.2.7-55a7897afaca2-ff","host":"rrc","peer_name":"edge1",)"
        R"("type":"UPDATE","path":[3333,[64496,64497]],"community":[[3333,1]],)"
        R"("large_community":[[1,2,3]],)"
        R"("extended_community":["rt:64500:7","0x030c000000000008"],"origin":"igp","med":50,)"
        R"("aggregator":"64500:192.0.2.9","announcements":[{"next_hop":"192.0.2.1",)"
        R"("prefixes":["175.45.176.0/24","175.45.177.0/24"]}],)"
        R"("withdrawals":["175.45.178.0/24"]}})");
}

TEST_CASE("RIS Live: a set has each ASN once and ascending; an empty path is an empty array") {
  const std::vector<std::uint8_t> set = {2, 6, 1, 4, 9, 5, 9, 7};
  CHECK(messages_of({announced(1, "10.0.0.0/8", set)})[0].find("\"path\":[[5,7,9]],\"community\":[]") !=
        std::string::npos);
  const auto bare = messages_of({announced(1, "10.0.0.0/8", {2, 0})})[0];
  CHECK(bare.find("\"path\":[],") != std::string::npos);
  CHECK(bare.find("\"med\"") == std::string::npos);
}

TEST_CASE("RFC 2545 3: a link-local next hop has an announcement of its own") {
  std::vector<std::uint8_t> path = {3, 32};
  path.resize(34);
  path[2] = 0x20, path[3] = 0x01, path[17] = 1;
  path[18] = 0xfe, path[19] = 0x80, path[33] = 2;
  const auto value = json::parse(messages_of({announced(1, "2001:db8::/32", path)})[0]);
  const auto& list = value.at("data").at("announcements").as_array();
  REQUIRE(list.size() == 2);
  CHECK(list[0].at("next_hop").as_string() == "2001::1");
  CHECK(list[1].at("next_hop").as_string() == "fe80::2");
  CHECK(list[1].at("prefixes").at(0).as_string() == "2001:db8::/32");
}

TEST_CASE("RIS Live: other UPDATEs, paths, neighbours and identifiers are other messages") {
  const RouteUpdate first = announced(1, "10.0.0.0/8");
  const auto count = [&first](auto change) {
    RouteUpdate second = announced(2, "10.1.0.0/16");
    change(second);
    return messages_of({first, second}).size();
  };
  CHECK(count([](RouteUpdate&) {}) == 1);
  CHECK(count([](RouteUpdate& u) { u.message = 9; }) == 2);
  CHECK(count([](RouteUpdate& u) { u.after = {2, 0}; }) == 2);
  CHECK(count([](RouteUpdate& u) { u.peer = "edge2"; }) == 2);
  CHECK(count([](RouteUpdate& u) { u.time += std::chrono::seconds(1); }) == 2);
  CHECK(count([](RouteUpdate& u) { u.nlri.has_path_id = true; }) == 2);
  CHECK(count([](RouteUpdate& u) { u.session = SessionNews::kDown; }) == 2);
  RouteUpdate named = announced(1, "10.0.0.0/8");
  named.nlri.has_path_id = true;
  named.nlri.path_id = 7;
  CHECK(messages_of({named})[0].find("\"path_id\":7") != std::string::npos);
}

TEST_CASE("RIS Live: a session that comes up or goes down is RIS_PEER_STATE") {
  const auto messages = messages_of({session(1, SessionNews::kUp), session(2, SessionNews::kDown)});
  REQUIRE(messages.size() == 2);
  const auto up = json::parse(messages[0]).at("data");
  CHECK(up.at("type").as_string() == "RIS_PEER_STATE");
  CHECK(up.at("state").as_string() == "connected");
  CHECK_FALSE(up.as_object().contains("withdrawals"));
  CHECK(json::parse(messages[1]).at("data").at("state").as_string() == "down");
}

// True where the filter takes a message of these changes.
bool takes(const std::string& filter, const std::vector<RouteUpdate>& updates) {
  RisFilter read;
  const std::string wrong = read.read(json::parse(filter));
  CHECK_MESSAGE(wrong.empty(), wrong);
  return read.matches(RisCandidate(updates), "rrc");
}

TEST_CASE("RIS Live: each filter takes what it names and nothing else") {
  const std::vector<RouteUpdate> route = {announced(1, "175.45.176.0/24")};
  const std::vector<RouteUpdate> gone = {withdrawn(1, "175.45.176.0/24")};
  const std::vector<RouteUpdate> down = {session(1, SessionNews::kDown)};
  struct Case {
    const char* filter;
    bool route, gone, down;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"null", true, true, true},
           {"{}", true, true, true},
           {R"({"host":null,"type":null,"socketOptions":null})", true, true, true},
           {R"({"host":"rrc"})", true, true, true},
           {R"({"host":"rrc00"})", false, false, false},
           {R"({"type":"UPDATE"})", true, true, false},
           {R"({"type":"RIS_PEER_STATE"})", false, false, true},
           {R"({"type":"STATE"})", false, false, true},
           {R"({"type":"KEEPALIVE"})", false, false, false},
           {R"({"require":"announcements"})", true, false, false},
           {R"({"require":"withdrawals"})", false, true, false},
           {R"({"require":"med"})", true, false, false},
           {R"({"require":"state"})", false, false, true},
           {R"({"require":"raw"})", false, false, false},
           {R"({"peer":"192.0.2.7"})", true, true, true},
           {R"({"peer":"192.0.2.8"})", false, false, false},
           {R"({"path":3333})", true, false, false},
           {R"({"path":"3333"})", true, false, false},
           {R"({"path":64496})", false, false, false},
           {R"({"path":"^3333"})", true, false, false},
           {R"({"path":"3333$"})", false, false, false},
           {R"({"path":"!3333$"})", true, false, false},
           {R"({"path":"!3333"})", false, false, false},
           {R"({"path":"^3333,[64497,64496]$"})", true, false, false},
           {R"({"path":"[64496]$"})", false, false, false},
           {R"({"prefix":"175.45.176.0/24"})", true, true, false},
           {R"({"prefix":"175.45.176.0/22"})", true, true, false},
           {R"({"prefix":"175.45.176.0/22","moreSpecific":false})", false, false, false},
           {R"({"prefix":"175.45.176.0/25"})", false, false, false},
           {R"({"prefix":"175.45.176.0/25","lessSpecific":true})", true, true, false},
           {R"({"prefix":["10.0.0.0/8","175.45.176.0/24"]})", true, true, false},
           {R"({"prefix":"2001:db8::/32"})", false, false, false},
           {R"({"prefix":"175.45.176.0/24","peer":"192.0.2.8"})", false, false, false},
           {R"({"includeRaw":false,"socketOptions":{"includeRaw":false,"acknowledge":true}})", true,
            true, true},
       }) {
    CAPTURE(c.filter);
    CHECK(takes(c.filter, route) == c.route);
    CHECK(takes(c.filter, gone) == c.gone);
    CHECK(takes(c.filter, down) == c.down);
  }
}

TEST_CASE("RIS Live: a filter that is not understood is an error, not everything") {
  const std::string many = "[" + [] {
    std::string list;
    for (int i = 0; i <= 10000; ++i) list += (i ? ",\"" : "\"") + std::string("10.0.0.0/8\"");
    return list;
  }() + "]";
  for (const std::string& wrong : std::vector<std::string>{
           "[]", "1", "\"\"", R"({"prefx":"10.0.0.0/8"})", R"({"host":1})", R"({"type":"update"})",
           R"({"require":"nothing"})", R"({"peer":"192.0.2"})", R"({"peer":3})", R"({"path":"a"})",
           R"({"path":""})", R"({"path":"1,"})", R"({"path":"1 2"})", R"({"path":"[1"})",
           R"({"path":"[]"})", R"({"path":"1$2"})", R"({"path":-1})", R"({"path":4294967296})",
           R"({"path":1.5})", R"({"prefix":"10.0.0.1/8"})", R"({"prefix":[]})", R"({"prefix":[1]})",
           R"({"prefix":"10.0.0.0/33"})", R"({"prefix":)" + many + "}", R"({"moreSpecific":1})",
           R"({"includeRaw":true})", R"({"socketOptions":{"includeRaw":true}})",
           R"({"socketOptions":[]})", R"({"socketOptions":{"x":1}})"}) {
    RisFilter filter;
    CHECK_MESSAGE(!filter.read(json::parse(wrong)).empty(), wrong.substr(0, 60));
  }
}

std::string answer_type(RisSubscriptions& all, const std::string& text) {
  const std::string answer = all.take(text);
  return answer.empty() ? "" : std::string(json::parse(answer).at("type").as_string());
}

TEST_CASE("RIS Live: what a client may say, and what it is told") {
  RisSubscriptions all("rrc");
  const std::vector<RouteUpdate> route = {announced(1, "175.45.176.0/24")};
  CHECK(all.take(R"({"type":"ping","data":null})") == R"({"type":"pong","data":null})");
  CHECK(all.take(R"({"data":null,"type":"request_rrc_list"})") ==
        R"({"type":"ris_rrc_list","data":["rrc"]})");
  CHECK(all.empty());
  CHECK(all.take(R"({"type":"ris_subscribe","data":{"path":"^3333"}})").empty());
  CHECK(all.want(route));
  CHECK(all.take(R"({"type":"ris_subscribe","data":{"peer":"192.0.2.9","socketOptions":)"
                 R"({"acknowledge":true}}})") ==
        R"({"type":"ris_subscribe_ok","data":{"subscription":{"peer":"192.0.2.9","socketOptions":)"
        R"({"acknowledge":true}},"socketOptions":{"includeRaw":false,"acknowledge":true}}})");
  CHECK(all.take(R"({"type":"ris_unsubscribe","data":{"path":"^3333"}})").empty());
  CHECK_FALSE(all.want(route));
  CHECK(answer_type(all, R"({"type":"ris_unsubscribe","data":{"path":"^3333"}})") == "ris_error");
  CHECK(all.take(R"({"type":"ris_unsubscribe"})").empty());
  CHECK(all.empty());
  for (const char* wrong : {"", "{", "[]", "null", "{}", R"({"type":1})", R"({"type":"ris_message"})",
                            R"({"type":"ris_subscribe","data":"x"})",
                            R"({"type":"ris_unsubscribe","data":[]})"})
    CHECK_MESSAGE(answer_type(all, wrong) == "ris_error", wrong);
  CHECK(answer_type(all, std::string(40000, '[')) == "ris_error");
  CHECK(all.empty());
}

TEST_CASE("RIS Live: subscriptions of one client are bounded, in number and in size") {
  RisSubscriptions all("rrc");
  const auto subscribe = [&all](const std::string& data) {
    return all.take(R"({"type":"ris_subscribe","data":)" + data + "}");
  };
  for (std::size_t i = 0; i < RisSubscriptions::kMaxFilters; ++i)
    REQUIRE(subscribe("{\"host\":\"" + std::to_string(i) + "\"}").empty());
  CHECK(subscribe(R"({"host":"0"})").empty());  // known already
  CHECK(subscribe(R"({"host":"more"})").find("ris_error") != std::string::npos);
  RisSubscriptions large("rrc");
  std::string list = "[\"10.0.0.0/8\"";
  for (int i = 1; i < 9999; ++i) list += ",\"10.0.0.0/8\"";
  std::string answer;
  for (int i = 0; i < 4; ++i)
    answer = large.take(R"({"type":"ris_subscribe","data":{"host":")" + std::to_string(i) +
                        R"(","prefix":)" + list + "]}}");
  CHECK(answer.find("ris_error") != std::string::npos);
}

// --- HTTP --------------------------------------------------------------------------------------

TEST_CASE("RIS Live by HTTP: one message a line, with the filter of the query or the field") {
  Bench bench;
  Client all(bench.endpoint), other(bench.endpoint), field(bench.endpoint);
  const std::string head = " HTTP/1.1\r\nHost: localhost\r\n";
  all.send("GET /v1/stream/?format=json&client=x" + head + "\r\n");
  other.send("GET /v1/stream/?subscribe=%7B%22path%22%3A%221%22%7D" + head + "\r\n");
  field.send("GET /v1/stream/" + head + "X-RIS-Subscribe: {\"require\":\"withdrawals\"}\r\n\r\n");
  for (Client* client : {&all, &other, &field}) REQUIRE(client->wait_for("\r\n\r\n"));
  CHECK(all.input.find("Content-Type: application/x-ndjson\r\n") != std::string::npos);
  RouteUpdate foreign = announced(1, "10.0.0.0/8");
  foreign.nlri.family.safi = kSafiVpn;
  bench.feed.add(foreign);
  bench.feed.add(announced(2, "10.0.0.0/8"));
  bench.feed.add(withdrawn(3, "10.0.0.0/8"));
  REQUIRE(field.wait_for("\"withdrawals\":[\"10.0.0.0/8\"]}}\n"));
  REQUIRE(all.wait_for("\"withdrawals\":[\"10.0.0.0/8\"]}}\n"));
  CHECK(all.input.find("\r\n\r\n{\"type\":\"ris_message\"") != std::string::npos);
  CHECK(all.input.find("-1\",\"host\"") == std::string::npos);  // a family that is not told
  CHECK(all.input.find("\n\n") == std::string::npos);
  CHECK(other.input.find("ris_message") == std::string::npos);
  CHECK(bench.get("/v1/stream/?format=sse").status == 400);
  CHECK(bench.get("/v1/stream/?subscribe=%7B").status == 400);
  CHECK(bench.get("/v1/stream/?subscribe=%7B%22a%22%3A1%7D").status == 400);
  CHECK(bench.get("/v1/stream/", "X-RIS-Subscribe: {\"a\":1}\r\n").json().at("detail").as_string().starts_with(
      "unknown member 'a'"));
}

TEST_CASE("RIS Live by HTTP: a client that lost changes is told, and its stream ends") {
  Bench bench;
  Client client(bench.endpoint);
  client.send("GET /v1/stream/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(client.wait_for("\r\n\r\n"));
  bench.feed.add(announced(5, "10.0.0.0/8"));
  CHECK(client.closed());
  CHECK(client.input.ends_with("\r\n\r\n" + ris_error("4 changes were lost: the client is too slow") +
                               "\n"));
}

}  // namespace
}  // namespace lapwing::sinks
