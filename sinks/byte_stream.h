// The octets of one connection, whatever carries them: TCP or a Unix socket, with TLS or without.
//
// Use: from an accepted socket, or `resolve` and `connect`; then perhaps `start_tls` and `handshake`;
// then at most one read and one write at a time. What is not done by the deadline closes the
// connection and ends with beast::error::timeout. It is no template, so that Asio's operations,
// those over TLS above all, are compiled once, in byte_stream.cc.
// Thread: the io_context's; every `done` is called there, later, once, also after `close`.
// Owns: the socket. A stream that goes away closes it; buffers live until `done`.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

struct ssl_st;  // OpenSSL's SSL
namespace boost::asio {
class io_context;
namespace ssl {
class context;
}
}  // namespace boost::asio

namespace lapwing::sinks {

class ByteStream {
 public:
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Done = std::function<void(const boost::system::error_code&)>;
  using Moved = std::function<void(const boost::system::error_code&, std::size_t)>;
  using Resolved = std::function<void(const boost::system::error_code&, std::vector<Endpoint>)>;

  explicit ByteStream(boost::asio::io_context& io);
  explicit ByteStream(Socket connected);
  ~ByteStream();
  ByteStream(ByteStream&&) noexcept = default;
  ByteStream& operator=(ByteStream&&) = delete;

  /// Of all operations from now on, those under way included; not of `resolve`.
  void expires_after(std::chrono::milliseconds time);
  void expires_never();

  /// TCP endpoints of a name or an address.
  void resolve(const std::string& host, const std::string& port, Resolved done);
  /// Tries one after the other.
  void connect(std::vector<Endpoint> endpoints, Done done);

  /// From the handshake on, octets go through TLS. The context is needed for this call only: OpenSSL
  /// counts the users of what it holds. (A context with callbacks of its own outlives the stream.)
  void start_tls(boost::asio::ssl::context& context);
  bool has_tls() const;
  /// nullptr without TLS.
  ssl_st* tls() const;
  /// As a client, before the handshake: asks for the peer by its name (RFC 6066 3), and takes only a
  /// certificate that an authority gave to that name, unless `any_certificate`.
  void expect_peer(const std::string& name, bool any_certificate);
  void handshake_as_client(Done done);
  void handshake_as_server(Done done);
  /// Sends close_notify and waits for the peer's.
  void shut_down_tls(Done done);
  /// Sends close_notify if the socket takes it at once.
  void say_goodbye();

  void read_some(boost::asio::mutable_buffer data, Moved done);
  /// All of it.
  void write(boost::asio::const_buffer data, Done done);

  bool is_open() const;
  void close();
  /// Calls `fn` as a `done` is called.
  void later(std::function<void()> fn);
  /// The socket below.
  Socket& socket();
  const Socket& socket() const;

 private:
  class State;
  std::shared_ptr<State> state_;  // kept by its operations, too
};

}  // namespace lapwing::sinks
