// A whole event as the durable state of a detector that holds it back.
//
// Thread: engine. Owns: what it returns.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lapwing/event.h"

namespace lapwing::detectors {

std::string encode_event_state(const Event& event);
/// nullopt: damaged, or of a newer format.
std::optional<Event> decode_event_state(std::string_view octets);

}  // namespace lapwing::detectors
