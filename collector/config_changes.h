// What differs between two configurations, for a reload.
//
// Thread: any. Owns: text.
#pragma once

#include <string>
#include <vector>

#include "collector/config.h"

namespace lapwing::collector {

struct ConfigChanges {
  std::vector<std::string> restart;  // what a running collector cannot change: "[speaker] router-id"
  std::vector<std::string> lines;    // what changes, for a person: "neighbour edge1 added"
  bool detectors = false;            // they, [watch] or route-server-as
  bool sinks = false;
  bool neighbors = false;
};

ConfigChanges compare_configs(const Config& before, const Config& after);

}  // namespace lapwing::collector
