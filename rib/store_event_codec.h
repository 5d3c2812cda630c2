// Events as octets in the journal.
//
// version octet | id (16) | tagged fields. Members that are absent, empty or at their default are
// not written. A reader skips tags it does not know, so that a later version may add members.
// Thread: any. Owns: nothing. The tags stand in docs/FORMATS.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lapwing/event.h"
#include "lapwing/journal.h"

namespace lapwing::rib {

std::string encode_event(const Event& event);
/// nullopt where the octets are no event of a version known here.
std::optional<Event> decode_event(std::string_view octets);
/// Time and cause alone: they stand at its beginning.
std::optional<EventMoment> decode_event_moment(std::string_view octets);
/// The id alone.
std::optional<EventId> decode_event_id(std::string_view octets);

}  // namespace lapwing::rib
