#include "collector/cli.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <ostream>

#include "collector/check_machine.h"
#include "collector/cli_words.h"
#include "collector/client.h"
#include "collector/show.h"
#include "collector/show_table.h"

namespace lapwing::collector {
namespace {

class Runner {
 public:
  Runner(const CommandLine& line, const Commands& commands, std::ostream& out, std::ostream& err)
      : line_(line), commands_(commands), out_(out), err_(err) {}

  int run() {
    switch (line_.verb) {
      case Verb::kRun:
        return run_collector();
      case Verb::kCheck:
        return check();
      case Verb::kReplay:
        return replay();
      case Verb::kDump:
        return dump();
      case Verb::kDbCheck:
        return db_check();
      case Verb::kShow:
        return show();
      case Verb::kMonitor:
        return monitor();
      case Verb::kWrite:
        return write();
    }
    return kExitUsage;
  }

 private:
  // Reads the configuration, has its tables checked and prints every diagnostic.
  std::optional<Config> load(bool live) {
    LoadOptions options;
    options.detectors = commands_.detectors;
    options.sinks = commands_.sinks;
    options.live = live;
    diagnostics_.clear();
    std::optional<Config> config = load_config(line_.config_path, diagnostics_, options);
    if (config && commands_.check_settings) commands_.check_settings(*config, diagnostics_);
    if (config && line_.verb == Verb::kCheck) check_machine(*config, diagnostics_);
    for (const Diagnostic& diagnostic : diagnostics_) err_ << format_diagnostic(diagnostic) << '\n';
    err_.flush();
    if (has_errors(diagnostics_)) config.reset();
    return config;
  }

  int run_collector() {
    const auto config = load(true);
    return config ? commands_.run(*config, line_.config_path) : kExitFailed;
  }

  int check() {
    const auto config = load(true);
    if (!config) return kExitFailed;
    out_ << fmt::format("{}: valid; neighbours: {}, detectors: {}, sinks: {}, warnings: {}\n",
                        line_.config_path, config->neighbors.size(), detectors_of(*config),
                        config->sinks.size(), diagnostics_.size());
    return kExitDone;
  }

  // Those that run by default, and plugins.
  std::size_t detectors_of(const Config& config) const {
    const auto is_builtin = [this](const std::string& name) {
      return std::ranges::count(commands_.detectors, name) != 0;
    };
    const auto disabled = std::ranges::count_if(config.disabled_detectors, is_builtin);
    const auto builtin =
        std::ranges::count_if(config.detectors, is_builtin, &SettingsTable::name);
    return commands_.detectors.size() - static_cast<std::size_t>(disabled) +
           config.detectors.size() - static_cast<std::size_t>(builtin);
  }

  int replay() {
    std::optional<Config> config;
    if (!line_.config_path.empty()) {
      config = load(false);
      if (!config) return kExitFailed;
    }
    return commands_.replay(config, line_.replay);
  }

  int dump() {
    const auto config = load(false);
    return config ? commands_.dump(*config, line_.dump) : kExitFailed;
  }

  int db_check() {
    const auto config = load(false);
    return config ? commands_.db_check(*config) : kExitFailed;
  }

  static ClientOptions client_options() {
    ClientOptions options;
    if (const char* token = std::getenv("LAPWING_TOKEN")) options.token = token;
    if (const char* file = std::getenv("LAPWING_CA")) options.authorities = file;
    return options;
  }

  int no_daemon(const std::string& error) {
    err_ << "lapwing: " << printable(error) << '\n';
    return kExitNoDaemon;
  }

  int problem(const Reply& reply) {
    if (line_.json && !reply.body.empty()) out_ << reply.body << '\n';
    err_ << "lapwing: " << problem_text(reply.status, reply.body) << '\n';
    return kExitFailed;
  }

  static Screen screen() {
    Screen screen;
    screen.now = std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
    winsize size{};
    if (::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
      screen.width = size.ws_col;
    return screen;
  }

  Shown render(const std::string& body) const {
    switch (line_.subject) {
      case Subject::kPeers:
        return show_peers(body, screen());
      case Subject::kPeer:
        return show_peer(body, screen());
      case Subject::kRoute:
        return show_routes(body, screen());
      case Subject::kUpstreams:
        return show_upstreams(body, screen());
      case Subject::kEvents:
        return show_events(body, screen());
      case Subject::kStatus:
        return show_status(body);
      case Subject::kHistory:
        return show_history(body, screen());
      case Subject::kBlind:
        return show_blind(body, screen());
      case Subject::kSinks:
        return show_sinks(body, screen());
      case Subject::kDetectors:
        return show_detectors(body, screen());
      case Subject::kSuppressed:
        return show_suppressed(body, screen());
      case Subject::kUpdates:
        return std::nullopt;
    }
    return std::nullopt;
  }

  // No route and no upstream is an answer to a question for one thing: not found.
  bool found_nothing(const std::string& body) const {
    return (line_.subject == Subject::kRoute && is_empty_answer(body, "routes")) ||
           (line_.subject == Subject::kUpstreams && is_empty_answer(body, "upstreams"));
  }

  int show() {
    if (line_.lines) return show_lines();
    std::string error;
    const auto reply = get(*parse_api_address(line_.api), line_.target, client_options(), error);
    if (!reply) return no_daemon(error);
    if (reply->status != 200) return problem(*reply);
    const bool nothing = found_nothing(reply->body);
    if (line_.json) {
      out_ << reply->body;
      if (!reply->body.ends_with('\n')) out_ << '\n';
    } else if (nothing) {
      err_ << (line_.subject == Subject::kRoute ? "lapwing: no such route\n"
                                                : "lapwing: no upstream is known\n");
    } else if (const auto text = render(reply->body)) {
      out_ << *text;
    } else {
      err_ << "lapwing: this is not the answer of a lapwing daemon\n";
      return kExitFailed;
    }
    out_.flush();
    return nothing ? kExitFailed : kExitDone;
  }

  // The answer as it comes: it may be larger than memory.
  int show_lines() {
    std::string error;
    const auto reply = get_pieces(
        *parse_api_address(line_.api), line_.target, client_options(),
        [this](std::string_view piece) {
          out_ << piece;
          return out_.good();
        },
        error);
    if (!reply) return no_daemon(error);
    out_.flush();
    return reply->status == 200 ? kExitDone : problem(*reply);
  }

  // A reload takes as long as the engine needs for new detectors.
  int write() {
    ClientOptions options = client_options();
    options.timeout = std::chrono::minutes(1);
    std::string error;
    const auto reply =
        ask(*parse_api_address(line_.api),
            {"POST", line_.target, text_body(line_.text), "application/json"}, options, error);
    if (!reply) return no_daemon(error);
    if (line_.json) out_ << reply->body;
    if (reply->status != 200) {
      if (!line_.json) err_ << show_problem(reply->status, reply->body);
      return kExitFailed;
    }
    if (!line_.json) out_ << show_done(reply->body);
    out_.flush();
    return kExitDone;
  }

  int monitor() {
    std::string error;
    const auto print = [this](std::string_view data) {
      if (line_.json)
        out_ << data << '\n';
      else if (const auto text = line_.subject == Subject::kUpdates ? show_update_line(data)
                                                                    : show_event_line(data))
        out_ << *text;
      out_.flush();
      return out_.good();
    };
    const auto reply =
        follow(*parse_api_address(line_.api), line_.target, client_options(), print, error);
    if (!reply) return no_daemon(error);
    return reply->status == 200 ? kExitDone : problem(*reply);
  }

  const CommandLine& line_;
  const Commands& commands_;
  std::ostream& out_;
  std::ostream& err_;
  std::vector<Diagnostic> diagnostics_;
};

// For the completion of shells: what the last argument can become, one word a line.
int complete(const std::vector<std::string>& arguments, std::ostream& out) {
  std::vector<std::string> given(arguments.begin() + 1, arguments.end());
  if (!given.empty() && given.front() == "--") given.erase(given.begin());
  std::string api = "unix:" + std::string(kDefaultSocket);
  for (std::size_t i = 0; i + 1 < given.size(); ++i)
    if (given[i] == "--api") api = given[i + 1];
  const auto names = [&api] {
    ClientOptions options;
    options.connect_timeout = options.timeout = std::chrono::seconds(1);
    std::string ignored;
    const auto address = parse_api_address(api);
    const auto reply = address ? get(*address, "/api/v1/peers", options, ignored) : std::nullopt;
    return reply ? names_of(reply->body, "peers") : std::vector<std::string>();
  };
  for (const std::string& word : candidates(given, names)) out << printable(word) << '\n';
  return kExitDone;
}

}  // namespace

int run_command_line(const std::vector<std::string>& arguments, const Commands& commands,
                     std::ostream& out, std::ostream& err) {
  if (!arguments.empty() && arguments.front() == "complete") return complete(arguments, out);
  const ParsedCommandLine parsed = parse_command_line(arguments, commands.version);
  if (parsed.line) return Runner(*parsed.line, commands, out, err).run();
  (parsed.exit_code == kExitDone ? out : err) << parsed.text;
  return parsed.exit_code;
}

}  // namespace lapwing::collector
