#include <doctest/doctest.h>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::hours;
using std::chrono::seconds;

struct OriginScene : TwoNeighbours {
  explicit OriginScene(Watch watch = {}) : TwoNeighbours("origin-change", std::move(watch)) {}

  /// AS666 is told three times, and is back too soon to be told.
  void flap_until_silent(const Texts& prefixes = {"10.0.0.0/24"}) {
    for (int i = 0; i < 4; ++i) {
      for (const std::string& prefix : prefixes) host.announce(a, {prefix}, "1 10 666");
      host.after(seconds(30));
      if (i < 3) host.announce(a, prefixes, "1 10 100");
    }
    if (prefixes.size() == 1) CHECK(host.taken().size() == 6);
    host.taken();
  }
};

}  // namespace

TEST_CASE("origin-change: another origin is told once, at the first UPDATE, whoever sees it next") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 666");
  CHECK(s.host.taken() == Texts{"origin-change 666"});
  const Event& e = s.host.events[0];
  CHECK(e.action == Action::kRaise);
  CHECK(e.severity == Severity::kNotice);
  CHECK(field<std::int64_t>(e, "old_origin") == 100);
  CHECK(field<bool>(e, "moas"));
  CHECK(field<std::vector<Asn>>(e, "origins") == std::vector<Asn>{100, 666});
  CHECK(prefix_texts(e) == Texts{"10.0.0.0/24", "10.0.1.0/24"});
  CHECK(e.peers == Texts{"a"});
  CHECK(e.evidence.size() == 2);
  CHECK(e.evidence[0].old_path == "1 10 100");
  s.host.announce(s.b, {"10.0.0.0/24", "10.0.1.0/24"}, "2 20 666");
  CHECK(s.host.taken().empty());
}

TEST_CASE("origin-change: further neighbours are witnesses of what was raised") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  CHECK(s.host.witnesses.empty());
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 666");
  REQUIRE(s.host.witnesses.size() == 1);
  CHECK(s.host.witnesses[0] == std::pair(s.host.events[0].incident, std::string("origin-change b")));
  // Also by another prefix of the matter; what tells that a part of it has ended says so.
  s.host.announce(s.host.add_peer("c", 3), {"10.0.1.0/24"}, "3 30 666");
  REQUIRE(s.host.witnesses.size() == 2);
  CHECK(s.host.witnesses[1] == std::pair(s.host.events[0].incident, std::string("origin-change c")));
  s.host.after(seconds(60));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 100");
  CHECK(s.host.events.back().action == Action::kUpdate);
  CHECK(s.host.events.back().ends == "origin-change");
}

TEST_CASE("origin-change: the end is told, with the duration, when nobody shows it any more") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 666");
  s.host.after(seconds(60));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"origin-change 666", "origin-change 666"});
  CHECK(s.host.events[1].action == Action::kUpdate);
  CHECK(field<std::int64_t>(s.host.events[1], "standing") == 1);
  s.host.restart();
  s.host.after(seconds(40));
  s.host.withdraw(s.a, {"10.0.1.0/24"});
  CHECK(s.host.taken() == Texts{"origin-change 666 clear"});
  CHECK(field<std::int64_t>(s.host.events[2], "duration_seconds") == 100);
  CHECK(s.host.events[2].incident == s.host.events[0].incident);
  for (const auto& [key, value] : s.host.state) CHECK(key.size() == 5);  // what it lost
  // And again: raised anew, with the number of times.
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
  CHECK(s.host.taken() == Texts{"origin-change 666"});
}

TEST_CASE("origin-change: what left while it was switched off ends when it is on again") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  s.host.after(seconds(7));
  s.host.off_while([&] { s.host.withdraw(s.a, {"10.0.0.0/24"}); });
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK(s.host.events.back().action == Action::kUpdate);
  CHECK(field<std::int64_t>(s.host.events.back(), "standing") == 1);
  s.host.restart();
  CHECK(s.host.taken().empty());
  s.host.off_while([&] { s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100"); });
  REQUIRE(s.host.taken() == Texts{"origin-change 666 clear"});
  CHECK(s.host.events.back().incident == s.host.events.front().incident);
  CHECK(prefix_texts(s.host.events.back()) == Texts{"10.0.1.0/24"});
  CHECK(field<std::int64_t>(s.host.events.back(), "duration_seconds") == 7);
  CHECK(s.host.state.empty());
}

TEST_CASE("origin-change: a first table in place of what was kept ends what it does not show") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  s.host.table(s.a, {"10.0.0.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"origin-change 666 clear"});
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  s.host.taken();
  s.host.remove_peer(s.a);  // nobody said so
  CHECK(s.host.taken().empty());
}

TEST_CASE("origin-change: what was dropped ends with the table of that neighbour, if it does not show it") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"}, "1 10 666");
  s.host.taken();
  s.host.after(seconds(60));
  s.host.drop_routes(s.a);
  s.host.table_done(s.b);
  s.host.table(s.a, {"10.0.1.0/24"}, "1 10 666");
  s.host.table_done(s.a, kIpv6Unicast);
  CHECK(s.host.taken().empty());
  s.host.table_done(s.a);
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK(s.host.events.back().action == Action::kUpdate);
  CHECK(prefix_texts(s.host.events.back()) == Texts{"10.0.0.0/24"});
  CHECK(s.host.events.back().rule == "no neighbour has a route any more that shows this origin");
  s.host.table_done(s.a);
  CHECK(s.host.taken().empty());
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"origin-change 666 clear"});
  // Shown again by another neighbour, and dropped: nothing that it has to say of it.
  s.host.announce(s.b, {"10.0.1.0/24"}, "2 20 666");
  s.host.taken();
  s.host.drop_routes(s.b);
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
  s.host.table_done(s.b);
  CHECK(s.host.taken().empty());
}

TEST_CASE("origin-change: what has left by the end of the window is no news, and ids differ") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  s.host.after(seconds(10));
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
  s.host.after(seconds(20));
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"origin-change 666"});
  s.host.after(seconds(600));
  CHECK(s.host.taken().empty());
  // It leaves in the second in which the window ends.
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
  s.host.after(seconds(60));
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"origin-change 666", "origin-change 666"});
  CHECK(s.host.events[1].time == s.host.events[2].time);
  CHECK(s.host.duplicate_events == 0);
}

TEST_CASE(
    "origin-change: what left before it was told is not told to be gone, unless it was the last") {
  OriginScene s;
  s.host.table(s.b, {"10.0.2.0/24"}, "2 20 100");
  const auto announce = [&](std::string_view prefix, std::string_view path) {
    s.host.announce(s.a, {std::string(prefix)}, path);
    s.host.after(seconds(1));
  };
  announce("10.0.0.0/24", "1 10 666");
  announce("10.0.1.0/24", "1 10 666");
  s.host.taken();
  announce("10.0.1.0/24", "1 10 100");
  CHECK(s.host.taken().empty());
  // Together with one that was told: that one alone.
  announce("10.0.2.0/24", "1 10 666");
  s.host.after(seconds(60));
  announce("10.0.1.0/24", "1 10 666");
  s.host.taken();
  s.host.announce(s.a, {"10.0.1.0/24", "10.0.2.0/24"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK(prefix_texts(s.host.events.back()) == Texts{"10.0.2.0/24"});
  CHECK(s.host.events.back().evidence.size() == 1);
  CHECK(field<std::int64_t>(s.host.events.back(), "duration_seconds") == 62);
  // The last one ends the matter.
  announce("10.0.1.0/24", "1 10 666");
  announce("10.0.0.0/24", "1 10 100");
  s.host.taken();
  announce("10.0.1.0/24", "1 10 100");
  REQUIRE(s.host.taken() == Texts{"origin-change 666 clear"});
  CHECK(prefix_texts(s.host.events.back()) == Texts{"10.0.1.0/24"});
}

TEST_CASE(
    "origin-change: what waits to be told is told after a restart, but for what left meanwhile") {
  for (const bool restart : {false, true}) {
    OriginScene s;
    s.host.table(s.b, {"10.0.2.0/24"}, "2 20 100");
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
    s.host.after(seconds(10));
    s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
    s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 666");
    s.host.taken();
    if (restart) s.host.off_while([&] { s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100"); });
    if (!restart) s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 100");
    CHECK(s.host.taken().empty());
    if (restart) s.host.restart();
    s.host.after(seconds(59));
    CHECK(s.host.taken().empty());
    s.host.after(seconds(1));
    REQUIRE(s.host.taken() == Texts{"origin-change 666"});
    const Event& e = s.host.events.back();
    CHECK(e.action == Action::kUpdate);
    CHECK(e.ends.empty());
    CHECK(prefix_texts(e) == Texts{"10.0.1.0/24"});
    CHECK(e.peers == Texts{"a"});
    CHECK(e.evidence.size() == 1);
    CHECK(e.cause == Cause::kLive);
    CHECK(field<std::int64_t>(e, "standing") == 2);
    s.host.after(seconds(5));
    s.host.restart();
    s.host.after(seconds(100));
    CHECK(s.host.taken().empty());
  }
}

TEST_CASE("origin-change: with one feed the old origin is gone, and coming back is no news") {
  FakeHost host("origin-change");
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24"}, "1 10 100");
  host.after(hours(1));
  host.announce(a, {"10.0.0.0/24"}, "1 10 666");
  REQUIRE(host.taken() == Texts{"origin-change 666"});
  CHECK_FALSE(field<bool>(host.events[0], "moas"));
  host.after(seconds(5));
  host.announce(a, {"10.0.0.0/24"}, "1 10 100");
  CHECK(host.taken() == Texts{"origin-change 666 clear"});
  host.announce(a, {"10.0.0.0/24"}, "1 10 666");
  REQUIRE(host.taken() == Texts{"origin-change 666"});
  CHECK(field<std::int64_t>(host.events[2], "times") == 2);
}

TEST_CASE("origin-change: what comes and goes is told three times, and again when it stayed away") {
  OriginScene s;
  const auto flap = [&] {
    s.host.after(seconds(30));
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
    s.host.after(seconds(30));
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  };
  for (int i = 0; i < 10; ++i) flap();
  CHECK(s.host.taken().size() == 6);
  s.host.after(seconds(900));
  flap();
  CHECK(s.host.taken().size() == 2);
  CHECK(field<std::int64_t>(s.host.events[6], "times") == 11);
}

TEST_CASE("origin-change: what came back too soon to tell, and a first table took, is told when it comes again") {
  for (const bool dropped : {false, true}) {
    OriginScene s;
    s.flap_until_silent();
    if (dropped) s.host.drop_routes(s.a);
    s.host.table(s.a, {"10.0.0.0/24"}, "1 10 100");
    s.host.after(seconds(900));
    CHECK(s.host.taken().empty());
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
    CHECK(s.host.taken() == Texts{"origin-change 666"});
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
    CHECK(s.host.taken() == Texts{"origin-change 666 clear"});
  }
}

TEST_CASE("origin-change: neighbours with path identifiers and without show one prefix") {
  OriginScene s;  // b shows 100, without one
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.0.0/24#1", "10.0.0.0/24#2"}, "3 30 100");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK(field<bool>(s.host.events.back(), "moas"));
  s.host.announce(c, {"10.0.0.0/24#2"}, "3 30 666");
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 666");
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.withdraw(s.b, {"10.0.0.0/24"});
  CHECK(s.host.taken().empty());  // c shows it still
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 666");
  s.host.withdraw(c, {"10.0.0.0/24#2"});
  CHECK(s.host.taken().empty());
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 100");
  CHECK(s.host.taken() == Texts{"origin-change 666 clear"});
}

TEST_CASE("origin-change: an origin whose path gets another identifier within an UPDATE stays") {
  OriginScene s;
  const PeerId c = s.host.add_peer("c", 3);
  s.host.withdraw(s.b, {"10.0.0.0/24"});
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.table(c, {"10.0.0.0/24#9"}, "3 30 100");
  s.host.announce(c, {"10.0.0.0/24#1"}, "3 30 666");
  CHECK(s.host.taken() == Texts{"origin-change 666"});
  s.host.replace(c, {"10.0.0.0/24#1"}, {"10.0.0.0/24#2"}, "3 31 666");
  s.host.replace(c, {"10.0.0.0/24#9"}, {"10.0.0.0/24#8"}, "3 31 100");
  CHECK(s.host.taken().empty());
  s.host.replace(c, {"10.0.0.0/24#2"}, {"10.0.0.0/24#3"}, "3 31 777");
  CHECK(s.host.taken() == Texts{"origin-change 777", "origin-change 666 clear"});
}

TEST_CASE("origin-change: what is told at one time is told together, over a restart, too") {
  for (const bool restarts : {false, true}) {
    CAPTURE(restarts);
    OriginScene s;
    s.flap_until_silent({"10.0.1.0/24", "10.0.0.0/24"});
    if (restarts) s.host.restart();
    s.host.after(seconds(870));
    REQUIRE(s.host.taken() == Texts{"origin-change 666"});
    CHECK(s.host.events.back().summary.starts_with("10.0.0.0/24 and 10.0.1.0/24 originated by"));
  }
}

TEST_CASE("origin-change: a restart takes nothing from its memory of what was custom, or told") {
  // The same changes with a restart after each, and without.
  const auto run = [](bool restarts) {
    OriginScene s;
    const auto step = [&](PeerId peer, const char* path) {
      if (path == nullptr)
        s.host.withdraw(peer, {"10.0.0.0/24"});
      else
        s.host.announce(peer, {"10.0.0.0/24"}, path);
      s.host.after(seconds(30));
      if (restarts) s.host.restart();
    };
    step(s.b, nullptr);
    step(s.a, "1 10 666");  // raised
    step(s.a, "1 10 100");  // custom
    for (int i = 0; i < 4; ++i) {
      step(s.a, "1 10 666");  // raised twice more, then flapping
      step(s.a, "1 10 100");
    }
    s.host.after(seconds(900));
    step(s.a, "1 10 666");  // and told again
    step(s.a, nullptr);
    step(s.a, "1 10 777");  // the one that left last is known
    Texts out = s.host.taken();
    for (const Event& e : s.host.events)
      out.push_back((e.action == Action::kRaise
                         ? std::to_string(field<std::int64_t>(e, "times")) + ' '
                         : std::string()) +
                    e.summary);
    return out;
  };
  const Texts plain = run(false);
  CHECK(plain.size() == 18);
  CHECK(run(true) == plain);
}

TEST_CASE("origin-change: its memory is stored at once; where much leaves, within a second") {
  OriginScene s;
  s.host.withdraw(s.b, {"10.0.0.0/24", "10.0.1.0/24"});
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  s.host.restart();
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"origin-change 666", "origin-change 666 clear"});
  s.host.after(seconds(2));
  const std::size_t writes = s.host.state_writes;
  for (int i = 0; i < 1000; ++i) {
    const Texts prefix{"10." + std::to_string(1 + i / 100) + '.' + std::to_string(i % 100) +
                       ".0/24"};
    s.host.table(s.a, prefix, "1 10 100");
    s.host.withdraw(s.a, prefix);
  }
  s.host.withdraw(s.a, {"10.0.1.0/24"});
  CHECK(s.host.state_writes == writes + 64);
  s.host.after(seconds(1));
  CHECK(s.host.state_writes <= writes + 64 + 64);  // 16 to a write
  s.host.restart();
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 777");
  CHECK(s.host.taken() == Texts{"origin-change 777"});
  s.host.table(s.a, {"10.2.0.0/16"}, "1 10 100");
  s.host.withdraw(s.a, {"10.2.0.0/16"});
  s.host.restart();
  s.host.announce(s.a, {"10.2.0.0/16"}, "1 10 778");
  CHECK(s.host.taken() == Texts{"origin-change 778"});
}

TEST_CASE("origin-change: what came back too soon to be told is told if it stays") {
  for (const bool restarts : {false, true}) {
    CAPTURE(restarts);
    OriginScene s;
    s.flap_until_silent();
    if (restarts) s.host.restart();
    s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 666");
    s.host.after(seconds(869));
    CHECK(s.host.taken().empty());
    s.host.after(seconds(1));
    REQUIRE(s.host.taken() == Texts{"origin-change 666"});
    const Event& e = s.host.events.back();
    CHECK(e.action == Action::kRaise);
    CHECK(e.incident == s.host.events[0].incident);
    CHECK(field<std::int64_t>(e, "times") == 4);
    CHECK_FALSE(field<bool>(e, "moas"));
    CHECK(e.summary == "10.0.0.0/24 originated by AS666 again, before that by AS100; seen by a and b");
    REQUIRE(e.evidence.size() == 2);
    CHECK(e.evidence[0].new_path == "1 10 666");
    s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 100");
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
    CHECK(s.host.taken() == Texts{"origin-change 666 clear"});
  }
}

TEST_CASE("origin-change: what flapped, and left while it was switched off, is told when it comes again") {
  OriginScene s;
  s.flap_until_silent();
  s.host.off_while([&] { s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100"); });
  s.host.after(seconds(900));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  CHECK(s.host.taken() == Texts{"origin-change 666"});
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  CHECK(s.host.taken() == Texts{"origin-change 666 clear"});
}

TEST_CASE("origin-change: a prefix that was withdrawn everywhere and comes from another AS") {
  OriginScene s;
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.withdraw(s.b, {"10.0.0.0/24"});
  s.host.after(hours(1));
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 666");
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK(field<std::int64_t>(s.host.events[0], "old_origin") == 100);
  // The same origin again is silence, and so is a prefix that nobody ever had.
  s.host.withdraw(s.a, {"10.0.1.0/24"});
  s.host.withdraw(s.b, {"10.0.1.0/24"});
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  s.host.announce(s.a, {"10.9.9.0/24"}, "1 10 999");
  CHECK(s.host.taken().empty());
}

TEST_CASE("origin-change: the reserved ASes at the ends of both ranges are origins (RFC 7300)") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 4294967295");
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 65535");
  CHECK(s.host.taken() == Texts{"origin-change 4294967295", "origin-change 65535"});
}

TEST_CASE("origin-change: first tables, lost neighbours and AS_SETs are silent") {
  OriginScene s;
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.0.0/24"}, "3 30 777");
  s.host.down(s.a);
  s.host.up(s.a);
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 777");
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 {666,667}");
  CHECK(s.host.taken().empty());
  // What a first table showed and took away again is custom.
  const PeerId d = s.host.add_peer("d", 4);
  s.host.table(d, {"10.0.1.0/24"}, "4 40 888");
  s.host.change(d, "10.0.1.0/24", std::nullopt, true, std::nullopt);
  s.host.table(d, {"10.0.0.0/24"}, "4 40 889");
  s.host.table(d, {"10.0.0.0/24"}, "4 40 890");
  s.host.announce(s.b, {"10.0.1.0/24"}, "2 20 888");
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 20 889");
  CHECK(s.host.taken().empty());
  s.host.announce(s.b, {"10.0.0.0/24", "10.0.1.0/24"}, "2 20 100");
  // A known conflict of origins that ends and begins again is custom.
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.withdraw(c, {"10.0.0.0/24"});
  s.host.announce(c, {"10.0.0.0/24"}, "3 30 777");
  CHECK(s.host.taken().empty());
}

TEST_CASE("origin-change: further prefixes of a matter are told together at the end of the window") {
  FakeHost host("origin-change");
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  Texts all;
  for (int i = 0; i < 100; ++i) all.push_back("10.0." + std::to_string(i) + ".0/24");
  host.table(a, all, "1 10 100");
  host.after(hours(1));
  for (const std::string& prefix : all) host.announce(a, {prefix}, "1 10 666");
  CHECK(host.taken() == Texts{"origin-change 666"});
  host.after(seconds(60));
  CHECK(host.taken() == Texts{"origin-change 666"});
  CHECK(host.events[1].action == Action::kUpdate);
  CHECK(host.events[1].prefix_count == 99);
  CHECK(field<std::int64_t>(host.events[1], "standing") == 100);
  CHECK(host.events[1].prefixes.size() == 20);
  CHECK(host.events[1].evidence.size() == 10);
}

TEST_CASE("origin-change: what is watched is a warning; scope watched looks at nothing else") {
  OriginScene s(watch_prefixes({"10.0.0.0/24"}));
  s.host.settings.set("scope", std::string("watched"));
  OriginScene loud(watch_prefixes({"10.0.0.0/24"}));
  loud.host.announce(loud.a, {"10.0.0.0/24"}, "1 10 666");
  CHECK(loud.host.events.at(0).severity == Severity::kWarning);

  FakeHost host("origin-change");
  host.settings.set("scope", std::string("watched"));
  host.watched = watch_prefixes({"10.0.0.0/24"});
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 100");
  host.announce(a, {"10.0.1.0/24"}, "1 10 666");
  CHECK(host.taken().empty());
  host.announce(a, {"10.0.0.0/24"}, "1 10 666");
  CHECK(host.taken() == Texts{"origin-change 666"});
}

TEST_CASE("origin-change: an empty path on iBGP is of the local AS, which may be watched") {
  FakeHost host("origin-change");
  host.watched = watch_origin(64512);
  const PeerId edge = host.add_peer("edge1", 64512, 64512);
  host.at("2024-01-01T00:00:00Z");
  host.table(edge, {"10.0.0.0/24"}, "");
  host.announce(edge, {"10.0.0.0/24"}, "1299 300");
  REQUIRE(host.taken() == Texts{"origin-change 300"});
  CHECK(host.events[0].severity == Severity::kWarning);
  CHECK(field<std::int64_t>(host.events[0], "old_origin") == 64512);
}

TEST_CASE("origin-change: path identifiers are one prefix") {
  FakeHost host("origin-change");
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24#1"}, "1 10 100");
  host.table(a, {"10.0.0.0/24#2"}, "1 11 200");
  host.announce(a, {"10.0.0.0/24#3"}, "1 12 200");
  host.announce(a, {"10.0.0.0/24#1"}, "1 12 200");
  CHECK(host.taken().empty());
  host.announce(a, {"10.0.0.0/24#4"}, "1 12 666");
  REQUIRE(host.taken() == Texts{"origin-change 666"});
  CHECK(field<std::int64_t>(host.events[0], "old_origin") == 200);
}

TEST_CASE("origin-change: a change found after a gap carries its interval") {
  OriginScene s;
  s.host.found(s.a, {"10.0.0.0/24"}, "1 10 666", "2024-01-01T20:00:00Z");
  REQUIRE(s.host.events.size() == 1);
  CHECK(s.host.events[0].cause == Cause::kResync);
  CHECK(s.host.events[0].changed_between->from == time_of("2024-01-01T20:00:00Z"));
}

TEST_CASE("origin-change: an origin that comes again is said to, and so are some of several") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  CHECK(s.host.events[0].rule ==
        "an AS originates a prefix that no neighbour showed it to originate before");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.after(seconds(1));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  REQUIRE(s.host.events.size() == 3);
  CHECK(s.host.events[2].rule == "an AS originates a prefix again that it had left");
  CHECK(s.host.events[2].summary ==
        "10.0.0.0/24 originated by AS666 again, and still by AS100; seen by a");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 100");
  s.host.after(seconds(1));
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 666");
  REQUIRE(s.host.events.size() == 5);
  CHECK(field<std::int64_t>(s.host.events[4], "times") == 3);
  CHECK(s.host.events[4].rule ==
        "an AS originates a prefix that no neighbour showed it to originate before, and others "
        "again that it had left");
  CHECK(s.host.events[4].summary ==
        "10.0.0.0/24 and 10.0.1.0/24 originated by AS666 (1 of 2 again), and still by AS100; seen "
        "by a");
  // A further prefix that comes again is an update.
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  s.host.after(seconds(1));
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
  s.host.after(seconds(60));
  CHECK(s.host.events.back().action == Action::kUpdate);
  CHECK(s.host.events.back().rule == "an AS originates a prefix again that it had left");
  CHECK(s.host.events.back().summary ==
        "10.0.1.0/24 originated by AS666 again, and still by AS100; seen by a");
}

TEST_CASE("origin-change: another origin is there only for the prefixes that it is there for") {
  OriginScene s;
  const Texts both{"10.0.0.0/24", "10.0.1.0/24"};
  s.host.withdraw(s.b, {"10.0.1.0/24"});
  s.host.announce(s.a, both, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK_FALSE(field<bool>(s.host.events[0], "moas"));
  CHECK(field<std::vector<Asn>>(s.host.events[0], "origins") == std::vector<Asn>{100, 666});
  CHECK(s.host.events[0].summary ==
        "10.0.0.0/24 and 10.0.1.0/24 originated by AS666, before that by AS100, 1 of 2 still by "
        "AS100; seen by a");
  // Each has another one, but not the same.
  s.host.announce(s.a, both, "1 10 100");
  s.host.table(s.b, {"10.0.1.0/24"}, "2 20 200");
  s.host.taken();
  s.host.announce(s.a, both, "1 10 667");
  REQUIRE(s.host.taken() == Texts{"origin-change 667"});
  CHECK(field<bool>(s.host.events.back(), "moas"));
  CHECK(s.host.events.back().summary ==
        "10.0.0.0/24 and 10.0.1.0/24 originated by AS667, and still by at least one of AS100 and "
        "AS200; seen by a");
}

TEST_CASE("origin-change: what left a prefix by the end of the window is not still there") {
  OriginScene s;
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
  s.host.after(seconds(10));
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
  s.host.after(seconds(10));
  s.host.announce(s.b, {"10.0.1.0/24"}, "2 20 666");
  s.host.taken();
  s.host.after(seconds(50));
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK_FALSE(field<bool>(s.host.events.back(), "moas"));
  CHECK(field<std::vector<Asn>>(s.host.events.back(), "origins") == std::vector<Asn>{666});
  CHECK(s.host.events.back().summary ==
        "10.0.1.0/24 originated by AS666, before that by AS100; seen by a and b");
  // Nor is what was dropped before.
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 100");
  s.host.announce(s.b, {"10.0.1.0/24"}, "2 20 100");
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 10 666");
  s.host.taken();
  s.host.drop_routes(s.a);
  s.host.withdraw(s.b, {"10.0.1.0/24"});
  s.host.after(seconds(60));
  REQUIRE(s.host.taken() == Texts{"origin-change 666"});
  CHECK_FALSE(field<bool>(s.host.events.back(), "moas"));
}

TEST_CASE("origin-change: path identifiers that come and go hide no other origin") {
  FakeHost host("origin-change");
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24#1", "10.0.1.0/24#1"}, "1 10 100");
  host.announce(a, {"10.0.0.0/24#2"}, "1 12 666");
  host.announce(a, {"10.0.1.0/24#2"}, "1 12 666");
  host.announce(a, {"10.0.1.0/24#3"}, "1 13 666");
  host.withdraw(a, {"10.0.1.0/24#2"});
  REQUIRE(host.taken() == Texts{"origin-change 666"});
  host.after(seconds(60));
  REQUIRE(host.taken() == Texts{"origin-change 666"});
  CHECK(field<bool>(host.events.back(), "moas"));
  CHECK(host.events.back().summary ==
        "10.0.1.0/24 originated by AS666, and still by AS100; seen by a");
}

TEST_CASE("origin-change: scope watched tells the end of what it told, whatever comes then") {
  FakeHost host("origin-change");
  host.settings.set("scope", std::string("watched"));
  host.watched = watch_origin(100);
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 100");
  host.announce(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 666");
  REQUIRE(host.taken() == Texts{"origin-change 666"});
  host.withdraw(a, {"10.0.0.0/24"});
  host.announce(a, {"10.0.1.0/24"}, "1 10 777");
  REQUIRE(host.taken() == Texts{"origin-change 666", "origin-change 666 clear"});
    for (const auto& [key, value] : host.state) CHECK(key.size() == 5);  // what it lost
}

}  // namespace lapwing::test
