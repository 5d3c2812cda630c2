#include "sinks/web_socket.h"

#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace lapwing::sinks {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kDrainTimeout{2};

// A ByteStream as the stream that Beast writes to and reads from.
struct Layer {
  using executor_type = ByteStream::Socket::executor_type;

  explicit Layer(ByteStream s) : stream(std::move(s)) {}
  executor_type get_executor() { return stream.socket().get_executor(); }

  template <typename Buffers, typename Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(error_code, std::size_t)>(
        [](auto&& done, ByteStream* s, asio::mutable_buffer data) {
          s->read_some(data, moved(std::move(done)));
        },
        handler, &stream, *asio::buffer_sequence_begin(buffers));
  }
  // One write, and so one packet, for the head of a frame and what it holds.
  template <typename Buffers, typename Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    return asio::async_initiate<Handler, void(error_code, std::size_t)>(
        [](auto&& done, Layer* self, const Buffers& data) {
          self->output = beast::buffers_to_string(data);
          self->stream.write(
              asio::buffer(self->output),
              [finish = moved(std::move(done)), size = self->output.size()](
                  const error_code& error) { finish(error, error ? 0 : size); });
        },
        handler, this, buffers);
  }

  // std::function wants to be copied, which Beast's handlers are not.
  template <typename Handler>
  static ByteStream::Moved moved(Handler handler) {
    return [kept = std::make_shared<Handler>(std::move(handler))](
               const error_code& error, std::size_t size) { std::move (*kept)(error, size); };
  }

  ByteStream stream;
  std::string output;  // being written
  std::array<char, 4096> ignored{};
};

// Closing with unread input would reset the connection, and take the close frame with it.
void drain(Layer& layer, unsigned left, std::function<void()> done) {
  layer.stream.read_some(asio::buffer(layer.ignored),
                         [&layer, left, done = std::move(done)](const error_code& error,
                                                                std::size_t) mutable {
                           if (error || left == 0) return done();
                           drain(layer, left - 1, std::move(done));
                         });
}

// Beast asks for these by name when a connection has ended.
template <typename Handler>
void async_teardown(beast::role_type, Layer& layer, Handler&& handler) {
  layer.stream.expires_after(kDrainTimeout);
  if (layer.stream.has_tls()) layer.stream.say_goodbye();
  error_code ignored;
  layer.stream.socket().shutdown(ByteStream::Socket::shutdown_send, ignored);
  drain(layer, 64,
        [kept = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler))] {
          std::move (*kept)(error_code());
        });
}
void beast_close_socket(Layer& layer) { layer.stream.close(); }

}  // namespace

class WebSocket::Impl {
 public:
  Impl(ByteStream connection, std::size_t largest) : stream(std::move(connection)) {
    stream.set_option(websocket::stream_base::timeout{websocket::stream_base::none(),
                                                      websocket::stream_base::none(), false});
    stream.read_message_max(largest);
    stream.auto_fragment(false);
    stream.text(true);
  }

  websocket::stream<Layer, false> stream;
  beast::flat_buffer input;
};

WebSocket::WebSocket(ByteStream connection, std::size_t largest)
    : impl_(std::make_unique<Impl>(std::move(connection), largest)) {}
WebSocket::~WebSocket() = default;

bool WebSocket::is_handshake(const Request& request) {
  return websocket::is_upgrade(request) &&
         request[beast::http::field::sec_websocket_version] == "13" &&
         !request[beast::http::field::sec_websocket_key].empty();
}

void WebSocket::accept(const Request& request, Done done) {
  impl_->stream.async_accept(request, std::move(done));
}

void WebSocket::read(Received done) {
  impl_->stream.async_read(
      impl_->input, [this, done = std::move(done)](const error_code& error, std::size_t) {
        if (error) return done(error, std::nullopt);
        std::string text = beast::buffers_to_string(impl_->input.data());
        impl_->input.clear();
        done({}, impl_->stream.got_text() ? std::optional(std::move(text)) : std::nullopt);
      });
}

void WebSocket::write(std::string_view text, Done done) {
  impl_->stream.async_write(
      asio::const_buffer(text.data(), text.size()),
      [done = std::move(done)](const error_code& error, std::size_t) { done(error); });
}

void WebSocket::close(std::uint16_t code, std::string_view reason, Done done) {
  impl_->stream.async_close(
      websocket::close_reason(static_cast<websocket::close_code>(code),
                              beast::string_view(reason.data(), reason.size())),
      std::move(done));
}

void WebSocket::abort() { impl_->stream.next_layer().stream.close(); }

}  // namespace lapwing::sinks
