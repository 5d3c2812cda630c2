// What a detector reports, before it is written as JSON, syslog or anything else.
//
// An event carries its evidence: enough to judge it without another tool. The members that most
// types share are members here; what only one type has goes into `fields`, in the order in which it
// is to be shown. The schema of each type stands in docs/EVENTS.md.
// Thread: any. Owns: all of its text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lapwing/prefix.h"
#include "lapwing/shared_text.h"
#include "lapwing/time.h"

namespace lapwing {

/// 128 bits, shown as 32 lower-case hexadecimal digits. Two events with the same id are the same
/// event: it is derived from what the event says, never from a clock or a random number.
struct EventId {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const EventId&, const EventId&) = default;
};

inline std::string format_event_id(const EventId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(32);
  for (const std::uint8_t b : id.bytes) {
    text += kDigits[b >> 4];
    text += kDigits[b & 15];
  }
  return text;
}

enum class Action : std::uint8_t { kRaise, kUpdate, kClear };
/// live: heard as it happened; resync: found when a neighbour came back or refreshed; replay: from a
/// file.
enum class Cause : std::uint8_t { kLive, kResync, kReplay };
/// The severities of RFC 5424 6.2.1, with their numbers.
enum class Severity : std::uint8_t {
  kEmergency = 0,
  kAlert = 1,
  kCritical = 2,
  kError = 3,
  kWarning = 4,
  kNotice = 5,
  kInfo = 6,
  kDebug = 7,
};

inline constexpr std::string_view to_string(Action a) {
  return a == Action::kRaise ? "raise" : a == Action::kUpdate ? "update" : "clear";
}
inline constexpr std::string_view to_string(Cause c) {
  return c == Cause::kLive ? "live" : c == Cause::kResync ? "resync" : "replay";
}
/// "emergency" … "debug", as in the JSON member `severity` and in the configuration.
inline constexpr std::string_view to_string(Severity s) {
  constexpr std::string_view kNames[] = {"emergency", "alert",  "critical", "error",
                                         "warning",   "notice", "info",     "debug"};
  return kNames[static_cast<std::size_t>(s) & 7];
}
inline constexpr std::optional<Severity> parse_severity(std::string_view text) {
  for (std::uint8_t s = 0; s < 8; ++s)
    if (to_string(static_cast<Severity>(s)) == text) return static_cast<Severity>(s);
  return std::nullopt;
}

/// One sighting: this neighbour had this path for this prefix and now has that one. An empty
/// optional is "no route"; an empty text is an empty AS_PATH.
struct Evidence {
  SharedText peer;  // configured name
  Asn peer_as = 0;
  Prefix prefix;
  std::optional<SharedText> old_path;
  std::optional<SharedText> new_path;
  Timestamp time;
  friend bool operator==(const Evidence&, const Evidence&) = default;
};

struct KnownUpstream {
  Asn as = 0;
  Timestamp first_seen;
  Timestamp last_seen;
  bool active = false;
  friend bool operator==(const KnownUpstream&, const KnownUpstream&) = default;
};

/// The time in which a change happened, when it was found only after a gap.
struct TimeRange {
  Timestamp from;  // last moment at which the old state was known
  Timestamp to;    // moment at which the new one was found
  friend bool operator==(const TimeRange&, const TimeRange&) = default;
};

using FieldValue = std::variant<std::int64_t, bool, std::string, Timestamp, std::vector<Asn>,
                                std::vector<std::string>>;
/// A member that only some types have; `name` is lower snake case.
struct Field {
  std::string name;
  FieldValue value;
  friend bool operator==(const Field&, const Field&) = default;
};

struct Event {
  EventId id;
  EventId incident;       // shared by all events of one matter
  std::string type;       // "new-upstream": lower case, words joined by hyphens
  Action action = Action::kRaise;
  Severity severity = Severity::kNotice;
  Timestamp time;         // when it happened, by the message that showed it
  Cause cause = Cause::kLive;
  std::optional<Asn> origin_as;
  std::optional<Asn> upstream_as;
  std::vector<Prefix> prefixes;            // sorted; at most `kMaxPrefixes`, a sample then
  std::uint32_t prefix_count = 0;          // all of them
  std::optional<std::uint32_t> origin_prefix_count;
  std::vector<std::string> peers;          // sorted names of the neighbours that show it
  std::optional<bool> direct;
  std::optional<TimeRange> changed_between;
  std::optional<std::vector<KnownUpstream>> known_upstreams;
  std::vector<Evidence> evidence;          // at most `kMaxEvidence`
  std::vector<Field> fields;
  // What a clear ends, or an update in part, for [[suppress]]; not published. The types of raise of this
  // incident, parted by blanks; empty: its own type; `kEndsNothing`: what stood was never raised. Of a
  // raise: what it takes the place of, so that it is not told any more where it was held back.
  std::string ends;
  std::string rule;     // the rule that fired, in words
  std::string summary;  // one line for a person

  static constexpr std::size_t kMaxPrefixes = 20;
  static constexpr std::size_t kMaxEvidence = 10;
  static constexpr std::string_view kEndsNothing = "-";

  /// Says nothing any more, as a new one; the memory of texts and lists stays with it.
  void clear() {
    id = incident = EventId{};
    type.clear();
    action = Action::kRaise;
    severity = Severity::kNotice;
    time = Timestamp{};
    cause = Cause::kLive;
    origin_as.reset();
    upstream_as.reset();
    prefixes.clear();
    prefix_count = 0;
    origin_prefix_count.reset();
    peers.clear();
    direct.reset();
    changed_between.reset();
    known_upstreams.reset();
    evidence.clear();
    fields.clear();
    ends.clear();
    rule.clear();
    summary.clear();
  }
  friend bool operator==(const Event&, const Event&) = default;
};

}  // namespace lapwing
