#include <doctest/doctest.h>

#include "sink_testing.h"
#include "sinks/filter.h"

namespace lapwing::sinks {
namespace {

using testing::prefix;
using testing::story;

EventFilter filter(std::initializer_list<std::pair<std::string, SettingValue>> values) {
  Settings settings;
  for (const auto& [key, value] : values) settings.set(key, value);
  EventFilter f = EventFilter::from_settings(settings);
  CHECK(settings.finish().empty());
  return f;
}
using Texts = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;

TEST_CASE("filter: without settings everything matches") {
  CHECK(filter({}).matches(story()));
  CHECK(filter({}).matches(Event{}));
}

TEST_CASE("filter: min-severity lets that severity and worse ones pass") {
  Event e = story();
  CHECK(filter({{"min-severity", "warning"}}).matches(e));
  CHECK(filter({{"min-severity", "notice"}}).matches(e));
  CHECK_FALSE(filter({{"min-severity", "error"}}).matches(e));
}

TEST_CASE("filter: types are names, or beginnings with a star") {
  CHECK(filter({{"types", Texts{"path-change", "new-upstream"}}}).matches(story()));
  CHECK_FALSE(filter({{"types", Texts{"path-change"}}}).matches(story()));
  CHECK_FALSE(filter({{"types", Texts{"new"}}}).matches(story()));
  CHECK(filter({{"types", Texts{"new-*"}}}).matches(story()));
  CHECK_FALSE(filter({{"types", Texts{"upstream-*"}}}).matches(story()));
}

TEST_CASE("filter: an AS matches as origin, as upstream and on a path, whole numbers only") {
  for (const std::int64_t as : {131279, 20485, 1103, 4837})
    CHECK(filter({{"ases", Numbers{as}}}).matches(story()));
  for (const std::int64_t as : {13127, 3, 110, 64512})
    CHECK_FALSE(filter({{"ases", Numbers{as}}}).matches(story()));
  Event e = story();
  e.evidence[0].new_path = "3333 {64496,64497} 99999999999999999999";
  CHECK(filter({{"ases", Numbers{64497}}}).matches(e));
}

TEST_CASE("filter: a prefix matches itself and its more-specifics") {
  CHECK(filter({{"prefixes", Texts{"175.45.176.0/22"}}}).matches(story()));
  CHECK(filter({{"prefixes", Texts{"175.45.176.0/24"}}}).matches(story()));
  CHECK_FALSE(filter({{"prefixes", Texts{"175.45.176.0/25"}}}).matches(story()));
  CHECK_FALSE(filter({{"prefixes", Texts{"::/0"}}}).matches(story()));
}

TEST_CASE("filter: an event with more prefixes than it names is not withheld for its prefixes") {
  Event e = story();
  e.prefix_count = 2;
  CHECK(filter({{"prefixes", Texts{"192.0.2.0/24"}}}).matches(e));
}

TEST_CASE("filter: peers match by configured name; all settings must match") {
  CHECK(filter({{"peers", Texts{"rrc03-x"}}}).matches(story()));
  CHECK_FALSE(filter({{"peers", Texts{"rrc03"}}}).matches(story()));
  CHECK_FALSE(filter({{"peers", Texts{"rrc03-x"}}, {"ases", Numbers{1}}}).matches(story()));
}

TEST_CASE("filter: severities replace that of a type before min-severity looks at it") {
  EventFilter f;
  f.severities = {{"new-upstream", Severity::kCritical}, {"new-*", Severity::kDebug}};
  f.min_severity = Severity::kError;
  Event e = testing::story(), scratch;
  REQUIRE(f.shown(e, scratch) == &scratch);
  CHECK(scratch.severity == Severity::kCritical);
  CHECK(scratch.summary == e.summary);
  e.type = "new-prefix";
  CHECK(f.shown(e, scratch) == nullptr);
  e.type = "path-change";
  e.severity = Severity::kError;
  CHECK(f.shown(e, scratch) == &e);
}

TEST_CASE("filter: wrong settings are noted with their key") {
  Settings settings;
  settings.set("min-severity", "loud");
  settings.set("ases", Numbers{-1});
  settings.set("prefixes", Texts{"203.0.113.1/24"});
  settings.set("severities", Texts{"path-change=loud", "=info", "path-*=info"});
  EventFilter::from_settings(settings);
  const auto& errors = settings.finish();
  REQUIRE(errors.size() == 5);
  CHECK(errors[0].key == "severities");
  CHECK(errors[1].key == "severities");
  CHECK(errors[2].key == "min-severity");
  CHECK(errors[3].key == "ases");
  CHECK(errors[4].key == "prefixes");
}

}  // namespace
}  // namespace lapwing::sinks
