#include "sinks/http_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <mutex>
#include <thread>
#include <utility>

#include "lapwing/thread_name.h"
#include "sinks/http_certificate.h"
#include "sinks/http_session.h"

namespace lapwing::sinks {

namespace asio = boost::asio;
using boost::system::error_code;

struct HttpListenAddress {
  bool local = false;
  bool tls = false;
  std::string path;  // local
  asio::ip::tcp::endpoint endpoint;

  bool loopback() const { return local || endpoint.address().is_loopback(); }
};

class HttpListener {
 public:
  HttpListener(HttpShared& shared, HttpListenAddress address)
      : shared_(shared), address_(std::move(address)), acceptor_(shared.io), timer_(shared.io) {}
  ~HttpListener() {
    struct stat now {};
    if (bound_ && address_.local && ::stat(address_.path.c_str(), &now) == 0 &&
        now.st_ino == inode_)
      ::unlink(address_.path.c_str());
  }

  // What went wrong; empty when bound.
  std::string bind() {
    return address_.local ? bind_local() : bind_tcp();
  }

  std::string name() const {
    if (address_.local) return "unix:" + address_.path;
    error_code error;
    const auto bound = acceptor_.local_endpoint(error);
    asio::ip::tcp::endpoint endpoint = address_.endpoint;
    if (!error && bound.size() <= endpoint.capacity()) {
      std::memcpy(endpoint.data(), bound.data(), bound.size());
      endpoint.resize(bound.size());
    }
    const std::string ip = endpoint.address().to_string();
    return (address_.tls ? "tls:" : "") + (endpoint.address().is_v6() ? '[' + ip + ']' : ip) +
           ':' + std::to_string(endpoint.port());
  }

  void accept() {
    acceptor_.async_accept([this](const error_code& error, ByteStream::Socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();
      serve_http(shared_, std::move(socket),
                 address_.local ? HttpTransport::kUnix
                 : address_.tls ? HttpTransport::kTls
                                : HttpTransport::kTcp);
      accept();
    });
  }

 private:
  using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

  std::string bind_tcp() {
    error_code error;
    acceptor_.open(address_.endpoint.protocol(), error);
    if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
    if (!error && address_.endpoint.address().is_v6())
      acceptor_.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor_.bind(address_.endpoint, error);
    if (!error) acceptor_.listen(Acceptor::max_listen_connections, error);
    return error ? "cannot listen on " + name() + ": " + error.message() : std::string();
  }

  std::string bind_local() {
    if (std::string wrong = remove_stale(); !wrong.empty()) return wrong;
    const asio::local::stream_protocol::endpoint endpoint(address_.path);
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    // Before the bind, so that the socket never stands open for all; after it, against the umask.
    if (!error && ::fchmod(acceptor_.native_handle(), 0660) != 0) error = last_error();
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(Acceptor::max_listen_connections, error);
    struct stat info {};
    if (!error && (::chmod(address_.path.c_str(), 0660) != 0 ||
                   ::stat(address_.path.c_str(), &info) != 0))
      error = last_error();
    if (error) return "cannot listen on " + name() + ": " + error.message();
    inode_ = info.st_ino;
    bound_ = true;
    return {};
  }

  std::string remove_stale() const {
    struct stat info {};
    if (::lstat(address_.path.c_str(), &info) != 0) return {};
    if (!S_ISSOCK(info.st_mode)) return address_.path + " exists and is no socket";
    asio::local::stream_protocol::socket probe(shared_.io);
    error_code error;
    probe.connect(address_.path, error);
    if (!error) return "another process listens on " + address_.path;
    if (error == asio::error::connection_refused) ::unlink(address_.path.c_str());
    return {};
  }

  static error_code last_error() { return {errno, boost::system::system_category()}; }

  // Out of descriptors, for example: what waits in the backlog is taken when there are some again.
  void accept_later() {
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([this](const error_code& stopped) {
      if (!stopped) accept();
    });
  }

  HttpShared& shared_;
  const HttpListenAddress address_;
  Acceptor acceptor_;
  asio::steady_timer timer_;
  ino_t inode_ = 0;
  bool bound_ = false;
};

namespace {

std::optional<HttpListenAddress> parse_listen(std::string_view text) {
  HttpListenAddress address;
  if (text.starts_with("unix:")) {
    address.local = true;
    address.path = text.substr(5);
    const bool fits = address.path.starts_with('/') && address.path.size() <= 107;
    return fits ? std::optional(address) : std::nullopt;
  }
  if (text.starts_with("tls:")) {
    address.tls = true;
    text.remove_prefix(4);
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  error_code error;
  const auto ip = asio::ip::make_address(std::string(host), error);
  if (error || ip.is_v6() != brackets) return std::nullopt;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, wrong] = std::from_chars(text.data() + colon + 1, end, port);
  if (wrong != std::errc{} || rest != end) return std::nullopt;
  address.endpoint = {ip, port};
  return address;
}

}  // namespace

HttpOptions HttpOptions::from_settings(Settings& settings) {
  HttpOptions options;
  options.listen = settings.texts("listen", {"127.0.0.1:8179"});
  options.token = settings.text("token", "");
  for (const std::string& text : options.listen) {
    const auto address = parse_listen(text);
    if (!address)
      settings.error("listen", "'" + text +
                                   "' is none of 127.0.0.1:8179, [::1]:8179, tls:192.0.2.1:8179 and "
                                   "unix:/path");
    else if (!address->loopback() && options.token.empty())
      settings.error("listen", "'" + text + "' is no loopback address: set a token as well");
  }
  return options;
}

class HttpServer::Impl {
 public:
  Impl(HttpOptions options, HttpContext context)
      : shared_(std::make_unique<HttpShared>(std::move(options), std::move(context))) {}
  ~Impl() { stop(); }

  std::optional<std::string> start() {
    for (const std::string& text : shared_->options.listen) {
      auto address = parse_listen(text);
      if (!address) return "'" + text + "' is no endpoint";
      if (!address->loopback() && shared_->options.token.empty())
        return "'" + text + "' is no loopback address: set a token as well";
      if (address->tls && !shared_->tls)
        if (std::string wrong = start_tls(); !wrong.empty()) return wrong;
      listeners_.push_back(std::make_unique<HttpListener>(*shared_, std::move(*address)));
      if (std::string wrong = listeners_.back()->bind(); !wrong.empty()) {
        listeners_.clear();
        return wrong;
      }
    }
    has_tls_ = shared_->tls != nullptr;
    shown_ = shared_->tls;
    for (const auto& listener : listeners_) listener->accept();
    subscription_ = shared_->context.journal.subscribe([this] {
      asio::post(shared_->io, [this] { wake_followers(*shared_); });
    });
    thread_ = std::thread([this] {
      name_thread("http");
      const auto work = asio::make_work_guard(shared_->io);
      shared_->io.run();
    });
    return std::nullopt;
  }

  void post(std::function<void()> fn) { asio::post(shared_->io, std::move(fn)); }

  HttpRenewal renew() {
    HttpRenewal renewal;
    if (!has_tls_) return renewal;
    const HttpOptions& options = shared_->options;
    std::shared_ptr<asio::ssl::context> next =
        load_certificate(options.certificate, options.key, renewal.wrong);
    if (!next) return renewal;
    if (const std::string fault = certificate_fault(*next); !fault.empty()) {
      renewal.wrong = "cannot use the certificate " + options.certificate + ": " + fault;
      return renewal;
    }
    const std::lock_guard lock(mutex_);
    if (same_certificate(*shown_, *next)) return renewal;
    renewal.said = "the API shows a new certificate, " + certificate_end(*next);
    renewal.use = [this, next] {
      const std::lock_guard again(mutex_);
      shown_ = next;
      post([this, next] { shared_->tls = next; });
    };
    return renewal;
  }

  void stop() {
    if (!thread_.joinable()) return;
    shared_->context.journal.unsubscribe(subscription_);
    shared_->io.stop();
    thread_.join();
    shared_->worker.stop();
    shared_->worker.join();
    listeners_.clear();
    end_followers(*shared_);
    shared_.reset();  // closes what connections are left
  }

  std::vector<std::string> endpoints() const {
    std::vector<std::string> names;
    for (const auto& listener : listeners_) names.push_back(listener->name());
    return names;
  }

 private:
  std::string start_tls() {
    const HttpOptions& options = shared_->options;
    if (options.certificate.empty() || options.key.empty())
      return "an endpoint with tls: needs a certificate and its key";
    std::string wrong;
    shared_->tls = load_certificate(options.certificate, options.key, wrong);
    return wrong;
  }

  std::unique_ptr<HttpShared> shared_;  // none after `stop`
  std::vector<std::unique_ptr<HttpListener>> listeners_;
  std::thread thread_;
  int subscription_ = 0;
  bool has_tls_ = false;
  std::mutex mutex_;
  std::shared_ptr<asio::ssl::context> shown_;  // guarded by mutex_: the youngest one
};

HttpServer::HttpServer(HttpOptions options, HttpContext context)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(context))) {}
HttpServer::~HttpServer() = default;

std::optional<std::string> HttpServer::start() { return impl_->start(); }
void HttpServer::post(std::function<void()> fn) { impl_->post(std::move(fn)); }
HttpRenewal HttpServer::renew_certificate() { return impl_->renew(); }
void HttpServer::stop() { impl_->stop(); }
std::vector<std::string> HttpServer::endpoints() const { return impl_->endpoints(); }

}  // namespace lapwing::sinks
