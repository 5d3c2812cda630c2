#include "rib/store_journal.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "rib/store_codec.h"
#include "rib/store_event_codec.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

namespace {

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
  octets_ = database_.meta_number(meta_key::kEventOctets, 0);
  if (octets_ == 0 && first <= last) octets_ = count_octets();
  next_octets_ = octets_;
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

// Of a store that was written before the sum was kept.
std::uint64_t StoreJournal::count_octets() const {
  std::uint64_t octets = 0;
  std::uint64_t number = 0;
  const auto at = event_iterator(database_);
  for (at->Seek(slice(event_key(0))); at->Valid() && read_event_key(view(at->key()), number);
       at->Next())
    octets += at->key().size() + at->value().size();
  return octets;
}

void StoreJournal::add(const Event& event, std::uint64_t& last, std::vector<Entry>& events) {
  std::string number;
  append_varint(number, ++last);
  events.push_back({event_key(last), encode_event(event)});
  next_octets_ += events.back().key.size() + events.back().value->size();
  events.push_back({event_id_key(event.id), std::move(number)});
}

void StoreJournal::collect_ids() {
  const std::uint64_t held =
      last_.load(std::memory_order_relaxed) + 1 - first_.load(std::memory_order_relaxed);
  if (ids_.outgrown(held)) ids_.clear();
  if (ids_.complete() || database_.db() == nullptr) return;
  const std::string prefix = event_id_key({}).substr(0, 1);
  const auto at = event_iterator(database_);
  for (at->Seek(slice(prefix)); at->Valid() && at->key().starts_with(slice(prefix)); at->Next()) {
    EventId id;
    if (at->key().size() != prefix.size() + id.bytes.size()) continue;
    std::memcpy(id.bytes.data(), at->key().data() + prefix.size(), id.bytes.size());
    ids_.add(id);
  }
  if (at->status().ok()) ids_.set_complete();
}

rocksdb::Status StoreJournal::admit(const std::vector<Commit>& commits, std::vector<Entry>& events,
                                    std::uint64_t& last) {
  last = last_.load(std::memory_order_relaxed);
  next_first_ = first_.load(std::memory_order_relaxed);
  next_octets_ = octets_;
  next_lost_ = 0;
  next_reports_.clear();
  std::set<EventId> in_group;
  std::string known;
  Timestamp newest;
  for (const Commit& commit : commits) {
    for (const Event& event : commit.events) {
      if (!in_group.insert(event.id).second) continue;
      if (ids_.perhaps_known(event.id)) {
        const rocksdb::Status found = database_.get(Cf::kEvents, event_id_key(event.id), known);
        if (found.ok()) continue;
        if (!found.IsNotFound()) return found;
      }
      ids_.add(event.id);
      add(event, last, events);
      newest = std::max(newest, event.time);
    }
  }
  return events.empty() ? rocksdb::Status::OK() : expire(last, newest, events);
}

std::vector<HeldCursor> StoreJournal::held_cursors() {
  const bool unknown_ones =
      std::chrono::steady_clock::now() - start_ < database_.options().unasked_cursors_hold;
  std::vector<HeldCursor> held;
  const std::lock_guard lock(cursors_mutex_);
  for (const auto& [name, cursor] : cursors_)
    if (cursor.sink == Sink::kThere || (unknown_ones && cursor.sink == Sink::kUnknown))
      held.push_back({name, cursor.number});
  return held;
}

rocksdb::Status StoreJournal::expire(std::uint64_t& last, Timestamp newest,
                                     std::vector<Entry>& events) {
  const StoreOptions& options = database_.options();
  const RetentionLimits limits{options.event_limit, options.event_days, options.event_budget};
  const bool over_count = limits.events != 0 && last + 1 - next_first_ > limits.events;
  const bool over_budget = limits.octets != 0 && next_octets_ > limits.octets;
  if (!over_count && !over_budget && limits.days == 0) return rocksdb::Status::OK();
  const std::vector<HeldCursor> cursors = held_cursors();
  const RetentionView view{last, last_.load(std::memory_order_relaxed), next_octets_, newest};
  Retention retention(limits, view, cursors);
  std::uint64_t keep_from = next_first_;
  const rocksdb::Status status = remove_front(retention, keep_from, events);
  if (!status.ok() || keep_from == next_first_) return status;
  for (const Event& lost : lost_events(cursors, keep_from, newest, limits.octets)) {
    next_lost_ += static_cast<std::uint64_t>(std::get<std::int64_t>(lost.fields[1].value));
    next_reports_.push_back(lost.summary);
    add(lost, last, events);
  }
  next_first_ = keep_from;
  return status;
}

rocksdb::Status StoreJournal::remove_front(Retention& retention, std::uint64_t& keep_from,
                                           std::vector<Entry>& events) {
  const auto at = event_iterator(database_);
  const std::uint64_t end = keep_from + kMaxExpired;
  std::uint64_t number = 0;
  for (at->Seek(slice(event_key(keep_from))); at->Valid(); at->Next()) {
    if (!read_event_key(view(at->key()), number) || number >= end) break;
    // One that cannot be read has no time: it goes with those before it.
    const auto event = decode_event(view(at->value()));
    const std::uint64_t octets = at->key().size() + at->value().size();
    if (!retention.takes(number, event ? event->time : Timestamp{}, octets)) break;
    events.push_back({at->key().ToString(), std::nullopt});
    if (const auto id = decode_event_id(view(at->value())))
      events.push_back({event_id_key(*id), std::nullopt});
    next_octets_ -= std::min(octets, next_octets_);
    keep_from = number + 1;
  }
  return at->status();
}

void StoreJournal::published(std::uint64_t last) {
  if (last == last_.load(std::memory_order_relaxed)) return;
  octets_ = next_octets_;
  first_.store(next_first_, std::memory_order_release);
  last_.store(last, std::memory_order_release);
  lost_.fetch_add(next_lost_, std::memory_order_relaxed);
  if (const auto& warn = database_.options().on_warning)
    for (const std::string& report : next_reports_) warn(report);
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

template <typename Read>
void StoreJournal::walk_after(std::uint64_t number, std::size_t limit, Read&& read) const {
  const std::uint64_t last = this->last();
  if (number >= last || limit == 0) return;
  const auto lock = database_.lock();
  if (database_.db() == nullptr) return;
  const auto at = event_iterator(database_);
  for (at->Seek(slice(event_key(number + 1))); at->Valid() && limit != 0; at->Next()) {
    std::uint64_t found = 0;
    if (!read_event_key(view(at->key()), found) || found > last) break;
    if (read(found, view(at->value())))
      --limit;
    else
      damaged_.fetch_add(1, std::memory_order_relaxed);
  }
}

std::vector<JournalEntry> StoreJournal::read_after(std::uint64_t number, std::size_t limit) const {
  std::vector<JournalEntry> entries;
  walk_after(number, limit, [&](std::uint64_t found, std::string_view octets) {
    auto event = decode_event(octets);
    if (event) entries.push_back({found, std::move(*event)});
    return event.has_value();
  });
  return entries;
}

std::vector<EventMoment> StoreJournal::moments_after(std::uint64_t number,
                                                     std::size_t limit) const {
  std::vector<EventMoment> moments;
  walk_after(number, limit, [&](std::uint64_t found, std::string_view octets) {
    const auto moment = decode_event_moment(octets);
    if (moment) moments.push_back({found, moment->time, moment->cause});
    return moment.has_value();
  });
  return moments;
}

std::uint64_t StoreJournal::cursor(std::string_view sink) {
  const std::lock_guard lock(cursors_mutex_);
  const auto it = cursors_.find(sink);
  if (it != cursors_.end()) {
    it->second.sink = Sink::kThere;
    return it->second.number;
  }
  const std::uint64_t number = last();
  cursors_.emplace(std::string(sink), Cursor{number, true, Sink::kThere});
  cursors_moved_.store(true);
  return number;
}

void StoreJournal::set_cursor(std::string_view sink, std::uint64_t number) {
  const std::lock_guard lock(cursors_mutex_);
  const auto it = cursors_.find(sink);
  Cursor& cursor = it != cursors_.end() ? it->second : cursors_[std::string(sink)];
  cursor = {number, true, Sink::kThere};
  cursors_moved_.store(true);
}

void StoreJournal::release(std::string_view sink) {
  const std::lock_guard lock(cursors_mutex_);
  if (const auto it = cursors_.find(sink); it != cursors_.end()) it->second.sink = Sink::kGone;
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
