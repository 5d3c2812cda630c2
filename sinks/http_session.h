// One connection of the API, and the state that all connections share.
//
// A session reads a request, answers it, and reads the next; a request for the event stream turns
// it into an `HttpStream`. Sessions own themselves through their pending operations.
// Thread: the server's, except `HttpShared::jobs` and the worker.
#pragma once

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <set>
#include <string>

#include "sinks/http_request.h"
#include "sinks/http_server.h"

namespace lapwing::sinks {

using HttpSocket = boost::asio::generic::stream_protocol::socket;

class HttpStream;

// Destroyed from the end: what still waits in the worker or the io_context may refer to the rest.
struct HttpShared {
  HttpShared(HttpOptions o, HttpContext c) : options(std::move(o)), context(std::move(c)) {}

  const HttpOptions options;
  const HttpContext context;
  std::size_t connections = 0;
  std::set<HttpStream*> streams;
  std::atomic<std::size_t> jobs{0};
  boost::asio::io_context io{1};
  boost::asio::thread_pool worker{1};
};

/// Serves the connection until it ends. `local`: a Unix socket.
void serve_http(HttpShared& shared, HttpSocket socket, bool local);

/// Turns the connection into a stream of server-sent events.
void serve_stream(HttpShared& shared, HttpSocket socket, const HttpRequest& request);

/// The journal has grown: streams that wait go on.
void wake_streams(HttpShared& shared);

}  // namespace lapwing::sinks
