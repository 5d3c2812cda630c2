#include "collector/setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include "detectors/plugin.h"
#include "detectors/suppression.h"
#include "sinks/registry.h"
#include "sinks/sink_set.h"

namespace lapwing::collector {

namespace {

/// A journal for sinks that are made to be checked and never started.
class NoJournal final : public Journal {
 public:
  std::vector<JournalEntry> read_after(std::uint64_t, std::size_t) const override { return {}; }
  std::uint64_t last() const override { return 0; }
  std::uint64_t first() const override { return 1; }
  std::uint64_t cursor(std::string_view) override { return 0; }
  void set_cursor(std::string_view, std::uint64_t) override {}
  void release(std::string_view) override {}
  int subscribe(std::function<void()>) override { return 0; }
  void unsubscribe(int) override {}
};

std::string directory_of(const std::string& file) {
  return std::filesystem::path(file).parent_path().string();
}

std::uint64_t steady_nanoseconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

}  // namespace

const char kVersion[] = LAPWING_VERSION;

LoadOptions load_options() {
  LoadOptions options;
  for (const std::string_view name : detector_names()) options.detectors.emplace_back(name);
  for (const std::string_view name : sinks::sink_kinds()) options.sinks.emplace_back(name);
  return options;
}

namespace {

/// A rule may be written before what it is meant for; more often a name is misspelt.
void warn_of_unknown(const Config& config, const SettingsTable& table,
                     const detectors::SuppressionRule& rule, std::vector<Diagnostic>& diagnostics) {
  const auto warn = [&](const char* key, std::string text) {
    const auto place = table.positions.find(key);
    diagnostics.push_back({config.file, place == table.positions.end() ? table.at : place->second,
                           DiagnosticKind::kWarning, std::move(text)});
  };
  for (const std::string& type : rule.types)
    if (!has_plugins(config) && !is_built_in_event_type(type))
      warn("types", fmt::format("no detector raises events of type \"{}\"", type));
  for (const std::string& peer : rule.peers)
    if (std::ranges::count(config.neighbors, peer, &bgp::NeighborConfig::name) == 0 &&
        !parse_address(peer))
      warn("peers", fmt::format("no neighbour is called \"{}\"", peer));
}

}  // namespace

bool has_plugins(const Config& config) {
  const std::vector<std::string_view> built_in = detector_names();
  return std::ranges::any_of(config.detectors, [&](const SettingsTable& detector) {
    return std::ranges::count(built_in, detector.name) == 0;
  });
}

std::vector<std::unique_ptr<Detector>> make_detectors(const Config& config,
                                                      std::vector<Diagnostic>& diagnostics) {
  std::vector<std::unique_ptr<Detector>> made;
  std::vector<detectors::SuppressionRule> rules;
  for (const SettingsTable& table : config.suppressions) {
    Settings settings = table.settings;
    rules.push_back(detectors::read_suppression_rule(settings));
    note_setting_errors(config, table, settings.finish(), diagnostics);
    warn_of_unknown(config, table, rules.back(), diagnostics);
  }
  made.push_back(detectors::make_suppression(std::move(rules)));
  const auto make = [&](const SettingsTable& table, auto&& maker) {
    Settings settings = table.settings;
    std::unique_ptr<Detector> detector = maker(settings);
    note_setting_errors(config, table, settings.finish(), diagnostics);
    if (detector) made.push_back(std::move(detector));
  };
  const std::vector<std::string_view> built_in = detector_names();
  for (const std::string_view name : built_in) {
    const auto table = std::find_if(config.detectors.begin(), config.detectors.end(),
                                    [&](const SettingsTable& t) { return t.name == name; });
    const bool disabled = std::ranges::count(config.disabled_detectors, name) != 0;
    if (table == config.detectors.end() && (disabled || !runs_by_default(name))) continue;
    make(table == config.detectors.end() ? SettingsTable{std::string(name), {}, {}, {}, {}} : *table,
         [name](Settings& settings) { return make_detector(name, settings); });
  }
  for (const SettingsTable& table : config.detectors) {
    if (std::ranges::count(built_in, table.name) != 0) continue;
    make(table, [&](Settings& settings) {
      return detectors::load_plugin(table.name, directory_of(config.file), settings);
    });
  }
  if (made.size() == 1)
    diagnostics.push_back({config.file, {}, DiagnosticKind::kWarning,
                           "no detector is enabled: routes are kept, no event will be raised"});
  return made;
}

void check_settings(const Config& config, std::vector<Diagnostic>& diagnostics) {
  make_detectors(config, diagnostics);
  NoJournal journal;
  sinks::SinkSet sinks(journal, {"lapwing", kVersion});
  for (const SettingsTable& table : config.sinks) {
    Settings settings = table.settings;
    sinks.add(table.name, settings);
    note_setting_errors(config, table, settings.finish(), diagnostics);
  }
}

rib::EngineOptions engine_options(const Config& config, bool replay) {
  // No store to make room in: some megabytes more, and what flaps need not be judged anew.
  constexpr std::size_t kPathsKeptInReplay = 1 << 16;
  rib::EngineOptions options;
  options.replay = replay;
  options.watch = config.watch;
  options.route_server_ases = config.route_server_ases;
  if (replay)
    options.paths_kept = kPathsKeptInReplay;
  else
    options.stopwatch = steady_nanoseconds;
  return options;
}

}  // namespace lapwing::collector
