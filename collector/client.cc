#include "collector/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

namespace lapwing::collector {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Local = asio::local::stream_protocol;
using Parser = http::response_parser<http::string_body>;

constexpr std::uint64_t kMaxBody = std::uint64_t{1} << 30;
constexpr std::string_view kDefaultPort = "8179";

using TcpStream = beast::basic_stream<tcp>;
using LocalStream = beast::basic_stream<Local>;
using TlsStream = asio::ssl::stream<TcpStream>;

template <typename Protocol>
beast::basic_stream<Protocol>& lowest(beast::basic_stream<Protocol>& stream) {
  return stream;
}
TcpStream& lowest(TlsStream& stream) { return stream.next_layer(); }

// Beast keeps time for asynchronous operations only: each is started, and the context run until it
// is done.
template <typename Stream>
class Connection {
 public:
  template <typename... Args>
  explicit Connection(const ClientOptions& options, Args&... args)
      : options_(options), stream_(context_, args...) {}

  template <typename Endpoints>
  error_code connect(const Endpoints& endpoints) {
    lowest(stream_).expires_after(options_.connect_timeout);
    return wait([&](auto done) { lowest(stream_).async_connect(endpoints, done); });
  }
  error_code handshake() {
    return wait([&](auto done) { stream_.async_handshake(asio::ssl::stream_base::client, done); });
  }

  error_code send(const std::string& host, const Request& what) {
    http::request<http::string_body> request(http::string_to_verb(what.method), what.target, 11);
    request.set(http::field::host, host);
    request.set(http::field::user_agent, "lapwing");
    request.set(http::field::accept, what.accept);
    if (!options_.token.empty())
      request.set(http::field::authorization, "Bearer " + options_.token);
    if (!what.body.empty()) {
      request.set(http::field::content_type, "application/json");
      request.body() = what.body;
    }
    request.prepare_payload();
    lowest(stream_).expires_after(options_.timeout);
    return wait([&](auto done) { http::async_write(stream_, request, done); });
  }

  error_code read(Parser& parser) {
    return wait([&](auto done) { http::async_read(stream_, buffer_, parser, done); });
  }
  error_code read_head(Parser& parser) {
    return wait([&](auto done) { http::async_read_header(stream_, buffer_, parser, done); });
  }
  error_code read_some(Parser& parser) {
    return wait([&](auto done) { http::async_read_some(stream_, buffer_, parser, done); });
  }
  void wait_for_ever() { lowest(stream_).expires_never(); }
  void wait_again() { lowest(stream_).expires_after(options_.timeout); }

  asio::io_context& context() { return context_; }
  Stream& stream() { return stream_; }

 private:
  template <typename Start>
  error_code wait(Start&& start) {
    error_code result;
    start([&result](const error_code& error, const auto&...) { result = error; });
    context_.restart();
    context_.run();
    return result;
  }

  const ClientOptions& options_;
  asio::io_context context_;
  Stream stream_;
  beast::flat_buffer buffer_;
};

std::string describe(const ApiAddress& api) {
  if (!api.unix_path.empty()) return "unix:" + api.unix_path;
  const bool v6 = api.host.find(':') != std::string::npos;
  return (api.tls ? "https://" : "http://") + (v6 ? '[' + api.host + ']' : api.host) + ':' + api.port;
}

std::string sentence(const ApiAddress& api, const char* what, const error_code& error) {
  return std::string(what) + ' ' + describe(api) + ": " + error.message();
}

// Connects by whichever protocol the address names, then calls `fn(connection, host)`.
template <typename Fn>
std::optional<Reply> with_connection(const ApiAddress& api, const ClientOptions& options,
                                     std::string& error, Fn&& fn) {
  if (!api.unix_path.empty()) {
    Connection<LocalStream> connection(options);
    if (api.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
      error = "the path of the socket is too long: " + api.unix_path;
      return std::nullopt;
    }
    if (const auto failed = connection.connect(Local::endpoint(api.unix_path))) {
      error = sentence(api, "cannot connect to", failed);
      return std::nullopt;
    }
    return fn(connection, std::string("localhost"));
  }
  const std::string full = describe(api);
  const std::string host = full.substr(full.find("//") + 2);
  const auto connect = [&](auto& connection) {
    error_code failed;
    const auto endpoints = tcp::resolver(connection.context()).resolve(api.host, api.port, failed);
    if (!failed) failed = connection.connect(endpoints);
    if (failed) error = sentence(api, "cannot connect to", failed);
    return !failed;
  };
  if (!api.tls) {
    Connection<TcpStream> connection(options);
    if (!connect(connection)) return std::nullopt;
    return fn(connection, host);
  }
  asio::ssl::context tls(asio::ssl::context::tls_client);
  error_code failed;
  if (options.authorities.empty())
    tls.set_default_verify_paths(failed);
  else
    tls.load_verify_file(options.authorities, failed);
  if (failed) {
    error = "cannot read the authorities" +
            (options.authorities.empty() ? "" : " in " + options.authorities) + ": " +
            failed.message();
    return std::nullopt;
  }
  tls.set_verify_mode(asio::ssl::verify_peer);
  Connection<TlsStream> connection(options, tls);
  connection.stream().set_verify_callback(asio::ssl::host_name_verification(api.host));
  if (!connect(connection)) return std::nullopt;
  ::SSL_set_tlsext_host_name(connection.stream().native_handle(), api.host.c_str());
  if (const auto refused = connection.handshake()) {
    error = sentence(api, "no TLS session with", refused);
    return std::nullopt;
  }
  return fn(connection, host);
}

Reply to_reply(Parser& parser) {
  auto message = parser.release();
  Reply reply;
  reply.status = message.result_int();
  reply.content_type = std::string(message[http::field::content_type]);
  reply.body = std::move(message.body());
  return reply;
}

template <typename Connection>
std::optional<Reply> read_stream(Connection& connection, Parser& parser, const ApiAddress& api,
                                 const std::function<bool(std::string_view)>& fn,
                                 std::string& error) {
  connection.wait_for_ever();
  EventStreamReader events;
  const auto take_body = [&] {
    const std::string chunk = std::exchange(parser.get().body(), {});
    return events.feed(chunk, fn);
  };
  if (!take_body()) return to_reply(parser);
  while (!parser.is_done()) {
    const error_code failed = connection.read_some(parser);
    if (!take_body()) return to_reply(parser);
    if (failed) {
      error = sentence(api, "the stream broke off:", failed);
      return std::nullopt;
    }
  }
  error = "the stream was ended by " + describe(api);
  return std::nullopt;
}

}  // namespace

std::optional<ApiAddress> parse_api_address(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  ApiAddress api;
  if (text.starts_with(kUnix)) {
    text.remove_prefix(kUnix.size());
    while (text.starts_with("//")) text.remove_prefix(1);
    if (!text.starts_with('/')) return std::nullopt;
  }
  if (text.starts_with('/')) {
    api.unix_path = text;
    return api;
  }
  api.tls = text.starts_with(kHttps);
  if (!api.tls && !text.starts_with(kHttp)) return std::nullopt;
  text.remove_prefix(api.tls ? kHttps.size() : kHttp.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    api.host = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else {
    const auto colon = text.find(':');
    api.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (!rest.empty() && rest.front() != ':') return std::nullopt;
  api.port = rest.empty() ? kDefaultPort : rest.substr(1);
  const bool digits = api.port.find_first_not_of("0123456789") == std::string::npos;
  if (api.host.empty() || api.port.empty() || api.port.size() > 5 || !digits ||
      std::stoul(api.port) > 65535 || std::stoul(api.port) == 0 ||
      api.host.find_first_of("/@?# ") != std::string::npos)
    return std::nullopt;
  return api;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kUnreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto u = static_cast<unsigned char>(c);
    out += {'%', kDigits[u >> 4], kDigits[u & 15]};
  }
  return out;
}

std::optional<Reply> ask(const ApiAddress& api, const Request& request,
                         const ClientOptions& options, std::string& error) {
  return with_connection(api, options, error,
                         [&](auto& connection, const std::string& host) -> std::optional<Reply> {
                           Parser parser;
                           parser.body_limit(kMaxBody);
                           error_code failed = connection.send(host, request);
                           if (!failed) failed = connection.read(parser);
                           if (!failed) return to_reply(parser);
                           error = sentence(api, "no reply from", failed);
                           return std::nullopt;
                         });
}

std::optional<Reply> get(const ApiAddress& api, const std::string& target,
                         const ClientOptions& options, std::string& error) {
  return ask(api, {"GET", target, "", "application/json"}, options, error);
}

std::optional<Reply> get_pieces(const ApiAddress& api, const std::string& target,
                                const ClientOptions& options,
                                const std::function<bool(std::string_view)>& fn,
                                std::string& error) {
  return with_connection(
      api, options, error,
      [&](auto& connection, const std::string& host) -> std::optional<Reply> {
        Parser parser;
        parser.body_limit(boost::none);
        error_code failed = connection.send(host, {"GET", target, "", "application/x-ndjson"});
        if (!failed) failed = connection.read_head(parser);
        const bool good = !failed && parser.get().result() == http::status::ok;
        while (!failed && !parser.is_done()) {
          connection.wait_again();
          failed = connection.read_some(parser);
          if (good && !fn(std::exchange(parser.get().body(), {}))) return to_reply(parser);
        }
        if (!failed) return to_reply(parser);
        error = sentence(api, "the answer broke off:", failed);
        return std::nullopt;
      });
}

std::optional<Reply> follow(const ApiAddress& api, const std::string& target,
                            const ClientOptions& options,
                            const std::function<bool(std::string_view data)>& fn,
                            std::string& error) {
  return with_connection(api, options, error,
                         [&](auto& connection, const std::string& host) -> std::optional<Reply> {
                           Parser parser;
                           parser.body_limit(boost::none);
                           error_code failed = connection.send(host, {"GET", target, "", "text/event-stream"});
                           if (!failed) failed = connection.read_head(parser);
                           if (!failed && parser.get().result() == http::status::ok) {
                             parser.eager(true);
                             return read_stream(connection, parser, api, fn, error);
                           }
                           if (!failed) {
                             parser.body_limit(kMaxBody);
                             failed = connection.read(parser);
                           }
                           if (!failed) return to_reply(parser);
                           error = sentence(api, "no reply from", failed);
                           return std::nullopt;
                         });
}

bool EventStreamReader::feed(std::string_view chunk,
                             const std::function<bool(std::string_view data)>& fn) {
  for (const char c : chunk) {
    const bool second_half = c == '\n' && after_cr_;
    after_cr_ = c == '\r';
    if (second_half) continue;
    if (c == '\n' || c == '\r') {
      if (!end_line(fn)) return false;
      continue;
    }
    in_line_ = true;
    if (line_.size() + data_.size() < kMaxEvent)
      line_ += c;
    else
      too_long_ = true;
  }
  return true;
}

bool EventStreamReader::end_line(const std::function<bool(std::string_view data)>& fn) {
  const std::string line = std::exchange(line_, {});
  if (!std::exchange(in_line_, false)) {
    const std::string data = std::exchange(data_, {});
    const bool complete = std::exchange(has_data_, false) && !std::exchange(too_long_, false);
    return !complete || fn(data);
  }
  constexpr std::string_view kField = "data";
  if (!line.starts_with(kField) || (line.size() > kField.size() && line[kField.size()] != ':'))
    return true;
  std::string_view value = std::string_view(line).substr(std::min(line.size(), kField.size() + 1));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += value;
  has_data_ = true;
  return true;
}

}  // namespace lapwing::collector
