// One connection of the API, and the state that all connections share.
//
// A session reads a request, answers it, and reads the next; a request for a stream turns it into
// an `HttpStream`. Sessions own themselves through their pending operations.
// Thread: the server's, except `HttpShared::jobs` and the worker.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "sinks/byte_stream.h"
#include "sinks/http_request.h"
#include "sinks/http_server.h"
#include "sinks/web_socket.h"

namespace lapwing::sinks {

class HttpFollower;

// Destroyed from the end: what still waits in the worker or the io_context may refer to the rest.
struct HttpShared {
  HttpShared(HttpOptions o, HttpContext c) : options(std::move(o)), context(std::move(c)) {}

  const HttpOptions options;
  const HttpContext context;
  // The server's thread; a connection keeps the one that it began with.
  std::shared_ptr<boost::asio::ssl::context> tls;
  std::size_t connections = 0;
  std::set<HttpFollower*> followers;
  std::atomic<std::size_t> jobs{0};
  boost::asio::io_context io{1};
  boost::asio::thread_pool worker{2};
};

/// Runs `job` on the worker, then `then` with its result on the server's thread. `owner` is held
/// until then and is never let go of on the worker: connections count and list themselves without a
/// lock.
template <typename Job, typename Then>
void on_worker(HttpShared& shared, std::shared_ptr<void> owner, Job job, Then then) {
  boost::asio::post(shared.worker, [&shared, owner = std::move(owner), job = std::move(job),
                                    then = std::move(then)]() mutable {
    auto result = job();
    boost::asio::post(shared.io,
                      [owner = std::move(owner), then = std::move(then),
                       result = std::move(result)]() mutable { then(std::move(result)); });
  });
}

/// A connection that follows the journal or the feed of updates: it counts as one, and is told.
class HttpFollower {
 public:
  explicit HttpFollower(HttpShared& shared);
  HttpFollower(const HttpFollower&) = delete;
  HttpFollower& operator=(const HttpFollower&) = delete;

  /// There is news.
  virtual void wake() = 0;
  /// Lets go of the feed: the server's threads have ended.
  virtual void let_go() = 0;

 protected:
  virtual ~HttpFollower();
  /// For a feed to call from any thread: all followers are woken on the server's.
  std::function<void()> waker() const;
  HttpShared& shared_;
};

enum class HttpTransport : std::uint8_t { kUnix, kTcp, kTls };

/// Serves the connection until it ends.
void serve_http(HttpShared& shared, ByteStream::Socket socket, HttpTransport transport);

/// Turns the connection into a stream of events or updates.
void serve_stream(HttpShared& shared, ByteStream connection, const HttpRequest& request,
                  HttpRoute::Where what);

/// Turns the connection into a WebSocket that speaks RIS Live; `handshake` is one.
void serve_ris(HttpShared& shared, ByteStream connection, const WebSocket::Request& handshake);

/// Followers let go of the feed of updates. When the server's threads have ended.
void end_followers(HttpShared& shared);

/// The journal, or the feed of updates, has grown: followers that wait go on.
void wake_followers(HttpShared& shared);

}  // namespace lapwing::sinks
