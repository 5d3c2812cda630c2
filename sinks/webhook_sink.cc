#include "sinks/webhook_sink.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "sinks/backoff.h"
#include "sinks/event_json.h"
#include "sinks/event_template.h"
#include "sinks/filter.h"
#include "sinks/webhook_request.h"

namespace lapwing::sinks {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kTriesOfRefused = 3;
constexpr seconds kLongestRetryAfter{3600};

struct WebhookOptions {
  std::string name;
  WebhookUrl url;
  TlsOptions tls;
  HeaderList headers;
  std::string signature_header;
  std::string secret;
  std::optional<EventTemplate> body;  // none: JSON
  std::size_t batch = 1;
  seconds timeout{10};
  milliseconds longest_pause{30000};
  EventFilter filter;
};

enum class Verdict { kArrived, kRefused, kAgain };

Verdict verdict_of(unsigned status) {
  if (status >= 200 && status < 300) return Verdict::kArrived;
  const bool refused = status == 400 || status == 413 || status == 415 || status == 422;
  return refused ? Verdict::kRefused : Verdict::kAgain;
}

class WebhookSink final : public Sink {
 public:
  WebhookSink(boost::asio::io_context& io, WebhookOptions options)
      : io_(io),
        options_(std::move(options)),
        timer_(io),
        backoff_(milliseconds(500), options_.longest_pause) {
    if (options_.url.tls) tls_ = make_tls_context(options_.tls);
  }
  ~WebhookSink() override { WebhookSink::close(); }

  std::string_view name() const override { return options_.name; }

  void deliver(std::span<const JournalEntry> entries,
               std::function<void(std::uint64_t)> confirm) override {
    rest_ = entries;
    confirm_ = std::move(confirm);
    next();
  }

  void close() override {
    confirm_ = nullptr;
    timer_.cancel();
    if (const auto request = std::exchange(request_, nullptr)) request->cancel();
  }

  SinkStatus status() const override {
    SinkStatus status;
    status.name = options_.name;
    status.state = error_.empty() ? "up" : "failed: " + error_;
    status.retries = retries_;
    status.lost = lost_;
    status.last_error = last_error_;
    return status;
  }

 private:
  // Makes the next request of up to `batch` events; entries that the filter withholds go with it.
  void next() {
    std::string body;
    std::size_t events = 0;
    taken_ = 0;
    Event scratch;
    for (; taken_ < rest_.size() && events < options_.batch; ++taken_) {
      const Event* event = options_.filter.shown(rest_[taken_].event, scratch);
      if (event == nullptr) continue;
      if (events++ != 0) body += ',';
      body += options_.body ? options_.body->fill(*event) : event_json(*event);
    }
    in_request_ = events;
    if (events == 0) return advance();
    body_ = options_.batch > 1 ? '[' + body + ']' : std::move(body);
    send();
  }

  void send() {
    HeaderList headers = options_.headers;
    if (!options_.secret.empty())
      headers.emplace_back(options_.signature_header, webhook_signature(options_.secret, body_));
    request_ = start_webhook_request(io_, options_.url, tls_.get(), options_.tls, headers, body_,
                                     options_.timeout,
                                     [this](WebhookAnswer answer) { answered(std::move(answer)); });
  }

  void answered(WebhookAnswer answer) {
    request_.reset();
    const Verdict verdict = answer.status == 0 ? Verdict::kAgain : verdict_of(answer.status);
    if (verdict == Verdict::kArrived) {
      error_.clear();
      backoff_.reset();
      return advance();
    }
    error_ = answer.status == 0 ? answer.error
                                : "answer " + std::to_string(answer.status) + ' ' + answer.error;
    last_error_ = error_;
    if (verdict == Verdict::kRefused && ++refusals_ >= kTriesOfRefused) {
      lost_ += in_request_;
      last_error_ += " (given up after 3 tries)";
      return advance();
    }
    ++retries_;
    milliseconds pause = backoff_.next();
    if (answer.retry_after)
      pause = std::max<milliseconds>(pause, std::min(*answer.retry_after, kLongestRetryAfter));
    timer_.expires_after(pause);
    timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& stopped) {
      if (!stopped && alive.lock() && confirm_) send();
    });
  }

  void advance() {
    refusals_ = 0;
    const std::uint64_t number = rest_[taken_ - 1].number;
    rest_ = rest_.subspan(taken_);
    if (rest_.empty()) {
      const auto confirm = std::exchange(confirm_, nullptr);
      return confirm(number);
    }
    const auto confirm = confirm_;
    confirm(number);
    if (confirm_) next();
  }

  boost::asio::io_context& io_;
  const WebhookOptions options_;
  boost::asio::steady_timer timer_;
  const std::shared_ptr<char> alive_ = std::make_shared<char>();  // ends with `this`
  std::shared_ptr<boost::asio::ssl::context> tls_;
  std::shared_ptr<WebhookRequest> request_;     // under way; cancelled before `this` ends
  Backoff backoff_;
  std::span<const JournalEntry> rest_;          // of the batch under way
  std::size_t taken_ = 0;                       // entries that the request covers
  std::size_t in_request_ = 0;                  // events in it
  std::string body_;
  std::function<void(std::uint64_t)> confirm_;  // set while a batch is under way
  unsigned refusals_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t lost_ = 0;
  std::string error_;
  std::string last_error_;
};

bool read_file(const std::string& path, std::string& out) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  out.assign(std::istreambuf_iterator<char>(file), {});
  return true;
}

// `key`, or the content of the file that `key`-file names.
std::string text_or_file(Settings& settings, const std::string& key) {
  std::string text = settings.text(key, "");
  const std::string file_key = key + "-file";
  const std::string path = settings.text(file_key, "");
  if (path.empty()) return text;
  if (!text.empty()) settings.error(file_key, "cannot be set together with " + key);
  if (!read_file(path, text)) settings.error(file_key, "cannot read " + path);
  return text;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

void read_headers(Settings& settings, HeaderList& headers) {
  for (const std::string& text : settings.texts("headers", {})) {
    const std::size_t colon = text.find(": ");
    const bool fits = colon != std::string::npos && is_token(text.substr(0, colon)) &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (fits)
      headers.emplace_back(text.substr(0, colon), text.substr(colon + 2));
    else
      settings.error("headers", "must be texts such as \"Authorization: Bearer token\"");
  }
}

void read_body(Settings& settings, WebhookOptions& options) {
  options.batch = static_cast<std::size_t>(settings.integer("batch", 1, 1, 500));
  const std::string text = text_or_file(settings, "template");
  options.headers.emplace_back("Content-Type", settings.text("content-type", "application/json"));
  if (text.empty()) return;
  std::string error;
  options.body = EventTemplate::parse(text, error);
  if (!options.body) settings.error("template", error);
}

}  // namespace

std::string webhook_signature(std::string_view secret, std::string_view body) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), digest.data(), &size);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "sha256=";
  for (unsigned i = 0; i < size; ++i) {
    out += kDigits[digest[i] >> 4];
    out += kDigits[digest[i] & 15];
  }
  return out;
}

std::unique_ptr<Sink> make_webhook_sink(Settings& settings, boost::asio::io_context& io,
                                        const Program& program) {
  WebhookOptions options;
  const std::string text = settings.text("url", "");
  const auto url = parse_webhook_url(text);
  if (!url) settings.error("url", "must be https://host[:port]/path or http://host[:port]/path");
  if (url) options.url = *url;
  read_body(settings, options);
  read_headers(settings, options.headers);
  options.headers.emplace_back("User-Agent", program.name + '/' + program.version);
  std::string title = program.name;
  if (!title.empty() && title[0] >= 'a' && title[0] <= 'z')
    title[0] = static_cast<char>(title[0] - 'a' + 'A');
  options.signature_header = "X-" + title + "-Signature";
  options.secret = text_or_file(settings, "secret");
  while (options.secret.ends_with('\n')) options.secret.pop_back();
  options.timeout = settings.duration("timeout", seconds(10), 1, 600);
  options.longest_pause = settings.duration("longest-pause", seconds(30), 1, 3600);
  options.tls = TlsOptions::from_settings(settings);
  options.filter = EventFilter::from_settings(settings);
  // The path of such a URL is often a secret, and names are shown.
  options.name = settings.text("name", "webhook:" + options.url.authority);
  if (!url) return nullptr;
  try {
    return std::make_unique<WebhookSink>(io, std::move(options));
  } catch (const boost::system::system_error& e) {
    settings.error("ca-file", "cannot load certificates or key: " + std::string(e.what()));
    return nullptr;
  }
}

}  // namespace lapwing::sinks
