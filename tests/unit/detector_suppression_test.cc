#include <doctest/doctest.h>

#include "detectors/event_state.h"
#include "detectors/suppression.h"
#include "tests/unit/fake_host.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using detectors::Suppression;
using detectors::SuppressionRule;
using std::chrono::seconds;

Event an_event(std::string type, Action action, std::uint64_t incident, std::uint64_t number) {
  Event e;
  const std::uint64_t parts[] = {incident, number};
  e.id = make_event_id(type, parts);
  e.incident = make_event_id("matter", std::span(parts).first(1));
  e.type = std::move(type);
  e.action = action;
  e.origin_as = 100;
  e.upstream_as = 10;
  e.prefixes = {prefix_of("10.0.0.0/24")};
  e.prefix_count = 1;
  e.peers = {"a"};
  e.summary = "it \"happened\"";
  return e;
}

/// The filter between a detector and the journal, as the engine places it.
struct Filter {
  FakeHost host{"peer-state"};  // whose detector is not used: the host serves the filter
  std::vector<SuppressionRule> rules;
  std::uint32_t limit = 0;
  std::unique_ptr<Suppression> suppression;
  std::uint64_t number = 0;

  explicit Filter(std::vector<SuppressionRule> r, std::uint32_t storm_limit = 0)
      : rules(std::move(r)), limit(storm_limit) {
    host.at("2024-01-01T00:00:00Z");
    restart();
  }
  void restart() {
    suppression = std::make_unique<Suppression>(rules, limit);
    host.use(*suppression);
  }
  bool send(std::string type, Action action, std::uint64_t incident = 1) {
    Event e = an_event(std::move(type), action, incident, ++number);
    return send(std::move(e));
  }
  bool send(Event e) {
    e.time = host.now();
    return suppression->admit("test", e);
  }
  std::string listed() { return *suppression->query("suppressed", ""); }
};

SuppressionRule rule(std::string name) {
  SuppressionRule r;
  r.name = std::move(name);
  return r;
}

}  // namespace

TEST_CASE("suppression: an ignore list hides what fits all of its selectors, and says so") {
  SuppressionRule r = rule("lab");
  r.types = {"path-change", "new-upstream"};
  r.ases = {10};
  r.peers = {"a", "b"};
  r.prefixes = {prefix_of("10.0.0.0/8")};
  Filter f({r});
  CHECK_FALSE(f.send("path-change", Action::kUpdate));
  CHECK(f.send("single-homed", Action::kRaise));
  Event other = an_event("path-change", Action::kUpdate, 2, 50);
  other.upstream_as = 11;
  CHECK(f.send(other));
  other = an_event("path-change", Action::kUpdate, 2, 51);
  other.peers = {"a", "c"};
  CHECK(f.send(other));
  other = an_event("path-change", Action::kUpdate, 2, 52);
  other.prefixes.push_back(prefix_of("192.0.2.0/24"));
  CHECK(f.send(other));
  other = an_event("path-change", Action::kUpdate, 2, 53);
  other.upstream_as.reset();
  other.fields.push_back({"as_left", std::int64_t{10}});
  CHECK_FALSE(f.send(other));
  CHECK(f.listed().starts_with(R"({"rules":[{"rule":"lab","count":2}],"events":[{"time":)"
                               R"("2024-01-01T00:00:00.000000Z","rule":"lab","type":"path-change")"));
  CHECK(f.listed().find(R"("summary":"it \"happened\"")") != std::string::npos);
  const std::string before = f.listed();
  f.restart();
  CHECK(f.listed() == before);
  CHECK(f.suppression->query("routes", "") == std::nullopt);
}

TEST_CASE("suppression: what an older version listed with invalid UTF-8 is valid JSON") {
  Filter f({rule("lab")});
  Event e = an_event("odd", Action::kRaise, 1, 1);
  e.summary = "bad \xff";
  CHECK_FALSE(f.send(std::move(e)));
  CHECK(f.listed().find("\"summary\":\"bad \xef\xbf\xbd\"") != std::string::npos);
  f.restart();
  CHECK(f.listed().find("\"summary\":\"bad \xef\xbf\xbd\"") != std::string::npos);
}

TEST_CASE("suppression: what is listed of a rule, and of a name that no rule has") {
  Filter f({rule("lab"), rule("other")}, 1);
  const auto of = [&f](const char* name) { return f.suppression->query("suppressed", name); };
  CHECK(f.listed() == R"({"rules":[{"rule":"lab","count":0},{"rule":"other","count":0}],"events":[]})");
  CHECK_FALSE(f.send("path-change", Action::kUpdate));
  CHECK(of("other") == R"({"rules":[{"rule":"other","count":0}],"events":[]})");
  CHECK(of("lab")->starts_with(R"({"rules":[{"rule":"lab","count":1}],"events":[{)"));
  CHECK(of("storm-limit") == R"({"rules":[],"events":[]})");
  CHECK_FALSE(of("none"));
  // It is gone, and what it kept back is listed still.
  f.rules.clear();
  f.restart();
  CHECK(of("lab")->starts_with(R"({"rules":[{"rule":"lab","count":1}],"events":[{)"));
  CHECK_FALSE(of("other"));
}

TEST_CASE("suppression: a maintenance window, by event time; an end is told iff its raise was") {
  SuppressionRule r = rule("maintenance");
  r.from = time_of("2024-01-01T01:00:00Z");
  r.until = time_of("2024-01-01T02:00:00Z");
  Filter f({r});
  CHECK(f.send("a", Action::kRaise, 1));
  f.host.at("2024-01-01T01:00:00Z");
  CHECK(f.send("a", Action::kClear, 1));
  CHECK_FALSE(f.send("a", Action::kRaise, 2));
  CHECK_FALSE(f.send("a", Action::kRaise, 3));
  CHECK(f.listed().find(R"("rule":"maintenance","count":2)") != std::string::npos);
  CHECK_FALSE(f.send("a", Action::kUpdate, 3));
  f.restart();
  f.host.at("2024-01-01T01:59:00Z");
  CHECK_FALSE(f.send("a", Action::kClear, 2));
  // What stands when it is over is told, with the time at which it began.
  CHECK(f.host.events.empty());
  f.host.at("2024-01-01T02:00:00Z");
  REQUIRE(f.host.events.size() == 2);
  CHECK(f.host.events[0].action == Action::kRaise);
  CHECK(f.host.events[0].time == time_of("2024-01-01T01:00:00Z"));
  CHECK(f.host.events[1].action == Action::kUpdate);
  CHECK(f.listed().find(R"("rule":"maintenance","count":3)") != std::string::npos);
  CHECK(f.send("a", Action::kClear, 3));
  CHECK(f.send("a", Action::kRaise, 2));
  CHECK(f.send("a", Action::kClear, 2));
}

TEST_CASE("suppression: what is over for one rule may be kept back by another") {
  SuppressionRule window = rule("window"), lasts = rule("lasts"), ignored = rule("ignored");
  window.until = time_of("2024-01-01T01:00:00Z");
  lasts.min_duration = seconds(3600 + 600);
  ignored.from = time_of("2024-01-01T01:10:00Z");
  Filter f({window, lasts});
  CHECK_FALSE(f.send("a", Action::kRaise));
  f.host.at("2024-01-01T01:09:59Z");
  CHECK(f.host.events.empty());
  f.host.at("2024-01-01T01:10:00Z");
  CHECK(f.host.events.size() == 1);
  // A window without an end is an ignore list from then on.
  Filter g({window, lasts, ignored});
  CHECK_FALSE(g.send("a", Action::kRaise));
  g.host.at("2024-01-02T00:00:00Z");
  CHECK(g.host.events.empty());
  CHECK_FALSE(g.send("a", Action::kClear));
}

TEST_CASE("suppression: within a window of one neighbour, another one that shows it is enough") {
  SuppressionRule window = rule("core upgrade");
  window.peers = {"a"};
  window.until = time_of("2024-01-01T01:00:00Z");
  Filter f({window});
  CHECK_FALSE(f.send("x", Action::kRaise));
  CHECK(f.suppression->counts_witnesses());
  f.restart();
  CHECK(f.suppression->counts_witnesses());
  f.suppression->add_witness(an_event("x", Action::kRaise, 1, 1).incident, "x", "b");
  CHECK(f.host.events.size() == 1);
  CHECK_FALSE(f.suppression->counts_witnesses());
  f.host.at("2024-01-01T02:00:00Z");
  CHECK(f.host.events.size() == 1);
}

TEST_CASE("suppression: whoever holds a raise, further neighbours are counted for the next rule") {
  SuppressionRule lasts = rule("lasts"), few = rule("few");
  lasts.min_duration = seconds(30);
  few.min_peers = 2;
  for (const bool seen : {true, false}) {
    Filter f({lasts, few});
    CHECK_FALSE(f.send("x", Action::kRaise));
    f.host.after(seconds(10));
    CHECK(f.suppression->counts_witnesses());
    const EventId incident = an_event("x", Action::kRaise, 1, 1).incident;
    if (seen) f.suppression->add_witness(incident, "x", "b");
    f.host.after(seconds(19));
    CHECK(f.host.events.empty());
    f.host.after(seconds(1));
    CHECK(f.host.events.size() == (seen ? 1 : 0));
    f.suppression->add_witness(incident, "x", "b");
    CHECK(f.host.events.size() == 1);
  }
}

TEST_CASE("suppression: what a window kept back is within the limit of a minute, too") {
  SuppressionRule window = rule("window");
  window.until = time_of("2024-01-01T01:00:00Z");
  Filter f({window}, 3);
  for (std::uint64_t incident = 1; incident <= 5; ++incident)
    CHECK_FALSE(f.send("x", Action::kRaise, incident));
  f.host.at("2024-01-01T01:00:00Z");
  CHECK(f.host.events.size() == 3);
  CHECK(f.listed().find(R"({"rule":"storm-limit","count":2},{"rule":"window","count":5})") !=
        std::string::npos);
  f.host.at("2024-01-01T01:02:00Z");
  REQUIRE(f.host.events.size() == 4);
  CHECK(f.host.events[3].type == "event-storm");
}

TEST_CASE("suppression: a flap does not drop what waits for the end of a window") {
  SuppressionRule window = rule("window");
  window.until = time_of("2024-01-01T01:00:00Z");
  for (const bool gone : {false, true}) {
    Filter f({window});
    CHECK_FALSE(f.send("new", Action::kRaise));
    Event flap = an_event("flap", Action::kRaise, 1, 50);
    flap.ends = "new returned";
    CHECK_FALSE(f.send(flap));
    flap.action = Action::kClear;
    flap.ends = gone ? "flap new" : "";
    CHECK_FALSE(f.send(flap));
    f.host.at("2024-01-01T01:00:00Z");
    CHECK(f.host.events.size() == (gone ? 0 : 1));
  }
}

TEST_CASE("suppression: what lasted, and waits for a window now, is not dropped by a flap") {
  SuppressionRule lasts = rule("lasts"), window = rule("window");
  lasts.min_duration = seconds(30);
  window.until = time_of("2024-01-01T01:00:00Z");
  Filter f({lasts, window});
  CHECK_FALSE(f.send("new", Action::kRaise));
  f.host.after(seconds(60));
  Event flap = an_event("flap", Action::kRaise, 1, 50);
  flap.ends = "new";
  CHECK_FALSE(f.send(flap));
  f.host.at("2024-01-01T01:00:00Z");
  REQUIRE(f.host.events.size() == 2);
  CHECK(std::ranges::any_of(f.host.events, [](const Event& e) { return e.type == "new"; }));
}

TEST_CASE("suppression: a rule that is gone, or changed, keeps nothing back") {
  SuppressionRule window = rule("window");
  window.until = time_of("2024-01-01T12:00:00Z");
  for (const bool gone : {false, true}) {
    Filter f({window});
    CHECK_FALSE(f.send("a", Action::kRaise));
    f.host.at("2024-01-01T01:00:00Z");
    if (gone)
      f.rules.clear();
    else
      f.rules[0].until = time_of("2024-01-01T02:00:00Z");
    f.restart();
    f.host.at("2024-01-01T01:00:01Z");
    CHECK(f.host.events.size() == (gone ? 1 : 0));
    f.host.at("2024-01-01T02:00:00Z");
    CHECK(f.host.events.size() == 1);
  }
}

TEST_CASE("suppression: what is held back goes by the rule that has another name after a reload") {
  SuppressionRule lasts = rule("before");
  lasts.min_duration = seconds(60);
  Filter f({lasts});
  CHECK_FALSE(f.send("outage", Action::kRaise));
  f.rules[0].name = "after";
  f.restart();
  f.restart();
  f.host.after(seconds(30));
  CHECK_FALSE(f.send("outage", Action::kClear));
  CHECK(f.listed().find(R"({"rule":"after","count":2})") != std::string::npos);
  CHECK(f.listed().find("before") == std::string::npos);
}

TEST_CASE("suppression: an update of what was suppressed is its raise, of what waits it waits, too") {
  SuppressionRule half = rule("half"), lasts = rule("lasts");
  half.types = {"hijack"};
  half.prefixes = {prefix_of("10.0.0.0/25")};
  lasts.types = {"outage"};
  lasts.min_duration = seconds(60);
  Filter f({half, lasts});
  const auto hijack = [&](Action action, const char* prefix) {
    Event e = an_event("hijack", action, 1, ++f.number);
    e.prefixes = {prefix_of(prefix)};
    e.time = f.host.now();
    const bool told = f.suppression->admit("test", e);
    return told ? std::string(to_string(e.action)) : std::string("none");
  };
  CHECK(hijack(Action::kRaise, "10.0.0.0/26") == "none");
  CHECK(hijack(Action::kUpdate, "10.0.0.0/27") == "none");
  CHECK(hijack(Action::kUpdate, "10.0.0.128/25") == "raise");
  CHECK(hijack(Action::kUpdate, "10.0.0.128/26") == "update");
  f.restart();
  CHECK(hijack(Action::kClear, "10.0.0.128/25") == "clear");

  SUBCASE("it lasts") {
    CHECK_FALSE(f.send("outage", Action::kRaise));
    f.host.after(seconds(20));
    for (int i = 0; i < 2; ++i) {
      CHECK_FALSE(f.send("outage", Action::kUpdate));
      f.restart();
    }
    f.host.after(seconds(40));
    REQUIRE(f.host.events.size() == 3);
    CHECK(f.host.events[0].action == Action::kRaise);
    CHECK(f.host.events[1].action == Action::kUpdate);
    CHECK(f.host.events[1].time == f.host.now() - seconds(40));
    CHECK(f.host.events[1].id != f.host.events[2].id);
    CHECK(f.listed().find(R"("rule":"lasts","count":0)") != std::string::npos);
    CHECK(f.send("outage", Action::kUpdate));
    CHECK(f.send("outage", Action::kClear));
  }
  SUBCASE("a part of it does") {
    CHECK_FALSE(f.send("outage", Action::kRaise));
    Event some = an_event("regained", Action::kUpdate, 1, ++f.number);
    some.ends = "outage";
    CHECK_FALSE(f.send(some));
    f.host.after(seconds(60));
    REQUIRE(f.host.events.size() == 2);
    CHECK(f.host.events[0].type == "outage");
    CHECK(f.host.events[1].type == "regained");
  }
  SUBCASE("as severe as what was suppressed") {
    Event e = an_event("hijack", Action::kRaise, 7, 300);
    e.prefixes = {prefix_of("10.0.0.0/26")};
    e.severity = Severity::kError;
    CHECK_FALSE(f.send(e));
    f.restart();
    e.action = Action::kUpdate;
    e.severity = Severity::kNotice;
    e.prefixes = {prefix_of("10.0.0.128/26")};
    CHECK(f.suppression->admit("test", e));
    CHECK(e.action == Action::kRaise);
    CHECK(e.severity == Severity::kError);
    e.action = Action::kUpdate;
    e.severity = Severity::kNotice;
    CHECK(f.suppression->admit("test", e));
    CHECK(e.severity == Severity::kNotice);
  }
  SUBCASE("that a part has ended opens nothing") {
    f.number = 200;
    CHECK(hijack(Action::kRaise, "10.0.0.0/26") == "none");
    Event some = an_event("hijack", Action::kUpdate, 1, 210);
    some.ends = "hijack";
    some.prefixes = {prefix_of("10.0.0.128/26")};
    CHECK_FALSE(f.send(some));
    CHECK(hijack(Action::kUpdate, "10.0.0.128/25") == "raise");
    CHECK(f.send(some));
  }
  SUBCASE("it does not") {
    CHECK_FALSE(f.send("outage", Action::kRaise));
    CHECK_FALSE(f.send("outage", Action::kUpdate));
    Event some = an_event("regained", Action::kUpdate, 1, ++f.number);
    some.ends = "outage";
    CHECK_FALSE(f.send(some));
    some.action = Action::kClear;
    CHECK_FALSE(f.send(some));
    f.host.after(seconds(90));
    CHECK(f.host.events.empty());
  }
  SUBCASE("the records end") {
    CHECK_FALSE(f.send("outage", Action::kRaise));
    CHECK_FALSE(f.send("outage", Action::kUpdate));
    f.suppression->finish();
    CHECK(f.listed().find(R"("rule":"lasts","count":2)") != std::string::npos);
  }
}

TEST_CASE("suppression: what was suppressed or held back is known by incident and type") {
  SuppressionRule window = rule("window"), held = rule("short");
  window.from = time_of("2024-01-01T01:00:00Z");
  window.until = time_of("2024-01-01T02:00:00Z");
  held.types = {"returned"};
  held.min_duration = seconds(30);
  SUBCASE("the end of one type neither drops another that waits, nor is it lost with it") {
    Filter f({held});
    CHECK(f.send("single", Action::kRaise));
    CHECK_FALSE(f.send("returned", Action::kRaise));
    CHECK(f.send("single", Action::kClear));
    f.host.after(seconds(30));
    REQUIRE(f.host.events.size() == 1);
    CHECK(f.host.events[0].type == "returned");
  }
  SUBCASE("a raise that takes the place of one that waits: that is not told, nor its own end") {
    Filter f({held});
    CHECK_FALSE(f.send("returned", Action::kRaise));
    Event flap = an_event("flap", Action::kRaise, 1, 77);
    flap.ends = "new returned";
    CHECK(f.send(std::move(flap)));
    f.host.after(seconds(60));
    CHECK(f.host.events.empty());
    CHECK_FALSE(f.send("returned", Action::kClear));
    CHECK(f.send("flap", Action::kClear));
  }
  SUBCASE("a window that hides one type does not hide the end of another that was told") {
    Filter f({window});
    CHECK(f.send("single", Action::kRaise));
    f.host.at("2024-01-01T01:30:00Z");
    CHECK_FALSE(f.send("returned", Action::kRaise));
    f.restart();
    CHECK(f.send("single", Action::kClear));
    CHECK_FALSE(f.send("returned", Action::kClear));
  }
  SUBCASE("another type that is told does not bring back what was hidden") {
    SuppressionRule ignored = rule("ignored");
    ignored.types = {"single"};
    Filter f({ignored});
    CHECK_FALSE(f.send("single", Action::kRaise));
    CHECK(f.send("returned", Action::kRaise));
    f.restart();
    CHECK_FALSE(f.send("single", Action::kClear));
    CHECK(f.send("returned", Action::kClear));
  }
}

TEST_CASE("suppression: a window goes by when it happened, not by when it is told") {
  SuppressionRule window = rule("window");
  window.from = time_of("2024-01-01T01:00:00Z");
  window.until = time_of("2024-01-01T02:00:00Z");
  Filter f({window});
  f.host.at("2024-01-01T02:00:30Z");
  Event e = an_event("share", Action::kUpdate, 1, 1);
  e.time = time_of("2024-01-01T01:59:59Z");
  CHECK_FALSE(f.suppression->admit("test", e));
  e.time = time_of("2024-01-01T00:59:59Z");
  CHECK(f.suppression->admit("test", e));
}

TEST_CASE("suppression: a clear that ends other types is told if one of them was") {
  SuppressionRule down = rule("down"), blind = rule("blind");
  down.types = {"down"};
  blind.types = {"blind"};
  blind.min_duration = seconds(30);
  Filter f({down, blind});
  const auto up = [&f](std::string ends) {
    Event e = an_event("up", Action::kClear, 1, ++f.number);
    e.ends = std::move(ends);
    return f.send(std::move(e));
  };
  CHECK_FALSE(f.send("down", Action::kRaise));
  CHECK_FALSE(up("down"));
  CHECK(up("down"));  // of what came before it
  CHECK_FALSE(f.send("down", Action::kRaise));
  CHECK_FALSE(f.send("blind", Action::kRaise));
  f.host.after(seconds(10));
  CHECK_FALSE(up("down blind"));
  f.host.after(seconds(100));
  CHECK(f.host.events.empty());
  CHECK_FALSE(f.send("down", Action::kRaise));
  CHECK_FALSE(f.send("blind", Action::kRaise));
  f.host.after(seconds(30));
  REQUIRE(f.host.events.size() == 1);
  CHECK(up("down blind"));
}

TEST_CASE("suppression: a clear of what nobody raised is judged as any other event") {
  SuppressionRule window = rule("window"), few = rule("few");
  window.until = time_of("2024-01-01T01:00:00Z");
  few.min_prefixes = 2;
  for (const SuppressionRule& r : {window, few}) {
    CAPTURE(r.name);
    Filter f({r});
    CHECK(f.send("gone", Action::kClear));
    CHECK_FALSE(f.send("new", Action::kRaise));
    Event e = an_event("gone", Action::kClear, 1, 50);
    e.ends = Event::kEndsNothing;
    CHECK_FALSE(f.send(e));
    const bool ended = r.name == "window";
    f.host.at("2024-01-01T01:00:00Z");
    e.prefix_count = 2;
    CHECK(f.send(e));
    // It ended nothing that was suppressed.
    e.ends = "new";
    CHECK(f.send(e) == ended);
    CHECK(f.send(e));
  }
}

TEST_CASE("suppression: an ignore list hides the end of what was told only where it means to") {
  const auto told = [](SuppressionRule r) {
    Filter f({std::move(r)});
    Event e = an_event("x", Action::kRaise, 1, 1);
    e.peers = {"a", "b"};
    e.prefixes.push_back(prefix_of("192.0.2.0/24"));
    REQUIRE(f.send(e));
    e = an_event("y", Action::kClear, 1, 2);
    e.fields.push_back({"now_origins", std::vector<Asn>{777}});
    e.ends = "x";
    return f.send(e);
  };
  SuppressionRule r = rule("r");
  r.peers = {"a"};
  CHECK(told(r));
  r.types = {"x", "y"};
  CHECK(told(r));
  r.types = {"y"};
  CHECK_FALSE(told(r));
  r = rule("r");
  r.ases = {777};  // which only the end names
  CHECK(told(r));
  r = rule("r");
  r.prefixes = {prefix_of("10.0.0.0/8")};
  CHECK(told(r));
  r = rule("r");
  r.types = {"y"};
  CHECK_FALSE(told(r));
}

TEST_CASE("suppression: state of a version that knew incidents only") {
  SuppressionRule r = rule("short");
  r.min_duration = seconds(30);
  Filter f({r});
  CHECK_FALSE(f.send("x", Action::kRaise, 1));
  auto& state = f.host.state;
  REQUIRE(state.size() == 1);
  const std::string held = state.begin()->second;
  const std::string id = state.begin()->first.substr(1, 16);
  state = {{'e' + id, held}, {'h' + id, ""}};
  f.restart();
  REQUIRE(state.size() == 1);
  CHECK(state.begin()->first == 'e' + id + 'x');
  CHECK(state.begin()->second == held);
  SUBCASE("what was held back is told when it has lasted") {
    f.host.after(seconds(30));
    REQUIRE(f.host.events.size() == 1);
    CHECK(state.empty());
  }
  SUBCASE("or not at all") {
    CHECK_FALSE(f.send("x", Action::kClear, 1));
    f.host.after(seconds(30));
    CHECK(f.host.events.empty());
  }
}

TEST_CASE("suppression: thresholds of neighbours and prefixes") {
  SuppressionRule peers = rule("few peers"), prefixes = rule("few prefixes");
  peers.types = {"x"};
  peers.min_peers = 2;
  prefixes.types = {"y"};
  prefixes.min_prefixes = 3;
  Filter f({peers, prefixes});
  CHECK_FALSE(f.send("x", Action::kRaise, 1));
  Event e = an_event("x", Action::kRaise, 1, 90);
  e.peers = {"a", "b"};
  CHECK(f.send(e));
  CHECK_FALSE(f.send("y", Action::kUpdate, 2));
  e = an_event("y", Action::kUpdate, 2, 91);
  e.prefix_count = 3;
  CHECK(f.send(e));
}

TEST_CASE("suppression: what too few neighbours show is told when enough do") {
  SuppressionRule few = rule("few"), ignored = rule("ignored");
  few.min_peers = 3;
  ignored.peers = {"a", "b"};
  const Event raise = an_event("x", Action::kRaise, 1, 1);
  Timestamp began;
  // Raised by a, then shown by b.
  const auto begin = [&](Filter& f) {
    CHECK_FALSE(f.suppression->counts_witnesses());
    CHECK_FALSE(f.send("x", Action::kRaise));
    began = f.host.now();
    f.host.after(seconds(10));
    CHECK(f.suppression->counts_witnesses());
    f.suppression->add_witness(raise.incident, "x", "a");
    f.suppression->add_witness(raise.incident, "x", "b");
    f.suppression->add_witness(raise.incident, "y", "c");
    f.restart();
    CHECK(f.host.events.empty());
    CHECK(f.suppression->counts_witnesses());
  };
  for (const SuppressionRule& r : {few, ignored}) {
    CAPTURE(r.name);
    Filter third({r}), by_update({r}), anew({r}), none({r});
    begin(third);
    third.suppression->add_witness(raise.incident, "x", "c");
    CHECK_FALSE(third.suppression->counts_witnesses());
    REQUIRE(third.host.events.size() == 1);
    CHECK(third.host.events[0].id == raise.id);
    CHECK(third.host.events[0].time == began);
    CHECK(third.host.events[0].peers == Texts{"a", "b", "c"});
    CHECK(third.send("x", Action::kClear));

    begin(by_update);
    Event update = an_event("x", Action::kUpdate, 1, 7);
    update.peers = {"b", "c", "d"};
    CHECK_FALSE(by_update.send(update));
    REQUIRE(by_update.host.events.size() == 2);
    CHECK(by_update.host.events[0].action == Action::kRaise);
    CHECK(by_update.host.events[0].peers.size() >= 3);
    CHECK(by_update.host.events[1].action == Action::kUpdate);

    begin(anew);
    Event again = an_event("x", Action::kRaise, 1, 8);
    again.peers = {"a", "b", "c"};
    CHECK(anew.send(again));
    anew.suppression->add_witness(raise.incident, "x", "c");
    CHECK(anew.host.events.empty());

    begin(none);
    CHECK_FALSE(none.send("x", Action::kClear));
    CHECK_FALSE(none.suppression->counts_witnesses());
    CHECK(none.host.events.empty());
  }
}

TEST_CASE("suppression: a quiet time for each incident and type, over a restart, too") {
  SuppressionRule r = rule("quiet");
  r.quiet = seconds(600);
  Filter f({r});
  CHECK(f.send("x", Action::kRaise, 1));
  CHECK(f.send("x", Action::kRaise, 2));
  CHECK(f.send("y", Action::kRaise, 1));
  f.host.after(seconds(599));
  f.restart();
  CHECK_FALSE(f.send("x", Action::kRaise, 1));
  CHECK_FALSE(f.send("x", Action::kClear, 1));
  f.host.after(seconds(1));
  CHECK(f.host.events.empty());
  CHECK(f.send("x", Action::kRaise, 1));
  CHECK(f.send("x", Action::kClear, 1));
  CHECK_FALSE(f.send("x", Action::kRaise, 1));
  // It stands when the quiet time is over.
  f.host.after(seconds(599));
  CHECK(f.host.events.empty());
  f.host.after(seconds(1));
  CHECK(f.host.events.size() == 1);
  CHECK(f.send("x", Action::kClear, 1));
}

TEST_CASE("suppression: what does not last is nothing; what lasts is told with its own time") {
  SuppressionRule r = rule("short");
  r.min_duration = seconds(30);
  Filter f({r});
  CHECK_FALSE(f.send("x", Action::kRaise, 1));
  f.host.after(seconds(29));
  CHECK_FALSE(f.send("x", Action::kClear, 1));
  f.host.after(seconds(100));
  CHECK(f.host.events.empty());
  CHECK(f.listed().find(R"("rule":"short","count":2)") != std::string::npos);
  CHECK_FALSE(f.send("x", Action::kRaise, 1));
  const Timestamp began = f.host.now();
  f.host.after(seconds(10));
  f.restart();
  f.host.after(seconds(20));
  REQUIRE(f.host.events.size() == 1);
  CHECK(f.host.events[0].time == began);
  CHECK(f.send("x", Action::kClear, 1));
}

TEST_CASE("suppression: more than the limit of one type in a minute is folded and reported") {
  Filter f({}, 3);
  int told = 0;
  for (std::uint64_t i = 0; i < 10; ++i) told += f.send("x", Action::kRaise, i) ? 1 : 0;
  CHECK(told == 3);
  CHECK(f.send("y", Action::kRaise, 99));
  Event upstream = an_event("new-upstream", Action::kRaise, 50, 500);
  for (int i = 0; i < 10; ++i) CHECK(f.suppression->admit("new-upstream", upstream));
  f.host.after(seconds(60));
  REQUIRE(f.host.events.size() == 1);
  CHECK(f.host.events[0].type == "event-storm");
  CHECK(field<std::int64_t>(f.host.events[0], "folded") == 7);
  CHECK(field<std::int64_t>(f.host.events[0], "x") == 7);
  CHECK(f.send("x", Action::kRaise, 200));
  // The end of one of the folded is folded, too.
  CHECK_FALSE(f.send("x", Action::kClear, 9));
  CHECK(f.send("x", Action::kClear, 0));
}

TEST_CASE("suppression: the minute of a storm goes on over a restart") {
  Filter f({}, 3);
  int told = 0;
  const auto send_two = [&] {
    for (int i = 0; i < 2; ++i) told += f.send("x", Action::kRaise, ++f.number) ? 1 : 0;
    f.restart();
    f.host.after(seconds(10));
  };
  for (int i = 0; i < 3; ++i) send_two();
  CHECK(told == 3);
  CHECK(f.host.events.empty());
  f.host.after(seconds(30));
  REQUIRE(f.host.events.size() == 1);
  CHECK(f.host.events[0].type == "event-storm");
  CHECK(field<std::int64_t>(f.host.events[0], "folded") == 3);
  f.restart();
  f.host.after(seconds(100));
  CHECK(f.host.events.size() == 1);
  send_two();
  CHECK(told == 5);
}

TEST_CASE(
    "suppression: what names only a part of its prefixes or neighbours fits no list of them") {
  SuppressionRule within = rule("within"), of_peers = rule("of peers");
  within.prefixes = {prefix_of("10.0.0.0/8")};
  of_peers.types = {"y"};
  Event e = an_event("x", Action::kRaise, 1, 1), many = an_event("y", Action::kRaise, 2, 2);
  many.prefixes = {prefix_of("192.0.2.0/24")};
  many.peers.clear();
  for (int i = 100; i < 164; ++i) many.peers.push_back("peer" + std::to_string(i));
  of_peers.peers = many.peers;
  Filter f({within, of_peers});
  e.prefix_count = 2;
  CHECK(f.send(e));
  e.prefix_count = 1;
  CHECK_FALSE(f.send(e));
  CHECK(f.send(many));
  many.peers.pop_back();
  CHECK_FALSE(f.send(many));
}

TEST_CASE("suppression: settings are checked") {
  const auto errors = [](auto&& fill) {
    Settings s;
    s.set("name", std::string("r"));
    fill(s);
    detectors::read_suppression_rule(s);
    std::string text;
    for (const auto& e : s.finish()) text += e.key + ' ';
    return text;
  };
  CHECK(errors([](Settings& s) { s.set("types", std::vector<std::string>{"x"}); }).empty());
  CHECK(errors([](Settings&) {}) == "name ");
  CHECK(errors([](Settings& s) { s.set("from", std::string("yesterday")); }) == "from ");
  CHECK(errors([](Settings& s) {
          s.set("from", std::string("2024-01-02T00:00:00Z"));
          s.set("until", std::string("2024-01-01T00:00:00Z"));
        }) == "until ");
  CHECK(errors([](Settings& s) { s.set("prefixes", std::vector<std::string>{"10.0.0.1/8"}); }) ==
        "prefixes ");
  CHECK(errors([](Settings& s) {
          s.set("types", std::vector<std::string>{"x"});
          s.set("name", std::string("storm-limit"));
        }) == "name ");
  CHECK(errors([](Settings& s) { s.set("min-duration", std::string("1h30m")); }).empty());
  CHECK(errors([](Settings& s) { s.set("min-duration", std::string("90x")); }) == "min-duration ");
  CHECK(errors([](Settings& s) { s.set("quite", std::int64_t{5}); }) == "name quite ");
}

TEST_CASE("an event survives as state, member for member") {
  Event e = an_event("x", Action::kUpdate, 1, 2);
  e.time = time_of("2024-01-01T00:00:00.000001Z");
  e.direct = false;
  e.changed_between = TimeRange{time_of("2023-01-01T00:00:00Z"), e.time};
  e.known_upstreams = std::vector<KnownUpstream>{{7, e.time, e.time, true}};
  e.evidence = {{"a", 1, prefix_of("2001:db8::/32"), std::nullopt, "1 2", e.time}};
  e.fields = {{"i", std::int64_t{-5}}, {"b", true},       {"s", std::string("t")},
              {"t", e.time},           {"a", std::vector<Asn>{1, 2}},
              {"l", std::vector<std::string>{"x", ""}}};
  e.rule = "r";
  const std::string octets = detectors::encode_event_state(e);
  CHECK(detectors::decode_event_state(octets) == e);
  for (std::size_t size = 0; size < octets.size(); ++size)
    CHECK(detectors::decode_event_state(std::string_view(octets).substr(0, size)) == std::nullopt);
}

}  // namespace lapwing::test
