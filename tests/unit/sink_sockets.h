// Receivers and clients of plain sockets for the sinks' tests.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lapwing::sinks::testing {

/// A descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

inline void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

/// A bound socket on a loopback address; port 0: any. The port is given back.
inline Fd bind_loopback(int type, std::uint16_t& port, bool v6 = false) {
  Fd fd(::socket(v6 ? AF_INET6 : AF_INET, type, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (v6) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&storage);
    *address = {};
    address->sin6_family = AF_INET6;
    address->sin6_addr = in6addr_loopback;
    address->sin6_port = htons(port);
    size = sizeof *address;
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&storage);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons(port);
    size = sizeof *address;
  }
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) return Fd();
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  port = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                  : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
  if (type == SOCK_STREAM) ::listen(fd.get(), 16);
  set_nonblocking(fd.get());
  return fd;
}

struct LoopbackPair {
  Fd first, second;  // 127.0.0.1 and 127.0.0.2; the second does not listen
  std::uint16_t port = 0;
};

/// Two sockets with one port. A port that is free for the one can be taken for the other: then a next one.
inline LoopbackPair bind_loopback_pair(int type) {
  LoopbackPair pair;
  std::vector<Fd> taken;
  while (!pair.second && taken.size() < 100) {
    if (pair.first) taken.push_back(std::move(pair.first));
    pair.port = 0;
    pair.first = bind_loopback(type, pair.port);
    Fd second(::socket(AF_INET, type, 0));
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(pair.port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    if (::bind(second.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) == 0)
      pair.second = std::move(second);
  }
  return pair;
}

inline sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
  return address;
}

inline Fd bind_unix(int type, const std::string& path) {
  Fd fd(::socket(AF_UNIX, type, 0));
  const sockaddr_un address = unix_address(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Fd();
  if (type == SOCK_STREAM) ::listen(fd.get(), 16);
  set_nonblocking(fd.get());
  return fd;
}

/// Accepts a waiting connection, if there is one.
inline Fd accept_one(const Fd& listener) {
  Fd fd(::accept(listener.get(), nullptr, nullptr));
  if (fd) set_nonblocking(fd.get());
  return fd;
}

/// Appends what can be read now; false at the end of the stream.
inline bool read_more(const Fd& fd, std::string& into, std::size_t most = ~std::size_t{0}) {
  char buffer[16384];
  while (most > 0) {
    const ssize_t n = ::recv(fd.get(), buffer, std::min(sizeof buffer, most), 0);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    into.append(buffer, static_cast<std::size_t>(n));
    most -= static_cast<std::size_t>(n);
  }
  return true;
}

/// Takes whole octet-counted messages (RFC 6587 3.4.1) off the front of `stream`.
inline std::vector<std::string> take_counted(std::string& stream) {
  std::vector<std::string> out;
  for (;;) {
    const std::size_t blank = stream.find(' ');
    if (blank == std::string::npos) return out;
    const std::size_t size = std::stoul(stream.substr(0, blank));
    if (stream.size() < blank + 1 + size) return out;
    out.push_back(stream.substr(blank + 1, size));
    stream.erase(0, blank + 1 + size);
  }
}

inline std::vector<std::string> take_lines(std::string& stream) {
  std::vector<std::string> out;
  for (std::size_t end; (end = stream.find('\n')) != std::string::npos;) {
    out.push_back(stream.substr(0, end));
    stream.erase(0, end + 1);
  }
  return out;
}

}  // namespace lapwing::sinks::testing
