#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/datagram_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/local/datagram_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "sinks/syslog_link.h"

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// A receiver's default buffer holds about a hundred datagrams; a burst is spread so that it can read.
constexpr unsigned kBurst = 16;
constexpr std::chrono::milliseconds kBurstPause{2};

class DatagramLink final : public SyslogLink, public std::enable_shared_from_this<DatagramLink> {
 public:
  DatagramLink(asio::io_context& io, const SyslogTarget& target, Owner& owner)
      : target_(target), owner_(&owner), socket_(io), resolver_(io), timer_(io) {}

  void open() override {
    if (target_.kind == SyslogTarget::Kind::kUnix) {
      asio::post(socket_.get_executor(), [self = shared_from_this()] {
        if (self->owner_ == nullptr) return;
        const asio::local::datagram_protocol::endpoint endpoint(self->target_.path);
        if (const error_code error = self->connect(endpoint))
          self->fail(error, "cannot reach the receiver");
        else
          self->ready();
      });
      return;
    }
    resolver_.async_resolve(
        target_.host, target_.port,
        [self = shared_from_this()](const error_code& error, const auto& results) {
          if (self->owner_ == nullptr) return;
          if (error) return self->fail(error, "cannot resolve " + self->target_.host);
          self->connect_first(results);
        });
  }

  void wake() override {
    if (up_ && !sending_) send_next();
  }

  void close() override {
    owner_ = nullptr;
    error_code ignored;
    resolver_.cancel();
    timer_.cancel();
    socket_.close(ignored);
  }

 private:
  // The first address to which there is a way; a name may have one of a family that we have not.
  void connect_first(const asio::ip::udp::resolver::results_type& results) {
    error_code error = asio::error::host_not_found;
    for (const auto& result : results) {
      error = connect(result.endpoint());
      if (!error) return ready();
    }
    fail(error, "cannot reach the receiver");
  }

  error_code connect(const asio::generic::datagram_protocol::endpoint& endpoint) {
    error_code error, ignored;
    socket_.close(ignored);
    socket_.open(endpoint.protocol(), error);
    if (!error) socket_.connect(endpoint, error);
    if (!error && endpoint.protocol().family() == AF_INET) {
      // Let the kernel fragment: a message beyond the path's MTU is better late than refused.
      const int off = IP_PMTUDISC_DONT;
      ::setsockopt(socket_.native_handle(), IPPROTO_IP, IP_MTU_DISCOVER, &off, sizeof off);
    }
    return error;
  }

  void ready() {
    up_ = true;
    owner_->link_up();
    wake();
  }

  void send_next() {
    const std::string* message = owner_ == nullptr ? nullptr : owner_->next_message();
    if (message == nullptr) return;
    send(message);
  }

  void send(const std::string* message) {
    sending_ = true;
    socket_.async_send(asio::buffer(*message),
                       [self = shared_from_this(), message](const error_code& error, std::size_t) {
                         if (self->owner_ != nullptr) self->sent(error, message);
                       });
  }

  void sent(error_code error, const std::string* message) {
    sending_ = false;
    if (error == asio::error::message_size) {
      if (owner_->shorten()) return send(message);
      error.clear();
    }
    if (!error) error = pending_error();
    if (error) return fail(error, "cannot send");
    const auto self = shared_from_this();  // the owner may drop the link while it is told
    owner_->arrived(1);
    if (owner_ == nullptr || sending_) return;
    if (target_.kind != SyslogTarget::Kind::kUdp || ++burst_ % kBurst != 0) return send_next();
    sending_ = true;
    timer_.expires_after(kBurstPause);
    timer_.async_wait([self](const error_code& stopped) {
      if (stopped || self->owner_ == nullptr) return;
      self->sending_ = false;
      self->send_next();
    });
  }

  // On the same host the refusal of a datagram (ICMP port unreachable) is there at once.
  error_code pending_error() {
    int number = 0;
    socklen_t size = sizeof number;
    ::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &number, &size);
    return {number, boost::system::system_category()};
  }

  void fail(const error_code& error, const std::string& what) {
    const bool wrong = error.value() == EPROTOTYPE;
    Owner* owner = std::exchange(owner_, nullptr);
    owner->link_down(wrong ? Ending::kWrongKind : Ending::kClosed, what + ": " + error.message());
  }

  const SyslogTarget target_;
  Owner* owner_;
  asio::generic::datagram_protocol::socket socket_;
  asio::ip::udp::resolver resolver_;
  asio::steady_timer timer_;
  bool up_ = false;
  bool sending_ = false;
  unsigned burst_ = 0;
};

}  // namespace

std::shared_ptr<SyslogLink> make_datagram_link(asio::io_context& io, const SyslogTarget& target,
                                               SyslogLink::Owner& owner) {
  return std::make_shared<DatagramLink>(io, target, owner);
}

}  // namespace lapwing::sinks
