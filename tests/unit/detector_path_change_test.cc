#include <doctest/doctest.h>

#include <utility>

#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::seconds;

struct PathScene {
  FakeHost host{"path-change"};
  PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  explicit PathScene(Watch watch) {
    host.watched = std::move(watch);
    host.at("2024-01-01T00:00:00Z");
    host.table(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 5 10 100");
    host.table(b, {"10.0.0.0/24", "10.0.1.0/24"}, "2 6 20 100");
    host.table(a, {"192.0.2.0/24"}, "1 5 11 200");
    host.at("2024-01-02T00:00:00Z");
  }
  /// The events that these two seconds bring.
  std::vector<Event> wait() {
    const std::size_t had = host.events.size();
    host.after(seconds(2));
    return {host.events.begin() + static_cast<std::ptrdiff_t>(had), host.events.end()};
  }
};

std::string class_of(const Event& e) { return field<std::string>(e, "class"); }

std::string upstream_incident_of(Asn origin, Asn upstream) {
  const std::uint64_t parts[] = {origin, upstream};
  return format_event_id(make_event_id("upstream", parts));
}

}  // namespace

TEST_CASE("nothing watched: nothing happens") {
  PathScene s({});
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 5 10 999");
  CHECK(s.wait().empty());
  CHECK(s.host.timers() == 0);
}

TEST_CASE("each class has its name and severity") {
  PathScene s(watch_prefixes({"10.0.0.0/16"}));
  const auto step = [&](std::string_view path) {
    s.host.announce(s.a, {"10.0.0.0/24"}, path);
    const auto events = s.wait();
    REQUIRE(events.size() == 1);
    return events[0];
  };
  Event e = step("1 5 10 101");
  CHECK(class_of(e) == "origin");
  CHECK(e.severity == Severity::kWarning);
  CHECK(field<std::int64_t>(e, "as_left") == 100);
  CHECK(field<std::int64_t>(e, "as_came") == 101);
  CHECK(e.origin_as == 101u);
  e = step("1 5 12 101");
  CHECK(class_of(e) == "upstream");
  CHECK(e.severity == Severity::kNotice);
  e = step("1 7 12 101");
  CHECK(class_of(e) == "transit");
  CHECK(e.severity == Severity::kInfo);
  CHECK(field<std::int64_t>(e, "at_as") == 12);
  CHECK(e.evidence[0].old_path == "1 5 12 101");
  CHECK(e.evidence[0].new_path == "1 7 12 101");
  e = step("7 1 12 101");
  CHECK(class_of(e) == "length");
  CHECK(e.severity == Severity::kInfo);
  e = step("7 1 12 101 101 101");
  CHECK(class_of(e) == "prepending");
  CHECK(e.severity == Severity::kDebug);
  CHECK(field<std::int64_t>(e, "old_length") == 4);
  CHECK(field<std::int64_t>(e, "new_length") == 6);
  s.host.withdraw(s.a, {"10.0.0.0/24"});
  e = s.wait().at(0);
  CHECK(class_of(e) == "withdrawn");
  CHECK_FALSE(e.evidence[0].new_path.has_value());
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 5 10 100");
  CHECK(class_of(s.wait().at(0)) == "announced");
}

TEST_CASE("a path of one hop on iBGP: the upstream that left, or came, is the local AS") {
  FakeHost host("path-change");
  host.watched.origins = {100};
  const PeerId edge = host.add_peer("edge1", 64512, 64512);
  host.at("2024-01-01T00:00:00Z");
  host.table(edge, {"10.0.0.0/24"}, "100 100");
  host.announce(edge, {"10.0.0.0/24"}, "10 100");
  host.after(std::chrono::hours(1));
  host.announce(edge, {"10.0.0.0/24"}, "100");
  host.after(std::chrono::hours(1));
  host.announce(edge, {"10.0.0.0/24"}, "{10,11} 100");
  host.after(std::chrono::hours(1));
  REQUIRE(host.events.size() == 3);
  CHECK(field<std::int64_t>(host.events[0], "as_left") == 64512);
  CHECK(field<std::int64_t>(host.events[0], "as_came") == 10);
  CHECK(field<std::int64_t>(host.events[1], "as_left") == 10);
  CHECK(field<std::int64_t>(host.events[1], "as_came") == 64512);
  CHECK(host.events[1].summary.find("from AS10 to AS64512") != std::string::npos);
  CHECK(field<std::int64_t>(host.events[2], "as_left") == 64512);
  CHECK(host.events[2].summary.find("an AS_SET") != std::string::npos);
}

TEST_CASE("an AS_SET or AS_TRANS before the origin hides the upstream, not the origin") {
  for (const std::string_view path : {"1 20 {30,31} 100", "1 20 23456 100"}) {
    FakeHost host("path-change");
    host.watched.origins = {100};
    const PeerId a = host.add_peer("a", 1);
    host.at("2024-01-01T00:00:00Z");
    host.table(a, {"10.0.0.0/24"}, path);
    host.withdraw(a, {"10.0.0.0/24"});
    host.after(std::chrono::hours(1));
    host.announce(a, {"10.0.0.0/24"}, path);
    host.after(std::chrono::hours(1));
    REQUIRE(host.events.size() == 2);
    for (const Event& e : host.events) CHECK(e.origin_as == 100u);
    CHECK(field<std::int64_t>(host.events[0], "as_left") == 100);
    CHECK(field<std::int64_t>(host.events[1], "as_came") == 100);
    CHECK_FALSE(host.events[0].upstream_as);
  }
}

TEST_CASE("an empty path on iBGP is of the local AS: watched by it, and named") {
  for (const bool by_origin : {true, false}) {
    FakeHost host("path-change");
    (by_origin ? host.watched.origins : host.watched.ases) = {64512};
    const PeerId edge = host.add_peer("edge1", 64512, 64512), other = host.add_peer("other", 3);
    host.at("2024-01-01T00:00:00Z");
    host.table(edge, {"10.0.0.0/24"}, "");
    host.table(edge, {"10.0.1.0/24"}, "1299 300");
    host.table(other, {"10.0.0.0/24"}, "");  // eBGP: of nobody
    Texts told;
    const auto step = [&](PeerId peer, std::string_view path) {
      host.announce(peer, {"10.0.0.0/24"}, path);
      host.after(seconds(5));
      for (const Event& e : std::exchange(host.events, {}))
        told.push_back(e.summary.substr(e.summary.find(": ") + 2));
    };
    step(edge, "1299 300");
    step(edge, "");
    step(edge, "64512");
    step(edge, "");
    step(edge, "1299 64512");
    step(edge, "");
    step(other, "3 300");
    host.withdraw(edge, {"10.0.0.0/24"});
    host.after(seconds(5));
    REQUIRE(host.events.size() == 1);
    CHECK(host.events[0].origin_as == 64512u);
    step(edge, "");
    const std::string seen = " (1 change, seen by edge1)";
    CHECK(told == Texts{"origin changed from AS64512 to AS300" + seen,
                        "origin changed from AS300 to AS64512" + seen,
                        "prepending changed, 0 to 1 hops" + seen,
                        "prepending changed, 1 to 0 hops" + seen,
                        "upstream changed from an AS_SET or nothing to AS1299" + seen,
                        "upstream changed from AS1299 to an AS_SET or nothing" + seen,
                        "withdrawn, was from AS64512" + seen,
                        "announced from AS64512" + seen});
  }
}

TEST_CASE("attributes that leave the path alone are no path change") {
  PathScene s(watch_prefixes({"10.0.0.0/16"}));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 5 10 100", 9);
  CHECK(s.wait().empty());
}

TEST_CASE("the first table, the loss of a neighbour and its return are silent") {
  PathScene s(watch_prefixes({"10.0.0.0/16"}));
  s.host.down(s.a);
  s.host.after(seconds(100));
  s.host.up(s.a);
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 5 10 100");
  const PeerId c = s.host.add_peer("c", 3);
  s.host.table(c, {"10.0.0.0/24"}, "3 9 100");
  CHECK(s.wait().empty());
}

TEST_CASE("watched: a prefix with its more-specifics, not its less-specifics or others") {
  PathScene s(watch_prefixes({"10.0.0.0/24"}));
  s.host.announce(s.a, {"10.0.1.0/24", "192.0.2.0/24"}, "1 8 8 8");
  s.host.announce(s.a, {"10.0.0.0/16"}, "1 8 100");
  CHECK(s.wait().empty());
  s.host.announce(s.a, {"10.0.0.128/25"}, "1 8 100");
  CHECK(s.wait().size() == 1);
}

TEST_CASE("watched: a prefix id that is given to another prefix is judged anew") {
  PathScene s(watch_prefixes({"10.0.0.0/24"}));
  s.host.announce(s.a, {"198.51.100.0/24"}, "1 5 10 100");
  s.host.withdraw(s.a, {"198.51.100.0/24"});
  s.host.announce(s.a, {"10.0.0.0/25"}, "1 5 10 100");
  CHECK(s.wait().size() == 1);
}

TEST_CASE("watched: an origin, an AS on the path, before or after") {
  Watch origin;
  origin.origins = {200};
  PathScene s(origin);
  s.host.announce(s.a, {"192.0.2.0/24"}, "1 5 11 201");
  CHECK(s.wait().size() == 1);
  s.host.announce(s.a, {"192.0.2.0/24"}, "1 6 11 201");
  CHECK(s.wait().empty());

  Watch transit;
  transit.ases = {5};
  PathScene t(transit);
  t.host.announce(t.a, {"10.0.0.0/24"}, "1 7 10 100");
  CHECK(class_of(t.wait().at(0)) == "transit");
  t.host.announce(t.a, {"10.0.0.0/24"}, "1 8 10 100");
  CHECK(t.wait().empty());
}

TEST_CASE("changes of one cause fold into one event, those of another do not") {
  PathScene s(watch_prefixes({"10.0.0.0/16"}));
  s.host.announce(s.a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 6 10 100");
  s.host.after(seconds(1));
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 7 20 100");
  s.host.announce(s.b, {"10.0.1.0/24"}, "2 6 20 101");
  s.host.after(seconds(1));
  CHECK(s.host.taken() == Texts{"path-change 100 10"});
  const Event& e = s.host.events[0];
  CHECK(field<std::int64_t>(e, "count") == 2);
  CHECK(e.prefix_count == 2);
  CHECK(e.peers == Texts{"a"});
  CHECK(e.time == time_of("2024-01-02T00:00:00Z"));
  CHECK(e.incident == e.id);
  s.host.after(seconds(1));
  CHECK(s.host.taken().size() == 2);
}

TEST_CASE("a fold keeps its samples small and its children to be asked for") {
  FakeHost host("path-change");
  host.settings.set("children", std::int64_t{30});
  host.settings.set("events-with-children", std::int64_t{2});
  host.watched = watch_prefixes({"10.0.0.0/8"});
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  Texts all;
  for (int i = 0; i < 200; ++i) all.push_back("10.0." + std::to_string(i) + ".0/24");
  host.table(a, all, "1 5 10 100");
  std::vector<std::string> ids;
  for (const std::string_view path : {"1 6 10 100", "1 7 10 100", "1 8 10 100"}) {
    host.announce(a, all, path);
    host.after(seconds(5));
    const Event& e = host.events.back();
    ids.push_back(format_event_id(e.id));
    CHECK(field<std::int64_t>(e, "count") == 200);
    CHECK(e.prefix_count == 200);
    CHECK(e.prefixes.size() == 20);
    CHECK(e.evidence.size() == 10);
  }
  CHECK(host.events.size() == 3);
  const auto children = *host.detector().query("path-change-children", ids[2]);
  CHECK(std::count(children.begin(), children.end(), '{') == 30);
  CHECK(host.detector().query("path-change-children", ids[0]) == "[]");
  // Children of two events, the upstream that the table taught, no fold.
  CHECK(host.state.size() == 3);
}

TEST_CASE("one link that moves 50,000 prefixes is one event, and every child has both paths") {
  constexpr int kPrefixes = 50000, kEach = 500;
  FakeHost host("path-change", FakeHost::Numbering::kDense);
  host.watched.ases = {3356};
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  const auto batch = [](int from) {
    Texts out;
    for (int i = from; i < from + kEach; ++i)
      out.push_back("10." + std::to_string(i >> 8) + '.' + std::to_string(i & 255) + ".0/24");
    return out;
  };
  // Many origins behind the one link that goes.
  for (int i = 0; i < kPrefixes; i += kEach)
    host.table(a, batch(i), "1 3356 2914 " + std::to_string(1000 + i));
  host.at("2024-01-02T00:00:00Z");
  for (int i = 0; i < kPrefixes; i += kEach) {
    host.announce(a, batch(i), "1 1299 2914 " + std::to_string(1000 + i));
    host.after(std::chrono::milliseconds(10));
  }
  host.after(seconds(2));
  REQUIRE(host.events.size() == 1);
  const Event& e = host.events[0];
  CHECK(class_of(e) == "transit");
  CHECK(field<std::int64_t>(e, "as_left") == 3356);
  CHECK(field<std::int64_t>(e, "as_came") == 1299);
  CHECK(field<std::int64_t>(e, "at_as") == 2914);
  CHECK(field<std::int64_t>(e, "count") == kPrefixes);
  CHECK(e.prefix_count == static_cast<std::uint32_t>(kPrefixes));
  CHECK_FALSE(has_field(e, "more_prefixes"));
  CHECK(e.prefixes.size() == 20);
  CHECK(e.evidence.size() == 10);
  const auto children = *host.detector().query("path-change-children", format_event_id(e.id));
  const auto count = [&](std::string_view text) {
    int n = 0;
    for (std::size_t at = children.find(text); at != std::string::npos;
         at = children.find(text, at + 1))
      ++n;
    return n;
  };
  CHECK(count(R"("old_path":"1 3356 2914 )") == kPrefixes);
  CHECK(count(R"("new_path":"1 1299 2914 )") == kPrefixes);
}

TEST_CASE("too many causes at once share a fold, and the counts are whole") {
  FakeHost host("path-change");
  host.watched = watch_prefixes({"10.0.0.0/8"});
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24"}, "1 5 10 100");
  for (int i = 0; i < 1500; ++i)
    host.announce(a, {"10.0.0.0/24"}, "1 " + std::to_string(3000 + i) + " 10 100");
  host.after(seconds(2));
  CHECK(host.events.size() == 1025);
  std::int64_t count = 0;
  for (const Event& e : host.events) count += field<std::int64_t>(e, "count");
  CHECK(count == 1500);
  CHECK(has_field(host.events.back(), "mixed"));
}

TEST_CASE("explained_by names the incident of an adjacency learnt outside the baseline only") {
  PathScene s(watch_prefixes({"10.0.0.0/16"}));
  const std::string incident = upstream_incident_of(100, 30);
  // To an upstream that the baseline showed: not explained.
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 20 100");
  CHECK_FALSE(has_field(s.wait().at(0), "explained_by"));
  // To a new one, and by a second neighbour later, and back again: explained.
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
  CHECK(field<std::string>(s.wait().at(0), "explained_by") == incident);
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 30 100");
  CHECK(field<std::string>(s.wait().at(0), "explained_by") == incident);
  s.host.restart();
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 20 100");
  CHECK(field<std::string>(s.wait().at(0), "explained_by") == incident);
  // Same adjacency, other transit: not explained by it.
  s.host.announce(s.b, {"10.0.0.0/24"}, "2 9 30 100");
  CHECK_FALSE(has_field(s.wait().at(0), "explained_by"));
}

TEST_CASE("explained_by: an UPDATE raises an upstream in whatever order its NLRI stand") {
  for (const bool first_sight_first : {true, false}) {
    PathScene s(watch_prefixes({"10.0.0.0/16"}));
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
    CHECK(field<std::string>(s.wait().at(0), "explained_by") == upstream_incident_of(100, 30));
    const auto attributes = attributes_of("1 40 100", 0);
    for (const bool first_sight : {first_sight_first, !first_sight_first})
      s.host.change(s.a, first_sight ? "10.0.2.0/24" : "10.0.0.0/24", attributes, first_sight,
                    std::nullopt);
    s.host.end();
    // What came explains it, not what it came from.
    CHECK(field<std::string>(s.wait().at(0), "explained_by") == upstream_incident_of(100, 40));
    s.host.announce(s.b, {"10.0.1.0/24"}, "2 40 100");
    CHECK(field<std::string>(s.wait().at(0), "explained_by") == upstream_incident_of(100, 40));
  }
}

TEST_CASE("explained_by: an upstream is known from prefixes that are not watched, too") {
  PathScene s(watch_prefixes({"10.0.0.0/24"}));
  s.host.table(s.b, {"10.0.3.0/24"}, "2 30 100");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 30 100");
  CHECK_FALSE(has_field(s.wait().at(0), "explained_by"));
  // Raised for another prefix, and taught by this one.
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 40 100");
  s.host.table(s.host.add_peer("c", 3), {"10.0.0.0/24"}, "3 40 100");
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 40 100");
  CHECK(field<std::string>(s.wait().at(0), "explained_by") == upstream_incident_of(100, 40));
}

TEST_CASE("ADD-PATH: one path more or less of several is neither announced nor withdrawn") {
  FakeHost host("path-change");
  host.watched = watch_prefixes({"10.0.0.0/24"});
  const PeerId a = host.add_peer("a", 1);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24#1"}, "1 5 10 100");
  host.announce(a, {"10.0.0.0/24#2"}, "1 6 10 100");
  host.withdraw(a, {"10.0.0.0/24#1"});
  host.after(seconds(5));
  CHECK(host.events.empty());
  host.withdraw(a, {"10.0.0.0/24#2"});
  host.after(seconds(5));
  REQUIRE(host.events.size() == 1);
  CHECK(class_of(host.events[0]) == "withdrawn");
}

TEST_CASE("ADD-PATH: the paths of a neighbour are counted whether they are watched or not") {
  FakeHost host("path-change");
  host.watched.ases = {174};
  const PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  host.at("2024-01-01T00:00:00Z");
  host.table(a, {"10.0.0.0/24#2"}, "1 5 100");
  host.table(b, {"10.0.0.0/24#3"}, "2 6 100");
  const auto classes = [&] {
    host.after(seconds(5));
    Texts out;
    for (const Event& e : std::exchange(host.events, {})) out.push_back(class_of(e));
    return out;
  };
  // One that is watched comes and goes beside one that is not.
  host.announce(a, {"10.0.0.0/24#3"}, "1 174 100");
  CHECK(classes().empty());
  host.withdraw(a, {"10.0.0.0/24#3"});
  CHECK(classes().empty());
  // One that turned watched goes, another stays: known after a restart, too.
  host.announce(a, {"10.0.0.0/24#4"}, "1 6 100");
  host.announce(a, {"10.0.0.0/24#2"}, "1 174 100");
  CHECK(classes() == Texts{"upstream"});
  host.restart();
  host.withdraw(a, {"10.0.0.0/24#2"});
  CHECK(classes().empty());
  // The last one turns watched and goes; what others have does not count.
  host.announce(a, {"10.0.0.0/24#4"}, "1 174 100");
  host.withdraw(a, {"10.0.0.0/24#4"});
  CHECK(classes() == Texts{"upstream", "withdrawn"});
  // One that turned unwatched and went leaves nothing behind.
  host.announce(a, {"10.0.0.0/24#3"}, "1 174 100");
  CHECK(classes() == Texts{"announced"});
  host.announce(a, {"10.0.0.0/24#3"}, "1 5 100");
  host.withdraw(a, {"10.0.0.0/24#3"});
  CHECK(classes() == Texts{"upstream"});
  host.announce(a, {"10.0.0.0/24#3"}, "1 174 100");
  host.withdraw(a, {"10.0.0.0/24#3"});
  CHECK(classes() == Texts{"announced", "withdrawn"});
}

TEST_CASE(
    "folds of one time keep their order over restarts, and a count that may be more says so") {
  const auto told = [](bool restart) {
    PathScene s(watch_prefixes({"10.0.0.0/16"}));
    s.host.announce(s.a, {"10.0.0.0/24"}, "1 5 10 100 100");
    s.host.announce(s.a, {"10.0.1.0/24"}, "1 5 12 100");
    for (int i = 0; i < 9; ++i) {
      s.host.announce(s.b, {"10.0.0.0/24"}, "2 7 20 100");
      s.host.announce(s.b, {"10.0.0.0/24"}, "2 6 20 100");
    }
    s.host.announce(s.b, {"10.0.0.0/24", "10.0.1.0/24"}, "2 7 20 100");
    if (restart) s.host.restart();
    return s.wait();
  };
  const auto once = told(false), again = told(true);
  REQUIRE(once.size() == 4);
  REQUIRE(again.size() == 4);
  const char* classes[] = {"prepending", "upstream", "transit", "transit"};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(class_of(once[i]) == classes[i]);
    CHECK(again[i].id == once[i].id);
    CHECK((again[i].summary.find("at least") != std::string::npos) == (i == 2));
    CHECK(has_field(again[i], "count_is_lower_bound") == (i == 2));
    CHECK(once[i].summary.find("at least") == std::string::npos);
  }
  CHECK(again[2].summary.find("(at least 10 changes, seen by b)") != std::string::npos);
  CHECK(again[3].summary.find("(9 changes, seen by b)") != std::string::npos);
}

TEST_CASE("a change found after a gap carries its interval; the end of the records reports folds") {
  PathScene s(watch_prefixes({"10.0.0.0/16"}));
  s.host.found(s.a, {"10.0.0.0/24"}, "1 6 10 100", "2024-01-01T20:00:00Z");
  CHECK(s.host.events.empty());
  s.host.detector().finish();
  REQUIRE(s.host.events.size() == 1);
  CHECK(s.host.events[0].cause == Cause::kResync);
  CHECK(s.host.events[0].changed_between->from == time_of("2024-01-01T20:00:00Z"));
  CHECK(s.host.events[0].changed_between->to == time_of("2024-01-02T00:00:00Z"));
  CHECK(s.host.timers() == 0);
}

}  // namespace lapwing::test
