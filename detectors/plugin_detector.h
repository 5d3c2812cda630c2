// A plugin's table of functions as a Detector: each call translated, each host function offered.
//
// Thread: engine. Owns: the plugin's instance.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/watch_list.h"
#include "lapwing/detector.h"
#include "lapwing/plugin.h"

namespace lapwing::detectors {

/// As names of detectors and types of events are: words of lower case letters and digits, joined by
/// single hyphens, the first of a letter.
bool is_hyphenated(std::string_view name);

class PluginDetector final : public Detector {
 public:
  /// Creates the instance; `error()` says why it could not.
  PluginDetector(std::string name, const lapwing_plugin_table& table, Settings& settings);
  ~PluginDetector() override;

  const std::optional<std::string>& error() const { return failure_; }

  std::string_view name() const override { return name_; }
  void attach(Host& host) override;
  RouteInterest route_interest() const override;
  void restore_state(std::string_view key, std::string_view value) override;
  void restore_route(const RouteView& route) override;
  void start_up() override;
  void on_route_change(const RouteChange& change) override;
  void on_update_end() override;
  void on_peer_change(const PeerChange& change) override;
  void on_timer(std::uint64_t key) override;
  void path_released(PathId path) override;
  void prefix_released(PrefixId prefix) override;
  void finish() override;

 private:
  /// What the C side sees: a table whose address leads back to this detector.
  struct HostTable {
    lapwing_host c{};
    PluginDetector* self = nullptr;
  };

  static PluginDetector& of(const lapwing_host* host);
  void fill_host_table();
  template <typename Fn, typename... Args>
  void call(Fn* fn, Args... args);
  void emit(const lapwing_event& event);
  EventId incident_of(std::span<const std::uint64_t> parts) const;
  Event to_event(const lapwing_event& event) const;

  const std::string name_;
  lapwing_plugin_table table_{};  // as much of it as the plugin knows, the rest NULL
  HostTable host_table_;
  Host* host_ = nullptr;
  WatchList watch_;
  Settings* settings_ = nullptr;  // while `create` runs
  std::vector<std::string> texts_;  // of settings, while `create` runs
  void* self_ = nullptr;
  std::optional<std::string> failure_;
};

}  // namespace lapwing::detectors
