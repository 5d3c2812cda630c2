#include "rib/store_journal.h"

#include <algorithm>
#include <set>

#include "rib/store_codec.h"
#include "rib/store_event_codec.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

namespace {

// A sink that was removed for good must not keep the journal for ever.
constexpr std::uint64_t kSlowSinkFactor = 4;
constexpr std::uint64_t kMaxExpired = 4096;  // in one group

std::unique_ptr<rocksdb::Iterator> event_iterator(const Database& database) {
  return std::unique_ptr<rocksdb::Iterator>(
      database.db()->NewIterator(rocksdb::ReadOptions(), database.handle(Cf::kEvents)));
}

}  // namespace

void StoreJournal::reload() {
  std::uint64_t last = database_.meta_number(meta_key::kLastEvent, 0);
  std::uint64_t number = 0;
  const auto at = event_iterator(database_);
  at->SeekForPrev(slice(event_key(UINT64_MAX)));
  if (at->Valid() && read_event_key(view(at->key()), number)) last = std::max(last, number);
  std::uint64_t first = last + 1;
  at->Seek(slice(event_key(0)));
  if (at->Valid() && read_event_key(view(at->key()), number)) first = number;
  next_first_ = first;
  first_.store(first, std::memory_order_release);
  last_.store(last, std::memory_order_release);
}

void StoreJournal::reload_cursors() {
  const std::unique_ptr<rocksdb::Iterator> at(
      database_.db()->NewIterator(rocksdb::ReadOptions(), database_.handle(Cf::kCursors)));
  const std::lock_guard lock(cursors_mutex_);
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    std::uint64_t number = 0;
    if (read_number(view(at->value()), number)) cursors_[at->key().ToString()].number = number;
  }
}

rocksdb::Status StoreJournal::admit(const std::vector<Commit>& commits, std::vector<Entry>& events,
                                    std::uint64_t& last) {
  last = last_.load(std::memory_order_relaxed);
  next_first_ = first_.load(std::memory_order_relaxed);
  std::set<EventId> in_group;
  std::string known;
  for (const Commit& commit : commits) {
    for (const Event& event : commit.events) {
      std::string id = event_id_key(event.id);
      if (!in_group.insert(event.id).second) continue;
      const rocksdb::Status found = database_.get(Cf::kEvents, id, known);
      if (found.ok()) continue;
      if (!found.IsNotFound()) return found;
      std::string number;
      append_varint(number, ++last);
      events.push_back({event_key(last), encode_event(event)});
      events.push_back({std::move(id), std::move(number)});
    }
  }
  return events.empty() ? rocksdb::Status::OK() : expire(last, events);
}

rocksdb::Status StoreJournal::expire(std::uint64_t last, std::vector<Entry>& events) {
  const std::uint64_t limit = database_.options().event_limit;
  const std::uint64_t first = next_first_;
  if (limit == 0 || last + 1 - first <= limit) return rocksdb::Status::OK();
  std::uint64_t keep_from = last + 1 - limit;
  {
    const std::lock_guard lock(cursors_mutex_);
    for (const auto& [name, cursor] : cursors_) keep_from = std::min(keep_from, cursor.number + 1);
  }
  if (last + 1 - first > kSlowSinkFactor * limit)
    keep_from = std::max(keep_from, last + 1 - kSlowSinkFactor * limit);
  // What this group adds is not in the database yet, so it cannot be removed by it.
  keep_from = std::min({keep_from, first + kMaxExpired, last_.load(std::memory_order_relaxed) + 1});
  if (keep_from <= first) return rocksdb::Status::OK();
  const auto at = event_iterator(database_);
  std::uint64_t number = 0;
  for (at->Seek(slice(event_key(first))); at->Valid(); at->Next()) {
    if (!read_event_key(view(at->key()), number) || number >= keep_from) break;
    events.push_back({at->key().ToString(), std::nullopt});
    if (const auto id = decode_event_id(view(at->value())))
      events.push_back({event_id_key(*id), std::nullopt});
  }
  next_first_ = keep_from;
  return at->status();
}

void StoreJournal::published(std::uint64_t last) {
  if (last == last_.load(std::memory_order_relaxed)) return;
  first_.store(next_first_, std::memory_order_release);
  last_.store(last, std::memory_order_release);
  const std::lock_guard lock(subscribers_mutex_);
  for (const auto& [handle, fn] : subscribers_) fn();
}

std::vector<Entry> StoreJournal::take_cursors() {
  std::vector<Entry> entries;
  if (!cursors_moved_.exchange(false)) return entries;
  const std::lock_guard lock(cursors_mutex_);
  for (auto& [name, cursor] : cursors_) {
    if (!cursor.moved) continue;
    cursor.moved = false;
    std::string value;
    append_varint(value, cursor.number);
    entries.push_back({name, std::move(value)});
  }
  return entries;
}

void StoreJournal::return_cursors(const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  const std::lock_guard lock(cursors_mutex_);
  for (const Entry& entry : entries) cursors_[entry.key].moved = true;
  cursors_moved_.store(true);
}

std::vector<JournalEntry> StoreJournal::read_after(std::uint64_t number, std::size_t limit) const {
  std::vector<JournalEntry> entries;
  const std::uint64_t last = this->last();
  if (number >= last || limit == 0) return entries;
  const auto lock = database_.lock();
  if (database_.db() == nullptr) return entries;
  const auto at = event_iterator(database_);
  for (at->Seek(slice(event_key(number + 1))); at->Valid() && entries.size() < limit; at->Next()) {
    JournalEntry entry;
    if (!read_event_key(view(at->key()), entry.number) || entry.number > last) break;
    auto event = decode_event(view(at->value()));
    if (!event) {
      damaged_.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    entry.event = std::move(*event);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::uint64_t StoreJournal::cursor(std::string_view sink) {
  const std::lock_guard lock(cursors_mutex_);
  const auto it = cursors_.find(sink);
  if (it != cursors_.end()) return it->second.number;
  const std::uint64_t number = last();
  cursors_.emplace(std::string(sink), Cursor{number, true});
  cursors_moved_.store(true);
  return number;
}

void StoreJournal::set_cursor(std::string_view sink, std::uint64_t number) {
  const std::lock_guard lock(cursors_mutex_);
  const auto it = cursors_.find(sink);
  Cursor& cursor = it != cursors_.end() ? it->second : cursors_[std::string(sink)];
  cursor = {number, true};
  cursors_moved_.store(true);
}

int StoreJournal::subscribe(std::function<void()> fn) {
  const std::lock_guard lock(subscribers_mutex_);
  subscribers_.emplace(next_handle_, std::move(fn));
  return next_handle_++;
}

void StoreJournal::unsubscribe(int handle) {
  const std::lock_guard lock(subscribers_mutex_);
  subscribers_.erase(handle);
}

}  // namespace lapwing::rib
