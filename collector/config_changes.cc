#include "collector/config_changes.h"

#include <fmt/format.h>

#include <algorithm>

namespace lapwing::collector {

namespace {

bool same_table(const SettingsTable& a, const SettingsTable& b) {
  return a.name == b.name && a.settings.has_same_values(b.settings);
}

const SettingsTable* find_table(const std::vector<SettingsTable>& tables, std::string_view name) {
  const auto it = std::find_if(tables.begin(), tables.end(),
                               [&](const SettingsTable& t) { return t.name == name; });
  return it == tables.end() ? nullptr : &*it;
}

/// "detector path-change removed", and so on.
void compare_tables(const std::vector<SettingsTable>& a, const std::vector<SettingsTable>& b,
                    std::string_view what, std::vector<std::string>& lines) {
  for (const SettingsTable& former : a)
    if (find_table(b, former.name) == nullptr)
      lines.push_back(fmt::format("{} {} removed", what, former.name));
  for (const SettingsTable& now : b) {
    const SettingsTable* former = find_table(a, now.name);
    if (former == nullptr)
      lines.push_back(fmt::format("{} {} added", what, now.name));
    else if (!same_table(*former, now))
      lines.push_back(fmt::format("{} {} changed", what, now.name));
  }
}

bool same_watch(const Watch& a, const Watch& b) {
  return a.prefixes == b.prefixes && a.origins == b.origins && a.ases == b.ases;
}

void compare_restart(const Config& a, const Config& b, std::vector<std::string>& out) {
  const auto note = [&out](bool same, const char* what) {
    if (!same) out.emplace_back(what);
  };
  note(a.speaker.local_as == b.speaker.local_as, "[speaker] local-as");
  note(a.speaker.router_id == b.speaker.router_id, "[speaker] router-id");
  note(a.speaker.listen == b.speaker.listen, "[speaker] listen");
  note(a.store.path == b.store.path, "[storage] path");
  note(a.store.cache_bytes == b.store.cache_bytes, "[storage] cache-size");
  note(a.store.write_buffer_bytes == b.store.write_buffer_bytes, "[storage] write-buffer");
  note(a.store.max_pending_bytes == b.store.max_pending_bytes, "[storage] max-pending");
  note(a.store.sync_interval == b.store.sync_interval, "[storage] sync-interval");
  note(a.history_days == b.history_days, "[storage] history-days");
  note(a.store.history_bytes == b.store.history_bytes, "[storage] history-size");
  note(a.store.event_limit == b.store.event_limit, "[storage] event-limit");
  note(a.store.event_days == b.store.event_days, "[storage] event-days");
  note(a.store.event_budget == b.store.event_budget, "[storage] event-budget");
  note(a.http == b.http, "[http]");
  note(a.record == b.record, "[record]");
}

void compare_neighbors(const Config& a, const Config& b, ConfigChanges& out) {
  const auto find = [](const Config& config, const std::string& name) {
    const auto it = std::find_if(config.neighbors.begin(), config.neighbors.end(),
                                 [&](const bgp::NeighborConfig& n) { return n.name == name; });
    return it == config.neighbors.end() ? nullptr : &*it;
  };
  const std::size_t lines = out.lines.size();
  for (const bgp::NeighborConfig& former : a.neighbors)
    if (find(b, former.name) == nullptr)
      out.lines.push_back(fmt::format("neighbour {} removed", former.name));
  for (const bgp::NeighborConfig& now : b.neighbors) {
    const bgp::NeighborConfig* former = find(a, now.name);
    if (former == nullptr)
      out.lines.push_back(fmt::format("neighbour {} added", now.name));
    else if (*former != now)
      out.lines.push_back(fmt::format("neighbour {} changed", now.name));
  }
  const bool same_order = std::equal(
      a.neighbors.begin(), a.neighbors.end(), b.neighbors.begin(), b.neighbors.end(),
      [](const auto& x, const auto& y) { return x.name == y.name; });
  out.neighbors = out.lines.size() != lines || !same_order;
}

void compare_detectors(const Config& a, const Config& b, ConfigChanges& out) {
  const std::size_t lines = out.lines.size();
  compare_tables(a.detectors, b.detectors, "detector", out.lines);
  // One that runs by default stands in no table until it is switched off.
  const auto switched_off = [](const Config& from, const Config& to, const std::string& name) {
    return std::ranges::count(from.disabled_detectors, name) == 0 &&
           find_table(from.detectors, name) == nullptr &&
           std::ranges::count(to.disabled_detectors, name) != 0;
  };
  for (const std::string& name : b.disabled_detectors)
    if (switched_off(a, b, name)) out.lines.push_back(fmt::format("detector {} removed", name));
  for (const std::string& name : a.disabled_detectors)
    if (switched_off(b, a, name)) out.lines.push_back(fmt::format("detector {} added", name));
  const std::size_t before_rules = out.lines.size();
  compare_tables(a.suppressions, b.suppressions, "suppress rule", out.lines);
  // The first that fits decides.
  const bool same_order = std::ranges::equal(a.suppressions, b.suppressions, {},
                                             &SettingsTable::name, &SettingsTable::name);
  if (!same_order && out.lines.size() == before_rules)
    out.lines.emplace_back("suppress rules in another order");
  if (!same_watch(a.watch, b.watch)) out.lines.emplace_back("watch list changed");
  if (a.route_server_ases != b.route_server_ases) out.lines.emplace_back("route-server-as changed");
  out.detectors = out.lines.size() != lines;
}

// Sinks have names only once they are made; what is the same in both lists goes on.
void compare_sinks(const Config& a, const Config& b, ConfigChanges& out) {
  const auto count_missing = [](const Config& from, const Config& in) {
    std::size_t missing = 0;
    for (const SettingsTable& table : from.sinks)
      missing += std::none_of(in.sinks.begin(), in.sinks.end(), [&](const SettingsTable& other) {
        return same_table(table, other);
      });
    return missing;
  };
  const std::size_t ended = count_missing(a, b), begun = count_missing(b, a);
  out.sinks = ended != 0 || begun != 0 || a.sinks.size() != b.sinks.size();
  if (out.sinks)
    out.lines.push_back(fmt::format("sinks: {} ended, {} begun, {} untouched", ended, begun,
                                    a.sinks.size() - std::min(a.sinks.size(), ended)));
}

}  // namespace

ConfigChanges compare_configs(const Config& before, const Config& after) {
  ConfigChanges out;
  compare_restart(before, after, out.restart);
  compare_neighbors(before, after, out);
  compare_detectors(before, after, out);
  compare_sinks(before, after, out);
  if (before.log_level != after.log_level) out.lines.emplace_back("log level changed");
  if (before.keep_removed != after.keep_removed) out.lines.emplace_back("keep-removed changed");
  return out;
}

}  // namespace lapwing::collector
