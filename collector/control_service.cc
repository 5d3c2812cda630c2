#include "collector/control_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "collector/log.h"
#include "collector/setup.h"

namespace lapwing::collector {

namespace {

using Kind = ControlResult::Kind;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kReplaceWait{30000};
constexpr std::chrono::milliseconds kDurableWait{5000};

std::string join(const std::vector<std::string>& items) {
  return fmt::format("{}", fmt::join(items, ", "));
}

bool knows_refresh(const PeerStatus& peer) {
  return std::any_of(peer.capabilities.begin(), peer.capabilities.end(),
                     [](const std::string& text) { return text.starts_with("route-refresh"); });
}

}  // namespace

std::vector<std::unique_ptr<Detector>> make_engine_detectors(const Config& config, UpdateRing& ring,
                                                             std::vector<Diagnostic>& diagnostics) {
  auto detectors = make_detectors(config, diagnostics);
  detectors.push_back(make_tap(ring));
  return detectors;
}

ControlResult ControlService::peer(std::string_view name, PeerAction action,
                                   std::string_view text) {
  const std::vector<PeerStatus> peers = parts_.speaker.statuses();
  const auto peer = std::find_if(peers.begin(), peers.end(),
                                 [&](const PeerStatus& p) { return p.name == name; });
  if (peer == peers.end())
    return {Kind::kUnknown, fmt::format("no neighbour is called '{}'", name), {}};
  const bool up = peer->state == "Established";
  const auto done = [&](std::string_view what) {
    std::string line = fmt::format("{} {}", name, what);
    log().notice("control", "{}{}{}", line, text.empty() ? "" : ": ", text);
    return ControlResult{Kind::kDone, std::move(line), {}};
  };
  switch (action) {
    case PeerAction::kClear:
      if (!peer->enabled)
        return {Kind::kRefused, fmt::format("{} is disabled; enable it", name), {}};
      parts_.speaker.clear(name, std::string(text));
      return done("is cleared");
    case PeerAction::kRefresh:
      if (!up) return {Kind::kRefused, fmt::format("{} is not established", name), {}};
      if (!knows_refresh(*peer))
        return {Kind::kRefused, fmt::format("{} does not know route refresh (RFC 2918)", name), {}};
      parts_.speaker.refresh(name);
      return done("is asked for its routes");
    case PeerAction::kEnable:
      if (peer->enabled) return {Kind::kDone, fmt::format("{} was enabled already", name), {}};
      parts_.speaker.enable(name);
      return done("is enabled");
    case PeerAction::kDisable:
      if (!peer->enabled) return {Kind::kDone, fmt::format("{} was disabled already", name), {}};
      parts_.speaker.disable(name, std::string(text));
      return done("is disabled");
  }
  return {Kind::kRefused, "this is no action", {}};
}

ControlResult ControlService::reload() {
  const std::lock_guard lock(mutex_);
  ControlResult result = reload_locked();
  if (result.kind == Kind::kDone) {
    log().notice("config", "{}{}{}", result.detail, result.lines.empty() ? "" : ": ",
                 join(result.lines));
  } else {
    log().error("config", "{}", result.detail);
    for (const std::string& line : result.lines) log().error("config", "{}", line);
  }
  return result;
}

ControlResult ControlService::reload_locked() {
  std::vector<Diagnostic> diagnostics;
  std::optional<Config> next = load_config(path_, diagnostics, load_options());
  if (next) check_settings(*next, diagnostics);
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : diagnostics) lines.push_back(format_diagnostic(diagnostic));
  if (!next || has_errors(diagnostics))
    return {Kind::kRefused, path_ + " is not valid; nothing was changed", std::move(lines)};
  for (const std::string& line : lines) log().warning("config", "{}", line);

  const ConfigChanges changes = compare_configs(config_, *next);
  if (!changes.restart.empty())
    return {Kind::kRefused,
            "these changes need a restart; nothing was changed: " + join(changes.restart),
            {}};
  const sinks::HttpRenewal certificate = parts_.certificate();
  if (!certificate.wrong.empty())
    return {Kind::kRefused, "nothing was changed: " + certificate.wrong, {}};
  if (changes.lines.empty() && !changes.neighbors && !certificate.use)
    return {Kind::kDone, path_ + " was read; nothing differs", {}};
  // Detectors first: they alone can fail.
  if (changes.detectors)
    if (std::string wrong = replace_detectors(*next); !wrong.empty())
      return {Kind::kRefused, "nothing was changed: " + wrong, {}};
  if (changes.sinks) {
    std::vector<sinks::SinkSet::Table> tables;
    for (const SettingsTable& table : next->sinks) tables.push_back({table.name, table.settings});
    parts_.sinks.configure(std::move(tables));
  }
  log().set_level(next->log_level);
  parts_.removed.configure(*next);
  if (changes.neighbors) parts_.speaker.configure(next->neighbors);
  config_ = std::move(*next);
  lines = changes.lines;
  if (certificate.use) {
    certificate.use();
    lines.push_back(certificate.said);
  }
  return {Kind::kDone, path_ + " was read", std::move(lines)};
}

// What went wrong; empty where they are replaced.
std::string ControlService::replace_detectors(const Config& config) {
  std::vector<Diagnostic> diagnostics;
  auto detectors = make_engine_detectors(config, parts_.updates, diagnostics);
  std::string wrong;
  const bool ran = parts_.engine_thread.run(
      [&](rib::Engine& engine) {
        // What the detectors learned must be in the store before it is read from there.
        const std::uint64_t sequence = engine.submit_open();
        const Clock::time_point limit = Clock::now() + kDurableWait;
        while (parts_.store.durable_sequence() < sequence && Clock::now() < limit)
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
        if (parts_.store.durable_sequence() < sequence) {
          wrong = "the store is too far behind to begin detectors anew; try again later";
          return;
        }
        std::vector<std::array<std::string, 3>> states;
        if (!parts_.store.load_states(
                [&](std::string_view detector, std::string_view key, std::string_view value) {
                  states.push_back({std::string(detector), std::string(key), std::string(value)});
                },
                wrong))
          return;
        engine.replace_detectors(config.watch, config.route_server_ases, std::move(detectors),
                                 [&states](const rib::Engine::StateFn& fn) {
                                   for (const auto& [detector, key, value] : states)
                                     fn(detector, key, value);
                                 });
      },
      kReplaceWait);
  return ran ? wrong : "the engine is too busy; try again later";
}

}  // namespace lapwing::collector
