#include "collector/config_changes.h"

#include <fmt/format.h>

#include <algorithm>

namespace lapwing::collector {

namespace {

bool same_table(const SettingsTable& a, const SettingsTable& b) {
  return a.name == b.name && a.settings.has_same_values(b.settings);
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
  note(a.history_days == b.history_days, "[storage] history-days");
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
  const auto find = [](const Config& config, const std::string& name) {
    const auto it = std::find_if(config.detectors.begin(), config.detectors.end(),
                                 [&](const SettingsTable& t) { return t.name == name; });
    return it == config.detectors.end() ? nullptr : &*it;
  };
  for (const SettingsTable& former : a.detectors)
    if (find(b, former.name) == nullptr)
      out.lines.push_back(fmt::format("detector {} removed", former.name));
  for (const SettingsTable& now : b.detectors) {
    const SettingsTable* former = find(a, now.name);
    if (former == nullptr)
      out.lines.push_back(fmt::format("detector {} added", now.name));
    else if (!same_table(*former, now))
      out.lines.push_back(fmt::format("detector {} changed", now.name));
  }
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
