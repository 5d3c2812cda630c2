#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "sink_sockets.h"
#include "sink_testing.h"
#include "sinks/event_template.h"
#include "sinks/registry.h"
#include "sinks/runner.h"
#include "sinks/webhook_request.h"
#include "sinks/webhook_sink.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

using testing::accept_one;
using testing::bind_loopback;
using testing::Fd;
using testing::MemoryJournal;
using testing::read_more;
using testing::run_until;
using testing::story;

/// An HTTP server that answers each request with the next of `answers`, the last one for ever.
struct Server {
  explicit Server(std::vector<std::string> a) : answers(std::move(a)) {
    listener = bind_loopback(SOCK_STREAM, port);
  }
  void turn() {
    if (Fd next = accept_one(listener)) {
      connection = std::move(next);
      input.clear();
    }
    if (!connection) return;
    read_more(connection, input);
    const std::size_t head = input.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const std::size_t at = input.find("Content-Length: ");
    if (at == std::string::npos || at > head) return;
    const std::size_t size = std::stoul(input.substr(at + 16));
    if (input.size() < head + 4 + size) return;
    heads.push_back(input.substr(0, head));
    bodies.push_back(input.substr(head + 4));
    const std::string& answer = answers[std::min(heads.size(), answers.size()) - 1];
    if (!answer.empty()) {
      const std::string text = "HTTP/1.1 " + answer + "\r\nContent-Length: 0\r\n\r\n";
      CHECK(::send(connection.get(), text.data(), text.size(), MSG_NOSIGNAL) > 0);
      connection.reset();
    }
    input.clear();
  }
  std::vector<std::string> answers;
  std::uint16_t port = 0;
  Fd listener, connection;
  std::string input;
  std::vector<std::string> heads, bodies;
};

struct Bench {
  explicit Bench(const Server& server,
                 std::vector<std::pair<std::string, SettingValue>> more = {}) {
    Settings settings;
    settings.set("url", "http://127.0.0.1:" + std::to_string(server.port) + "/hook?key=1");
    settings.set("timeout", std::int64_t{1});
    settings.set("longest-pause", std::int64_t{1});
    for (auto& [key, value] : more) settings.set(key, std::move(value));
    auto sink = make_sink("webhook", settings, io, {"lapwing", "1"});
    for (const SettingError& e : settings.finish()) FAIL(e.key << ": " << e.message);
    journal.set_cursor(sink->name(), 0);
    runner.emplace(io, journal, std::move(sink));
    runner->start();
  }
  bool reaches(Server& server, std::uint64_t cursor) {
    return run_until(io, [&] { return server.turn(), runner->status().cursor == cursor; });
  }
  boost::asio::io_context io;
  MemoryJournal journal;
  std::optional<SinkRunner> runner;
};

TEST_CASE("webhook URL: what is understood and what is not") {
  const auto url = parse_webhook_url("https://hooks.example.net/services/T/B/x?y=1").value();
  CHECK(url.tls);
  CHECK(url.host == "hooks.example.net");
  CHECK(url.port == "443");
  CHECK(url.target == "/services/T/B/x?y=1");
  CHECK(parse_webhook_url("http://[2001:db8::1]:8080")->host == "2001:db8::1");
  CHECK(parse_webhook_url("http://[2001:db8::1]:8080")->port == "8080");
  CHECK(parse_webhook_url("http://h?a=b")->target == "/?a=b");
  for (const char* wrong :
       {"", "h", "ftp://h/", "http://", "http:///x", "http://h:0/", "http://h:x/", "http://u@h/",
        "http://h/ x", "http://h/#f", "http://h/\r\nX: y"})
    CHECK_MESSAGE(!parse_webhook_url(wrong), wrong);
}

TEST_CASE("webhook: one request for each event, JSON, in order") {
  Server server({"200 OK"});
  Bench bench(server);
  bench.journal.add_numbered(1, 5);
  CHECK(bench.reaches(server, 5));
  REQUIRE(server.bodies.size() == 5);
  CHECK(server.heads[0].starts_with("POST /hook?key=1 HTTP/1.1\r\n"));
  CHECK(server.heads[0].find("Content-Type: application/json") != std::string::npos);
  CHECK(server.heads[0].find("Host: 127.0.0.1:" + std::to_string(server.port)) !=
        std::string::npos);
  CHECK(server.heads[0].find("Signature") == std::string::npos);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(boost::json::parse(server.bodies[i]).at("summary").as_string() ==
          "event " + std::to_string(i + 1));
}

TEST_CASE("webhook: a batch is an array, and goes with what the filter withholds") {
  Server server({"204 No Content"});
  Bench bench(server, {{"batch", std::int64_t{4}}, {"types", std::vector<std::string>{"new-*"}}});
  for (int n = 0; n < 10; ++n) {
    Event e = story();
    if (n % 2 != 0) e.type = "path-change";
    bench.journal.add(e);
  }
  CHECK(bench.reaches(server, 10));
  std::size_t events = 0;
  for (const std::string& body : server.bodies) {
    CHECK(boost::json::parse(body).as_array().size() <= 4);
    events += boost::json::parse(body).as_array().size();
  }
  CHECK(events == 5);
}

TEST_CASE(
    "webhook: 429 and 5xx are tried again, Retry-After is waited for, nothing is passed over") {
  Server server({"503 No", "429 Slow\r\nRetry-After: 2", "200 OK"});
  Bench bench(server);
  const auto start = std::chrono::steady_clock::now();
  bench.journal.add_numbered(1, 2);
  CHECK(bench.reaches(server, 2));
  CHECK(std::chrono::steady_clock::now() - start > std::chrono::milliseconds(2400));
  REQUIRE(server.bodies.size() == 4);
  CHECK(server.bodies[0] == server.bodies[1]);
  CHECK(server.bodies[1] == server.bodies[2]);
  CHECK(server.bodies[2] != server.bodies[3]);
  CHECK(bench.runner->status().retries == 2);
  CHECK(bench.runner->status().last_error == "answer 429 Slow");
  CHECK(bench.runner->status().state == "up");
}

TEST_CASE("webhook: what the receiver cannot take is given up after three tries and counted") {
  Server server({"400 Bad", "400 Bad", "422 Bad", "200 OK"});
  Bench bench(server);
  bench.journal.add_numbered(1, 2);
  CHECK(bench.reaches(server, 2));
  CHECK(server.bodies.size() == 4);
  CHECK(bench.runner->status().lost == 1);
}

TEST_CASE("webhook: a wrong path or token is no reason to give an event up") {
  Server server({"404 Not Found", "401 No", "403 No", "301 Away", "404 Not Found", "200 OK"});
  Bench bench(server);
  bench.journal.add_numbered(1, 1);
  CHECK(bench.reaches(server, 1));
  CHECK(server.bodies.size() == 6);
  CHECK(bench.runner->status().lost == 0);
}

TEST_CASE("webhook: a receiver that never answers is given up after the timeout, and tried again") {
  Server server({"", "200 OK"});
  Bench bench(server);
  bench.journal.add_numbered(1, 1);
  CHECK(bench.reaches(server, 1));
  CHECK(server.bodies.size() == 2);
  CHECK(bench.runner->status().last_error.find("no answer") != std::string::npos);
}

// RFC 4231 4.3, test case 2.
TEST_CASE("webhook: the signature is HMAC-SHA256 of the body") {
  CHECK(webhook_signature("Jefe", "what do ya want for nothing?") ==
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  Server server({"200 OK"});
  Bench bench(server, {{"secret", std::string("Jefe")},
                       {"headers", std::vector<std::string>{"Authorization: Bearer t"}}});
  bench.journal.add_numbered(1, 1);
  CHECK(bench.reaches(server, 1));
  CHECK(server.heads[0].find("X-Lapwing-Signature: " +
                             webhook_signature("Jefe", server.bodies[0])) != std::string::npos);
  CHECK(server.heads[0].find("Authorization: Bearer t") != std::string::npos);
}

TEST_CASE("template: places are filled and escaped, so that JSON stays JSON") {
  std::string error;
  Event e = story();
  e.summary = "a \"quoted\" \\ line\nbreak \xff";
  e.fields = {{"times", std::int64_t{3}}};
  const auto t = EventTemplate::parse(
      R"j({"text":"{{summary}} by {{peer}} ({{severity}}, {{times}}{{nothing}})"})j", error);
  REQUIRE(t);
  CHECK(boost::json::parse(t->fill(e)).at("text").as_string() ==
        "a \"quoted\" \\ line\nbreak \xef\xbf\xbd by rrc03-x (warning, 3)");
  CHECK(EventTemplate::parse("{{summary|raw}}", error)->fill(e) ==
        "a \"quoted\" \\ line\nbreak \xef\xbf\xbd");
  CHECK(EventTemplate::parse("no place }} {", error)->fill(e) == "no place }} {");
  for (const char* wrong : {"{{", "x {{}}", "{{Summary}}", "{{a b}}", "{{a", "{{a|rew}}"}) {
    error.clear();
    CHECK_FALSE(EventTemplate::parse(wrong, error));
    CHECK(error.find("octet") != std::string::npos);
  }
}

TEST_CASE("webhook: the body is the template's, read from a file") {
  const test::TempDir folder;
  const std::string path = folder.file("slack.json");
  std::ofstream(path) << R"({"text":"{{summary}}"})";
  Server server({"200 OK"});
  Bench bench(server, {{"template-file", path}});
  bench.journal.add_numbered(1, 1);
  CHECK(bench.reaches(server, 1));
  CHECK(server.bodies[0] == R"({"text":"event 1"})");
}

TEST_CASE("webhook: wrong settings are errors of the configuration") {
  boost::asio::io_context io;
  const auto errors = [&io](std::vector<std::pair<std::string, SettingValue>> values) {
    Settings settings;
    settings.set("url", "http://h/");
    for (auto& [key, value] : values) settings.set(key, value);
    make_sink("webhook", settings, io, {"lapwing", "1"});
    std::set<std::string> keys;
    for (const SettingError& e : settings.finish()) keys.insert(e.key);
    return keys;
  };
  using Keys = std::set<std::string>;
  CHECK(errors({}).empty());
  CHECK(errors({{"url", std::string("h")}}) == Keys{"url"});
  CHECK(errors({{"template", std::string("{{")}}) == Keys{"template"});
  CHECK(errors({{"template-file", std::string("/nonexistent")}}) == Keys{"template-file"});
  CHECK(errors({{"secret", std::string("a")}, {"secret-file", std::string("/dev/null")}}) ==
        Keys{"secret-file"});
  CHECK(errors({{"headers", std::vector<std::string>{"no colon"}}}) == Keys{"headers"});
  CHECK(errors({{"headers", std::vector<std::string>{"A: b\r\nC: d"}}}) == Keys{"headers"});
  CHECK(errors({{"batch", std::int64_t{0}}}) == Keys{"batch"});
}

}  // namespace
}  // namespace lapwing::sinks
