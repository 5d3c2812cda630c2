// The HTTP client of `lapwing show` and `lapwing monitor`: one request over TCP or a Unix socket.
//
// Thread: main; calls block until they are done or time is up. Owns: nothing between calls.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lapwing::collector {

/// A Unix socket where `unix_path` is not empty, else host and port.
struct ApiAddress {
  bool tls = false;
  std::string unix_path;
  std::string host;
  std::string port;
};

/// "unix:/run/lapwing/lapwing.sock", "/run/lapwing/lapwing.sock", "http://127.0.0.1:8179",
/// "https://[::1]" (port 8179 then). nullopt: none of these.
std::optional<ApiAddress> parse_api_address(std::string_view text);

/// RFC 3986 2.1: all but unreserved characters become %XX.
std::string percent_encode(std::string_view text);

struct Reply {
  unsigned status = 0;
  std::string content_type;
  std::string body;
};

struct ClientOptions {
  std::string token;        // sent as a bearer token (RFC 6750) where not empty
  std::string authorities;  // PEM file, for https; empty: those of the system
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds timeout{30000};  // for the whole reply; of a stream: for its head
};

struct Request {
  std::string method;
  std::string target;
  std::string body;  // JSON
  std::string accept;
};

/// nullopt and a sentence in `error` when no HTTP reply came.
std::optional<Reply> ask(const ApiAddress& api, const Request& request,
                         const ClientOptions& options, std::string& error);
/// GETs a long answer and calls `fn` with each piece until it returns false. `timeout` is then for
/// each piece. A reply other than 200 is returned with its body.
std::optional<Reply> get_pieces(const ApiAddress& api, const std::string& target,
                                const ClientOptions& options,
                                const std::function<bool(std::string_view)>& fn,
                                std::string& error);

/// GETs `target`. nullopt and a sentence in `error` when no HTTP reply came.
std::optional<Reply> get(const ApiAddress& api, const std::string& target,
                         const ClientOptions& options, std::string& error);

/// GETs a stream of server-sent events and calls `fn` with the data of each until it returns false
/// or the stream ends. A reply other than 200 is returned with its body. `error` says how a stream
/// ended that `fn` did not end.
std::optional<Reply> follow(const ApiAddress& api, const std::string& target,
                            const ClientOptions& options,
                            const std::function<bool(std::string_view data)>& fn,
                            std::string& error);

/// Cuts a stream of text/event-stream into events (HTML Living Standard 9.2). Only data matters
/// here; an event of more than `kMaxEvent` octets is dropped.
class EventStreamReader {
 public:
  static constexpr std::size_t kMaxEvent = 4u << 20;

  /// Calls `fn` with the data of each event that `chunk` completes; false as soon as `fn` does.
  bool feed(std::string_view chunk, const std::function<bool(std::string_view data)>& fn);

 private:
  bool end_line(const std::function<bool(std::string_view data)>& fn);

  std::string line_;
  std::string data_;
  bool in_line_ = false;
  bool has_data_ = false;
  bool too_long_ = false;
  bool after_cr_ = false;
};

}  // namespace lapwing::collector
