// What the commands do, and their exit codes.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "collector/cli.h"
#include "tests/unit/cli_server.h"
#include "tests/unit/temp_dir.h"

using namespace lapwing;
using namespace lapwing::collector;

namespace {

constexpr const char* kGood =
    "[speaker]\nlocal-as = 64512\nrouter-id = \"192.0.2.10\"\nlisten = [\"127.0.0.1:179\"]\n"
    "[[neighbor]]\nname = \"edge1\"\naddress = \"192.0.2.1\"\npeer-as = 64512\n"
    "[storage]\npath = \"/tmp/lapwing-unused\"\n"
    "[[sink.syslog]]\n";

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) { std::ofstream(path()) << text; }
  std::string path() const { return directory_.file("lapwing.toml"); }

 private:
  lapwing::test::TempDir directory_;
};

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

Outcome run(const std::vector<std::string>& arguments, const Commands& commands = {}) {
  std::ostringstream out, err;
  Outcome outcome;
  outcome.code = run_command_line(arguments, commands, out, err);
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

Outcome ask(const std::string& status, const std::string& body,
            std::vector<std::string> arguments) {
  const CannedServer server(
      [&](const std::string&) { return CannedServer::reply(status, "application/json", body); });
  arguments.insert(arguments.end(), {"--api", server.url()});
  return run(arguments);
}

}  // namespace

TEST_CASE("check: exit code 0 and a summary for a good file, 1 and every fault for a bad one") {
  const ConfigFile good(kGood);
  Commands commands;
  commands.detectors = {"new-upstream", "path-change"};  // both run by default
  const auto fine = run({"check", "-c", good.path()}, commands);
  CHECK_EQ(fine.code, kExitDone);
  CHECK_EQ(fine.out, good.path() + ": valid; neighbours: 1, detectors: 2, sinks: 1, warnings: 0\n");
  CHECK_EQ(fine.err, "");
  const ConfigFile bad("[speaker]\nlocal-as = 0\nrouter-id = 5\n");
  const auto faults = run({"check", "-c", bad.path()});
  CHECK_EQ(faults.code, kExitFailed);
  CHECK_EQ(faults.out, "");
  CHECK(faults.err.find(bad.path() + ":2:12: error: ") != std::string::npos);
  CHECK(faults.err.find(bad.path() + ":3:13: error: ") != std::string::npos);
  CHECK_EQ(run({"check", "-c", "/nonexistent"}).code, kExitFailed);
}

TEST_CASE("check: what detectors and sinks find wrong counts") {
  const ConfigFile file(std::string(kGood) + "port = 5\n");
  Commands commands;
  commands.check_settings = [](const Config& config, std::vector<Diagnostic>& diagnostics) {
    Settings settings = config.sinks.at(0).settings;
    settings.text("target", "");
    note_setting_errors(config, config.sinks[0], settings.finish(), diagnostics);
  };
  const auto outcome = run({"check", "-c", file.path()}, commands);
  CHECK_EQ(outcome.code, kExitFailed);
  CHECK_EQ(outcome.err,
           file.path() + ":12:1: error: unknown key \"port\"; known here: enabled, target\n");
}

TEST_CASE("run: starts with a good file only, and its exit code is handed on") {
  const ConfigFile good(kGood);
  std::string started;
  Commands commands;
  commands.run = [&](const Config& config, const std::string& path) {
    started = config.neighbors.at(0).name + ' ' + path;
    return 7;
  };
  CHECK_EQ(run({"run", "-c", good.path()}, commands).code, 7);
  CHECK_EQ(started, "edge1 " + good.path());
  started.clear();
  const ConfigFile bad("[speaker]\n");
  CHECK_EQ(run({"run", "-c", bad.path()}, commands).code, kExitFailed);
  CHECK_EQ(started, "");
}

TEST_CASE("replay: runs without a configuration, or with one that has no speaker") {
  std::string replayed;
  Commands commands;
  commands.replay = [&](const std::optional<Config>& config, const ReplayOptions& options) {
    replayed = config ? std::to_string(config->watch.origins.at(0)) : "none";
    for (const auto& file : options.files) replayed += ' ' + file;
    return 0;
  };
  CHECK_EQ(run({"replay", "a", "-"}, commands).code, 0);
  CHECK_EQ(replayed, "none a -");
  const ConfigFile file("[watch]\norigins = [131279]\n");
  const auto outcome = run({"replay", "-c", file.path(), "a"}, commands);
  CHECK_EQ(outcome.code, 0);
  CHECK_EQ(outcome.err, "");
  CHECK_EQ(replayed, "131279 a");
  replayed.clear();
  CHECK_EQ(run({"replay", "-c", "/nonexistent", "a"}, commands).code, kExitFailed);
  CHECK_EQ(replayed, "");
}

TEST_CASE("run: an unknown detector is an error where the known ones are given") {
  const ConfigFile file(std::string(kGood) + "[detector.new-upsteam]\n");
  Commands commands;
  commands.detectors = {"new-upstream", "path-change"};
  const auto outcome = run({"check", "-c", file.path()}, commands);
  CHECK_EQ(outcome.code, kExitFailed);
  CHECK(outcome.err.find("did you mean \"new-upstream\"?") != std::string::npos);
}

TEST_CASE("usage errors go to standard error with exit code 2, the version to standard output") {
  const auto wrong = run({"dance"});
  CHECK_EQ(wrong.code, kExitUsage);
  CHECK_EQ(wrong.out, "");
  CHECK(wrong.err.starts_with("lapwing: "));
  Commands commands;
  commands.version = "lapwing 0.1.0";
  const auto version = run({"--version"}, commands);
  CHECK_EQ(version.code, kExitDone);
  CHECK_EQ(version.out, "lapwing 0.1.0\n");
  CHECK_EQ(version.err, "");
}

TEST_CASE("show: exit code 3 where no daemon answers") {
  const auto show = run({"show", "peers", "--api", "unix:/nonexistent/x.sock"});
  CHECK_EQ(show.code, kExitNoDaemon);
  CHECK_EQ(show.out, "");
  CHECK_EQ(show.err,
           "lapwing: cannot connect to unix:/nonexistent/x.sock: No such file or directory\n");
  CHECK_EQ(run({"monitor", "events", "--api", "http://127.0.0.1:1"}).code, kExitNoDaemon);
}

TEST_CASE("show: -j prints the API's JSON as it is") {
  const std::string body = "{\"peers\": [ ],\"x\":\"\\u001b\"}";
  const auto outcome = ask("200 OK", body, {"show", "peers", "-j"});
  CHECK_EQ(outcome.code, kExitDone);
  CHECK_EQ(outcome.out, body + "\n");
}

TEST_CASE("show: exit code 1 and the daemon's words for what is not found") {
  const std::string problem =
      R"({"title":"Not Found","status":404,"detail":"no neighbour \"x\u001b[31m\""})";
  const auto outcome = ask("404 Not Found", problem, {"show", "peer", "x"});
  CHECK_EQ(outcome.code, kExitFailed);
  CHECK_EQ(outcome.out, "");
  CHECK_EQ(outcome.err, "lapwing: Not Found: no neighbour \"x?[31m\"\n");
  CHECK_EQ(ask("500 Internal Server Error", "oops", {"show", "status"}).err,
           "lapwing: HTTP status 500\n");
}

TEST_CASE("show: no route and no upstream are exit code 1, no event is an empty table") {
  const auto route =
      ask("200 OK", R"({"routes":[],"truncated":false})", {"show", "route", "10.0.0.0/8"});
  CHECK_EQ(route.code, kExitFailed);
  CHECK_EQ(route.out, "");
  CHECK_EQ(route.err, "lapwing: no such route\n");
  const auto upstreams =
      ask("200 OK", R"({"origin":1,"upstreams":[]})", {"show", "upstreams", "1", "-j"});
  CHECK_EQ(upstreams.code, kExitFailed);
  CHECK_EQ(upstreams.out, "{\"origin\":1,\"upstreams\":[]}\n");
  CHECK_EQ(ask("200 OK", R"({"events":[],"last":0})", {"show", "events"}).code, kExitDone);
}

TEST_CASE("show: an answer that is no answer of ours is said to be none") {
  for (const char* body : {"", "<html>", "[5]", "{}", R"({"peers":5})", R"({"peers":[5]})"}) {
    CAPTURE(body);
    const auto outcome = ask("200 OK", body, {"show", "peers"});
    CHECK_EQ(outcome.code, kExitFailed);
    CHECK_EQ(outcome.err, "lapwing: this is not the answer of a lapwing daemon\n");
  }
}

TEST_CASE("monitor: prints each event as it comes, and code 3 when the stream ends") {
  const std::string event =
      R"({"type":"new-upstream","action":"raise","severity":"warning",)"
      R"("time":"2017-10-01T09:07:51.000000Z","summary":"AS131279 has a new upstream AS20485"})";
  const std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\ndata: " + event +
      "\n\ndata: nonsense\n\n";
  const CannedServer server([&](const std::string&) { return answer; });
  const auto lines = run({"monitor", "events", "--api", server.url()});
  CHECK_EQ(lines.code, kExitNoDaemon);
  CHECK_EQ(lines.out,
           "2017-10-01 09:07:51Z warning   new-upstream raise: AS131279 has a new upstream "
           "AS20485\n");
  CHECK_EQ(run({"monitor", "events", "-j", "--api", server.url()}).out, event + "\nnonsense\n");
}

TEST_CASE("show: the token of the environment is sent") {
  ::setenv("LAPWING_TOKEN", "t0ken", 1);
  const CannedServer server([](const std::string& request) {
    return request.find("Authorization: Bearer t0ken\r\n") != std::string::npos
               ? CannedServer::json("{\"peers\":[]}")
               : CannedServer::reply("401 Unauthorized", "text/plain", "");
  });
  CHECK_EQ(run({"show", "peers", "--api", server.url()}).code, kExitDone);
  ::unsetenv("LAPWING_TOKEN");
  CHECK_EQ(run({"show", "peers", "--api", server.url()}).code, kExitFailed);
}
