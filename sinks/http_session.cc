#include "sinks/http_session.h"

#include <openssl/crypto.h>

#include <boost/asio/post.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::uint32_t kHeaderLimit = 8192;
constexpr std::uint64_t kBodyLimit = 65536;
constexpr std::chrono::seconds kDrainTimeout{2};

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// An address or "localhost", with or without a port: nothing that a foreign name server answers for.
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

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(HttpShared& shared, HttpSocket socket, bool local)
      : shared_(shared), stream_(std::move(socket)), local_(local) {
    ++shared_.connections;
  }
  ~HttpSession() { --shared_.connections; }

  void run() {
    if (shared_.connections > shared_.options.max_connections) {
      keep_alive_ = false;
      return respond(problem(503, "too many connections"));
    }
    read();
  }

 private:
  using Parser = http::request_parser<http::string_body>;

  void read() {
    parser_.emplace();
    parser_->header_limit(kHeaderLimit);
    parser_->body_limit(kBodyLimit);
    head_ = false;
    stream_.expires_after(shared_.options.read_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const beast::error_code& error, std::size_t) {
                       self->on_read(error);
                     });
  }

  void on_read(const beast::error_code& error) {
    if (!error) {
      keep_alive_ = parser_->keep_alive();
      return handle(parser_->get());
    }
    keep_alive_ = false;
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return respond(problem(431, "the header is longer than 8 KiB"));
    if (error == http::error::body_limit)
      return respond(problem(413, "the body is longer than 64 KiB"));
    if (error == http::error::end_of_stream || error == http::error::partial_message) return drain();
    if (error.category() == beast::error_code(http::error::bad_method).category())
      respond(problem(400, error.message()));
  }

  void handle(const http::request<http::string_body>& message) {
    head_ = message.method() == http::verb::head;
    if (message.version() >= 11 && message.count(http::field::host) != 1) {
      keep_alive_ = false;
      return respond(problem(400, "there must be one Host"));
    }
    RouteMatch match =
        match_route(http_routes(), view(message.method_string()), view(message.target()));
    const bool open = match.route != nullptr && match.route->open;
    if (!local_ && !open)
      if (const auto refusal = refuse(message)) return respond(*refusal);
    if (match.malformed) return respond(problem(400, "the target is malformed"));
    if (match.route == nullptr && !match.allow.empty()) {
      allow_ = match.allow;
      return respond(problem(405, "this path takes " + match.allow));
    }
    if (match.route == nullptr) return respond(problem(404, "there is no such path"));
    match.request.last_event_id = std::string(message["Last-Event-ID"]);
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
    const bool bearer =
        given.size() > scheme.size() &&
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
    if (route.where == HttpRoute::Where::kStream) return start_stream(route, request);
    if (shared_.jobs >= shared_.options.max_jobs)
      return respond(problem(503, "too many requests wait"));
    ++shared_.jobs;
    stream_.expires_never();
    asio::post(shared_.worker, [self = shared_from_this(), &route,
                                request = std::move(request)]() mutable {
      HttpResponse response = self->answer(route, request);
      HttpShared& shared = self->shared_;
      --shared.jobs;
      asio::post(shared.io, [self = std::move(self), response = std::move(response)]() mutable {
        self->respond(std::move(response));
      });
    });
  }

  void start_stream(const HttpRoute& route, const HttpRequest& request) {
    HttpResponse check = answer(route, request);
    if (check.status != 200) return respond(std::move(check));
    if (head_) return respond({200, "text/event-stream", {}});
    if (shared_.streams.size() >= shared_.options.max_streams)
      return respond(problem(503, "too many streams"));
    serve_stream(shared_, stream_.release_socket(), request);
  }

  void respond(HttpResponse response) {
    response_ = {};
    response_.version(11);
    response_.result(response.status);
    response_.reason(beast::string_view(reason_phrase(response.status)));
    response_.set(http::field::content_type, response.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (response.status == 401) response_.set(http::field::www_authenticate, "Bearer");
    if (response.status == 503) response_.set(http::field::retry_after, "1");
    if (response.status == 405) response_.set(http::field::allow, allow_);
    response_.keep_alive(keep_alive_);
    response_.content_length(response.body.size());
    if (!head_) response_.body() = std::move(response.body);
    serializer_.emplace(response_);
    stream_.expires_after(shared_.options.write_timeout);
    const auto done = [self = shared_from_this()](const beast::error_code& error, std::size_t) {
      if (error) return;
      if (self->keep_alive_)
        self->read();
      else
        self->drain();
    };
    if (head_)
      http::async_write_header(stream_, *serializer_, done);
    else
      http::async_write(stream_, *serializer_, done);
  }

  // Closing with unread input would reset the connection and take the answer with it.
  void drain() {
    beast::error_code ignored;
    stream_.socket().shutdown(HttpSocket::shutdown_send, ignored);
    stream_.expires_after(kDrainTimeout);
    drain_more(64);
  }

  void drain_more(unsigned left) {
    buffer_.clear();
    stream_.async_read_some(
        buffer_.prepare(4096),
        [self = shared_from_this(), left](const beast::error_code& error, std::size_t) {
          if (!error && left > 0) self->drain_more(left - 1);
        });
  }

  HttpShared& shared_;
  beast::basic_stream<asio::generic::stream_protocol> stream_;
  const bool local_;
  beast::flat_buffer buffer_{kHeaderLimit + kBodyLimit + 4096};
  std::optional<Parser> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::string allow_;
  bool keep_alive_ = true;
  bool head_ = false;
};

}  // namespace

void serve_http(HttpShared& shared, HttpSocket socket, bool local) {
  std::make_shared<HttpSession>(shared, std::move(socket), local)->run();
}

}  // namespace lapwing::sinks
