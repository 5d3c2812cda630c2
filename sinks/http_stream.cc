// Streams over HTTP: a head, and then what a StreamSource gives, until somebody ends it.
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "sinks/http_events.h"
#include "sinks/http_session.h"
#include "sinks/http_updates.h"
#include "sinks/ris_reader.h"

namespace lapwing::sinks {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// A peer that has gone without a word is found by TCP, after a minute, where nothing is written.
void keep_alive(int socket) {
  const auto set = [socket](int level, int name, int value) {
    (void)::setsockopt(socket, level, name, &value, sizeof value);  // a Unix socket needs none
  };
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

class HttpStream final : public HttpFollower, public std::enable_shared_from_this<HttpStream> {
 public:
  HttpStream(HttpShared& shared, ByteStream connection, const HttpRequest& request,
             HttpRoute::Where what)
      : HttpFollower(shared), connection_(std::move(connection)), timer_(shared.io) {
    connection_.expires_never();  // each write has a time of its own
    const HttpContext& context = shared.context;
    if (what == HttpRoute::Where::kEvents)
      source_ = std::make_unique<EventReader>(context.journal, request);
    else if (what == HttpRoute::Where::kUpdates)
      source_ = std::make_unique<UpdateReader>(*context.updates, request, waker());
    else
      source_ = std::make_unique<RisLines>(*context.updates, request, waker());
    if (source_->heartbeat().empty()) keep_alive(connection_.socket().native_handle());
  }

  void run() {
    watch_for_end();
    output_ = "HTTP/1.1 200 OK\r\nContent-Type: ";
    output_ += source_->content_type();
    output_ +=
        "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: "
        "close\r\n\r\n";
    write();
  }

  void let_go() override { source_.reset(); }

  void wake() override {
    news_ = true;
    if (idle_) next();
  }

 private:
  struct Batch {
    std::string text;
    std::uint64_t last = 0;
    StreamSource::Next next = StreamSource::Next::kWait;
    bool failed = false;
  };

  // On the worker.
  Batch read_batch(std::optional<std::uint64_t> cursor) const {
    Batch batch;
    try {
      batch.last = cursor ? *cursor : source_->begin();
      batch.next = source_->read(batch.last, batch.text);
    } catch (const std::exception&) {
      batch.failed = true;
    }
    return batch;
  }

  void next() {
    idle_ = false;
    news_ = false;
    timer_.cancel();
    on_worker(
        shared_, shared_from_this(), [this, cursor = cursor_] { return read_batch(cursor); },
        [this](Batch&& batch) { take(std::move(batch)); });
  }

  void take(Batch batch) {
    if (batch.failed || !connection_.is_open()) return close();
    cursor_ = batch.last;
    news_ = news_ || batch.next == StreamSource::Next::kMore;
    last_ = batch.next == StreamSource::Next::kEnd;
    output_ = std::move(batch.text);
    if (!output_.empty()) return write();
    go_on();
  }

  void go_on() {
    if (last_) return close();
    if (news_ || !cursor_) return next();
    rest();
  }

  void write() {
    timer_.expires_after(shared_.options.write_timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (!stopped) self->close();
    });
    connection_.write(asio::buffer(output_), [self = shared_from_this()](const error_code& error) {
      self->timer_.cancel();
      if (error) return self->close();
      self->go_on();
    });
  }

  void rest() {
    idle_ = true;
    if (source_->heartbeat().empty()) return;
    timer_.expires_after(shared_.options.heartbeat);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (stopped || !self->idle_) return;
      self->idle_ = false;
      self->output_ = self->source_->heartbeat();
      self->write();
    });
  }

  void watch_for_end() {
    connection_.read_some(asio::buffer(ignored_input_),
                          [self = shared_from_this()](const error_code& error, std::size_t) {
                            if (error) return self->close();
                            self->watch_for_end();
                          });
  }

  void close() {
    idle_ = false;
    timer_.cancel();
    connection_.close();
  }

  ByteStream connection_;
  asio::steady_timer timer_;
  std::unique_ptr<StreamSource> source_;
  std::optional<std::uint64_t> cursor_;  // none: not yet looked up
  std::string output_;                   // being written
  std::array<char, 512> ignored_input_{};
  bool news_ = true;
  bool last_ = false;  // the source has ended
  bool idle_ = false;  // waits for news or the heartbeat
};

void serve_stream(HttpShared& shared, ByteStream connection, const HttpRequest& request,
                  HttpRoute::Where what) {
  std::make_shared<HttpStream>(shared, std::move(connection), request, what)->run();
}

HttpFollower::HttpFollower(HttpShared& shared) : shared_(shared) {
  ++shared_.connections;
  shared_.followers.insert(this);
}
HttpFollower::~HttpFollower() {
  shared_.followers.erase(this);
  --shared_.connections;
}

std::function<void()> HttpFollower::waker() const {
  return [&shared = shared_] { asio::post(shared.io, [&shared] { wake_followers(shared); }); };
}

void end_followers(HttpShared& shared) {
  for (HttpFollower* follower : shared.followers) follower->let_go();
}

void wake_followers(HttpShared& shared) {
  const std::set<HttpFollower*> followers = shared.followers;
  for (HttpFollower* follower : followers) follower->wake();
}

}  // namespace lapwing::sinks
