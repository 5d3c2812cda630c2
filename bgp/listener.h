// One listening endpoint: takes connections and hands each over with the addresses of both ends.
//
// Thread: the io thread. Owns: the listening socket. A connection that is handed over belongs to
// the receiver.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "bgp/alarm.h"
#include "bgp/config.h"
#include "bgp/socket_options.h"
#include "lapwing/prefix.h"

namespace lapwing::bgp {

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  using AcceptFunction = std::function<void(int fd, const Endpoint& remote, const Endpoint& local)>;

  Listener(boost::asio::io_context& io, Endpoint endpoint, AcceptFunction on_accept,
           std::function<void(std::string)> on_error);

  /// "listen on 0.0.0.0:179: Permission denied", or nothing when all is well.
  SocketError open();
  void close();
  /// Nothing where the neighbour's addresses are of another version.
  SocketError set_key(const NeighborConfig& neighbor, bool remove = false);
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  void wait();
  void on_readable();

  Endpoint endpoint_;
  AcceptFunction on_accept_;
  std::function<void(std::string)> on_error_;
  boost::asio::posix::stream_descriptor socket_;
  Alarm pause_;
};

}  // namespace lapwing::bgp
