// An event as one syslog message, without framing: RFC 5424, RFC 3164, JSON in RFC 5424, or CEF.
//
// RFC 5424 is the contract (docs/EVENTS.md):
//   <PRI>1 TIME HOST APP PID MSGID [NAME@NUMBER id incident action origin_as upstream_as prefix
//   prefixes peer old_path new_path, the type's own fields] %NAME-SEVERITY-MSGID: summary
// Left out where the event has none: origin_as, upstream_as, prefix, peer, old_path, new_path, and
// an old_path or new_path that is "no route". `prefix`, `peer` and the two paths are one sighting:
// that of the first prefix at the first neighbour, or the first one in the evidence where that has
// none of these two. Lists stand in one value, parted by blanks. Control characters become '?'.
// A message beyond `max_size` loses the end of its MSG; where the structured data alone is too
// long, whole parameters from its end.
// RFC 5424 6 (deviation: none), RFC 3164 4.1 (times are local, as it demands).
// Thread: any.
#pragma once

#include <cstdint>
#include <string>

#include "lapwing/event.h"
#include "lapwing/settings.h"
#include "sinks/program.h"

namespace lapwing::sinks {

enum class SyslogFormat : std::uint8_t { kRfc5424, kRfc3164, kJson, kCef };

struct SyslogOptions {
  SyslogFormat format = SyslogFormat::kRfc5424;
  Program program;
  unsigned facility = 23;  // local7
  std::string app_name = "lapwing";
  std::string hostname = "-";
  std::string process_id = "-";
  std::uint32_t enterprise_number = 32473;  // RFC 5612: documentation
  std::size_t max_size = 8192;              // octets, framing not counted

  static constexpr std::size_t kMinSize = 480;  // what every receiver takes (RFC 5424 6.1)

  /// Reads format, facility, app-name, hostname, enterprise-number and max-size.
  static SyslogOptions from_settings(Settings& settings, const Program& program,
                                     std::size_t default_size);
};

std::string format_syslog(const Event& event, const SyslogOptions& options);

/// CEF:0|… behind the header of RFC 3164; used by `format_syslog`.
void append_cef(std::string& out, const Event& event, const SyslogOptions& options);

/// "kern" … "local7", or nullopt.
std::optional<unsigned> parse_facility(std::string_view text);

/// The sighting that a one-line text shows: see above. nullptr where the event has no evidence.
const Evidence* shown_evidence(const Event& event);

}  // namespace lapwing::sinks
