#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/unit/engine_bench.h"

namespace lapwing::rib::engine_test {
namespace {

TEST_CASE("timers fire in event time, before any record of that time") {
  Bench b;
  b.start();
  Batch one;
  one.add_tick(at(100));
  b.run(one);
  b.recorder->host_->set_timer(1, at(105));
  b.recorder->host_->set_timer(2, at(103));
  Batch two;
  two.declare(104, "edge1").up(105);
  CHECK(b.run(two) == Lines{"timer 2 at 103", "timer 1 at 105", "up"});
}

TEST_CASE("a timer of a start without a past is due at the first record, and goes on from there") {
  Bench b;
  b.start();
  b.recorder->host_->set_timer(1, b.recorder->host_->now() + std::chrono::seconds(1));
  Batch one;
  one.add_tick(at(100));
  CHECK(b.run(one) == Lines{"timer 1 at 100"});
}

/// Sets its timer anew, after `step` from now, until it has fired `end` times.
class Spinner : public Detector {
 public:
  using Step = microseconds (*)(std::size_t fired);
  Spinner(std::size_t end, Step step) : end_(end), step_(step) {}
  std::string_view name() const override { return "spinner"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange&) override {}
  void on_timer(std::uint64_t key) override {
    if (++fired < end_) host_->set_timer(key, host_->now() + step_(fired));
  }
  Host* host_ = nullptr;
  std::size_t fired = 0;

 private:
  const std::size_t end_;
  const Step step_;
};

Spinner& add_spinner(Bench& b, std::size_t end, Spinner::Step step) {
  auto made = std::make_unique<Spinner>(end, step);
  Spinner& spinner = *made;
  b.engine.add_detector(std::move(made));
  b.start();
  Batch one;
  one.add_tick(at(100));
  b.run(one);
  return spinner;
}

TEST_CASE("a detector that sets timers for now in on_timer without end fails; others run on") {
  constexpr std::size_t kMost = 100'000;
  for (const std::size_t end : {kMost + 1, std::size_t{1} << 40}) {
    Bench b;
    const auto now_or_before = [](std::size_t fired) { return -microseconds(fired % 2); };
    Spinner& spinner = add_spinner(b, end, now_or_before);
    spinner.host_->set_timer(1, at(103));
    b.recorder->host_->set_timer(2, at(104));
    Batch two;
    two.add_tick(at(104));
    CHECK(b.run(two) == Lines{"timer 2 at 104"});
    const auto& events = b.commits.list.back().events;
    CHECK(spinner.fired == kMost + 1);
    REQUIRE(events.size() == (end == kMost + 1 ? 0 : 1));
    if (events.empty()) continue;
    CHECK(events[0].type == "detector-failed");
    CHECK(events[0].summary ==
          "detector spinner failed and is disabled: sets timers for now, or earlier, within "
          "`on_timer`, without end");
  }
}

TEST_CASE("many timers that are due at one time are no fault, nor are many while time moves on") {
  constexpr std::size_t kMany = 150'000;
  Bench b;
  std::size_t timers = 1;
  Spinner* spinner = nullptr;
  SUBCASE("at one time, each set anew for a later one") {
    spinner = &add_spinner(b, SIZE_MAX, [](std::size_t) { return microseconds(10'000'000); });
    timers = kMany;
  }
  SUBCASE("one for now at each of many times") {
    spinner = &add_spinner(b, 2 * kMany, [](std::size_t fired) { return microseconds(fired % 2); });
  }
  for (std::size_t i = 0; i < timers; ++i) spinner->host_->set_timer(i, at(101));
  Batch two;
  two.add_tick(at(102));
  b.run(two);
  CHECK(spinner->fired == (timers == 1 ? 2 * kMany : kMany));
  CHECK(b.engine.detector_summaries().back().enabled);
}

TEST_CASE("event time never steps back") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(100, "edge1").up(100);
  batch.add_tick(at(50));
  b.run(batch);
  CHECK(b.engine.now() == at(100));
}

std::uint64_t nanoseconds_now = 0;

class TakesTime : public Detector {
 public:
  std::string_view name() const override { return "takes-time"; }
  void attach(Host&) override {}
  void on_route_change(const RouteChange&) override { nanoseconds_now += 1000000; }
};

TEST_CASE("the time of a detector is estimated well, though its calls come in a pattern") {
  Commits commits;
  EngineOptions options;
  options.stopwatch = [] { return nanoseconds_now; };
  Engine engine(options, commits);
  engine.add_detector(std::make_unique<TakesTime>());
  engine.end_restore();
  engine.process(Batch().declare(1, "r").up(2));
  constexpr int kChanges = 20000;
  Batch batch;
  for (int i = 0; i < kChanges; ++i)  // a change, the end of its UPDATE, a change, …
    batch.announce(3, "10.0.0.0/8", {static_cast<Asn>(1 + i % 2)});
  engine.process(batch);
  const DetectorSummary summary = engine.detector_summaries().front();
  CHECK(summary.calls >= 2 * kChanges);
  CHECK(summary.microseconds > kChanges * 800);
  CHECK(summary.microseconds < kChanges * 1200);
}

TEST_CASE("a detector that throws is disabled and an event says so") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {666}).announce(4, kQ, {1});
  CHECK(b.run(batch) == Lines{"up", "edge1 192.0.2.0/24 none -> 666 live baseline"});
  REQUIRE(b.commits.list.back().events.size() == 1);
  const Event failed = b.commits.list.back().events[0];
  CHECK(failed.type == "detector-failed");
  CHECK(failed.action == Action::kRaise);
  CHECK(failed.severity == Severity::kError);
  CHECK(failed.summary.ends_with("six six six \xef\xbf\xbd"));
  CHECK(b.failures == Lines{"recorder: six six six \xef\xbf\xbd"});
  CHECK(b.engine.counters().routes == 2);
  REQUIRE(b.commits.list.back().states.size() == 1);
  const StateWrite kept = b.commits.list.back().states[0];

  // The next start ends it, once.
  Bench next;
  next.engine.restore_meta(at(9));
  next.engine.restore_state(kept.detector, kept.key, *kept.value);
  next.engine.restore_state(kept.detector, "another", "gone since");
  next.start();
  next.run(Batch().declare(10, "edge1"));
  const Commit& first = next.commits.list.back();
  REQUIRE(first.events.size() == 2);
  const Event& over = first.events[0];
  CHECK(over.summary == "detector recorder runs again; it had failed: six six six \xef\xbf\xbd");
  CHECK(over.action == Action::kClear);
  CHECK(over.severity == Severity::kNotice);
  CHECK(over.incident == failed.incident);
  CHECK(over.id != failed.id);
  CHECK(over.time == at(10));
  CHECK(first.events[1].summary ==
        "detector another is no longer configured; it had failed: gone since");
  CHECK(first.events[1].action == Action::kClear);
  CHECK(first.events[1].incident != failed.incident);
  REQUIRE(first.states.size() == 2);
  CHECK(first.states[0].key == "recorder");
  CHECK(first.states[1].key == "another");
  CHECK_FALSE(first.states[0].value);
  CHECK_FALSE(first.states[1].value);
}

/// Fails again as soon as it starts.
class Hopeless : public Recorder {
 public:
  using Recorder::Recorder;
  void start_up() override { throw std::runtime_error("no hope"); }
};

TEST_CASE("a detector that fails anew when it starts is not said to run again") {
  Log log;
  Commits commits;
  Engine engine{{}, commits};
  engine.add_detector(std::make_unique<Hopeless>(log));
  engine.restore_state("failed detectors", "recorder", "before");
  engine.end_restore();
  for (const Commit& commit : commits.list) CHECK(commit.events.empty());  // there is no time yet
  engine.process(Batch().declare(10, "edge1"));
  REQUIRE(commits.list.back().events.size() == 1);
  CHECK(commits.list.back().events[0].time == at(10));
  CHECK(commits.list.back().events[0].action == Action::kRaise);
  REQUIRE(commits.list.front().states.size() == 1);
  CHECK(commits.list.front().states[0].value == "no hope");
}

}  // namespace
}  // namespace lapwing::rib::engine_test
