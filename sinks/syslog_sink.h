// The sink "syslog": sends events to a syslog receiver over UDP, TCP, TLS or a Unix socket.
//
// Messages go out in order. When the connection ends, it is opened anew (the name resolved again)
// after a pause that grows from 0.2 to `longest-pause` (30) seconds, and everything that is not known
// to have arrived is sent again, marked as a repetition. What "arrived" means for each transport
// stands in syslog_link.h and syslog_queue.h.
// Settings: target, framing ("octet-counting" or "lf"), keep-octets, longest-pause, name-lifetime,
// name, and those of `SyslogOptions`, `TlsOptions` and `EventFilter`.
// Thread: the sinks' thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "lapwing/settings.h"
#include "lapwing/sink.h"
#include "sinks/filter.h"
#include "sinks/program.h"
#include "sinks/syslog_format.h"
#include "sinks/syslog_target.h"
#include "sinks/tls_client.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::sinks {

struct SyslogSinkOptions {
  std::string name;
  SyslogTarget target;
  SyslogOptions message;
  Framing framing = Framing::kOctetCounting;
  TlsOptions tls;
  EventFilter filter;
  std::size_t keep_octets = 0;  // acknowledged ones that may be sent again (see syslog_queue.h)
  std::chrono::milliseconds longest_pause{30000};
  // UDP has no connection whose end would show that a name has moved: it is asked again so often.
  std::chrono::seconds name_lifetime{300};
  /// Of tests: what a host name stands for, asked before each connection.
  std::function<std::string(const std::string& host)> find_host;
};

class SyslogSink final : public Sink {
 public:
  /// Throws boost::system::system_error when a certificate or key cannot be loaded.
  SyslogSink(boost::asio::io_context& io, SyslogSinkOptions options);
  ~SyslogSink() override;

  std::string_view name() const override;
  void deliver(std::span<const JournalEntry> entries,
               std::function<void(std::uint64_t)> confirm) override;
  void close() override;
  SinkStatus status() const override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

std::unique_ptr<Sink> make_syslog_sink(Settings& settings, boost::asio::io_context& io,
                                       const Program& program);

}  // namespace lapwing::sinks
