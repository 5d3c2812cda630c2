// An event as one line of JSON: the one schema for files, HTTP and every later exporter.
//
// Members and their order are a contract (docs/EVENTS.md): id, incident, type, action, severity,
// time, origin_as, upstream_as, prefixes, prefix_count, origin_prefix_count, peers, direct, cause,
// changed_between, known_upstreams, evidence, the type's own fields, rule, summary. Left out where
// the event has none: origin_as, upstream_as, origin_prefix_count, direct, known_upstreams.
// `changed_between` is null or [from, to]; an evidence's path is null where there was no route.
// The text is valid UTF-8 whatever the event holds, and has no line break.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lapwing/event.h"

namespace lapwing::sinks {

/// Appends the object, without a line end. `number`: the journal's, as an additional first member.
void append_event_json(std::string& out, const Event& event,
                       std::optional<std::uint64_t> number = std::nullopt);

inline std::string event_json(const Event& event,
                              std::optional<std::uint64_t> number = std::nullopt) {
  std::string out;
  append_event_json(out, event, number);
  return out;
}

}  // namespace lapwing::sinks
