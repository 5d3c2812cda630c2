// The program: commands of the command line, connected to what does them.
#include <iostream>
#include <string>
#include <vector>

#include "collector/cli.h"
#include "collector/db_check.h"
#include "collector/dump.h"
#include "collector/replay.h"
#include "collector/run.h"
#include "collector/setup.h"
#include "sinks/registry.h"

int main(int argc, char** argv) {
  using namespace lapwing::collector;
  Commands commands;
  commands.version = kVersion;
  commands.run = run;
  commands.replay = replay;
  commands.dump = dump;
  commands.db_check = db_check;
  commands.check_settings = check_settings;
  for (const std::string_view name : lapwing::detector_names())
    commands.detectors.emplace_back(name);
  for (const std::string_view name : lapwing::sinks::sink_kinds()) commands.sinks.emplace_back(name);
  return run_command_line(std::vector<std::string>(argv + 1, argv + argc), commands, std::cout,
                          std::cerr);
}
