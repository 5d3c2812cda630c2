// The sink "journald": hands events to systemd-journald with one field for each parameter.
//
// The native protocol: one datagram for each event on journald's socket; what is too large for a
// datagram goes as a sealed memory file whose descriptor is passed. Arrived means: the socket took
// it. A full socket is waited for; a journald that is away is tried again after a pause that grows
// from 0.1 to `longest-pause` seconds.
// Fields: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, SYSLOG_FACILITY, and those of `journald_message`.
// Settings: socket, identifier, facility, longest-pause, name, and those of `EventFilter`.
// Thread: the sinks' thread.
#pragma once

#include <memory>
#include <string>

#include "lapwing/settings.h"
#include "lapwing/sink.h"
#include "sinks/program.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::sinks {

struct JournaldFormat {
  std::string prefix;      // of our fields' names: "LAPWING_"
  std::string identifier;  // SYSLOG_IDENTIFIER
  unsigned facility = 23;
};

/// The datagram of an event: FIELD=value lines, or FIELD, size and octets where the value has a line
/// feed. Ours: LAPWING_TYPE, LAPWING_SEVERITY, LAPWING_TIME, LAPWING_CAUSE, LAPWING_RULE, and the
/// parameters of event_params.h in capitals: LAPWING_ID, LAPWING_ORIGIN_AS and so on. What journald
/// does not take in a name becomes '_'.
std::string journald_message(const Event& event, const JournaldFormat& format);

std::unique_ptr<Sink> make_journald_sink(Settings& settings, boost::asio::io_context& io,
                                         const Program& program);

}  // namespace lapwing::sinks
