// An event as a flat list of names and texts: what every form shows that has no nested values.
//
// In order: id, incident, action, origin_as, upstream_as, prefix, prefixes, peer, old_path, new_path,
// then the type's own fields. Left out where the event has none: origin_as, upstream_as, prefix, peer,
// and an old_path or new_path that is "no route". `prefix`, `peer` and the two paths are one
// sighting (see `shown_evidence`). Lists stand in one text, parted by blanks. The texts are as the
// event has them: not escaped, and not always valid UTF-8.
// Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/event.h"

namespace lapwing::sinks {

struct EventParam {
  std::string_view name;  // lives as long as the event
  std::string value;
};

std::vector<EventParam> event_params(const Event& event);

/// The sighting that a flat form shows: that of the first prefix at the first neighbour, or the first
/// one in the evidence where that has none of these two; nullptr where the event has no evidence.
const Evidence* shown_evidence(const Event& event);

}  // namespace lapwing::sinks
