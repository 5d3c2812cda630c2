// Socket options as the kernel has them afterwards, and sessions over IPv6 and with TCP-MD5.
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bgp/socket_options.h"
#include "session_peer.h"

namespace lapwing::bgp::testing {

namespace {

struct Socket {
  explicit Socket(int family) : fd(::socket(family, SOCK_STREAM, 0)) { REQUIRE(fd >= 0); }
  ~Socket() { ::close(fd); }
  int get(int level, int option) const {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(fd, level, option, &value, &size);
    return value;
  }
  /// From one loopback address to a port of 127.0.0.1.
  bool connect(const char* from, std::uint16_t port) const {
    SocketAddress local, remote;
    REQUIRE(!to_socket_address(*parse_address(from), 0, {}, local));
    REQUIRE(!to_socket_address(*parse_address("127.0.0.1"), port, {}, remote));
    REQUIRE(::bind(fd, local.get(), local.size) == 0);
    return ::connect(fd, remote.get(), remote.size) == 0;
  }
  int fd;
};

bool md5_available() {
  Socket probe(AF_INET);
  return !set_md5_key(probe.fd, *parse_prefix("127.0.0.2/32"), {}, "probe");
}

}  // namespace

TEST_CASE("an eBGP neighbour is reached with TTL 1, or as multihop and ttl-security say") {
  NeighborConfig config = neighbor_config();
  {
    Socket s(AF_INET);
    REQUIRE(!prepare_outgoing(s.fd, config));
    CHECK(s.get(IPPROTO_IP, IP_TTL) == 1);
    CHECK(s.get(IPPROTO_IP, IP_TOS) == 0xc0);
    CHECK(s.get(IPPROTO_TCP, TCP_NODELAY) != 0);
  }
  config.multihop = 5;
  {
    Socket s(AF_INET);
    REQUIRE(!prepare_accepted(s.fd, config));
    CHECK(s.get(IPPROTO_IP, IP_TTL) == 5);
  }
  config.ttl_security = true;
  {
    Socket s(AF_INET);
    REQUIRE(!prepare_accepted(s.fd, config));
    CHECK(s.get(IPPROTO_IP, IP_TTL) == 255);
    CHECK(s.get(IPPROTO_IP, IP_MINTTL) == 251);
  }
  config.multihop.reset();
  config.address = *parse_address("2001:db8::1");
  {
    Socket s(AF_INET6);
    REQUIRE(!prepare_accepted(s.fd, config));
    CHECK(s.get(IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 255);
    CHECK(s.get(IPPROTO_IPV6, IPV6_MINHOPCOUNT) == 255);
    CHECK(s.get(IPPROTO_IPV6, IPV6_TCLASS) == 0xc0);
  }
  config.ttl_security = false;
  config.peer_as = config.local_as;
  {
    Socket s(AF_INET6);
    const int before = s.get(IPPROTO_IPV6, IPV6_UNICAST_HOPS);
    REQUIRE(!prepare_accepted(s.fd, config));
    CHECK(s.get(IPPROTO_IPV6, IPV6_UNICAST_HOPS) == before);
  }
}

TEST_CASE("errors of socket options say what failed") {
  NeighborConfig config = neighbor_config();
  config.local_address = parse_address("203.0.113.9");
  Socket s(AF_INET);
  const auto error = prepare_outgoing(s.fd, config);
  REQUIRE(error);
  CHECK(*error == "local address 203.0.113.9: Cannot assign requested address");
  config.local_address = parse_address("::1");
  CHECK(prepare_outgoing(s.fd, config));
  SocketAddress out;
  const auto scope = to_socket_address(*parse_address("fe80::1"), 179, "no-such-if", out);
  REQUIRE(scope);
  CHECK(scope->starts_with("interface no-such-if: "));
  CHECK(set_md5_key(s.fd, *parse_prefix("127.0.0.2/32"), {}, std::string(81, 'x')));
}

TEST_CASE("RFC 4007: a link-local address keeps its scope both ways") {
  SocketAddress out;
  REQUIRE(!to_socket_address(*parse_address("fe80::1"), 179, "lo", out));
  const Endpoint endpoint = from_socket_address(out.storage);
  CHECK(endpoint.scope == "lo");
  CHECK(format_endpoint(endpoint) == "[fe80::1%lo]:179");
  REQUIRE(!to_socket_address(*parse_address("::ffff:192.0.2.1"), 179, {}, out));
  CHECK(format_endpoint(from_socket_address(out.storage)) == "192.0.2.1:179");
}

TEST_CASE("a session over IPv6") {
  Bench bench({neighbor_config("six", "::1")}, quick_options(), "10.0.0.1", "::1");
  Peer peer = bench.connect("::1");
  CHECK(peer.establish(peer_open()));
  CHECK(bench.wait_state("Established", "six"));
}

TEST_CASE("RFC 5925: TCP-AO where the kernel has it; where not, nobody is let in without it") {
  CHECK(set_ao_key(-1, *parse_prefix("127.0.0.2/32"), {}, std::string(81, 'x'), {})
            .value_or("")
            .starts_with("TCP-AO key of more than 80 octets"));
  const auto missing = probe_ao();
  if (missing) CHECK(*missing == "TCP-AO key for 127.0.0.1/32: Protocol not available");
  NeighborConfig config = neighbor_config();
  config.password = "secret";
  config.tcp_ao = TcpAo{TcpAo::Algorithm::kHmacSha1, 1, 2};
  Bench bench({config, neighbor_config("open", "127.0.0.3")});
  REQUIRE(eventually([&] { return bench.speaker().statuses().size() == 2; }));
  // Accepted and closed at once, or, with a kernel that has it, never answered.
  const auto hears = [&](const char* from) {
    Socket s(AF_INET);
    const timeval limit{0, 500'000};
    ::setsockopt(s.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    ::setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char octet = 0;
    return s.connect(from, bench.port()) && ::recv(s.fd, &octet, 1, 0) == 1;
  };
  CHECK(!hears("127.0.0.2"));
  CHECK(hears("127.0.0.3"));
}

TEST_CASE("RFC 2385: a connection without the key does not get through, with it it does") {
  if (!md5_available()) {
    MESSAGE("skipped: this kernel has no TCP-MD5");
    return;
  }
  NeighborConfig config = neighbor_config();
  config.password = "secret";
  NeighborConfig range = neighbor_config("lab");
  range.range = parse_prefix("127.0.1.0/24");
  range.password = "other";
  Bench bench({config, range, neighbor_config("open", "127.0.0.3")});
  REQUIRE(eventually([&] { return bench.speaker().statuses().size() == 2; }));
  const auto try_connect = [&](const char* from, const char* key) {
    Socket s(AF_INET);
    const timeval limit{0, 300'000};
    ::setsockopt(s.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (*key != '\0') REQUIRE(!set_md5_key(s.fd, *parse_prefix("127.0.0.1/32"), {}, key));
    return s.connect(from, bench.port());
  };
  CHECK(!try_connect("127.0.0.2", ""));
  CHECK(!try_connect("127.0.0.2", "wrong"));
  CHECK(try_connect("127.0.0.2", "secret"));
  CHECK(!try_connect("127.0.1.9", ""));
  CHECK(try_connect("127.0.1.9", "other"));
  CHECK(try_connect("127.0.0.3", ""));
  config.password.clear();
  bench.speaker().update(config);
  CHECK(eventually([&] { return try_connect("127.0.0.2", ""); }));
}

}  // namespace lapwing::bgp::testing
