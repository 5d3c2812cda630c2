#include "sinks/syslog_sink.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <utility>

#include "sinks/backoff.h"
#include "sinks/syslog_link.h"
#include "sinks/syslog_queue.h"

namespace lapwing::sinks {

namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = SyslogQueue::Clock;
constexpr milliseconds kFirstPause{200};
constexpr std::uint64_t kLastSequence = 2147483647;  // RFC 5424 7.3.1: then 1 again
}  // namespace

class SyslogSink::Impl final : public SyslogLink::Owner, public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& io, SyslogSinkOptions options)
      : io_(io),
        options_(std::move(options)),
        timer_(io),
        queue_(options_.keep_octets),
        backoff_(kFirstPause, options_.longest_pause) {
    if (options_.target.kind == SyslogTarget::Kind::kTls)
      tls_context_ = make_tls_context(options_.tls);
    datagrams_ = options_.target.kind == SyslogTarget::Kind::kUdp ||
                 options_.target.kind == SyslogTarget::Kind::kUnix;
  }
  ~Impl() { close(); }

  void deliver(std::span<const JournalEntry> entries, std::function<void(std::uint64_t)> confirm) {
    if (entries.empty() || closed_) return;
    entries_ = entries;
    confirm_ = std::move(confirm);
    bool any = false;
    Event scratch;
    for (const JournalEntry& entry : entries) {
      const Event* event = options_.filter.shown(entry.event, scratch);
      if (event == nullptr) continue;
      sequence_ = sequence_ % kLastSequence + 1;
      queue_.push(entry.number, format_syslog(*event, options_.message, sequence_), sequence_);
      any = true;
    }
    if (!any) return confirm_all();
    if (link_ && name_is_old()) drop_link();
    if (link_)
      link_->wake();
    else if (!waiting_)
      connect();
  }

  void close() {
    closed_ = true;
    confirm_ = nullptr;
    timer_.cancel();
    drop_link();
    state_ = "closed";
  }

  const SyslogSinkOptions& options() const { return options_; }

  SinkStatus status() const {
    SinkStatus status;
    status.name = options_.name;
    status.state = state_;
    status.retries = retries_;
    status.repeated = repeated_;
    status.last_error = last_error_;
    return status;
  }

  const std::string* next_message() override {
    SyslogQueue::Frame* frame = queue_.take();
    if (frame == nullptr) return nullptr;
    if (frame->again && !frame->marked && !datagrams_) {
      mark_repeated(frame->text, options_.message);
      frame->marked = true;
      ++repeated_;
    }
    return &frame->text;
  }

  void link_up() override {
    state_ = "up";
  }

  void arrived(std::size_t messages) override {
    // Repeats are no progress: a receiver that resets every connection is asked less and less often.
    if (queue_.oldest_is_fresh()) backoff_.reset();
    const std::uint64_t number = queue_.acknowledge(messages, Clock::now());
    if (!confirm_) return;
    if (queue_.all_acknowledged()) return confirm_all();
    const auto confirm = confirm_;
    confirm(number);
  }

  bool shorten() override {
    SyslogQueue::Frame* frame = queue_.oldest_sent();
    if (frame == nullptr) return false;
    SyslogOptions shorter = options_.message;
    shorter.max_size = std::max(frame->text.size() / 2, SyslogOptions::kMinSize);
    const auto entry = std::find_if(entries_.begin(), entries_.end(), [frame](const auto& e) {
      return e.number == frame->number;
    });
    Event scratch;
    const Event* event =
        entry == entries_.end() ? nullptr : options_.filter.shown(entry->event, scratch);
    std::string text = event == nullptr ? "" : format_syslog(*event, shorter, frame->sequence);
    if (text.empty() || text.size() >= frame->text.size()) {
      last_error_ = "a message is too long for the way and was given up";
      return false;
    }
    frame->text = std::move(text);
    return true;
  }

  void link_down(SyslogLink::Ending ending, std::string reason) override {
    const std::size_t window = link_ ? link_->largest_window() : 0;
    link_.reset();
    queue_.rewind(Clock::now(), ending == SyslogLink::Ending::kReset
                                    ? SyslogQueue::after_reset(window)
                                    : SyslogQueue::after_close());
    if (ending == SyslogLink::Ending::kWrongKind &&
        options_.target.kind == SyslogTarget::Kind::kUnix)
      datagrams_ = !datagrams_;
    last_error_ = std::move(reason);
    state_ = "failed: " + last_error_;
    ++retries_;
    wait();
  }

 private:
  void confirm_all() {
    const std::uint64_t last = entries_.back().number;
    entries_ = {};
    const auto confirm = std::exchange(confirm_, nullptr);
    confirm(last);
  }

  bool name_is_old() const {
    return options_.target.kind == SyslogTarget::Kind::kUdp && !options_.target.is_address() &&
           Clock::now() - connected_at_ > options_.name_lifetime;
  }

  void drop_link() {
    if (const auto link = std::exchange(link_, nullptr)) link->close();
  }

  void connect() {
    state_ = "connecting";
    connected_at_ = Clock::now();
    SyslogTarget target = options_.target;
    if (options_.find_host) target.host = options_.find_host(target.host);
    link_ = datagrams_ ? make_datagram_link(io_, target, *this)
                       : make_stream_link(io_, target, options_.framing, tls_context_.get(),
                                          options_.tls, *this);
    link_->open();
  }

  void wait() {
    waiting_ = true;
    timer_.expires_after(backoff_.next());
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->closed_) return;
      self->waiting_ = false;
      self->connect();
    });
  }

  boost::asio::io_context& io_;
  const SyslogSinkOptions options_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<boost::asio::ssl::context> tls_context_;
  SyslogQueue queue_;
  std::shared_ptr<SyslogLink> link_;
  std::span<const JournalEntry> entries_;       // of the batch under way
  std::function<void(std::uint64_t)> confirm_;  // set while a batch is under way
  Backoff backoff_;
  Clock::time_point connected_at_{};
  std::uint64_t retries_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t sequence_ = 0;  // RFC 5424 7.3.1
  std::string state_ = "idle";
  std::string last_error_;
  bool datagrams_ = false;
  bool waiting_ = false;
  bool closed_ = false;
};

SyslogSink::SyslogSink(boost::asio::io_context& io, SyslogSinkOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {}
SyslogSink::~SyslogSink() { close(); }

std::string_view SyslogSink::name() const { return impl_->options().name; }
void SyslogSink::deliver(std::span<const JournalEntry> entries,
                         std::function<void(std::uint64_t)> confirm) {
  impl_->deliver(entries, std::move(confirm));
}
void SyslogSink::close() { impl_->close(); }
SinkStatus SyslogSink::status() const { return impl_->status(); }

std::unique_ptr<Sink> make_syslog_sink(Settings& settings, boost::asio::io_context& io,
                                       const Program& program) {
  SyslogSinkOptions options;
  const std::string text = settings.text("target", "udp://127.0.0.1:514");
  const auto target = parse_syslog_target(text);
  if (!target)
    settings.error("target", "'" + text + "' is none of udp://host:port, tcp://host:port, "
                             "tls://host:port and unix:///path");
  else
    options.target = *target;
  const bool udp = options.target.kind == SyslogTarget::Kind::kUdp;
  const bool local = options.target.kind == SyslogTarget::Kind::kUnix;
  options.message = SyslogOptions::from_settings(settings, program, udp ? 2048 : 8192);
  const std::string framing = settings.text("framing", local ? "lf" : "octet-counting");
  options.framing = framing == "lf" ? Framing::kLineFeed : Framing::kOctetCounting;
  if (framing != "lf" && framing != "octet-counting")
    settings.error("framing", "must be octet-counting or lf");
  options.tls = TlsOptions::from_settings(settings);
  if (!udp && !local)
    options.keep_octets =
        static_cast<std::size_t>(settings.octets("keep-octets", 8 << 20, 0, 1 << 30));
  if (udp) options.name_lifetime = settings.duration("name-lifetime", seconds(300), 1, 86400);
  options.longest_pause = settings.duration("longest-pause", seconds(30), 1, 3600);
  options.filter = EventFilter::from_settings(settings);
  options.name = settings.text("name", "syslog:" + text);
  if (!target) return nullptr;
  try {
    return std::make_unique<SyslogSink>(io, std::move(options));
  } catch (const boost::system::system_error& e) {
    settings.error("ca-file", "cannot load certificates or key: " + std::string(e.what()));
    return nullptr;
  }
}

}  // namespace lapwing::sinks
