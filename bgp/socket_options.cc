#include "bgp/socket_options.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <utility>

namespace lapwing::bgp {

namespace {

constexpr int kClassSelector6 = 0xc0;
constexpr unsigned kMaxTtl = 255;

// Of Linux 6.7's <linux/tcp.h>; Debian 12's is older.
constexpr int kAoAddKey = 38, kAoDeleteKey = 39;
constexpr std::size_t kMaxAoKey = 80;
constexpr std::uint8_t kAoMacLength = 12;  // RFC 5926 3.2

struct alignas(8) AoAdd {
  sockaddr_storage address;
  char algorithm[64];
  std::int32_t interface;
  std::uint32_t flags;  // 1: set current, 2: set RNext
  std::uint16_t reserved;
  std::uint8_t prefix_length;
  std::uint8_t send_id;
  std::uint8_t receive_id;
  std::uint8_t mac_length;
  std::uint8_t key_flags;
  std::uint8_t key_length;
  std::uint8_t key[kMaxAoKey];
};
static_assert(sizeof(AoAdd) == 288 && offsetof(AoAdd, key) == 208);

struct alignas(8) AoDelete {
  sockaddr_storage address;
  std::int32_t interface;
  std::uint32_t flags;
  std::uint16_t reserved;
  std::uint8_t prefix_length;
  std::uint8_t send_id;
  std::uint8_t receive_id;
  std::uint8_t current;
  std::uint8_t next;
  std::uint8_t key_flags;
};
static_assert(sizeof(AoDelete) == 144);

std::string failed(std::string what) {
  return std::move(what) + ": " + std::system_category().message(errno);
}

SocketError set_int(int fd, int level, int option, int value, const char* what) {
  if (::setsockopt(fd, level, option, &value, sizeof value) == 0) return std::nullopt;
  return failed(what);
}

bool link_local(const IpAddress& a) {
  return a.version == IpVersion::kV6 && a.bytes[0] == 0xfe && (a.bytes[1] & 0xc0) == 0x80;
}

SocketError set_ttl(int fd, IpVersion version, const NeighborConfig& neighbor) {
  const bool v4 = version == IpVersion::kV4;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int ttl_option = v4 ? IP_TTL : IPV6_UNICAST_HOPS;
  if (neighbor.ttl_security) {
    const unsigned hops = neighbor.multihop.value_or(1);
    const int minimum = static_cast<int>(kMaxTtl + 1 - (hops == 0 ? 1 : hops));
    if (auto error = set_int(fd, level, ttl_option, kMaxTtl, "TTL 255")) return error;
    return set_int(fd, level, v4 ? IP_MINTTL : IPV6_MINHOPCOUNT, minimum, "ttl-security");
  }
  if (neighbor.multihop)
    return set_int(fd, level, ttl_option, static_cast<int>(*neighbor.multihop), "multihop TTL");
  const bool external = neighbor.peer_as != 0 && neighbor.peer_as != neighbor.local_as;
  if (external) return set_int(fd, level, ttl_option, 1, "TTL 1");
  return std::nullopt;
}

SocketError set_type_of_service(int fd, IpVersion version) {
  if (version == IpVersion::kV4)
    return set_int(fd, IPPROTO_IP, IP_TOS, kClassSelector6, "type of service");
  return set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, kClassSelector6, "traffic class");
}

}  // namespace

SocketError to_socket_address(const IpAddress& address, std::uint16_t port,
                              const std::string& scope, SocketAddress& out) {
  out = SocketAddress{};
  if (address.version == IpVersion::kV4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.bytes.data(), 4);
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
    return std::nullopt;
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(&in6.sin6_addr, address.bytes.data(), 16);
  if (!scope.empty()) {
    in6.sin6_scope_id = ::if_nametoindex(scope.c_str());
    if (in6.sin6_scope_id == 0) return failed("interface " + scope);
  }
  std::memcpy(&out.storage, &in6, sizeof in6);
  out.size = sizeof in6;
  return std::nullopt;
}

Endpoint from_socket_address(const sockaddr_storage& storage) {
  Endpoint endpoint;
  if (storage.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &storage, sizeof in);
    std::memcpy(endpoint.address.bytes.data(), &in.sin_addr, 4);
    endpoint.port = ntohs(in.sin_port);
    return endpoint;
  }
  sockaddr_in6 in6;
  std::memcpy(&in6, &storage, sizeof in6);
  endpoint.port = ntohs(in6.sin6_port);
  const auto* octets = reinterpret_cast<const std::uint8_t*>(&in6.sin6_addr);
  if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
    std::memcpy(endpoint.address.bytes.data(), octets + 12, 4);
    return endpoint;
  }
  endpoint.address.version = IpVersion::kV6;
  std::memcpy(endpoint.address.bytes.data(), octets, 16);
  char name[IF_NAMESIZE];
  if (in6.sin6_scope_id != 0 && link_local(endpoint.address) &&
      ::if_indextoname(in6.sin6_scope_id, name) != nullptr)
    endpoint.scope = name;
  return endpoint;
}

std::string format_endpoint(const Endpoint& endpoint) {
  const bool v6 = endpoint.address.version == IpVersion::kV6;
  std::string text;
  if (v6) text += '[';
  text += format_address(endpoint.address);
  if (v6 && !endpoint.scope.empty()) text.append("%").append(endpoint.scope);
  if (v6) text += ']';
  text += ':';
  return text += std::to_string(endpoint.port);
}

SocketError prepare_outgoing(int fd, const NeighborConfig& neighbor) {
  const IpVersion version = neighbor.address.version;
  if (auto error = set_key(fd, neighbor)) return error;
  if (neighbor.local_address) {
    if (neighbor.local_address->version != version)
      return "local address and neighbor address are of different versions";
    SocketAddress local;
    const std::string scope = link_local(*neighbor.local_address) ? neighbor.scope : "";
    if (auto error = to_socket_address(*neighbor.local_address, 0, scope, local)) return error;
    if (auto error = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "address reuse")) return error;
    if (::bind(fd, local.get(), local.size) != 0)
      return failed("local address " + format_address(*neighbor.local_address));
  }
  return prepare_accepted(fd, neighbor);
}

SocketError prepare_accepted(int fd, const NeighborConfig& neighbor) {
  const IpVersion version =
      neighbor.range ? neighbor.range->address.version : neighbor.address.version;
  if (auto error = set_ttl(fd, version, neighbor)) return error;
  if (auto error = set_type_of_service(fd, version)) return error;
  return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "no delay");
}

SocketError prepare_listener(int fd, IpVersion version) {
  if (auto error = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "address reuse")) return error;
  if (version == IpVersion::kV6)
    if (auto error = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPv6 only")) return error;
  return set_type_of_service(fd, version);
}

SocketError set_md5_key(int fd, const Prefix& range, const std::string& scope,
                        const std::string& password) {
  tcp_md5sig key{};
  if (password.size() > sizeof key.tcpm_key)
    return "TCP-MD5 password of more than " + std::to_string(sizeof key.tcpm_key) + " octets";
  SocketAddress address;
  if (auto error = to_socket_address(range.address, 0, scope, address)) return error;
  std::memcpy(&key.tcpm_addr, &address.storage, sizeof address.storage);
  key.tcpm_keylen = static_cast<std::uint16_t>(password.size());
  std::memcpy(key.tcpm_key, password.data(), password.size());
  int option = TCP_MD5SIG;
  if (range.length != range.max_length()) {
    option = TCP_MD5SIG_EXT;
    key.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX;
    key.tcpm_prefixlen = range.length;
  }
  const bool set = ::setsockopt(fd, IPPROTO_TCP, option, &key, sizeof key) == 0;
  // The kernel has no key to remove: that is what was asked for.
  if (set || (password.empty() && errno == ENOENT)) return std::nullopt;
  return failed("TCP-MD5 key for " + format_prefix(range));
}

SocketError set_ao_key(int fd, const Prefix& range, const std::string& scope,
                       const std::string& key, const TcpAo& ao) {
  if (key.size() > kMaxAoKey)
    return "TCP-AO key of more than " + std::to_string(kMaxAoKey) + " octets";
  SocketAddress address;
  if (auto error = to_socket_address(range.address, 0, scope, address)) return error;
  int done = 0;
  if (key.empty()) {
    AoDelete old{};
    old.address = address.storage;
    old.prefix_length = range.length;
    old.send_id = ao.send_id;
    old.receive_id = ao.receive_id;
    done = ::setsockopt(fd, IPPROTO_TCP, kAoDeleteKey, &old, sizeof old);
    if (done != 0 && errno == ENOENT) return std::nullopt;
  } else {
    AoAdd add{};
    add.address = address.storage;
    const bool sha1 = ao.algorithm == TcpAo::Algorithm::kHmacSha1;
    std::strcpy(add.algorithm, sha1 ? "hmac(sha1)" : "cmac(aes128)");
    add.prefix_length = range.length;
    add.send_id = ao.send_id;
    add.receive_id = ao.receive_id;
    add.mac_length = kAoMacLength;
    add.key_length = static_cast<std::uint8_t>(key.size());
    std::memcpy(add.key, key.data(), key.size());
    done = ::setsockopt(fd, IPPROTO_TCP, kAoAddKey, &add, sizeof add);
  }
  return done == 0 ? std::nullopt : SocketError(failed("TCP-AO key for " + format_prefix(range)));
}

SocketError set_key(int fd, const NeighborConfig& neighbor, bool remove) {
  if (neighbor.password.empty()) return std::nullopt;
  Prefix range{neighbor.address, 0};
  range.length = static_cast<std::uint8_t>(range.max_length());
  if (neighbor.range) range = *neighbor.range;
  const std::string& key = remove ? std::string() : neighbor.password;
  if (neighbor.tcp_ao) return set_ao_key(fd, range, neighbor.scope, key, *neighbor.tcp_ao);
  return set_md5_key(fd, range, neighbor.scope, key);
}

SocketError probe_ao() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("socket");
  const auto error = set_ao_key(fd, *parse_prefix("127.0.0.1/32"), {}, "probe", {});
  ::close(fd);
  return error;
}

void close_with_reset(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

}  // namespace lapwing::bgp
