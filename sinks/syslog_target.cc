#include "sinks/syslog_target.h"

#include <algorithm>
#include <charconv>

#include "lapwing/prefix.h"

namespace lapwing::sinks {

namespace {

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

bool parse_host_port(std::string_view text, SyslogTarget& target) {
  std::string_view host = text, port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!parse_address(host.substr(0, host.find('%')))) return false;
  } else {
    const std::size_t colon = text.find(':');
    if (colon != text.rfind(':')) return false;  // an IPv6 address without brackets
    host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (host.empty() || host.size() > 255) return false;
  target.host = host;
  if (port.empty()) return true;
  target.port = port.substr(1);
  return port.front() == ':' && is_port(target.port);
}

}  // namespace

bool SyslogTarget::is_address() const { return parse_address(host).has_value(); }

std::optional<SyslogTarget> parse_syslog_target(std::string_view text) {
  struct Scheme {
    std::string_view name;
    SyslogTarget::Kind kind;
    std::string_view port;
  };
  static constexpr Scheme kSchemes[] = {{"udp://", SyslogTarget::Kind::kUdp, "514"},
                                        {"tcp://", SyslogTarget::Kind::kTcp, "514"},
                                        {"tls://", SyslogTarget::Kind::kTls, "6514"},
                                        {"unix://", SyslogTarget::Kind::kUnix, ""}};
  for (const Scheme& scheme : kSchemes) {
    if (!text.starts_with(scheme.name)) continue;
    SyslogTarget target;
    target.kind = scheme.kind;
    target.port = scheme.port;
    text.remove_prefix(scheme.name.size());
    if (target.kind != SyslogTarget::Kind::kUnix) {
      if (!parse_host_port(text, target)) return std::nullopt;
      return target;
    }
    if (!text.starts_with('/') || text.size() > 107) return std::nullopt;
    target.path = text;
    return target;
  }
  return std::nullopt;
}

TlsOptions read_tls_options(Settings& settings) {
  TlsOptions options;
  options.ca_file = settings.text("ca-file", "");
  options.server_name = settings.text("server-name", "");
  options.fingerprint = settings.text("fingerprint", "");
  options.certificate = settings.text("certificate", "");
  options.key = settings.text("key", "");
  if (options.certificate.empty() != options.key.empty())
    settings.error(options.key.empty() ? "key" : "certificate",
                   "certificate and key are set together");
  return options;
}

}  // namespace lapwing::sinks
