#include <doctest/doctest.h>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::hours;
using std::chrono::seconds;

struct RestartScene : TwoNeighbours {
  RestartScene() : TwoNeighbours("new-upstream") {}
};

}  // namespace

TEST_CASE("restart: the same tables again are silence") {
  RestartScene s;
  const auto before = s.host.state;
  s.host.restart();
  s.host.up(s.a, time_of("2024-01-02T00:00:00Z"));
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 100");
  s.host.after(hours(1));
  CHECK(s.host.events.empty());
  CHECK(s.host.state == before);
}

TEST_CASE("restart: what changed meanwhile is found, with its interval") {
  RestartScene s;
  s.host.restart();
  s.host.at("2024-01-02T01:00:00Z");
  s.host.found(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 30 100", "2024-01-02T00:00:00Z");
  CHECK(s.host.taken() == Texts{"new-upstream 100 30", "upstream-gone 100 10"});
}

TEST_CASE("the end of an upstream says which raise it ends, over a restart, too") {
  RestartScene s;
  const Texts both{"10.0.0.0/24", "10.0.1.0/24"};
  const auto ends = [&s] {
    REQUIRE(s.host.events.size() > 0);
    std::string text;
    for (const Event& e : s.host.events)
      if (e.type == "upstream-gone") text += e.ends;
    s.host.events.clear();
    return text;
  };
  s.host.withdraw(s.a, both);  // from the first table
  CHECK(ends() == Event::kEndsNothing);
  s.host.after(hours(1));
  s.host.announce(s.a, both, "1 10 100");
  s.host.announce(s.a, both, "1 30 100");
  CHECK(ends() == "upstream-returned");
  s.host.restart();
  s.host.withdraw(s.a, both);
  CHECK(ends() == "new-upstream");
  s.host.after(hours(1));
  s.host.table(s.a, both, "1 30 100");
  s.host.restart();
  s.host.withdraw(s.a, both);
  CHECK(ends() == Event::kEndsNothing);
}

TEST_CASE("restart: intervals, first seen and counts survive") {
  RestartScene s;
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24"});
  s.host.after(seconds(60));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  const auto before = s.host.detector().query("upstreams", "100");
  s.host.restart();
  // Nobody has been heard yet: last seen is when it changed last.
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.announce(s.b, {"10.0.0.0/24", "10.0.1.0/24"}, "2 20 100");
  CHECK(s.host.detector().query("upstreams", "100") == before);
}

TEST_CASE("restart: an open share window ends at its time, with the counts") {
  RestartScene s;
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.after(seconds(20));
  s.host.restart();
  s.host.after(seconds(39));
  CHECK(s.host.taken().empty());
  s.host.after(seconds(1));
  REQUIRE(s.host.taken() == Texts{"upstream-share 100 10"});
  CHECK(field<std::int64_t>(s.host.events[0], "old_prefix_count") == 2);
  CHECK(s.host.events[0].prefix_count == 3);
  s.host.restart();
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
}

TEST_CASE("restart: single-homed is cleared after it, damping ends after it") {
  RestartScene s;
  for (int i = 0; i < 4; ++i) {
    s.host.after(seconds(5));
    s.host.withdraw(s.b, {"10.0.0.0/24", "10.0.1.0/24"});
    s.host.after(seconds(5));
    if (i < 3) s.host.announce(s.b, {"10.0.0.0/24", "10.0.1.0/24"}, "2 20 100");
  }
  s.host.taken();
  s.host.restart();
  s.host.after(seconds(894));
  CHECK(s.host.taken().empty());
  s.host.after(seconds(1));
  CHECK(s.host.taken() == Texts{"upstream-flap 100 20 clear", "single-homed 100 10"});
  s.host.restart();
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 100");
  CHECK(s.host.taken() == Texts{"upstream-returned 100 20", "single-homed 100 20 clear"});
  CHECK(s.host.duplicate_events == 0);
}

TEST_CASE("restart in a storm: the report comes with all that was folded") {
  FakeHost host("new-upstream");
  host.settings.set("storm-limit", std::int64_t{1});
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  for (int i = 0; i < 9; ++i)
    host.table(a, {"10.0." + std::to_string(i) + ".0/24"}, "1 10 " + std::to_string(1000 + i));
  for (int i = 0; i < 9; ++i) {
    if (i == 5) host.restart();
    host.withdraw(a, {"10.0." + std::to_string(i) + ".0/24"});
  }
  host.after(seconds(60));
  REQUIRE(host.taken() == Texts{"upstream-gone 1000 10", "upstream-storm"});
  CHECK(field<std::int64_t>(host.events[1], "folded") == 8);
  CHECK_FALSE(host.state.contains("storm"));
}

TEST_CASE("switched on over a filled store: the stored routes teach") {
  RestartScene s;
  s.host.state.clear();
  s.host.restart();
  CHECK(s.host.events.empty());
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 20 100");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
  CHECK(s.host.taken() == Texts{"new-upstream 100 30"});
}

TEST_CASE("damaged state is refused loudly, not forgotten") {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{std::string(8, '\1'), "x"},
                                                        {std::string(8, '\1'), ""},
                                                        {std::string(9, '\1'), "\2"},
                                                        {std::string(4, '\1'), "\1zzz"},
                                                        {"storm", "\1"},
                                                        {"strange key", ""}}) {
    FakeHost host("new-upstream");
    Settings settings;
    const auto detector = make_detector("new-upstream", settings);
    detector->attach(host);
    CHECK_THROWS_AS(detector->restore_state(key, value), std::runtime_error);
  }
}

TEST_CASE("path-change: a fold that waits is reported after a restart, once") {
  FakeHost host("path-change");
  host.watched.prefixes = {prefix_of("10.0.0.0/16")};
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 5 10 100");
  host.announce(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 6 10 100");
  host.restart();
  host.after(seconds(2));
  REQUIRE(host.taken() == Texts{"path-change 100 10"});
  const Event& e = host.events[0];
  CHECK(field<std::int64_t>(e, "count") == 2);
  CHECK(prefix_texts(e) == Texts{"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(e.evidence.size() == 2);
  CHECK(e.evidence[1].new_path == "1 6 10 100");
  CHECK(e.peers == Texts{"a"});
  const auto children = host.detector().query("path-change-children", format_event_id(e.id));
  host.restart();
  host.after(seconds(60));
  CHECK(host.taken().empty());
  CHECK(host.detector().query("path-change-children", format_event_id(e.id)) == children);
  CHECK(children->find("1 5 10 100") != std::string::npos);
}

TEST_CASE("path-change: what a table taught, and went, explains nothing after a restart") {
  FakeHost host("path-change");
  host.watched = watch_origin(100);
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24"}, "1 10 100");
  host.table(a, {"10.0.1.0/24"}, "1 20 100");
  host.announce(a, {"10.0.1.0/24"}, "1 10 100");
  host.after(seconds(5));
  host.restart();
  host.announce(a, {"10.0.1.0/24"}, "1 20 100");
  host.after(seconds(5));
  REQUIRE(host.events.size() == 2);
  CHECK_FALSE(has_field(host.events[1], "explained_by"));
  host.announce(a, {"10.0.0.0/24"}, "1 30 100");
  host.after(seconds(5));
  CHECK(has_field(host.events.back(), "explained_by"));
  host.restart();
  host.announce(a, {"10.0.1.0/24"}, "1 30 100");
  host.after(seconds(5));
  REQUIRE(host.events.size() == 4);
  CHECK(has_field(host.events[3], "explained_by"));
}

TEST_CASE("path-change: what an older version stored was raised, routes teach the rest") {
  FakeHost host("path-change");
  host.watched = watch_origin(100);
  host.state[std::string("a\0\0\0\x64\0\0\0\x1e", 9)] = "";  // 100 behind 30
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.off_while([&] { host.table(a, {"10.0.0.0/24"}, "1 20 100"); });
  host.announce(a, {"10.0.0.0/24"}, "1 30 100");
  host.table(a, {"10.0.1.0/24"}, "1 10 100");
  host.announce(a, {"10.0.1.0/24"}, "1 20 100");
  host.after(seconds(2));
  REQUIRE(host.events.size() == 2);
  CHECK(has_field(host.events[0], "explained_by"));
  CHECK_FALSE(has_field(host.events[1], "explained_by"));
}

}  // namespace lapwing::test
