#include "collector/setup.h"

#include <algorithm>
#include <chrono>
#include <utility>

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
  int subscribe(std::function<void()>) override { return 0; }
  void unsubscribe(int) override {}
};

std::uint64_t steady_nanoseconds() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

}  // namespace

const char kVersion[] = LAPWING_VERSION;

std::vector<std::unique_ptr<Detector>> make_detectors(const Config& config,
                                                      std::vector<Diagnostic>& diagnostics) {
  std::vector<std::unique_ptr<Detector>> detectors;
  for (const std::string_view name : detector_names()) {
    const auto table = std::find_if(config.detectors.begin(), config.detectors.end(),
                                    [&](const SettingsTable& t) { return t.name == name; });
    if (table == config.detectors.end()) continue;
    Settings settings = table->settings;
    std::unique_ptr<Detector> detector = make_detector(name, settings);
    note_setting_errors(config, *table, settings.finish(), diagnostics);
    if (detector) detectors.push_back(std::move(detector));
  }
  return detectors;
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
  rib::EngineOptions options;
  options.replay = replay;
  options.watch = config.watch;
  options.route_server_ases = config.route_server_ases;
  if (!replay) options.stopwatch = steady_nanoseconds;
  return options;
}

}  // namespace lapwing::collector
