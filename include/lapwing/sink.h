// The interface of a sink: where events go.
//
// A sink is driven by the sink thread's runner, which reads the journal from the sink's cursor. It
// delivers entries in order and confirms what has arrived as far as its transport can tell; only
// what is confirmed moves the durable cursor.
// [Threading]  all calls on the sink thread. `deliver` must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lapwing/journal.h"

namespace lapwing {

/// How a sink stands. A sink itself fills name, state, retries, repeated and last_error; the runner
/// the rest.
struct SinkStatus {
  std::string name;                // "syslog:udp://127.0.0.1:514"; also the name of its cursor
  std::string state;               // "up", "connecting", "failed: …"
  std::uint64_t cursor = 0;        // the last entry that has arrived
  std::uint64_t delivered = 0;     // entries since start
  std::uint64_t retries = 0;
  std::string last_error{};
  std::uint64_t repeated = 0;      // messages sent again that the receiver may have already
  std::uint64_t lag_events = 0;    // entries behind the cursor
  double lag_seconds = 0;          // since the time of the first of them
  std::uint64_t lost = 0;          // entries that left the journal before they were delivered
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual std::string_view name() const = 0;
  /// Takes the next entries, in order. Calls `confirm(number)` now or later, on the sink thread,
  /// each time all entries up to `number` have arrived. The runner gives no more entries until the
  /// last of these is confirmed. `entries` lives until then.
  virtual void deliver(std::span<const JournalEntry> entries,
                       std::function<void(std::uint64_t number)> confirm) = 0;
  /// Ends transport at once; nothing is confirmed afterwards.
  virtual void close() = 0;
  virtual SinkStatus status() const = 0;
};

}  // namespace lapwing
