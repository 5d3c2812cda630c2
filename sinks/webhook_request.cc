#include "sinks/webhook_request.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>

#include "sinks/byte_stream.h"
#include "sinks/host_port.h"
#include "sinks/http_wire.h"

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::size_t kMaxAnswer = 1 << 20;

// RFC 9110 10.2.3: seconds; a date is not worth a clock that may be wrong, the back-off serves.
std::optional<std::chrono::seconds> retry_after(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(number);
}

class Exchange final : public WebhookRequest, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, WebhookUrl url, asio::ssl::context* tls, TlsOptions options,
           std::chrono::seconds timeout, std::function<void(WebhookAnswer)> done)
      : url_(std::move(url)),
        options_(std::move(options)),
        stream_(io),
        timeout_(timeout),
        done_(std::move(done)) {
    if (tls != nullptr) stream_.start_tls(*tls);
    parser_.body_limit(kMaxAnswer);
  }

  void start(const HeaderList& headers, const std::string& body) {
    http::request<http::empty_body> head(http::verb::post, url_.target, 11);
    head.set(http::field::host, url_.authority);
    head.set(http::field::connection, "close");
    for (const auto& [name, value] : headers) head.set(name, value);
    head.content_length(body.size());
    request_ = http_head(head) + body;
    stream_.resolve(url_.host, url_.port,
                    [self = shared_from_this()](const error_code& error,
                                                std::vector<ByteStream::Endpoint> found) {
                      if (!self->goes_on(error, "cannot resolve " + self->url_.host)) return;
                      self->connect(std::move(found));
                    });
  }

  void cancel() override {
    done_ = nullptr;
    stream_.close();
  }

 private:
  void connect(std::vector<ByteStream::Endpoint> found) {
    stream_.expires_after(timeout_);
    stream_.connect(std::move(found), [self = shared_from_this()](const error_code& error) {
      if (!self->goes_on(error, "cannot connect")) return;
      if (self->stream_.has_tls())
        self->shake_hands();
      else
        self->send();
    });
  }

  void shake_hands() {
    stream_.expect_peer(options_.server_name.empty() ? url_.host : options_.server_name,
                        !options_.fingerprint.empty());
    stream_.handshake_as_client([self = shared_from_this()](const error_code& error) {
      ssl_st* const tls = self->stream_.tls();
      if (!self->goes_on(error, error ? tls_failure(tls) : "")) return;
      const std::string& wanted = self->options_.fingerprint;
      if (!wanted.empty() && !fingerprint_matches(tls, wanted))
        return self->finish({0, "the certificate has another fingerprint", {}});
      self->send();
    });
  }

  void send() {
    stream_.write(boost::asio::buffer(request_), [self = shared_from_this()](const error_code&) {
      self->receive();  // what is refused early may be answered before all was sent
    });
  }

  void receive() {
    read_http(stream_, buffer_, parser_, HttpPart::kHead,
              [self = shared_from_this()](const error_code& error) {
                if (!self->goes_on(error, "no answer")) return;
                const auto& answer = self->parser_.get();
                self->finish({answer.result_int(), std::string(answer.reason()),
                              retry_after(answer[http::field::retry_after])});
              });
  }

  bool goes_on(const error_code& error, const std::string& what) {
    if (!done_) return false;
    if (!error) return true;
    finish({0, what + ": " + error.message(), {}});
    return false;
  }

  void finish(WebhookAnswer answer) {
    const auto done = std::exchange(done_, nullptr);
    stream_.close();
    if (done) done(std::move(answer));
  }

  const WebhookUrl url_;
  const TlsOptions options_;
  ByteStream stream_;
  const std::chrono::seconds timeout_;
  std::string request_;
  http::response_parser<http::string_body> parser_;
  beast::flat_buffer buffer_;
  std::function<void(WebhookAnswer)> done_;  // empty once told or cancelled
};

}  // namespace

std::optional<WebhookUrl> parse_webhook_url(std::string_view text) {
  WebhookUrl url;
  if (text.starts_with("https://"))
    url.tls = true;
  else if (!text.starts_with("http://"))
    return std::nullopt;
  text.remove_prefix(url.tls ? 8 : 7);
  const std::size_t slash = text.find_first_of("/?");
  url.authority = text.substr(0, slash);
  if (slash != std::string_view::npos) url.target = text.substr(slash);
  if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f || c == '#' || c == '@') return std::nullopt;
  url.port = url.tls ? "443" : "80";
  if (!parse_host_port(url.authority, url.host, url.port)) return std::nullopt;
  return url;
}

std::shared_ptr<WebhookRequest> start_webhook_request(
    asio::io_context& io, const WebhookUrl& url, asio::ssl::context* tls, const TlsOptions& options,
    const HeaderList& headers, const std::string& body, std::chrono::seconds timeout,
    std::function<void(WebhookAnswer)> done) {
  auto exchange = std::make_shared<Exchange>(io, url, url.tls ? tls : nullptr, options, timeout,
                                             std::move(done));
  exchange->start(headers, body);
  return exchange;
}

}  // namespace lapwing::sinks
