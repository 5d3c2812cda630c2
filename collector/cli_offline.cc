#include "collector/cli_offline.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

namespace lapwing::collector {
namespace {

void set_time(const std::string& text, std::optional<Timestamp>& out) {
  out = parse_rfc3339(text);
  if (!out)
    throw CLI::ValidationError(
        fmt::format("\"{}\" is no time such as 2017-10-01T09:07:51Z", text));
}

/// A prefix with its more-specifics, or an origin: "131279" or "AS131279".
void add_watch(std::string_view text, Watch& watch) {
  if (const auto prefix = parse_prefix(text)) {
    watch.prefixes.push_back(*prefix);
    return;
  }
  std::string_view digits = text;
  if (digits.starts_with("AS") || digits.starts_with("as")) digits.remove_prefix(2);
  Asn as = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), as);
  if (bad != std::errc{} || end != digits.data() + digits.size() || as == 0)
    throw CLI::ValidationError(fmt::format(
        "\"{}\" is neither an AS number nor a prefix without host bits", text));
  watch.origins.push_back(as);
}

CLI::Option* add_config(CLI::App& app, CommandLine& line, const std::string& fallback) {
  return app
      .add_option("-c,--config", line.config_path, fmt::format("configuration file [{}]", fallback))
      ->type_name("FILE");
}

}  // namespace

void OfflineCommands::add(CLI::App& app, CommandLine& line) {
  add_replay(app, line);
  add_dump(app, line);
  add_db(app, line);
}

void OfflineCommands::add_replay(CLI::App& app, CommandLine& line) {
  CLI::App& replay = *app.add_subcommand(
      "replay", "detectors over MRT files, in order; events go to standard output");
  add_config(replay, line, "none");
  ReplayOptions& options = line.replay;
  replay.add_flag("--merge", options.merge,
                  "read the files side by side, in order of time: several collectors");
  replay
      .add_option_function<std::string>(
          "--from", [&options](const std::string& text) { set_time(text, options.from); },
          "print events from this time on; what is before teaches")
      ->type_name("TIME");
  replay
      .add_option_function<std::string>(
          "--to", [&options](const std::string& text) { set_time(text, options.to); },
          "leave out what is later than this")
      ->type_name("TIME");
  replay
      .add_option_function<std::vector<std::string>>(
          "--watch",
          [&options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) add_watch(text, options.watch);
          },
          "watch this origin, or prefix with its more-specifics, too; may be repeated")
      ->type_name("AS|PREFIX")
      ->expected(1)
      ->take_all();
  replay.add_option("files", options.files, "MRT files, also gz, bz2, zst, xz; - is standard input")
      ->required()
      ->type_name("FILE");
  replay.callback([&line] {
    line.verb = Verb::kReplay;
    if (line.replay.from && line.replay.to && *line.replay.to < *line.replay.from)
      throw CLI::ValidationError("--to is earlier than --from");
  });
}

void OfflineCommands::add_dump(CLI::App& app, CommandLine& line) {
  CLI::App& dump =
      *app.add_subcommand("dump", "the stored tables as an MRT file, beside a running daemon or not");
  add_config(dump, line, std::string(kDefaultConfigPath));
  dump.add_option("-o,--output", line.dump.output, "file to write [standard output]")
      ->type_name("FILE");
  dump.add_option("--peer", line.dump.peers, "of this neighbour only; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  dump.add_option_function<std::string>(
          "--at", [&line](const std::string& text) { set_time(text, line.dump.at); },
          "as the tables were at that time, by the history")
      ->type_name("TIME");
  dump.callback([&line] {
    line.verb = Verb::kDump;
    if (line.config_path.empty()) line.config_path = kDefaultConfigPath;
  });
}

void OfflineCommands::add_db(CLI::App& app, CommandLine& line) {
  CLI::App& db = *app.add_subcommand("db", "the store itself: check");
  db.require_subcommand(1);
  CLI::App& check =
      *db.add_subcommand("check", "look for damage, beside a running daemon or not; changes nothing");
  add_config(check, line, std::string(kDefaultConfigPath));
  check.callback([&line] {
    line.verb = Verb::kDbCheck;
    if (line.config_path.empty()) line.config_path = kDefaultConfigPath;
  });
}

}  // namespace lapwing::collector
