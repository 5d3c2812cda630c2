// One connection of the API, and the state that all connections share.
//
// A session reads a request, answers it, and reads the next; a request for a stream turns it into
// an `HttpStream`. Sessions own themselves through their pending operations.
// Thread: the server's, except `HttpShared::jobs` and the worker.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "sinks/byte_stream.h"
#include "sinks/http_request.h"
#include "sinks/http_server.h"

namespace lapwing::sinks {

class HttpStream;

// Destroyed from the end: what still waits in the worker or the io_context may refer to the rest.
struct HttpShared {
  HttpShared(HttpOptions o, HttpContext c) : options(std::move(o)), context(std::move(c)) {}

  const HttpOptions options;
  const HttpContext context;
  std::optional<boost::asio::ssl::context> tls;
  std::size_t connections = 0;
  std::set<HttpStream*> streams;
  std::atomic<std::size_t> jobs{0};
  boost::asio::io_context io{1};
  boost::asio::thread_pool worker{2};
};

enum class HttpTransport : std::uint8_t { kUnix, kTcp, kTls };

/// Serves the connection until it ends.
void serve_http(HttpShared& shared, ByteStream::Socket socket, HttpTransport transport);

/// Turns the connection into a stream of server-sent events.
void serve_stream(HttpShared& shared, ByteStream connection, const HttpRequest& request,
                  HttpRoute::Where what);

/// Streams let go of the feed of updates. When the server's threads have ended.
void end_streams(HttpShared& shared);

/// The journal, or the feed of updates, has grown: streams that wait go on.
void wake_streams(HttpShared& shared);

}  // namespace lapwing::sinks
