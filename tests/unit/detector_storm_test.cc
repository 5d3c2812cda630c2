#include <doctest/doctest.h>

#include "tests/unit/fake_host.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::hours;
using std::chrono::seconds;

std::string prefix_text(int i) {
  return "10." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/24";
}

std::size_t count(const FakeHost& host, std::string_view type) {
  return static_cast<std::size_t>(std::count_if(host.events.begin(), host.events.end(),
                                                [&](const Event& e) { return e.type == type; }));
}

/// Origin 100 behind 10 and 20; 10 is about to flap.
struct Flapping {
  FakeHost host{"new-upstream"};
  PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  explicit Flapping(std::int64_t threshold = 4) {
    host.settings.set("flap-threshold", threshold);
    host.at("2024-01-01T00:00:00Z");
    host.table(a, {"10.0.0.0/24"}, "1 10 100");
    host.table(b, {"10.0.0.0/24"}, "2 20 100");
    host.after(hours(24));
  }
  void flap(int times, seconds apart = seconds(10)) {
    for (int i = 0; i < times; ++i) {
      host.after(apart);
      host.withdraw(a, {"10.0.0.0/24"});
      host.after(apart);
      host.announce(a, {"10.0.0.0/24"}, "1 10 100");
    }
  }
};

}  // namespace

TEST_CASE(
    "damping: after the threshold one flap report, silence, and an end with the final state") {
  Flapping s;
  s.flap(2);
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20",
                                "upstream-returned 100 10", "single-homed 100 10 clear",
                                "upstream-gone 100 10", "single-homed 100 20",
                                "upstream-returned 100 10", "single-homed 100 10 clear"});
  s.flap(10);
  CHECK(s.host.taken() == Texts{"upstream-flap 100 10"});
  CHECK(s.host.events.back().action == Action::kRaise);
  CHECK(field<std::int64_t>(s.host.events.back(), "transitions") == 5);
  s.host.after(seconds(899));
  CHECK(s.host.taken().empty());
  s.host.after(seconds(1));
  CHECK(s.host.taken() == Texts{"upstream-flap 100 10 clear"});
  const Event& end = s.host.events.back();
  CHECK(field<std::int64_t>(end, "folded") == 20);
  CHECK(field<std::string>(end, "state") == "active");
  CHECK(end.incident == s.host.events[0].incident);
  // Afterwards it is reported again.
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20"});
}

TEST_CASE("damping: four changes within the window are reported, slow ones always") {
  Flapping s;
  s.flap(12, seconds(200));  // at most three within 600 s
  CHECK(count(s.host, "upstream-gone") == 12);
  CHECK(count(s.host, "upstream-flap") == 0);
}

TEST_CASE("damping: an upstream that ends gone leaves the origin single-homed, said at the end") {
  Flapping s;
  s.flap(3);
  s.host.after(seconds(10));
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.taken();
  s.host.after(seconds(900));
  CHECK(s.host.taken() == Texts{"upstream-flap 100 10 clear", "single-homed 100 20"});
  CHECK(field<std::string>(s.host.events[s.host.events.size() - 2], "state") == "gone");
  // What is there instead.
  for (const std::size_t back : {2, 1}) {
    const Event& e = s.host.events[s.host.events.size() - back];
    REQUIRE(e.evidence.size() == 1);
    CHECK(e.evidence[0].new_path == "2 20 100");
  }
}

TEST_CASE("damping: a flap that begins with a loss names the prefixes that went") {
  Flapping s;
  s.flap(2);
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  const Event& e = s.host.events.back();
  REQUIRE(e.type == "upstream-flap");
  CHECK(field<std::string>(e, "state") == "gone");
  CHECK(prefix_texts(e) == Texts{"10.0.0.0/24"});
  CHECK(e.prefix_count == 1);
}

TEST_CASE(
    "damping: single-homed stands while the upstream flaps, and is cleared when it is stable") {
  Flapping s(3);
  s.flap(2);
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20",
                                "upstream-returned 100 10", "single-homed 100 10 clear",
                                "upstream-gone 100 10", "single-homed 100 20",
                                "upstream-flap 100 10"});
  s.flap(3);
  CHECK(s.host.taken().empty());
  s.host.after(seconds(900));
  CHECK(s.host.taken() == Texts{"upstream-flap 100 10 clear", "single-homed 100 10 clear"});
  for (const std::size_t back : {2, 1}) {
    const Event& e = s.host.events[s.host.events.size() - back];
    CHECK(prefix_texts(e) == Texts{"10.0.0.0/24"});
    CHECK(e.peers == Texts{"a"});
    // Nothing changes at the end of damping: it is shown as it is.
    REQUIRE(e.evidence.size() == 1);
    CHECK(e.evidence[0].peer == "a");
    CHECK(e.evidence[0].old_path == "1 10 100");
    CHECK(e.evidence[0].new_path == "1 10 100");
  }
}

TEST_CASE("damping: a new upstream of the flapping origin is never lost") {
  Flapping s;
  s.flap(5);
  s.host.taken();
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
  CHECK(s.host.taken() == Texts{"new-upstream 100 30"});
}

TEST_CASE("damping: shares of a damped upstream are silent, knowledge goes on") {
  Flapping s;
  s.flap(5);
  s.host.taken();
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  s.host.after(seconds(61));
  CHECK(s.host.taken().empty());
  CHECK(s.host.detector().query("upstreams", "100")->find(R"("activations":6)") !=
        std::string::npos);
}

TEST_CASE("damping: the end of the records says what was folded") {
  Flapping s;
  s.flap(5);
  s.host.taken();
  s.host.detector().finish();
  CHECK(s.host.taken() == Texts{"upstream-flap 100 10"});
  CHECK(s.host.events.back().action == Action::kUpdate);
}

TEST_CASE("storm: a minute carries a limited number of events, the rest is one report") {
  FakeHost host("new-upstream");
  host.settings.set("storm-limit", std::int64_t{5});
  const PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  host.at("2024-01-01T00:00:00Z");
  for (int i = 0; i < 50; ++i) {
    const std::string origin = std::to_string(1000 + i);
    host.table(a, {prefix_text(i)}, "1 10 " + origin);
    host.table(b, {prefix_text(i)}, "2 20 " + origin);
    host.table(b, {prefix_text(300 + i)}, "2 21 " + origin);
  }
  host.after(hours(1));
  for (int i = 0; i < 50; ++i) host.withdraw(a, {prefix_text(i)});
  CHECK(host.events.size() == 5);
  CHECK(count(host, "upstream-gone") == 5);
  host.after(seconds(60));
  REQUIRE(host.events.size() == 6);
  const Event& storm = host.events.back();
  CHECK(storm.type == "upstream-storm");
  CHECK(field<std::int64_t>(storm, "folded") == 45);
  CHECK(field<std::int64_t>(storm, "upstream_gone") == 45);
  CHECK(field<Texts>(storm, "samples").size() == 10);
  CHECK(field<Texts>(storm, "samples")[0] == "AS1005 upstream AS10 gone");
  // What was folded was learnt all the same.
  host.after(hours(1));
  host.announce(a, {prefix_text(49)}, "1 10 1049");
  CHECK(host.events.back().type == "upstream-returned");
}

TEST_CASE("storm: a new upstream is never folded, nor are watched origins and raised incidents") {
  FakeHost host("new-upstream");
  host.settings.set("storm-limit", std::int64_t{1});
  host.watched.origins = {1000};
  const PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  host.at("2024-01-01T00:00:00Z");
  for (int i = 0; i < 20; ++i) {
    const std::string origin = std::to_string(1000 + i);
    host.table(a, {prefix_text(i)}, "1 10 " + origin);
    host.table(b, {prefix_text(i)}, "2 20 " + origin);
  }
  for (int i = 19; i >= 0; --i)
    host.announce(a, {prefix_text(i)}, "1 30 " + std::to_string(1000 + i));
  CHECK(count(host, "new-upstream") == 20);
  CHECK(count(host, "upstream-gone") == 2);  // the one of the limit, and that of the watched origin
  host.withdraw(a, {prefix_text(7)});
  CHECK(count(host, "upstream-gone") == 3);  // 30 is an incident
}

TEST_CASE("storm: the end of what was told is told, however many events there are") {
  FakeHost host("new-upstream");
  host.settings.set("storm-limit", std::int64_t{1});
  host.settings.set("incident-days", std::int64_t{0});
  const PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"}, "1 10 100");
  host.table(b, {"10.0.0.0/24"}, "2 20 100");
  host.after(hours(1));
  host.announce(a, {"10.0.1.0/24"}, "1 30 100");
  REQUIRE(host.taken() == Texts{"new-upstream 100 30"});
  // The minute's one event is of another upstream.
  const auto exhaust = [&] {
    host.after(seconds(120));
    host.taken();
    host.withdraw(b, {"10.0.0.0/24"});
    REQUIRE(host.taken() == Texts{"upstream-gone 100 20"});
    host.announce(b, {"10.0.0.0/24"}, "2 20 100");
    REQUIRE(host.taken().empty());
  };
  exhaust();
  host.announce(a, {"10.0.1.0/24"}, "1 10 100");
  CHECK(host.taken() == Texts{"upstream-gone 100 30"});
  SUBCASE("by the end of damping") {
    for (int i = 0; i < 2; ++i) {
      if (i != 0) host.announce(a, {"10.0.1.0/24"}, "1 10 100");
      host.after(seconds(130));
      host.taken();
      host.announce(a, {"10.0.1.0/24"}, "1 30 100");
      REQUIRE(host.taken() == Texts{"upstream-returned 100 30"});
    }
    exhaust();
    host.announce(a, {"10.0.1.0/24"}, "1 10 100");
    CHECK(host.taken().empty());
    const Timestamp went = host.now();
    host.after(seconds(900));
    CHECK(host.taken().back() == "upstream-gone 100 30");
    const Event& gone = host.events.back();
    CHECK(gone.ends == "upstream-returned");
    CHECK(gone.time == went + seconds(900));
    CHECK(field<Timestamp>(gone, "gone_since") == went);
    CHECK(field<std::int64_t>(gone, "duration_seconds") == 120);
    CHECK(gone.evidence.size() == 4);  // what is there instead, by each neighbour
  }
}

TEST_CASE("storm: a folded single-homed is not cleared later") {
  FakeHost host("new-upstream");
  host.settings.set("storm-limit", std::int64_t{1});
  const PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24"}, "1 10 100");
  host.table(b, {"10.0.0.0/24"}, "2 20 100");
  host.withdraw(a, {"10.0.0.0/24"});
  CHECK(host.taken() == Texts{"upstream-gone 100 10"});
  host.after(hours(1));
  host.announce(a, {"10.0.0.0/24"}, "1 10 100");
  CHECK(host.taken() == Texts{"upstream-storm", "upstream-returned 100 10"});
}

}  // namespace lapwing::test
