// The HTTP API: status, neighbours, routes, upstreams, events, metrics, RIS Live, a console; on TCP and
// Unix sockets.
//
// Use: read the options, construct, `start`, at the end `stop` (before the reader and the journal
// go). It has a thread for connections and two workers for what may wait for a disk or the engine.
// HTTP/1.1 (RFC 9110, 9112) with keep-alive and pipelining; gzip; long bodies are made while they
// are sent; errors are RFC 9457 problems. Limits: header 8 KiB, body 64 KiB, connections, waiting
// jobs, a time for each operation: a client that reads nothing for that time is cut. A listener on
// TCP is for loopback, or needs a token (RFC 6750 2.1); without one a request by TCP must name an
// address or "localhost" as its host, so that a web page cannot reach it by DNS rebinding. A Unix
// socket has mode 0660 and needs no token. Writes are for the Unix socket and for the token.
// Thread: main for start and stop; renewals any.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lapwing/settings.h"
#include "sinks/http_request.h"

namespace lapwing::sinks {

struct HttpOptions {
  /// "127.0.0.1:8179", "[::1]:8179", "tls:192.0.2.1:8179", "unix:/path"; port 0: any free.
  std::vector<std::string> listen;
  std::string token;        // empty: none
  std::string certificate;  // PEM files, for endpoints with tls:
  std::string key;
  std::size_t max_connections = 256;
  std::size_t max_streams = 64;     // of the connections, those that follow events
  std::size_t max_jobs = 64;        // requests that wait for the worker
  std::chrono::milliseconds read_timeout{30000};   // for a whole request, and between two
  std::chrono::milliseconds write_timeout{30000};  // for a whole answer, or a piece of a stream
  std::chrono::milliseconds heartbeat{15000};      // of a stream without events

  /// Reads listen and token; notes errors, among them an address that would need a token.
  static HttpOptions from_settings(Settings& settings);
};

/// A certificate that was read anew. All empty: there is no endpoint with tls:, or it is the same.
struct HttpRenewal {
  std::string wrong;          // why it cannot be used; nothing was changed
  std::string said;           // of a new one, for the log
  std::function<void()> use;  // connections from now on get it; the server must not have stopped
};

class HttpServer {
 public:
  HttpServer(HttpOptions options, HttpContext context);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Binds every endpoint and starts the threads. Otherwise says what went wrong, and nothing runs.
  std::optional<std::string> start();
  /// Calls `fn` on the server's thread. Not after `stop`.
  void post(std::function<void()> fn);
  /// Reads the files of the certificate and its key again. What cannot be used, does not fit together,
  /// has expired or is not valid yet is `wrong`. Any thread, not after `stop`; it waits for a disk.
  HttpRenewal renew_certificate();
  /// Ends all connections and removes the Unix sockets.
  void stop();
  /// What is bound, with real ports, in the order of `listen`.
  std::vector<std::string> endpoints() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lapwing::sinks
