// What the tests of the API share: what it reads, as fakes, and a client with a plain socket.
#pragma once

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lapwing/reader.h"
#include "sink_sockets.h"
#include "sink_testing.h"
#include "sinks/http_server.h"

namespace lapwing::sinks {

using testing::Fd;
using testing::MemoryJournal;
using testing::prefix;
namespace json = boost::json;
using std::chrono::milliseconds;

// ORIGIN IGP, AS_PATH 3333 {64496,64497}, NEXT_HOP, MED 50, LOCAL_PREF 100, AGGREGATOR,
// COMMUNITIES 3333:1, EXTENDED rt:64500:7 and an opaque one, LARGE 1:2:3, OTC 3333.
inline std::vector<std::uint8_t> attributes() {
  std::vector<std::uint8_t> a;
  const auto add = [&a](std::uint8_t type, std::initializer_list<int> value) {
    a.push_back(type);
    a.push_back(static_cast<std::uint8_t>(value.size()));
    for (const int v : value) a.push_back(static_cast<std::uint8_t>(v));
  };
  add(1, {0});
  add(2, {2, 1, 0x85, 0x1a, 1, 2, 0xf0, 0xf7, 0x03, 0xf1, 0xf7, 0x03});
  add(3, {192, 0, 2, 1});
  add(4, {0, 0, 0, 50});
  add(5, {0, 0, 0, 100});
  add(7, {0, 0, 0xfb, 0xf4, 192, 0, 2, 9});
  add(8, {0x0d, 0x05, 0, 1});
  add(16, {0, 2, 0xfb, 0xf4, 0, 0, 0, 7, 3, 0x0c, 0, 0, 0, 0, 0, 8});
  add(32, {0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3});
  add(35, {0, 0, 0x0d, 0x05});
  return a;
}

class FakeReader : public Reader {
 public:
  Status status() const override {
    const std::lock_guard lock(mutex);
    return state;
  }
  std::vector<PeerStatus> peers() const override {
    PeerStatus p;
    p.name = "edge 1/a";
    p.address = parse_address("192.0.2.1").value();
    p.port = 179;
    p.as = 64512;
    p.local_as = 64512;
    p.state = "Established";
    p.since = testing::at("2017-10-01T00:00:00Z");
    p.families = {kIpv4Unicast, kIpv6Unicast};
    p.capabilities = {"route refresh"};
    p.routes = 7;
    PeerStatus q;
    q.name = "quote\"\\\n\xff";
    q.state = "Idle";
    return {p, q};
  }
  std::optional<RoutePage> routes(
      const RouteQuery& query, const std::function<void(const StoredRoute&)>& fn) const override {
    {
      const std::lock_guard lock(mutex);
      last_query = query;
    }
    if (slow.count() > 0) std::this_thread::sleep_for(slow);
    if (query.peer == "throw") throw std::runtime_error("the store is broken");
    StoredRoute r;
    r.peer = "edge1";
    r.peer_as = 3333;
    r.nlri.family = kIpv4Unicast;
    r.nlri.prefix = prefix("175.45.176.0/24");
    r.path = attributes();
    r.since = testing::at("2017-10-01T09:07:51Z");
    if (!query.after.empty() && query.after.find_first_not_of("0123456789") != std::string::npos)
      return std::nullopt;
    // Routes are numbered; the position is the number of the last one.
    RoutePage page;
    std::size_t number = query.after.empty() ? 0 : std::stoul(query.after);
    for (std::size_t looked = 0; number < table; ++looked) {
      if (page.given == query.limit || looked == query.scan) {
        page.more = true;
        break;
      }
      ++number;
      if (query.wanted && !query.wanted(r.nlri, PathView(r.path))) continue;
      fn(r);
      ++page.given;
    }
    page.next = std::to_string(number);
    return page;
  }
  bool history(const HistoryQuery& query,
               const std::function<void(const RouteHistory&)>& fn) const override {
    {
      const std::lock_guard lock(mutex);
      last_history = query;
    }
    RouteHistory row;
    row.time = testing::at("2017-10-01T09:07:51Z");
    row.peer = "edge1";
    row.nlri.family = kIpv4Unicast;
    row.nlri.prefix = query.prefix;
    row.after = attributes();
    fn(row);
    row.before = row.after;
    row.after.reset();
    fn(row);
    return query.limit == 2;
  }
  std::vector<Blind> blind(const std::optional<std::string>& peer) const override {
    if (peer && *peer != "edge1") return {};
    return {{"edge1", testing::at("2017-10-01T09:00:00Z"), testing::at("2017-10-01T09:10:00Z"),
             "hold timer expired"},
            {"edge1", testing::at("2017-10-02T00:00:00Z"), std::nullopt, "the session was down"}};
  }
  std::vector<DetectorStatus> detectors() const override {
    return {{"new-upstream", true, 128, 5000000}, {"path-change", false, 7, 0}};
  }
  Measures measures() const override {
    Measures m;
    m.engine = Measures::Engine{};
    m.engine->prefix_bytes = 36;
    m.engine->routes = {{"edge 1/a", {{kIpv4Unicast, 5}, {kIpv6Unicast, 2}}}};
    m.changes = 9;
    m.queue_limit_bytes = 16u << 20;
    Histogram latency(kLatencyBounds);
    latency.observe(0.0015);
    latency.observe(0.015);
    latency.observe(100);
    m.event_seconds = latency.value();
    m.store.write_seconds = Histogram(kWriteBounds).value();
    m.store.batch_changes = Histogram(kBatchBounds).value();
    return m;
  }
  std::optional<std::string> detector_query(std::string_view what,
                                            std::string_view argument) const override {
    if (what == "upstreams" && argument == "131279")
      return R"([{"as":4837,"first_seen":"2010-12-01T00:00:00.000000Z",)"
             R"("last_seen":"2017-10-01T09:07:51.000000Z","active":true,"prefixes":4,)"
             R"("peers":["edge1"],"activations":2,"intervals":[)"
             R"({"from":"2010-12-01T00:00:00.000000Z","to":"2012-01-01T00:00:00.000000Z","gaps":2},)"
             R"({"from":"2013-01-01T00:00:00.000000Z","to":null}]}])";
    if (what == "path-change-children" && argument == "7e0d")
      return R"([{"peer":"a","peer_as":1,"prefix":"192.0.2.0/24","old_path":"1 2","new_path":null,)"
             R"("time":"2017-10-01T09:07:51.000000Z"}])";
    if (what == "suppressed") return R"({"rules":[],"events":[]})";
    return std::nullopt;
  }
  mutable std::mutex mutex;
  mutable RouteQuery last_query;      // guarded by mutex
  Status state;                       // guarded by mutex
  mutable HistoryQuery last_history;  // guarded by mutex
  milliseconds slow{0};
  std::size_t table = 3;  // routes
};

/// Remembers what was asked for.
class FakeControl : public Control {
 public:
  ControlResult peer(std::string_view name, PeerAction action, std::string_view text) override {
    const std::lock_guard lock(mutex);
    asked.push_back(std::string(name) + " " + std::to_string(static_cast<int>(action)) + " " +
                    std::string(text));
    if (name == "nobody")
      return {ControlResult::Kind::kUnknown, "no neighbour is called 'nobody'", {}};
    if (name == "down") return {ControlResult::Kind::kRefused, "down is not established", {}};
    return {ControlResult::Kind::kDone, std::string(name) + " is done", {}};
  }
  ControlResult reload() override {
    const std::lock_guard lock(mutex);
    asked.emplace_back("reload");
    return reloaded;
  }
  std::mutex mutex;
  std::vector<std::string> asked;  // guarded by mutex
  ControlResult reloaded{ControlResult::Kind::kDone, "read", {"neighbour edge1 added"}};
};

class FakeFeed : public UpdateFeed {
 public:
  std::vector<RouteUpdate> read_after(std::uint64_t number, std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    std::vector<RouteUpdate> out;
    for (const RouteUpdate& update : updates_)
      if (update.number > number && out.size() < limit) out.push_back(update);
    return out;
  }
  std::uint64_t last() const override {
    const std::lock_guard lock(mutex_);
    return updates_.empty() ? 0 : updates_.back().number;
  }
  int subscribe(std::function<void()> fn) override {
    const std::lock_guard lock(mutex_);
    watchers_[++handle_] = std::move(fn);
    return handle_;
  }
  void unsubscribe(int handle) override {
    const std::lock_guard lock(mutex_);
    watchers_.erase(handle);
  }
  void add(RouteUpdate update) {
    const std::lock_guard lock(mutex_);
    updates_.push_back(std::move(update));
    for (const auto& [handle, fn] : watchers_) fn();
  }
  std::size_t watchers() const {
    const std::lock_guard lock(mutex_);
    return watchers_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<RouteUpdate> updates_;
  std::map<int, std::function<void()>> watchers_;
  int handle_ = 0;
};

struct Answer {
  unsigned status = 0;
  std::string head, body;
  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
  json::value json() const { return boost::json::parse(body); }
};

/// How long a client does not read, so that the server has filled the socket and waited.
#ifdef __SANITIZE_THREAD__
constexpr milliseconds kUnread{20000};
constexpr milliseconds kPatience{90000};  // for what must come
#else
constexpr milliseconds kUnread{1500};
constexpr milliseconds kPatience{10000};
#endif

/// A client with a plain socket.
class Client {
 public:
  explicit Client(const std::string& endpoint) {
    if (endpoint.starts_with("unix:")) {
      const sockaddr_un address = testing::unix_address(endpoint.substr(5));
      fd_ = Fd(::socket(AF_UNIX, SOCK_STREAM, 0));
      connected =
          ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      return;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port =
        htons(static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1))));
    fd_ = Fd(::socket(AF_INET, SOCK_STREAM, 0));
    connected =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  void send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Waits until the input holds `text`; false at its end or when the time is over.
  bool wait_for(std::string_view text, milliseconds limit = kPatience) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (input.find(text) == std::string::npos) {
      if (!receive(end)) return false;
    }
    return true;
  }
  /// Waits for more input; false at its end or when the time is over.
  bool wait_more(milliseconds limit = kPatience) {
    return receive(std::chrono::steady_clock::now() + limit);
  }
  /// The next answer; status 0 at the end of the connection.
  Answer read(bool head = false) {
    Answer answer;
    if (!wait_for("\r\n\r\n")) return answer;
    const std::size_t end = input.find("\r\n\r\n") + 4;
    answer.head = input.substr(0, end);
    answer.status = static_cast<unsigned>(std::stoul(answer.head.substr(9, 3)));
    input.erase(0, end);
    const std::size_t at = answer.head.find("Content-Length: ");
    const std::size_t size =
        at == std::string::npos || head ? 0 : std::stoul(answer.head.substr(at + 16));
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (input.size() < size && receive(limit)) {
    }
    answer.body = input.substr(0, size);
    input.erase(0, size);
    return answer;
  }
  Answer get(const std::string& target, const std::string& more = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n");
    return read();
  }
  /// True when the server has closed within the time.
  bool closed(milliseconds limit = kPatience) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (receive(end)) {
    }
    return ended_;
  }
  int fd() const { return fd_.get(); }

  std::string input;
  bool connected = false;

 private:
  bool receive(std::chrono::steady_clock::time_point end) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
    pollfd ready{fd_.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) <= 0) return false;
    char buffer[65536];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    ended_ = n <= 0;
    if (n > 0) input.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  Fd fd_;
  bool ended_ = false;
};

struct Bench {
  explicit Bench(std::function<void(HttpOptions&)> change = nullptr) {
    HttpOptions options;
    options.listen = {"127.0.0.1:0"};
    if (change) change(options);
    HttpContext context{reader, journal, {"lapwing", "0.1.0"}, nullptr, &control, &feed};
    context.sinks = [] { return std::vector<SinkStatus>{{"syslog:x", "up", 3, 2, 1, "was down"}}; };
    server.emplace(std::move(options), std::move(context));
    const auto wrong = server->start();
    REQUIRE_MESSAGE(!wrong, wrong.value_or(""));
    endpoint = server->endpoints().at(0);
  }
  Answer get(const std::string& target, const std::string& more = "") {
    return Client(endpoint).get(target, more);
  }
  FakeReader reader;
  FakeControl control;
  FakeFeed feed;
  MemoryJournal journal;
  std::optional<HttpServer> server;
  std::string endpoint;
};

}  // namespace lapwing::sinks
