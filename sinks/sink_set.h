// All sinks of the configuration, their runners and their one thread.
//
// Use: `add` for each [[sink.KIND]] table, `start`, and at the end `stop`. The journal outlives it.
// Thread: main for add, start and stop; all else any but the sinks' own, `configure` one at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/journal.h"
#include "lapwing/settings.h"
#include "lapwing/sink.h"
#include "sinks/program.h"

namespace lapwing::sinks {

class SinkSet {
 public:
  SinkSet(Journal& journal, Program program);
  ~SinkSet();
  SinkSet(const SinkSet&) = delete;
  SinkSet& operator=(const SinkSet&) = delete;

  /// Makes a sink from one table. False: the settings hold the errors (unknown keys are not yet
  /// noted), or there is no such kind (then the error's key is empty). A sink that the journal does
  /// not know is given every event that is appended from here on, before `start`, too.
  bool add(std::string_view kind, Settings& settings);
  void start();
  /// Makes these the sinks of a running set: those whose settings are the same go on untouched, the
  /// others end, and new ones begin from their cursors. A table that makes no sink is left out;
  /// check them first. Waits for the sinks' thread.
  struct Table {
    std::string kind;
    Settings settings;
  };
  void configure(std::vector<Table> tables);
  /// Calls `fn` on the sinks' thread.
  void post(std::function<void()> fn);
  /// Closes the sinks, writes the cursors and ends the thread.
  void stop();
  /// At most 200 ms old, or of the moment of `stop`.
  std::vector<SinkStatus> status() const;
  /// Opens files anew, for log rotation by others.
  void reopen();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lapwing::sinks
