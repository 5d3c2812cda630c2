// The messages of a syslog sink: not yet sent, sent, and acknowledged a moment ago.
//
// The acknowledgement of TCP is the receiver's kernel's, not the receiver's: what it had not read
// when it died is gone. So acknowledged messages are kept for a while (at most 1 MiB and 60 s), and
// after a broken connection the youngest of them are sent again; their ids tell the duplicates.
// Thread: one. Owns: the texts.
#pragma once

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
  static constexpr std::size_t kKeptOctets = 1 << 20;
  static constexpr std::chrono::seconds kKeptFor{60};

  struct Frame {
    std::uint64_t number = 0;
    std::string text;
    Clock::time_point acknowledged{};  // epoch: not yet
    unsigned repeats = 0;              // times it was sent again although it was acknowledged
  };

  void push(std::uint64_t number, std::string text) {
    frames_.push_back({number, std::move(text), {}, 0});
  }

  /// The next message to send, which counts as sent from here on; nullptr: none. Valid until it is
  /// acknowledged, or `rewind`.
  Frame* take() { return sent_ == frames_.size() ? nullptr : &frames_[sent_++]; }
  /// The oldest message that is sent and not acknowledged; nullptr: none.
  Frame* oldest_sent() { return first_ == sent_ ? nullptr : &frames_[first_]; }
  bool oldest_is_fresh() const { return first_ != sent_ && frames_[first_].repeats == 0; }
  bool all_acknowledged() const { return first_ == frames_.size(); }

  /// The `count` oldest sent messages have arrived. Returns the number of the last one. `keep`:
  /// they may have to be sent again.
  std::uint64_t acknowledge(std::size_t count, Clock::time_point now, bool keep) {
    std::uint64_t number = 0;
    for (; count > 0 && first_ < sent_; --count) {
      Frame& frame = frames_[first_++];
      number = frame.number;
      frame.acknowledged = now;
      kept_octets_ += frame.text.size();
    }
    last_acknowledged_ = now;
    trim(now, keep);
    return number;
  }

  /// What is sent again after a connection has ended although it was acknowledged.
  struct Doubt {
    std::chrono::seconds horizon{};  // acknowledged so shortly before the connection last moved
    unsigned repeats = 0;            // but no message more often, or some receivers never get on
  };
  /// The receiver read all that its kernel had, but it may not have come to keep it.
  static constexpr Doubt kAfterClose{std::chrono::seconds(5), 3};
  /// The receiver left unread data behind, or went silent.
  static constexpr Doubt kAfterReset{std::chrono::seconds(60), 10};

  /// The connection ended: what was sent and not acknowledged is to be sent again, and what is in
  /// doubt.
  void rewind(Clock::time_point now, const Doubt& doubt) {
    const Clock::time_point moved = first_ < sent_ ? last_acknowledged_ : now;
    while (first_ > 0) {
      Frame& frame = frames_[first_ - 1];
      if (frame.acknowledged + doubt.horizon < moved || frame.repeats >= doubt.repeats) break;
      ++frame.repeats;
      frame.acknowledged = {};
      kept_octets_ -= frame.text.size();
      --first_;
    }
    sent_ = first_;
  }

 private:
  void trim(Clock::time_point now, bool keep) {
    while (first_ > 0 && (!keep || kept_octets_ > kKeptOctets ||
                          frames_.front().acknowledged + kKeptFor < now)) {
      kept_octets_ -= frames_.front().text.size();
      frames_.pop_front();
      --first_;
      --sent_;
    }
  }

  std::deque<Frame> frames_;     // acknowledged | sent | waiting
  std::size_t first_ = 0;        // the first one that is not acknowledged
  std::size_t sent_ = 0;         // the first one that is not sent
  std::size_t kept_octets_ = 0;  // of the acknowledged ones
  Clock::time_point last_acknowledged_{};
};

}  // namespace lapwing::sinks
