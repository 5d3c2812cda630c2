// An event as one syslog message, without framing: RFC 5424, RFC 3164, JSON in RFC 5424, or CEF.
//
// RFC 5424 is the contract (docs/EVENTS.md):
//   <PRI>1 TIME HOST APP PID MSGID [NAME@NUMBER params…][alarm …][meta sequenceId] %NAME-SEVERITY-MSGID:
//   summary
// The params are those of event_params.h. Control characters become '?'. A message beyond `max_size`
// loses the end of its MSG; where the structured data alone is too long, whole parameters from the
// end of its first element. Room is left for the mark of a repetition.
// RFC 5424 6 (deviation: none), RFC 5674 3 (raise and clear are alarms, update is none), RFC 3164 4.1
// (times are local, as it demands).
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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
  bool alarm = true;                        // the element of RFC 5674
  bool sequence_id = true;                  // the element `meta` (RFC 5424 7.3.1)

  static constexpr std::size_t kMinSize = 480;  // what every receiver takes (RFC 5424 6.1)
  static constexpr std::size_t kMinJsonSize = 1024;  // a JSON text cannot be cut

  /// Reads format, facility, app-name, hostname, enterprise-number, max-size, alarm and sequence-id.
  static SyslogOptions from_settings(Settings& settings, const Program& program,
                                     std::size_t default_size);
};

/// `sequence`: for `meta sequenceId`; 0: none.
std::string format_syslog(const Event& event, const SyslogOptions& options,
                          std::uint64_t sequence = 0);

/// Says in a message of `format_syslog` that it may have been received before: a last parameter
/// repeat="true" (RFC 5424), a last member "repeat":true (JSON), or text at the end.
void mark_repeated(std::string& message, const SyslogOptions& options);

/// CEF:0|… behind the header of RFC 3164, and the element `alarm`, empty where the event is none;
/// used by `format_syslog`.
void append_cef(std::string& out, const Event& event, const SyslogOptions& options,
                std::size_t limit);
std::string alarm_element(const Event& event);
/// The value of a parameter, escaped (RFC 5424 6.3.3).
void append_sd_text(std::string& out, std::string_view text);

/// "kern" … "local7", or nullopt.
std::optional<unsigned> parse_facility(std::string_view text);

}  // namespace lapwing::sinks
