// The sink "jsonl": appends events to a file, one JSON object a line; "-" is standard output.
//
// A batch is one write. A line torn by a crash gets its line end before anything else is written,
// and the event in it is written again. A file that was moved or deleted by others is noticed
// before the next batch. Errors (disk full, no permission) are tried again after a pause that grows
// from 0.2 to 10 seconds; nothing is confirmed before it is written.
// Settings: path, sync (fsync each batch), rotate-size (octets), rotate-age (seconds), rotate-keep
// (files: PATH.1 is the youngest), name, and those of `EventFilter`. 0 turns a rotation off.
// Thread: the sinks' thread; the file is written on a thread of its own. Owns: file and thread.
#pragma once

#include <memory>
#include <string>

#include "lapwing/settings.h"
#include "lapwing/sink.h"
#include "sinks/filter.h"
#include "sinks/jsonl_file.h"
#include "sinks/program.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::sinks {

class JsonlSink final : public Sink {
 public:
  JsonlSink(boost::asio::io_context& io, std::string name, JsonlOptions options,
            EventFilter filter);
  ~JsonlSink() override;

  std::string_view name() const override { return name_; }
  void deliver(std::span<const JournalEntry> entries,
               std::function<void(std::uint64_t)> confirm) override;
  void close() override;
  SinkStatus status() const override;
  /// Opens the file anew before the next batch.
  void reopen();

 private:
  class Impl;
  const std::string name_;
  std::shared_ptr<Impl> impl_;
};

std::unique_ptr<Sink> make_jsonl_sink(Settings& settings, boost::asio::io_context& io,
                                      const Program& program);
/// The sink "stdout": the same lines on standard output. Settings: name and those of `EventFilter`.
std::unique_ptr<Sink> make_stdout_sink(Settings& settings, boost::asio::io_context& io,
                                       const Program& program);

}  // namespace lapwing::sinks
