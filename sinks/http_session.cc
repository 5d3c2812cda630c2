#include "sinks/http_session.h"

#include <openssl/crypto.h>

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "sinks/gzip.h"

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::uint32_t kHeaderLimit = 8192;
constexpr std::uint64_t kBodyLimit = 65536;
constexpr std::chrono::seconds kDrainTimeout{2};
constexpr std::size_t kWorthCompressing = 1400;  // about one packet

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

using PlainStream = beast::basic_stream<asio::generic::stream_protocol>;
using TlsStream = asio::ssl::stream<PlainStream>;

PlainStream& lowest(PlainStream& stream) { return stream; }
PlainStream& lowest(TlsStream& stream) { return stream.next_layer(); }

template <typename Stream>
class SocketOf final : public HttpSocket {
 public:
  explicit SocketOf(Stream stream) : stream_(std::move(stream)) { lowest(stream_).expires_never(); }
  void write(asio::const_buffer data, Done done) override {
    asio::async_write(stream_, data,
                      [done = std::move(done)](const beast::error_code& error, std::size_t) {
                        done(error);
                      });
  }
  void read(asio::mutable_buffer data, Done done) override {
    stream_.async_read_some(data,
                            [done = std::move(done)](const beast::error_code& error, std::size_t) {
                              done(error);
                            });
  }
  bool is_open() const override { return open_; }
  void close() override {
    open_ = false;
    lowest(stream_).close();
  }

 private:
  Stream stream_;
  bool open_ = true;
};

template <typename Stream>
class HttpSession : public std::enable_shared_from_this<HttpSession<Stream>> {
 public:
  HttpSession(HttpShared& shared, Stream stream, HttpTransport transport)
      : shared_(shared), stream_(std::move(stream)), local_(transport == HttpTransport::kUnix) {
    ++shared_.connections;
  }
  ~HttpSession() { --shared_.connections; }

  void run() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      lowest(stream_).expires_after(shared_.options.read_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = self_ptr()](const beast::error_code& error) {
                                if (!error) self->begin();
                              });
    } else {
      begin();
    }
  }

 private:
  using Parser = http::request_parser<http::string_body>;

  std::shared_ptr<HttpSession> self_ptr() { return this->shared_from_this(); }

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
    lowest(stream_).expires_after(shared_.options.read_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = self_ptr()](const beast::error_code& error, std::size_t) {
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
    gzip_ = accepts_gzip(view(message[http::field::accept_encoding]));
    chunked_ = message.version() >= 11;
    if (message.version() >= 11 && message.count(http::field::host) != 1) {
      keep_alive_ = false;
      return respond(problem(400, "there must be one Host"));
    }
    RouteMatch match =
        match_route(http_routes(), view(message.method_string()), view(message.target()));
    const auto access =
        match.route != nullptr ? match.route->access : HttpRoute::Access::kRead;
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
    match.request.body = message.body();
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
    using Where = HttpRoute::Where;
    if (route.where == Where::kHere) return respond(answer(route, request));
    if (route.where == Where::kEvents || route.where == Where::kUpdates)
      return start_stream(route, request);
    if (shared_.jobs >= shared_.options.max_jobs)
      return respond(problem(503, "too many requests wait"));
    work([self = self_ptr(), &route, request = std::move(request)]() mutable {
      HttpResponse response = self->answer(route, request);
      self->compress(response);
      asio::post(self->shared_.io,
                 [self, response = std::move(response)]() mutable {
                   self->respond(std::move(response));
                 });
    });
  }

  // Runs `job` on the worker; the connection waits for it without a limit of time.
  template <typename Job>
  void work(Job job) {
    ++shared_.jobs;
    lowest(stream_).expires_never();
    asio::post(shared_.worker, [&shared = shared_, job = std::move(job)]() mutable {
      job();
      --shared.jobs;
    });
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
    if (head_) return respond({200, "text/event-stream", {}});
    if (shared_.streams.size() >= shared_.options.max_streams)
      return respond(problem(503, "too many streams"));
    serve_stream(shared_, std::make_unique<SocketOf<Stream>>(std::move(stream_)), request,
                 route.where);
  }

  void set_head(http::header<false, http::fields>& header, const HttpResponse& response) {
    header.version(11);
    header.result(response.status);
    header.reason(beast::string_view(reason_phrase(response.status)));
    header.set(http::field::content_type, response.content_type);
    header.set(http::field::cache_control, "no-store");
    header.set("X-Content-Type-Options", "nosniff");
    if (compressor_) header.set(http::field::content_encoding, "gzip");
    if (compressor_ || gzip_) header.set(http::field::vary, "Accept-Encoding");
    if (response.status == 401) header.set(http::field::www_authenticate, "Bearer");
    if (response.status == 503) header.set(http::field::retry_after, "1");
    if (response.status == 405) header.set(http::field::allow, allow_);
  }

  void respond(HttpResponse response) {
    if (response.more && !head_) return respond_long(std::move(response));
    response_ = {};
    set_head(response_, response);
    compressor_.reset();
    response_.keep_alive(keep_alive_);
    if (!response.more) response_.content_length(response.body.size());
    if (!head_) response_.body() = std::move(response.body);
    serializer_.emplace(response_);
    lowest(stream_).expires_after(shared_.options.write_timeout);
    const auto done = [self = self_ptr()](const beast::error_code& error, std::size_t) {
      if (!error) self->after_answer();
    };
    if (head_)
      http::async_write_header(stream_, *serializer_, done);
    else
      http::async_write(stream_, *serializer_, done);
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
    long_head_ = {};
    set_head(long_head_, response);
    long_head_.keep_alive(keep_alive_);
    if (chunked_) long_head_.chunked(true);
    piece_ = std::move(response.body);
    more_ = std::move(response.more);
    long_serializer_.emplace(long_head_);
    lowest(stream_).expires_after(shared_.options.write_timeout);
    http::async_write_header(stream_, *long_serializer_,
                             [self = self_ptr()](const beast::error_code& error, std::size_t) {
                               if (!error) self->send_piece();
                             });
  }

  void send_piece() {
    if (piece_.empty()) return after_piece();
    lowest(stream_).expires_after(shared_.options.write_timeout);
    const auto done = [self = self_ptr()](const beast::error_code& error, std::size_t) {
      if (!error) self->after_piece();
    };
    if (chunked_)
      asio::async_write(stream_, http::make_chunk(asio::buffer(piece_)), done);
    else
      asio::async_write(stream_, asio::buffer(piece_), done);
  }

  void after_piece() {
    if (!more_) return end_pieces();
    work([self = self_ptr()] {
      bool failed = false;
      try {
        self->next_piece();
      } catch (const std::exception&) {
        failed = true;  // the end of the connection without a last chunk says so
      }
      asio::post(self->shared_.io, [self, failed] {
        if (!failed) self->send_piece();
      });
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
    lowest(stream_).expires_after(shared_.options.write_timeout);
    asio::async_write(stream_, http::make_chunk_last(),
                      [self = self_ptr()](const beast::error_code& error, std::size_t) {
                        if (!error) self->after_answer();
                      });
  }

  // Closing with unread input would reset the connection and take the answer with it.
  void drain() {
    lowest(stream_).expires_after(kDrainTimeout);
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      stream_.async_shutdown([self = self_ptr()](const beast::error_code&) {});
    } else {
      beast::error_code ignored;
      stream_.socket().shutdown(RawSocket::shutdown_send, ignored);
      drain_more(64);
    }
  }

  void drain_more(unsigned left) {
    buffer_.clear();
    stream_.async_read_some(
        buffer_.prepare(4096),
        [self = self_ptr(), left](const beast::error_code& error, std::size_t) {
          if (!error && left > 0) self->drain_more(left - 1);
        });
  }

  HttpShared& shared_;
  Stream stream_;
  const bool local_;
  beast::flat_buffer buffer_{kHeaderLimit + kBodyLimit + 4096};
  std::optional<Parser> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::string allow_;
  // Of a long answer; `piece_`, `more_` and the compressor are the worker's while it makes a piece.
  http::response<http::empty_body> long_head_;
  std::optional<http::response_serializer<http::empty_body>> long_serializer_;
  std::string piece_;
  std::function<bool(std::string&)> more_;
  std::unique_ptr<Gzip> compressor_;
  bool keep_alive_ = true;
  bool head_ = false;
  bool gzip_ = false;     // the client takes it
  bool chunked_ = true;   // HTTP/1.1
};

}  // namespace

void serve_http(HttpShared& shared, RawSocket socket, HttpTransport transport) {
  PlainStream plain(std::move(socket));
  if (transport == HttpTransport::kTls)
    std::make_shared<HttpSession<TlsStream>>(shared, TlsStream(std::move(plain), *shared.tls),
                                             transport)
        ->run();
  else
    std::make_shared<HttpSession<PlainStream>>(shared, std::move(plain), transport)->run();
}

}  // namespace lapwing::sinks
