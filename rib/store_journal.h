// The event journal and the sinks' cursors on top of the database.
//
// The writer asks `admit` for the entries of a group's events, and tells `published` once they are
// durable. Cursors live in memory; `take_cursors` gives the writer those that moved. What leaves the
// journal, and when, stands in store_journal_retention.h.
// Thread: the Journal interface any; the rest store thread. Owns: cursors, subscribers.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "lapwing/journal.h"
#include "rib/store_database.h"
#include "rib/store_event_ids.h"
#include "rib/store_group.h"
#include "rib/store_journal_retention.h"

namespace lapwing::rib {

namespace meta_key {
inline constexpr std::string_view kEventOctets = "event-octets";  // of the journal's events, varint
}  // namespace meta_key

class StoreJournal : public Journal {
 public:
  explicit StoreJournal(Database& database) : database_(database) {}

  /// Reads what the database holds; at start and after each reopening.
  void reload();
  void reload_cursors();

  /// Looks at all ids of the journal where that is due; worth it before the first `admit`.
  void collect_ids();
  /// Adds the entries of `commits`' events that are new to `events`, and what retention removes.
  /// `last` is then the last number once they are durable.
  rocksdb::Status admit(const std::vector<Commit>& commits, std::vector<Entry>& events,
                        std::uint64_t& last);
  void published(std::uint64_t last);
  /// Octets of all events once what `admit` gave is durable.
  std::uint64_t octets() const { return next_octets_; }
  /// Events that left before a sink had them, for each sink, since the start.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  /// Cursors that moved since the last call, as entries.
  std::vector<Entry> take_cursors();
  /// They could not be written: they have moved still.
  void return_cursors(const std::vector<Entry>& entries);
  bool cursors_moved() const { return cursors_moved_.load(std::memory_order_relaxed); }
  std::uint64_t damaged() const { return damaged_.load(std::memory_order_relaxed); }

  std::vector<JournalEntry> read_after(std::uint64_t number, std::size_t limit) const override;
  std::vector<EventMoment> moments_after(std::uint64_t number, std::size_t limit) const override;
  std::uint64_t last() const override { return last_.load(std::memory_order_acquire); }
  std::uint64_t first() const override { return first_.load(std::memory_order_acquire); }
  std::uint64_t cursor(std::string_view sink) override;
  void set_cursor(std::string_view sink, std::uint64_t number) override;
  void release(std::string_view sink) override;
  int subscribe(std::function<void()> fn) override;
  void unsubscribe(int handle) override;

 private:
  /// Calls `read(number, octets)` for what is durable after `number`, `limit` times at most; what it
  /// returns false for is damaged, and does not count.
  template <typename Read>
  void walk_after(std::uint64_t number, std::size_t limit, Read&& read) const;
  enum class Sink : std::uint8_t { kUnknown, kThere, kGone };  // since the start
  struct Cursor {
    std::uint64_t number = 0;
    bool moved = false;
    Sink sink = Sink::kUnknown;
  };
  void add(const Event& event, std::uint64_t& last, std::vector<Entry>& events);
  rocksdb::Status expire(std::uint64_t& last, Timestamp newest, std::vector<Entry>& events);
  /// Takes what `retention` gives away off the front; `keep_from` is then the first one kept.
  rocksdb::Status remove_front(Retention& retention, std::uint64_t& keep_from,
                               std::vector<Entry>& events);
  std::vector<HeldCursor> held_cursors();
  std::uint64_t count_octets() const;

  Database& database_;
  std::atomic<std::uint64_t> first_{1};
  std::atomic<std::uint64_t> last_{0};
  EventIds ids_;
  std::uint64_t next_first_ = 1;  // once the group that is being written is durable
  std::uint64_t octets_ = 0;      // of the keys and values of all events
  std::uint64_t next_octets_ = 0;
  std::uint64_t next_lost_ = 0;   // found while the group was made
  std::vector<std::string> next_reports_;
  std::atomic<std::uint64_t> lost_{0};
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  mutable std::atomic<std::uint64_t> damaged_{0};
  std::mutex cursors_mutex_;
  std::map<std::string, Cursor, std::less<>> cursors_;  // guarded by cursors_mutex_
  std::atomic<bool> cursors_moved_{false};
  // Held while subscribers are called, so that `unsubscribe` waits for a call that is under way.
  std::mutex subscribers_mutex_;
  std::map<int, std::function<void()>> subscribers_;
  int next_handle_ = 1;
};

}  // namespace lapwing::rib
