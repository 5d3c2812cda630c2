// The structured data element "alarm" of RFC 5674.
#include <algorithm>
#include <array>
#include <string_view>

#include "sinks/syslog_format.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

// RFC 5674 2, table 1, read from syslog's severity to the alarm's.
constexpr std::array<std::string_view, 8> kPerceived = {
    "critical", "critical", "major",         "minor",
    "warning",  "indeterminate", "indeterminate", "indeterminate"};

struct AlarmKind {
  std::string_view type;  // beginning of the event's
  std::string_view cause;  // IANAItuProbableCause
  std::string_view event;  // IANAItuEventType
};
constexpr AlarmKind kAlarmKinds[] = {
    {"peer-", "communicationsSubsystemFailure", "communicationsAlarm"},
    {"visibility-", "informationMissing", "communicationsAlarm"},
    {"events-lost", "storageCapacityProblem", "processingErrorAlarm"},
    {"", "unexpectedInformation", "integrityViolation"},
};

// What the alarm is about, so that raise and clear of one matter name the same.
std::string resource(const Event& event) {
  std::string out;
  if (event.origin_as) {
    out += "AS";
    append_number(out, *event.origin_as);
    if (!event.upstream_as) return out;
    out += " upstream AS";
    append_number(out, *event.upstream_as);
  } else if (!event.prefixes.empty()) {
    append_prefix(out, event.prefixes.front());
  } else if (!event.peers.empty()) {
    out = cut_utf8(event.peers.front(), 64);
  } else {
    out = "collector";
  }
  return out;
}

}  // namespace

std::string alarm_element(const Event& event) {
  if (event.action == Action::kUpdate) return {};
  const bool clear = event.action == Action::kClear;
  const auto kind = std::find_if(std::begin(kAlarmKinds), std::end(kAlarmKinds), [&event](const AlarmKind& k) {
    return event.type.starts_with(k.type);
  });
  std::string out = "[alarm resource=\"";
  append_sd_text(out, resource(event));
  out += "\" probableCause=\"";
  out += kind->cause;
  out += "\" perceivedSeverity=\"";
  out += clear ? "cleared" : kPerceived[static_cast<std::size_t>(event.severity) & 7];
  out += "\" eventType=\"";
  out += kind->event;
  out += "\" trendIndication=\"";
  out += clear ? "lessSevere" : "moreSevere";
  out += "\"]";
  return out;
}

}  // namespace lapwing::sinks
