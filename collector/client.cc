#include "collector/client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/verb.hpp>
#include <utility>

#include "sinks/byte_stream.h"
#include "sinks/http_wire.h"

namespace lapwing::collector {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using sinks::ByteStream;
using sinks::HttpPart;
using Parser = http::response_parser<http::string_body>;

constexpr std::uint64_t kMaxBody = std::uint64_t{1} << 30;
constexpr std::string_view kDefaultPort = "8179";

// Keeps time by asynchronous operations: each is started, and the context run until it is done.
class Connection {
 public:
  explicit Connection(const ClientOptions& options) : options_(options), stream_(context_) {}

  error_code resolve(const ApiAddress& api, std::vector<ByteStream::Endpoint>& found) {
    return wait([&](auto done) {
      stream_.resolve(api.host, api.port, [done, &found](const error_code& error, auto endpoints) {
        found = std::move(endpoints);
        done(error);
      });
    });
  }
  error_code connect(std::vector<ByteStream::Endpoint> endpoints) {
    stream_.expires_after(options_.connect_timeout);
    return wait([&](auto done) { stream_.connect(std::move(endpoints), done); });
  }
  error_code handshake() {
    return wait([&](auto done) { stream_.handshake_as_client(done); });
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
    const std::string text = sinks::http_head(request) + what.body;
    stream_.expires_after(options_.timeout);
    return wait([&](auto done) { stream_.write(asio::buffer(text), done); });
  }

  error_code read(Parser& parser, HttpPart part) {
    return wait([&](auto done) { sinks::read_http(stream_, buffer_, parser, part, done); });
  }
  void wait_for_ever() { stream_.expires_never(); }
  void wait_again() { stream_.expires_after(options_.timeout); }

  ByteStream& stream() { return stream_; }

 private:
  template <typename Start>
  error_code wait(Start&& start) {
    error_code result;
    start([&result](const error_code& error) { result = error; });
    context_.restart();
    context_.run();
    return result;
  }

  const ClientOptions& options_;
  asio::io_context context_;
  ByteStream stream_;
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

// What a request says in its Host field.
std::string host_of(const ApiAddress& api) {
  if (!api.unix_path.empty()) return "localhost";
  const std::string full = describe(api);
  return full.substr(full.find("//") + 2);
}

// nullopt and a sentence in `error` where the authorities cannot be read.
std::optional<asio::ssl::context> make_context(const ClientOptions& options, std::string& error) {
  asio::ssl::context tls(asio::ssl::context::tls_client);
  error_code failed;
  if (options.authorities.empty())
    tls.set_default_verify_paths(failed);
  else
    tls.load_verify_file(options.authorities, failed);
  if (!failed) return tls;
  error = "cannot read the authorities" +
          (options.authorities.empty() ? "" : " in " + options.authorities) + ": " +
          failed.message();
  return std::nullopt;
}

// False and a sentence in `error` where there is no connection.
bool open(Connection& connection, const ApiAddress& api, std::string& error) {
  std::vector<ByteStream::Endpoint> endpoints;
  error_code failed;
  if (api.unix_path.size() >= sizeof(sockaddr_un::sun_path)) {
    error = "the path of the socket is too long: " + api.unix_path;
    return false;
  }
  if (api.unix_path.empty())
    failed = connection.resolve(api, endpoints);
  else
    endpoints.emplace_back(asio::local::stream_protocol::endpoint(api.unix_path));
  if (!failed) failed = connection.connect(std::move(endpoints));
  if (failed) error = sentence(api, "cannot connect to", failed);
  return !failed;
}

// Connects by whichever protocol the address names, then calls `fn(connection, host)`.
std::optional<Reply> with_connection(
    const ApiAddress& api, const ClientOptions& options, std::string& error,
    const std::function<std::optional<Reply>(Connection&, const std::string& host)>& fn) {
  std::optional<asio::ssl::context> tls;
  if (api.tls && !(tls = make_context(options, error))) return std::nullopt;
  Connection connection(options);
  if (!open(connection, api, error)) return std::nullopt;
  if (tls) {
    connection.stream().start_tls(*tls);
    connection.stream().expect_peer(api.host, false);
    if (const auto refused = connection.handshake()) {
      error = sentence(api, "no TLS session with", refused);
      return std::nullopt;
    }
  }
  return fn(connection, host_of(api));
}

Reply to_reply(Parser& parser) {
  auto message = parser.release();
  Reply reply;
  reply.status = message.result_int();
  reply.content_type = std::string(message[http::field::content_type]);
  reply.body = std::move(message.body());
  return reply;
}

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
    const error_code failed = connection.read(parser, HttpPart::kSome);
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
                         [&](Connection& connection, const std::string& host) -> std::optional<Reply> {
                           Parser parser;
                           parser.body_limit(kMaxBody);
                           error_code failed = connection.send(host, request);
                           if (!failed) failed = connection.read(parser, HttpPart::kAll);
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
      [&](Connection& connection, const std::string& host) -> std::optional<Reply> {
        Parser parser;
        parser.body_limit(boost::none);
        error_code failed = connection.send(host, {"GET", target, "", "application/x-ndjson"});
        if (!failed) failed = connection.read(parser, HttpPart::kHead);
        const bool good = !failed && parser.get().result() == http::status::ok;
        while (!failed && !parser.is_done()) {
          connection.wait_again();
          failed = connection.read(parser, HttpPart::kSome);
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
                         [&](Connection& connection, const std::string& host) -> std::optional<Reply> {
                           Parser parser;
                           parser.body_limit(boost::none);
                           error_code failed = connection.send(host, {"GET", target, "", "text/event-stream"});
                           if (!failed) failed = connection.read(parser, HttpPart::kHead);
                           if (!failed && parser.get().result() == http::status::ok) {
                             parser.eager(true);
                             return read_stream(connection, parser, api, fn, error);
                           }
                           if (!failed) {
                             parser.body_limit(kMaxBody);
                             failed = connection.read(parser, HttpPart::kAll);
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
