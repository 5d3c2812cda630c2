// An event as short text for a terminal: one line, and a line for each sighting where asked for.
//
// Nothing in it can drive a terminal: control characters and the marks that turn the direction of
// writing are replaced, whatever the event holds.
// Thread: any.
#pragma once

#include <string>

#include "lapwing/event.h"

namespace lapwing::sinks {

/// "2017-10-01 09:07:51.000 warning  new-upstream raise: AS131279 has …", without a line end.
/// With `evidence`, further lines "    rrc03-x 175.45.176.0/24: 3333 4837 131279 -> 3333 20485 131279".
std::string event_text(const Event& event, bool evidence = false);

}  // namespace lapwing::sinks
