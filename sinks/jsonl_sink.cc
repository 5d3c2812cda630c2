#include "sinks/jsonl_sink.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <utility>

#include "sinks/backoff.h"
#include "sinks/event_json.h"

namespace lapwing::sinks {

namespace {
using std::chrono::milliseconds;
}  // namespace

class JsonlSink::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, JsonlOptions options, EventFilter filter)
      : io_(io), timer_(io), filter_(std::move(filter)), file_(std::move(options), stopping_) {}

  ~Impl() { end(); }

  void deliver(std::span<const JournalEntry> entries, std::function<void(std::uint64_t)> confirm) {
    if (entries.empty()) return;
    auto lines = std::make_shared<std::string>();
    Event scratch;
    for (const JournalEntry& entry : entries) {
      const Event* event = filter_.shown(entry.event, scratch);
      if (event == nullptr) continue;
      append_event_json(*lines, *event);
      *lines += '\n';
    }
    confirm_ = std::move(confirm);
    last_ = entries.back().number;
    if (lines->empty())
      confirm_(last_);
    else
      write(std::move(lines));
  }

  void end() {
    confirm_ = nullptr;
    timer_.cancel();
    stopping_ = true;
    pool_.join();
  }

  void reopen() {
    boost::asio::post(pool_, [self = this] { self->file_.close(); });
  }

  SinkStatus status(std::string_view name) const {
    SinkStatus status;
    status.name = name;
    status.state = error_.empty() ? "up" : "failed: " + error_;
    status.retries = retries_;
    status.last_error = last_error_;
    return status;
  }

 private:
  // `end` joins the pool, so its jobs may use `this`; what they post back may come later.
  void write(std::shared_ptr<std::string> lines) {
    boost::asio::post(pool_, [this, lines = std::move(lines),
                              weak = weak_from_this()]() mutable {
      std::string error = file_.write(*lines);
      boost::asio::post(io_, [weak, lines = std::move(lines), error = std::move(error)]() mutable {
        if (const auto self = weak.lock()) self->written(std::move(lines), std::move(error));
      });
    });
  }

  void written(std::shared_ptr<std::string> lines, std::string error) {
    if (!confirm_) return;
    error_ = std::move(error);
    if (error_.empty()) {
      backoff_.reset();
      const auto confirm = std::exchange(confirm_, nullptr);
      confirm(last_);
      return;
    }
    last_error_ = error_;
    ++retries_;
    timer_.expires_after(backoff_.next());
    timer_.async_wait([weak = weak_from_this(),
                       lines = std::move(lines)](const boost::system::error_code& stopped) mutable {
      const auto self = weak.lock();
      if (!stopped && self && self->confirm_) self->write(std::move(lines));
    });
  }

  boost::asio::io_context& io_;
  boost::asio::steady_timer timer_;
  const EventFilter filter_;
  std::function<void(std::uint64_t)> confirm_;  // set while a batch is under way
  std::uint64_t last_ = 0;
  Backoff backoff_{milliseconds(200), milliseconds(10000)};
  std::uint64_t retries_ = 0;
  std::string error_;
  std::string last_error_;
  std::atomic<bool> stopping_{false};
  JsonlFile file_;  // used on pool_ only
  boost::asio::thread_pool pool_{1};
};

JsonlSink::JsonlSink(boost::asio::io_context& io, std::string name, JsonlOptions options,
                     EventFilter filter)
    : name_(std::move(name)),
      impl_(std::make_shared<Impl>(io, std::move(options), std::move(filter))) {}

JsonlSink::~JsonlSink() { close(); }

void JsonlSink::deliver(std::span<const JournalEntry> entries,
                        std::function<void(std::uint64_t)> confirm) {
  impl_->deliver(entries, std::move(confirm));
}

void JsonlSink::close() { impl_->end(); }
SinkStatus JsonlSink::status() const { return impl_->status(name_); }
void JsonlSink::reopen() { impl_->reopen(); }

std::unique_ptr<Sink> make_jsonl_sink(Settings& settings, boost::asio::io_context& io,
                                      const Program&) {
  JsonlOptions options;
  options.path = settings.text("path", "");
  if (options.path.empty())
    settings.error("path", "must be a file's path, or \"-\" for standard output");
  options.sync = settings.boolean("sync", false);
  constexpr std::int64_t kMost = std::int64_t{1} << 50;
  options.rotate_size = static_cast<std::uint64_t>(settings.octets("rotate-size", 0, 0, kMost));
  options.rotate_age = settings.duration("rotate-age", std::chrono::seconds(0), 0, 1000000000);
  options.rotate_keep = static_cast<unsigned>(settings.integer("rotate-keep", 10, 1, 10000));
  EventFilter filter = EventFilter::from_settings(settings);
  std::string name = settings.text("name", "jsonl:" + options.path);
  if (options.path.empty()) return nullptr;
  return std::make_unique<JsonlSink>(io, std::move(name), std::move(options), std::move(filter));
}

std::unique_ptr<Sink> make_stdout_sink(Settings& settings, boost::asio::io_context& io,
                                       const Program&) {
  JsonlOptions options;
  options.path = "-";
  EventFilter filter = EventFilter::from_settings(settings);
  std::string name = settings.text("name", "stdout");
  return std::make_unique<JsonlSink>(io, std::move(name), std::move(options), std::move(filter));
}

}  // namespace lapwing::sinks
