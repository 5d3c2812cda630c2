// One connection of a syslog sink, from resolving the name to its end; a new one for each attempt.
//
// A link pulls messages from its owner, frames and sends them, and tells how many have arrived as
// far as its transport can tell. After `link_down` or `close` it calls nothing any more.
// UDP (RFC 5426) and Unix datagrams: arrived when sent. TCP (RFC 6587) and TLS (RFC 5425): when the
// peer's TCP has acknowledged all octets (SIOCOUTQ). Unix streams: when the peer has read all.
// Thread: the sinks' thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "sinks/syslog_target.h"
#include "sinks/tls_client.h"

namespace boost::asio {
class io_context;
namespace ssl {
class context;
}
}  // namespace boost::asio

namespace lapwing::sinks {

class SyslogLink {
 public:
  enum class Ending : std::uint8_t {
    kClosed,      // by the peer, or never open
    kReset,       // with data that the peer had not read, or without an answer
    kWrongKind,   // a Unix socket of the other kind
  };

  class Owner {
   public:
    /// The text of the next message, valid until it has arrived or the link ends; nullptr: none.
    virtual const std::string* next_message() = 0;
    virtual void link_up() = 0;
    virtual void arrived(std::size_t messages) = 0;
    /// The oldest message that has not arrived is too long for the way. The owner shortens it in
    /// place and returns true, or gives it up.
    virtual bool shorten() = 0;
    virtual void link_down(Ending ending, std::string reason) = 0;

   protected:
    ~Owner() = default;
  };

  virtual ~SyslogLink() = default;
  virtual void open() = 0;
  /// There may be something to send.
  virtual void wake() = 0;
  virtual void close() = 0;
  /// The most octets that the peer ever said it can take, as far as that was seen; 0: not known.
  virtual std::size_t largest_window() const { return 0; }
};

/// UDP, or Unix datagrams.
std::shared_ptr<SyslogLink> make_datagram_link(boost::asio::io_context& io,
                                               const SyslogTarget& target,
                                               SyslogLink::Owner& owner);

/// TCP, TLS where `tls` is given (it outlives the link), or a Unix stream.
std::shared_ptr<SyslogLink> make_stream_link(boost::asio::io_context& io,
                                             const SyslogTarget& target, Framing framing,
                                             boost::asio::ssl::context* tls,
                                             const TlsOptions& options,
                                             SyslogLink::Owner& owner);

}  // namespace lapwing::sinks
