#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "sink_http_bench.h"
#include "sinks/event_json.h"
#include "sinks/route_json.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

TEST_CASE("http: status carries what the contract names") {
  Bench bench;
  bench.reader.state.uptime_seconds = 12;
  bench.reader.state.routes = 34;
  bench.reader.state.store_pending = 56;
  bench.reader.state.peers_up = 1;
  const Answer a = bench.get("/api/v1/status");
  CHECK(a.status == 200);
  CHECK(a.has("Content-Type: application/json\r\n"));
  const auto v = a.json();
  CHECK(v.at("version").as_string() == "0.1.0");
  CHECK(v.at("uptime_seconds").as_int64() == 12);
  CHECK(v.at("peers_up").as_int64() == 1);
  CHECK(v.at("routes").as_int64() == 34);
  CHECK(v.at("store_pending").as_int64() == 56);
  CHECK(v.at("sinks").at(0).at("cursor").as_int64() == 3);
}

TEST_CASE("http: livez lives, readyz is 503 until the program is ready") {
  Bench bench;
  CHECK(bench.get("/livez").status == 200);
  CHECK(bench.get("/readyz").status == 503);
  {
    const std::lock_guard lock(bench.reader.mutex);
    bench.reader.state.ready = true;
  }
  CHECK(bench.get("/readyz").status == 200);
}

TEST_CASE("http: peers, and one by its escaped name") {
  Bench bench;
  const auto peers = bench.get("/api/v1/peers").json().at("peers").as_array();
  REQUIRE(peers.size() == 2);
  CHECK(
      json::serialize(peers[0]) ==
      R"({"name":"edge 1/a","address":"192.0.2.1","port":179,"as":64512,"local_as":64512,)"
      R"("description":"","state":"Established","since":"2017-10-01T00:00:00.000000Z",)"
      R"("last_heard":null,"router_id":null,"hold_time":0,"families":["ipv4-unicast","ipv6-unicast"],)"
      R"("capabilities":["route refresh"],"routes":7,"stale":0,"updates_received":0,)"
      R"("messages_received":0,"messages_sent":0,"malformed":0,"established":0,"last_error":"",)"
      R"("enabled":true})");
  const Answer one = bench.get("/api/v1/peers/edge%201%2Fa");
  CHECK(one.status == 200);
  CHECK(one.json().at("routes").as_int64() == 7);
  CHECK(bench.get("/api/v1/peers/edge9").status == 404);
  CHECK(bench.get("/api/v1/peers/%zz").status == 400);
}

TEST_CASE("http: a route shows every attribute") {
  Bench bench;
  const Answer a = bench.get("/api/v1/routes?prefix=175.45.176.0%2F24&limit=1");
  CHECK(
      a.body ==
      R"({"routes":[{"prefix":"175.45.176.0/24","family":"ipv4-unicast","peer":"edge1","peer_as":3333,)"
      R"("as_path":"3333 {64496,64497}","origin":"igp","next_hop":"192.0.2.1","med":50,"local_pref":100,)"
      R"("communities":["3333:1"],"large_communities":["1:2:3"],)"
      R"("ext_communities":["rt:64500:7","0x030c000000000008"],)"
      R"("aggregator":{"as":64500,"address":"192.0.2.9"},"otc":3333,)"
      R"("since":"2017-10-01T09:07:51.000000Z","stale":false}],"truncated":true,"next":"1"})"
      "\n");
}

TEST_CASE("route JSON: attributes that cannot be read are left out, not read beyond their end") {
  const std::vector<std::uint8_t> whole = attributes();
  CHECK(is_readable(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    StoredRoute r;
    r.nlri.family = {kAfiIpv6, kSafiVpn};
    r.nlri.prefix = prefix("2001:db8::/32");
    r.nlri.rd = (std::uint64_t{1} << 48) | (std::uint64_t{0xc0000201} << 16) | 5;
    r.nlri.has_path_id = true;
    r.nlri.path_id = 9;
    r.path.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    r.path.shrink_to_fit();
    std::string out;
    append_route_json(out, r);
    const auto v = json::parse(out);
    CHECK(v.at("rd").as_string() == "192.0.2.1:5");
    CHECK(v.at("path_id").as_int64() == 9);
  }
}

TEST_CASE("http: the parameters of routes reach the reader, wrong ones are refused") {
  Bench bench;
  CHECK(bench.get("/api/v1/routes?prefix=192.0.2.7&peer=a+b&limit=5").status == 200);
  CHECK(bench.reader.last_query.prefix == prefix("192.0.2.7/32"));
  CHECK(bench.reader.last_query.match == Match::kLongest);
  CHECK(bench.reader.last_query.peer == "a b");
  CHECK(bench.reader.last_query.limit == 5);
  CHECK(bench.get("/api/v1/routes?prefix=2001:db8::/32&match=longer").status == 200);
  CHECK(bench.reader.last_query.match == Match::kLonger);
  CHECK(bench.get("/api/v1/routes?prefix=192.0.2.0/24").status == 200);
  CHECK(bench.reader.last_query.match == Match::kExact);
  for (const char* wrong :
       {"prefix=x", "prefix=192.0.2.0/33", "match=near", "limit=0", "limit=50001", "limit=-1",
        "limit=1x", "prefx=1", "prefix=%zz", "prefix=%00"}) {
    const Answer a = bench.get(std::string("/api/v1/routes?") + wrong);
    CHECK_MESSAGE(a.status == 400, wrong);
    CHECK(a.has("Content-Type: application/problem+json\r\n"));
    CHECK(a.json().at("status").as_int64() == 400);
    CHECK(a.json().at("title").as_string() == "Bad Request");
  }
  const Answer broken = bench.get("/api/v1/routes?peer=throw");
  CHECK(broken.status == 500);
  CHECK(broken.json().at("detail").as_string() == "the store is broken");
}

TEST_CASE("http: upstreams come from the detector") {
  Bench bench;
  CHECK(bench.get("/api/v1/origins/131279/upstreams").json().at(0).at("as").as_int64() == 4837);
  CHECK(bench.get("/api/v1/origins/1/upstreams").status == 404);
  CHECK(bench.get("/api/v1/origins/AS1/upstreams").status == 400);
  CHECK(bench.get("/api/v1/origins/4294967296/upstreams").status == 400);
}

std::vector<std::int64_t> event_numbers(const Answer& a) {
  std::vector<std::int64_t> out;
  const auto value = a.json();
  for (const auto& e : value.at("events").as_array()) out.push_back(e.at("number").as_int64());
  return out;
}

TEST_CASE("http: events by number, by time, by type, and the newest ones without a beginning") {
  Bench bench;
  bench.journal.add_numbered(1, 1000);
  Event other = testing::numbered(1001);
  other.type = "path-change";
  bench.journal.add(other);
  using Numbers = std::vector<std::int64_t>;
  Answer a = bench.get("/api/v1/events?since=10&limit=3");
  CHECK(event_numbers(a) == Numbers{11, 12, 13});
  CHECK(a.json().at("last").as_int64() == 13);
  CHECK(a.body.starts_with("{\"events\":[" + event_json(testing::numbered(11), 11)));
  CHECK(event_numbers(bench.get("/api/v1/events?limit=2")) == Numbers{1000, 1001});
  CHECK(event_numbers(bench.get("/api/v1/events?limit=2&type=new-upstream")) == Numbers{999, 1000});
  CHECK(event_numbers(bench.get("/api/v1/events?since=0&type=path-change")) == Numbers{1001});
  const std::string time = format_rfc3339(testing::numbered(500).time);
  CHECK(event_numbers(bench.get("/api/v1/events?limit=1&since=" + time)) == Numbers{500});
  a = bench.get("/api/v1/events?since=2000");
  CHECK(event_numbers(a).empty());
  bench.journal.remove_first(400);
  CHECK(event_numbers(bench.get("/api/v1/events?since=0&limit=1")) == Numbers{401});
  CHECK(event_numbers(bench.get("/api/v1/events?limit=10000")).size() == 601);
  CHECK(event_numbers(bench.get("/api/v1/events?limit=1&since=2000-01-01T00:00:00Z")) ==
        Numbers{401});
  const auto count = [&bench](const std::string& query) {
    return event_numbers(bench.get("/api/v1/events?limit=10000&" + query)).size();
  };
  CHECK(count("origin=131279") == 601);
  CHECK(count("origin=1") == 0);
  CHECK(count("upstream=20485&peer=rrc03-x&severity=warning") == 601);
  CHECK(count("severity=error") == 0);
  CHECK(count("peer=edge1") == 0);
  CHECK(count("incident=abababababababababababababababab") == 601);
  CHECK(count("incident=ab") == 0);
  for (const char* wrong :
       {"since=x", "since=-1", "limit=0", "limit=10001", "typ=x", "origin=x", "severity=loud"})
    CHECK(bench.get(std::string("/api/v1/events?") + wrong).status == 400);
}

TEST_CASE("http: an empty journal has no events") {
  Bench bench;
  CHECK(bench.get("/api/v1/events").body == "{\"events\":[],\"last\":0}\n");
  CHECK(bench.get("/api/v1/events?since=2017-10-01T00:00:00Z").body ==
        "{\"events\":[],\"last\":0}\n");
}

TEST_CASE("http: metrics have each family once, and labels are escaped") {
  Bench bench;
  const Answer a = bench.get("/metrics");
  CHECK(a.has("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK(a.body.find("lapwing_build_info{version=\"0.1.0\"} 1\n") != std::string::npos);
  CHECK(a.body.find("lapwing_peer_up{peer=\"edge 1/a\"} 1\n") != std::string::npos);
  CHECK(a.body.find("lapwing_peer_up{peer=\"quote\\\"\\\\\\n\xef\xbf\xbd\"} 0\n") !=
        std::string::npos);
  CHECK(a.body.find("lapwing_sink_retries_total{sink=\"syslog:x\"} 1\n") != std::string::npos);
  CHECK(a.body.find("lapwing_sink_lost_total{sink=\"syslog:x\"} 0\n") != std::string::npos);
  CHECK(a.body.find("lapwing_sink_lag_seconds{sink=\"syslog:x\"} 0") != std::string::npos);
  std::istringstream lines(a.body);
  std::set<std::string> families;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("# TYPE ")) CHECK(families.insert(line).second);
}

TEST_CASE("RFC 9112 9.3.2: pipelined requests are answered in order on one connection") {
  Bench bench;
  Client client(bench.endpoint);
  client.send(
      "GET /livez HTTP/1.1\r\nHost: a.invalid\r\n\r\n"
      "GET /api/v1/routes?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "HEAD /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  CHECK(client.read().body == "ok\n");
  CHECK(client.read().body.find("\"routes\"") != std::string::npos);
  CHECK(client.read().status == 404);
  const Answer head = client.read(true);
  CHECK(head.status == 200);
  CHECK(head.has("Content-Length: "));
  CHECK(client.read().body == "ok\n");
  CHECK(client.closed());
}

TEST_CASE("RFC 9110 15.5.6: a wrong method is told the right ones") {
  Bench bench;
  Client client(bench.endpoint);
  client.send("POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
  const Answer a = client.read();
  CHECK(a.status == 405);
  CHECK(a.has("Allow: GET, HEAD\r\n"));
  CHECK(client.get("/livez").status == 200);
}

TEST_CASE("http: malformed requests are refused and the connection ends") {
  Bench bench;
  const std::vector<std::pair<std::string, unsigned>> cases = {
      {"nonsense\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nBad\x01Name: x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", 431},
      {"GET /" + std::string(20000, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
      {"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\n" +
           std::string(70000, 'x'),
       413},
      {"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
       400},
  };
  for (const auto& [request, wanted] : cases) {
    const auto& text = request;
    const auto& status = wanted;
    Client client(bench.endpoint);
    client.send(text);
    const Answer a = client.read();
    CHECK_MESSAGE(a.status == status, text.substr(0, 40));
    CHECK(a.has("application/problem+json"));
    CHECK(client.closed());
  }
  CHECK(bench.get("/livez").status == 200);
}

TEST_CASE("http: without a token a foreign host name is refused (DNS rebinding)") {
  Bench bench;
  for (const char* host : {"127.0.0.1", "[::1]:80", "LOCALHOST:8179", "192.0.2.1"}) {
    Client client(bench.endpoint);
    client.send(std::string("GET /api/v1/status HTTP/1.1\r\nHost: ") + host + "\r\n\r\n");
    CHECK(client.read().status == 200);
  }
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[x]"}) {
    Client client(bench.endpoint);
    client.send(std::string("GET /api/v1/status HTTP/1.1\r\nHost: ") + host + "\r\n\r\n");
    CHECK(client.read().status == 421);
  }
}

TEST_CASE("http: with a token nothing but livez and readyz answers without it") {
  Bench bench([](HttpOptions& o) { o.token = "s3cret"; });
  CHECK(bench.get("/livez").status == 200);
  const Answer none = bench.get("/api/v1/status");
  CHECK(none.status == 401);
  CHECK(none.has("WWW-Authenticate: Bearer\r\n"));
  CHECK(bench.get("/api/v1/status", "Authorization: Bearer wrong!\r\n").status == 401);
  CHECK(bench.get("/api/v1/status", "Authorization: Basic s3cret\r\n").status == 401);
  CHECK(bench.get("/api/v1/nowhere").status == 401);
  CHECK(bench.get("/api/v1/status", "Authorization: bearer s3cret\r\n").status == 200);
}

TEST_CASE("http: an address that is not loopback needs a token") {
  Settings open;
  open.set("listen", std::vector<std::string>{"0.0.0.0:8179", "nonsense", "unix:relative",
                                              "[::1]:1", "::1:1"});
  HttpOptions::from_settings(open);
  const auto& errors = open.finish();
  REQUIRE(errors.size() == 4);
  CHECK(errors[0].message.find("token") != std::string::npos);
  Settings guarded;
  guarded.set("listen", std::vector<std::string>{"0.0.0.0:8179"});
  guarded.set("token", "x");
  HttpOptions::from_settings(guarded);
  CHECK(guarded.finish().empty());
}

TEST_CASE("http: a slow client is cut, others are served meanwhile") {
  Bench bench([](HttpOptions& o) { o.read_timeout = milliseconds(300); });
  Client slow(bench.endpoint);
  slow.send("GET /livez HTTP/1.1\r\nHo");
  CHECK(bench.get("/livez").status == 200);
  const auto start = std::chrono::steady_clock::now();
  CHECK(slow.closed());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("http: a client that does not read its answer is cut") {
  Bench bench([](HttpOptions& o) { o.write_timeout = milliseconds(300); });
  bench.journal.add_numbered(1, 5000);
  Client client(bench.endpoint);
  for (int i = 0; i < 20; ++i)
    client.send("GET /api/v1/events?since=0&limit=5000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::this_thread::sleep_for(kUnread);
  CHECK(client.closed());
  CHECK(client.input.size() < 19u * 5000 * 500);
  CHECK(bench.get("/livez").status == 200);
}

TEST_CASE("http: status answers while a slow request is under way; too many of them are refused") {
  Bench bench([](HttpOptions& o) { o.max_jobs = 2; });
  bench.reader.slow = milliseconds(500);
  Client one(bench.endpoint), two(bench.endpoint);
  const std::string request = "GET /api/v1/routes?limit=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
  one.send(request);
  two.send(request);
  std::this_thread::sleep_for(milliseconds(100));
  const auto start = std::chrono::steady_clock::now();
  CHECK(bench.get("/api/v1/status").status == 200);
  const Answer third = bench.get("/api/v1/routes?limit=1");
  CHECK(third.status == 503);
  CHECK(third.has("Retry-After: 1\r\n"));
  CHECK(std::chrono::steady_clock::now() - start < milliseconds(400));
  CHECK(one.read().status == 200);
  CHECK(two.read().status == 200);
}

TEST_CASE("http: connections beyond the limit are told so") {
  Bench bench([](HttpOptions& o) { o.max_connections = 2; });
  Client one(bench.endpoint), two(bench.endpoint);
  CHECK(one.get("/livez").status == 200);
  CHECK(two.get("/livez").status == 200);
  Client three(bench.endpoint);
  CHECK(three.read().status == 503);
  CHECK(three.closed());
  CHECK(one.get("/livez").status == 200);
}

TEST_CASE("http: a Unix socket has mode 0660, replaces a stale one, and goes at the end") {
  const test::TempDir folder;
  const std::string path = folder.file("lapwing.sock");
  testing::bind_unix(SOCK_STREAM, path).reset();  // nobody listens on it any more
  {
    Bench bench([&path](HttpOptions& o) { o.listen = {"unix:" + path}; });
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0660);
    Client client(bench.endpoint);
    client.send("GET /api/v1/status HTTP/1.1\r\nHost: anything\r\n\r\n");
    CHECK(client.read().status == 200);
    HttpOptions same;
    same.listen = {"unix:" + path};
    HttpServer second(same, HttpContext{bench.reader, bench.journal, {}, nullptr});
    CHECK(second.start().value_or("").find("another process listens") != std::string::npos);
    CHECK(bench.get("/livez").status == 200);
  }
  CHECK_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "precious";
  FakeReader reader;
  MemoryJournal journal;
  HttpOptions options;
  options.listen = {"unix:" + path};
  HttpServer third(options, HttpContext{reader, journal, {}, nullptr});
  CHECK(third.start().value_or("").find("is no socket") != std::string::npos);
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("SSE: events as they come, with id, type and the same JSON; heartbeats in between") {
  Bench bench([](HttpOptions& o) { o.heartbeat = milliseconds(200); });
  bench.journal.add_numbered(1, 3);
  Client client(bench.endpoint);
  client.send("GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(client.wait_for("\r\n\r\n"));
  CHECK(client.input.find("Content-Type: text/event-stream\r\n") != std::string::npos);
  CHECK(client.wait_for("\r\n\r\n:\n\n"));
  bench.journal.add_numbered(4, 4);
  CHECK(client.wait_for("id: 4\nevent: new-upstream\ndata: " + event_json(testing::numbered(4), 4) +
                        "\n\n"));
  CHECK(client.input.find("id: 3\n") == std::string::npos);
}

TEST_CASE("SSE: since, type and Last-Event-ID choose what comes") {
  Bench bench;
  bench.journal.add_numbered(1, 200);
  Event other = testing::numbered(201);
  other.type = "path-change";
  bench.journal.add(other);
  Client all(bench.endpoint), typed(bench.endpoint), resumed(bench.endpoint);
  all.send("GET /api/v1/events/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  typed.send(
      "GET /api/v1/events/stream?since=0&type=path-change HTTP/1.1\r\nHost: localhost\r\n\r\n");
  resumed.send(
      "GET /api/v1/events/stream?since=0 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: "
      "199\r\n\r\n");
  CHECK(all.wait_for("id: 201\n"));
  for (int n = 1; n <= 200; ++n)
    CHECK(all.input.find("id: " + std::to_string(n) + "\n") != std::string::npos);
  CHECK(typed.wait_for("id: 201\n"));
  CHECK(typed.input.find("new-upstream\ndata") == std::string::npos);
  CHECK(resumed.wait_for("id: 201\n"));
  CHECK(resumed.input.find("\r\n\r\nid: 200\n") != std::string::npos);
  CHECK(bench.get("/api/v1/events/stream?since=x").status == 400);
}

TEST_CASE("SSE: a follower that does not read is cut, a follower that leaves frees its place") {
  Bench bench([](HttpOptions& o) {
    o.write_timeout = milliseconds(300);
    o.max_streams = 1;
  });
  bench.journal.add_numbered(1, 30000);
  Client stuck(bench.endpoint);
  stuck.send("GET /api/v1/events/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(stuck.wait_for("\r\n\r\n"));
  CHECK(bench.get("/api/v1/events/stream").status == 503);
  std::this_thread::sleep_for(milliseconds(1500));
  CHECK(stuck.closed());
  {
    Client leaves(bench.endpoint);
    leaves.send("GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(leaves.wait_for("200 OK"));
  }
  std::this_thread::sleep_for(milliseconds(300));
  Client next(bench.endpoint);
  next.send("GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(next.wait_for("200 OK"));
  bench.server->stop();
  CHECK(next.closed());
}

}  // namespace
}  // namespace lapwing::sinks
