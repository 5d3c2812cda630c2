#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "collector/cli.h"
#include "collector/cli_offline.h"
#include "collector/cli_query.h"
#include "collector/cli_words.h"
#include "collector/client.h"
#include "collector/config_text.h"
#include "lapwing/event.h"

namespace lapwing::collector {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& version) {
    line_.api = "unix:" + std::string(kDefaultSocket);
    app_.set_version_flag("--version", version, "print the version");
    app_.require_subcommand(1);
    app_.get_formatter()->column_width(34);
    add_programs();
    add_show();
    add_monitor();
    add_writes();
    app_.footer(
        "Exit codes: 0 done, 1 not found or check failed, 2 usage, 3 no daemon.\n"
        "LAPWING_TOKEN holds the token of an API that asks for one, LAPWING_CA the file of the\n"
        "authorities for https:// where the system's are not meant.");
  }

  ParsedCommandLine parse(const std::vector<std::string>& arguments) {
    std::vector<std::string> reversed = complete_words(arguments);
    std::reverse(reversed.begin(), reversed.end());
    try {
      check_command(arguments);
      app_.parse(std::move(reversed));
      finish();
    } catch (const CLI::ParseError& error) {
      std::ostringstream out, complaint;
      const int code = app_.exit(error, out, complaint);
      if (code == 0) return {std::nullopt, kExitDone, out.str()};
      return {std::nullopt, kExitUsage, "lapwing: " + complaint.str()};
    }
    return {line_, kExitDone, ""};
  }

 private:
  CLI::App* add(CLI::App* parent, const char* name, const char* what) {
    return parent->add_subcommand(name, what);
  }

  void add_config(CLI::App* app, const char* fallback) {
    app->add_option("-c,--config", line_.config_path,
                    fmt::format("configuration file [{}]", fallback))
        ->type_name("FILE");
  }

  void add_api(CLI::App* app) {
    app->add_option("--api", line_.api, "unix:/path, http://host:port or https://host:port")->type_name("URL");
    app->add_flag("-j,--json", line_.json, "print the API's JSON");
  }

  void add_programs() {
    run_ = add(&app_, "run", "the collector");
    add_config(run_, kDefaultConfigPath.data());
    check_ = add(&app_, "check", "validate the configuration");
    add_config(check_, kDefaultConfigPath.data());
    offline_.add(app_, line_);
  }

  CLI::App* add_subject(const char* name, const char* what, Subject subject) {
    CLI::App* app = add(show_, name, what);
    add_api(app);
    app->callback([this, subject] { line_.subject = subject; });
    return app;
  }

  void add_show() {
    show_ = add(&app_, "show", "ask the daemon; words may be abbreviated");
    show_->require_subcommand(1);
    add_api(show_);
    add_subject("peers", "all neighbours (also: neighbors)", Subject::kPeers);
    CLI::App* peer = add_subject("peer", "one neighbour (also: neighbor)", Subject::kPeer);
    peer->add_option("name", name_, "configured name")->required()->type_name("NAME");
    CLI::App* route = add_subject(
        "route", "PREFIX | for IP | all, and filters: what each neighbour announces",
        Subject::kRoute);
    route->footer(
        "Words: exact, longer-prefixes, or-shorter, neighbor NAME, source-as AS, transit-as AS,\n"
        "as AS, community C, family F, count, all.");
    add_route_words(route);
    auto* longer = route->add_flag("--longer", route_.longer, "the prefix and more specific ones");
    auto* shorter =
        route->add_flag("--shorter", route_.shorter, "the prefix and less specific ones");
    auto* longest =
        route->add_flag("--longest", route_.longest, "the most specific one that covers it");
    longer->excludes(shorter)->excludes(longest);
    shorter->excludes(longest);
    route->add_flag("--ndjson", route_.lines, "every route as one line of JSON, without a limit");
    route->add_option("--peer", route_.peer, "of this neighbour only")->type_name("NAME");
    route->add_option("--after", route_.after, "the page after this one")->type_name("NEXT");
    add_limit(route, route_.limit);
    CLI::App* upstreams =
        add_subject("upstreams", "the upstreams of an origin AS", Subject::kUpstreams);
    upstreams->add_option("as", name_, "131279 or AS131279")->required()->type_name("AS");
    CLI::App* events = add_subject("events", "the event journal", Subject::kEvents);
    add_event_options(events);
    add_limit(events, events_.limit);
    add_subject("status", "the collector itself", Subject::kStatus);
    add_more_subjects();
  }

  void add_more_subjects() {
    CLI::App* history =
        add_subject("history", "changes of a prefix, newest first", Subject::kHistory);
    history->add_option("prefix", name_, "a prefix, or an address")->required()->type_name("PREFIX");
    history->add_option("--peer", route_.peer, "of this neighbour only")->type_name("NAME");
    add_time(history, "--since", events_.since, "from this time");
    add_time(history, "--until", events_.until, "up to this time");
    add_limit(history, events_.limit);
    CLI::App* blind =
        add_subject("blind", "when neighbours were not heard", Subject::kBlind);
    blind->add_option("name", name_, "of this neighbour only")->type_name("NAME");
    add_time(blind, "--at", events_.since, "at this moment");
    add_subject("sinks", "where events go, and how far they have come", Subject::kSinks);
    add_subject("detectors", "the detectors", Subject::kDetectors);
    CLI::App* suppressed =
        add_subject("suppressed", "events that were not told, and why", Subject::kSuppressed);
    suppressed->add_option("rule", name_, "the events of this rule only")->type_name("RULE");
  }

  static void add_time(CLI::App* app, const char* name, std::string& out, const char* what) {
    app->add_option(name, out, what)->type_name("TIME")->check([](const std::string& text) {
      return parse_rfc3339(text) ? std::string()
                                 : std::string("must be a time such as 2017-10-01T09:07:51Z");
    });
  }

  void add_route_words(CLI::App* app) {
    app->add_option("words", route_.words, "")->expected(0, -1)->type_name("");
  }

  void add_event_options(CLI::App* app) {
    app->add_option("--since", events_.since, "after this event, or from this time (RFC 3339)")
        ->type_name("NUMBER|TIME")
        ->check([](const std::string& text) {
          const bool number = !text.empty() && text.find_first_not_of("0123456789") == text.npos;
          if (number || parse_rfc3339(text)) return std::string();
          return std::string("must be the number of an event or a time, 2017-10-01T09:07:51Z");
        });
    app->add_option("--type", events_.type, "of this type only")->type_name("TYPE");
    app->add_option("--origin", events_.origin, "of this origin AS")->type_name("AS");
    app->add_option("--upstream", events_.upstream, "of this upstream AS")->type_name("AS");
    app->add_option("--peer", events_.peer, "shown by this neighbour")->type_name("NAME");
    app->add_option("--severity", events_.severity, "of this severity or graver")
        ->type_name("SEVERITY")
        ->check([](const std::string& text) {
          return parse_severity(text) ? std::string()
                                      : std::string("must be one of emergency to debug");
        });
  }

  void add_limit(CLI::App* app, unsigned& limit) {
    app->add_option("--limit", limit, "at most so many")
        ->type_name("N")
        ->check(CLI::Range(1u, 100000000u));
  }

  void add_monitor() {
    monitor_ = add(&app_, "monitor", "follow the daemon");
    monitor_->require_subcommand(1);
    add_api(monitor_);
    CLI::App* events = add(monitor_, "events", "print each event as it is raised");
    add_api(events);
    add_event_options(events);
    updates_ = add(monitor_, "updates", "PREFIX and filters as of show route: each change");
    add_api(updates_);
    add_route_words(updates_);
    updates_->add_option("--peer", route_.peer, "of this neighbour only")->type_name("NAME");
  }

  void add_writes() {
    peer_ = add(&app_, "peer", "NAME clear | refresh | enable | disable");
    add_api(peer_);
    peer_->add_option("name", name_, "configured name")->required()->type_name("NAME");
    peer_->add_option("action", action_, "clear, refresh, enable or disable")
        ->required()
        ->type_name("ACTION")
        ->check([](const std::string& text) {
          for (const Word& word : peer_words())
            if (word.text == text) return std::string();
          return std::string("must be clear, refresh, enable or disable");
        });
    peer_->add_option("--text", text_, "told to the neighbour with clear and disable (RFC 9003)")
        ->type_name("TEXT");
    reload_ = add(&app_, "reload", "let the daemon read its configuration again");
    add_api(reload_);
  }

  // CLI11 would say that a command is required, not that this is none.
  static void check_command(const std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments.front().starts_with('-')) return;
    const std::string& word = arguments.front();
    std::vector<std::string> known;
    for (const Word& command : command_words()) {
      if (full_word(command_words(), word) == command.meaning) return;
      if (command.text == command.meaning) known.emplace_back(command.text);
    }
    const auto near = nearest(word, known);
    throw CLI::ValidationError(fmt::format("no command \"{}\"; {}", word,
                                           near
                                               ? fmt::format("did you mean \"{}\"?", *near)
                                               : fmt::format("known: {}", fmt::join(known, ", "))));
  }

  void finish() {
    if (run_->parsed() || check_->parsed()) {
      line_.verb = run_->parsed() ? Verb::kRun : Verb::kCheck;
      if (line_.config_path.empty()) line_.config_path = kDefaultConfigPath;
      return;
    }
    if (!show_->parsed() && !monitor_->parsed() && !peer_->parsed() && !reload_->parsed()) return;
    line_.verb = show_->parsed()      ? Verb::kShow
                 : monitor_->parsed() ? Verb::kMonitor
                                      : Verb::kWrite;
    if (!parse_api_address(line_.api))
      throw CLI::ValidationError(
          fmt::format("--api: \"{}\" is none of unix:/path, http://host:port and https://host:port", line_.api));
    if (line_.verb == Verb::kShow) {
      line_.target = show_target();
      line_.lines = route_.lines;
    } else if (line_.verb == Verb::kMonitor) {
      line_.target = updates_->parsed() ? updates_target(route_)
                                        : event_target("/api/v1/events/stream", events_);
      line_.subject = updates_->parsed() ? Subject::kUpdates : Subject::kEvents;
    } else if (reload_->parsed()) {
      line_.target = "/api/v1/reload";
    } else {
      line_.target = fmt::format("/api/v1/peers/{}/{}", percent_encode(name_), action_);
      line_.text = text_;
      if (!text_.empty() && action_ != "clear" && action_ != "disable")
        throw CLI::ValidationError("--text goes with clear and disable");
    }
  }

  std::string show_target() const {
    switch (line_.subject) {
      case Subject::kPeers:
        return "/api/v1/peers";
      case Subject::kPeer:
        return "/api/v1/peers/" + percent_encode(name_);
      case Subject::kRoute:
        return route_target(route_);
      case Subject::kUpstreams:
        return upstreams_target(name_);
      case Subject::kEvents:
        return event_target("/api/v1/events", events_);
      case Subject::kStatus:
        return "/api/v1/status";
      case Subject::kHistory:
        return history_target(name_, route_.peer, events_);
      case Subject::kBlind:
        return blind_target(name_, events_.since);
      case Subject::kSinks:
        return "/api/v1/sinks";
      case Subject::kDetectors:
        return "/api/v1/detectors";
      case Subject::kSuppressed:
        return suppressed_target(name_);
      case Subject::kUpdates:
        break;
    }
    return {};
  }

  CLI::App app_{"Lapwing, a BGP collector that tells when upstreams and paths change", "lapwing"};
  CommandLine line_;
  OfflineCommands offline_;
  RouteArguments route_;
  EventArguments events_;
  std::string name_;
  std::string action_;
  std::string text_;
  CLI::App* updates_ = nullptr;
  CLI::App* peer_ = nullptr;
  CLI::App* reload_ = nullptr;
  CLI::App* run_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* show_ = nullptr;
  CLI::App* monitor_ = nullptr;
};

}  // namespace

ParsedCommandLine parse_command_line(const std::vector<std::string>& arguments,
                                     const std::string& version) {
  return Parser(version).parse(arguments);
}

}  // namespace lapwing::collector
