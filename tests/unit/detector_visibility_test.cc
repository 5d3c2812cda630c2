#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct VisibilityScene : TwoNeighbours {
  explicit VisibilityScene(Watch watch = watch_origin(100))
      : TwoNeighbours("visibility", std::move(watch)) {}
  void withdraw(const Texts& prefixes) {
    host.withdraw(a, prefixes);
    host.withdraw(b, prefixes);
  }
};

const Texts kBoth{"10.0.0.0/24", "10.0.1.0/24"};

/// Lost prefixes; the shorter keys are of what is counted for damping.
std::size_t stored_outages(const FakeHost& host) {
  return static_cast<std::size_t>(std::ranges::count_if(
      host.state, [](const auto& entry) { return entry.first.size() > sizeof(Asn); }));
}

}  // namespace

TEST_CASE("visibility: lost at the UPDATE that takes the last route, regained with the duration") {
  VisibilityScene s;
  s.host.withdraw(s.a, kBoth);
  CHECK(s.host.taken().empty());
  s.host.withdraw(s.b, kBoth);
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  const Event& lost = s.host.events[0];
  CHECK(lost.action == Action::kRaise);
  CHECK(lost.severity == Severity::kError);
  CHECK(field<std::string>(lost, "scope") == "origin");
  CHECK(field<std::int64_t>(lost, "visible_count") == 0);
  CHECK(prefix_texts(lost) == kBoth);
  CHECK(lost.peers == Texts{"b"});
  CHECK(lost.evidence.size() == 2);
  s.host.after(seconds(270));
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 100");
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"visibility-regained 100", "visibility-regained 100 clear"});
  CHECK(s.host.events[1].action == Action::kUpdate);
  CHECK(field<std::int64_t>(s.host.events[2], "duration_seconds") == 270);
  CHECK(s.host.events[2].incident == lost.incident);
  CHECK(stored_outages(s.host) == 0);
}

TEST_CASE("visibility: lost and regained within one second are two events, in this order") {
  VisibilityScene s;
  s.withdraw(kBoth);
  s.host.announce(s.b, {"10.0.1.0/24"}, "2 20 100");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100", "visibility-regained 100",
                                  "visibility-regained 100 clear"});
  CHECK(s.host.duplicate_events == 0);
  for (const Event& e : s.host.events) {
    CHECK(e.time == s.host.now());
    CHECK(e.incident == s.host.events[0].incident);
  }
  CHECK(field<std::int64_t>(s.host.events[1], "lost_count") == 1);
  CHECK(field<std::int64_t>(s.host.events[2], "duration_seconds") == 0);
  CHECK(stored_outages(s.host) == 0);
}

TEST_CASE("visibility: some prefixes of an origin are a warning, and name what is left") {
  VisibilityScene s;
  s.withdraw({"10.0.0.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  CHECK(s.host.events[0].severity == Severity::kWarning);
  CHECK(field<std::string>(s.host.events[0], "scope") == "prefix");
  CHECK(field<std::int64_t>(s.host.events[0], "visible_count") == 1);
  s.withdraw({"10.0.1.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  CHECK(s.host.events[1].action == Action::kUpdate);
  CHECK(s.host.events[1].severity == Severity::kError);
  CHECK(field<std::int64_t>(s.host.events[1], "lost_count") == 2);
}

TEST_CASE("visibility: another origin takes it from the watched one, not from the watched prefix") {
  VisibilityScene origin, prefix(watch_prefixes({"10.0.0.0/16"}));
  for (VisibilityScene* s : {&origin, &prefix}) {
    s->host.announce(s->a, {"10.0.0.0/24"}, "1 10 666");
    s->host.announce(s->b, {"10.0.0.0/24"}, "2 20 666");
  }
  CHECK(origin.host.taken() == Texts{"visibility-lost 100"});
  CHECK(prefix.host.taken().empty());
}

TEST_CASE("visibility: a lost neighbour, a first table and a removed neighbour take nothing away") {
  VisibilityScene s;
  s.host.withdraw(s.a, kBoth);
  s.host.down(s.b);
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
  s.host.up(s.b, time_of("2024-01-02T00:00:00Z"));
  s.host.found(s.b, {"10.0.0.0/24"}, std::nullopt, "2024-01-02T00:00:00Z");
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  CHECK(s.host.events[0].cause == Cause::kResync);
  CHECK(s.host.events[0].changed_between->from == time_of("2024-01-02T00:00:00Z"));
  s.host.remove_peer(s.b);
  CHECK(s.host.taken().empty());
}

TEST_CASE("visibility: an outage survives a restart, and its end has the true duration") {
  VisibilityScene s;
  s.withdraw(kBoth);
  s.host.after(seconds(100));
  s.host.restart();
  s.host.after(seconds(100));
  s.host.announce(s.a, kBoth, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100", "visibility-regained 100 clear"});
  CHECK(field<std::int64_t>(s.host.events[1], "duration_seconds") == 200);
}

TEST_CASE("visibility: what is back when it is switched on again is told") {
  VisibilityScene s;
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.withdraw(s.b, {"10.0.0.0/24"});
  s.host.taken();
  s.host.after(seconds(30));
  s.host.off_while([&] { s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 100"); });
  REQUIRE(s.host.taken() == Texts{"visibility-regained 100 clear"});
  const Event& e = s.host.events.back();
  CHECK(field<std::int64_t>(e, "duration_seconds") == 30);
  CHECK(e.peers == Texts{"b"});
  CHECK(e.evidence.at(0).new_path == "2 20 100");
  CHECK(stored_outages(s.host) == 0);
  s.host.restart();
  CHECK(s.host.taken().empty());
}

TEST_CASE("visibility: a more-specific is missed less where the watched prefix is there") {
  VisibilityScene s(watch_prefixes({"10.0.0.0/16"}));
  s.host.announce(s.a, {"10.0.0.0/16"}, "1 10 100");
  s.withdraw({"10.0.0.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  CHECK(s.host.events[0].severity == Severity::kNotice);
  CHECK(field<bool>(s.host.events[0], "covered"));
}

TEST_CASE("visibility: lost-percent says how few routes count as none") {
  FakeHost host("visibility");
  host.settings.set("lost-percent", std::int64_t{10});
  host.watched = watch_origin(100);
  std::vector<PeerId> peers;
  for (int i = 0; i < 20; ++i)
    peers.push_back(host.add_peer("p" + std::to_string(i), static_cast<Asn>(i + 1)));
  host.at("2024-01-01T00:00:00Z");
  for (const PeerId p : peers) host.table(p, {"10.0.0.0/24"}, std::to_string(p + 1) + " 10 100");
  for (std::size_t i = 0; i < 17; ++i) host.withdraw(peers[i], {"10.0.0.0/24"});
  CHECK(host.taken().empty());
  host.withdraw(peers[17], {"10.0.0.0/24"});  // two of twenty are left
  CHECK(host.taken() == Texts{"visibility-lost 100"});
  // Something is visible still.
  CHECK(host.events.back().summary == "10.0.0.0/24 of AS100 is lost: AS100 is lost as a whole");
  host.withdraw(peers[18], {"10.0.0.0/24"});
  host.withdraw(peers[19], {"10.0.0.0/24"});
  host.announce(peers[0], {"10.0.0.0/24"}, "1 10 100");
  host.announce(peers[1], {"10.0.0.0/24"}, "2 10 100");
  CHECK(host.taken().empty());
  host.announce(peers[2], {"10.0.0.0/24"}, "3 10 100");
  CHECK(host.taken() == Texts{"visibility-regained 100 clear"});
  CHECK(host.events.back().summary ==
        "10.0.0.0/24 of AS100 visible again after 0 s; AS100 was lost as a whole for 0 s");
}

TEST_CASE("visibility: outage after outage becomes one report, with an end") {
  VisibilityScene s;
  for (int i = 0; i < 8; ++i) {
    s.withdraw(kBoth);
    s.host.after(minutes(2));
    s.host.announce(s.a, kBoth, "1 10 100");
    s.host.after(minutes(2));
  }
  const Texts got = s.host.taken();
  CHECK(std::count(got.begin(), got.end(), "visibility-lost 100") == 4);
  CHECK(std::count(got.begin(), got.end(), "visibility-flap 100") == 1);
  CHECK(got.back() == "visibility-flap 100");
  const auto shows = [](const Event& e) {
    return e.prefix_count == e.prefixes.size() && !e.prefixes.empty() && !e.peers.empty() &&
           !e.evidence.empty();
  };
  CHECK(shows(s.host.events.back()));
  s.host.after(hours(1));
  REQUIRE(s.host.taken() == Texts{"visibility-flap 100 clear"});
  CHECK(shows(s.host.events.back()));
  CHECK(field<std::int64_t>(s.host.events.back(), "folded") == 4);
  CHECK(field<std::string>(s.host.events.back(), "state") == "visible");
}

TEST_CASE("visibility: damping outlives a restart, and ends at its time") {
  VisibilityScene s;
  for (int i = 0; i < 6; ++i) {
    s.withdraw(kBoth);
    s.host.announce(s.a, kBoth, "1 10 100");
    s.host.after(minutes(1));
  }
  REQUIRE(s.host.events.back().type == "visibility-flap");
  const EventId incident = s.host.events.back().incident;
  s.host.taken();
  s.host.restart();
  s.host.after(minutes(30));
  s.withdraw(kBoth);
  s.host.announce(s.a, kBoth, "1 10 100");
  s.host.restart();
  s.host.after(minutes(59));
  CHECK(s.host.taken().empty());
  s.host.after(minutes(1));
  REQUIRE(s.host.taken() == Texts{"visibility-flap 100 clear"});
  CHECK(s.host.events.back().incident == incident);
  CHECK(field<std::int64_t>(s.host.events.back(), "folded") == 3);
  CHECK(stored_outages(s.host) == 0);
}

TEST_CASE("visibility: outages before a restart count for damping, while they are recent") {
  VisibilityScene s;
  const auto outages = [&](int n) {
    for (int i = 0; i < n; ++i) {
      s.withdraw(kBoth);
      s.host.after(seconds(10));
      s.host.announce(s.a, kBoth, "1 10 100");
      s.host.after(seconds(10));
    }
    return s.host.taken();
  };
  CHECK(outages(3).size() == 6);
  s.host.restart();
  CHECK(outages(1).size() == 2);
  s.host.restart();
  CHECK(outages(1) == Texts{"visibility-flap 100"});
  s.host.after(hours(2));
  CHECK(s.host.taken() == Texts{"visibility-flap 100 clear"});
  CHECK(s.host.state.empty());
  CHECK(outages(1).size() == 2);
  s.host.off_while([&] { s.host.after(hours(2)); });
  CHECK(s.host.state.empty());
}

TEST_CASE("visibility: withdrawn and back within one UPDATE, or by path identifiers, is nothing") {
  FakeHost host("visibility");
  host.watched = watch_origin(100);
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24#1"}, "1 10 100");
  host.announce(a, {"10.0.0.0/24#2"}, "1 11 100");
  host.withdraw(a, {"10.0.0.0/24#1"});
  CHECK(host.taken().empty());
  host.change(a, "10.0.0.0/24#2", std::nullopt, false, std::nullopt);
  host.change(a, "10.0.0.0/24#3", attributes_of("1 12 100", 0), false, std::nullopt);
  host.end();
  CHECK(host.taken().empty());
  host.withdraw(a, {"10.0.0.0/24#3"});
  CHECK(host.taken() == Texts{"visibility-lost 100"});
}

TEST_CASE("visibility: what is lost when damping ends is told then") {
  VisibilityScene s;
  for (int i = 0; i < 5; ++i) {
    s.withdraw(kBoth);
    s.host.after(seconds(10));
    if (i < 4) s.host.announce(s.a, kBoth, "1 10 100");
    s.host.after(seconds(10));
  }
  s.host.taken();
  s.host.after(hours(2));
  REQUIRE(s.host.taken() == Texts{"visibility-flap 100 clear", "visibility-lost 100"});
  const Event lost = s.host.events.back();
  CHECK(lost.action == Action::kRaise);
  CHECK(lost.severity == Severity::kError);
  CHECK(prefix_texts(lost) == kBoth);
  CHECK_FALSE(lost.evidence.empty());
  s.host.announce(s.a, kBoth, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"visibility-regained 100 clear"});
  CHECK(s.host.events.back().incident == lost.incident);
}

TEST_CASE("visibility: an origin that nobody knows is not called AS0") {
  VisibilityScene s(watch_prefixes({"10.0.2.0/24"}));
  s.host.table(s.a, {"10.0.2.0/24"}, "1 10 {100 101}");
  s.host.withdraw(s.a, {"10.0.2.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost"});
  CHECK(s.host.events.back().summary.starts_with("10.0.2.0/24 is lost"));
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"visibility-regained clear"});
  CHECK(s.host.events.back().severity == Severity::kNotice);
}

TEST_CASE("visibility: lost is named after the route that went, back after those that came") {
  VisibilityScene s(watch_prefixes({"10.0.0.0/24"}));
  const Texts prefix{"10.0.0.0/24"};
  s.host.announce(s.b, prefix, "2 20 200");
  s.host.announce(s.b, prefix, "2 21 200");
  s.host.withdraw(s.b, prefix);
  CHECK(s.host.taken().empty());
  s.host.withdraw(s.a, prefix);
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  s.host.after(hours(1));
  s.host.announce(s.a, prefix, "1 10 300");
  REQUIRE(s.host.taken() == Texts{"visibility-regained 100 clear"});
  const Event& back = s.host.events.back();
  CHECK(back.severity == Severity::kWarning);
  CHECK(field<std::vector<Asn>>(back, "now_origins") == std::vector<Asn>{300});
  CHECK(back.summary ==
        "10.0.0.0/24 of AS100 visible again after 1 h 00 min 00 s, but originated by AS300 now");
  s.host.announce(s.b, prefix, "2 10 100");
  s.host.withdraw(s.b, prefix);
  s.host.withdraw(s.a, prefix);
  REQUIRE(s.host.taken() == Texts{"visibility-lost 300"});
  CHECK(s.host.events.back().evidence.front().old_path == "1 10 300");
  s.host.announce(s.a, prefix, "1 10 300");
  REQUIRE(s.host.taken() == Texts{"visibility-regained 300 clear"});
  CHECK(s.host.events.back().severity == Severity::kNotice);
}

TEST_CASE("visibility: the outage of a whole origin has a duration of its own") {
  VisibilityScene s;
  s.withdraw({"10.0.0.0/24"});
  s.host.after(minutes(5));
  s.host.restart();
  s.withdraw({"10.0.1.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100", "visibility-lost 100"});
  CHECK(field<std::string>(s.host.events[0], "scope") == "prefix");
  CHECK(field<std::string>(s.host.events[1], "scope") == "origin");
  const Timestamp dark = s.host.now();
  s.host.after(minutes(10));
  s.host.restart();
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.after(minutes(1));
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"visibility-regained 100", "visibility-regained 100 clear"});
  const Event &first = s.host.events[2], &second = s.host.events[3];
  CHECK(field<std::string>(first, "scope") == "origin");
  CHECK(field<Timestamp>(first, "origin_lost_since") == dark);
  CHECK(field<std::int64_t>(first, "origin_duration_seconds") == 600);
  CHECK(first.summary == "10.0.0.0/24 of AS100 visible again after 15 min 00 s; nothing of AS100 was "
                         "visible for 10 min 00 s; 1 still lost");
  CHECK(field<std::string>(second, "scope") == "prefix");
  // One that goes while another comes back leaves the origin visible throughout.
  s.withdraw({"10.0.0.0/24"});
  s.host.change(s.a, "10.0.1.0/24", std::nullopt, false, std::nullopt);
  s.host.change(s.a, "10.0.0.0/24", attributes_of("1 10 100", 0), false, std::nullopt);
  s.host.end();
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100", "visibility-lost 100",
                                  "visibility-regained 100"});
  for (std::size_t i = 4; i < 7; ++i)
    CHECK(field<std::string>(s.host.events[i], "scope") == "prefix");
}

TEST_CASE("visibility: a prefix with two origins counts for both") {
  Watch watch = watch_prefixes({"10.0.0.0/24"});
  watch.origins = {100};
  VisibilityScene s(std::move(watch));
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 200");
  s.withdraw({"10.0.1.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  CHECK(field<std::int64_t>(s.host.events[0], "visible_count") == 1);
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  CHECK(s.host.events.back().severity == Severity::kError);
  // It is lost already.
  s.host.withdraw(s.b, {"10.0.0.0/24"});
  CHECK(s.host.taken().empty());
}

TEST_CASE("visibility: what a watched origin loses is lost, also of a watched prefix") {
  Watch both = watch_prefixes({"10.0.0.0/24"});
  both.origins = {100};
  Watch within = watch_prefixes({"10.0.0.0/16"});
  within.origins = {100, 666};
  VisibilityScene origin, prefix(std::move(both)), more(std::move(within));
  for (VisibilityScene* s : {&origin, &prefix, &more}) {
    s->withdraw({"10.0.1.0/24"});
    s->host.taken();
    s->host.announce(s->a, {"10.0.0.0/24"}, "1 10 666");
    CHECK(s->host.taken().empty());
    s->host.announce(s->b, {"10.0.0.0/24"}, "2 20 666");
    REQUIRE(s->host.taken() == Texts{"visibility-lost 100"});
    const Event lost = s->host.events.back();
    CHECK(lost.severity == Severity::kError);
    CHECK(field<std::string>(lost, "scope") == "origin");
    CHECK(lost.evidence.at(0).new_path == "2 20 666");
    s->host.restart();
    if (s != &more) s->withdraw({"10.0.0.0/24"});
    CHECK(s->host.taken().empty());
    s->host.after(minutes(1));
    s->host.restart();
    s->host.announce(s->a, {"10.0.0.0/24"}, "1 10 100");
    REQUIRE(s->host.taken() == Texts{"visibility-regained 100"});
    const Event& back = s->host.events.back();
    CHECK(back.incident == lost.incident);
    CHECK(back.severity == Severity::kNotice);
    CHECK_FALSE(has_field(back, "now_origins"));
    CHECK(field<std::int64_t>(back, "origin_duration_seconds") == 60);
    s->host.announce(s->a, {"10.0.1.0/24"}, "1 10 100");
    CHECK(s->host.taken() == Texts{"visibility-regained 100 clear"});
    CHECK(stored_outages(s->host) == 0);
  }
}

TEST_CASE("visibility: of an origin that is not watched any more, its watched prefixes stay lost") {
  Watch watch = watch_prefixes({"10.0.0.0/24"});
  watch.origins = {100};
  VisibilityScene s(std::move(watch));
  s.withdraw(kBoth);
  const EventId incident = s.host.events.back().incident;
  s.host.taken();
  s.host.watched.origins.clear();
  s.host.restart();
  CHECK(stored_outages(s.host) == 1);
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  const Event& part = s.host.events.back();
  CHECK(part.incident == incident);
  CHECK(part.action == Action::kUpdate);
  CHECK(part.ends == "visibility-lost");
  CHECK(prefix_texts(part) == Texts{"10.0.1.0/24"});
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 200");
  REQUIRE(s.host.taken() == Texts{"visibility-regained 100 clear"});
  CHECK(s.host.events.back().incident == incident);
  CHECK(field<std::vector<Asn>>(s.host.events.back(), "now_origins") == std::vector<Asn>{200});
  CHECK(stored_outages(s.host) == 0);
}

TEST_CASE("visibility: what is not watched any more is told to be so") {
  VisibilityScene s;
  s.withdraw(kBoth);
  const EventId incident = s.host.events.back().incident;
  s.host.taken();
  s.host.after(seconds(90));
  s.host.watched = watch_origin(200);
  s.host.restart();
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100 clear"});
  const Event& e = s.host.events.back();
  CHECK(e.incident == incident);
  CHECK(e.severity == Severity::kNotice);
  CHECK(field<std::int64_t>(e, "duration_seconds") == 90);
  CHECK(e.summary == "10.0.0.0/24 and 10.0.1.0/24 of AS100 no longer watched, lost for 1 min 30 s");
  CHECK(stored_outages(s.host) == 0);
  s.host.restart();
  CHECK(s.host.taken().empty());
}

TEST_CASE("visibility: another origin's route of the watched prefix does not cover what is lost") {
  Watch watch = watch_prefixes({"10.0.0.0/16"});
  watch.origins = {100};
  VisibilityScene s(std::move(watch));
  s.host.announce(s.a, {"10.0.0.0/16"}, "1 10 100");
  s.withdraw({"10.0.1.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100"});
  CHECK(s.host.events.back().severity == Severity::kNotice);
  s.host.announce(s.a, {"10.0.0.0/16"}, "1 10 666");
  s.withdraw({"10.0.0.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100", "visibility-lost 100"});
  CHECK(s.host.events.back().severity == Severity::kError);
  CHECK_FALSE(has_field(s.host.events.back(), "covered"));
}

TEST_CASE("visibility: a more-specific that came from an unexpected origin may go") {
  Watch watch = watch_prefixes({"10.0.0.0/16"});
  watch.ases = {777};
  VisibilityScene s(std::move(watch));
  const Texts prefix{"10.0.6.0/24"};
  s.host.table(s.a, {"10.0.0.0/16"}, "1 10 100");
  s.host.announce(s.a, prefix, "1 10 666");
  s.host.restart();
  // Neither a table nor more of its routes make it expected.
  s.host.table(s.b, prefix, "2 20 666");
  s.host.drop_routes(s.a);
  s.host.drop_routes(s.b);
  s.host.table(s.a, prefix, "1 10 666");
  s.host.table(s.a, {"10.0.0.0/16"}, "1 10 100");
  s.host.restart();
  s.host.withdraw(s.a, prefix);
  CHECK(s.host.taken().empty());
  CHECK(stored_outages(s.host) == 0);
  // What went while it was switched off is forgotten.
  s.host.announce(s.a, prefix, "1 10 {666}");
  CHECK(stored_outages(s.host) == 1);
  s.host.off_while([&] { s.host.withdraw(s.a, prefix); });
  CHECK(stored_outages(s.host) == 0);
  s.host.announce(s.a, prefix, "1 10 666");
  // From here on it is the watched prefix's origin that has it.
  s.host.announce(s.b, prefix, "2 20 100");
  CHECK(stored_outages(s.host) == 0);
  s.host.withdraw(s.b, prefix);
  s.host.withdraw(s.a, prefix);
  CHECK(s.host.taken() == Texts{"visibility-lost 666"});
}

TEST_CASE("visibility: a more-specific of an expected origin, or of a first table, is missed") {
  Watch watch = watch_prefixes({"10.0.0.0/16", "10.0.8.0/24"});
  watch.ases = {777};
  VisibilityScene s(std::move(watch));
  s.host.table(s.a, {"10.0.0.0/16"}, "1 10 100");
  s.host.table(s.a, {"10.0.2.0/24"}, "1 10 200");
  s.host.announce(s.a, {"10.0.3.0/24"}, "1 10 100");
  s.host.announce(s.a, {"10.0.4.0/24"}, "1 10 777");
  s.host.announce(s.a, {"10.0.8.0/24"}, "1 10 888");
  s.host.restart();
  s.host.withdraw(s.a, {"10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24", "10.0.8.0/24"});
  CHECK(s.host.taken() == Texts{"visibility-lost 100", "visibility-lost 200", "visibility-lost 777",
                                "visibility-lost 888"});
  // The watched prefix gone, its origin is still the one expected within.
  s.host.withdraw(s.a, {"10.0.0.0/16"});
  s.host.announce(s.a, {"10.0.5.0/24"}, "1 10 100");
  s.host.withdraw(s.a, {"10.0.5.0/24"});
  CHECK(s.host.taken() == Texts{"visibility-lost 100", "visibility-lost 100"});
}

TEST_CASE("visibility: AS4294967295 is an origin (RFC 7300)") {
  VisibilityScene s(watch_origin(4294967295));
  s.host.table(s.a, {"10.0.2.0/24"}, "1 10 4294967295");
  s.host.withdraw(s.a, {"10.0.2.0/24"});
  REQUIRE(s.host.taken() == Texts{"visibility-lost 4294967295"});
  CHECK(field<std::string>(s.host.events.back(), "scope") == "origin");
}

TEST_CASE("visibility: what a first table brings back is shown") {
  VisibilityScene s;
  s.withdraw(kBoth);
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, kBoth, "3 30 100");
  REQUIRE(s.host.taken() == Texts{"visibility-lost 100", "visibility-regained 100 clear"});
  CHECK(s.host.events[1].peers == Texts{"c"});
  CHECK(s.host.events[1].evidence.size() == 2);
}

TEST_CASE("visibility: the end of damping names what is lost then, and how that went") {
  VisibilityScene s;
  for (int i = 0; i < 5; ++i) {
    s.withdraw({"10.0.1.0/24"});
    if (i < 4) s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
    s.host.after(seconds(10));
  }
  REQUIRE(s.host.events.back().type == "visibility-flap");
  s.withdraw({"10.0.0.0/24"});
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.taken();
  s.host.after(hours(2));
  REQUIRE(s.host.taken() == Texts{"visibility-flap 100 clear", "visibility-lost 100"});
  const Event& end = s.host.events[s.host.events.size() - 2];
  CHECK(field<std::string>(end, "state") == "lost");
  CHECK(end.summary ==
        "AS100: 1 outage folded since 2024-01-02T00:00:40.000000Z; 10.0.1.0/24 is now lost");
  for (const Event* e : {&end, &std::as_const(s.host.events.back())}) {
    CHECK(prefix_texts(*e) == Texts{"10.0.1.0/24"});
    REQUIRE(e->evidence.size() == 1);
    CHECK(format_prefix(e->evidence[0].prefix) == "10.0.1.0/24");
    CHECK_FALSE(e->evidence[0].new_path.has_value());
    CHECK(e->peers == Texts{"a"});
  }
}

TEST_CASE("visibility: of an origin that nobody knows, nothing is said beside its prefix") {
  VisibilityScene s(watch_prefixes({"10.0.2.0/24"}));
  for (int i = 0; i < 5; ++i) {
    s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 {100 101}");
    s.host.withdraw(s.a, {"10.0.2.0/24"});
  }
  CHECK(s.host.events.front().summary == "10.0.2.0/24 is lost");
  CHECK(s.host.events.back().summary ==
        "prefixes are lost and regained again and again; silent until there is no outage for "
        "1 h 00 min 00 s");
  s.host.after(hours(2));
  CHECK(s.host.events.at(s.host.events.size() - 2).summary ==
        "1 outage folded since 2024-01-02T00:00:00.000000Z; 10.0.2.0/24 is now lost");
}

TEST_CASE("visibility: nothing watched asks for no routes") {
  FakeHost host("visibility");
  CHECK(host.detector().route_interest() == RouteInterest::kNone);
}

}  // namespace lapwing::test
