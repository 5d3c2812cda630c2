// Where a syslog sink sends: "udp://host:port", "tcp://host:port", "tls://host:port", "unix:///path".
//
// Ports may be left out: 514 for UDP and TCP (RFC 5426 3.3), 6514 for TLS (RFC 5425 4.1). An IPv6
// address stands in brackets.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lapwing::sinks {

struct SyslogTarget {
  enum class Kind : std::uint8_t { kUdp, kTcp, kTls, kUnix };
  Kind kind = Kind::kUdp;
  std::string host;  // name or address, without brackets
  std::string port;
  std::string path;  // kUnix

  bool is_address() const;  // nothing to resolve
};

std::optional<SyslogTarget> parse_syslog_target(std::string_view text);

/// RFC 6587 3.4: each message preceded by its length, or followed by a line feed.
enum class Framing : std::uint8_t { kOctetCounting, kLineFeed };

}  // namespace lapwing::sinks
