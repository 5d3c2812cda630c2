#include <doctest/doctest.h>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::seconds;

/// One neighbour whose first table shows nothing strange.
struct LeakScene {
  FakeHost host;
  PeerId a = host.add_peer("a", 1);
  explicit LeakScene(std::string_view detector = "route-leak") : host(detector) {}
  void begin() {
    host.at("2024-01-01T00:00:00Z");
    host.table(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 3356 1299 100");
    host.at("2024-01-02T00:00:00Z");
  }
  /// With a leak that was told; the number of events then.
  std::size_t begin_with_leak() {
    begin();
    REQUIRE(announce("1 3356 64 1299 100").has_value());
    return host.events.size();
  }
  /// Announces 10.0.0.0/24 so and says what comes of it.
  std::optional<Event> announce(std::string_view path) {
    const std::size_t had = host.events.size();
    host.announce(a, {"10.0.0.0/24"}, path);
    return host.events.size() == had ? std::nullopt : std::optional(host.events.back());
  }
};

/// With Only-to-Customer (RFC 9234).
std::vector<std::uint8_t> with_otc(std::string_view path, Asn otc) {
  auto out = attributes_of(path, 0);
  out.insert(out.end(), {35, 4, static_cast<std::uint8_t>(otc >> 24),
                         static_cast<std::uint8_t>(otc >> 16), static_cast<std::uint8_t>(otc >> 8),
                         static_cast<std::uint8_t>(otc)});
  return out;
}

std::string kind_of(const Event& e) { return field<std::string>(e, "kind"); }

}  // namespace

TEST_CASE("route-leak: two networks without upstreams with another between them") {
  LeakScene s;
  s.begin();
  const auto e = s.announce("1 3356 64 1299 100");
  REQUIRE(e.has_value());
  CHECK(e->action == Action::kRaise);
  CHECK(e->severity == Severity::kWarning);
  CHECK(kind_of(*e) == "tier1");
  CHECK(field<std::int64_t>(*e, "leaker_as") == 64);
  CHECK(field<std::int64_t>(*e, "leaked_to_as") == 3356);
  CHECK(field<std::int64_t>(*e, "leaked_from_as") == 1299);
  CHECK(e->evidence.at(0).new_path == "1 3356 64 1299 100");
  // The nearest two on the way count: 64 had it from 174, not from 1299.
  LeakScene near;
  near.begin();
  const auto nearest = near.announce("1 3356 64 174 1299 100");
  REQUIRE(nearest.has_value());
  CHECK(field<std::int64_t>(*nearest, "leaker_as") == 64);
  CHECK(field<std::int64_t>(*nearest, "leaked_from_as") == 174);
  // Beside each other, prepended, or one of them alone: no leak.
  LeakScene fine;
  fine.begin();
  for (const std::string_view path :
       {"1 3356 1299 1299 100", "1 3356 3356 1299 200 100", "1 2 3356 4 5 100", "1 100", ""})
    CHECK_FALSE(fine.announce(path).has_value());
}

TEST_CASE("route-leak: a network that carries nobody's routes between two others") {
  LeakScene s;
  s.begin();
  CHECK_FALSE(s.announce("1 701 15169").has_value());
  CHECK_FALSE(s.announce("15169 100").has_value());
  const auto e = s.announce("1 701 15169 4713 100");
  REQUIRE(e.has_value());
  CHECK(kind_of(*e) == "no-transit");
  CHECK(e->summary ==
        "AS15169 passes routes of AS4713 on to AS701, though it carries nobody's routes: "
        "10.0.0.0/24 (1 route), seen by a");
}

TEST_CASE("route-leak: ASes of one network are not between two others") {
  // 703 is Verizon's like 701, 3549 Lumen's like 3356, 36040 and 43515 Google's like 15169.
  for (const std::string_view path :
       {"1 3356 3549 1299 100", "1 701 703 702 1299 100", "1 1299 702 701 100",
        "1 701 702 3549 3356 100", "1 701 64 703 701 100", "1 3549 15169 36040",
        "36040 15169 100", "1 3549 43515 15169 36040"}) {
    LeakScene s;
    s.begin();
    CHECK_MESSAGE(!s.announce(path).has_value(), std::string(path));
  }
  const auto leak = [](std::string_view path, std::string_view kind, Asn by, Asn from, Asn to) {
    LeakScene s;
    s.begin();
    const auto e = s.announce(path);
    REQUIRE_MESSAGE(e.has_value(), std::string(path));
    CHECK(kind_of(*e) == kind);
    CHECK(field<std::int64_t>(*e, "leaker_as") == by);
    CHECK(field<std::int64_t>(*e, "leaked_from_as") == from);
    CHECK(field<std::int64_t>(*e, "leaked_to_as") == to);
  };
  // Siblings of either end do not hide a stranger, nor are they the ones that leak.
  leak("1 3356 64 702 701 100", "tier1", 64, 701, 3356);
  leak("1 3356 3549 64 65 1299 100", "tier1", 65, 1299, 3356);
  leak("1 3356 4436 1299 100", "tier1", 4436, 1299, 3356);  // a sibling of neither
  leak("1 701 43515 15169 36040 4713 100", "no-transit", 15169, 4713, 701);
}

TEST_CASE("route-leak: an AS_SET is neither a leaker nor one that is leaked to") {
  LeakScene s;
  s.begin();
  const auto e = s.announce("1 3356 64 {65 66} 1299 100");
  REQUIRE(e.has_value());
  CHECK(field<std::int64_t>(*e, "leaker_as") == 64);
  for (const char* path : {"1 3356 {65 66} 1299 100", "1 701 15169 {65 66}"})
    CHECK_FALSE(s.announce(path).has_value());
}

TEST_CASE("route-leak: which ASes are siblings is a setting") {
  const auto with = [](std::vector<std::vector<std::int64_t>> groups, std::string_view path) {
    LeakScene s;
    s.host.settings.set("siblings", std::move(groups));
    s.begin();
    return s.announce(path).has_value();
  };
  CHECK(with({{64, 65}}, "1 3356 3549 1299 100"));
  CHECK(with({{64, 65}}, "1 3356 64 1299 100"));
  CHECK_FALSE(with({{7, 8}, {64, 3356}}, "1 3356 64 1299 100"));
  const auto errors = [](std::vector<std::vector<std::int64_t>> groups) {
    Settings settings;
    settings.set("siblings", std::move(groups));
    make_detector("route-leak", settings);
    return settings.finish();
  };
  CHECK(errors({{1, 2}, {}, {3}}).empty());
  REQUIRE(errors({{1, 2}, {3, 2}}).size() == 1);
  CHECK(errors({{1, 2}, {3, 2}})[0].message == "must name an AS in one group only, not AS2");
  CHECK(errors({{1, 0}}).size() == 1);
}

TEST_CASE("route-leak: Only-to-Customer that went up, and where our relation is known") {
  LeakScene s;
  s.host.settings.set("customers", std::vector<std::int64_t>{1});
  s.host.settings.set("lateral-peers", std::vector<std::int64_t>{2});
  s.begin();
  const PeerId b = s.host.add_peer("b", 2), c = s.host.add_peer("c", 3);
  const auto send = [&](PeerId p, std::string_view path, Asn otc) {
    s.host.change(p, "10.0.9.0/24", with_otc(path, otc), false, std::nullopt);
    s.host.end();
    return s.host.taken().size();
  };
  CHECK(send(s.a, "1 50 100", 50) == 1);  // from a customer
  CHECK(field<std::int64_t>(s.host.events.back(), "leaker_as") == 1);
  CHECK(send(b, "2 50 100", 2) == 0);  // a lateral peer's own mark
  CHECK(send(b, "2 50 100", 50) == 1);
  CHECK(send(c, "3 1299 50 100", 50) == 0);     // 50 itself gave it to its peer 1299
  CHECK(send(c, "3 1299 60 50 100", 50) == 1);  // 60 had to keep it
  CHECK(kind_of(s.host.events.back()) == "otc");
  CHECK(field<std::int64_t>(s.host.events.back(), "leaker_as") == 60);
  CHECK(send(c, "3 3356 3549 50 100", 50) == 0);  // 50 gave it to 3356's sibling
  CHECK(send(c, "3 701 703 702 100", 702) == 0);
  CHECK(send(c, "3 701 3549 3356 100", 3356) == 0);  // by its own sibling
  CHECK(send(c, "3 3356 3549 61 50 100", 50) == 1);
  CHECK(field<std::int64_t>(s.host.events.back(), "leaker_as") == 61);
}

TEST_CASE("findings: what a first table shows is custom") {
  LeakScene s;
  s.begin();
  s.host.table(s.a, {"10.0.2.0/24"}, "1 3356 64 1299 200");
  CHECK_FALSE(s.announce("1 3356 64 1299 100").has_value());
  s.host.restart();
  s.host.withdraw(s.a, {"10.0.2.0/24", "10.0.0.0/24"});
  CHECK_FALSE(s.announce("1 3356 64 1299 100").has_value());
  CHECK(s.host.timers() == 0);
}

TEST_CASE("findings: further neighbours are witnesses of what was raised") {
  LeakScene s;
  s.begin_with_leak();
  const PeerId b = s.host.add_peer("b", 2);
  CHECK(s.host.witnesses.empty());
  s.host.announce(b, {"10.0.1.0/24"}, "2 3356 64 1299 100");
  REQUIRE(s.host.witnesses.size() == 1);
  CHECK(s.host.witnesses[0] == std::pair(s.host.events[0].incident, std::string("route-leak b")));
}

TEST_CASE("findings: raised at once, more routes together, gone only when it stays gone") {
  LeakScene s;
  s.begin();
  s.announce("1 3356 64 1299 100");
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 3356 64 1299 100");
  s.host.announce(s.a, {"10.0.3.0/24"}, "1 3356 64 1299 300");
  CHECK(s.host.taken() == Texts{"route-leak"});
  s.host.after(seconds(60));
  REQUIRE(s.host.taken() == Texts{"route-leak"});
  CHECK(s.host.events[1].action == Action::kUpdate);
  CHECK(s.host.events[1].prefix_count == 2);
  CHECK(field<std::int64_t>(s.host.events[1], "routes") == 3);
  s.host.withdraw(s.a, {"10.0.0.0/24", "10.0.1.0/24", "10.0.3.0/24"});
  s.host.after(seconds(59));
  s.announce("1 3356 64 1299 100");
  s.host.after(seconds(120));
  const Texts more = s.host.taken();
  CHECK(std::count(more.begin(), more.end(), "route-leak clear") == 0);
  s.host.restart();
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.after(seconds(60));
  REQUIRE(s.host.taken() == Texts{"route-leak clear"});
  {
    const Event& end = s.host.events.back();
    CHECK(end.prefix_count == 1);
    CHECK(end.peers == Texts{"a"});
    REQUIRE(end.evidence.size() == 1);
    CHECK(end.evidence[0].time == end.time);
    CHECK(end.evidence[0].old_path == "1 3356 64 1299 100");
  }
  const Event& end = s.host.events.back();
  CHECK(end.incident == s.host.events[0].incident);
  CHECK(field<std::int64_t>(end, "duration_seconds") == 60 + 59 + 120);
  const auto again = s.announce("1 3356 64 1299 100");
  REQUIRE(again.has_value());
  CHECK(field<std::int64_t>(*again, "times") == 2);
}

TEST_CASE("findings and origins: what counts no further than 4096 prefixes says so") {
  for (const int further : {4096, 4097}) {
    Texts nlri;
    for (int i = 0; i < further; ++i)
      nlri.push_back("20." + std::to_string(i / 256) + '.' + std::to_string(i % 256) + ".0/24");
    for (const std::string_view detector : {"route-leak", "origin-change"}) {
      LeakScene s(detector);
      s.begin();
      s.host.table(s.a, nlri, "1 3356 1299 100");
      s.host.announce(s.a, {"10.0.0.0/24"}, "1 3356 64 1299 101");
      s.host.announce(s.a, nlri, "1 3356 64 1299 101");
      s.host.after(seconds(600));
      REQUIRE(s.host.events.size() == 2);
      const Event& e = s.host.events.back();
      CHECK(e.prefix_count == 4096);
      CHECK(e.prefixes.size() == Event::kMaxPrefixes);
      CHECK(has_field(e, "more_prefixes") == (further > 4096));
    }
  }
}

TEST_CASE("findings: what waits in a window is told after a restart, but for what left meanwhile") {
  for (const bool restart : {false, true}) {
    LeakScene s;
    const std::size_t had = s.begin_with_leak();
    s.host.after(seconds(10));
    s.host.announce(s.a, {"10.0.1.0/24", "10.0.2.0/24"}, "1 3356 64 1299 100");
    s.host.announce(s.a, {"10.0.3.0/24"}, "1 3356 64 1299 100");
    if (restart) s.host.off_while([&] { s.host.withdraw(s.a, {"10.0.2.0/24"}); });
    if (!restart) s.host.withdraw(s.a, {"10.0.2.0/24"});
    if (restart) s.host.restart();
    s.host.after(seconds(59));
    CHECK(s.host.events.size() == had);
    s.host.after(seconds(1));
    REQUIRE(s.host.events.size() == had + 1);
    const Event& e = s.host.events.back();
    CHECK(e.action == Action::kUpdate);
    CHECK(prefix_texts(e) == Texts{"10.0.1.0/24", "10.0.3.0/24"});
    CHECK(e.peers == Texts{"a"});
    CHECK(e.evidence.size() == 2);
    CHECK(e.cause == Cause::kLive);
    s.host.after(seconds(5));
    s.host.restart();
    s.host.after(seconds(100));
    CHECK(s.host.events.size() == had + 1);
  }
}

TEST_CASE("findings: of many routes that wait, a restart loses those since they last doubled") {
  LeakScene s;
  const std::size_t had = s.begin_with_leak();
  const auto announce = [&](int from, int to) {
    Texts prefixes;
    for (int i = from; i < to; ++i) prefixes.push_back("10.1." + std::to_string(i) + ".0/24");
    s.host.announce(s.a, prefixes, "1 3356 64 1299 100");
  };
  const std::size_t writes = s.host.state_writes;
  announce(0, 3);
  announce(3, 60);
  CHECK(s.host.state_writes == writes + 2);
  announce(60, 64);
  announce(64, 70);
  CHECK(s.host.state_writes == writes + 2);
  s.host.restart();
  s.host.after(seconds(60));
  REQUIRE(s.host.events.size() == had + 1);
  CHECK(s.host.events.back().prefix_count == 60);
  CHECK(field<std::int64_t>(s.host.events.back(), "routes") == 71);
}

TEST_CASE("findings: what left within the window is no news at its end") {
  LeakScene s;
  const PeerId b = s.host.add_peer("b", 2);
  s.begin_with_leak();
  s.host.after(seconds(1));
  s.host.announce(s.a, {"10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"}, "1 3356 64 1299 100");
  s.host.announce(b, {"10.0.2.0/24"}, "2 3356 64 1299 100");
  s.host.withdraw(s.a, {"10.0.1.0/24", "10.0.2.0/24"});
  s.host.after(seconds(60));
  const Event& e = s.host.events.back();
  REQUIRE(e.action == Action::kUpdate);
  CHECK(prefix_texts(e) == Texts{"10.0.2.0/24", "10.0.3.0/24"});
  REQUIRE(e.evidence.size() == 2);
  CHECK(e.evidence[0].peer == "a");
  CHECK(format_prefix(e.evidence[0].prefix) == "10.0.3.0/24");
  CHECK(e.evidence[1].peer == "b");
  // All of it: nothing is told, now or with what comes later.
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 3356 64 1299 100");
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 3356 1299 100");
  const std::size_t told = s.host.events.size();
  s.host.after(seconds(100));
  CHECK(s.host.events.size() == told);
  s.host.announce(s.a, {"10.0.4.0/24"}, "1 3356 64 1299 100");
  s.host.after(seconds(60));
  REQUIRE(s.host.events.size() == told + 1);
  CHECK(prefix_texts(s.host.events.back()) == Texts{"10.0.4.0/24"});
  CHECK(s.host.events.back().peers == Texts{"a"});
}

TEST_CASE("findings: what a first table shows, too, does not end; what one in its place lacks does") {
  LeakScene s;
  const PeerId b = s.host.add_peer("b", 2);
  const std::size_t told = s.begin_with_leak();
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.after(seconds(1));
  s.host.table(b, {"10.0.0.0/24"}, "2 3356 64 1299 100");
  s.host.after(seconds(600));
  CHECK(s.host.events.size() == told);
  s.host.change(b, "10.0.0.0/24", attributes_of("2 3356 1299 100", 0), true, std::nullopt);
  s.host.end();
  s.host.after(seconds(600));
  REQUIRE(s.host.events.size() == told + 1);
  CHECK(s.host.events.back().action == Action::kClear);
  CHECK(s.host.events.back().peers == Texts{"b"});
}

TEST_CASE("findings: what was dropped ends with the table of that neighbour, if it does not show it") {
  LeakScene s;
  const PeerId b = s.host.add_peer("b", 2);
  const std::size_t told = s.begin_with_leak();
  s.host.drop_routes(s.a);
  s.host.table_done(b);
  s.host.after(seconds(600));
  s.host.table(s.a, {"10.0.0.0/24"}, "1 3356 64 1299 100");
  s.host.table_done(s.a);
  s.host.after(seconds(600));
  CHECK(s.host.events.size() == told);
  s.host.drop_routes(s.a);
  s.host.table(s.a, {"10.0.0.0/24"}, "1 3356 1299 100");
  s.host.table_done(s.a);
  s.host.after(seconds(60));
  REQUIRE(s.host.events.size() == told + 1);
  CHECK(s.host.events.back().action == Action::kClear);
}

TEST_CASE("findings: one more neighbour that came and left within the window is no news") {
  LeakScene s;
  const PeerId b = s.host.add_peer("b", 2);
  const std::size_t told = s.begin_with_leak();
  s.host.announce(b, {"10.0.0.0/24"}, "2 3356 64 1299 100");
  s.host.withdraw(b, {"10.0.0.0/24"});
  s.host.after(seconds(100));
  CHECK(s.host.events.size() == told);
}

TEST_CASE("findings: what left within the window is no news, however many routes came with it") {
  LeakScene s;
  const PeerId b = s.host.add_peer("b", 2), c = s.host.add_peer("c", 3);
  s.begin();
  s.host.announce(b, {"10.0.99.0/24"}, "2 3356 64 1299 100");
  s.host.after(seconds(1));
  Texts many;
  for (int i = 10; i < 30; ++i) many.push_back("10.0." + std::to_string(i) + ".0/24");
  s.host.announce(s.a, many, "1 3356 64 1299 100");
  s.host.announce(s.a, {"10.0.99.0/24"}, "1 3356 64 1299 100");
  s.host.announce(c, {"10.0.98.0/24#1"}, "3 3356 64 1299 100");
  s.host.announce(c, {"10.0.98.0/24#2", "10.0.97.0/24"}, "3 3356 64 1299 100");
  // b has shown it before; it is no further prefix. Of 98 one path stays.
  s.host.withdraw(s.a, {"10.0.99.0/24"});
  s.host.withdraw(c, {"10.0.98.0/24#2", "10.0.97.0/24"});
  s.host.withdraw(b, {"10.0.99.0/24"});  // came before the window
  s.host.after(seconds(60));
  const Event& e = s.host.events.back();
  REQUIRE(e.action == Action::kUpdate);
  CHECK(e.prefix_count == 21);
  CHECK(e.peers == Texts{"a", "c"});
  many.push_back("10.0.98.0/24");
  many.resize(20);
  CHECK(prefix_texts(e) == many);
}

TEST_CASE("findings: an end shows the routes that went last, not those that went before") {
  LeakScene s;
  s.begin();
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 3356 64 1299 100");
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  s.host.withdraw(s.a, {"10.0.1.0/24"});
  s.host.after(seconds(60));
  const Event& end = s.host.events.back();
  REQUIRE(end.action == Action::kClear);
  CHECK(prefix_texts(end) == Texts{"10.0.1.0/24"});
  CHECK(end.evidence.size() == 1);
}

TEST_CASE("findings: a lost neighbour ends nothing; a gap has its interval; path ids are reused") {
  LeakScene s;
  s.begin();
  s.announce("1 3356 64 1299 100");
  s.announce("1 3356 1299 100");
  s.announce("1 3356 65 1299 100");
  CHECK(s.host.taken() == Texts{"route-leak", "route-leak"});
  s.host.down(s.a);
  s.host.after(seconds(30));
  s.host.found(s.a, {"10.0.1.0/24"}, "1 3356 66 1299 100", "2024-01-02T00:00:00Z");
  REQUIRE(s.host.taken() == Texts{"route-leak"});
  CHECK(s.host.events.back().changed_between.has_value());
}

TEST_CASE("reserved-as: of what is watched, beyond our own neighbourhood, unless allowed") {
  LeakScene s("reserved-as");
  s.host.settings.set("allowed", std::vector<std::int64_t>{65001});
  s.host.watched = watch_prefixes({"10.0.0.0/24"});
  s.begin();
  CHECK_FALSE(s.announce("64512 65010 3356 100").has_value());
  CHECK_FALSE(s.announce("1 3356 65001 100").has_value());
  CHECK_FALSE(s.announce("1 3356 {100,200}").has_value());
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 3356 65002 100");
  CHECK(s.host.taken().empty());
  const auto e = s.announce("1 3356 65002 100");
  REQUIRE(e.has_value());
  CHECK(kind_of(*e) == "private");
  CHECK(field<std::vector<Asn>>(*e, "reserved_as") == std::vector<Asn>{65002});
  CHECK(field<std::int64_t>(*e, "behind_as") == 3356);
  CHECK(kind_of(*s.announce("1 3356 64500 100")) == "documentation");
  CHECK(kind_of(*s.announce("1 3356 23456 100")) == "as-trans");
  CHECK(kind_of(*s.announce("1 3356 70000")) == "reserved");
}

}  // namespace lapwing::test
