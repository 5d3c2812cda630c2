// The HTTP client: addresses, requests, replies, streams, and servers that misbehave.
#include "collector/client.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "tests/unit/cli_server.h"
#include "tests/unit/repeat.h"

using namespace lapwing::collector;
using namespace std::chrono_literals;

namespace {

ApiAddress address_of(const CannedServer& server) {
  const auto api = parse_api_address(server.url());
  REQUIRE(api);
  return *api;
}

std::vector<std::string> read_events(const std::vector<std::string>& chunks) {
  std::vector<std::string> events;
  EventStreamReader reader;
  for (const std::string& chunk : chunks)
    reader.feed(chunk, [&](std::string_view data) {
      events.emplace_back(data);
      return true;
    });
  return events;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("client: an API address is a Unix socket or an http URL without a path") {
  CHECK_EQ(parse_api_address("unix:/run/x.sock")->unix_path, "/run/x.sock");
  CHECK_EQ(parse_api_address("unix:///run/x.sock")->unix_path, "/run/x.sock");
  CHECK_EQ(parse_api_address("/run/x.sock")->unix_path, "/run/x.sock");
  CHECK_EQ(parse_api_address("http://127.0.0.1:8180")->port, "8180");
  CHECK_EQ(parse_api_address("http://collector")->port, "8179");
  CHECK_EQ(parse_api_address("http://collector/")->host, "collector");
  CHECK_EQ(parse_api_address("http://[::1]:8180")->host, "::1");
  CHECK_FALSE(parse_api_address("http://collector")->tls);
  CHECK(parse_api_address("https://collector")->tls);
  CHECK_EQ(parse_api_address("http://[::1]:8180")->port, "8180");
  for (const char* bad : {"", "unix:", "unix:x", "collector:8179", "ftp://collector", "http://",
                          "http://:8179", "http://h:", "http://h:0", "http://h:65536", "http://h:x",
                          "http://h/api", "http://[::1", "http://[::1]x", "http://u@h"})
    CHECK_MESSAGE(!parse_api_address(bad), bad);
}

TEST_CASE("client: all but unreserved characters are percent-encoded") {
  CHECK_EQ(percent_encode("edge-1_a.b~"), "edge-1_a.b~");
  CHECK_EQ(percent_encode("2001:db8::/32 &?#%"), "2001%3Adb8%3A%3A%2F32%20%26%3F%23%25");
  CHECK_EQ(percent_encode("\xc3\xbc\r\n"), "%C3%BC%0D%0A");
}

TEST_CASE("client: a GET over TCP carries target, host and token, and gives the reply") {
  const CannedServer server([](const std::string&) { return CannedServer::json("{\"a\":1}"); });
  ClientOptions options;
  options.token = "t0ken";
  std::string error;
  const auto reply = get(address_of(server), "/api/v1/status", options, error);
  REQUIRE_MESSAGE(reply, error);
  CHECK_EQ(reply->status, 200);
  CHECK_EQ(reply->content_type, "application/json");
  CHECK_EQ(reply->body, "{\"a\":1}");
  const std::string request = server.last_request();
  CHECK(request.starts_with("GET /api/v1/status HTTP/1.1\r\n"));
  CHECK(request.find("Host: " + server.url().substr(7) + "\r\n") != std::string::npos);
  CHECK(request.find("Authorization: Bearer t0ken\r\n") != std::string::npos);
}

TEST_CASE("client: a GET over a Unix socket gives the reply, without a token where none is set") {
  const CannedServer server([](const std::string&) { return CannedServer::json("[]"); }, true);
  std::string error;
  const auto reply = get(address_of(server), "/", {}, error);
  REQUIRE_MESSAGE(reply, error);
  CHECK_EQ(reply->body, "[]");
  CHECK(server.last_request().find("Authorization") == std::string::npos);
}

TEST_CASE("client: a body of unknown length ends with the connection") {
  const CannedServer server([](const std::string&) {
    return std::string("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
  });
  std::string error;
  const auto reply = get(address_of(server), "/", {}, error);
  REQUIRE_MESSAGE(reply, error);
  CHECK_EQ(reply->body, "abc");
}

TEST_CASE("client: nobody listens") {
  std::string error;
  CHECK_FALSE(get(*parse_api_address("unix:/nonexistent/x.sock"), "/", {}, error));
  CHECK_EQ(error, "cannot connect to unix:/nonexistent/x.sock: No such file or directory");
  CHECK_FALSE(get(*parse_api_address("http://127.0.0.1:1"), "/", {}, error));
  CHECK_EQ(error, "cannot connect to http://127.0.0.1:1: Connection refused");
  CHECK_FALSE(get(*parse_api_address("/" + repeat(200, 'x')), "/", {}, error));
  CHECK(error.starts_with("the path of the socket is too long"));
}

TEST_CASE("client: what is no HTTP, or ends early, is an error and no reply") {
  for (const char* answer :
       {"", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"}) {
    CAPTURE(answer);
    const CannedServer server([answer](const std::string&) { return std::string(answer); });
    std::string error;
    CHECK_FALSE(get(address_of(server), "/", {}, error));
    CHECK(error.starts_with("no reply from " + server.url()));
  }
}

TEST_CASE("client: a server that says nothing is given up after the time limit") {
  ClientOptions options;
  options.timeout = 50ms;
  const CannedServer server([](const std::string&) {
    std::this_thread::sleep_for(400ms);
    return std::string();
  });
  const auto start = std::chrono::steady_clock::now();
  std::string error;
  CHECK_FALSE(get(address_of(server), "/", options, error));
  CHECK(std::chrono::steady_clock::now() - start < 300ms);
  CHECK(error.starts_with("no reply from"));
}

TEST_CASE("client: a stream gives each event until the caller has enough") {
  std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string chunk : {"id: 1\ndata: a", "\n\n: ", "ping\ndata: b\n", "\n", ""})
    answer += fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
  const CannedServer server([&](const std::string&) { return answer; });
  Texts events;
  std::string error;
  const auto all = follow(
      address_of(server), "/s", {},
      [&](std::string_view data) {
        events.emplace_back(data);
        return true;
      },
      error);
  CHECK_FALSE(all);
  CHECK_EQ(error, "the stream was ended by " + server.url());
  CHECK((events == Texts{"a", "b"}));
  CHECK(server.last_request().find("Accept: text/event-stream\r\n") != std::string::npos);

  events.clear();
  const auto first = follow(
      address_of(server), "/s", {},
      [&](std::string_view data) {
        events.emplace_back(data);
        return false;
      },
      error);
  REQUIRE(first);
  CHECK_EQ(first->status, 200);
  CHECK((events == Texts{"a"}));
}

TEST_CASE("client: a stream that is refused gives the reply with its body") {
  const CannedServer server([](const std::string&) {
    return CannedServer::reply("503 Service Unavailable", "application/problem+json",
                               "{\"title\":\"Not ready\"}");
  });
  std::string error;
  const auto reply = follow(
      address_of(server), "/s", {}, [](std::string_view) { return true; }, error);
  REQUIRE_MESSAGE(reply, error);
  CHECK_EQ(reply->status, 503);
  CHECK_EQ(reply->body, "{\"title\":\"Not ready\"}");
}

TEST_CASE("event stream: lines, line ends, comments and fields as the HTML standard has them") {
  CHECK((read_events({"data: a\n\n"}) == Texts{"a"}));
  CHECK((read_events({"data:a\r\n\r\n", "data: b\r\r"}) == Texts{"a", "b"}));
  CHECK((read_events({"data: a\r", "\n\r", "\n", "data: b\n", "\n"}) == Texts{"a", "b"}));
  CHECK((read_events({": ping\n\nevent: x\nid: 5\n\n"}).empty()));
  CHECK((read_events({"data: a\ndata: b\ndata\ndata:  c\n\n"}) == Texts{"a\nb\n\n c"}));
  CHECK((read_events({"database: a\n\ndat: b\n\n"}).empty()));
  CHECK((read_events({"data: unfinished\n"}).empty()));
  Texts by_octet;
  for (const char c : std::string("id: 7\r\ndata: a\r\n\r\n")) by_octet.emplace_back(1, c);
  CHECK((read_events(by_octet) == Texts{"a"}));
}

TEST_CASE("event stream: an event beyond the limit is dropped whole, the next one is read") {
  const std::string big = "data: " + repeat(EventStreamReader::kMaxEvent, 'x') + "\n\n";
  CHECK((read_events({big, "data: a\n\n"}) == Texts{"a"}));
  const std::string many = "data: " + repeat(EventStreamReader::kMaxEvent / 2, 'x') + "\n";
  CHECK((read_events({many, many, "data: y\n\n", "data: a\n\n"}) == Texts{"a"}));
}
