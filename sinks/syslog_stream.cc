#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "sinks/byte_stream.h"
#include "sinks/syslog_link.h"
#include "sinks/tcp_state.h"

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kConnectTimeout{10};
constexpr unsigned kUnansweredMilliseconds = 60000;  // then the connection counts as broken
constexpr std::size_t kWriteOctets = 65536;
constexpr milliseconds kFirstLook{1};
constexpr milliseconds kLongestLook{100};

class StreamLink final : public SyslogLink, public std::enable_shared_from_this<StreamLink> {
 public:
  StreamLink(asio::io_context& io, const SyslogTarget& target, Framing framing,
             asio::ssl::context* tls, const TlsOptions& options, Owner& owner)
      : target_(target),
        framing_(framing),
        options_(options),
        tls_context_(tls),
        owner_(&owner),
        stream_(io),
        timer_(io) {}

  void open() override {
    timer_.expires_after(kConnectTimeout);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (!stopped && self->owner_ != nullptr && !self->up_)
        self->fail(asio::error::timed_out, "cannot connect");
    });
    if (target_.kind == SyslogTarget::Kind::kUnix) return open_unix();
    stream_.resolve(target_.host, target_.port,
                    [self = shared_from_this()](const error_code& error,
                                                std::vector<ByteStream::Endpoint> found) {
                      if (self->owner_ == nullptr) return;
                      if (error) return self->fail(error, "cannot resolve " + self->target_.host);
                      self->connect(std::move(found));
                    });
  }

  void wake() override {
    if (up_ && !writing_) write_next();
  }

  std::size_t largest_window() const override { return largest_window_; }

  void close() override {
    owner_ = nullptr;
    timer_.cancel();
    // RFC 5425 4.4: close_notify, without waiting for an answer
    if (stream_.has_tls() && up_ && !writing_) stream_.say_goodbye();
    stream_.close();
  }

 private:
  void open_unix() {
    stream_.connect({asio::local::stream_protocol::endpoint(target_.path)},
                    [self = shared_from_this()](const error_code& error) {
                      if (self->owner_ == nullptr) return;
                      if (error) return self->fail(error, "cannot connect");
                      self->ready();
                    });
  }

  void connect(std::vector<ByteStream::Endpoint> found) {
    stream_.connect(std::move(found), [self = shared_from_this()](const error_code& error) {
      if (self->owner_ == nullptr) return;
      if (error) return self->fail(error, "cannot connect");
      if (self->reached_itself())
        return self->fail(asio::error::connection_refused, "cannot connect");
      self->connected();
    });
  }

  // Where nobody listens on a port of the range from which the kernel gives out ports, a connection
  // to the own host may meet itself (RFC 9293 3.5, simultaneous open), and would take everything.
  bool reached_itself() {
    error_code error;
    const auto here = stream_.socket().local_endpoint(error);
    return !error && here == stream_.socket().remote_endpoint(error) && !error;
  }

  void connected() {
    const int on = 1, idle = 10, interval = 5, count = 3;
    const int handle = stream_.socket().native_handle();
    ::setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    ::setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(handle, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnansweredMilliseconds,
                 sizeof kUnansweredMilliseconds);
    if (tls_context_ == nullptr) return ready();
    stream_.start_tls(*tls_context_);
    stream_.expect_peer(options_.server_name.empty() ? target_.host : options_.server_name,
                        !options_.fingerprint.empty());
    stream_.handshake_as_client([self = shared_from_this()](const error_code& error) {
      if (self->owner_ == nullptr) return;
      if (error) return self->fail(error, tls_failure(self->stream_.tls()));
      self->handshaken();
    });
  }

  void handshaken() {
    if (!options_.fingerprint.empty() &&
        !fingerprint_matches(stream_.tls(), options_.fingerprint))
      return fail(asio::error::access_denied, "the receiver's certificate has another fingerprint");
    ready();
  }

  void ready() {
    up_ = true;
    timer_.cancel();
    read();
    owner_->link_up();
    wake();
  }

  // A receiver says nothing; reading shows when it closes.
  void read() {
    stream_.read_some(asio::buffer(ignored_input_),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (self->owner_ == nullptr) return;
                        if (error) return self->fail(error, "connection lost");
                        self->read();
                      });
  }

  void write_next() {
    output_.clear();
    while (output_.size() < kWriteOctets) {
      const std::string* message = owner_->next_message();
      if (message == nullptr) break;
      if (framing_ == Framing::kOctetCounting) output_ += std::to_string(message->size()) + ' ';
      output_ += *message;
      if (framing_ == Framing::kLineFeed) output_ += '\n';
      ends_.push_back(written_ + output_.size());
    }
    if (output_.empty()) return;
    writing_ = true;
    stream_.write(asio::buffer(output_), [self = shared_from_this()](const error_code& error) {
      if (self->owner_ == nullptr) return;
      if (error) return self->fail(error, "cannot write");
      self->writing_ = false;
      self->written_ += self->output_.size();
      self->pause_ = kFirstLook;
      self->look_later();
      self->write_next();
    });
  }

  void look_later() {
    timer_.expires_after(pause_);
    pause_ = std::min(pause_ * 2, kLongestLook);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (!stopped && self->owner_ != nullptr) self->look();
    });
  }

  // Octets of completed writes that the peer has; nullopt: the connection has ended, and what it had
  // is unknown. Only TCP's own count can be taken apart; what TLS and Unix sockets have queued is not
  // counted in the octets of our messages.
  std::optional<std::uint64_t> delivered() {
    if (target_.kind == SyslogTarget::Kind::kUnix) {
      int queued = 0;
      pollfd state{stream_.socket().native_handle(), POLLRDHUP, 0};
      if (::ioctl(state.fd, SIOCOUTQ, &queued) != 0 || ::poll(&state, 1, 0) < 0 ||
          (state.revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0)
        return std::nullopt;
      return queued == 0 ? written_ : 0;
    }
    const std::optional<TcpState> state = tcp_state(stream_.socket().native_handle());
    if (!state) return std::nullopt;
    largest_window_ = std::max(largest_window_, state->window);
    if (state->unacknowledged == 0) return written_;
    const bool counts = target_.kind == SyslogTarget::Kind::kTcp;
    return counts && state->unacknowledged < written_ ? written_ - state->unacknowledged : 0;
  }

  void look() {
    const auto self = shared_from_this();  // the owner may drop the link while it is told
    if (!tell_arrived()) return;           // the read will fail
    if (owner_ != nullptr && !ends_.empty()) look_later();
  }

  // False: what has arrived is unknown.
  bool tell_arrived() {
    const std::optional<std::uint64_t> octets = delivered();
    if (!octets) return false;
    std::size_t messages = 0;
    while (!ends_.empty() && ends_.front() <= *octets) {
      ends_.pop_front();
      ++messages;
    }
    if (messages == 0) return true;
    pause_ = kFirstLook;
    owner_->arrived(messages);
    return true;
  }

  void fail(const error_code& error, const std::string& what) {
    const auto self = shared_from_this();
    const bool reset = error == asio::error::connection_reset || error == asio::error::timed_out ||
                       error == asio::error::broken_pipe;
    // A receiver that closes has acknowledged what it took, perhaps just now.
    if (up_ && !reset) tell_arrived();
    Owner* owner = std::exchange(owner_, nullptr);
    if (owner == nullptr) return;
    timer_.cancel();
    stream_.close();
    const Ending ending = error.value() == EPROTOTYPE ? Ending::kWrongKind
                          : up_ && reset              ? Ending::kReset
                                                      : Ending::kClosed;
    owner->link_down(ending, what + ": " + error.message());
  }

  const SyslogTarget target_;
  const Framing framing_;
  const TlsOptions options_;
  asio::ssl::context* const tls_context_;
  Owner* owner_;  // nullptr once ended
  ByteStream stream_;
  asio::steady_timer timer_;
  std::array<char, 512> ignored_input_{};
  std::string output_;               // being written
  std::deque<std::uint64_t> ends_;   // where each message that has not arrived ends
  std::uint64_t written_ = 0;        // octets before TLS, of completed writes
  std::size_t largest_window_ = 0;
  milliseconds pause_ = kFirstLook;
  bool up_ = false;
  bool writing_ = false;
};

}  // namespace

std::shared_ptr<SyslogLink> make_stream_link(asio::io_context& io, const SyslogTarget& target,
                                             Framing framing, asio::ssl::context* tls,
                                             const TlsOptions& options, SyslogLink::Owner& owner) {
  return std::make_shared<StreamLink>(io, target, framing, tls, options, owner);
}

}  // namespace lapwing::sinks
