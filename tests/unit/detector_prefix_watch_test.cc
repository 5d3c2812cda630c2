#include <doctest/doctest.h>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::seconds;

struct PrefixScene : TwoNeighbours {
  explicit PrefixScene(Watch watch) : TwoNeighbours("prefix-watch", std::move(watch)) {}
};

Watch the_24() { return watch_prefixes({"10.0.0.0/24"}); }

}  // namespace

TEST_CASE("prefix-watch: a more-specific of another AS is an error, of the same AS a notice") {
  PrefixScene s(the_24());
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  const Event& e = s.host.events[0];
  CHECK(e.severity == Severity::kError);
  CHECK(e.action == Action::kRaise);
  CHECK(field<std::string>(e, "within") == "10.0.0.0/24");
  CHECK_FALSE(field<bool>(e, "expected_origin"));
  CHECK(e.evidence.at(0).new_path == "1 10 666");
  CHECK_FALSE(e.evidence.at(0).old_path.has_value());
  s.host.announce(s.a, {"10.0.0.128/25"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"more-specific 100"});
  CHECK(s.host.events[1].severity == Severity::kNotice);
  CHECK(field<bool>(s.host.events[1], "expected_origin"));
}

TEST_CASE("prefix-watch: told once, however many see it, and its end with the duration") {
  PrefixScene s(the_24());
  s.host.announce(s.a, {"10.0.0.0/25", "10.0.0.128/25"}, "1 10 666");
  CHECK(s.host.witnesses.empty());
  s.host.announce(s.b, {"10.0.0.0/25"}, "2 20 666");
  REQUIRE(s.host.witnesses.size() == 1);
  CHECK(s.host.witnesses[0] == std::pair(s.host.events[0].incident, std::string("more-specific b")));
  PrefixScene other(the_24());
  other.host.announce(other.a, {"10.0.0.0/25"}, "1 10 666");
  other.host.announce(other.b, {"10.0.0.128/25"}, "2 20 666");
  REQUIRE(other.host.witnesses.size() == 1);
  other.host.withdraw(other.b, {"10.0.0.128/25"});
  CHECK(other.host.events.back().ends == "more-specific");
  CHECK(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events[0].prefix_count == 2);
  s.host.withdraw(s.a, {"10.0.0.0/25"});
  s.host.after(seconds(50));
  s.host.restart();
  s.host.withdraw(s.a, {"10.0.0.128/25"});
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events[1].action == Action::kUpdate);
  s.host.withdraw(s.b, {"10.0.0.0/25"});
  REQUIRE(s.host.taken() == Texts{"more-specific 666 clear"});
  CHECK(field<std::int64_t>(s.host.events[2], "duration_seconds") == 50);
  CHECK(s.host.events[2].incident == s.host.events[0].incident);
  // Its return is told again, also after a restart.
  s.host.restart();
  s.host.announce(s.b, {"10.0.0.0/25"}, "2 20 666");
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events[3].action == Action::kRaise);
  CHECK(field<std::int64_t>(s.host.events[3], "times") == 2);
}

TEST_CASE("prefix-watch: what left, or came back, while it was switched off") {
  PrefixScene s(the_24());
  s.host.announce(s.a, {"10.0.0.0/25", "10.0.0.128/25"}, "1 10 666");
  s.host.taken();
  s.host.after(seconds(10));
  s.host.off_while([&] { s.host.withdraw(s.a, {"10.0.0.0/25"}); });
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events.back().action == Action::kUpdate);
  CHECK(prefix_texts(s.host.events.back()) == Texts{"10.0.0.0/25"});
  CHECK(s.host.events.back().peers.empty());
  s.host.restart();
  CHECK(s.host.taken().empty());
  s.host.off_while([&] { s.host.withdraw(s.a, {"10.0.0.128/25"}); });
  REQUIRE(s.host.taken() == Texts{"more-specific 666 clear"});
  CHECK(s.host.events.back().incident == s.host.events.front().incident);
  CHECK(field<std::int64_t>(s.host.events.back(), "duration_seconds") == 10);
  // What came back is nothing that was told: its end is none.
  s.host.off_while([&] { s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666"); });
  s.host.withdraw(s.a, {"10.0.0.0/25"});
  CHECK(s.host.taken().empty());
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
  CHECK(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events.back().action == Action::kRaise);
}

TEST_CASE("prefix-watch: a first table in place of what was kept ends what it does not show") {
  PrefixScene s(the_24());
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
  s.host.taken();
  s.host.table(s.a, {"10.0.0.0/25"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"more-specific 666 clear"});
  CHECK(s.host.events.back().peers == Texts{"a"});
  CHECK(s.host.events.back().evidence.at(0).new_path == "1 10 100");
}

TEST_CASE("prefix-watch: what was dropped ends with the table of that neighbour, if it does not show it") {
  PrefixScene s(the_24());
  s.host.announce(s.a, {"10.0.0.0/25", "10.0.0.128/25"}, "1 10 666");
  s.host.taken();
  s.host.drop_routes(s.a);
  s.host.table_done(s.b);
  s.host.table_done(s.a, kIpv6Unicast);
  s.host.table(s.a, {"10.0.0.128/25"}, "1 10 666");
  CHECK(s.host.taken().empty());
  s.host.table_done(s.a);
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events.back().action == Action::kUpdate);
  CHECK(prefix_texts(s.host.events.back()) == Texts{"10.0.0.0/25"});
  s.host.table_done(s.a);
  s.host.withdraw(s.a, {"10.0.0.128/25"});
  CHECK(s.host.taken() == Texts{"more-specific 666 clear"});
}

TEST_CASE("prefix-watch: what first tables showed is known for good") {
  PrefixScene s(the_24());
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.0.0/26"}, "3 30 666");
  s.host.announce(s.a, {"10.0.0.0/26"}, "1 10 666");
  s.host.withdraw(s.a, {"10.0.0.0/26"});
  s.host.withdraw(c, {"10.0.0.0/26"});
  s.host.restart();
  s.host.announce(s.a, {"10.0.0.0/26"}, "1 10 666");
  CHECK(s.host.taken().empty());
  // The watched prefix itself and what covers it are none.
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.0.0/16"}, "1 10 777");
  CHECK(s.host.taken().empty());
}

TEST_CASE("prefix-watch: a prefix that a watched origin never had; of no other origin") {
  PrefixScene s(watch_origin(100));
  s.host.announce(s.a, {"192.0.2.0/24"}, "1 10 200");
  CHECK(s.host.taken().empty());
  s.host.announce(s.a, {"192.0.2.0/24"}, "1 10 100");
  REQUIRE(s.host.taken() == Texts{"new-prefix 100"});
  CHECK(s.host.events[0].severity == Severity::kNotice);
  CHECK_FALSE(has_field(s.host.events[0], "within"));
  s.host.announce(s.a, {"192.0.2.0/24"}, "1 10 200");
  CHECK(s.host.taken() == Texts{"new-prefix 100 clear"});
}

TEST_CASE("prefix-watch: a lost neighbour ends nothing; a change after a gap has its interval") {
  PrefixScene s(the_24());
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
  s.host.down(s.a);
  s.host.up(s.a);
  CHECK(s.host.taken() == Texts{"more-specific 666"});
  s.host.found(s.a, {"10.0.0.0/25"}, std::nullopt, "2024-01-02T00:00:00Z");
  REQUIRE(s.host.taken() == Texts{"more-specific 666 clear"});
  CHECK(s.host.events[1].changed_between.has_value());
}

TEST_CASE("prefix-watch: a watched prefix within another watched one is a more-specific, too") {
  Watch watch = watch_prefixes({"10.0.0.0/16", "10.0.2.0/24"});
  watch.origins = {500};
  PrefixScene s(std::move(watch));
  s.host.announce(s.a, {"10.0.0.0/16"}, "1 10 100");
  s.host.taken();
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  const Event raised = s.host.events.back();
  CHECK(raised.severity == Severity::kError);
  CHECK(field<std::string>(raised, "within") == "10.0.0.0/16");
  CHECK_FALSE(field<bool>(raised, "expected_origin"));
  // That it has this one does not make it expected within.
  s.host.announce(s.a, {"10.0.2.0/25"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events.back().severity == Severity::kError);
  CHECK(field<std::string>(s.host.events.back(), "within") == "10.0.2.0/24");
  s.host.restart();
  s.host.withdraw(s.a, {"10.0.2.0/24"});
  REQUIRE(s.host.taken() == Texts{"more-specific 666 clear"});
  CHECK(s.host.events.back().incident == raised.incident);
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 500");
  REQUIRE(s.host.taken() == Texts{"more-specific 500"});
  CHECK(s.host.events.back().severity == Severity::kNotice);
}

TEST_CASE("prefix-watch: a watched prefix that nobody had is an error of an unexpected origin") {
  Watch watch = watch_prefixes({"192.0.2.0/24", "198.51.100.0/24"});
  watch.ases = {777};
  PrefixScene s(std::move(watch));
  s.host.announce(s.a, {"192.0.2.0/24"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"new-prefix 666"});
  const Event raised = s.host.events.back();
  CHECK(raised.severity == Severity::kError);
  CHECK_FALSE(has_field(raised, "within"));
  CHECK_FALSE(field<bool>(raised, "expected_origin"));
  CHECK(raised.summary == "192.0.2.0/24 newly announced by AS666, a watched prefix, seen by a");
  CHECK(raised.rule == "a watched prefix that no AS was known to originate before");
  s.host.announce(s.a, {"192.0.2.0/25"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events.back().severity == Severity::kError);
  // Another one beside it is a matter of `origin-change`.
  s.host.announce(s.b, {"192.0.2.0/24"}, "2 20 667");
  CHECK(s.host.taken().empty());
  s.host.restart();
  s.host.withdraw(s.a, {"192.0.2.0/24"});
  REQUIRE(s.host.taken() == Texts{"new-prefix 666 clear"});
  CHECK(s.host.events.back().incident == raised.incident);
  s.host.after(seconds(50));
  s.host.announce(s.a, {"192.0.2.0/24"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"new-prefix 666"});
  CHECK(field<std::int64_t>(s.host.events.back(), "times") == 2);
  s.host.announce(s.a, {"198.51.100.0/24"}, "1 10 777");
  REQUIRE(s.host.taken() == Texts{"new-prefix 777"});
  CHECK(s.host.events.back().severity == Severity::kNotice);
  CHECK(field<bool>(s.host.events.back(), "expected_origin"));
}

TEST_CASE("prefix-watch: a watched prefix is new to a watched origin, whoever had it") {
  Watch watch = watch_prefixes({"10.0.0.0/24"});
  watch.origins = {500};
  PrefixScene s(std::move(watch));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 500");
  REQUIRE(s.host.taken() == Texts{"new-prefix 500"});
  CHECK(s.host.events.back().severity == Severity::kNotice);
  CHECK(s.host.events.back().rule == "a prefix that this watched origin never had before");
}

TEST_CASE("prefix-watch: an origin that cannot be told is not an expected one") {
  PrefixScene s(watch_prefixes({"10.0.0.0/16"}));
  s.host.table(s.a, {"10.0.9.0/24"}, "1 10 {100 101}");
  s.host.announce(s.a, {"10.0.2.0/24"}, "1 10 {666 667}");
  REQUIRE(s.host.taken() == Texts{"more-specific"});
  const Event raised = s.host.events.back();
  CHECK(raised.action == Action::kRaise);
  CHECK(raised.severity == Severity::kError);
  CHECK_FALSE(raised.origin_as.has_value());
  CHECK_FALSE(field<bool>(raised, "expected_origin"));
  CHECK(raised.summary == "10.0.2.0/24 newly announced by an origin that cannot be told, within "
                          "10.0.0.0/16, seen by a");
  s.host.announce(s.a, {"10.0.3.0/24"}, "1 10 23456");
  s.host.announce(s.a, {"10.0.4.0/24"}, "");
  CHECK(s.host.taken() == Texts{"more-specific", "more-specific"});
  s.host.restart();
  s.host.announce(s.b, {"10.0.4.0/24"}, "2 20 {666}");
  s.host.withdraw(s.a, {"10.0.9.0/24"});
  s.host.announce(s.a, {"10.0.9.0/24"}, "1 10 {100 101}");
  CHECK(s.host.taken().empty());
  s.host.withdraw(s.a, {"10.0.2.0/24", "10.0.3.0/24", "10.0.4.0/24"});
  s.host.withdraw(s.b, {"10.0.4.0/24"});
  CHECK(s.host.taken() == Texts{"more-specific", "more-specific clear"});
  CHECK(s.host.events.back().incident == raised.incident);
  // Nor is it expected where it has the watched prefix.
  s.host.announce(s.a, {"10.0.0.0/16"}, "1 10 {100 101}");
  REQUIRE(s.host.taken() == Texts{"new-prefix"});
  CHECK(s.host.events.back().severity == Severity::kError);
  s.host.announce(s.a, {"10.0.5.0/24"}, "1 10 {100 101}");
  REQUIRE(s.host.taken() == Texts{"more-specific"});
  CHECK(s.host.events.back().severity == Severity::kError);
}

TEST_CASE("prefix-watch: what was raised ends as such, whatever is watched then") {
  PrefixScene s(watch_prefixes({"20.0.0.0/8"}));
  s.host.announce(s.a, {"20.5.1.0/24"}, "1 10 666");
  s.host.announce(s.a, {"20.7.0.0/16"}, "1 10 667");
  REQUIRE(s.host.taken() == Texts{"more-specific 666", "more-specific 667"});
  s.host.watched = watch_prefixes({"20.0.0.0/8", "20.5.0.0/16"});
  s.host.restart();
  s.host.withdraw(s.a, {"20.5.1.0/24"});
  REQUIRE(s.host.taken() == Texts{"more-specific 666 clear"});
  CHECK(s.host.events[2].incident == s.host.events[0].incident);
  CHECK(field<std::string>(s.host.events[2], "within") == "20.0.0.0/8");
  s.host.watched = watch_prefixes({"30.0.0.0/8"});
  s.host.restart();
  REQUIRE(s.host.taken() == Texts{"more-specific 667 clear"});
  CHECK(s.host.events[3].incident == s.host.events[1].incident);
  CHECK(s.host.events[3].rule == "what had appeared is not watched any more");
  CHECK(s.host.events[3].summary ==
        "20.7.0.0/16 no longer watched, announced by AS667, within 20.0.0.0/8");
  s.host.watched = watch_prefixes({"20.0.0.0/8"});
  s.host.restart();
  s.host.withdraw(s.a, {"20.7.0.0/16"});
  CHECK(s.host.taken().empty());
}

TEST_CASE("prefix-watch: who took a watched prefix from another is not expected within it") {
  for (const bool restarts : {false, true}) {
    PrefixScene s(the_24());
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 10 666");
    CHECK(s.host.taken().empty());  // of `origin-change`
    if (restarts) s.host.restart();
    s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
    REQUIRE(s.host.taken() == Texts{"more-specific 666"});
    CHECK(s.host.events.back().severity == Severity::kError);
    CHECK_FALSE(field<bool>(s.host.events.back(), "expected_origin"));
    // A first table that shows both says that it is custom.
    const PeerId c = s.host.add_peer("c", 3);
    s.host.table(c, {"10.0.0.0/24"}, "3 30 777");
    s.host.announce(c, {"10.0.0.128/25"}, "3 30 777");
    REQUIRE(s.host.taken() == Texts{"more-specific 777"});
    CHECK(s.host.events.back().severity == Severity::kNotice);
  }
}

TEST_CASE("prefix-watch: an AS that is watched anywhere on the path is expected") {
  Watch watch = the_24();
  watch.ases = {666};
  PrefixScene s(std::move(watch));
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
  REQUIRE(s.host.taken() == Texts{"more-specific 666"});
  CHECK(s.host.events.back().severity == Severity::kNotice);
  CHECK(field<bool>(s.host.events.back(), "expected_origin"));
}

TEST_CASE("prefix-watch: the reserved ASes at the ends of both ranges are origins (RFC 7300)") {
  PrefixScene s(the_24());
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 4294967295");
  s.host.announce(s.a, {"10.0.0.128/25"}, "1 10 65535");
  CHECK(s.host.taken() == Texts{"more-specific 4294967295", "more-specific 65535"});
}

TEST_CASE("prefix-watch: what was there before is not said to be new") {
  PrefixScene s(the_24());
  const Texts both{"10.0.0.0/25", "10.0.0.128/25"};
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
  CHECK(s.host.events.back().rule ==
        "a prefix within a watched one that this AS never had before; it does not originate the "
        "watched one");
  CHECK(s.host.events.back().summary ==
        "10.0.0.0/25 newly announced by AS666, within 10.0.0.0/24, seen by a");
  s.host.withdraw(s.a, {"10.0.0.0/25"});
  s.host.after(seconds(1));
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 10 666");
  CHECK(s.host.events.back().rule ==
        "a prefix within a watched one that this AS had before is back; it does not originate the "
        "watched one");
  CHECK(s.host.events.back().summary ==
        "10.0.0.0/25 announced again by AS666, within 10.0.0.0/24, seen by a");
  s.host.withdraw(s.a, {"10.0.0.0/25"});
  s.host.after(seconds(1));
  s.host.announce(s.a, both, "1 10 666");
  CHECK(field<std::int64_t>(s.host.events.back(), "times") == 3);
  CHECK(s.host.events.back().rule ==
        "several prefixes within a watched one that this AS has, some for the first time; it does "
        "not originate the watched one");
  CHECK(s.host.events.back().summary == "10.0.0.0/25 and 10.0.0.128/25 announced (1 of 2 again) by "
                                        "AS666, within 10.0.0.0/24, seen by a");
  // An update is no other than a raise.
  s.host.withdraw(s.a, {"10.0.0.128/25"});
  s.host.after(seconds(1));
  s.host.announce(s.a, {"10.0.0.128/25"}, "1 10 666");
  CHECK(s.host.events.back().action == Action::kUpdate);
  CHECK(s.host.events.back().summary ==
        "10.0.0.128/25 announced again by AS666, within 10.0.0.0/24, seen by a");
  // It is the AS that had it, not the prefix that was there.
  s.host.announce(s.b, {"10.0.0.128/25"}, "2 20 100");
  CHECK(s.host.events.back().rule == "a prefix within a watched one that this AS never had before");

  PrefixScene origin(watch_origin(100));
  origin.host.announce(origin.a, {"192.0.2.0/24"}, "1 10 100");
  CHECK(origin.host.events.back().rule == "a prefix that this watched origin never had before");
  origin.host.withdraw(origin.a, {"192.0.2.0/24"});
  origin.host.after(seconds(1));
  origin.host.announce(origin.a, {"192.0.2.0/24"}, "1 10 100");
  CHECK(origin.host.events.back().rule == "a prefix that this watched origin had before is back");
  CHECK(origin.host.events.back().summary == "192.0.2.0/24 announced again by AS100, seen by a");
}

}  // namespace lapwing::test
