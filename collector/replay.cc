#include "collector/replay.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include "collector/mrt_source.h"
#include "collector/setup.h"
#include "rib/engine.h"
#include "sinks/event_json.h"

namespace lapwing::collector {

namespace {

/// Prints events; nothing is stored, so every commit is as durable as it will ever be.
class Printer final : public rib::CommitSink {
 public:
  void submit(rib::Commit&& commit) override {
    last_ = commit.sequence;
    for (const Event& event : commit.events) {
      ++counts_[event.type];
      sinks::append_event_json(text_, event);
      text_ += '\n';
    }
    if (text_.size() >= kFlushAt) flush();
  }
  std::uint64_t durable_sequence() const override { return last_; }

  void flush() {
    failed_ |= std::fwrite(text_.data(), 1, text_.size(), stdout) != text_.size();
    failed_ |= std::fflush(stdout) != 0;
    text_.clear();
  }
  bool failed() const { return failed_; }
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  static constexpr std::size_t kFlushAt = 1 << 16;
  std::string text_;
  std::map<std::string, std::uint64_t> counts_;
  std::uint64_t last_ = 0;
  bool failed_ = false;
};

MrtSource::NameOf names_of(const Config& config) {
  std::map<IpAddress, std::string> names;
  for (const bgp::NeighborConfig& neighbor : config.neighbors)
    if (!neighbor.range) names.emplace(neighbor.address, neighbor.name);
  return [names = std::move(names)](const IpAddress& address) -> std::optional<std::string> {
    const auto it = names.find(address);
    return it == names.end() ? std::nullopt : std::optional(it->second);
  };
}

void print_summary(const MrtStatistics& s, const rib::Engine& engine, const Printer& printer) {
  const rib::EngineCounters& c = engine.counters();
  for (const MrtWarning& warning : s.warnings)
    fmt::print(stderr, "{}: offset {}: warning: {}\n", warning.file, warning.offset,
               warning.reason);
  if (s.warning_count > s.warnings.size())
    fmt::print(stderr, "{} more warnings\n", s.warning_count - s.warnings.size());
  fmt::print(stderr, "files={} octets={} records={} malformed={}\n", s.files, s.octets, s.records,
             s.malformed);
  if (s.first_time)
    fmt::print(stderr, "from={} to={}\n", format_rfc3339(*s.first_time),
               format_rfc3339(*s.last_time));
  fmt::print(stderr, "table_prefixes={} table_entries={}\n", s.prefixes, s.table_entries);
  fmt::print(stderr, "updates={} announcements={} withdrawals={} end_of_rib={}\n", s.updates,
             s.announcements, s.withdrawals, s.end_of_ribs);
  fmt::print(stderr, "treated_as_withdraw={} attributes_discarded={}\n", s.treated_as_withdraw,
             s.attributes_discarded);
  fmt::print(stderr, "peers={} prefixes={} routes={} paths={} changes={} duplicates={}\n",
             engine.peer_names().size(), c.prefixes.load(), c.routes.load(), c.paths.load(),
             c.changes.load(), c.duplicates.load());
  fmt::print(stderr, "events={}", c.events.load());
  for (const auto& [type, count] : printer.counts()) fmt::print(stderr, " {}={}", type, count);
  fmt::print(stderr, "\n");
}

}  // namespace

int replay(const std::optional<Config>& given, const std::vector<std::string>& files) {
  std::vector<Diagnostic> diagnostics;
  std::optional<Config> config = given;
  if (!config) {
    LoadOptions options;
    options.live = false;
    config = parse_config("", "defaults", diagnostics, options);
  }
  Printer printer;
  rib::Engine engine(engine_options(*config, true), printer);
  for (auto& detector : make_detectors(*config, diagnostics))
    engine.add_detector(std::move(detector));
  for (const Diagnostic& diagnostic : diagnostics)
    fmt::print(stderr, "{}\n", format_diagnostic(diagnostic));
  if (has_errors(diagnostics)) return 1;
  engine.end_restore();

  MrtSource source([&](bgp::RecordBatch& batch) { engine.process(batch); }, names_of(*config));
  bool opened = true;
  for (const std::string& file : files) opened &= source.read_file(file);
  source.finish();
  engine.finish();
  printer.flush();
  print_summary(source.statistics(), engine, printer);
  if (printer.failed()) fmt::print(stderr, "standard output: cannot be written\n");
  return opened && !printer.failed() ? 0 : 1;
}

}  // namespace lapwing::collector
