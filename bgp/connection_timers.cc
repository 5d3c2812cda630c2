// Connection: hold, keepalive and send hold timers (RFC 4271 8, RFC 9687), and what is sent.
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <string>
#include <utility>

#include "bgp/connection.h"

namespace lapwing::bgp {

namespace {

constexpr std::size_t kMaxUnsent = 64 * 1024;
constexpr unsigned kMaxUnreadRearms = 3;

}  // namespace

void Connection::start_hold() {
  unread_rearms_ = 0;
  pause_rearms_ = 0;
  if (hold_time_ == SteadyClock::duration::zero()) {
    hold_.cancel();
    return;
  }
  // The alarm itself is set anew only when it fires: a full table restarts it a million times.
  const auto deadline = SteadyClock::now() + hold_time_;
  if (!hold_.running() || deadline < hold_deadline_)
    hold_.start(hold_time_, shared_from_this(), &Connection::on_hold_expires);
  hold_deadline_ = deadline;
}

void Connection::on_hold_expires() {
  const auto now = SteadyClock::now();
  const auto self = shared_from_this();
  if (owner_ == nullptr) return;
  if (now < hold_deadline_) {
    hold_.start(hold_deadline_ - now, self, &Connection::on_hold_expires);
    return;
  }
  const bool paused = owner_->reading_paused();
  // What waits in the socket may be the keepalive that is missed; but octets that never make a
  // message do not keep a session alive.
  const bool waiting = unread() && unread_rearms_ < kMaxUnreadRearms;
  if (paused || waiting) {
    if (paused) {
      ++pause_rearms_;
      context_.log(LogLevel::kWarning, owner_->config().name,
                   "hold timer expired while reading is paused for want of room; set anew, " +
                       std::to_string(pause_rearms_) + " times in this pause");
    } else {
      ++unread_rearms_;
    }
    const auto again = std::min<SteadyClock::duration>(context_.options.pause_rearm, hold_time_);
    hold_.start(again, self, &Connection::on_hold_expires);
    return;
  }
  fire(Event::kHoldTimerExpires);
}

void Connection::start_keepalive() {
  if (parameters_.hold_time == 0) return;
  const auto interval =
      context_.jitter(std::chrono::milliseconds(parameters_.keepalive_interval * 1000));
  keepalive_due_ = SteadyClock::now() + interval;
  keepalive_.start(interval, shared_from_this(), &Connection::on_keepalive_due);
}

void Connection::on_keepalive_due() {
  if (owner_ != nullptr) fire(Event::kKeepaliveTimerExpires);
}

void Connection::send_keepalive() {
  // One that waits to be sent says it already.
  if (sent_ != out_.size()) return;
  watch_sending();
  encode_keepalive(out_);
  count_sent(MessageType::kKeepalive);
  flush();
}

void Connection::count_sent(MessageType type) {
  ++messages_sent;
  ++sent_by_type[static_cast<std::size_t>(type) % sent_by_type.size()];
}

bool Connection::send(const std::vector<std::uint8_t>& message) {
  if (!connected_ || out_.size() - sent_ + message.size() > kMaxUnsent) return false;
  watch_sending();
  out_.insert(out_.end(), message.begin(), message.end());
  count_sent(static_cast<MessageType>(message[kHeaderSize - 1]));
  flush();
  return true;
}

// The kernel's buffer takes years of keepalives. What counts is that the neighbour has acknowledged
// all that was sent before; a window that it keeps closed is what RFC 9687 is about.
bool Connection::all_acknowledged() const {
  int octets = 0;
  return sent_ == out_.size() &&
         ::ioctl(const_cast<Connection*>(this)->socket_.native_handle(), SIOCOUTQ, &octets) == 0 &&
         octets == 0;
}

void Connection::watch_sending() {
  if (send_hold_ == SteadyClock::duration::zero()) return;
  if (all_acknowledged()) send_progress_ = SteadyClock::now();
  if (!send_watch_.running())
    send_watch_.start(send_hold_, shared_from_this(), &Connection::on_send_watch);
}

void Connection::on_send_watch() {
  if (owner_ == nullptr) return;
  const auto now = SteadyClock::now();
  if (all_acknowledged()) return;
  if (now - send_progress_ < send_hold_) {
    send_watch_.start(send_progress_ + send_hold_ - now, shared_from_this(),
                      &Connection::on_send_watch);
    return;
  }
  fire(Event::kSendHoldExpires);
}

}  // namespace lapwing::bgp
