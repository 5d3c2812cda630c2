#include "sinks/runner.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sinks/backoff.h"

namespace lapwing::sinks {

namespace {
using std::chrono::milliseconds;
constexpr milliseconds kCursorPause{100};
}  // namespace

class SinkRunner::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, Journal& journal, std::unique_ptr<Sink> sink)
      : io_(io), journal_(journal), sink_(std::move(sink)), retry_timer_(io), cursor_timer_(io) {}

  void start() {
    running_ = true;
    subscription_ = journal_.subscribe([weak = weak_from_this(), &io = io_] {
      boost::asio::post(io, [weak] {
        if (const auto self = weak.lock()) self->pump();
      });
    });
    pump();
  }

  void stop() {
    if (!running_) return;
    running_ = false;
    journal_.unsubscribe(subscription_);
    retry_timer_.cancel();
    cursor_timer_.cancel();
    guarded([this] { sink_->close(); });
    guarded([this] { write_cursor(); });
    batch_.clear();
  }

  SinkStatus status() const {
    SinkStatus status = sink_->status();
    status.cursor = cursor_;
    status.delivered = delivered_;
    status.retries += retries_;
    status.lost += lost_;
    const std::uint64_t last = have_cursor_ ? journal_.last() : cursor_;
    status.lag_events = last > cursor_ ? last - cursor_ : 0;
    if (status.lag_events != 0) status.lag_seconds = lag_seconds();
    if (!last_error_.empty()) status.last_error = last_error_;
    return status;
  }

  Sink& sink() { return *sink_; }

 private:
  template <typename Fn>
  bool guarded(Fn&& fn) {
    try {
      fn();
      return true;
    } catch (const std::exception& e) {
      last_error_ = e.what();
    } catch (...) {
      last_error_ = "an exception of unknown type";
    }
    return false;
  }

  void pump() {
    if (!running_ || !batch_.empty() || pausing_) return;
    if (!guarded([this] { next_batch(); })) pause();
  }

  void next_batch() {
    if (!have_cursor_) read_cursor();
    batch_ = journal_.read_after(cursor_, kBatch);
    if (batch_.empty()) return;
    if (batch_.front().number > cursor_ + 1) {
      const std::uint64_t gap = batch_.front().number - cursor_ - 1;
      last_error_ =
          std::to_string(gap) + " events left the journal before they were delivered";
      // Read again after a failed delivery, the gap is the same one.
      if (batch_.front().number > counted_) lost_ += gap;
      counted_ = batch_.front().number;
    }
    offer();
  }

  double lag_seconds() const {
    const auto behind = std::find_if(batch_.begin(), batch_.end(), [this](const JournalEntry& e) {
      return e.number > cursor_;
    });
    if (behind == batch_.end()) return 0;
    const std::chrono::duration<double> age = std::chrono::system_clock::now() - behind->event.time;
    return std::max(age.count(), 0.0);
  }

  void read_cursor() {
    cursor_ = journal_.cursor(sink_->name());
    written_ = cursor_;
    // A journal that was restored from an older copy: what it will number next is new to the sink.
    if (const std::uint64_t last = journal_.last(); cursor_ > last) {
      last_error_ = "the cursor stood behind the journal's end";
      cursor_ = last;
    }
    have_cursor_ = true;
  }

  void offer() {
    const std::uint64_t turn = ++turn_;
    const auto behind = std::find_if(batch_.begin(), batch_.end(), [this](const JournalEntry& e) {
      return e.number > cursor_;
    });
    const std::span<const JournalEntry> rest(behind, batch_.end());
    sink_->deliver(rest, [weak = weak_from_this(), turn](std::uint64_t number) {
      const auto self = weak.lock();
      if (self && self->turn_ == turn) self->confirmed(number);
    });
  }

  void confirmed(std::uint64_t number) {
    if (!running_ || batch_.empty() || number <= cursor_) return;
    number = std::min(number, batch_.back().number);
    for (const JournalEntry& entry : batch_)
      if (entry.number > cursor_ && entry.number <= number) ++delivered_;
    cursor_ = number;
    backoff_.reset();
    plan_cursor();
    if (cursor_ != batch_.back().number) return;
    // Not here: the sink may still be reading the entries while it confirms the last of them.
    ++turn_;
    boost::asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || !self->running_ || self->pausing_) return;
      self->batch_.clear();
      self->pump();
    });
  }

  void pause() {
    ++retries_;
    ++turn_;
    pausing_ = true;
    retry_timer_.expires_after(backoff_.next());
    retry_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || !self->running_) return;
      self->pausing_ = false;
      self->batch_.clear();
      self->pump();
    });
  }

  void plan_cursor() {
    if (cursor_planned_) return;
    cursor_planned_ = true;
    cursor_timer_.expires_after(kCursorPause);
    cursor_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self) return;
      self->cursor_planned_ = false;
      if (!self->guarded([&self] { self->write_cursor(); })) self->plan_cursor();
    });
  }

  void write_cursor() {
    if (!have_cursor_ || written_ == cursor_) return;
    journal_.set_cursor(sink_->name(), cursor_);
    written_ = cursor_;
  }

  boost::asio::io_context& io_;
  Journal& journal_;
  std::unique_ptr<Sink> sink_;
  boost::asio::steady_timer retry_timer_;
  boost::asio::steady_timer cursor_timer_;
  std::vector<JournalEntry> batch_;  // under way; empty: none
  std::uint64_t cursor_ = 0;
  std::uint64_t written_ = 0;  // the cursor as the journal has it
  std::uint64_t turn_ = 0;     // tells a confirmation of an earlier offer
  std::uint64_t delivered_ = 0;
  std::uint64_t retries_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t counted_ = 0;  // the first entry behind the last gap that was counted
  std::string last_error_;
  Backoff backoff_{milliseconds(100), milliseconds(10000)};
  int subscription_ = 0;
  bool running_ = false;
  bool have_cursor_ = false;
  bool pausing_ = false;
  bool cursor_planned_ = false;
};

SinkRunner::SinkRunner(boost::asio::io_context& io, Journal& journal, std::unique_ptr<Sink> sink)
    : impl_(std::make_shared<Impl>(io, journal, std::move(sink))) {}

SinkRunner::~SinkRunner() { stop(); }

void SinkRunner::start() { impl_->start(); }
void SinkRunner::stop() { impl_->stop(); }
SinkStatus SinkRunner::status() const { return impl_->status(); }
Sink& SinkRunner::sink() { return impl_->sink(); }

}  // namespace lapwing::sinks
