#include "sinks/http_session.h"

#include <openssl/crypto.h>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "sinks/gzip.h"
#include "sinks/http_wire.h"

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::uint32_t kHeaderLimit = 8192;
constexpr std::uint64_t kBodyLimit = 65536;
constexpr std::chrono::seconds kDrainTimeout{2};
constexpr std::size_t kWorthCompressing = 1400;  // about one packet

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// An address or "localhost", with or without a port: nothing that a foreign name server answers
// for.
bool is_local_host(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end != std::string_view::npos && parse_address(host.substr(1, end - 1)).has_value();
  }
  host = host.substr(0, host.find(':'));
  return beast::iequals(beast::string_view(host.data(), host.size()), "localhost") ||
         parse_address(host).has_value();
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

// A browser lets every page open a WebSocket to every host, and says whose page it is (RFC
// 6455 10.2).
bool same_origin(const http::request<http::string_body>& message) {
  if (message.count(http::field::origin) == 0) return true;
  const std::string_view origin = view(message[http::field::origin]);
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos &&
         beast::iequals(
             message[http::field::host],
             beast::string_view(origin.substr(scheme + 3).data(), origin.size() - scheme - 3));
}

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(HttpShared& shared, ByteStream::Socket socket, HttpTransport transport)
      : shared_(shared), stream_(std::move(socket)), local_(transport == HttpTransport::kUnix) {
    if (transport == HttpTransport::kTls) stream_.start_tls(*shared_.tls);
    ++shared_.connections;
  }
  ~HttpSession() { --shared_.connections; }

  void run() {
    if (!stream_.has_tls()) return begin();
    stream_.expires_after(shared_.options.read_timeout);
    stream_.handshake_as_server([self = shared_from_this()](const error_code& error) {
      if (!error) self->begin();
    });
  }

 private:
  using Parser = http::request_parser<http::string_body>;

  void begin() {
    if (shared_.connections > shared_.options.max_connections) {
      keep_alive_ = false;
      return respond(problem(503, "too many connections"));
    }
    read();
  }

  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderLimit);
    parser_->body_limit(kBodyLimit);
    head_ = gzip_ = false;
    stream_.expires_after(shared_.options.read_timeout);
    read_http(stream_, buffer_, *parser_, HttpPart::kAll,
              [self = shared_from_this()](const error_code& error) { self->on_read(error); });
  }

  void on_read(const error_code& error) {
    if (!error) {
      keep_alive_ = parser_->keep_alive();
      return handle(parser_->get());
    }
    keep_alive_ = false;
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return respond(problem(431, "the header is longer than 8 KiB"));
    if (error == http::error::body_limit)
      return respond(problem(413, "the body is longer than 64 KiB"));
    if (error == http::error::end_of_stream || error == http::error::partial_message)
      return drain();
    if (error.category() == error_code(http::error::bad_method).category())
      respond(problem(400, error.message()));
  }

  void handle(const http::request<http::string_body>& message) {
    head_ = message.method() == http::verb::head;
    gzip_ = accepts_gzip(view(message[http::field::accept_encoding]));
    chunked_ = message.version() >= 11;
    if (message.version() >= 11 && message.count(http::field::host) != 1) {
      keep_alive_ = false;
      return respond(problem(400, "there must be one Host"));
    }
    RouteMatch match =
        match_route(http_routes(), view(message.method_string()), view(message.target()));
    const auto access = match.route != nullptr ? match.route->access : HttpRoute::Access::kRead;
    if (!local_ && access != HttpRoute::Access::kOpen)
      if (const auto refusal = refuse(message)) return respond(*refusal);
    if (!local_ && access == HttpRoute::Access::kWrite && shared_.options.token.empty())
      return respond(problem(403, "this takes the Unix socket, or a token: set one in [http]"));
    if (match.malformed) return respond(problem(400, "the target is malformed"));
    if (match.route == nullptr && !match.allow.empty()) {
      allow_ = match.allow;
      return respond(problem(405, "this path takes " + match.allow));
    }
    if (match.route == nullptr) return respond(problem(404, "there is no such path"));
    match.request.last_event_id = std::string(message["Last-Event-ID"]);
    match.request.accept = std::string(message[http::field::accept]);
    match.request.ris_subscribe = std::string(message["X-RIS-Subscribe"]);
    match.request.body = message.body();
    if (match.route->where == HttpRoute::Where::kRisSocket)
      return start_socket(*match.route, match.request, message);
    dispatch(*match.route, std::move(match.request));
  }

  std::optional<HttpResponse> refuse(const http::request<http::string_body>& message) const {
    const std::string_view host = view(message[http::field::host]);
    if (shared_.options.token.empty()) {
      if (host.empty() || is_local_host(host)) return std::nullopt;
      return problem(421, "without a token the host must be an address or localhost");
    }
    const std::string_view given = view(message[http::field::authorization]);
    const std::string_view scheme = "Bearer ";
    const bool bearer = given.size() > scheme.size() &&
                        beast::iequals(beast::string_view(given.data(), scheme.size()), "Bearer ");
    if (bearer && same_secret(given.substr(scheme.size()), shared_.options.token))
      return std::nullopt;
    return problem(401, "a valid token is needed: Authorization: Bearer TOKEN");
  }

  HttpResponse answer(const HttpRoute& route, const HttpRequest& request) const {
    try {
      return route.handle(shared_.context, request);
    } catch (const std::exception& e) {
      return problem(500, e.what());
    } catch (...) {
      return problem(500, "an exception of unknown type");
    }
  }

  void dispatch(const HttpRoute& route, HttpRequest request) {
    if (route.where == HttpRoute::Where::kHere) return respond(answer(route, request));
    if (route.where != HttpRoute::Where::kWorker) return start_stream(route, request);
    if (shared_.jobs >= shared_.options.max_jobs)
      return respond(problem(503, "too many requests wait"));
    work(
        [this, &route, request = std::move(request)] {
          HttpResponse response = answer(route, request);
          compress(response);
          return response;
        },
        [this](HttpResponse&& response) { respond(std::move(response)); });
  }

  // Runs `job` on the worker and then `then` with its result here; the connection waits for it
  // without a limit of time.
  template <typename Job, typename Then>
  void work(Job job, Then then) {
    ++shared_.jobs;
    stream_.expires_never();
    on_worker(
        shared_, shared_from_this(),
        [&shared = shared_, job = std::move(job)]() mutable {
          auto result = job();
          --shared.jobs;
          return result;
        },
        std::move(then));
  }

  // On the worker.
  void compress(HttpResponse& response) {
    if (!gzip_ || head_ || (!response.more && response.body.size() < kWorthCompressing)) return;
    compressor_ = std::make_unique<Gzip>();
    response.body = compressor_->add(response.body, !response.more);
  }

  void start_stream(const HttpRoute& route, const HttpRequest& request) {
    HttpResponse check = answer(route, request);
    if (check.status != 200) return respond(std::move(check));
    const bool lines = route.where == HttpRoute::Where::kRisLines;
    if (head_) return respond({200, lines ? "application/x-ndjson" : "text/event-stream", {}});
    if (shared_.followers.size() >= shared_.options.max_streams)
      return respond(problem(503, "too many streams"));
    serve_stream(shared_, std::move(stream_), request, route.where);
  }

  void start_socket(const HttpRoute& route, const HttpRequest& request,
                    const WebSocket::Request& message) {
    HttpResponse check = answer(route, request);
    if (check.status != 200) return respond(std::move(check));
    if (!same_origin(message)) return respond(problem(403, "this is for pages of this host only"));
    if (!WebSocket::is_handshake(message))
      return respond(problem(426, "this path takes a WebSocket of version 13 (RFC 6455)"));
    // RFC 6455 4.1: a client waits for the answer. What it did not wait with would be lost.
    if (buffer_.size() > 0) {
      keep_alive_ = false;
      return respond(problem(400, "there is more after the handshake"));
    }
    if (shared_.followers.size() >= shared_.options.max_streams)
      return respond(problem(503, "too many streams"));
    serve_ris(shared_, std::move(stream_), message);
  }

  void set_head(http::header<false, http::fields>& header, const HttpResponse& response) {
    header.version(11);
    header.result(response.status);
    header.reason(beast::string_view(reason_phrase(response.status)));
    header.set(http::field::content_type, response.content_type);
    header.set(http::field::cache_control, "no-store");
    header.set("X-Content-Type-Options", "nosniff");
    if (!response.security_policy.empty()) {
      header.set("Content-Security-Policy", response.security_policy);
      header.set("Referrer-Policy", "no-referrer");
    }
    if (compressor_) header.set(http::field::content_encoding, "gzip");
    if (compressor_ || gzip_) header.set(http::field::vary, "Accept-Encoding");
    if (response.status == 401) header.set(http::field::www_authenticate, "Bearer");
    if (response.status == 503) header.set(http::field::retry_after, "1");
    if (response.status == 426) {
      header.set(http::field::upgrade, "websocket");
      header.set(http::field::sec_websocket_version, "13");
    }
    if (response.status == 405) header.set(http::field::allow, allow_);
  }

  void respond(HttpResponse response) {
    if (response.more && !head_) return respond_long(std::move(response));
    http::response<http::empty_body> head;
    set_head(head, response);
    compressor_.reset();
    head.keep_alive(keep_alive_);
    if (!response.more) head.content_length(response.body.size());
    output_ = http_head(head);
    if (!head_) output_ += response.body;
    send(&HttpSession::after_answer);
  }

  // Sends `output_`; then goes on with `next`.
  void send(void (HttpSession::*next)()) {
    stream_.expires_after(shared_.options.write_timeout);
    stream_.write(asio::buffer(output_),
                  [self = shared_from_this(), next](const error_code& error) {
                    if (!error) (*self.*next)();
                  });
  }

  void after_answer() {
    if (keep_alive_)
      read();
    else
      drain();
  }

  // A body that is made while it is sent (RFC 9112 7.1), or until the connection ends (HTTP/1.0).
  void respond_long(HttpResponse response) {
    keep_alive_ = keep_alive_ && chunked_;
    http::response<http::empty_body> head;
    set_head(head, response);
    head.keep_alive(keep_alive_);
    if (chunked_) head.chunked(true);
    piece_ = std::move(response.body);
    more_ = std::move(response.more);
    output_ = http_head(head);
    send(&HttpSession::send_piece);
  }

  void send_piece() {
    if (piece_.empty()) return after_piece();
    output_ = chunked_ ? http_chunk(piece_) : std::move(piece_);
    send(&HttpSession::after_piece);
  }

  void after_piece() {
    if (!more_) return end_pieces();
    work(
        [this] {
          try {
            next_piece();
            return true;
          } catch (const std::exception&) {
            return false;  // the end of the connection without a last chunk says so
          }
        },
        [this](bool well) {
          if (well) send_piece();
        });
  }

  // On the worker.
  void next_piece() {
    piece_.clear();
    const bool last = !more_(piece_);
    if (last) more_ = nullptr;
    if (compressor_ && (last || !piece_.empty())) piece_ = compressor_->add(piece_, last);
  }

  void end_pieces() {
    compressor_.reset();
    if (!chunked_) return after_answer();
    output_ = http_chunk({});
    send(&HttpSession::after_answer);
  }

  // Closing with unread input would reset the connection and take the answer with it.
  void drain() {
    stream_.expires_after(kDrainTimeout);
    if (stream_.has_tls())
      return stream_.shut_down_tls([self = shared_from_this()](const error_code&) {});
    error_code ignored;
    stream_.socket().shutdown(ByteStream::Socket::shutdown_send, ignored);
    drain_more(64);
  }

  void drain_more(unsigned left) {
    buffer_.clear();
    stream_.read_some(buffer_.prepare(4096),
                      [self = shared_from_this(), left](const error_code& error, std::size_t) {
                        if (!error && left > 0) self->drain_more(left - 1);
                      });
  }

  HttpShared& shared_;
  ByteStream stream_;
  const bool local_;
  beast::flat_buffer buffer_{kHeaderLimit + kBodyLimit + 4096};
  std::optional<Parser> parser_;
  std::string output_;  // being sent
  std::string allow_;
  // Of a long answer; `piece_`, `more_` and the compressor are the worker's while it makes a piece.
  std::string piece_;
  std::function<bool(std::string&)> more_;
  std::unique_ptr<Gzip> compressor_;
  bool keep_alive_ = true;
  bool head_ = false;
  bool gzip_ = false;    // the client takes it
  bool chunked_ = true;  // HTTP/1.1
};

}  // namespace

void serve_http(HttpShared& shared, ByteStream::Socket socket, HttpTransport transport) {
  std::make_shared<HttpSession>(shared, std::move(socket), transport)->run();
}

}  // namespace lapwing::sinks
