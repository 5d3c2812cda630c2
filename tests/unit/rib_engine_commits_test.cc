#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine_bench.h"

namespace lapwing::rib::engine_test {
namespace {

TEST_CASE("routes are told in order of NLRI, whatever ids they were given") {
  const Lines ordered{"10.0.0.0/8", "10.0.0.0/9", "192.0.2.0/24", "198.51.100.0/24"};
  const auto prefixes_of = [](const Lines& lines) {
    Lines found;
    for (const std::string& line : lines) {
      const std::size_t slash = line.find('/');
      if (slash == std::string::npos) continue;
      const std::size_t begin = line.rfind(' ', slash) + 1;
      found.push_back(line.substr(begin, line.find(' ', slash) - begin));
    }
    return found;
  };
  const auto filled = [&] {
    auto b = std::make_unique<Bench>();
    b->start();
    Batch first;
    first.declare(1, "edge1").up(2);
    for (auto p = ordered.rbegin(); p != ordered.rend(); ++p) first.announce(3, *p, {1});
    b->run(first.end_of_rib(4));
    return b;
  };
  const auto swept = filled();
  Batch gap;
  CHECK(prefixes_of(swept->run(gap.down(10).up(20).end_of_rib(23))) == ordered);
  const auto removed = filled();
  removed->engine.remove_peer("edge1");
  CHECK(prefixes_of(removed->log.take()) == ordered);
  const auto reloaded = filled();
  Log log;
  std::vector<std::unique_ptr<Detector>> others;
  others.push_back(std::make_unique<Recorder>(log));
  reloaded->engine.replace_detectors({}, {}, std::move(others), [](const Engine::StateFn&) {});
  CHECK(prefixes_of(log.take()) == ordered);
}

TEST_CASE("route change, detector state and event are in one commit (promise 4)") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {777});
  b.run(batch);
  const Commit& commit = b.commits.list.back();
  CHECK(commit.routes.size() == 1);
  CHECK(commit.new_paths.size() == 1);
  CHECK(commit.states.size() == 1);
  CHECK(commit.events.size() == 1);
  CHECK(commit.sequence == 1);
}

/// Says one event for each route that it was told of when the records have ended.
class AtTheEnd : public Detector {
 public:
  std::string_view name() const override { return "at-the-end"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange&) override {
    host_->put_state("k", "v");
    host_->erase_state("k");
    ++routes_;
  }
  void finish() override {
    for (std::uint8_t i = 0; i < routes_; ++i) {
      Event event = host_->blank_event();
      event.id.bytes[0] = i;
      event.fields.push_back({"number", std::int64_t{i}});
      event.summary += std::to_string(i);
      host_->emit(std::move(event));
    }
  }

 private:
  Host* host_ = nullptr;
  std::uint8_t routes_ = 0;
};

/// Gives each commit's events back, once others have come.
class GivesBack final : public Commits {
 public:
  void submit(Commit&& commit) override {
    given.push_back(commit.events);
    Commits::submit(std::move(commit));
  }
  std::vector<Event> spent() override {
    if (given.size() < 2) return {};
    std::vector<Event> events = std::move(given.front());
    given.erase(given.begin());
    return events;
  }
  std::vector<std::vector<Event>> given;
};

/// An engine with 200 routes of one neighbour, each worth an event at the end.
struct Ending {
  Ending(CommitSink& commits, bool replay) : engine(options(replay), commits) {
    engine.add_detector(std::make_unique<AtTheEnd>());
    engine.end_restore();
    Batch batch;
    batch.declare(1, "r").up(2);
    for (int i = 0; i < 200; ++i) batch.update(3, {}, {"10.0." + std::to_string(i) + ".0/24"}, {1});
    engine.process(batch);
    engine.finish();
  }
  static EngineOptions options(bool replay) {
    EngineOptions o;
    o.replay = replay;
    return o;
  }
  Engine engine;
};

TEST_CASE("events that the sink gives back are not told again") {
  GivesBack commits;
  const Ending ending(commits, true);
  std::size_t events = 0;
  for (const Commit& commit : commits.list)
    for (const Event& event : commit.events) CHECK(event.id.bytes[0] == events++);
  CHECK(events == 200);
  CHECK(commits.given.size() == 1);
}

TEST_CASE("an event in the memory of another says only its own") {
  GivesBack commits;
  const Ending ending(commits, true);
  std::int64_t number = 0;
  for (const Commit& commit : commits.list)
    for (const Event& event : commit.events) {
      CHECK(event.fields == std::vector<Field>{{"number", number}});
      CHECK(event.summary == std::to_string(number++));
    }
  CHECK(number == 200);
}

TEST_CASE("a replay keeps nothing but events, and tells its end in pieces and in order") {
  for (const bool replay : {false, true}) {
    Commits commits;
    Ending ending(commits, replay);
    std::size_t states = 0, routes = 0, paths = 0, events = 0, most = 0;
    for (const Commit& commit : commits.list) {
      states += commit.states.size();
      routes += commit.routes.size();
      paths += commit.new_paths.size();
      most = std::max(most, commit.events.size());
      for (const Event& event : commit.events) CHECK(event.id.bytes[0] == events++);
    }
    CHECK(states == (replay ? 0 : 400));
    CHECK(routes == (replay ? 0 : 200));
    CHECK(paths == (replay ? 0 : 1));
    CHECK(ending.engine.counters().changes == 200);
    // A commit for a batch, with or without an event: ids that were given back go by its number.
    const std::uint64_t before = commits.list.back().sequence;
    Batch again;
    again.update(4, {}, {"10.0.0.0/24"}, {1});
    ending.engine.process(again);
    CHECK(commits.list.back().sequence == before + (replay ? 1 : 0));
    CHECK(events == 200);
    CHECK(most == (replay ? 64 : 200));
  }
}

TEST_CASE(
    "NLRI are the same, whoever hashed them: the maker of a batch, the engine, or each a part") {
  Bench b;
  b.start();
  for (int made = 0; made < 3; ++made) {
    Batch batch;
    if (made == 0) batch.declare(1, "r").up(2);
    batch.announce(3 + made, kP, {1});
    if (made > 0) batch.hash_nlri();
    CHECK(batch.hashes.size() == (made > 0 ? 1 : 0));
    batch.announce(3 + made, kQ, {2});
    if (made == 2) batch.hash_nlri();
    b.run(batch);
  }
  CHECK(b.routes() == 2);
  CHECK(b.engine.counters().prefixes == 2);
  CHECK(b.engine.counters().duplicates == 4);
}

TEST_CASE("how records are grouped into batches changes nothing") {
  const auto play = [](bool split) {
    Bench b;
    b.start();
    Batch all;
    all.declare(1, "edge1").up(2);
    for (int i = 0; i < 200; ++i)
      all.announce(3 + i, "10." + std::to_string(i % 50) + ".0.0/16", {1, Asn(i % 7 + 2)});
    all.end_of_rib(300);
    Lines lines;
    if (!split) return b.run(all);
    for (const bgp::Record& record : all.records) {
      Batch part;
      static_cast<bgp::RecordBatch&>(part) = all;
      part.records = {record};
      for (auto& line : b.run(part)) lines.push_back(line);
    }
    return lines;
  };
  CHECK(play(false) == play(true));
}

TEST_CASE("with a large table, looking ahead in a batch changes nothing") {
  struct Step {
    std::vector<std::string> withdrawn, announced;
    std::vector<Asn> ases;
    std::uint32_t peer = 0;
  };
  // New prefixes that go and come again before the batch ends, beside known ones; and UPDATEs of
  // a neighbour over its limit, of which no NLRI is looked at.
  std::vector<Step> steps;
  std::mt19937 random(7);
  const auto some = [&](std::size_t count) {
    std::vector<std::string> prefixes;
    while (prefixes.size() < count) {
      const auto n = random() % 40;
      prefixes.push_back((random() % 2 == 0 ? "10.0." : "192.0.") + std::to_string(n) + ".0/24");
    }
    return prefixes;
  };
  for (int i = 0; i < 500; ++i)
    steps.push_back({some(random() % 4),
                     some(random() % 4),
                     {1, Asn(random() % 5 + 2)},
                     i >= 100 && i % 3 == 0 ? 1u : 0u});
  const auto play = [&](bool together) {
    Bench b;
    b.start();
    Batch table;
    table.declare(1, "edge1").up(2).announce_many(3, 0, 52'000, {1, 2}).end_of_rib(4);
    b.run(table);
    Batch limited;
    limited.declare_limited(4, 2, true).up(4).announce_many(4, 0, 10, {1, 2});
    for (bgp::Record& record : limited.records) record.peer = 1;
    b.run(limited);
    REQUIRE(b.limits.size() == 2);  // near it, and beyond
    Lines lines;
    Batch all;
    for (const Step& step : steps) {
      Batch one;
      Batch& batch = together ? all : one;
      batch.update(5, step.withdrawn, step.announced, step.ases);
      batch.records.back().peer = step.peer;
      if (together) continue;
      for (auto& line : b.run(one)) lines.push_back(line);
    }
    if (together) lines = b.run(all);
    CHECK(b.engine.counters().prefixes >= 50'000);
    return lines;
  };
  const Lines alone = play(false);
  CHECK(alone.size() > 500);
  CHECK(play(true) == alone);
}

}  // namespace
}  // namespace lapwing::rib::engine_test
