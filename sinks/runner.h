// Drives one sink: reads the journal after the sink's cursor, delivers, moves the cursor.
//
// One batch is under way at a time. What the sink confirms moves the cursor; the cursor is written
// at most every 100 ms and once more in `stop`, so that a crash repeats a little and loses nothing.
// A journal or a sink that throws is asked again after a pause that grows from 0.1 to 10 seconds.
// Thread: the sinks' thread, all of it. Owns: the sink. The journal outlives it.
#pragma once

#include <cstddef>
#include <memory>

#include "lapwing/journal.h"
#include "lapwing/sink.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::sinks {

class SinkRunner {
 public:
  static constexpr std::size_t kBatch = 512;

  SinkRunner(boost::asio::io_context& io, Journal& journal, std::unique_ptr<Sink> sink);
  ~SinkRunner();
  SinkRunner(const SinkRunner&) = delete;
  SinkRunner& operator=(const SinkRunner&) = delete;

  /// Asks for the cursor, subscribes to the journal, delivers what waits.
  void start();
  /// Ends delivery, closes the sink and writes the cursor. Also done by the destructor.
  void stop();
  SinkStatus status() const;
  Sink& sink();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lapwing::sinks
