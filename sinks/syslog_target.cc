#include "sinks/syslog_target.h"

#include "lapwing/prefix.h"
#include "sinks/host_port.h"

namespace lapwing::sinks {

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
      if (!parse_host_port(text, target.host, target.port)) return std::nullopt;
      return target;
    }
    if (!text.starts_with('/') || text.size() > 107) return std::nullopt;
    target.path = text;
    return target;
  }
  return std::nullopt;
}

}  // namespace lapwing::sinks
