// A WebSocket (RFC 6455) over a ByteStream, as the server: text messages in both directions.
//
// Use: `accept`, then at most one `read` and one `write` at a time; at the end `close` or `abort`.
// Pings are answered, fragments joined. What a client does wrong ends the connection with a close
// frame: 1002 protocol (a frame that is not masked, for one), 1007 text that is no UTF-8, 1009 a
// message that is too long. No extension is taken: permessage-deflate (RFC 7692)
// is declined, so that no message costs more memory than it has octets. There is no time limit:
// the owner has a timer, and `abort`. Beast's WebSocket is compiled in web_socket.cc alone.
// Thread: the stream's; every `done` is called there, later, once. Owns: the connection.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sinks/byte_stream.h"

namespace lapwing::sinks {

class WebSocket {
 public:
  using Done = ByteStream::Done;
  using Received = std::function<void(const boost::system::error_code&, std::optional<std::string>)>;
  using Request = boost::beast::http::request<boost::beast::http::string_body>;

  /// `largest`: octets of a message that is received.
  WebSocket(ByteStream connection, std::size_t largest);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  /// True where the request asks for a WebSocket of version 13 and has a key (RFC 6455 4.2.1).
  static bool is_handshake(const Request& request);

  /// Answers a request that is a handshake.
  void accept(const Request& request, Done done);
  /// The next message; no text where it is a binary one. An error is the end of the connection.
  void read(Received done);
  /// `text` is UTF-8 and lives until `done`.
  void write(std::string_view text, Done done);
  /// Sends a close frame with this code (RFC 6455 7.4) and waits for the peer's.
  void close(std::uint16_t code, std::string_view reason, Done done);
  /// Closes the connection at once; what is pending ends with an error.
  void abort();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lapwing::sinks
