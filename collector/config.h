// The configuration: one TOML file, read whole, every fault in it named with its line and column.
//
// `load_config` returns the configuration when the file holds no error; warnings do not prevent it.
// All errors are reported, not the first one only. Detectors and sinks check their own tables: hand
// each `SettingsTable` to its maker and give the errors back to `note_setting_errors`, which turns
// them into diagnostics with a position.
//
// Secrets (passwords, the API token) are in the result and nowhere else: no diagnostic shows one.
// Thread: main. Owns: all text.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/config.h"
#include "collector/log.h"
#include "lapwing/detector.h"
#include "lapwing/settings.h"
#include "rib/store.h"

namespace lapwing::collector {

/// Where something stands in the file, from 1; columns count characters, not octets. 0: nowhere.
struct Position {
  unsigned line = 0;
  unsigned column = 0;
  friend auto operator<=>(const Position&, const Position&) = default;
};

enum class DiagnosticKind : std::uint8_t { kError, kWarning };

struct Diagnostic {
  std::string file;
  Position at;
  DiagnosticKind kind = DiagnosticKind::kError;
  std::string message;  // says what was expected
  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

/// "lapwing.toml:3:13: error: …"; without a position "lapwing.toml: error: …". One line, and printable,
/// whatever the file or a plugin said.
std::string format_diagnostic(const Diagnostic& diagnostic);
bool has_errors(const std::vector<Diagnostic>& diagnostics);

/// A table that its consumer checks: [detector.NAME] or [[sink.KIND]].
struct SettingsTable {
  std::string name;  // "new-upstream", "syslog"
  Position at;       // of the table; nowhere for a detector that runs by default
  Settings settings;
  std::map<std::string, Position, std::less<>> positions;  // of each key's value
  std::map<std::string, Position, std::less<>> key_positions;
};

/// An address to serve the API on: TCP, or a Unix socket where `unix_path` is not empty.
struct HttpListen {
  bgp::Endpoint endpoint;
  std::string unix_path;
  bool tls = false;
  friend bool operator==(const HttpListen&, const HttpListen&) = default;
};

/// "127.0.0.1:8179", "[::1]:8179", "tls:192.0.2.1:8179" or "unix:/run/lapwing/lapwing.sock".
std::string format_http_listen(const HttpListen& listen);

struct HttpConfig {
  std::vector<HttpListen> listen;
  std::string token;        // empty: none is asked for. Never shown
  std::string certificate;  // paths of PEM files, where an endpoint speaks TLS
  std::string key;
  friend bool operator==(const HttpConfig&, const HttpConfig&) = default;
};

/// What live sessions send, into MRT files (collector/recorder.h).
struct RecordConfig {
  std::filesystem::path directory;  // empty: nothing is recorded
  std::chrono::seconds rotate_every{900};
  std::uint64_t rotate_size = 1u << 30;  // octets before compression
  std::uint64_t queue_size = 64u << 20;  // octets that wait for the disk
  bool gzip = true;
  std::chrono::seconds retry{5};         // after the disk refused; no setting
  friend bool operator==(const RecordConfig&, const RecordConfig&) = default;
};

inline constexpr std::string_view kDefaultSocket = "/run/lapwing/lapwing.sock";
inline constexpr std::string_view kDefaultConfigPath = "/etc/lapwing/lapwing.toml";

struct Config {
  std::string file;
  bgp::SpeakerConfig speaker;
  std::vector<Asn> route_server_ases;          // [speaker] route-server-as
  std::vector<bgp::NeighborConfig> neighbors;  // in the order of the file
  rib::StoreOptions store;
  unsigned history_days = 90;  // route changes are kept that long; 0: none
  /// Routes of a neighbour that left the configuration are kept that long after its session ended.
  std::chrono::seconds keep_removed{86400};
  Watch watch;
  std::vector<SettingsTable> detectors;  // in the order of the file; only enabled ones
  std::vector<std::string> disabled_detectors;  // `enabled = false`; others run by default
  std::vector<SettingsTable> suppressions;      // [[suppress]], in the order of the file
  std::vector<SettingsTable> sinks;      // in the order of the file; only enabled ones
  HttpConfig http;
  RecordConfig record;
  LogLevel log_level = LogLevel::kInfo;  // [log] level
};

struct LoadOptions {
  /// Names that [detector.NAME] and [[sink.NAME]] may have; empty: any. See `load_options`.
  std::vector<std::string> detectors;
  std::vector<std::string> sinks;
  /// False for a replay: [speaker] may be missing, and that there is nobody to listen to or to
  /// report to is not worth a warning.
  bool live = true;
};

/// Diagnostics are appended in the order of the file. nullopt when one of them is an error.
std::optional<Config> load_config(const std::string& path, std::vector<Diagnostic>& diagnostics,
                                  const LoadOptions& options = {});
/// The same for text at hand; `name` stands for the file in diagnostics, and `password-file` is
/// relative to its directory.
std::optional<Config> parse_config(std::string_view text, const std::string& name,
                                   std::vector<Diagnostic>& diagnostics,
                                   const LoadOptions& options = {});

/// Adds one error for each of `errors`, at the key it names, or at the table where it has no such
/// key.
void note_setting_errors(const Config& config, const SettingsTable& table,
                         const std::vector<SettingError>& errors,
                         std::vector<Diagnostic>& diagnostics);

}  // namespace lapwing::collector
