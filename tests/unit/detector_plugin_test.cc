#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "detectors/plugin.h"
#include "detectors/plugin_detector.h"
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
  for (const auto& [mode, text] :
       {std::pair("throw", "out of a plugin"), std::pair("fail", "gave up"),
        std::pair("no-type", "an event needs a type of lower-case words joined by hyphens, parts of an "
                             "id, and an action, a severity and a cause in range"),
        std::pair("bad-type", "an event needs a type of lower-case words joined by hyphens, parts of an "
                              "id, and an action, a severity and a cause in range"),
        std::pair("bad-field", "a member of an event needs a name in lower snake case that not "
                               "every event has"),
        std::pair("no-field-name", "a member of an event needs a name in lower snake case that not "
                                   "every event has")}) {
    Settings settings;
    settings.set("mode", std::string(mode));
    PluginScene s(file("quiet_peer"), settings);
    CHECK_THROWS_WITH(s.host.announce(s.a, {"10.0.0.0/24"}, "1 100"), text);
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
  for (const char* const name : {"mine", "my-2nd-one", "x9"}) CHECK(detectors::is_hyphenated(name));
}

TEST_CASE("plugin: of a smaller table nothing beyond its size is called") {
  PluginScene s(file("broken_smaller"));
  s.host.announce(s.a, {"10.0.0.0/24"}, "1 100");
  CHECK(s.host.events.empty());
  s.detector.reset();  // `destroy` lies beyond the size
}

}  // namespace lapwing::test
