// The thread that looks after the others: what takes time and hurries nobody.
//
// It tells the service manager the status and that all threads make progress, drops what is kept of
// neighbours that left the configuration, measures how long events take to the disk, names detectors
// that are slow, gives memory back to the kernel that a table's load left free, and runs what is posted
// to it (a reload after SIGHUP).
// Thread: main for construction, `start` and `stop`; `post` any. Owns: its thread.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "collector/calm.h"
#include "collector/collector_reader.h"
#include "collector/detector_watch.h"
#include "collector/watchdog.h"
#include "lapwing/journal.h"

namespace lapwing::collector {

class Supervisor {
 public:
  struct Parts {
    CollectorReader& reader;
    Journal& journal;
    std::function<void()> drop_removed;       // called every second
    std::function<std::uint64_t()> changes;  // of routes, since the start
    std::function<std::uint64_t()> pending;  // of these, not on disk yet
    DetectorWatch::Parts detectors;
  };

  Supervisor(Parts parts, Watchdog watchdog);
  ~Supervisor() { stop(); }

  void start();
  void stop();
  void post(std::function<void()> fn);

 private:
  void on_second();
  void beat();
  void tell_status();
  void measure_events();
  void give_back_memory();

  const Parts parts_;
  Watchdog watchdog_;
  DetectorWatch detectors_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer second_{io_};
  boost::asio::steady_timer beat_{io_};
  boost::asio::steady_timer quarter_{io_};
  std::thread thread_;
  std::uint64_t measured_ = 0;  // number of the last event
  int subscription_ = 0;
  Calm calm_;
  std::string status_;
  std::string silent_;
};

/// "3 of 4 neighbours up, 1234567 routes, 12 events": the status text of the unit.
std::string status_line(const Status& status);

}  // namespace lapwing::collector
