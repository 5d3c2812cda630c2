#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <limits>
#include <sstream>

#include "collector/cli.h"
#include "collector/cli_offline.h"
#include "collector/client.h"
#include "collector/config_text.h"

namespace lapwing::collector {
namespace {

// What `show` can be followed by, as it is written in full; the other names mean the same.
struct Word {
  const char* text;
  const char* meaning;
};
constexpr Word kShowWords[] = {
    {"peers", "peers"},         {"peer", "peer"},     {"neighbors", "peers"},
    {"neighbor", "peer"},       {"route", "route"},   {"routes", "route"},
    {"upstreams", "upstreams"}, {"events", "events"}, {"status", "status"},
};

// The full word for `word`, where it is one, or where it abbreviates words of one meaning only.
std::string full_word(const std::string& word) {
  std::string found;
  for (const Word& known : kShowWords) {
    if (word == known.text) return known.meaning;
    if (!std::string_view(known.text).starts_with(word)) continue;
    if (!found.empty() && found != known.meaning) return word;
    found = known.meaning;
  }
  return found.empty() ? word : found;
}

std::vector<std::string> complete_words(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments.front() != "show") return arguments;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i] == "--api") {
      ++i;
    } else if (arguments[i].empty() || arguments[i].front() != '-') {
      arguments[i] = full_word(arguments[i]);
      break;
    }
  }
  return arguments;
}

struct RouteArguments {
  std::vector<std::string> words;
  bool longer = false;
  bool shorter = false;
  bool longest = false;
  std::string peer;
  unsigned limit = 0;
};

struct EventArguments {
  std::string since;
  std::string type;
  unsigned limit = 0;
};

class Query {
 public:
  explicit Query(std::string target) : target_(std::move(target)) {}
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    target_ += first_ ? '?' : '&';
    first_ = false;
    target_ += fmt::format("{}={}", name, percent_encode(value));
  }
  std::string take() { return std::move(target_); }

 private:
  std::string target_;
  bool first_ = true;
};

std::string route_target(const RouteArguments& route) {
  constexpr const char* kUsage = "`show route` takes PREFIX, or `for` and an address";
  std::string match = route.longer ? "longer" : route.shorter ? "shorter" : "exact";
  if (route.longest) match = "longest";
  std::string text = route.words.back();
  if (route.words.size() == 2 && route.words.front() != "for") throw CLI::ValidationError(kUsage);
  if (text.find('/') == std::string::npos) {
    const auto address = parse_address(text);
    if (!address) throw CLI::ValidationError(fmt::format("\"{}\": {}", text, kUsage));
    text = format_prefix(Prefix::make(*address, address->version == IpVersion::kV4 ? 32 : 128));
    if (!route.longer && !route.shorter) match = "longest";
  } else {
    const auto prefix = parse_prefix(text);
    if (!prefix) {
      const auto masked = parse_prefix(text, true);
      throw CLI::ValidationError(
          masked ? fmt::format("{} has bits set beyond its length; the prefix is {}", text,
                               format_prefix(*masked))
                 : fmt::format("\"{}\" is no prefix such as 203.0.113.0/24", text));
    }
    text = format_prefix(*prefix);
    if (route.words.size() == 2) match = "longest";
  }
  Query query("/api/v1/routes");
  query.add("prefix", text);
  query.add("match", match);
  query.add("peer", route.peer);
  if (route.limit > 0) query.add("limit", std::to_string(route.limit));
  return query.take();
}

std::string event_target(const std::string& path, const EventArguments& events) {
  Query query(path);
  query.add("since", events.since);
  query.add("type", events.type);
  if (events.limit > 0) query.add("limit", std::to_string(events.limit));
  return query.take();
}

// "131279" or "AS131279".
std::string upstreams_target(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with("AS") || digits.starts_with("as")) digits.remove_prefix(2);
  Asn as = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), as);
  if (error != std::errc{} || end != digits.data() + digits.size() || as == 0)
    throw CLI::ValidationError(fmt::format("\"{}\" is no AS number", text));
  return fmt::format("/api/v1/origins/{}/upstreams", as);
}

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
    app_.footer(
        "Exit codes: 0 done, 1 not found or check failed, 2 usage, 3 no daemon.\n"
        "LAPWING_TOKEN holds the token of an API that asks for one.");
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
    app->add_option("--api", line_.api, "unix:/path or http://host:port")->type_name("URL");
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
    CLI::App* route =
        add_subject("route", "PREFIX | for IP: what each neighbour announces", Subject::kRoute);
    route->add_option("prefix", route_.words, "PREFIX, or: for IP")
        ->required()
        ->expected(1, 2)
        ->type_name("");
    auto* longer = route->add_flag("--longer", route_.longer, "the prefix and more specific ones");
    auto* shorter =
        route->add_flag("--shorter", route_.shorter, "the prefix and less specific ones");
    auto* longest =
        route->add_flag("--longest", route_.longest, "the most specific one that covers it");
    longer->excludes(shorter)->excludes(longest);
    shorter->excludes(longest);
    route->add_option("--peer", route_.peer, "of this neighbour only")->type_name("NAME");
    add_limit(route, route_.limit);
    CLI::App* upstreams =
        add_subject("upstreams", "the upstreams of an origin AS", Subject::kUpstreams);
    upstreams->add_option("as", name_, "131279 or AS131279")->required()->type_name("AS");
    CLI::App* events = add_subject("events", "the event journal", Subject::kEvents);
    add_event_options(events);
    add_limit(events, events_.limit);
    add_subject("status", "the collector itself", Subject::kStatus);
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
  }

  // CLI11 would say that a command is required, not that this is none.
  static void check_command(const std::vector<std::string>& arguments) {
    const std::vector<std::string> known{"run", "check", "replay", "dump", "show", "monitor"};
    if (arguments.empty() || arguments.front().starts_with('-')) return;
    const std::string& word = arguments.front();
    if (std::find(known.begin(), known.end(), word) != known.end()) return;
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
    if (!show_->parsed() && !monitor_->parsed()) return;
    line_.verb = show_->parsed() ? Verb::kShow : Verb::kMonitor;
    if (!parse_api_address(line_.api))
      throw CLI::ValidationError(
          fmt::format("--api: \"{}\" is neither unix:/path nor http://host:port", line_.api));
    line_.target = show_->parsed() ? show_target() : event_target("/api/v1/events/stream", events_);
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
    }
    return {};
  }

  CLI::App app_{"Lapwing, a BGP collector that tells when upstreams and paths change", "lapwing"};
  CommandLine line_;
  OfflineCommands offline_;
  RouteArguments route_;
  EventArguments events_;
  std::string name_;
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
