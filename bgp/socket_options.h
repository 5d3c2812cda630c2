// What a BGP socket needs of the kernel: addresses, TTL, MD5 and AO keys, type of service.
//
// Functions on file descriptors, so that they can be tested without a session. Each returns nothing
// when all is well, otherwise what failed, for a log: "TCP-MD5 key for 192.0.2.1: Protocol not
// available".
// Thread: any. Owns: nothing.
// Implements RFC 2385 (TCP-MD5, also for ranges), RFC 5925 and 5926 (TCP-AO, the same), RFC 5082
// (GTSM), RFC 4271 Appendix E (precedence of BGP packets: CS6), RFC 4007 (scope of link-local
// addresses).
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "bgp/config.h"
#include "lapwing/prefix.h"

namespace lapwing::bgp {

using SocketError = std::optional<std::string>;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// An error is a scope that names no interface.
SocketError to_socket_address(const IpAddress& address, std::uint16_t port,
                              const std::string& scope, SocketAddress& out);
/// An IPv4-mapped IPv6 address gives the IPv4 address; `scope` is set for a link-local one.
Endpoint from_socket_address(const sockaddr_storage& storage);

/// "192.0.2.1:179", "[2001:db8::1]:179", "[fe80::1%eth0]:179".
std::string format_endpoint(const Endpoint& endpoint);

/// Before `connect`: TTL, GTSM, MD5 or AO key, type of service, no delay, and the local address.
SocketError prepare_outgoing(int fd, const NeighborConfig& neighbor);
/// After `accept`, the same but for what the listener has done already.
SocketError prepare_accepted(int fd, const NeighborConfig& neighbor);
/// Before `bind`: address reuse, IPv6 only, type of service.
SocketError prepare_listener(int fd, IpVersion version);

/// Sets the key of all neighbours in `range` at a listening or connecting socket of the same
/// address version; an empty password removes it.
SocketError set_md5_key(int fd, const Prefix& range, const std::string& scope,
                        const std::string& password);

/// The same for TCP-AO. Linux has it from 6.7 on where it was built with CONFIG_TCP_AO; elsewhere
/// the error is "TCP-AO key for 192.0.2.1/32: Protocol not available".
SocketError set_ao_key(int fd, const Prefix& range, const std::string& scope,
                       const std::string& key, const TcpAo& ao);

/// The key that `neighbor` is configured with, at the socket of a listener; `remove` takes it away.
SocketError set_key(int fd, const NeighborConfig& neighbor, bool remove = false);

/// Why this machine cannot do TCP-AO, nothing where it can.
SocketError probe_ao();

/// Closes with a reset, which leaves nothing of ours in TIME_WAIT.
void close_with_reset(int fd);

}  // namespace lapwing::bgp
