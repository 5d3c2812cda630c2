// What a plugin hands over, checked and taken over: texts, prefixes, types and whole events.
//
// What `fault_of` finds nothing wrong with becomes an event that every sink can write: each id in it
// stands for something, its texts are valid UTF-8 of bounded size, its members differ.
// Thread: engine. Owns: what it returns.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "lapwing/detector.h"
#include "lapwing/plugin.h"

namespace lapwing::detectors {

/// As names of detectors and types of events are: words of lower case letters and digits, joined by
/// single hyphens, the first of a letter.
bool is_hyphenated(std::string_view name);

/// NULL is a text of no size only.
inline bool is_whole(lapwing_text text) { return text.data != nullptr || text.size == 0; }
inline std::string_view from_c(lapwing_text text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}
/// Of IPv4 or IPv6, and no longer than its address.
bool is_prefix(const lapwing_prefix& prefix);
/// Of what is a prefix; octets beyond its length are cleared.
Prefix from_c(const lapwing_prefix& prefix);
/// The first 4,096 octets, with invalid UTF-8 replaced.
std::string bounded_text(std::string_view text);

/// What is wrong; empty: nothing. A plugin cannot raise types of the program itself.
std::string fault_of_type(const char* type);
std::string fault_of(const lapwing_event& event, const Host& host);

EventId incident_of(std::string_view detector, std::span<const std::uint64_t> parts);
/// Of one without fault.
Event to_event(const lapwing_event& event, std::string_view detector, const Host& host);

}  // namespace lapwing::detectors
