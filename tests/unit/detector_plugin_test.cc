#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "detectors/plugin.h"
#include "detectors/plugin_event.h"
#include "tests/unit/detector_scene.h"

namespace lapwing::test {
namespace {

using Texts = FakeHost::Texts;
using std::chrono::seconds;

std::string file(const std::string& name) { return LAPWING_PLUGINS "/" + name + ".so"; }

/// What `load_plugin` finds wrong; "" and the detector when nothing is.
std::string load(const std::string& path, Settings& settings, std::unique_ptr<Detector>& out) {
  settings.set("plugin", path);
  out = detectors::load_plugin("mine", LAPWING_PLUGINS, settings);
  std::string errors;
  for (const SettingError& e : settings.finish()) errors += e.key + ": " + e.message + '\n';
  return errors;
}

std::string error_of(const std::string& name) {
  Settings settings;
  std::unique_ptr<Detector> detector;
  const std::string errors = load(name, settings, detector);
  CHECK(detector == nullptr);
  return errors;
}

/// A plugin between two neighbours with first tables.
struct PluginScene {
  std::unique_ptr<Detector> detector;
  FakeHost host{"peer-state"};
  PeerId a = host.add_peer("a", 1);
  PluginScene(const std::string& name, Settings settings = {}) {
    REQUIRE(load(name, settings, detector) == "");
    REQUIRE(detector != nullptr);
    host.watched.ases = {1};
    host.at("2024-01-01T00:00:00Z");
    host.use(*detector);
  }
};

}  // namespace

TEST_CASE("plugin in C: events, evidence, settings and state") {
  Settings settings;
  settings.set("longest", std::int64_t{25});
  PluginScene s(file("long_prefix"), settings);
  CHECK(s.detector->name() == "mine");
  CHECK(s.detector->route_interest() == RouteInterest::kLive);
  s.host.table(s.a, {"10.0.0.0/28"}, "1 100");
  s.host.announce(s.a, {"10.0.0.0/25", "2001:db8::/64"}, "1 100");
  CHECK(s.host.events.empty());
  s.host.announce(s.a, {"10.0.0.0/26"}, "1 3356 100");
  REQUIRE(s.host.events.size() == 1);
  const Event& e = s.host.events[0];
  CHECK(e.type == "long-prefix");
  CHECK(e.severity == Severity::kNotice);
  CHECK(e.origin_as == 100u);
  CHECK(e.peers == Texts{"a"});
  CHECK(prefix_texts(e) == Texts{"10.0.0.0/26"});
  CHECK(e.evidence.at(0).new_path == "1 3356 100");
  CHECK(field<std::int64_t>(e, "length") == 26);
  CHECK(e.summary == "a /26 was announced");
  CHECK_FALSE(e.changed_between.has_value());
  CHECK(s.host.state.size() == 1);
  s.host.announce(s.a, {"10.0.0.64/26"}, "1 3356 {100 101}");
  REQUIRE(s.host.events.size() == 2);
  CHECK_FALSE(s.host.events[1].origin_as.has_value());
  // A second instance takes the state over; what is damaged is refused.
  Settings again;
  std::unique_ptr<Detector> second;
  REQUIRE(load("long_prefix.so", again, second) == "");  // relative to the configuration
  s.host.use(*second);
  s.host.state["other"] = "x";
  CHECK_THROWS_WITH(s.host.use(*second), "stored state is damaged");
}

TEST_CASE("plugin in C++: timers, routes, the watch list, fields of every kind") {
  PluginScene s(file("quiet_peer"));
  s.host.table(s.a, {"10.0.0.0/24"}, "1 100");
  s.host.after(seconds(3599));
  CHECK(s.host.events.empty());
  s.host.after(seconds(1));
  REQUIRE(s.host.events.size() == 1);
  const Event& e = s.host.events[0];
  CHECK(e.summary == "a is quiet");
  CHECK(field<std::int64_t>(e, "known_routes") == 1);
  CHECK(field<bool>(e, "watched"));
  CHECK(field<std::string>(e, "name") == "a");
  CHECK(field<Timestamp>(e, "at") == time_of("2024-01-01T01:00:00Z"));
  CHECK(e.ends.empty());
  REQUIRE(s.host.witnesses.size() == 1);
  CHECK(s.host.witnesses[0] == std::pair(e.incident, std::string("quiet-peer a")));
  const PeerId gone = s.host.add_peer("gone", 2);
  s.host.table(gone, {"10.0.0.0/24"}, "2 100");
  s.host.after(seconds(3600));
  REQUIRE(s.host.events.size() == 2);
  s.host.remove_peer(gone);  // is not heard
  REQUIRE(s.host.events.size() == 2);
  s.host.events.pop_back();
  s.host.announce(s.a, {"10.0.1.0/24"}, "1 100");
  REQUIRE(s.host.events.size() == 2);
  CHECK(s.host.events[1].action == Action::kClear);
  CHECK(s.host.events[1].ends == "quiet-peer");
  CHECK(s.host.events[1].incident == e.incident);
}

TEST_CASE("plugin that throws, fails, or makes no proper event: an exception for the engine") {
  constexpr const char* kNoType =
      "`emit`: a type is lower-case words joined by hyphens, at most 64 octets";
  constexpr const char* kNoName =
      "`emit`: a member of an event needs a name in lower snake case that not every event has";
  for (const auto& [mode, text] :
       {std::pair("throw", "out of a plugin"), std::pair("fail", "gave up"),
        std::pair("no-type", "`emit`: an event needs parts of an id"),
        std::pair("bad-type", kNoType), std::pair("bad-field", kNoName),
        std::pair("no-field-name", kNoName)}) {
    Settings settings;
    settings.set("mode", std::string(mode));
    PluginScene s(file("quiet_peer"), settings);
    CHECK_THROWS_WITH(s.host.announce(s.a, {"10.0.0.0/24"}, "1 100"), text);
  }
  Settings settings;
  settings.set("mode", std::string("throw-at-destroy"));
  PluginScene s(file("quiet_peer"), settings);
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 100");
  CHECK_NOTHROW(s.detector.reset());
}

namespace {

Settings hostile(const std::string& mode) {
  Settings settings;
  settings.set("mode", mode);
  return settings;
}

}  // namespace

TEST_CASE("plugin: what it hands over wrongly makes it fail, with the call and what is wrong") {
  constexpr const char* kNoPrefix =
      "`watches_prefix`: `prefix` is NULL, or no prefix by its version and length";
  constexpr const char* kNoNlri =
      "`find_prefix`: `nlri` or `prefix` is NULL, or it is no NLRI by its size, version and length";
  constexpr const char* kNoWitness =
      "`add_witness`: a type is lower-case words joined by hyphens, at most 64 octets";
  constexpr std::pair<const char*, const char*> kSlips[] = {
      {"path id", "`path`: no path has the id 99999999"},
      {"as_path id", "`as_path`: no path has the id 99999999"},
      {"no hops", "`as_path`: `hops` is NULL, and `room` is not 0"},
      {"nlri id", "`nlri`: no prefix has the id 99999999"},
      {"no nlri", "`nlri`: `out` is NULL, or its `size` is not set"},
      {"nlri size", "`nlri`: `out` is NULL, or its `size` is not set"},
      {"peer id", "`peer`: no neighbour has the id 99999999"},
      {"no peer", "`peer`: `out` is NULL, or its `size` is not set"},
      {"no found nlri", kNoNlri},
      {"no found id", kNoNlri},
      {"found version", kNoNlri},
      {"watched version", kNoPrefix},
      {"no watched prefix", kNoPrefix},
      {"route id", "`for_each_route`: no prefix has the id 99999999"},
      {"no visitor", "`for_each_route`: `fn` is NULL"},
      {"state key", "`put_state`: a text is NULL, and its size is not 0"},
      {"state value", "`put_state`: a text is NULL, and its size is not 0"},
      {"erased key", "`erase_state`: a text is NULL, and its size is not 0"},
      {"late setting", "`integer_setting`: only within `create`"},
      {"late text setting", "`text_setting`: only within `create`"},
      {"no witness type", kNoWitness},
      {"witness type", kNoWitness},
      {"no witness parts", "`add_witness`: an incident needs parts"},
      {"witness peer", "`add_witness`: no neighbour has the id 99999999"},
      {"no event", "`emit`: `event` is NULL"},
      {"fail", "\xef\xbf\xbd gave up"},
      {"new-upstream", "`emit`: type `new-upstream` is one of Lapwing's own"},
      {"event-storm", "`emit`: type `event-storm` is one of Lapwing's own"},
      {"detector-failed", "`emit`: type `detector-failed` is one of Lapwing's own"},
      {"long type", "`emit`: a type is lower-case words joined by hyphens, at most 64 octets"},
      {"action", "`emit`: there is no action 7"},
      {"severity", "`emit`: there is no severity 99"},
      {"cause", "`emit`: there is no cause 77"},
      {"last known", "`emit`: `last_known` is later than now, or no time"},
      {"first known", "`emit`: `last_known` is later than now, or no time"},
      {"no parts", "`emit`: an event needs parts of an id"},
      {"id_parts", "`emit`: `id_parts` is NULL, and its count is 3"},
      {"incident_parts", "`emit`: `incident_parts` is NULL, and its count is 3"},
      {"prefixes", "`emit`: `prefixes` is NULL, and its count is 1"},
      {"peers", "`emit`: `peers` is NULL, and its count is 1"},
      {"evidence", "`emit`: `evidence` is NULL, and its count is 1"},
      {"fields", "`emit`: `fields` is NULL, and its count is 1"},
      {"rule", "`emit`: a text is NULL, and its size is not 0"},
      {"summary", "`emit`: a text is NULL, and its size is not 0"},
      {"version", "`emit`: a prefix of version 5 and length 0 is none"},
      {"length", "`emit`: a prefix of version 4 and length 33 is none"},
      {"length6", "`emit`: a prefix of version 6 and length 129 is none"},
      {"unknown peer", "`emit`: no neighbour has the id 99999999"},
      {"evidence peer", "`emit`: no neighbour has the id 99999999"},
      {"evidence prefix", "`emit`: no prefix has the id 99999999"},
      {"evidence before", "`emit`: no path has the id 99999999"},
      {"evidence after", "`emit`: no path has the id 99999999"},
      {"one name twice", "`emit`: two fields are called `a`"},
      {"shared name",
       "`emit`: a member of an event needs a name in lower snake case that not every event has"},
      {"kind", "`emit`: field `a`: there is no kind 9"},
      {"field text", "`emit`: field `a`: a text is NULL, and its size is not 0"},
      {"field time", "`emit`: field `a`: its time is beyond years of four digits"},
      {"many fields", "`emit`: more than 64 fields"},
      {"ends", "`emit`: `ends` is not types parted by blanks, nor `-`"},
  };
  for (const auto& [mode, text] : kSlips) {
    CAPTURE(mode);
    PluginScene s(file("hostile"), hostile(mode));
    CHECK_THROWS_WITH(s.host.announce(s.a, {"10.0.0.0/24"}, "1 100"), text);
    // The slip itself tells nothing; what is proper is told until the call returns.
    CHECK(s.host.events.empty() ==
          (std::string_view(text).starts_with("`emit`: ") && std::string_view(mode) != "no event"));
  }
}

TEST_CASE("plugin: what is no slip is told") {
  PluginScene s(file("hostile"), hostile("none"));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 100");
  CHECK(s.host.events.size() == 1);
  s.detector.reset();  // within `destroy` nothing is told
  CHECK(s.host.events.size() == 1);
  PluginScene empty(file("hostile"), hostile("no path"));
  empty.host.announce(empty.a, {"10.0.0.0/24"}, "1 100");
  CHECK(empty.host.state.contains("empty"));
  PluginScene finds(file("hostile"), hostile("find"));
  finds.host.announce(finds.a, {"10.0.0.0/24"}, "1 100");
  CHECK(finds.host.state.contains("found"));
}

TEST_CASE("plugin: texts are valid UTF-8 of bounded size, prefixes end with their length") {
  PluginScene s(file("hostile"), hostile("texts"));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 100");
  REQUIRE(s.host.events.size() == 1);
  const Event& e = s.host.events[0];
  CHECK(e.rule == "rule \xef\xbf\xbd\xef\xbf\xbd");
  CHECK(field<std::string>(e, "a") == "\xef\xbf\xbd");
  CHECK(e.summary.starts_with("\xef\xbf\xbd\xc3\xa9\xc3\xa9"));
  CHECK(e.summary.ends_with("\xc3\xa9"));
  CHECK(e.summary.size() == 4095);
  CHECK(prefix_texts(e) == Texts{"10.0.0.0/8"});
}

TEST_CASE("plugin: within `create` there are settings and `fail`, and nothing else") {
  for (const std::string call :
       {"now", "path", "as_path", "nlri", "peer", "watches_prefix", "watches_as", "for_each_route",
        "set_timer", "cancel_timer", "put_state", "erase_state", "emit", "add_witness",
        "find_prefix"}) {
    CAPTURE(call);
    Settings settings = hostile("early " + call);
    std::unique_ptr<Detector> detector;
    const std::string errors = load(file("hostile"), settings, detector);
    CHECK(detector == nullptr);
    CHECK(errors.ends_with("hostile.so: `" + call + "`: not within `create` or `destroy`\n"));
  }
  for (const auto& [mode, text] :
       {std::pair("no key", "`integer_setting`: `key` is NULL\n"),
        std::pair("no text key", "`text_setting`: `key` is NULL\n"),
        std::pair("no fallback", "`text_setting`: `fallback` is NULL\n")}) {
    Settings settings = hostile(mode);
    std::unique_ptr<Detector> detector;
    CHECK(load(file("hostile"), settings, detector).ends_with(text));
  }
}

TEST_CASE("plugin: settings are checked like those of any detector") {
  Settings settings;
  settings.set("seconds", std::int64_t{0});
  settings.set("secnods", std::int64_t{5});
  std::unique_ptr<Detector> detector;
  CHECK(load(file("quiet_peer"), settings, detector) ==
        "seconds: must be an integer from 1 to 86400\n"
        "secnods: unknown key; known here: mode, plugin, seconds\n");
}

TEST_CASE("plugin: what cannot be used is refused with the reason, and nothing is taken along") {
  CHECK(error_of(file("no_such_file")).find("cannot open shared object file") != std::string::npos);
  CHECK(error_of(file("broken_no_symbol")).ends_with("exports no function `lapwing_plugin`\n"));
  CHECK(error_of(file("broken_wrong_abi"))
            .ends_with("is made for plugin ABI 2, this Lapwing has 1\n"));
  CHECK(error_of(file("broken_crash")).find("crashes while it is loaded: ") != std::string::npos);
  CHECK(error_of(file("broken_ends")).ends_with("ends the process with 0 while it is loaded\n"));
  CHECK(error_of(file("broken_no_create"))
            .ends_with("`lapwing_plugin` returns no table with a function `create`\n"));
  CHECK(error_of(file("hostile_routes"))
            .ends_with("its table wants routes of kind 9, which there is not\n"));
  CHECK(error_of(file("broken_refuses")).ends_with("needs a licence\n"));
  Settings settings;
  settings.set("mode", std::string("throw-at-create"));
  std::unique_ptr<Detector> detector;
  CHECK(load(file("quiet_peer"), settings, detector)
            .find("its function `create` threw: no, thanks") != std::string::npos);
  CHECK(error_of("") == "plugin: must name a shared object\n");
  for (const char* const name : {"", "My Own", "mine-", "-mine", "a--b", "1st"}) {
    Settings named;
    named.set("plugin", file("quiet_peer"));
    CHECK(detectors::load_plugin(name, LAPWING_PLUGINS, named) == nullptr);
    const auto errors = named.finish();
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].message == "a detector is named in lower-case words joined by hyphens");
  }
  for (const char* const name : {"suppression", "update-feed"}) {
    Settings taken;
    taken.set("plugin", file("quiet_peer"));
    CHECK(detectors::load_plugin(name, LAPWING_PLUGINS, taken) == nullptr);
    CHECK(taken.finish().at(0).message == "that name is Lapwing's own");
  }
  for (const char* const name : {"mine", "my-2nd-one", "x9"}) CHECK(detectors::is_hyphenated(name));
}

TEST_CASE("plugin: of a smaller table nothing beyond its size is called") {
  PluginScene s(file("broken_smaller"));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 100");
  CHECK(s.host.events.empty());
  s.detector.reset();  // `destroy` lies beyond the size
}

}  // namespace lapwing::test
