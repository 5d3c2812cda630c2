#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine_bench.h"

namespace lapwing::rib::engine_test {
namespace {

TEST_CASE("a host knows which ids stand for something") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1});
  b.run(batch);
  const Host& host = *b.recorder->host_;
  const auto knows = [&host](std::uint32_t id) {
    return Lines{host.has_peer(id) ? "peer" : "", host.has_prefix(id) ? "prefix" : "",
                 host.has_path(id) ? "path" : ""};
  };
  PeerId peer = 0;
  while (!host.has_peer(peer)) ++peer;
  CHECK(host.peer(peer).name == "edge1");
  CHECK(host.has_prefix(0));
  CHECK(host.has_path(0));
  for (const std::uint32_t id : {std::uint32_t{1} << 20, kNoPath - 1, kNoPath})
    CHECK(knows(id) == Lines{"", "", ""});
  b.engine.remove_peer("edge1");
  CHECK_FALSE(host.has_peer(peer));
  b.commits.durable = 100;  // now the ids may be given again
  Batch later;
  later.add_tick(at(4));
  b.run(later);
  CHECK_FALSE(host.has_prefix(0));
  CHECK_FALSE(host.has_path(0));
}

/// Counts what it is told; `interest` says what it asks for.
class Listener : public Detector {
 public:
  Listener(RouteInterest interest, std::string& told) : interest_(interest), told_(told) {}
  std::string_view name() const override { return "listener"; }
  void attach(Host&) override {}
  RouteInterest route_interest() const override { return interest_; }
  void restore_route(const RouteView&) override { told_ += 'r'; }
  void on_route_change(const RouteChange& c) override { told_ += c.baseline ? 'b' : 'l'; }
  void on_update_end() override { told_ += 'e'; }
  void on_peer_change(const PeerChange&) override { told_ += 'p'; }
  void path_released(PathId) override { told_ += 'x'; }

 private:
  const RouteInterest interest_;
  std::string& told_;
};

/// Lets nothing through but what is of severity error.
class OnlyErrors : public Listener, public EventFilter {
 public:
  explicit OnlyErrors(std::string& told) : Listener(RouteInterest::kNone, told), asked_(told) {}
  bool admit(std::string_view detector, Event& event) override {
    asked_ += std::string(detector) + ':' + event.type + ' ';
    return event.severity <= Severity::kError;
  }
  bool counts_witnesses() const override { return true; }
  void add_witness(const EventId&, std::string_view type, const std::string& peer) override {
    asked_ += std::string(type) + '=' + peer + ' ';
  }

 private:
  std::string& asked_;
};

/// Every neighbour that shows a route is a witness.
class Watcher : public Listener {
 public:
  using Listener::Listener;
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& c) override {
    if (host_->counts_witnesses()) host_->add_witness({}, "seen", c.peer);
  }

 private:
  Host* host_ = nullptr;
};

/// edge1 has announced its table, and is removed.
void remove_after_first_table(Bench& b) {
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).end_of_rib(3);
  b.run(batch);
  b.engine.remove_peer("edge1");
}

TEST_CASE("a detector is told the route changes that it asks for, and no others") {
  Bench b;
  std::string none, live, all;
  b.engine.add_detector(std::make_unique<Listener>(RouteInterest::kNone, none));
  b.engine.add_detector(std::make_unique<Listener>(RouteInterest::kLive, live));
  b.engine.add_detector(std::make_unique<Listener>(RouteInterest::kAll, all));
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1, 2});
  batch.mark(4, bgp::RecordKind::kEndOfRib).announce(5, kP, {1, 3});
  b.run(batch);
  CHECK(none == "pp");
  CHECK(live == "pple");
  CHECK(all == "pbeple");
  // The first path is free once the commit is durable.
  b.commits.durable = 100;
  Batch more;
  more.announce(6, kQ, {1, 3});
  b.run(more);
  CHECK(none == "pp");
  CHECK(live == "pplexle");
}

TEST_CASE("a detector that is an event filter judges the events of the others") {
  Bench b;
  std::string asked;
  b.engine.add_detector(std::make_unique<OnlyErrors>(asked));
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {777}).announce(4, kQ, {666});
  b.run(batch);
  CHECK(asked.find("recorder:seen recorder:detector-failed ") != std::string::npos);
  CHECK(asked.find("seen=edge1") == std::string::npos);
  REQUIRE(b.commits.list.back().events.size() == 1);
  CHECK(b.commits.list.back().events[0].type == "detector-failed");
  CHECK(b.commits.list.back().states.size() == 2);  // what the detector learnt, and that it failed
}

TEST_CASE("a detector's witnesses are told to the filter, by name") {
  std::string ignored, asked;
  Bench without, with;
  without.engine.add_detector(std::make_unique<Watcher>(RouteInterest::kAll, ignored));
  with.engine.add_detector(std::make_unique<Watcher>(RouteInterest::kAll, ignored));
  with.engine.add_detector(std::make_unique<OnlyErrors>(asked));
  for (Bench* const b : {&without, &with}) {
    b->start();
    Batch batch;
    batch.declare(1, "edge1").up(2).announce(3, kP, {1});
    b->run(batch);
  }
  CHECK(asked.find("seen=edge1 ") != std::string::npos);
}

/// What all neighbours show for the prefix that changed, as the detector is told of the change: the
/// first `most` of them.
class Looker : public Detector {
 public:
  explicit Looker(std::size_t most) : most_(most) {}
  std::string_view name() const override { return "looker"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& change) override {
    std::string line;
    std::size_t told = 0;
    host_->for_each_route(change.prefix, [&](const RouteView& route) {
      line += (line.empty() ? "" : ", ") + host_->peer(route.peer).name + " " +
              format_as_path(host_->path(route.path).as_path()) + (route.stale ? " stale" : "");
      return ++told < most_;
    });
    seen.push_back(line);
  }
  Lines seen;

 private:
  const std::size_t most_;
  Host* host_ = nullptr;
};

TEST_CASE("a detector sees the routes of all neighbours for a prefix, to the last one") {
  Bench b;
  auto owned = std::make_unique<Looker>(100), curious = std::make_unique<Looker>(2);
  Looker &looker = *owned, &soon_content = *curious;
  b.engine.add_detector(std::move(owned));
  b.engine.add_detector(std::move(curious));
  b.start();
  Batch batch;
  for (const std::uint32_t n : {0u, 1u, 2u, 3u}) {
    bgp::PeerDetail detail;
    detail.name = std::string(1, static_cast<char>('a' + n));
    batch.add_peer(at(1), n, detail);
    batch.up(2).records.back().peer = n;
  }
  const auto announce = [&](std::uint32_t n, Asn as) {
    batch.announce(3, kP, {as}).records.back().peer = n;
  };
  announce(0, 10);
  announce(3, 13);
  announce(2, 12);
  batch.down(4).records.back().peer = 0;
  announce(2, 22);
  batch.update(5, {kP}, {}, {}).records.back().peer = 0;
  batch.update(6, {kP}, {}, {}).records.back().peer = 3;
  batch.update(7, {kP}, {}, {}).records.back().peer = 2;
  announce(1, 11);
  b.run(batch);
  CHECK(looker.seen == Lines{"a 10", "a 10, d 13", "a 10, c 12, d 13", "a 10 stale, c 22, d 13",
                             "c 22, d 13", "c 22", "", "b 11"});
  CHECK(soon_content.seen == Lines{"a 10", "a 10, d 13", "a 10, c 12", "a 10 stale, c 22",
                                   "c 22, d 13", "c 22", "", "b 11"});
}

/// Ids of what it says and when: a coming is 1, a going 2. Says a coming `repeat` times.
class Alternating : public Detector {
 public:
  std::string_view name() const override { return "alternating"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& change) override {
    while_running = engine->running_detector().name;
    for (int i = 0; i < (change.after == kNoPath ? 1 : repeat); ++i) {
      Event event;
      event.incident.bytes[0] = 9;
      event.type = change.after == kNoPath ? "goes" : "comes";
      event.id.bytes[0] = change.after == kNoPath ? 2 : 1;
      event.id.bytes[1] = static_cast<std::uint8_t>(unix_micros(host_->now()) / 1000000);
      host_->emit(std::move(event));
    }
  }
  Host* host_ = nullptr;
  Engine* engine = nullptr;
  int repeat = 1;
  std::string while_running;
};

TEST_CASE("what begins again at one moment is another event; what is said twice in a row is one") {
  Bench b;
  auto owned = std::make_unique<Alternating>();
  Alternating& detector = *owned;
  detector.engine = &b.engine;
  b.engine.add_detector(std::move(owned));
  b.start();
  b.run(Batch().declare(1, "r").up(2).end_of_rib(3));
  Batch flap;
  for (int i = 0; i < 3; ++i)
    flap.update(10, {}, {"10.0.0.0/8"}, {1}).update(10, {"10.0.0.0/8"}, {}, {});
  flap.update(11, {}, {"10.0.0.0/8"}, {1});
  b.run(flap);
  std::vector<EventId> ids;
  for (const Commit& commit : b.commits.list)
    for (const Event& event : commit.events) ids.push_back(event.id);
  REQUIRE(ids.size() == 7);
  CHECK(ids[0].bytes[0] == 1);  // the first of each is as the detector made it
  CHECK(ids[1].bytes[0] == 2);
  CHECK(ids[6].bytes[1] == 11);
  const std::set<EventId> distinct(ids.begin(), ids.end());
  CHECK(distinct.size() == 7);

  detector.repeat = 2;
  b.commits.list.clear();
  b.run(Batch().update(12, {"10.0.0.0/8"}, {}, {}).update(12, {}, {"10.0.0.0/8"}, {1}));
  const std::vector<Event>& last = b.commits.list.back().events;
  REQUIRE(last.size() == 3);
  CHECK(last[1].id == last[2].id);
  CHECK(detector.while_running == "alternating");
  CHECK(b.engine.running_detector().name.empty());
  b.engine.query("nothing", "");
  CHECK(b.engine.running_detector().name.empty());
}

class OnlyComings : public Listener, public EventFilter {
 public:
  explicit OnlyComings(std::string& told) : Listener(RouteInterest::kNone, told) {}
  bool admit(std::string_view, Event& event) override { return event.type == "comes"; }
};

TEST_CASE("an id does not depend on what the filter holds back") {
  const auto ids_with = [](bool filtered) {
    Bench b;
    std::string told;
    if (filtered) b.engine.add_detector(std::make_unique<OnlyComings>(told));
    auto owned = std::make_unique<Alternating>();
    owned->engine = &b.engine;
    b.engine.add_detector(std::move(owned));
    b.start();
    b.run(Batch().declare(1, "r").up(2).end_of_rib(3));
    for (int i = 0; i < 3; ++i)
      b.run(Batch().update(10, {}, {"10.0.0.0/8"}, {1}).update(10, {"10.0.0.0/8"}, {}, {}));
    std::vector<EventId> ids;
    for (const Commit& commit : b.commits.list)
      for (const Event& event : commit.events)
        if (event.type == "comes") ids.push_back(event.id);
    return ids;
  };
  const auto ids = ids_with(true);
  CHECK(ids.size() == 3);
  CHECK(ids == ids_with(false));
}

TEST_CASE("other detectors in place of the present ones begin as after a restart") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).end_of_rib(3);
  b.run(batch);
  b.recorder->host_->set_timer(7, at(5));
  Log log;
  std::vector<std::unique_ptr<Detector>> others;
  others.push_back(std::make_unique<Recorder>(log));
  Watch watch;
  watch.origins = {131279};
  CHECK(b.engine.submit_open() == b.commits.list.back().sequence);
  b.engine.replace_detectors(watch, {100}, std::move(others), [](const Engine::StateFn& fn) {
    fn("recorder", "a", "b");
    fn("other", "c", "d");
  });
  CHECK(log.take() == Lines{"state a=b", "restore edge1 192.0.2.0/24", "start", "standing"});
  Batch more;
  more.announce(9, kP, {2});
  CHECK(b.run(more).empty());  // nobody calls the former one, nor its timer
  CHECK(log.take() == Lines{"edge1 192.0.2.0/24 1 -> 2 live", "end"});
  REQUIRE(b.engine.detector_summaries().size() == 1);
  CHECK(b.engine.detector_summaries()[0].calls >= 5);
  CHECK(b.engine.detector_summaries()[0].name == "recorder");
  // What the engine was made with stays.
  b.run(Batch().declare_limited(10, 2, true).up(10).announce_many(11, 0, 10, {1}));
  REQUIRE(b.limits.size() == 2);
  CHECK(b.limits.back().what == LimitReport::What::kStop);
}

TEST_CASE(
    "of a neighbour that is down and no longer awaited nothing is told when detectors start") {
  Log log;
  Commits commits;
  EngineOptions options;
  options.awaits = [](std::string_view name) { return name == "b"; };
  Engine engine{options, commits};
  engine.add_detector(std::make_unique<Recorder>(log));
  PeerRecord record;
  for (const char* const name : {"a", "b", "c"}) {
    record.name = name;
    record.last_change = at(name[0]);
    REQUIRE(engine.restore_peer(record));
    ++record.id;
  }
  engine.end_restore();
  log.take();
  engine.process(Batch().declare(200, "a").up(201));
  CHECK(log.take() == Lines{"standing since 98", "up"});
  std::vector<std::unique_ptr<Detector>> others;
  others.push_back(std::make_unique<Recorder>(log));
  engine.replace_detectors({}, {}, std::move(others), [](const Engine::StateFn&) {});
  CHECK(log.take() == Lines{"start", "standing", "standing since 98"});
}

/// Asks for every path that it was told of, all in one call, and reads them only then.
class Reader : public Detector {
 public:
  std::string_view name() const override { return "reader"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& c) override {
    ids_.push_back(c.after);
    announced.push_back(format_as_path(host_->path(c.after).as_path()));
  }
  void on_peer_change(const PeerChange& c) override {
    if (c.event != PeerEvent::kDown) return;
    std::vector<PathView> views;
    for (const PathId id : ids_) views.push_back(host_->path(id));
    for (const PathView& view : views) kept.push_back(format_as_path(view.as_path()));
  }
  Lines announced, kept;

 private:
  Host* host_ = nullptr;
  std::vector<PathId> ids_;
};

TEST_CASE("Host::path: what it gives lives until the call returns, however many are asked for") {
  Bench b;
  auto detector = std::make_unique<Reader>();
  Reader& reader = *detector;
  b.engine.add_detector(std::move(detector));
  b.start();
  Batch batch;
  batch.declare(1, "r").up(2);
  Lines expected;
  for (Asn n = 0; n < 300; ++n) {
    batch.announce_many(3, static_cast<int>(n), static_cast<int>(n) + 1, {3333, 64500 + n});
    expected.push_back("3333 " + std::to_string(64500 + n));
  }
  b.run(batch);
  CHECK(reader.announced == expected);
  for (int round = 0; round < 2; ++round) {
    reader.kept.clear();
    b.run(Batch().down(4 + 2 * round).up(5 + 2 * round));
    CHECK(reader.kept == expected);
  }
}

}  // namespace
}  // namespace lapwing::rib::engine_test
