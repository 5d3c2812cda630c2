// The sink "syslog": sends events to a syslog receiver over UDP, TCP, TLS or a Unix socket.
//
// Messages go out in order. When the connection ends, it is opened anew (the name resolved again)
// after a pause that grows from 0.2 to 30 seconds, and everything that is not known to have arrived
// is sent again. What "arrived" means for each transport stands in syslog_link.h and syslog_queue.h.
// Settings: target, format, facility, app-name, hostname, enterprise-number, max-size, framing
// ("octet-counting" or "lf"), ca-file, server-name, fingerprint, certificate, key, name, and those
// of `EventFilter`.
// Thread: the sinks' thread.
#pragma once

#include <memory>
#include <string>

#include "lapwing/settings.h"
#include "lapwing/sink.h"
#include "sinks/filter.h"
#include "sinks/program.h"
#include "sinks/syslog_format.h"
#include "sinks/syslog_target.h"

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
