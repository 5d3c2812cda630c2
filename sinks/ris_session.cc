// RIS Live over a WebSocket: messages of the feed to the client, its subscriptions from it.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include "sinks/host_port.h"
#include "sinks/http_session.h"
#include "sinks/ris_reader.h"
#include "sinks/ris_subscriptions.h"

namespace lapwing::sinks {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kLargestMessage = 65536;      // of the client
constexpr std::chrono::seconds kLongestSilence{5};  // bgpipe gives up after ten
constexpr std::chrono::seconds kCloseTimeout{2};
constexpr std::uint16_t kUnsupported = 1003;    // RFC 6455 7.4.1
constexpr std::uint16_t kTryAgainLater = 1013;  // https://www.iana.org/assignments/websocket
constexpr std::string_view kPong = "{\"type\":\"pong\",\"data\":null}";

// What the client says is read when all that is for it was sent, and one message at a time: a
// client that does not read is not read either. One write at a time; each has a time limit.
class RisSession final : public HttpFollower, public std::enable_shared_from_this<RisSession> {
 public:
  RisSession(HttpShared& shared, ByteStream connection)
      : HttpFollower(shared),
        socket_(std::move(connection), kLargestMessage),
        timer_(shared.io),
        subscriptions_(local_hostname()) {
    reader_.emplace(*shared.context.updates, waker());
    cursor_ = reader_->begin();
  }

  void run(const WebSocket::Request& handshake) {
    limit_time(shared_.options.write_timeout);
    socket_.accept(handshake, [self = shared_from_this()](const error_code& error) {
      self->timer_.cancel();
      if (error) return self->end();
      self->go_on();
    });
  }

  void let_go() override { reader_.reset(); }

  void wake() override {
    news_ = true;
    if (idle_) go_on();
  }

 private:
  struct Batch {
    std::vector<std::string> messages;
    std::string lost;
    std::uint64_t last = 0;
    bool full = false;
    bool failed = false;
  };

  struct Close {
    std::uint16_t code;
    std::string reason;
  };

  void go_on() {
    idle_ = false;
    timer_.cancel();
    if (ended_) return;
    if (!output_.empty()) return write();
    if (close_) return close();
    if (!hearing_) hear();
    if (news_) return next();
    rest();
  }

  void write() {
    limit_time(shared_.options.write_timeout);
    socket_.write(output_.front(), [self = shared_from_this()](const error_code& error) {
      if (error) return self->end();
      self->output_.pop_front();
      self->go_on();
    });
  }

  void hear() {
    hearing_ = true;
    socket_.read(
        [self = shared_from_this()](const error_code& error, std::optional<std::string> text) {
          if (error) return self->end();
          if (text) return self->understand(std::move(*text));
          self->close_ = {kUnsupported, "text messages only"};
          if (self->idle_) self->go_on();
        });
  }

  void understand(std::string text) {
    on_worker(
        shared_, shared_from_this(),
        [this, text = std::move(text)] { return subscriptions_.take(text); },
        [this](std::string&& said) { answer(std::move(said)); });
  }

  void answer(std::string text) {
    hearing_ = false;
    if (!text.empty()) output_.push_back(std::move(text));
    if (idle_) return go_on();
    // Else a write or a batch is under way, and goes on afterwards.
  }

  // On the worker.
  Batch read_batch(std::uint64_t cursor) const {
    Batch batch;
    batch.last = cursor;
    try {
      if (subscriptions_.empty()) {
        reader_->skip(batch.last);
        return batch;
      }
      const auto next = reader_->read(
          batch.last,
          [&](RisChanges changes) {
            if (subscriptions_.want(changes))
              append_ris_message(batch.messages.emplace_back(), changes, subscriptions_.host());
          },
          batch.lost);
      batch.full = next == StreamSource::Next::kMore;
    } catch (const std::exception&) {
      batch.failed = true;
    }
    return batch;
  }

  void next() {
    news_ = false;
    on_worker(
        shared_, shared_from_this(), [this, cursor = cursor_] { return read_batch(cursor); },
        [this](Batch&& batch) { take(std::move(batch)); });
  }

  void take(Batch batch) {
    if (batch.failed) return end();
    cursor_ = batch.last;
    news_ = news_ || batch.full;
    for (std::string& message : batch.messages) output_.push_back(std::move(message));
    if (!batch.lost.empty()) {
      output_.push_back(ris_error(batch.lost));
      close_ = {kTryAgainLater, batch.lost};
    }
    go_on();
  }

  void rest() {
    idle_ = true;
    const auto silence =
        std::min<std::chrono::milliseconds>(shared_.options.heartbeat, kLongestSilence);
    timer_.expires_after(silence);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (stopped || !self->idle_) return;
      self->output_.emplace_back(kPong);
      self->go_on();
    });
  }

  void close() {
    limit_time(kCloseTimeout);
    socket_.close(close_->code, close_->reason,
                  [self = shared_from_this()](const error_code&) { self->end(); });
  }

  void limit_time(std::chrono::milliseconds limit) {
    timer_.expires_after(limit);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (!stopped) self->end();
    });
  }

  void end() {
    ended_ = true;
    idle_ = false;
    timer_.cancel();
    socket_.abort();
  }

  WebSocket socket_;
  asio::steady_timer timer_;  // of a write, or of the silence
  std::optional<RisReader> reader_;
  RisSubscriptions subscriptions_;
  std::uint64_t cursor_ = 0;
  std::deque<std::string> output_;  // the first one is being written
  std::optional<Close> close_;      // none: it goes on
  bool news_ = false;
  bool hearing_ = false;  // reads a message, or does what it says
  bool idle_ = false;     // waits for news or the end of the silence
  bool ended_ = false;
};

}  // namespace

void serve_ris(HttpShared& shared, ByteStream connection, const WebSocket::Request& handshake) {
  connection.expires_never();  // the session has a timer
  std::make_shared<RisSession>(shared, std::move(connection))->run(handshake);
}

}  // namespace lapwing::sinks
