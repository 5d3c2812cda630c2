// A plugin's table of functions as a Detector: each call translated, each host function offered.
//
// A plugin is hostile until proven otherwise: what it hands over is checked here. What is wrong makes
// the plugin fail when its call returns, with the name of the host function and what is wrong; until
// then the function does nothing, and answers with nothing.
// Thread: engine. Owns: the plugin's instance.
#pragma once

#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "detectors/watch_list.h"
#include "lapwing/detector.h"
#include "lapwing/plugin.h"

namespace lapwing::detectors {

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
  static void fill_questions(lapwing_host& c);
  static void fill_actions(lapwing_host& c);
  void emit(const lapwing_event* event);
  void add_witness(const char* type, const std::uint64_t* parts, std::size_t count, PeerId peer);

  /// The plugin has made a mistake in `call`: the first one is why it fails.
  void refuse(const char* call, std::string_view why);
  /// Null, and refused, where the host cannot be asked, or the id stands for nothing.
  Host* reach(const char* call);
  Host* reach_path(const char* call, PathId path);
  Host* reach_prefix(const char* call, PrefixId prefix);
  Host* reach_peer(const char* call, PeerId peer);
  /// Null, and refused, without a key or not within `create`.
  Settings* settings(const char* call, const char* key);
  /// Copies what `out` has room for.
  template <typename T>
  void answer(const char* call, const T& full, T* out);
  /// False, and refused, where one is no text.
  bool takes(const char* call, std::initializer_list<lapwing_text> texts);

  const std::string name_;
  lapwing_plugin_table table_{};  // as much of it as the plugin knows, the rest NULL
  HostTable host_table_;
  Host* host_ = nullptr;  // but within `create` and `destroy`
  WatchList watch_;
  Settings* settings_ = nullptr;  // while `create` runs
  std::deque<std::string> texts_;  // of settings, while `create` runs
  void* self_ = nullptr;
  std::optional<std::string> failure_;
};

}  // namespace lapwing::detectors
