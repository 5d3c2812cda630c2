#include "sinks/byte_stream.h"

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/error.hpp>
#include <optional>
#include <utility>

#include "lapwing/prefix.h"

namespace lapwing::sinks {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

class ByteStream::State : public std::enable_shared_from_this<State> {
 public:
  // The only handler that Asio's own operations see.
  struct Finish {
    std::shared_ptr<State> state;
    Moved done;
    void operator()(const error_code& error, std::size_t size = 0) {
      state->finish(error, size, done);
    }
  };

  // What TLS reads from and writes to: the operations of the socket, with any handler.
  struct Layer {
    using executor_type = Socket::executor_type;
    using lowest_layer_type = Layer;
    State& state;

    executor_type get_executor() { return state.socket.get_executor(); }
    lowest_layer_type& lowest_layer() { return *this; }
    template <typename Buffers, typename Handler>
    void async_read_some(const Buffers& data, Handler&& handler) {
      state.read_some(*asio::buffer_sequence_begin(data), Moved(std::forward<Handler>(handler)));
    }
    template <typename Buffers, typename Handler>
    void async_write_some(const Buffers& data, Handler&& handler) {
      state.write_some(*asio::buffer_sequence_begin(data), Moved(std::forward<Handler>(handler)));
    }
    template <typename Buffers>
    std::size_t read_some(const Buffers& data, error_code& error) {
      return state.socket.read_some(data, error);
    }
    template <typename Buffers>
    std::size_t write_some(const Buffers& data, error_code& error) {
      return state.socket.write_some(data, error);
    }
  };

  // The handler of the operations of TLS; the deadline is that of the operations below.
  struct Told {
    std::shared_ptr<State> state;
    Moved done;
    void operator()(const error_code& error, std::size_t size = 0) { done(error, size); }
  };

  explicit State(Socket s) : socket(std::move(s)), timer_(socket.get_executor()) {}

  void set_deadline(Clock::time_point deadline) {
    deadline_ = deadline;
    if (pending_ > 0) watch_deadline();
  }

  void connect(std::vector<Endpoint> endpoints, Done done) {
    connect_next(std::make_shared<Tries>(Tries{std::move(endpoints), 0, std::move(done)}),
                 asio::error::not_found);
  }

  void read_some(asio::mutable_buffer data, Moved done) {
    start();
    socket.async_read_some(data, Finish{shared_from_this(), std::move(done)});
  }
  void write_some(asio::const_buffer data, Moved done) {
    start();
    socket.async_write_some(data, Finish{shared_from_this(), std::move(done)});
  }

  void write_all(asio::const_buffer data, Done done) {
    Moved next = [self = shared_from_this(), data, done = std::move(done)](
                     const error_code& error, std::size_t size) mutable {
      if (error || size == data.size()) return done(error);
      self->write_all(data + size, std::move(done));
    };
    if (tls)
      tls->async_write_some(data, Told{shared_from_this(), std::move(next)});
    else
      write_some(data, std::move(next));
  }

  void shake_hands(asio::ssl::stream_base::handshake_type role, Done done) {
    tls->async_handshake(role, told(std::move(done)));
  }
  Told told(Done done) {
    return {shared_from_this(),
            [done = std::move(done)](const error_code& error, std::size_t) { done(error); }};
  }

  void close() {
    closed = true;
    resolver.reset();
    timer_.cancel();
    error_code ignored;
    socket.close(ignored);
  }

  Socket socket;
  std::optional<tcp::resolver> resolver;
  std::optional<asio::ssl::stream<Layer>> tls;
  bool closed = false;

 private:
  void start() {
    ++pending_;
    watch_deadline();
  }

  void finish(error_code error, std::size_t size, Moved& done) {
    if (--pending_ == 0) timer_.cancel();
    if (timed_out_) error = boost::beast::error::timeout;
    done(error, size);
  }

  void watch_deadline() {
    if (deadline_ == Clock::time_point::max()) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(deadline_);
    timer_.async_wait([weak = weak_from_this()](const error_code& stopped) {
      const auto self = weak.lock();
      if (stopped || !self || self->pending_ == 0 || Clock::now() < self->deadline_) return;
      self->timed_out_ = true;
      self->close();
    });
  }

  // Kept by the operation, not by the stream: `done` keeps the stream's owner.
  struct Tries {
    std::vector<Endpoint> endpoints;
    std::size_t next = 0;
    Done done;
  };

  void connect_next(const std::shared_ptr<Tries>& tries, error_code last) {
    if (closed) last = asio::error::operation_aborted;
    if (closed || tries->next == tries->endpoints.size())
      return asio::post(socket.get_executor(), [tries, last] { tries->done(last); });
    error_code ignored;
    socket.close(ignored);
    start();
    const Endpoint& endpoint = tries->endpoints[tries->next++];
    socket.async_connect(
        endpoint, Finish{shared_from_this(), [this, tries](const error_code& error, std::size_t) {
                           if (!error || timed_out_) return tries->done(error);
                           connect_next(tries, error);
                         }});
  }

  asio::steady_timer timer_;
  Clock::time_point deadline_ = Clock::time_point::max();
  unsigned pending_ = 0;  // operations of the socket
  bool timed_out_ = false;
};

ByteStream::ByteStream(asio::io_context& io) : state_(std::make_shared<State>(Socket(io))) {}
ByteStream::ByteStream(Socket connected) : state_(std::make_shared<State>(std::move(connected))) {}
ByteStream::~ByteStream() {
  if (state_) state_->close();
}

void ByteStream::expires_after(std::chrono::milliseconds time) {
  state_->set_deadline(Clock::now() + time);
}
void ByteStream::expires_never() { state_->set_deadline(Clock::time_point::max()); }

void ByteStream::resolve(const std::string& host, const std::string& port, Resolved done) {
  state_->resolver.emplace(state_->socket.get_executor());
  state_->resolver->async_resolve(
      host, port,
      [state = state_, done = std::move(done)](const error_code& error,
                                               const tcp::resolver::results_type& found) {
        std::vector<Endpoint> endpoints;
        for (const auto& entry : found) endpoints.emplace_back(entry.endpoint());
        done(state->closed ? asio::error::operation_aborted : error, std::move(endpoints));
      });
}

void ByteStream::connect(std::vector<Endpoint> endpoints, Done done) {
  state_->connect(std::move(endpoints), std::move(done));
}

void ByteStream::start_tls(asio::ssl::context& context) {
  state_->tls.emplace(State::Layer{*state_}, context);
}
bool ByteStream::has_tls() const { return state_->tls.has_value(); }
SSL* ByteStream::tls() const { return has_tls() ? state_->tls->native_handle() : nullptr; }

void ByteStream::expect_peer(const std::string& name, bool any_certificate) {
  if (!parse_address(name)) SSL_set_tlsext_host_name(tls(), name.c_str());
  state_->tls->set_verify_mode(any_certificate ? asio::ssl::verify_none : asio::ssl::verify_peer);
  if (!any_certificate) state_->tls->set_verify_callback(asio::ssl::host_name_verification(name));
}

void ByteStream::handshake_as_client(Done done) {
  state_->shake_hands(asio::ssl::stream_base::client, std::move(done));
}
void ByteStream::handshake_as_server(Done done) {
  state_->shake_hands(asio::ssl::stream_base::server, std::move(done));
}
void ByteStream::shut_down_tls(Done done) {
  state_->tls->async_shutdown(state_->told(std::move(done)));
}
void ByteStream::say_goodbye() {
  error_code ignored;
  state_->socket.non_blocking(true, ignored);
  state_->tls->shutdown(ignored);
}

void ByteStream::read_some(asio::mutable_buffer data, Moved done) {
  if (state_->tls)
    state_->tls->async_read_some(data, State::Told{state_, std::move(done)});
  else
    state_->read_some(data, std::move(done));
}
void ByteStream::write(asio::const_buffer data, Done done) {
  state_->write_all(data, std::move(done));
}

bool ByteStream::is_open() const { return !state_->closed; }
void ByteStream::close() { state_->close(); }
void ByteStream::later(std::function<void()> fn) {
  asio::post(state_->socket.get_executor(), std::move(fn));
}
ByteStream::Socket& ByteStream::socket() { return state_->socket; }
const ByteStream::Socket& ByteStream::socket() const { return state_->socket; }

}  // namespace lapwing::sinks
