// The parts that look after a running collector: watchdog, feed of updates, removed neighbours.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "collector/apart.h"
#include "collector/calm.h"
#include "collector/queues.h"
#include "collector/removed_peers.h"
#include "collector/setup.h"
#include "collector/supervisor.h"
#include "collector/update_tap.h"
#include "collector/watchdog.h"

using namespace lapwing;
using namespace lapwing::collector;

namespace {

class NoSink final : public rib::CommitSink {
 public:
  void submit(rib::Commit&&) override {}
  std::uint64_t durable_sequence() const override { return 0; }
};

Timestamp at(std::int64_t seconds) { return from_unix_micros(seconds * 1000000); }

RouteUpdate update_of(std::size_t octets) {
  RouteUpdate update;
  update.after.emplace(octets);
  return update;
}

}  // namespace

TEST_CASE("watchdog: beats only when every thread has answered, and names those that have not") {
  Watchdog dog;
  std::vector<std::function<void()>> io, sinks;
  bool moving = true;
  dog.watch("io", [&io](auto answer) { io.push_back(answer); });
  dog.watch("sinks", [&sinks](auto answer) { sinks.push_back(answer); });
  dog.watch_progress("store", [&moving] { return moving; });
  CHECK(dog.beat());  // asks
  CHECK_FALSE(dog.beat());
  CHECK(dog.silent() == "io, sinks");
  for (auto& answer : io) answer();
  CHECK_FALSE(dog.beat());
  CHECK(dog.silent() == "sinks");
  CHECK(sinks.size() == 1);  // it is not asked again before it answers
  CHECK(io.size() == 2);
  for (auto& answer : io) answer();
  for (auto& answer : sinks) answer();
  moving = false;
  CHECK_FALSE(dog.beat());
  CHECK(dog.silent() == "store");
  for (auto& answer : io) answer();
  for (auto& answer : sinks) answer();
  moving = true;
  CHECK(dog.beat());
  CHECK(dog.silent().empty());
}

TEST_CASE("sd_watchdog_enabled(3): half of WATCHDOG_USEC, for this process only") {
  ::unsetenv("WATCHDOG_PID");
  ::setenv("WATCHDOG_USEC", "60000000", 1);
  CHECK(watchdog_interval() == std::chrono::seconds(30));
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(watchdog_interval());
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  CHECK(watchdog_interval());
  for (const char* wrong : {"0", "-1", "x", ""}) {
    ::setenv("WATCHDOG_USEC", wrong, 1);
    CHECK_FALSE(watchdog_interval());
  }
  ::unsetenv("WATCHDOG_USEC");
  ::unsetenv("WATCHDOG_PID");
}

TEST_CASE("check: a rule that names a type or a neighbour that there is not is worth a warning") {
  const auto warnings = [](const std::string& text) {
    std::vector<Diagnostic> diagnostics;
    const auto config = parse_config(
        "[speaker]\nlocal-as = 64512\nrouter-id = \"192.0.2.1\"\n[[neighbor]]\nname = \"edge1\"\n"
        "address = \"192.0.2.2\"\npeer-as = 64513\n[[sink.jsonl]]\npath = \"/dev/null\"\n"
        "[[suppress]]\nname = \"r\"\n" + text,
        "t.toml", diagnostics);
    REQUIRE(config.has_value());
    make_detectors(*config, diagnostics);
    std::vector<std::string> lines;
    for (const Diagnostic& d : diagnostics) lines.push_back(format_diagnostic(d));
    return lines;
  };
  CHECK(warnings("types = [\"single-homed\", \"events-lost\", \"upstream-storm\"]\n"
                 "peers = [\"edge1\", \"192.0.2.9\"]\n").empty());
  CHECK(warnings("types = [\"new-upstraem\"]\npeers = [\"egde1\"]\n") ==
        std::vector<std::string>{
            "t.toml:12:9: warning: no detector raises events of type \"new-upstraem\"",
            "t.toml:13:9: warning: no neighbour is called \"egde1\""});
}

TEST_CASE("detectors: one that takes most of the time is named, and one that does not return") {
  using Clock = DetectorWatch::Clock;
  std::vector<std::string> said;
  std::function<void(DetectorWatch::Summaries)> answer;
  lapwing::rib::RunningDetector running;
  DetectorWatch watch({[&](auto a) { answer = std::move(a); }, [&] { return running; },
                       [&](const std::string& detector, const std::string& text) {
                         said.push_back(detector + " " + text);
                       }});
  Clock::time_point now{};
  std::uint64_t quick = 0, slow = 0;
  bool hangs = false;
  const auto second = [&](std::uint64_t slow_us) {
    now += std::chrono::seconds(1);
    quick += 400000;
    slow += slow_us;
    watch.look(now);
    if (answer && !hangs)
      std::exchange(answer, nullptr)({{"quick", true, 1, quick}, {"slow", true, 1, slow}});
  };
  for (int i = 0; i < 30; ++i) second(300000);
  CHECK(said.empty());
  for (int i = 0; i < 60; ++i) second(700000);
  REQUIRE(said.size() == 1);  // once a minute
  CHECK(said[0].find("slow took 7") == 0);
  for (int i = 0; i < 30; ++i) second(700000);
  CHECK(said.size() == 2);

  said.clear();
  hangs = true;
  for (int i = 0; i < 25; ++i) second(0);
  CHECK(said.empty());  // busy with something else
  running = {"busy", 1};
  for (int i = 0; i < 30; ++i) {
    ++running.call;
    second(0);
  }
  CHECK(said.empty());  // each of its calls returns
  running = {"stuck", 7};
  for (int i = 0; i < 10; ++i) second(0);
  CHECK(said.empty());
  second(0);
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("stuck has not returned for ") == 0);
}

TEST_CASE("updates: kept only while somebody watches, bounded, numbered without a gap") {
  UpdateRing ring;
  CHECK_FALSE(ring.watched());
  int told = 0;
  const int handle = ring.subscribe([&told] { ++told; });
  CHECK(ring.watched());
  ring.add(update_of(10));
  ring.add(update_of(10));
  ring.tell();
  CHECK(told == 1);
  CHECK(ring.last() == 2);
  REQUIRE(ring.read_after(0, 10).size() == 2);
  CHECK(ring.read_after(1, 10).at(0).number == 2);
  CHECK(ring.read_after(0, 1).size() == 1);
  CHECK(ring.read_after(2, 10).empty());
  for (std::size_t i = 0; i < UpdateRing::kMaxUpdates + 5; ++i) ring.add(update_of(1));
  CHECK(ring.read_after(0, 1).at(0).number == 8);
  ring.add(update_of(UpdateRing::kMaxOctets - 1));
  CHECK(ring.read_after(0, 100000).size() <= 2);
  ring.unsubscribe(handle);
  CHECK_FALSE(ring.watched());
  CHECK(ring.read_after(0, 10).empty());
}

TEST_CASE("updates: the tap tells what changed, and nothing while nobody watches") {
  NoSink sink;
  rib::Engine engine({}, sink);
  UpdateRing ring;
  engine.add_detector(make_tap(ring));
  engine.end_restore();
  const auto announce = [&](std::int64_t time, Asn as) {
    bgp::RecordBatch batch;
    bgp::PeerDetail detail;
    detail.name = "edge1";
    detail.as = 3333;
    detail.address = *parse_address("192.0.2.7");
    batch.add_peer(at(time), 0, detail);
    bgp::Record record;
    record.time = at(time);
    record.kind = bgp::RecordKind::kUpdate;
    record.announced = 1;
    batch.octets = {2, 3, 2, 1, static_cast<std::uint8_t>(as)};
    record.attributes_size = 5;
    record.attributes_hash = as;
    batch.nlri.push_back(bgp::to_key({kIpv4Unicast, 0, *parse_prefix("192.0.2.0/24"), false, 0}));
    batch.records.push_back(record);
    engine.process(batch);
  };
  announce(1, 5);
  CHECK(ring.last() == 0);
  int told = 0;
  ring.subscribe([&told] { ++told; });
  announce(2, 6);
  announce(3, 6);  // no change
  REQUIRE(ring.read_after(0, 10).size() == 1);
  const RouteUpdate update = ring.read_after(0, 10).at(0);
  CHECK(told == 1);
  CHECK(update.peer == "edge1");
  CHECK(update.time == at(2));
  CHECK(format_prefix(update.nlri.prefix) == "192.0.2.0/24");
  CHECK(format_as_path(PathView(*update.before).as_path()) == "5");
  CHECK(format_as_path(PathView(*update.after).as_path()) == "6");
  CHECK(format_address(update.peer_address) == "192.0.2.7");
  announce(4, 7);
  bgp::RecordBatch session;
  bgp::PeerDetail detail;
  detail.name = "edge1";
  session.add_peer(at(5), 0, detail);
  session.add_session(at(5), 0, bgp::RecordKind::kPeerUp, {});
  session.add_session(at(6), 0, bgp::RecordKind::kPeerDown, {});
  engine.process(session);
  const auto all = ring.read_after(0, 10);
  REQUIRE(all.size() == 4);
  CHECK(all[1].message != all[0].message);
  CHECK(all[1].session == SessionNews::kNone);
  CHECK(all[2].session == SessionNews::kUp);
  CHECK(all[3].session == SessionNews::kDown);
  CHECK(all[3].peer == "edge1");
  CHECK_FALSE(all[3].after);
  CHECK(told == 4);
}

TEST_CASE("removed neighbours: dropped when they are down, not configured, and time is over") {
  NoSink sink;
  rib::Engine engine({}, sink);
  engine.end_restore();
  bgp::RecordBatch batch;
  const char* names[] = {"kept", "gone", "up", "lab-192.0.2.9"};
  for (std::uint32_t i = 0; i < 4; ++i) {
    bgp::PeerDetail detail;
    detail.name = names[i];
    batch.add_peer(at(1), i, detail);
    batch.add_session(at(2), i, bgp::RecordKind::kPeerUp, {});
    if (i != 2) batch.add_session(at(100), i, bgp::RecordKind::kPeerDown, {});
  }
  engine.process(batch);
  Config config;
  config.neighbors.resize(2);
  config.neighbors[0].name = "kept";
  config.neighbors[1].name = "lab";
  config.neighbors[1].range = parse_prefix("192.0.2.0/24");
  config.keep_removed = std::chrono::seconds(60);
  RemovedPeers removed;
  removed.configure(config);
  CHECK(removed.drop(engine).empty());
  const auto pass = [&engine](std::int64_t seconds) {
    bgp::RecordBatch tick;
    tick.add_tick(at(seconds));
    engine.process(tick);
  };
  pass(159);
  CHECK(removed.drop(engine).empty());
  pass(160);
  CHECK(removed.drop(engine) == std::vector<std::string>{"gone"});
  CHECK(engine.peer_names() == std::vector<std::string>{"kept", "up", "lab-192.0.2.9"});
  config.neighbors.clear();
  removed.configure(config);
  CHECK(removed.drop(engine) == std::vector<std::string>{"kept", "lab-192.0.2.9"});
  CHECK(removed.drop(engine).empty());
}

TEST_CASE("who waits for the other thread does so on another processor, and runs anywhere again") {
  const auto processors = [] {
    cpu_set_t set;
    REQUIRE(::sched_getaffinity(0, sizeof set, &set) == 0);
    return set;
  };
  const cpu_set_t all = processors();
  if (CPU_COUNT(&all) == 1) {
    MESSAGE("not tested: there is one processor");
    return;
  }
  Apart apart;
  apart.begin_wait(Apart::kDecoder);  // the other side never said where it is
  cpu_set_t now = processors();
  CHECK(CPU_EQUAL(&now, &all));
  int engine = -1;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (engine = 0; !CPU_ISSET(static_cast<std::size_t>(engine), &all);) ++engine;
    CPU_SET(static_cast<std::size_t>(engine), &one);
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    apart.here(Apart::kEngine);
  }).join();
  apart.begin_wait(Apart::kDecoder);
  now = processors();
  CHECK(CPU_COUNT(&now) == CPU_COUNT(&all) - 1);
  CHECK_FALSE(CPU_ISSET(static_cast<std::size_t>(engine), &now));
  CHECK(::sched_getcpu() != engine);
  apart.end_wait(Apart::kDecoder);
  now = processors();
  CHECK(CPU_EQUAL(&now, &all));
  // What an operator allows it meanwhile it keeps, were it the other's processor alone.
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(engine), &one);
  REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  apart.begin_wait(Apart::kDecoder);
  apart.end_wait(Apart::kDecoder);
  now = processors();
  CHECK(CPU_EQUAL(&now, &one));
  REQUIRE(::sched_setaffinity(0, sizeof all, &all) == 0);
}

TEST_CASE("record queue: bounded, and where it tells of room a batch of any size finds it") {
  RecordQueue queue(1000);
  const auto push = [&queue](std::size_t octets) {
    bgp::RecordBatch batch;
    batch.octets.resize(octets);
    return queue.try_push(batch);
  };
  bool room = false;
  RecordQueue::Work work;
  CHECK(push(400));
  CHECK(push(900));  // larger than what is left, but less than half waits
  CHECK_FALSE(push(10));
  CHECK(queue.refusals() == 1);
  queue.when_room([&room] { room = true; });
  REQUIRE(queue.pop(work));
  CHECK(work.batch.octets.size() == 400);
  CHECK_FALSE(room);
  REQUIRE(queue.pop(work));
  CHECK(room);
  CHECK(push(500));
  room = false;
  queue.when_room([&room] { room = true; });
  CHECK(room);  // at once
  CHECK(push(2000));
  CHECK_FALSE(push(1));
  CHECK(queue.octets() == 2500);
}

TEST_CASE("record queue: tells before and after it waits, and only then") {
  std::string told;
  std::promise<void> waits;
  RecordQueue queue(1000, {[&] {
                             told += "begin ";
                             waits.set_value();
                           },
                           [&] { told += "end "; }});
  RecordQueue::Work work;
  queue.post([] {});
  REQUIRE(queue.pop(work));
  CHECK(told.empty());
  std::thread popping([&] { CHECK(queue.pop(work)); });
  CHECK(waits.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready);
  queue.post([] {});
  popping.join();
  CHECK(told == "begin end ");
}

TEST_CASE("calm: once after much has changed, when little changes and nothing waits for the disk") {
  Calm calm;
  CHECK_FALSE(calm.look(0, true));
  CHECK_FALSE(calm.look(99'000, true));
  CHECK_FALSE(calm.look(99'100, true));   // calm, after too little
  CHECK_FALSE(calm.look(400'000, true));  // much, not calm
  CHECK_FALSE(calm.look(400'200, false));
  CHECK(calm.look(400'449, true));
  CHECK_FALSE(calm.look(400'450, true));
  CHECK_FALSE(calm.look(500'400, true));
  CHECK_FALSE(calm.look(500'400, false));
  CHECK_FALSE(calm.look(500'448, true));  // one too few since
  CHECK(calm.look(500'449, true));
}

TEST_CASE("status text: neighbours, routes, events, and what is wrong with the disk") {
  Status status;
  status.peers_up = 3;
  status.peers_configured = 4;
  status.routes = 1234567;
  status.events = 12;
  CHECK(status_line(status) == "3 of 4 neighbours up, 1234567 routes, 12 events");
  status.store_error = "no space left";
  CHECK(status_line(status) == "3 of 4 neighbours up, 1234567 routes, 12 events; no space left");
}
