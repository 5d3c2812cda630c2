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
  const auto off = changes("[detector.new-upstream]", "[detector.prefix-watch]\nenabled = false\n[detector.new-upstream]");
  CHECK(off.lines == Lines{"detector prefix-watch removed"});
  CHECK(off.detectors);
  CHECK(changes("[detector.path-change]\n", "[detector.path-change]\nenabled = false\n").lines ==
        Lines{"detector path-change removed"});
  const auto sinks = changes("/tmp/a", "/tmp/b");
  CHECK(sinks.lines == Lines{"sinks: 1 ended, 1 begun, 1 untouched"});
  CHECK(sinks.sinks);
  CHECK_FALSE(sinks.detectors);
}

TEST_CASE("reload: rules of suppression, and their order") {
  const std::string a = "[[suppress]]\nname = \"a\"\ntypes = [\"x\"]\n";
  const std::string b = "[[suppress]]\nname = \"b\"\ntypes = [\"y\"]\n";
  const auto with = [](const std::string& rules, const std::string& others) {
    std::vector<Diagnostic> diagnostics;
    const auto before = parse_config(kBase + rules, "t.toml", diagnostics);
    const auto after = parse_config(kBase + others, "t.toml", diagnostics);
    REQUIRE(before);
    REQUIRE(after);
    return compare_configs(*before, *after);
  };
  CHECK(with("", a).lines == Lines{"suppress rule a added"});
  CHECK(with("", a).detectors);
  CHECK(with(a, "").lines == Lines{"suppress rule a removed"});
  CHECK(with(a, "[[suppress]]\nname = \"a\"\ntypes = [\"z\"]\n").lines ==
        Lines{"suppress rule a changed"});
  CHECK(with(a + b, a + b).lines.empty());
  CHECK(with(a + b, b + a).lines == Lines{"suppress rules in another order"});
  CHECK(with(a + b, b + a).detectors);
}

TEST_CASE("reload: what needs a restart is named") {
  for (const char* setting : {"history-size = \"1GiB\"", "event-budget = \"1GiB\"",
                              "sync-interval = \"0s\""})
    CHECK(changes("[[sink.jsonl]]", std::string("[storage]\n") + setting + "\n[[sink.jsonl]]")
              .restart.size() == 1);
  CHECK(changes("192.0.2.10", "192.0.2.11").restart == Lines{"[speaker] router-id"});
  CHECK(changes("[[sink.jsonl]]", "[http]\ntoken = \"x\"\n[storage]\npath = \"/x\"\n[[sink.jsonl]]")
            .restart == Lines{"[storage] path", "[http]"});
  CHECK(changes("[[sink.jsonl]]", "[record]\ndirectory = \"/x\"\n[[sink.jsonl]]").restart ==
        Lines{"[record]"});
}
