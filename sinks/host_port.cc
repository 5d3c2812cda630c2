#include "sinks/host_port.h"

#include <unistd.h>

#include <charconv>

#include "lapwing/prefix.h"

namespace lapwing::sinks {

namespace {

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

bool parse_host_port(std::string_view text, std::string& out_host, std::string& out_port) {
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
  out_host = host;
  if (port.empty()) return true;
  out_port = port.substr(1);
  return port.front() == ':' && is_port(out_port);
}

std::string local_hostname() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace lapwing::sinks
