// The event journal as a sink sees it: numbered events, read in order, and a durable cursor a sink.
//
// Every event stands in the journal, synced to disk, before any sink can read it. Numbers start at
// 1 and grow by one. A sink reads from its cursor, delivers, and moves the cursor: after a crash it
// delivers again what it had not confirmed (at least once; the event's id tells a duplicate).
// Thread: any; the implementation locks what it must.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/event.h"

namespace lapwing {

struct JournalEntry {
  std::uint64_t number = 0;
  Event event;
};

/// When an event happened, and how it was found: all that measuring its way needs.
struct EventMoment {
  std::uint64_t number = 0;
  Timestamp time;
  Cause cause = Cause::kLive;
};

class Journal {
 public:
  virtual ~Journal() = default;

  /// The entries after `number`, oldest first, at most `limit`. Fewer when there are no more.
  virtual std::vector<JournalEntry> read_after(std::uint64_t number, std::size_t limit) const = 0;
  /// The same of their moments alone, for less.
  virtual std::vector<EventMoment> moments_after(std::uint64_t number, std::size_t limit) const {
    std::vector<EventMoment> moments;
    for (const JournalEntry& entry : read_after(number, limit))
      moments.push_back({entry.number, entry.event.time, entry.event.cause});
    return moments;
  }
  /// The highest number that is durable; 0 when the journal is empty.
  virtual std::uint64_t last() const = 0;
  /// The lowest number still kept (retention may have removed older ones); `last() + 1` when empty.
  virtual std::uint64_t first() const = 0;

  /// The number of the last entry which that sink has delivered. A name never seen: `last()` at its
  /// first use, so that a new sink does not repeat history.
  virtual std::uint64_t cursor(std::string_view sink) = 0;
  virtual void set_cursor(std::string_view sink, std::uint64_t number) = 0;
  /// The sink is gone: its cursor stays, and holds nothing until it is asked for or moved again.
  virtual void release(std::string_view sink) = 0;

  /// `fn` is called (from the store thread, it must only post) after new entries became durable.
  /// Returns a handle for `unsubscribe`; after that call returned, `fn` is not called again.
  virtual int subscribe(std::function<void()> fn) = 0;
  virtual void unsubscribe(int handle) = 0;
};

}  // namespace lapwing
