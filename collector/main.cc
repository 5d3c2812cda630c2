// The program: commands of the command line, connected to what does them.
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "collector/cli.h"
#include "collector/db_check.h"
#include "collector/dump.h"
#include "collector/replay.h"
#include "collector/run.h"
#include "collector/setup.h"

int main(int argc, char** argv) {
  using namespace lapwing::collector;
  Commands commands;
  commands.version = kVersion;
  commands.run = run;
  commands.replay = replay;
  commands.dump = dump;
  commands.db_check = db_check;
  commands.check_settings = check_settings;
  LoadOptions names = load_options();
  commands.detectors = std::move(names.detectors);
  commands.sinks = std::move(names.sinks);
  return run_command_line(std::vector<std::string>(argv + 1, argv + argc), commands, std::cout,
                          std::cerr);
}
