#include <doctest/doctest.h>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::seconds;

/// Two neighbours with 10.0.0.0/24, which is watched; more than five changes are too many.
struct FlapScene {
  FakeHost host{"prefix-flap", FakeHost::Numbering::kDense};
  PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  FlapScene() {
    host.settings.set("threshold", std::int64_t{5});
    host.watched = watch_prefixes({"10.0.0.0/24"});
  }
  void begin() {
    host.at("2024-01-01T00:00:00Z");
    for (const PeerId p : {a, b}) host.table(p, {"10.0.0.0/24", "10.0.1.0/24"}, path_of(p));
    host.at("2024-01-02T00:00:00Z");
  }
  static std::string path_of(PeerId p) { return std::to_string(p + 1) + " 10 100"; }
  /// So many changes of one route at this moment, alternately gone and there.
  void change(PeerId p, int times, const std::string& prefix = "10.0.0.0/24") {
    for (int i = 0; i < times; ++i) {
      bool& there = there_[{p, prefix}];
      there = !there;
      if (there)
        host.withdraw(p, {prefix});
      else
        host.announce(p, {prefix}, path_of(p));
    }
  }

 private:
  std::map<std::pair<PeerId, std::string>, bool> there_;  // true: withdrawn
};

}  // namespace

TEST_CASE("prefix-flap: one change too many of one neighbour, silence, and an end") {
  FlapScene s;
  s.begin();
  s.host.restart();
  CHECK(s.host.timers() == 0);
  s.change(s.a, 5);
  s.change(s.b, 5);  // neighbours are counted apart
  CHECK(s.host.taken().empty());
  s.host.after(seconds(30));
  s.change(s.a, 1);
  REQUIRE(s.host.taken() == Texts{"prefix-flap"});
  const Event& raised = s.host.events[0];
  CHECK(raised.action == Action::kRaise);
  CHECK(raised.severity == Severity::kNotice);
  CHECK(raised.time == time_of("2024-01-02T00:00:30Z"));
  CHECK(prefix_texts(raised) == Texts{"10.0.0.0/24"});
  CHECK(raised.prefix_count == 1);
  CHECK(raised.peers == Texts{"a"});
  CHECK(field<std::int64_t>(raised, "changes") == 6);
  CHECK(field<std::int64_t>(raised, "withdrawals") == 3);
  CHECK(field<std::int64_t>(raised, "window_seconds") == 600);
  CHECK(raised.evidence.size() == 1);
  CHECK_FALSE(raised.changed_between.has_value());
  s.change(s.a, 50);
  s.change(s.b, 20);
  CHECK(s.host.taken().empty());
  s.host.at("2024-01-02T00:19:59Z");
  CHECK(s.host.taken().empty());
  s.host.at("2024-01-02T00:20:00Z");  // the first whole window without a change
  REQUIRE(s.host.taken() == Texts{"prefix-flap clear"});
  const Event& cleared = s.host.events[1];
  CHECK(cleared.incident == raised.incident);
  CHECK(cleared.id != raised.id);
  CHECK(field<std::int64_t>(cleared, "folded") == 70);
  CHECK(field<Timestamp>(cleared, "since") == raised.time);
  CHECK(field<std::int64_t>(cleared, "duration_seconds") == 1170);
  CHECK(cleared.peers == Texts{"a", "b"});
  CHECK(cleared.evidence.size() == 1);
  CHECK(cleared.evidence[0].peer == "b");
  CHECK(s.host.state.empty());
  CHECK(s.host.timers() == 0);
  // What comes later is another matter.
  s.change(s.a, 6);
  REQUIRE(s.host.taken() == Texts{"prefix-flap"});
  CHECK(s.host.events[2].incident != raised.incident);
}

TEST_CASE("prefix-flap: a window begins with the first change, and its end begins another") {
  FlapScene s;
  s.begin();
  s.change(s.a, 5);
  s.host.after(seconds(599));
  s.host.after(seconds(1));
  CHECK(s.host.timers() == 0);  // calm: forgotten
  s.change(s.a, 5);             // at the very end of the first window: the first of the second
  CHECK(s.host.taken().empty());
  s.host.after(seconds(599));
  s.change(s.a, 1);
  CHECK(s.host.taken() == Texts{"prefix-flap"});
  // It is one window for all: a prefix that changes later moves no end.
  FlapScene two;
  two.host.settings.set("scope", "all");
  two.begin();
  two.change(two.a, 5);
  two.host.after(seconds(300));
  two.change(two.a, 1, "10.0.1.0/24");
  two.host.after(seconds(300));
  two.change(two.a, 1);
  CHECK(two.host.taken().empty());
}

TEST_CASE("prefix-flap: what is at the threshold in a window is calm, what is above it goes on") {
  FlapScene s;
  s.begin();
  s.change(s.a, 6);
  CHECK(s.host.taken() == Texts{"prefix-flap"});
  s.host.after(seconds(600));
  s.change(s.a, 5);
  s.change(s.b, 6);  // whichever neighbour it is
  s.host.after(seconds(600));
  CHECK(s.host.taken().empty());
  s.change(s.a, 5);
  s.change(s.b, 5);
  s.host.after(seconds(600));
  REQUIRE(s.host.taken() == Texts{"prefix-flap clear"});
  CHECK(field<std::int64_t>(s.host.events[1], "folded") == 21);
}

TEST_CASE("prefix-flap: threshold and window are settings") {
  FlapScene s;
  s.host.settings.set("threshold", std::int64_t{2});
  s.host.settings.set("window", std::int64_t{10});
  s.begin();
  s.change(s.a, 2);
  s.host.after(seconds(10));
  s.change(s.a, 2);
  CHECK(s.host.taken().empty());
  s.change(s.a, 1);
  REQUIRE(s.host.taken() == Texts{"prefix-flap"});
  CHECK(field<std::int64_t>(s.host.events[0], "changes") == 3);
  CHECK(field<std::int64_t>(s.host.events[0], "withdrawals") == 2);
  CHECK(s.host.events[0].rule == "more than 2 changes of one neighbour's route within 10 s");
  s.host.after(seconds(20));
  CHECK(s.host.taken() == Texts{"prefix-flap clear"});
}

TEST_CASE("prefix-flap: a restart ends nothing, and counts a window of its own") {
  FlapScene s;
  s.begin();
  s.change(s.a, 6);
  s.host.after(seconds(590));
  s.host.restart();
  CHECK(s.host.taken() == Texts{"prefix-flap"});
  s.host.after(seconds(599));
  s.change(s.a, 3);
  CHECK(s.host.taken().empty());
  s.host.after(seconds(1));
  REQUIRE(s.host.taken() == Texts{"prefix-flap clear"});
  CHECK(s.host.events[1].incident == s.host.events[0].incident);
  CHECK(field<std::int64_t>(s.host.events[1], "folded") == 3);
  CHECK(s.host.state.empty());
}

TEST_CASE("prefix-flap: stored state that is damaged or of a newer format is refused") {
  FlapScene s;
  s.begin();
  s.change(s.a, 6);
  REQUIRE(s.host.state.size() == 1);
  std::string& stored = s.host.state.begin()->second;
  const std::string good = stored;
  for (const std::string& bad :
       {good + 'x', good.substr(0, good.size() - 1), '\2' + good.substr(1), std::string()}) {
    stored = bad;
    CHECK_THROWS_AS(s.host.restart(), std::runtime_error);
  }
}

TEST_CASE("prefix-flap: what is not watched is not counted, unless all is") {
  for (const bool all : {false, true}) {
    FlapScene s;
    if (all) s.host.settings.set("scope", "all");
    s.begin();
    s.change(s.a, 6, "10.0.1.0/24");
    CHECK(s.host.taken() == (all ? Texts{"prefix-flap"} : Texts{}));
  }
}

TEST_CASE("prefix-flap: path identifiers of one prefix count together; a gap has its interval") {
  FlapScene s;
  s.begin();
  s.host.announce(s.a, {"10.0.0.0/24#1", "10.0.0.0/24#2"}, "1 20 100");
  s.host.announce(s.a, {"10.0.0.0/24#1", "10.0.0.0/24#2"}, "1 30 100");
  s.host.withdraw(s.a, {"10.0.0.0/24#1"});
  CHECK(s.host.taken().empty());
  s.host.withdraw(s.a, {"10.0.0.0/24#2"});
  CHECK(s.host.taken() == Texts{"prefix-flap"});
  FlapScene gap;
  gap.begin();
  gap.change(gap.a, 5);
  gap.host.found(gap.a, {"10.0.0.0/24"}, "1 20 100", "2024-01-01T23:00:00Z");
  REQUIRE(gap.host.taken() == Texts{"prefix-flap"});
  CHECK(gap.host.events[0].cause == Cause::kResync);
  REQUIRE(gap.host.events[0].changed_between.has_value());
  CHECK(gap.host.events[0].changed_between->from == time_of("2024-01-01T23:00:00Z"));
}

TEST_CASE("prefix-flap: at most 65,536 prefixes and 1,024 neighbours of each are counted") {
  FlapScene s;
  s.host.settings.set("scope", "all");
  s.begin();
  for (int n = 0; n < 65535; ++n)
    s.host.announce(s.b,
                    {"10.1." + std::to_string(n / 256) + "." + std::to_string(n % 256) + "/32"},
                    "2 10 100");
  s.change(s.a, 6, "10.0.0.0/24");
  CHECK(s.host.taken() == Texts{"prefix-flap"});
  s.change(s.a, 6, "10.0.1.0/24");
  CHECK(s.host.taken().empty());
  s.host.after(seconds(600));
  s.change(s.a, 6, "10.0.1.0/24");
  CHECK(s.host.taken() == Texts{"prefix-flap"});
  FlapScene many;
  many.begin();
  for (int n = 0; n < 1024; ++n)
    many.host.announce(many.host.add_peer("n" + std::to_string(n), 9), {"10.0.0.0/24"}, "9 100");
  many.change(many.a, 6);
  CHECK(many.host.taken().empty());
}

}  // namespace lapwing::test
