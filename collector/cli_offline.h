// The commands that need no daemon and no network: `replay`, `dump` and `db`, their options.
//
// Thread: main. Owns: nothing; `line` outlives it.
#pragma once

#include <string>

#include "collector/cli.h"

namespace CLI {
class App;
}

namespace lapwing::collector {

class OfflineCommands {
 public:
  /// Adds them to `app`; what they were asked for goes into `line` when one of them was parsed.
  void add(CLI::App& app, CommandLine& line);

 private:
  void add_replay(CLI::App& app, CommandLine& line);
  void add_dump(CLI::App& app, CommandLine& line);
  void add_db(CLI::App& app, CommandLine& line);
};

}  // namespace lapwing::collector
