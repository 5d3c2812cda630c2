// A connection of the API without its kind: plain or TLS, TCP or Unix.
//
// Thread: the server's. Owns: the socket.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <functional>

namespace lapwing::sinks {

class HttpSocket {
 public:
  using Done = std::function<void(const boost::system::error_code&)>;
  virtual ~HttpSocket() = default;
  /// Writes all of it; the buffer lives until `done`.
  virtual void write(boost::asio::const_buffer data, Done done) = 0;
  /// Reads something into the buffer, which lives until `done`.
  virtual void read(boost::asio::mutable_buffer data, Done done) = 0;
  virtual bool is_open() const = 0;
  virtual void close() = 0;
};

}  // namespace lapwing::sinks
