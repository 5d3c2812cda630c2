// What `lapwing replay` and `lapwing dump` were asked for.
//
// Thread: main. Owns: all text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lapwing/detector.h"
#include "lapwing/time.h"

namespace lapwing::collector {

struct ReplayOptions {
  std::vector<std::string> files;  // "-" is standard input
  bool merge = false;              // side by side, in order of time; otherwise one after another
  std::optional<Timestamp> from;   // earlier events are not printed; earlier records teach
  std::optional<Timestamp> to;     // later records are not read
  Watch watch;                     // beside that of the configuration
};

struct DumpOptions {
  std::string output = "-";         // "-" is standard output
  std::vector<std::string> peers;   // by name; none: all
  std::optional<Timestamp> at;      // as it was then; none: as it is
};

}  // namespace lapwing::collector
