// Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <exception>
#include <optional>
#include <utility>

#include "sinks/event_json.h"
#include "sinks/http_events.h"
#include "sinks/http_session.h"
#include "sinks/http_updates.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kBatch = 64;
constexpr std::string_view kHeader =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n";

void append_event(std::string& out, const JournalEntry& entry) {
  out += "id: ";
  append_number(out, entry.number);
  out += "\nevent: ";
  append_printable(out, entry.event.type);
  out += "\ndata: ";
  append_event_json(out, entry.event, entry.number);
  out += "\n\n";
}

}  // namespace

class HttpStream : public std::enable_shared_from_this<HttpStream> {
 public:
  HttpStream(HttpShared& shared, ByteStream connection, const HttpRequest& request,
             HttpRoute::Where what)
      : shared_(shared),
        connection_(std::move(connection)),
        timer_(shared.io),
        request_(request) {
    connection_.expires_never();  // each write has a time of its own
    selector_.read(request);
    ++shared_.connections;
    shared_.streams.insert(this);
    if (what == HttpRoute::Where::kUpdates)
      updates_.emplace(*shared.context.updates, request,
                       [&shared] { asio::post(shared.io, [&shared] { wake_streams(shared); }); });
  }
  ~HttpStream() {
    shared_.streams.erase(this);
    --shared_.connections;
  }

  void run() {
    watch_for_end();
    output_ = kHeader;
    write();
  }

  void let_go() { updates_.reset(); }

  void wake() {
    news_ = true;
    if (idle_) next();
  }

 private:
  struct Batch {
    std::string text;
    std::uint64_t last = 0;
    bool full = false;
    bool failed = false;
  };

  // Reconnecting clients say what they have seen; that is newer than what their address says.
  std::uint64_t begin() const {
    if (updates_) return updates_->begin();
    std::uint64_t number = 0;
    const std::string& seen = request_.last_event_id;
    const auto [end, error] = std::from_chars(seen.data(), seen.data() + seen.size(), number);
    if (!seen.empty() && error == std::errc{} && end == seen.data() + seen.size()) return number;
    const auto text = request_.parameter("since");
    const auto since = text ? parse_since(*text) : std::nullopt;
    return since ? number_before(shared_.context.journal, *since) : shared_.context.journal.last();
  }

  // On the worker.
  Batch read_batch(std::optional<std::uint64_t> cursor) const {
    Batch batch;
    try {
      batch.last = cursor ? *cursor : begin();
      if (updates_) {
        batch.full = updates_->read(batch.last, batch.text);
        return batch;
      }
      const auto entries = shared_.context.journal.read_after(batch.last, kBatch);
      batch.full = entries.size() == kBatch;
      for (const JournalEntry& entry : entries) {
        batch.last = entry.number;
        if (selector_.matches(entry.event)) append_event(batch.text, entry);
      }
    } catch (const std::exception&) {
      batch.failed = true;
    }
    return batch;
  }

  void next() {
    idle_ = false;
    news_ = false;
    timer_.cancel();
    asio::post(shared_.worker, [self = shared_from_this(), cursor = cursor_]() mutable {
      Batch batch = self->read_batch(cursor);
      asio::io_context& io = self->shared_.io;
      asio::post(io, [self = std::move(self), batch = std::move(batch)]() mutable {
        self->take(std::move(batch));
      });
    });
  }

  void take(Batch batch) {
    if (batch.failed || !connection_.is_open()) return close();
    cursor_ = batch.last;
    news_ = news_ || batch.full;
    output_ = std::move(batch.text);
    if (!output_.empty()) return write();
    if (news_) return next();
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
      if (self->news_ || !self->cursor_) return self->next();
      self->rest();
    });
  }

  void rest() {
    idle_ = true;
    timer_.expires_after(shared_.options.heartbeat);
    timer_.async_wait([self = shared_from_this()](const error_code& stopped) {
      if (stopped || !self->idle_) return;
      self->idle_ = false;
      self->output_ = ":\n\n";
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

  HttpShared& shared_;
  ByteStream connection_;
  asio::steady_timer timer_;
  const HttpRequest request_;
  EventSelector selector_;
  std::optional<UpdateReader> updates_;  // none: events
  std::optional<std::uint64_t> cursor_;  // none: not yet looked up
  std::string output_;                   // being written
  std::array<char, 512> ignored_input_{};
  bool news_ = true;
  bool idle_ = false;  // waits for news or the heartbeat
};

void serve_stream(HttpShared& shared, ByteStream connection, const HttpRequest& request,
                  HttpRoute::Where what) {
  std::make_shared<HttpStream>(shared, std::move(connection), request, what)->run();
}

void end_streams(HttpShared& shared) {
  for (HttpStream* stream : shared.streams) stream->let_go();
}

void wake_streams(HttpShared& shared) {
  const std::set<HttpStream*> streams = shared.streams;
  for (HttpStream* stream : streams) stream->wake();
}

}  // namespace lapwing::sinks
