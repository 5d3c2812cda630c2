// The command line of `lapwing`: what was asked for, and the code that does it.
//
// `parse_command_line` turns arguments into a `CommandLine`; `run_command_line` does what it says.
// The program passes what needs the whole collector as functions (`Commands`), so that this room
// depends on none of it.
//
// Exit codes: 0 done, 1 not found or check failed, 2 usage, 3 no daemon.
// Thread: main.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "collector/config.h"
#include "collector/replay_options.h"

namespace lapwing::collector {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoDaemon = 3;

enum class Verb : std::uint8_t { kRun, kCheck, kReplay, kDump, kDbCheck, kShow, kMonitor, kWrite };
enum class Subject : std::uint8_t {
  kPeers,
  kPeer,
  kRoute,
  kUpstreams,
  kEvents,
  kStatus,
  kHistory,
  kBlind,
  kSinks,
  kDetectors,
  kSuppressed,
  kUpdates,
};

struct CommandLine {
  Verb verb = Verb::kRun;
  std::string config_path;            // run, check, dump, db: the default where not given; replay: ""
  ReplayOptions replay;
  DumpOptions dump;
  Subject subject = Subject::kPeers;  // show, monitor
  std::string api;                    // show, monitor, write
  bool json = false;                  // show, monitor, write
  bool lines = false;                 // show: the answer is NDJSON, printed as it comes
  std::string target;                 // show, monitor, write: "/api/v1/…"
  std::string text;                   // write: for the neighbour
};

struct ParsedCommandLine {
  std::optional<CommandLine> line;  // none: nothing to do but to print `text` and exit
  int exit_code = kExitDone;
  std::string text;  // help or version (exit code 0, standard output), or an error (standard error)
};

/// `arguments` without the program's name; `version` is what --version prints.
ParsedCommandLine parse_command_line(const std::vector<std::string>& arguments,
                                     const std::string& version);

struct Commands {
  std::string version;
  std::function<int(const Config& config, const std::string& config_path)> run;
  std::function<int(const std::optional<Config>& config, const ReplayOptions& options)> replay;
  std::function<int(const Config& config, const DumpOptions& options)> dump;
  std::function<int(const Config& config)> db_check;
  /// Lets detectors and sinks check their tables (see `note_setting_errors`). May be empty.
  std::function<void(const Config& config, std::vector<Diagnostic>& diagnostics)> check_settings;
  std::vector<std::string> detectors;  // LoadOptions::detectors
  std::vector<std::string> sinks;      // LoadOptions::sinks
};

/// Returns the exit code.
int run_command_line(const std::vector<std::string>& arguments, const Commands& commands,
                     std::ostream& out, std::ostream& err);

}  // namespace lapwing::collector
