// RIS Live over a WebSocket, with clients that mean ill.
#include <doctest/doctest.h>

#include "sink_ris_support.h"
#include "sinks/host_port.h"
#include "sinks/ris_message.h"

namespace lapwing::sinks {
namespace {

constexpr const char* kHandshake =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A client with frames made by hand, so that they may be wrong.
class Frames : public Client {
 public:
  explicit Frames(const std::string& endpoint, const std::string& more = "") : Client(endpoint) {
    head = get("/v1/ws/?client=test", kHandshake + more);
  }
  void say(std::string_view text, int code = 1) { send(frame(code, text)); }
  static std::string frame(int code, std::string_view text, bool masked = true) {
    std::string out(1, static_cast<char>(0x80 | code));
    const int mask = masked ? 0x80 : 0;
    if (text.size() < 126) {
      out += static_cast<char>(mask | static_cast<int>(text.size()));
    } else {
      const int bytes = text.size() < 65536 ? 2 : 8;
      out += static_cast<char>(mask | (bytes == 2 ? 126 : 127));
      for (int i = bytes; i-- > 0;) out += static_cast<char>(text.size() >> (8 * i));
    }
    const std::string key = masked ? "\x01\x02\x03\x04" : "";
    out += key;
    for (std::size_t i = 0; i < text.size(); ++i)
      out += static_cast<char>(text[i] ^ (masked ? key[i % 4] : 0));
    return out;
  }
  /// The next frame's payload; `opcode` 0 where there is none.
  std::string hear(milliseconds limit = milliseconds(10000)) {
    opcode = 0;
    const auto have = [&](std::size_t size) {
      while (input.size() < size)
        if (!wait_more(limit)) return false;
      return true;
    };
    if (!have(2)) return {};
    std::size_t size = static_cast<unsigned char>(input[1]), at = 2;
    const std::size_t wide = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (wide != 0) {
      if (!have(2 + wide)) return {};
      for (size = 0; at < 2 + wide; ++at) size = size << 8 | static_cast<unsigned char>(input[at]);
    }
    if (!have(at + size)) return {};
    opcode = input[0] & 15;
    std::string text = input.substr(at, size);
    input.erase(0, at + size);
    return text;
  }
  /// The code of the close frame that comes next (RFC 6455 5.5.1); 0 where something else comes.
  int hear_close() {
    const std::string text = hear();
    if (opcode != 8 || text.size() < 2) return 0;
    return static_cast<unsigned char>(text[0]) << 8 | static_cast<unsigned char>(text[1]);
  }
  Answer head;
  int opcode = 0;
};

TEST_CASE("RIS Live by WebSocket: a subscription, its messages, and the end of it") {
  Bench bench;
  Frames client(bench.endpoint), silent(bench.endpoint);
  REQUIRE(client.head.status == 101);
  CHECK(client.head.has("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  CHECK_FALSE(client.head.has("Sec-WebSocket-Extensions"));
  client.say(R"({"type":"ping","data":null})");
  CHECK(client.hear() == R"({"type":"pong","data":null})");
  client.say(R"({"type":"request_rrc_list"})");
  CHECK(json::parse(client.hear()).at("data").at(0).as_string() == local_hostname());
  client.say(R"({"type":"ris_subscribe","data":{"prefix":"10.0.0.0/8","socketOptions":)"
             R"({"acknowledge":true}}})");
  CHECK(client.hear().starts_with(R"({"type":"ris_subscribe_ok")"));
  client.say(R"({"type":"ris_subscribe","data":{"path":"3333","socketOptions":{"acknowledge":true}}})");
  CHECK(client.hear().starts_with(R"({"type":"ris_subscribe_ok")"));
  bench.feed.add(announced(1, "10.1.0.0/16"));  // both want it; it comes once
  bench.feed.add(session(2, SessionNews::kDown));
  bench.feed.add(withdrawn(3, "10.1.0.0/16"));
  CHECK(client.hear().find("\"announcements\"") != std::string::npos);
  CHECK(client.hear().find("\"withdrawals\":[\"10.1.0.0/16\"]") != std::string::npos);
  client.say("nonsense");
  CHECK(client.hear().starts_with(R"({"type":"ris_error")"));
  client.say("", 9);  // a ping of the protocol itself
  client.hear();
  CHECK(client.opcode == 10);
  CHECK(bench.feed.watchers() == 2);
  client.say("\x03\xe8", 8);
  CHECK(client.hear_close() == 1000);
  CHECK(client.closed());
  CHECK(silent.input.empty());
}

TEST_CASE("RIS Live by WebSocket: silence is broken, so that clients do not give up") {
  Bench bench([](HttpOptions& o) { o.heartbeat = milliseconds(200); });
  Frames client(bench.endpoint);
  CHECK(client.hear() == R"({"type":"pong","data":null})");
  CHECK(client.hear() == R"({"type":"pong","data":null})");
}

TEST_CASE("RFC 6455: frames that are wrong end the connection with the code that says why") {
  Bench bench;
  const std::vector<std::pair<std::string, int>> cases = {
      {Frames::frame(1, "{}", false), 1002},              // 5.1: a client masks
      {Frames::frame(1, std::string(65537, ' ')), 1009},  // too long
      {Frames::frame(1, "\xff\xfe"), 1007},               // 8.1: text is UTF-8
      {Frames::frame(1, "\xed\xa0\x80"), 1007},           // a surrogate is none
      {Frames::frame(2, "{}"), 1003},                     // binary
      {Frames::frame(3, ""), 1002},                       // 5.2: reserved
      {Frames::frame(0, ""), 1002},                       // 5.4: continues nothing
      {"\x09\x80\x01\x02\x03\x04", 1002},                 // 5.5: a ping in fragments
      {Frames::frame(9, std::string(126, 'x')), 1002},    // 5.5: a long ping
      {"\xc1\x80\x01\x02\x03\x04", 1002},                 // 5.2: RSV1 without an extension
      {std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", 14), 1009},
  };
  for (const auto& [octets, code] : cases) {
    Frames client(bench.endpoint);
    REQUIRE(client.head.status == 101);
    const std::string& text = octets;
    CAPTURE(boost::json::serialize(json::string(text.substr(0, 2))));
    client.send(text);
    CHECK(client.hear_close() == code);
    CHECK(client.closed());
  }
  CHECK(bench.get("/livez").status == 200);
}

TEST_CASE("RIS Live by WebSocket: what is no handshake is told why") {
  Bench bench([](HttpOptions& o) { o.max_streams = 1; });
  const Answer plain = bench.get("/v1/ws/");
  CHECK(plain.status == 426);
  CHECK(plain.has("Upgrade: websocket\r\n"));
  CHECK(plain.has("Sec-WebSocket-Version: 13\r\n"));
  CHECK(bench.get("/v1/ws/", "Upgrade: websocket\r\nConnection: Upgrade\r\n").status == 426);
  const std::string origin = std::string(kHandshake) + "Origin: ";
  CHECK(bench.get("/v1/ws/", origin + "http://evil.example\r\n").status == 403);
  CHECK(bench.get("/v1/ws/", origin + "null\r\n").status == 403);
  CHECK(bench.get("/v1/ws/", origin + "http://localhost\r\n").status == 101);
  {
    Client eager(bench.endpoint);
    eager.send("GET /v1/ws/ HTTP/1.1\r\nHost: localhost\r\n" + std::string(kHandshake) + "\r\n" +
               Frames::frame(1, "{}"));
    CHECK(eager.read().status == 400);
  }
  for (int i = 0; i < 100 && bench.feed.watchers() != 0; ++i)
    std::this_thread::sleep_for(milliseconds(20));
  Frames first(bench.endpoint);
  CHECK(first.head.status == 101);
  CHECK(bench.get("/v1/ws/", kHandshake).status == 503);
  CHECK(bench.get("/v1/stream/").status == 503);
}

TEST_CASE("RIS Live: with a token nothing is told without it; by TCP without one, no foreign host") {
  {
    Bench bench([](HttpOptions& o) {
      o.token = "s3cret";
      o.listen = {"0.0.0.0:0"};
    });
    CHECK(bench.get("/v1/ws/", kHandshake).status == 401);
    CHECK(bench.get("/v1/stream/").status == 401);
    CHECK(bench.get("/v1/ws/", std::string(kHandshake) + "Authorization: Bearer s3cret\r\n").status ==
          101);
  }
  Bench bench;
  Client client(bench.endpoint);
  client.send("GET /v1/ws/ HTTP/1.1\r\nHost: evil.example\r\n" + std::string(kHandshake) + "\r\n");
  CHECK(client.read().status == 421);
}

TEST_CASE("RIS Live by WebSocket: a client that lost changes is told, and closed with 1013") {
  Bench bench;
  Frames client(bench.endpoint);
  client.say(R"({"type":"ris_subscribe","data":{"socketOptions":{"acknowledge":true}}})");
  CHECK(client.hear().starts_with(R"({"type":"ris_subscribe_ok")"));
  bench.feed.add(announced(1, "10.0.0.0/8"));
  CHECK(client.hear().find("ris_message") != std::string::npos);
  bench.feed.add(announced(9, "10.0.0.0/8"));
  CHECK(client.hear() == ris_error("7 changes were lost: the client is too slow"));
  CHECK(client.hear_close() == 1013);
}

TEST_CASE("RIS Live: a client that never reads is cut and frees its place, and is not read itself") {
  Bench bench([](HttpOptions& o) { o.write_timeout = milliseconds(400); });
  Frames stuck(bench.endpoint), talker(bench.endpoint);
  stuck.say(R"({"type":"ris_subscribe","data":null})");
  std::this_thread::sleep_for(milliseconds(100));
  for (std::uint64_t i = 1; i <= 40000; ++i) {
    RouteUpdate update = announced(i, "10.0.0.0/8");
    update.message = i;
    bench.feed.add(std::move(update));
  }
  // Answers to what it says are not kept without end either.
  const std::string question =
      Frames::frame(1, R"({"type":"ris_subscribe","data":{"socketOptions":{"acknowledge":true},)"
                       R"("host":")" + std::string(8000, 'x') + "\"}}");
  int asked = 0;
  while (asked < 20000 && ::send(talker.fd(), question.data(), question.size(), MSG_NOSIGNAL) > 0)
    ++asked;
  CHECK(asked < 20000);
  for (int i = 0; i < 200 && bench.feed.watchers() != 0; ++i)
    std::this_thread::sleep_for(milliseconds(50));
  CHECK(bench.feed.watchers() == 0);
  CHECK(bench.get("/livez").status == 200);
}

TEST_CASE("RIS Live: the end of the server ends its WebSockets") {
  Bench bench;
  Frames client(bench.endpoint);
  REQUIRE(client.head.status == 101);
  bench.server->stop();
  CHECK(client.closed());
  CHECK(bench.feed.watchers() == 0);
}

}  // namespace
}  // namespace lapwing::sinks
