#include "collector/supervisor.h"

#include <fmt/format.h>
#include <malloc.h>

#include <boost/asio/post.hpp>
#include <utility>

#include "collector/log.h"
#include "collector/service.h"
#include "lapwing/thread_name.h"

namespace lapwing::collector {

Supervisor::Supervisor(Parts parts, Watchdog watchdog)
    : parts_(std::move(parts)),
      watchdog_(std::move(watchdog)),
      detectors_(parts_.detectors),
      work_(boost::asio::make_work_guard(io_)) {}

void Supervisor::start() {
  measured_ = parts_.journal.last();
  subscription_ = parts_.journal.subscribe([this] { post([this] { measure_events(); }); });
  boost::asio::post(io_, [this] {
    on_second();
    give_back_memory();
    if (watchdog_interval()) beat();
  });
  thread_ = std::thread([this] {
    name_thread("supervisor");
    io_.run();
  });
}

void Supervisor::stop() {
  if (!thread_.joinable()) return;
  parts_.journal.unsubscribe(subscription_);
  io_.stop();
  thread_.join();
}

void Supervisor::post(std::function<void()> fn) { boost::asio::post(io_, std::move(fn)); }

void Supervisor::on_second() {
  tell_status();
  parts_.drop_removed();
  detectors_.look(DetectorWatch::Clock::now());
  second_.expires_after(std::chrono::seconds(1));
  second_.async_wait([this](const boost::system::error_code& error) {
    if (!error) on_second();
  });
}

void Supervisor::beat() {
  if (watchdog_.beat()) {
    notify_service_manager("WATCHDOG=1");
    silent_.clear();
  } else if (std::string silent = watchdog_.silent(); silent != silent_) {
    silent_ = std::move(silent);
    log().error("watchdog", "no progress: {}", silent_);
  }
  beat_.expires_after(*watchdog_interval() / 2);
  beat_.async_wait([this](const boost::system::error_code& error) {
    if (!error) beat();
  });
}

void Supervisor::tell_status() {
  std::string line = status_line(parts_.reader.status());
  if (line == status_) return;
  status_ = std::move(line);
  notify_service_manager("STATUS=" + status_);
}

// What batches and groups of commits took while a table came or went is free afterwards, but stays
// with the process: a quarter of all that it has. Given back once it is calm; the allocator waits
// for some milliseconds meanwhile.
void Supervisor::give_back_memory() {
  if (calm_.look(parts_.changes(), parts_.pending() == 0)) ::malloc_trim(0);
  quarter_.expires_after(std::chrono::milliseconds(250));
  quarter_.async_wait([this](const boost::system::error_code& error) {
    if (!error) give_back_memory();
  });
}

// The time of a live event is the arrival of the message that raised it.
void Supervisor::measure_events() {
  constexpr std::size_t kAtOnce = 512;
  for (;;) {
    const auto moments = parts_.journal.moments_after(measured_, kAtOnce);
    const auto now =
        std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
    for (const EventMoment& moment : moments) {
      measured_ = moment.number;
      if (moment.cause != Cause::kLive) continue;
      parts_.reader.observe_event(std::chrono::duration<double>(now - moment.time).count());
    }
    if (moments.size() < kAtOnce) return;
  }
}

std::string status_line(const Status& status) {
  std::string line = fmt::format("{} of {} neighbours up, {} routes, {} events", status.peers_up,
                                 status.peers_configured, status.routes, status.events);
  if (!status.store_error.empty()) line += "; " + status.store_error;
  return line;
}

}  // namespace lapwing::collector
