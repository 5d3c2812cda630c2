// A timer that calls a member function unless it was restarted or cancelled first.
//
// Asio may have queued a timer's handler when `cancel` is called; a generation number keeps such a
// late handler from acting. The owner is held weakly: an alarm never keeps it alive.
// Thread: the io thread. Owns: the timer. An alarm is a member of the object it calls.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>

namespace lapwing::bgp {

using SteadyClock = std::chrono::steady_clock;

class Alarm {
 public:
  explicit Alarm(boost::asio::io_context& io) : timer_(io) {}

  template <typename T>
  void start(SteadyClock::duration after, const std::shared_ptr<T>& owner, void (T::*call)()) {
    running_ = true;
    const std::uint64_t generation = ++generation_;
    timer_.expires_after(after);
    timer_.async_wait([this, generation, weak = std::weak_ptr<T>(owner),
                       call](const boost::system::error_code& error) {
      if (error) return;
      const std::shared_ptr<T> alive = weak.lock();
      if (!alive || generation != generation_) return;
      running_ = false;
      ((*alive).*call)();
    });
  }
  void cancel() {
    ++generation_;
    running_ = false;
    timer_.cancel();
  }
  bool running() const { return running_; }

 private:
  boost::asio::steady_timer timer_;
  std::uint64_t generation_ = 0;
  bool running_ = false;
};

}  // namespace lapwing::bgp
