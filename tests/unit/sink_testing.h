// What the sinks' tests share: an event to show, a journal in memory, an io_context that is run.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lapwing/journal.h"

namespace lapwing::sinks::testing {

inline Prefix prefix(std::string_view text) { return parse_prefix(text).value(); }
/// from, from + 1, … to.
inline std::vector<std::uint64_t> sequence(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> out;
  for (; from <= to; ++from) out.push_back(from);
  return out;
}

inline Timestamp at(std::string_view text) { return parse_rfc3339(text).value(); }

inline EventId id_of(std::uint8_t n) {
  EventId id;
  id.bytes.fill(n);
  return id;
}

/// The event of the story: AS131279 gained AS20485 on 2017-10-01.
inline Event story() {
  Event e;
  e.id = id_of(0x01);
  e.incident = id_of(0xab);
  e.type = "new-upstream";
  e.severity = Severity::kWarning;
  e.time = at("2017-10-01T09:07:51Z");
  e.origin_as = 131279;
  e.upstream_as = 20485;
  e.prefixes = {prefix("175.45.176.0/24")};
  e.prefix_count = 1;
  e.origin_prefix_count = 4;
  e.peers = {"rrc03-x"};
  e.direct = false;
  e.known_upstreams = {
      {KnownUpstream{4837, at("2014-05-01T00:00:00Z"), at("2017-10-01T09:07:50Z"), true}}};
  e.evidence = {Evidence{"rrc03-x", 3333, prefix("175.45.176.0/24"), "3333 1103 4837 131279",
                         "3333 1103 20485 131279", at("2017-10-01T09:07:51Z")}};
  e.rule = "adjacency never seen before";
  e.summary = "AS131279 has a new upstream AS20485 for 175.45.176.0/24";
  return e;
}

inline Event numbered(std::uint64_t n) {
  Event e = story();
  e.summary = "event " + std::to_string(n);
  e.time += std::chrono::seconds(n);
  return e;
}

class MemoryJournal : public Journal {
 public:
  std::vector<JournalEntry> read_after(std::uint64_t number, std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    if (failures_ > 0 && failures_-- > 0) throw std::runtime_error("the journal fails");
    std::vector<JournalEntry> out;
    for (std::size_t i = number > removed_ ? number - removed_ : 0;
         i < entries_.size() && out.size() < limit; ++i)
      out.push_back(entries_[i]);
    return out;
  }
  std::uint64_t last() const override {
    const std::lock_guard lock(mutex_);
    return removed_ + entries_.size();
  }
  std::uint64_t first() const override {
    const std::lock_guard lock(mutex_);
    return removed_ + 1;
  }
  std::uint64_t cursor(std::string_view sink) override {
    const std::lock_guard lock(mutex_);
    return cursors_.try_emplace(std::string(sink), removed_ + entries_.size()).first->second;
  }
  void set_cursor(std::string_view sink, std::uint64_t number) override {
    const std::lock_guard lock(mutex_);
    cursors_[std::string(sink)] = number;
    ++cursor_writes_;
  }
  void release(std::string_view sink) override {
    const std::lock_guard lock(mutex_);
    released_.emplace_back(sink);
  }
  int subscribe(std::function<void()> fn) override {
    const std::lock_guard lock(mutex_);
    subscribers_[++handle_] = std::move(fn);
    return handle_;
  }
  void unsubscribe(int handle) override {
    const std::lock_guard lock(mutex_);
    subscribers_.erase(handle);
  }

  std::uint64_t add(Event event) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = removed_ + entries_.size() + 1;
    entries_.push_back({number, std::move(event)});
    for (const auto& [handle, fn] : subscribers_) fn();
    return number;
  }
  void add_numbered(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t n = from; n <= to; ++n) add(numbered(n));
  }
  void remove_first(std::size_t count) {
    const std::lock_guard lock(mutex_);
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count));
    removed_ += count;
  }
  void fail_next(int reads) {
    const std::lock_guard lock(mutex_);
    failures_ = reads;
  }
  std::size_t cursor_writes() const {
    const std::lock_guard lock(mutex_);
    return cursor_writes_;
  }
  std::vector<std::string> released() const {
    const std::lock_guard lock(mutex_);
    return released_;
  }
  std::uint64_t stored_cursor(const std::string& sink) const {
    const std::lock_guard lock(mutex_);
    const auto it = cursors_.find(sink);
    return it == cursors_.end() ? 0 : it->second;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<JournalEntry> entries_;
  std::uint64_t removed_ = 0;
  std::map<std::string, std::uint64_t> cursors_;
  std::vector<std::string> released_;
  std::map<int, std::function<void()>> subscribers_;
  int handle_ = 0;
  mutable int failures_ = 0;
  std::size_t cursor_writes_ = 0;
};

/// Runs the io_context until `done` or the time is over; true when done.
inline bool run_until(boost::asio::io_context& io, const std::function<bool()>& done,
                      std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    io.restart();
    io.run_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline std::vector<JournalEntry> entries(std::uint64_t from, std::uint64_t to) {
  std::vector<JournalEntry> out;
  for (std::uint64_t n = from; n <= to; ++n) out.push_back({n, numbered(n)});
  return out;
}

}  // namespace lapwing::sinks::testing
