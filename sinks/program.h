// What the program calls itself, handed to every surface that shows a name or a version.
#pragma once

#include <string>

namespace lapwing::sinks {

struct Program {
  std::string name = "lapwing";  // lower case; APP-NAME and the SD-ID of syslog
  std::string version;
};

}  // namespace lapwing::sinks
