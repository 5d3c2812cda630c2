#include "bgp/listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

namespace lapwing::bgp {

namespace {

constexpr int kBacklog = 256;
constexpr int kAcceptsPerTurn = 16;

}  // namespace

Listener::Listener(boost::asio::io_context& io, Endpoint endpoint, AcceptFunction on_accept,
                   std::function<void(std::string)> on_error)
    : endpoint_(std::move(endpoint)),
      on_accept_(std::move(on_accept)),
      on_error_(std::move(on_error)),
      socket_(io),
      pause_(io) {}

SocketError Listener::open() {
  const std::string what = "listen on " + format_endpoint(endpoint_) + ": ";
  SocketAddress address;
  if (auto error = to_socket_address(endpoint_.address, endpoint_.port, endpoint_.scope, address))
    return what + *error;
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return what + std::system_category().message(errno);
  boost::system::error_code assigned;
  socket_.assign(fd, assigned);
  if (assigned) {
    ::close(fd);
    return what + assigned.message();
  }
  SocketError error = prepare_listener(fd, endpoint_.address.version);
  if (!error && (::bind(fd, address.get(), address.size) != 0 || ::listen(fd, kBacklog) != 0))
    error = std::system_category().message(errno);
  if (error) {
    close();
    return what + *error;
  }
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0)
    endpoint_.port = from_socket_address(bound).port;
  wait();
  return std::nullopt;
}

void Listener::close() {
  pause_.cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

SocketError Listener::set_key(const NeighborConfig& neighbor, bool remove) {
  const IpAddress& address = neighbor.range ? neighbor.range->address : neighbor.address;
  if (address.version != endpoint_.address.version) return std::nullopt;
  return bgp::set_key(socket_.native_handle(), neighbor, remove);
}

void Listener::wait() {
  if (!socket_.is_open()) return;
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [weak = weak_from_this()](const boost::system::error_code& error) {
                       const auto self = weak.lock();
                       if (self && !error) self->on_readable();
                     });
}

void Listener::on_readable() {
  const auto self = shared_from_this();
  for (int i = 0; i < kAcceptsPerTurn && socket_.is_open(); ++i) {
    sockaddr_storage remote{};
    socklen_t size = sizeof remote;
    const int fd = ::accept4(socket_.native_handle(), reinterpret_cast<sockaddr*>(&remote), &size,
                             SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
      const int error = errno;
      if (error == EAGAIN) break;
      if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        on_error_("accept on " + format_endpoint(endpoint_) + ": " +
                  std::system_category().message(error));
        pause_.start(std::chrono::seconds(1), self, &Listener::wait);
        return;
      }
      continue;  // the connection was gone before it was taken
    }
    sockaddr_storage local{};
    size = sizeof local;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size);
    on_accept_(fd, from_socket_address(remote), from_socket_address(local));
  }
  wait();
}

}  // namespace lapwing::bgp
