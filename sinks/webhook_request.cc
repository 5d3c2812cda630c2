#include "sinks/webhook_request.h"

#include <openssl/ssl.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <charconv>

#include "lapwing/prefix.h"
#include "sinks/host_port.h"

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::size_t kMaxAnswer = 1 << 20;

// RFC 9110 10.2.3: seconds; a date is not worth a clock that may be wrong, the back-off serves.
std::optional<std::chrono::seconds> retry_after(std::string_view text) {
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

class Exchange final : public WebhookRequest, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, WebhookUrl url, asio::ssl::context* tls, TlsOptions options,
           std::chrono::seconds timeout, std::function<void(WebhookAnswer)> done)
      : url_(std::move(url)),
        options_(std::move(options)),
        resolver_(io),
        stream_(io),
        done_(std::move(done)) {
    if (tls != nullptr) tls_.emplace(stream_, *tls);
    stream_.expires_after(timeout);
    timeout_ = timeout;
    parser_.body_limit(kMaxAnswer);
  }

  void start(const HeaderList& headers, std::string body) {
    request_.method(http::verb::post);
    request_.target(url_.target);
    request_.version(11);
    request_.set(http::field::host, url_.authority);
    request_.set(http::field::connection, "close");
    for (const auto& [name, value] : headers) request_.set(name, value);
    request_.body() = std::move(body);
    request_.prepare_payload();
    resolver_.async_resolve(url_.host, url_.port,
                            [self = shared_from_this()](const error_code& error, const auto& found) {
                              if (!self->goes_on(error, "cannot resolve " + self->url_.host)) return;
                              self->connect(found);
                            });
  }

  void cancel() override {
    done_ = nullptr;
    resolver_.cancel();
    stream_.close();
  }

 private:
  template <typename Fn>
  void with_stream(Fn&& fn) {
    if (tls_)
      fn(*tls_);
    else
      fn(stream_);
  }

  void connect(const asio::ip::tcp::resolver::results_type& found) {
    stream_.expires_after(timeout_);
    stream_.async_connect(found, [self = shared_from_this()](const error_code& error,
                                                             const asio::ip::tcp::endpoint&) {
      if (!self->goes_on(error, "cannot connect")) return;
      if (self->tls_)
        self->shake_hands();
      else
        self->send();
    });
  }

  void shake_hands() {
    const std::string& name = options_.server_name.empty() ? url_.host : options_.server_name;
    if (!parse_address(name)) SSL_set_tlsext_host_name(tls_->native_handle(), name.c_str());
    if (options_.fingerprint.empty()) {
      tls_->set_verify_mode(asio::ssl::verify_peer);
      tls_->set_verify_callback(asio::ssl::host_name_verification(name));
    } else {
      tls_->set_verify_mode(asio::ssl::verify_none);
    }
    tls_->async_handshake(asio::ssl::stream_base::client,
                          [self = shared_from_this()](const error_code& error) {
                            SSL* const tls = self->tls_->native_handle();
                            if (!self->goes_on(error, error ? tls_failure(tls) : "")) return;
                            const std::string& wanted = self->options_.fingerprint;
                            if (!wanted.empty() && !fingerprint_matches(tls, wanted))
                              return self->finish({0, "the certificate has another fingerprint", {}});
                            self->send();
                          });
  }

  void send() {
    with_stream([this](auto& stream) {
      http::async_write(stream, request_,
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          // What is refused early may be answered before all was sent.
                          (void)error;
                          self->receive();
                        });
    });
  }

  void receive() {
    with_stream([this](auto& stream) {
      http::async_read_header(
          stream, buffer_, parser_, [self = shared_from_this()](const error_code& error, std::size_t) {
            if (!self->goes_on(error, "no answer")) return;
            const auto& answer = self->parser_.get();
            self->finish({answer.result_int(), std::string(answer.reason()),
                          retry_after(answer[http::field::retry_after])});
          });
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
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream stream_;
  std::optional<beast::ssl_stream<beast::tcp_stream&>> tls_;
  std::chrono::seconds timeout_{};
  http::request<http::string_body> request_;
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
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f || c == '#' || c == '@') return std::nullopt;
  url.port = url.tls ? "443" : "80";
  if (!parse_host_port(url.authority, url.host, url.port)) return std::nullopt;
  return url;
}

std::shared_ptr<WebhookRequest> start_webhook_request(
    asio::io_context& io, const WebhookUrl& url, asio::ssl::context* tls, const TlsOptions& options,
    const HeaderList& headers, std::string body, std::chrono::seconds timeout,
    std::function<void(WebhookAnswer)> done) {
  auto exchange =
      std::make_shared<Exchange>(io, url, url.tls ? tls : nullptr, options, timeout, std::move(done));
  exchange->start(headers, std::move(body));
  return exchange;
}

}  // namespace lapwing::sinks
