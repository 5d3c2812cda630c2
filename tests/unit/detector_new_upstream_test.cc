#include <doctest/doctest.h>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::hours;
using std::chrono::seconds;

struct UpstreamScene : TwoNeighbours {
  explicit UpstreamScene(Watch watch = {}) : TwoNeighbours("new-upstream", std::move(watch)) {}
};

}  // namespace

TEST_CASE("baseline teaches and does not alarm, whatever it shows") {
  UpstreamScene s;
  CHECK(s.host.events.empty());
  CHECK(s.host.timers() == 0);
  CHECK(s.host.detector().query("upstreams", "100") ==
        R"([{"as":10,"first_seen":"2024-01-01T00:00:00.000000Z",)"
        R"("last_seen":"2024-01-02T00:00:00.000000Z","active":true,"prefixes":2,"peers":["a"],)"
        R"("activations":1,"intervals":[{"from":"2024-01-01T00:00:00.000000Z","to":null}]},)"
        R"({"as":20,"first_seen":"2024-01-01T00:00:00.000000Z",)"
        R"("last_seen":"2024-01-02T00:00:00.000000Z","active":true,"prefixes":2,"peers":["b"],)"
        R"("activations":1,"intervals":[{"from":"2024-01-01T00:00:00.000000Z","to":null}]}])");
}

TEST_CASE("a query that is not mine has no answer; an unknown origin has an empty one") {
  UpstreamScene s;
  CHECK(s.host.detector().query("routes", "100") == std::nullopt);
  CHECK(s.host.detector().query("upstreams", "x") == std::nullopt);
  CHECK(s.host.detector().query("upstreams", "999") == "[]");
  CHECK(s.host.detector().query("upstream-statistics", "").has_value());
}

TEST_CASE("the first table of a further neighbour teaches a new adjacency in silence") {
  UpstreamScene s;
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.0.0/24"}, "3 30 100");
  CHECK(s.host.events.empty());
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 30 100");
  CHECK(s.host.taken().empty());
}

TEST_CASE("a new upstream is named with all prefixes of its UPDATE, at that UPDATE") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.1.0/24", "10.0.0.0/24"}, "1 30 100");
  // 10 is gone with the same UPDATE; two upstreams remain.
  CHECK(s.host.taken() == Texts{"new-upstream 100 30", "upstream-gone 100 10"});
  const Event& e = s.host.events[0];
  CHECK(prefix_texts(e) == Texts{"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(e.prefix_count == 2);
  CHECK(e.origin_prefix_count == 2u);
  CHECK_FALSE((*e.known_upstreams)[0].active);
  CHECK(field<bool>(e, "new_origin") == false);
}

TEST_CASE("an origin never seen before is a notice with a rule that says so") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.9.0.0/24"}, "1 10 900");
  CHECK(s.host.taken() == Texts{"new-upstream 900 10"});
  CHECK(s.host.events[0].severity == Severity::kNotice);
  CHECK(field<bool>(s.host.events[0], "new_origin"));
  CHECK_FALSE(has_field(s.host.events[0], "origin_since"));
  // It reaches the next neighbour behind another upstream: the same news.
  s.host.after(seconds(599));
  s.host.announce(s.b, {"10.9.0.0/24"}, "2 20 900");
  CHECK(s.host.taken() == Texts{"new-upstream 900 20"});
  CHECK(s.host.events[1].severity == Severity::kNotice);
  CHECK(field<bool>(s.host.events[1], "new_origin"));
  CHECK(field<Timestamp>(s.host.events[1], "origin_since") == time_of("2024-01-02T00:00:00Z"));
  // Once it is settled, a further upstream is a warning.
  s.host.restart();
  s.host.after(seconds(1));
  s.host.announce(s.b, {"10.9.0.0/24"}, "2 30 900");
  CHECK(s.host.events.at(2).severity == Severity::kWarning);
  CHECK_FALSE(field<bool>(s.host.events[2], "new_origin"));
}

TEST_CASE("an origin that a first table showed a moment ago is not new") {
  FakeHost host("new-upstream");
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24"}, "1 10 100");
  host.announce(a, {"10.0.0.0/24"}, "1 20 100");
  CHECK(host.taken() == Texts{"new-upstream 100 20", "upstream-gone 100 10"});
  CHECK(host.events[0].severity == Severity::kWarning);
}

TEST_CASE("the upstream's role says what it was known as, and how much to believe") {
  UpstreamScene s;
  s.host.table(s.a, {"10.7.0.0/24"}, "1 10 700");
  const auto role = [&](std::string_view prefix, std::string_view path) {
    s.host.announce(s.a, {std::string(prefix)}, path);
    for (auto e = s.host.events.rbegin(); e != s.host.events.rend(); ++e)
      if (e->type == "new-upstream")
        return field<std::string>(*e, "upstream_role") + ' ' + field<std::string>(*e, "confidence");
    return std::string();
  };
  CHECK(role("10.0.0.0/24", "1 20 100") == "");  // known from the other neighbour
  CHECK(role("10.0.0.0/24", "1 30 100") == "unknown normal");
  // A stub in the middle: a forged path, or a leak.
  CHECK(role("10.0.0.0/24", "1 700 100") == "stub low");
  CHECK(role("10.0.1.0/24", "1 700 101") == "stub low");  // it was made known a moment ago only
  CHECK(role("10.5.0.0/24", "1 10 500") == "transit normal");
  CHECK(role("10.0.1.0/24", "1 100 40 100") == "unknown low");  // poisoned
  CHECK(role("10.0.1.0/24", "1 64500 100") == "unknown low");   // no AS of the Internet
  CHECK(role("10.6.0.0/24", "600") == "local normal");
  s.host.after(seconds(600));
  s.host.restart();
  CHECK(role("10.8.0.0/24", "1 700 800") == "transit normal");
}

TEST_CASE("an upstream that is the neighbour itself is reported as direct") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 100");
  CHECK(s.host.taken() == Texts{"new-upstream 100 1"});
  CHECK(s.host.events[0].direct == true);
}

TEST_CASE("one router, iBGP: the local AS becomes upstream of a new customer, and is direct") {
  FakeHost host("new-upstream");
  const PeerId edge = host.add_peer("edge1", 64512, 64512);
  host.at("2024-01-01T00:00:00Z");
  host.table(edge, {"10.0.0.0/24"}, "10 100");
  host.table(edge, {"10.1.0.0/24"}, "");
  host.announce(edge, {"10.0.0.0/24"}, "100");
  CHECK(host.taken() == Texts{
                            "new-upstream 100 64512",
                            "upstream-gone 100 10",
                        });
  CHECK(host.events[0].direct == true);
  CHECK(field<std::vector<Asn>>(host.events[0], "reserved_as") == std::vector<Asn>{64512});
}

TEST_CASE("one-hop paths depend on who shows them, equal attribute sets or not") {
  FakeHost host("new-upstream");
  const PeerId a = host.add_peer("a", 100, 64600), b = host.add_peer("b", 64700, 64700);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24"}, "100");
  host.table(b, {"10.0.0.0/24"}, "100");
  const auto json = *host.detector().query("upstreams", "100");
  CHECK(json.find("\"as\":64600") != std::string::npos);
  CHECK(json.find("\"as\":64700") != std::string::npos);
}

TEST_CASE("a neighbour whose local AS changes: its one-hop routes are known behind the new one") {
  FakeHost host("new-upstream");
  const PeerId a = host.add_peer("a", 100, 64600);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24", "10.0.1.0/24"}, "100");
  host.at("2024-01-02T00:00:00Z");
  host.renumber(a, 64601);
  CHECK(host.taken().empty());
  const auto json = *host.detector().query("upstreams", "100");
  const auto after = json.find("\"as\":64601"), before = json.find("\"as\":64600");
  REQUIRE(after != std::string::npos);
  REQUIRE(before != std::string::npos);
  CHECK(json.find("\"active\":true", after) != std::string::npos);
  CHECK(json.find("\"active\":false", before) < json.find("\"active\":true", before));
  host.announce(a, {"10.0.0.0/24"}, "100 100");
  CHECK(host.taken().empty());
  host.withdraw(a, {"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(host.taken() == Texts{"upstream-gone 100 64601"});
}

TEST_CASE("a neighbour's local AS that was not known and then is, as after a table dump") {
  FakeHost host("new-upstream");
  const PeerId a = host.add_peer("a", 100, 0);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24"}, "100");
  CHECK(*host.detector().query("upstreams", "100") == "[]");
  host.renumber(a, 64600);
  host.announce(a, {"10.0.1.0/24"}, "100");
  host.announce(a, {"10.0.0.0/24"}, "100 100");
  CHECK(host.taken().empty());
  host.announce(a, {"10.0.1.0/24", "10.0.0.0/24"}, "30 100");
  CHECK(host.taken() == Texts{"new-upstream 100 30", "upstream-gone 100 64600"});
}

TEST_CASE("a poisoned path is reported with its tag") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 100 30 100");
  CHECK(s.host.taken() == Texts{"new-upstream 100 30"});
  CHECK(field<bool>(s.host.events[0], "poisoned"));
}

TEST_CASE("ambiguous paths show no adjacency and are counted") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 {30,31} 100");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 {100,101}");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 23456 100");
  s.host.after(hours(1));
  for (const auto& text : s.host.taken()) CHECK(text.find("new-upstream") == std::string::npos);
  const auto statistics = *s.host.detector().query("upstream-statistics", "");
  CHECK(statistics.find("\"ambiguous_paths\":3") != std::string::npos);
}

TEST_CASE("other attributes, other transit: no event") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100", 7);
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 5 6 10 100");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 5 6 10 100 100");
  s.host.after(hours(1));
  CHECK(s.host.events.empty());
}

TEST_CASE(
    "the last route that showed it: gone at once, with the duration; then back, with the gap") {
  UpstreamScene s;
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  CHECK(s.host.taken().empty());
  s.host.withdraw(s.a, {"10.0.1.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20"});
  const Event gone = s.host.events[0];
  CHECK(gone.action == Action::kClear);
  CHECK(gone.severity == Severity::kNotice);
  CHECK(field<std::int64_t>(gone, "duration_seconds") == 86400);
  // What left a moment earlier, in the share window, went with it.
  CHECK(gone.prefix_count == 2);
  CHECK(prefix_texts(gone) == Texts{"10.0.0.0/24", "10.0.1.0/24"});
  const Event single = s.host.events[1];
  CHECK(single.incident == gone.incident);
  CHECK(single.upstream_as == 20u);
  CHECK(field<std::int64_t>(single, "lost_upstream") == 10);

  s.host.after(seconds(90));
  CHECK(s.host.taken().empty());
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"upstream-returned 100 10", "single-homed 100 10 clear"});
  CHECK(field<std::int64_t>(s.host.events[2], "gap_seconds") == 90);
  CHECK(field<std::int64_t>(s.host.events[2], "times") == 2);
  CHECK(s.host.events[2].severity == Severity::kNotice);
  CHECK(s.host.events[3].incident == gone.incident);
}

TEST_CASE("two that go in one UPDATE, and a third later: each names its own prefixes alone") {
  UpstreamScene s;
  s.host.table(s.host.add_peer("c", 3), {"10.1.0.0/24", "10.1.1.0/24"}, "3 10 101");
  s.host.table(s.host.add_peer("d", 4), {"10.2.0.0/24"}, "4 10 102");
  const PeerId e = s.host.add_peer("e", 5);
  s.host.table(e, {"10.3.0.0/24"}, "5 10 103");
  s.host.table(e, {"10.4.0.0/24"}, "5 10 104");
  s.host.withdraw(e, {"10.3.0.0/24", "10.4.0.0/24"});
  s.host.withdraw(2, {"10.1.0.0/24", "10.1.1.0/24"});
  s.host.withdraw(3, {"10.2.0.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 103 10", "upstream-gone 104 10",
                                "upstream-gone 101 10", "upstream-gone 102 10"});
  CHECK(prefix_texts(s.host.events[0]) == Texts{"10.3.0.0/24"});
  CHECK(prefix_texts(s.host.events[1]) == Texts{"10.4.0.0/24"});
  CHECK(prefix_texts(s.host.events[2]) == Texts{"10.1.0.0/24", "10.1.1.0/24"});
  CHECK(prefix_texts(s.host.events[3]) == Texts{"10.2.0.0/24"});
}

TEST_CASE("gone and back within one second: each is told, in the order in which it came") {
  UpstreamScene s;
  const Texts both{"10.0.0.0/24", "10.0.1.0/24"};
  // Files have whole seconds: all of this has one time.
  s.host.withdraw(s.a, both);
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.withdraw(s.a, both);
  s.host.announce(s.a, both, "1 10 100");
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20",
                                "upstream-returned 100 10", "single-homed 100 10 clear",
                                "upstream-gone 100 10", "single-homed 100 20",
                                "upstream-returned 100 10", "single-homed 100 10 clear"});
  CHECK(s.host.duplicate_events == 0);
  const Event &returned = s.host.events[2], &gone = s.host.events[4], &again = s.host.events[6];
  CHECK(field<std::int64_t>(returned, "gap_seconds") == 0);
  CHECK(field<std::int64_t>(returned, "times") == 2);
  CHECK(returned.prefix_count == 1);
  CHECK(field<std::int64_t>(gone, "duration_seconds") == 0);
  CHECK(field<std::int64_t>(gone, "times") == 2);
  CHECK(field<Timestamp>(gone, "active_since") == returned.time);
  CHECK(field<std::int64_t>(again, "times") == 3);
  CHECK(again.prefix_count == 2);
  for (const Event& e : s.host.events) {
    CHECK(e.time == s.host.now());
    CHECK(e.incident == returned.incident);
  }
  // The fifth change is damped, though no time has passed.
  s.host.withdraw(s.a, both);
  CHECK(s.host.taken() == Texts{"upstream-flap 100 10"});
}

TEST_CASE("returns in the second of the first sight count for damping; the first sight does not") {
  UpstreamScene s;
  for (int i = 0; i < 3; ++i) {
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  }
  const Texts told = s.host.taken();
  CHECK(std::count(told.begin(), told.end(), "upstream-gone 100 30") == 2);
  CHECK(std::count(told.begin(), told.end(), "upstream-returned 100 30") == 2);
  CHECK(std::count(told.begin(), told.end(), "upstream-flap 100 30") == 1);
}

TEST_CASE("further neighbours that show what was raised are its witnesses") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
  CHECK(s.host.witnesses.empty());
  s.host.announce(s.b, {"10.0.1.0/24"}, "2 30 100");
  s.host.table(s.host.add_peer("c", 3), {"10.0.1.0/24"}, "3 30 100");
  REQUIRE(s.host.witnesses.size() == 2);
  CHECK(s.host.witnesses[0] == std::pair(s.host.events[0].incident, std::string("new-upstream b")));
  CHECK(s.host.witnesses[1].second == "new-upstream c");
}

TEST_CASE("a lost neighbour: nothing is gone, nothing returns") {
  UpstreamScene s;
  s.host.down(s.a);
  s.host.after(hours(5));
  CHECK(s.host.events.empty());
  s.host.up(s.a);
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 100");
  s.host.after(hours(1));
  CHECK(s.host.events.empty());
  CHECK(s.host.state.size() == 2);
}

TEST_CASE("what a first table takes back again is not active, and does not count for single-homed") {
  UpstreamScene s;
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.2.0/24"}, "3 30 100");
  s.host.change(c, "10.0.2.0/24", std::nullopt, true, std::nullopt);
  s.host.end();
  CHECK(s.host.taken().empty());
  const std::string json = *s.host.detector().query("upstreams", "100");
  CHECK(json.find("\"active\":false", json.find("\"as\":30,")) != std::string::npos);
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20"});
  s.host.announce(c, {"10.0.2.0/24"}, "3 30 100");
  CHECK(s.host.taken() == Texts{"upstream-returned 100 30", "single-homed 100 30 clear"});
}

TEST_CASE("a first table in place of what was kept ends a new-upstream, and alarms of nothing") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
  REQUIRE(s.host.taken() == Texts{"new-upstream 100 30"});
  // What no event told needs no end. It was seen until the neighbour was lost.
  const Timestamp lost = s.host.now() - seconds(5);
  for (const char* const prefix : {"10.0.0.0/24", "10.0.1.0/24"})
    s.host.change(s.b, prefix, attributes_of("2 10 100", 0), true, lost);
  s.host.end();
  CHECK(s.host.taken().empty());
  const std::string json = *s.host.detector().query("upstreams", "100");
  CHECK(json.find("\"last_seen\":\"" + format_rfc3339(lost), json.find("\"as\":20,")) !=
        std::string::npos);
  s.host.after(seconds(600));
  s.host.taken();
  s.host.change(s.a, "10.0.0.0/24", attributes_of("1 10 100", 0), true,
                s.host.now() - seconds(5));
  s.host.end();
  REQUIRE(s.host.taken() == Texts{"upstream-gone 100 30"});
  const Event& gone = s.host.events.back();
  CHECK(gone.ends == "new-upstream");
  CHECK(gone.rule == "a first table in place of what was known no longer shows this upstream");
  CHECK(gone.prefix_count == 1);
  CHECK(prefix_texts(gone) == Texts{"10.0.0.0/24"});
  CHECK(gone.peers == Texts{"a"});
  REQUIRE(gone.evidence.size() == 1);
  CHECK(gone.evidence[0].old_path == "1 30 100");
  CHECK(gone.evidence[0].new_path == "1 10 100");
  REQUIRE(gone.changed_between);
  CHECK(gone.changed_between->from == gone.time - seconds(5));
  CHECK(field<std::int64_t>(gone, "duration_seconds") == 600);
  s.host.restart();
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
  CHECK(s.host.taken() == Texts{"upstream-returned 100 30"});
}

TEST_CASE("a raise stands through damping: its end is told with that of damping, or later") {
  for (const bool stays : {true, false}) {
    UpstreamScene s;
    const auto taken = [&s] {
      Texts texts = s.host.taken();
      std::erase_if(texts, [](const std::string& t) { return t.find(" 30") == std::string::npos; });
      return texts;
    };
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
    for (int i = 0; i < 3; ++i) {
      s.host.after(seconds(10));
      s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
      if (i < 2) s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
    }
    taken();
    REQUIRE(s.host.events.back().type == "upstream-flap");
    CHECK(s.host.events.back().ends == "upstream-returned");  // held back, it is not told
    if (stays) s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
    s.host.restart();
    s.host.after(seconds(900));
    REQUIRE(taken() == Texts{"upstream-flap 100 30 clear"});
    CHECK(s.host.events.back().ends == (stays ? "" : "upstream-flap upstream-returned"));
    if (stays) {
      s.host.restart();
      s.host.table(s.a, {"10.0.0.0/24"}, "1 10 100");
      REQUIRE(taken() == Texts{"upstream-gone 100 30"});
      CHECK(s.host.events.back().ends == "upstream-returned");
    }
    // Nothing stands of it now.
    s.host.table(s.a, {"10.0.0.0/24"}, "1 30 100");
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
    REQUIRE(taken() == Texts{"upstream-gone 100 30"});
    CHECK(s.host.events.back().ends == Event::kEndsNothing);
  }
}

TEST_CASE("what only a lost neighbour shows is unobserved until it is back") {
  UpstreamScene s;
  const auto unobserved = [&s] {
    const std::string json = *s.host.detector().query("upstreams", "100");
    const auto ten = json.find("\"as\":10,"), twenty = json.find("\"as\":20,");
    const auto at = json.find("\"unobserved\":true");
    CHECK((at == std::string::npos || (ten < at && at < twenty)));
    return at != std::string::npos;
  };
  CHECK_FALSE(unobserved());
  s.host.down(s.a);
  CHECK(unobserved());
  s.host.up(s.a);
  CHECK(unobserved());
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  CHECK_FALSE(unobserved());
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24"});
  CHECK_FALSE(unobserved());
}

TEST_CASE("what only a lost neighbour shows was last seen when it was lost") {
  UpstreamScene s;
  s.host.down(s.a);
  s.host.at("2024-01-03T00:00:00Z");
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 30 100");
  REQUIRE(s.host.taken() == Texts{"new-upstream 100 30"});
  const auto& known = *s.host.events[0].known_upstreams;
  CHECK(known[0].as == 10);
  CHECK(known[0].active);
  CHECK(known[0].last_seen == time_of("2024-01-02T00:00:00Z"));
  CHECK(known[1].last_seen == time_of("2024-01-03T00:00:00Z"));
}

TEST_CASE("a change found after a gap alarms and says between when") {
  UpstreamScene s;
  s.host.down(s.a);
  s.host.at("2024-01-02T03:00:00Z");
  s.host.up(s.a);
  s.host.found(s.a, {"10.0.0.0/24"}, "1 30 100", "2024-01-02T00:00:00Z");
  s.host.found(s.a, {"10.0.1.0/24"}, std::nullopt, "2024-01-02T00:00:01Z");
  CHECK(s.host.taken() == Texts{"new-upstream 100 30", "upstream-gone 100 10"});
  for (const Event& e : s.host.events) {
    CHECK(e.cause == Cause::kResync);
    REQUIRE(e.changed_between.has_value());
    CHECK(e.changed_between->to == time_of("2024-01-02T03:00:00Z"));
  }
  CHECK(s.host.events[0].changed_between->from == time_of("2024-01-02T00:00:00Z"));
  CHECK(s.host.events[1].changed_between->from == time_of("2024-01-02T00:00:01Z"));
}

TEST_CASE("prefixes of an event are sorted and named once, in whatever order and families they came") {
  UpstreamScene s;
  Nlri multicast = nlri_of("10.0.7.0/24");
  multicast.family.safi = kSafiMulticast;
  for (const auto& text : {"10.0.9.0/24", "10.0.7.0/24", "10.0.8.0/24"})
    s.host.change(s.a, text, attributes_of("1 77 100", 0), false, std::nullopt);
  s.host.change(s.a, multicast, attributes_of("1 77 100", 0), false, std::nullopt);
  s.host.end();
  REQUIRE(s.host.events.size() == 1);
  CHECK(prefix_texts(s.host.events[0]) == Texts{"10.0.7.0/24", "10.0.8.0/24", "10.0.9.0/24"});
}

TEST_CASE("gone names what the UPDATE took, also what came a moment before") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24"});
  s.host.withdraw(s.a, {"10.0.2.0/24"});
  const Event* gone = nullptr;
  for (const Event& e : s.host.events)
    if (e.type == "upstream-gone") gone = &e;
  REQUIRE(gone != nullptr);
  CHECK(prefix_texts(*gone) == Texts{"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"});
  CHECK(gone->prefix_count == 3);
  // And shows these, not what came.
  REQUIRE(gone->evidence.size() == 1);
  for (const Evidence& e : gone->evidence) {
    CHECK(e.old_path == "1 10 100");
    CHECK_FALSE(e.new_path.has_value());
  }
}

TEST_CASE("single-homed that no longer holds when the detector is on again is cleared") {
  UpstreamScene s;
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24"});
  REQUIRE(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20"});
  s.host.off_while([&] { s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100"); });
  REQUIRE(s.host.taken() == Texts{"single-homed 100 10 clear"});
  CHECK(s.host.events.back().peers == Texts{"a"});
  s.host.restart();
  CHECK(s.host.taken().empty());
}

TEST_CASE("single-homed that a first table ends shows that table") {
  UpstreamScene s;
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24"});
  REQUIRE(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20"});
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.1.0/24", "10.0.0.0/24"}, "3 30 100");
  REQUIRE(s.host.taken() == Texts{"single-homed 100 30 clear"});
  const Event& e = s.host.events.back();
  REQUIRE(e.evidence.size() == e.prefixes.size());
  CHECK(e.evidence[0].peer == "c");
  CHECK_FALSE(e.evidence[0].old_path.has_value());
  CHECK(e.evidence[0].new_path == "3 30 100");
  CHECK(e.evidence[0].prefix == e.prefixes[0]);
}

TEST_CASE("a neighbour that is removed takes its sightings along, without any event") {
  UpstreamScene s;
  s.host.remove_peer(s.a);
  s.host.after(hours(1));
  CHECK(s.host.events.empty());
  const auto json = *s.host.detector().query("upstreams", "100");
  CHECK(json.find(R"("as":10,)") != std::string::npos);
  CHECK(json.find(R"("active":true,"unobserved":true,"prefixes":0)") != std::string::npos);
  // Unobserved, not gone: another neighbour that shows it again says nothing new.
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 10 100");
  CHECK(s.host.taken().empty());
  s.host.withdraw(s.b, {"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "upstream-gone 100 20"});
}

TEST_CASE("what a neighbour alone showed before its session turned is gone if its next tables do not show it") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.2.0/24", "2001:db8::/32"}, "100");
  REQUIRE(s.host.taken() == Texts{"new-upstream 100 64512"});
  s.host.announce(s.b, {"10.0.2.0/24"}, "2 30 100");
  REQUIRE(s.host.taken() == Texts{"new-upstream 100 30"});
  s.host.after(seconds(600));
  s.host.taken();
  s.host.drop_routes(s.a);
  s.host.after(seconds(5));
  s.host.restart();
  // Another's table says nothing of it, nor the first of two.
  s.host.table_done(s.b);
  s.host.table_done(s.b, kIpv6Unicast);
  s.host.table_done(s.a);
  s.host.restart();
  CHECK(s.host.taken().empty());
  const auto of_upstream = [&s] {
    const std::string json = *s.host.detector().query("upstreams", "100");
    return json.substr(json.find("\"as\":64512,"));
  };
  CHECK(of_upstream().find("\"active\":true,\"unobserved\":true") != std::string::npos);
  SUBCASE("gone") {
    s.host.table_done(s.a, kIpv6Unicast);
    REQUIRE(s.host.taken() == Texts{"upstream-gone 100 64512"});
    const Event& gone = s.host.events.back();
    CHECK(gone.ends == "new-upstream");
    CHECK(gone.cause == Cause::kResync);
    CHECK(gone.summary == "AS100 no longer has upstream AS64512, after 10 min 05 s; a alone had shown it");
    CHECK(gone.peers == Texts{"a"});
    CHECK(gone.evidence.size() == 3);  // its other upstreams
    REQUIRE(gone.changed_between);
    CHECK(gone.changed_between->from == gone.time - seconds(5));
    CHECK(field<std::int64_t>(gone, "duration_seconds") == 605);
    CHECK(of_upstream().find("\"active\":false") != std::string::npos);
    s.host.announce(s.a, {"10.0.2.0/24"}, "100");
    CHECK(s.host.taken() == Texts{"upstream-returned 100 64512"});
  }
  SUBCASE("shown again") {
    s.host.table(s.a, {"2001:db8::/32"}, "100");
    s.host.table_done(s.a, kIpv6Unicast);
    CHECK(s.host.taken().empty());
    CHECK(of_upstream().find("\"active\":true,\"prefixes\":1") != std::string::npos);
  }
  SUBCASE("the neighbour is removed") {
    s.host.remove_peer(s.a);
    s.host.table_done(s.a, kIpv6Unicast);
    CHECK(s.host.taken().empty());
    CHECK(of_upstream().find("\"active\":true,\"unobserved\":true") != std::string::npos);
  }
  std::size_t due = 0;
  for (const auto& [key, value] : s.host.state) due += key.ends_with('d') && key.size() == 9;
  CHECK(due == 0);
}

TEST_CASE("share: coalesced for a minute, in event time, for an origin that nobody watches") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.after(seconds(30));
  s.host.announce(s.a, {"10.0.3.0/24"}, "1 10 100");
  s.host.after(seconds(29));
  CHECK(s.host.taken().empty());
  s.host.after(seconds(1));
  CHECK(s.host.taken() == Texts{"upstream-share 100 10"});
  const Event& e = s.host.events[0];
  CHECK(e.time == time_of("2024-01-02T00:00:30Z"));
  CHECK(e.severity == Severity::kInfo);
  CHECK(e.action == Action::kUpdate);
  CHECK(field<std::int64_t>(e, "old_prefix_count") == 2);
  CHECK(e.prefix_count == 4);
  CHECK(field<Texts>(e, "added") == Texts{"10.0.2.0/24", "10.0.3.0/24"});
  CHECK(field<Texts>(e, "removed").empty());
  CHECK(e.peers == Texts{"a"});
}

TEST_CASE("share: the origin's count is that before the UPDATE, whatever it took away first") {
  UpstreamScene s;
  s.host.table(s.b, {"10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24"}, "2 20 100");
  s.host.after(seconds(600));
  // Behind 20 to behind 10, and one that goes altogether.
  int taught = 0;
  s.host.change(s.b, "10.0.4.0/24", std::nullopt, false, std::nullopt);
  s.host.change(s.b, "10.0.3.0/24", attributes_of("2 10 100", 0), false, std::nullopt);
  s.host.end();
  SUBCASE("what first tables teach counts as known before") {
    s.host.table(s.host.add_peer("c", 3), {"10.0.5.0/24", "10.0.6.0/24"}, "3 30 100");
    s.host.withdraw(s.a, {"10.0.0.0/24"});
    taught = 2;
  }
  s.host.after(seconds(60));
  REQUIRE(s.host.taken() == Texts{"upstream-share 100 10", "upstream-share 100 20"});
  for (const Event& e : s.host.events) {
    CHECK(field<std::int64_t>(e, "old_origin_prefix_count") == 5 + taught);
    CHECK(e.origin_prefix_count == 4 + taught);
  }
  CHECK(field<std::int64_t>(s.host.events[0], "old_prefix_count") == 2);
  CHECK(field<std::int64_t>(s.host.events[1], "old_prefix_count") == 5);
}

TEST_CASE("share: a set that is what it was before is no event; another set of the same size is") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.withdraw(s.a, {"10.0.2.0/24"});
  s.host.after(seconds(61));
  CHECK(s.host.taken().empty());
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.withdraw(s.a, {"10.0.1.0/24"});
  s.host.after(seconds(61));
  CHECK(s.host.taken() == Texts{"upstream-share 100 10"});
  CHECK(field<std::string>(s.host.events[0], "change") == "moved");
}

TEST_CASE("share: what one UPDATE begins ends in order of origin, whatever order its prefixes have") {
  FakeHost host("new-upstream");
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.3.0.0/24", "10.3.1.0/24"}, "1 10 300");
  host.table(a, {"10.1.0.0/24", "10.1.1.0/24"}, "1 10 100");
  host.table(a, {"10.2.0.0/24", "10.2.1.0/24"}, "1 10 200");
  host.after(hours(1));
  host.withdraw(a, {"10.3.0.0/24", "10.1.0.0/24", "10.2.0.0/24"});
  host.after(seconds(61));
  CHECK(host.taken() == Texts{"upstream-share 100 10", "upstream-share 200 10",
                              "upstream-share 300 10"});
}

TEST_CASE(
    "share: a window that its upstream's going has closed says nothing, the next one has its time") {
  UpstreamScene s;
  s.host.table(s.host.add_peer("c", 3), {"10.0.0.0/24"}, "3 30 100");  // no single-homed events
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.after(seconds(10));
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10"});
  s.host.after(seconds(10));
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"upstream-returned 100 10"});
  s.host.announce(s.a, {"10.0.3.0/24"}, "1 10 100");
  s.host.after(seconds(59));  // the first window would have ended meanwhile
  CHECK(s.host.taken().empty());
  s.host.after(seconds(1));
  CHECK(s.host.taken() == Texts{"upstream-share 100 10"});
  s.host.announce(s.a, {"10.0.4.0/24"}, "1 10 100");
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24", "10.0.3.0/24", "10.0.4.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10"});
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
}

TEST_CASE("share: a watched origin is reported within a second, as a notice") {
  UpstreamScene s(watch_origin(100));
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.after(seconds(1));
  CHECK(s.host.taken() == Texts{"upstream-share 100 10"});
  CHECK(s.host.events[0].severity == Severity::kNotice);
}

TEST_CASE("share: a further neighbour's first table neither starts nor falsifies it") {
  UpstreamScene s;
  const PeerId c = s.host.add_peer("c", 3);
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  s.host.table(c, {"10.0.7.0/24", "10.0.8.0/24"}, "3 10 100");
  s.host.after(seconds(61));
  CHECK(s.host.taken() == Texts{"upstream-share 100 10"});
  CHECK(field<std::int64_t>(s.host.events[0], "old_prefix_count") == 4);
  CHECK(s.host.events[0].prefix_count == 5);
}

TEST_CASE("known and gone, then in a further neighbour's first table: active again in silence") {
  UpstreamScene s;
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(s.host.taken().size() == 2);
  const PeerId c = s.host.add_peer("c", 3);
  s.host.after(seconds(5));
  s.host.table(c, {"10.0.0.0/24"}, "3 10 100");
  // No upstream-returned; but an alarm that no longer holds is cleared.
  CHECK(s.host.taken() == Texts{"single-homed 100 10 clear"});
  s.host.after(seconds(5));
  s.host.withdraw(c, {"10.0.0.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "single-homed 100 20"});
}

TEST_CASE("single-homed: three upstreams to two is nothing, all at once is nothing") {
  UpstreamScene s;
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.0.0/24"}, "3 30 100");
  s.host.withdraw(c, {"10.0.0.0/24"});
  CHECK(s.host.taken() == Texts{"upstream-gone 100 30"});
  s.host.change(s.a, "10.0.0.0/24", std::nullopt, false, std::nullopt);
  s.host.change(s.a, "10.0.1.0/24", std::nullopt, false, std::nullopt);
  s.host.change(s.b, "10.0.0.0/24", std::nullopt, false, std::nullopt);
  s.host.change(s.b, "10.0.1.0/24", std::nullopt, false, std::nullopt);
  s.host.end();
  CHECK(s.host.taken() == Texts{"upstream-gone 100 10", "upstream-gone 100 20"});
}

TEST_CASE("ADD-PATH: routes that differ in the path identifier are one prefix") {
  FakeHost host("new-upstream");
  const PeerId plain = host.add_peer("plain", 1), add = host.add_peer("add", 2);
  host.at("2024-01-01T00:00:00Z");
  host.table(plain, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 100");
  host.table(add, {"10.0.0.0/24#1", "10.0.0.0/24#2", "10.0.2.0/24#1"}, "2 10 100");
  host.announce(add, {"10.0.0.0/24#3", "10.0.2.0/24#9"}, "2 30 100");
  REQUIRE(host.taken() == Texts{"new-upstream 100 30"});
  CHECK(host.events[0].prefix_count == 2);
  CHECK(host.events[0].origin_prefix_count == 3u);
  // The plain route goes and comes: the prefix stays, shown by the other neighbour.
  host.withdraw(plain, {"10.0.0.0/24"});
  host.announce(plain, {"10.0.0.0/24"}, "1 10 100");
  host.after(hours(1));
  CHECK(host.taken().empty());
  host.withdraw(add, {"10.0.0.0/24#3"});
  host.after(hours(1));
  REQUIRE(host.taken() == Texts{"upstream-share 100 30"});
  CHECK(host.events[1].prefix_count == 1);
  host.withdraw(add, {"10.0.2.0/24#9", "10.0.0.0/24#1", "10.0.0.0/24#2", "10.0.2.0/24#1"});
  host.withdraw(plain, {"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(host.detector().query("upstream-statistics", "")->find("\"sightings\":0,") !=
        std::string::npos);
}

TEST_CASE("after the withdrawal of everything nothing is counted and nothing waits") {
  UpstreamScene s;
  s.host.announce(s.a, {"10.0.5.0/24"}, "1 30 100");
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24", "10.0.5.0/24"});
  s.host.withdraw(s.b, {"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(s.host.timers() == 0);
  const auto statistics = *s.host.detector().query("upstream-statistics", "");
  CHECK(statistics.find("\"active\":0,\"sightings\":0,") != std::string::npos);
  CHECK(statistics.find("\"share_windows\":0,") != std::string::npos);
}

TEST_CASE("knowledge is written on transitions, not on routes") {
  UpstreamScene s;
  const std::size_t writes = s.host.state_writes;
  CHECK(writes == 2);
  for (int i = 0; i < 50; ++i)
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100", static_cast<std::uint32_t>(i));
  CHECK(s.host.state_writes == writes);
}

TEST_CASE("an origin with countless upstreams: the event stays small") {
  UpstreamScene s;
  for (int i = 0; i < 150; ++i)
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 " + std::to_string(5000 + i) + " 100");
  CHECK(s.host.events.back().known_upstreams->size() <= 100);
  std::string path = "1";
  for (int i = 0; i < 3000; ++i) path += " 65000 1";
  s.host.announce(s.a, {"10.0.0.0/24"}, path + " 77 100");
  const std::string_view text = *s.host.events[s.host.events.size() - 2].evidence[0].new_path;
  CHECK(text.size() < 1100);
  CHECK(text.find("(6003 hops)") != std::string::npos);
}

}  // namespace lapwing::test
