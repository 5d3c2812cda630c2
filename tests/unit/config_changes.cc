// What a reload finds different.
#include <doctest/doctest.h>

#include <string>

#include "collector/config_changes.h"

using namespace lapwing;
using namespace lapwing::collector;

namespace {

constexpr const char* kBase = R"(
[speaker]
local-as = 64512
router-id = "192.0.2.10"
[[neighbor]]
name = "edge1"
address = "192.0.2.1"
peer-as = 64512
[[neighbor]]
name = "edge2"
address = "192.0.2.2"
peer-as = 64512
[detector.new-upstream]
[detector.path-change]
[[sink.jsonl]]
path = "/tmp/a"
[[sink.syslog]]
)";

ConfigChanges changes(const std::string& from, const std::string& to) {
  std::string text = kBase;
  const auto at = text.find(from);
  REQUIRE(at != text.npos);
  text.replace(at, from.size(), to);
  std::vector<Diagnostic> diagnostics;
  const auto before = parse_config(kBase, "t.toml", diagnostics);
  const auto after = parse_config(text, "t.toml", diagnostics);
  REQUIRE(before);
  for (const auto& d : diagnostics) CAPTURE(format_diagnostic(d));
  REQUIRE(after);
  return compare_configs(*before, *after);
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("reload: nothing differs where only the text does") {
  const ConfigChanges same = changes("[[sink.syslog]]", "# a comment\n[[sink.syslog]]\n");
  CHECK(same.lines.empty());
  CHECK(same.restart.empty());
  CHECK_FALSE(same.neighbors);
  CHECK_FALSE(same.detectors);
  CHECK_FALSE(same.sinks);
}

TEST_CASE("reload: neighbours are added, changed and removed by name") {
  const auto changed = changes("\"192.0.2.2\"", "\"192.0.2.3\"");
  CHECK(changed.lines == Lines{"neighbour edge2 changed"});
  CHECK(changed.neighbors);
  CHECK_FALSE(changed.detectors);
  CHECK(changes("\"edge2\"", "\"edge3\"").lines ==
        Lines{"neighbour edge2 removed", "neighbour edge3 added"});
}

TEST_CASE("reload: detectors, the watch list and sinks") {
  const auto detector = changes("[detector.path-change]\n", "");
  CHECK(detector.lines == Lines{"detector path-change removed"});
  CHECK(detector.detectors);
  CHECK_FALSE(detector.neighbors);
  CHECK(changes("[detector.path-change]\n", "[detector.path-change]\nx = 1\n").lines ==
        Lines{"detector path-change changed"});
  const auto watch = changes("[detector.new-upstream]", "[watch]\norigins = [1]\n[detector.new-upstream]");
  CHECK(watch.lines == Lines{"watch list changed"});
  CHECK(watch.detectors);
  const auto sinks = changes("/tmp/a", "/tmp/b");
  CHECK(sinks.lines == Lines{"sinks: 1 ended, 1 begun, 1 untouched"});
  CHECK(sinks.sinks);
  CHECK_FALSE(sinks.detectors);
}

TEST_CASE("reload: what needs a restart is named") {
  CHECK(changes("192.0.2.10", "192.0.2.11").restart == Lines{"[speaker] router-id"});
  CHECK(changes("[[sink.jsonl]]", "[http]\ntoken = \"x\"\n[storage]\npath = \"/x\"\n[[sink.jsonl]]")
            .restart == Lines{"[storage] path", "[http]"});
  CHECK(changes("[[sink.jsonl]]", "[record]\ndirectory = \"/x\"\n[[sink.jsonl]]").restart ==
        Lines{"[record]"});
}
