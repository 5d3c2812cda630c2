// Values as people write them in the configuration: endpoints, names.
//
// Every function returns nullopt for text that is no such value.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/config.h"

namespace lapwing::collector {

struct ScopedAddress {
  IpAddress address;
  std::string scope;  // "eth0" of "fe80::1%eth0"
};
/// A scope stands behind link-local IPv6 addresses only, and always.
std::optional<ScopedAddress> parse_scoped_address(std::string_view text);

/// "192.0.2.1:179", "[2001:db8::1]:179", "[fe80::1%eth0]:179"; without a port `default_port`, and
/// then IPv6 may stand without brackets. Port 0 is no port; a `default_port` of 0 asks for one.
std::optional<bgp::Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);
std::string endpoint_text(const bgp::Endpoint& endpoint);

bool is_unspecified(const IpAddress& address);
bool is_multicast(const IpAddress& address);
bool is_link_local_v6(const IpAddress& address);

/// A host that a session can run to: not unspecified, not multicast, not 255.255.255.255, not
/// 0.0.0.0/8, not an IPv4-mapped IPv6 address.
bool is_host_address(const IpAddress& address);

/// Printable ASCII, 1 to 64 octets, no blank at either end.
bool is_name(std::string_view text);
/// No control characters (C0, DEL, C1) in valid UTF-8 text.
bool is_one_line(std::string_view text);

/// The known name that is nearest to `text` by edit distance, if it is near enough to be meant.
std::optional<std::string> nearest(std::string_view text, const std::vector<std::string>& known);

}  // namespace lapwing::collector
