// What all sessions of one io thread share: the clock, the sink, the log, limits and chance.
//
// Thread: the io thread. Owns: scratch space for decoding.
#pragma once

#include <boost/asio/io_context.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bgp/log.h"
#include "bgp/record.h"
#include "bgp/speaker.h"
#include "bgp/update.h"
#include "lapwing/time.h"

namespace lapwing::bgp {

struct SessionContext {
  SessionContext(boost::asio::io_context& io_context, RecordSink& record_sink,
                 LogFunction log_function, SpeakerOptions speaker_options)
      : io(io_context),
        sink(record_sink),
        log_line(std::move(log_function)),
        options(std::move(speaker_options)),
        random(std::random_device{}()) {}

  /// The system's clock, held where it would step back.
  Timestamp now() {
    const auto read = std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
    last_time = std::max(last_time, read);
    return last_time;
  }
  /// `interval` times a random factor of 0.75 to 1 (RFC 4271 10).
  std::chrono::milliseconds jitter(std::chrono::milliseconds interval) {
    const auto permille = std::uniform_int_distribution<std::int64_t>(750, 1000)(random);
    return interval * permille / 1000;
  }
  std::chrono::milliseconds up_to(std::chrono::milliseconds limit) {
    return std::chrono::milliseconds(
        std::uniform_int_distribution<std::int64_t>(0, limit.count())(random));
  }
  void log(LogLevel level, std::string_view neighbor, std::string message) const {
    if (log_line) log_line(level, neighbor, std::move(message));
  }
  /// The number of the peer with this name, for the life of the speaker.
  std::uint32_t peer_number(const std::string& name) {
    return peer_numbers.emplace(name, static_cast<std::uint32_t>(peer_numbers.size()))
        .first->second;
  }

  boost::asio::io_context& io;
  RecordSink& sink;
  LogFunction log_line;
  SpeakerOptions options;
  IpAddress router_id;
  std::mt19937_64 random;
  Timestamp last_time{};
  Update update;                   // scratch: used within one call only
  std::vector<std::uint8_t> input;  // scratch: what one connection reads in one turn
  std::map<std::string, std::uint32_t, std::less<>> peer_numbers;
  std::size_t pending = 0;         // accepted connections that are not established
  std::size_t connections = 0;     // alive, those that linger included
  std::size_t paused_sessions = 0; // for want of room in the sink
};

/// Allows `limit` lines in a period and counts the others.
class LogLimit {
 public:
  LogLimit(unsigned limit, std::chrono::seconds period) : limit_(limit), period_(period) {}

  /// True when a line may be written; `suppressed` is then what was kept back before it.
  bool allow(std::chrono::steady_clock::time_point now, std::uint64_t& suppressed) {
    if (!begin_ || now - *begin_ >= period_) {
      begin_ = now;
      used_ = 0;
    }
    if (used_ >= limit_) {
      ++suppressed_;
      return false;
    }
    ++used_;
    suppressed = std::exchange(suppressed_, 0);
    return true;
  }

 private:
  unsigned limit_;
  std::chrono::seconds period_;
  std::optional<std::chrono::steady_clock::time_point> begin_;
  unsigned used_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace lapwing::bgp
