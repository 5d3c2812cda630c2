#include <doctest/doctest.h>

#include <array>
#include <string>

#include "detectors/event_text.h"
#include "lapwing/detector.h"

namespace lapwing {

TEST_CASE("an event id is the beginning of SHA-256 over its parts") {
  // printf '\0\0\0\0\0\0\0\3abc\0\0\0\0\0\0\0\1' | sha256sum
  const std::array<std::uint64_t, 1> one{1};
  CHECK(format_event_id(make_event_id("abc", one)) == "10d01a3248c997db67408fe334b17e46");
  // The length 70, then 70 letters a: two blocks.
  CHECK(format_event_id(make_event_id(std::string(70, 'a'), {})) ==
        "efd4a66acc97debea9038797808f5a55");
}

TEST_CASE("domain and parts cannot be shifted into each other") {
  const std::array<std::uint64_t, 2> ab{1, 2}, ba{2, 1};
  CHECK(make_event_id("x", ab) == make_event_id("x", ab));
  CHECK(make_event_id("x", ab) != make_event_id("x", ba));
  CHECK(make_event_id("x", ab) != make_event_id("y", ab));
  CHECK(make_event_id("", ab) != make_event_id(std::string(8, '\0'), ab));
}

TEST_CASE("the registry knows the built-in detectors in their order") {
  CHECK(detector_names() == std::vector<std::string_view>{
                                "peer-state", "new-upstream", "path-change", "origin-change",
                                "prefix-watch", "visibility", "prefix-flap", "route-leak",
                                "reserved-as"});
  CHECK(runs_by_default("new-upstream"));
  CHECK_FALSE(runs_by_default("no-such"));
  Settings settings;
  CHECK(make_detector("no-such", settings) == nullptr);
  for (const auto name : detector_names()) CHECK(make_detector(name, settings)->name() == name);
}

TEST_CASE("settings out of range and of the wrong type are errors, unknown keys too") {
  Settings settings;
  settings.set("share-window", std::int64_t{0});
  settings.set("flap-threshold", std::string("many"));
  settings.set("window", std::int64_t{2});
  CHECK(make_detector("new-upstream", settings) != nullptr);
  const auto& errors = settings.finish();
  REQUIRE(errors.size() == 3);
  CHECK(errors[0].key == "share-window");
  CHECK(errors[1].key == "flap-threshold");
  CHECK(errors[2].key == "window");
}

TEST_CASE("durations and lists read as a person writes them") {
  using detectors::format_duration;
  CHECK(format_duration(std::chrono::seconds(4014)) == "1 h 06 min 54 s");
  CHECK(format_duration(std::chrono::seconds(59)) == "59 s");
  CHECK(format_duration(std::chrono::seconds(61)) == "1 min 01 s");
  CHECK(format_duration(std::chrono::seconds(3 * 86400 + 5)) == "3 d 00 h 00 min 05 s");
  const std::vector<std::string> names{"a", "b", "c", "d"};
  CHECK(detectors::join_names(std::span(names).first(1), 1) == "a");
  CHECK(detectors::join_names(std::span(names).first(3), 3) == "a, b and c");
  CHECK(detectors::join_names(names, 9) == "a, b, c and 6 more");
  CHECK(detectors::json_string("a\"b\\\n") == "\"a\\\"b\\\\\\u000a\"");
  CHECK(detectors::json_string("\x7f\xc2\x85\xc3\xa9\xff\xe2\x82") ==
        "\"\\u007f\\u0085\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST_CASE("the smallest are kept, in order and once") {
  std::vector<int> kept;
  for (const int v : {5, 1, 4, 1, 3, 2}) detectors::insert_bounded(kept, v, 3);
  CHECK(kept == std::vector<int>{1, 2, 3});
}

}  // namespace lapwing
