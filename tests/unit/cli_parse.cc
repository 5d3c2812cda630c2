// Arguments and what they mean; every wrong use is exit code 2.
#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "collector/cli.h"
#include "collector/cli_words.h"

using namespace lapwing::collector;

namespace {

ParsedCommandLine parse(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  return parse_command_line(arguments, "lapwing 0.1.0");
}

CommandLine good(const std::string& text) {
  const auto parsed = parse(text);
  REQUIRE_MESSAGE(parsed.line, text, ": ", parsed.text);
  return *parsed.line;
}

std::string target(const std::string& text) { return good(text).target; }

std::string usage_error(const std::string& text) {
  const auto parsed = parse(text);
  CAPTURE(text);
  CHECK_FALSE(parsed.line);
  CHECK_EQ(parsed.exit_code, kExitUsage);
  CHECK(parsed.text.starts_with("lapwing: "));
  return parsed.text;
}

}  // namespace

TEST_CASE("command line: run and check have a default configuration, replay has none") {
  CHECK(good("run").verb == Verb::kRun);
  CHECK_EQ(good("run").config_path, "/etc/lapwing/lapwing.toml");
  CHECK_EQ(good("run -c x.toml").config_path, "x.toml");
  CHECK(good("check --config=x.toml").verb == Verb::kCheck);
  CHECK_EQ(good("check --config=x.toml").config_path, "x.toml");
  const auto replay = good("replay a.mrt b.mrt.gz -");
  CHECK(replay.verb == Verb::kReplay);
  CHECK_EQ(replay.config_path, "");
  CHECK((replay.replay.files == std::vector<std::string>{"a.mrt", "b.mrt.gz", "-"}));
  const auto with = good("replay a.mrt -c x.toml b.mrt");
  CHECK_EQ(with.config_path, "x.toml");
  CHECK((with.replay.files == std::vector<std::string>{"a.mrt", "b.mrt"}));
}

TEST_CASE("command line: replay takes times, what to watch, and whether to merge") {
  const auto line = good(
      "replay --merge --from 2017-10-01T09:00:00Z --to 2017-10-01T10:00:00Z --watch AS131279 "
      "--watch 203.0.113.0/24 --watch 64496 a.mrt");
  CHECK(line.replay.merge);
  CHECK(line.replay.from == lapwing::parse_rfc3339("2017-10-01T09:00:00Z"));
  CHECK(line.replay.to == lapwing::parse_rfc3339("2017-10-01T10:00:00Z"));
  CHECK((line.replay.watch.origins == std::vector<lapwing::Asn>{131279, 64496}));
  REQUIRE(line.replay.watch.prefixes.size() == 1);
  CHECK(format_prefix(line.replay.watch.prefixes[0]) == "203.0.113.0/24");
  CHECK((line.replay.files == std::vector<std::string>{"a.mrt"}));
  CHECK_FALSE(good("replay a.mrt").replay.merge);
  CHECK(usage_error("replay --from yesterday a").find("no time such as") != std::string::npos);
  CHECK(usage_error("replay --from 2024-01-02T00:00:00Z --to 2024-01-01T00:00:00Z a")
            .find("--to is earlier than --from") != std::string::npos);
  CHECK(usage_error("replay --watch 10.0.0.1/8 a").find("without host bits") != std::string::npos);
  CHECK(usage_error("replay --watch AS0 a").find("neither an AS number") != std::string::npos);
}

TEST_CASE("command line: db check has the default configuration") {
  CHECK((good("db check").verb == Verb::kDbCheck));
  CHECK_EQ(good("db check").config_path, kDefaultConfigPath);
  CHECK_EQ(good("db ch -c x.toml").config_path, "x.toml");
  CHECK(usage_error("db") != "");
  CHECK((candidates({"db", ""}, [] { return std::vector<std::string>(); }) ==
         std::vector<std::string>{"check"}));
}

TEST_CASE("command line: dump has the default configuration and writes to standard output") {
  const auto plain = good("dump");
  CHECK(plain.verb == Verb::kDump);
  CHECK_EQ(plain.config_path, "/etc/lapwing/lapwing.toml");
  CHECK_EQ(plain.dump.output, "-");
  CHECK(plain.dump.peers.empty());
  const auto line = good("dump -c x.toml -o table.mrt --peer edge1 --peer edge2");
  CHECK_EQ(line.config_path, "x.toml");
  CHECK_EQ(line.dump.output, "table.mrt");
  CHECK((line.dump.peers == std::vector<std::string>{"edge1", "edge2"}));
}

TEST_CASE("command line: each subject of show asks for its target") {
  CHECK_EQ(target("show peers"), "/api/v1/peers");
  CHECK_EQ(target("show peer edge1"), "/api/v1/peers/edge1");
  CHECK_EQ(target("show status"), "/api/v1/status");
  CHECK_EQ(target("show upstreams 131279"), "/api/v1/origins/131279/upstreams");
  CHECK_EQ(target("show upstreams AS131279"), "/api/v1/origins/131279/upstreams");
  CHECK_EQ(target("show events"), "/api/v1/events");
  CHECK_EQ(target("show events --since 5 --type new-upstream --limit 9"),
           "/api/v1/events?since=5&type=new-upstream&limit=9");
  CHECK_EQ(target("show events --since 2017-10-01T09:07:51Z"),
           "/api/v1/events?since=2017-10-01T09%3A07%3A51Z");
  CHECK_EQ(target("show route 175.45.176.0/24"),
           "/api/v1/routes?prefix=175.45.176.0%2F24&match=exact");
  CHECK_EQ(target("show route 2001:DB8::/32 --longer --peer edge1 --limit 5"),
           "/api/v1/routes?prefix=2001%3Adb8%3A%3A%2F32&match=longer&peer=edge1&limit=5");
  CHECK_EQ(target("show route --shorter 10.0.0.0/8"),
           "/api/v1/routes?prefix=10.0.0.0%2F8&match=shorter");
  CHECK_EQ(target("show route for 175.45.176.7"),
           "/api/v1/routes?prefix=175.45.176.7%2F32&match=longest");
  CHECK_EQ(target("show route 2001:db8::1"),
           "/api/v1/routes?prefix=2001%3Adb8%3A%3A1%2F128&match=longest");
  CHECK_EQ(target("show route for 10.0.0.0/8"), "/api/v1/routes?prefix=10.0.0.0%2F8&match=longest");
  CHECK_EQ(target("monitor events"), "/api/v1/events/stream");
  CHECK_EQ(target("monitor events --type path-change"), "/api/v1/events/stream?type=path-change");
}

TEST_CASE("command line: a neighbour may be called as a command is") {
  for (const std::string name : {"run", "show", "peers", "status", "route", "monitor"}) {
    const auto line = good("show peer " + name);
    CHECK(line.subject == Subject::kPeer);
    CHECK_EQ(line.target, "/api/v1/peers/" + name);
  }
  CHECK_EQ(parse_command_line({"show", "peer", "AMS-IX rs/1"}, "").line->target,
           "/api/v1/peers/AMS-IX%20rs%2F1");
}

TEST_CASE("command line: words of show may be abbreviated where that is clear") {
  CHECK_EQ(target("show neighbors"), "/api/v1/peers");
  CHECK_EQ(target("show neighbor edge1"), "/api/v1/peers/edge1");
  CHECK_EQ(target("show st"), "/api/v1/status");
  CHECK_EQ(target("sh st"), "/api/v1/status");
  CHECK_EQ(target("mon up"), "/api/v1/updates/stream");
  CHECK_EQ(target("pe edge1 cl"), "/api/v1/peers/edge1/clear");
  usage_error("show s");
  usage_error("re");
  CHECK_EQ(target("show up 1"), "/api/v1/origins/1/upstreams");
  CHECK_EQ(target("show ev"), "/api/v1/events");
  CHECK_EQ(target("show -j --api /x ro 10.0.0.0/8"),
           "/api/v1/routes?prefix=10.0.0.0%2F8&match=exact");
  usage_error("show p");
  usage_error("show nei edge1");
  usage_error("show stats");
}

TEST_CASE("command line: --api and -j stand before or after the subject") {
  CHECK_EQ(good("show peers").api, "unix:/run/lapwing/lapwing.sock");
  CHECK_FALSE(good("show peers").json);
  for (const std::string text : {"show --api http://h:1 -j peers", "show peers --api http://h:1 -j",
                                 "show --json peers --api=http://h:1"}) {
    CHECK_EQ(good(text).api, "http://h:1");
    CHECK(good(text).json);
  }
  CHECK(good("monitor events -j").json);
  CHECK(good("monitor -j events").verb == Verb::kMonitor);
}

TEST_CASE("command line: version and help go to standard output with exit code 0") {
  const auto version = parse("--version");
  CHECK_FALSE(version.line);
  CHECK_EQ(version.exit_code, kExitDone);
  CHECK_EQ(version.text, "lapwing 0.1.0\n");
  const auto help = parse("--help");
  CHECK_EQ(help.exit_code, kExitDone);
  for (const char* word : {"run", "check", "replay", "show", "monitor", "Exit codes"})
    CHECK_MESSAGE(help.text.find(word) != std::string::npos, word);
  CHECK_EQ(parse("show route --help").exit_code, kExitDone);
}

TEST_CASE("command line: what is missing, unknown or senseless is a usage error") {
  for (const char* text : {"",
                           "dance",
                           "run x",
                           "run -x",
                           "run -c",
                           "replay",
                           "show",
                           "show peer",
                           "show peers edge1",
                           "show route",
                           "show route 10.0.0.0/8 --longer --shorter",
                           "show route a b c",
                           "monitor",
                           "monitor updates x",
                           "show events --since yesterday",
                           "show events --limit 0",
                           "show events --limit -1",
                           "show --api ftp://x peers",
                           "run show peers",
                           "check --json"})
    usage_error(text);
}

TEST_CASE("command line: a word that is no command gets the nearest one, or all of them") {
  CHECK(usage_error("shwo peers").find("no command \"shwo\"; did you mean \"show\"?") !=
        std::string::npos);
  CHECK(usage_error("dance").find("known: run, check, replay, dump, db, show, monitor") != std::string::npos);
}

TEST_CASE("command line: prefixes, addresses and AS numbers are checked before anything is asked") {
  CHECK(usage_error("show route 10.0.0.1/8").find("the prefix is 10.0.0.0/8") != std::string::npos);
  CHECK(usage_error("show route edge1").find("\"edge1\"") != std::string::npos);
  usage_error("show route to 10.0.0.1");
  usage_error("show route 10.0.0.0/33");
  for (const char* as : {"0", "AS", "ASx", "4294967296", "-5", "1.10"})
    usage_error(std::string("show upstreams ") + as);
}

TEST_CASE("command line: the words of bgpctl and birdc filter routes") {
  CHECK_EQ(target("show route 10.0.0.0/8 longer-prefixes source-as 64500 count"),
           "/api/v1/routes?prefix=10.0.0.0%2F8&match=longer&origin=64500&count=true");
  CHECK_EQ(target("show route 10.0.0.0/8 or-shorter neighbor edge1"),
           "/api/v1/routes?prefix=10.0.0.0%2F8&match=shorter&peer=edge1");
  CHECK_EQ(target("show route transit-as AS3356 community 3356:9999 family ipv6-unicast"),
           "/api/v1/routes?transit=3356&community=3356%3A9999&family=ipv6-unicast");
  CHECK_EQ(target("show route or-l 10.0.0.0/8 as 1 nei peers"),
           "/api/v1/routes?prefix=10.0.0.0%2F8&match=longer&peer=peers&as=1");
  CHECK_EQ(target("show route all"), "/api/v1/routes");
  CHECK_EQ(target("show route all --ndjson"), "/api/v1/routes?format=ndjson");
  CHECK(good("show route all --ndjson").lines);
  CHECK_EQ(target("show route all --limit 5 --after 0a"), "/api/v1/routes?limit=5&after=0a");
  CHECK_EQ(target("show route for 2001:db8::1 source-as 1"),
           "/api/v1/routes?prefix=2001%3Adb8%3A%3A1%2F128&match=longest&origin=1");
  for (const char* text :
       {"show route longer-prefixes", "show route 10.0.0.0/8 source-as", "show route source-as x",
        "show route 10.0.0.0/8 192.0.2.0/24", "show route 10.0.0.0/8 longer-prefixes or-shorter",
        "show route for edge1", "show route a", "monitor updates count",
        "monitor updates 10.0.0.0/8 or-shorter"})
    usage_error(text);
}

TEST_CASE("command line: history, blind intervals, sinks, detectors, updates") {
  CHECK_EQ(target("show history 10.0.0.0/8 --peer edge1 --since 2017-10-01T00:00:00Z --limit 3"),
           "/api/v1/history?prefix=10.0.0.0%2F8&peer=edge1&since=2017-10-01T00%3A00%3A00Z&limit=3");
  CHECK_EQ(target("show history 192.0.2.1"), "/api/v1/history?prefix=192.0.2.1");
  CHECK_EQ(target("show blind"), "/api/v1/blind");
  CHECK_EQ(target("show blind edge1 --at 2017-10-01T09:07:51Z"),
           "/api/v1/blind?peer=edge1&at=2017-10-01T09%3A07%3A51Z");
  CHECK_EQ(target("show sinks"), "/api/v1/sinks");
  CHECK_EQ(target("show suppressed"), "/api/v1/suppressed");
  CHECK_EQ(target("show sup convergence"), "/api/v1/suppressed?rule=convergence");
  CHECK_EQ(target("show events --origin AS131279 --upstream 20485 --peer rr1 --severity warning"),
           "/api/v1/events?origin=131279&upstream=20485&peer=rr1&severity=warning");
  CHECK_EQ(target("show detectors"), "/api/v1/detectors");
  CHECK_EQ(target("monitor updates 10.0.0.0/8 neighbor edge1 source-as 1"),
           "/api/v1/updates/stream?prefix=10.0.0.0%2F8&peer=edge1&origin=1");
  CHECK(good("monitor updates").subject == Subject::kUpdates);
  for (const char* text : {"show history", "show history x", "show history 10.0.0.1/8",
                           "show blind --at now", "show sinks x", "show history 10.0.0.0/8 --since 5"})
    usage_error(text);
}

TEST_CASE("command line: writes name a neighbour and what is to be done") {
  const auto clear = good("peer edge1 clear --text maintenance");
  CHECK(clear.verb == Verb::kWrite);
  CHECK_EQ(clear.target, "/api/v1/peers/edge1/clear");
  CHECK_EQ(clear.text, "maintenance");
  CHECK_EQ(target("peer edge1 refresh --api http://h:1"), "/api/v1/peers/edge1/refresh");
  CHECK_EQ(target("neighbor show disable"), "/api/v1/peers/show/disable");
  CHECK_EQ(target("peer run enable"), "/api/v1/peers/run/enable");
  CHECK_EQ(target("reload"), "/api/v1/reload");
  CHECK_EQ(good("reload --api https://h:1").api, "https://h:1");
  for (const char* text : {"peer", "peer edge1", "peer edge1 dance", "peer edge1 clear x",
                           "peer edge1 refresh --text x", "reload x", "reload --api ftp://x"})
    usage_error(text);
}

TEST_CASE("completion: what can stand at the end of the line, with the names of neighbours") {
  const auto offered = [](std::vector<std::string> arguments) {
    return candidates(arguments, [] { return std::vector<std::string>{"edge1", "rr1"}; });
  };
  using Words = std::vector<std::string>;
  CHECK(offered({"re"}) == Words{"replay", "reload"});
  CHECK(offered({"show", "s"}) == Words{"status", "sinks", "suppressed"});
  CHECK(offered({"sh", "-j", "ev"}) == Words{"events"});
  CHECK(offered({"show", "peer", ""}) == Words{"edge1", "rr1"});
  CHECK(offered({"show", "route", "all", "neighbor", "e"}) == Words{"edge1"});
  CHECK(offered({"show", "route", "--peer", "r"}) == Words{"rr1"});
  CHECK(offered({"show", "route", "10.0.0.0/8", "or"}) == Words{"or-longer", "or-shorter", "origin"});
  CHECK(offered({"show", "route", "source-as", ""}).empty());
  CHECK(offered({"peer", "edge1", ""}) == Words{"clear", "refresh", "enable", "disable"});
  CHECK(offered({"monitor", "u"}) == Words{"updates"});
  CHECK(offered({"show", "--api", ""}).empty());
  CHECK(offered({}).empty());
}
