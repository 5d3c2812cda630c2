// The messages of a syslog sink: not yet sent, sent, and acknowledged but kept.
//
// The acknowledgement of TCP is the receiver's kernel's, not the receiver's: what it had not read
// when it died is gone. So the last acknowledged messages are kept, however old, and those that may
// have been lost so are sent again after a broken connection. How many that can be is known: no more
// than the largest window that the receiver ever offered.
// Thread: one. Owns: the texts.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace lapwing::sinks {

class SyslogQueue {
 public:
  using Clock = std::chrono::steady_clock;

  struct Frame {
    std::uint64_t number = 0;
    std::string text;
    Clock::time_point acknowledged{};  // epoch: not yet
    unsigned repeats = 0;              // times it was sent again although it was acknowledged
    bool again = false;                // sent before on a connection that broke
    bool marked = false;               // the text says so
    std::uint64_t sequence = 0;        // its place among this sink's messages
  };

  /// `keep`: octets of acknowledged messages that are kept.
  explicit SyslogQueue(std::size_t keep) : keep_(keep) {}

  void push(std::uint64_t number, std::string text, std::uint64_t sequence = 0) {
    frames_.push_back({number, std::move(text), {}, 0, false, false, sequence});
  }

  /// The next message to send, which counts as sent from here on; nullptr: none. Valid until it is
  /// acknowledged, or `rewind`.
  Frame* take() { return sent_ == frames_.size() ? nullptr : &frames_[sent_++]; }
  /// The oldest message that is sent and not acknowledged; nullptr: none.
  Frame* oldest_sent() { return first_ == sent_ ? nullptr : &frames_[first_]; }
  bool oldest_is_fresh() const { return first_ != sent_ && frames_[first_].repeats == 0; }
  bool all_acknowledged() const { return first_ == frames_.size(); }

  /// The `count` oldest sent messages have arrived. Returns the number of the last one.
  std::uint64_t acknowledge(std::size_t count, Clock::time_point now) {
    std::uint64_t number = 0;
    for (; count > 0 && first_ < sent_; --count) {
      Frame& frame = frames_[first_++];
      number = frame.number;
      frame.acknowledged = now;
      kept_octets_ += frame.text.size();
    }
    last_acknowledged_ = now;
    trim();
    return number;
  }

  /// What is sent again after a connection has ended although it was acknowledged.
  struct Doubt {
    std::chrono::seconds horizon{};  // acknowledged so shortly before the connection last moved
    std::size_t octets = 0;          // and so many at most, the youngest
    unsigned repeats = 0;            // but no message more often, or some receivers never get on
  };
  /// The receiver read all that its kernel had, but it may not have come to keep it.
  static constexpr Doubt after_close() { return {std::chrono::seconds(5), SIZE_MAX, 3}; }
  /// The receiver left unread data behind, or went silent. Twice the window, because the window
  /// that was seen last may have been half way up to the one before it.
  static constexpr Doubt after_reset(std::size_t largest_window) {
    return {std::chrono::hours(24 * 365), std::max(kLeastDoubt, 2 * largest_window), 10};
  }
  static constexpr std::size_t kLeastDoubt = 256 << 10;

  /// The connection ended: what was sent and not acknowledged is to be sent again, and what is in
  /// doubt. Returns how many acknowledged messages that are.
  std::size_t rewind(Clock::time_point now, const Doubt& doubt) {
    const Clock::time_point moved = first_ < sent_ ? last_acknowledged_ : now;
    for (std::size_t i = first_; i < sent_; ++i) frames_[i].again = true;
    std::size_t octets = 0, count = 0;
    while (first_ > 0 && octets < doubt.octets) {
      Frame& frame = frames_[first_ - 1];
      if (moved - frame.acknowledged > doubt.horizon || frame.repeats >= doubt.repeats) break;
      ++frame.repeats;
      ++count;
      octets += frame.text.size();
      frame.again = true;
      frame.acknowledged = {};
      kept_octets_ -= frame.text.size();
      --first_;
    }
    sent_ = first_;
    return count;
  }

 private:
  void trim() {
    while (first_ > 0 && kept_octets_ > keep_) {
      kept_octets_ -= frames_.front().text.size();
      frames_.pop_front();
      --first_;
      --sent_;
    }
  }

  const std::size_t keep_;
  std::deque<Frame> frames_;     // acknowledged | sent | waiting
  std::size_t first_ = 0;        // the first one that is not acknowledged
  std::size_t sent_ = 0;         // the first one that is not sent
  std::size_t kept_octets_ = 0;  // of the acknowledged ones
  Clock::time_point last_acknowledged_{};
};

}  // namespace lapwing::sinks
