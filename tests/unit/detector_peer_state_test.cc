#include <doctest/doctest.h>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::hours;
using std::chrono::seconds;

struct PeerScene : TwoNeighbours {
  PeerScene() : TwoNeighbours("peer-state") {}
};

}  // namespace

TEST_CASE("peer-state: the first session of a neighbour is no news") {
  PeerScene s;
  s.host.up(s.a);
  s.host.after(hours(1));
  CHECK(s.host.events.empty());
}

TEST_CASE("peer-state: down says why, up says for how long nothing was heard, in one incident") {
  PeerScene s;
  s.host.down(s.a, "hold timer expired");
  s.host.after(seconds(100));
  s.host.up(s.a, time_of("2024-01-02T00:00:00Z"));
  CHECK(s.host.taken() == Texts{"peer-down", "peer-up clear"});
  const Event &down = s.host.events[0], &up = s.host.events[1];
  CHECK(down.severity == Severity::kWarning);
  CHECK(down.peers == Texts{"a"});
  CHECK(field<std::string>(down, "reason") == "hold timer expired");
  CHECK(down.summary == "neighbour a is down: hold timer expired");
  CHECK(up.incident == down.incident);
  CHECK(up.ends == "peer-down");
  CHECK(field<std::int64_t>(up, "duration_seconds") == 100);
  CHECK(s.host.state.empty());
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
}

TEST_CASE("peer-state: one that stays away is blind, once, over a restart, too") {
  PeerScene s;
  s.host.down(s.b);
  s.host.after(seconds(299));
  CHECK(s.host.taken() == Texts{"peer-down"});
  s.host.restart();
  s.host.standing(s.b, time_of("2024-01-02T00:00:00Z"));
  s.host.after(seconds(1));
  CHECK(s.host.taken() == Texts{"peer-blind"});
  CHECK(field<Timestamp>(s.host.events[1], "blind_since") == time_of("2024-01-02T00:00:00Z"));
  CHECK(s.host.events[1].incident == s.host.events[0].incident);
  s.host.restart();
  s.host.standing(s.b, time_of("2024-01-02T00:00:00Z"));
  s.host.after(hours(10));
  CHECK(s.host.taken().empty());
  s.host.up(s.b, time_of("2024-01-02T00:00:00Z"));
  CHECK(s.host.taken() == Texts{"peer-up clear"});
  CHECK(s.host.events[2].ends == "peer-down peer-blind");
}

TEST_CASE("peer-state: a gap that nobody saw begin is told when it ends") {
  PeerScene s;
  s.host.restart();
  s.host.at("2024-01-02T00:10:00Z");
  s.host.standing(s.a, time_of("2024-01-02T00:00:00Z"));
  s.host.after(seconds(299));
  s.host.up(s.a, time_of("2024-01-02T00:00:00Z"));
  CHECK(s.host.taken() == Texts{"peer-blind"});
  CHECK(s.host.events[0].action == Action::kUpdate);
  CHECK(field<std::int64_t>(s.host.events[0], "duration_seconds") == 899);
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
  CHECK(s.host.state.empty());
}

TEST_CASE("peer-state: one that was up when Lapwing ended and does not return is blind") {
  PeerScene s;
  s.host.restart();
  s.host.at("2024-01-02T00:10:00Z");
  s.host.standing(s.a, time_of("2024-01-02T00:00:00Z"));
  s.host.after(seconds(299));
  CHECK(s.host.taken().empty());
  s.host.after(seconds(1));
  REQUIRE(s.host.taken() == Texts{"peer-blind"});
  CHECK(s.host.events[0].action == Action::kRaise);
  CHECK(s.host.events[0].summary ==
        "neighbour a has not been heard for 15 min 00 s: what it sees since then is not known");
  s.host.restart();
  s.host.standing(s.a, time_of("2024-01-02T00:00:00Z"));
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
  s.host.up(s.a, time_of("2024-01-02T00:00:00Z"));
  REQUIRE(s.host.taken() == Texts{"peer-up clear"});
  CHECK(s.host.events[1].ends == "peer-blind");
  CHECK(s.host.events[1].incident == s.host.events[0].incident);
  CHECK(s.host.state.empty());
}

TEST_CASE("peer-state: what came back while it was off stands no longer when it is on again") {
  PeerScene s;
  s.host.down(s.a, "hold timer expired");
  s.host.down(s.b);
  s.host.after(seconds(300));
  REQUIRE(s.host.taken() == Texts{"peer-down", "peer-down", "peer-blind", "peer-blind"});
  s.host.restart();
  s.host.at("2024-01-02T05:00:00Z");
  s.host.standing(s.a, std::nullopt);  // it is up
  REQUIRE(s.host.taken() == Texts{"peer-up clear"});
  const Event& up = s.host.events.back();
  CHECK(up.incident == s.host.events[0].incident);
  CHECK(up.ends == "peer-down peer-blind");
  CHECK(up.rule == "the neighbour came back while this detector was off");
  s.host.standing(s.b, time_of("2024-01-02T04:59:00Z"));  // it was up, and is lost again
  CHECK(s.host.taken() == Texts{"peer-up clear"});
  CHECK(s.host.state.empty());
  s.host.up(s.b, time_of("2024-01-02T04:59:00Z"));
  CHECK(s.host.taken() == Texts{"peer-blind"});
  CHECK(field<std::int64_t>(s.host.events.back(), "duration_seconds") == 60);
  CHECK(s.host.events.back().rule == "Lapwing, or this detector, was not running when it began");
}

TEST_CASE("peer-state: a neighbour that is removed while it is down ends its incident") {
  PeerScene s;
  s.host.down(s.a);
  s.host.remove_peer(s.a);
  CHECK(s.host.taken() == Texts{"peer-down", "peer-down clear"});
  s.host.after(hours(1));
  CHECK(s.host.taken().empty());
}

TEST_CASE("peer-state: two outages that begin in one second have two ends, with two ids") {
  PeerScene s;
  const Timestamp began = s.host.now();
  s.host.down(s.a);
  s.host.up(s.a, began);
  s.host.down(s.a);
  s.host.after(seconds(100));
  s.host.up(s.a, began);
  // The engine makes ids of what comes again at one moment; this host knows the second one.
  CHECK(s.host.duplicate_events == 1);
  REQUIRE(s.host.taken() == Texts{"peer-down", "peer-up clear", "peer-up clear"});
  CHECK(s.host.events[2].incident == s.host.events[1].incident);
  CHECK(s.host.events[2].id != s.host.events[1].id);
}

TEST_CASE("peer-state: a reason from the wire is bounded and cut between characters") {
  PeerScene s;
  std::string reason(511, 'x');
  reason += "äöü";
  s.host.down(s.a, reason);
  CHECK(field<std::string>(s.host.events[0], "reason") == std::string(511, 'x') + "…");
}

}  // namespace lapwing::test
