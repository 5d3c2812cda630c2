#include "rib/store_queue.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <iterator>
#include <utility>

#include "lapwing/sort_unique.h"

namespace lapwing::rib {

namespace {

constexpr std::size_t kMaxGroupRoutes = 200'000;
// Beyond this many routes at once the engine is busy: waiting makes larger, cheaper groups.
constexpr std::size_t kBusyRoutes = 1024;
constexpr std::chrono::milliseconds kQuiet{4};
constexpr std::chrono::milliseconds kLingerRoutes{250};
// An event is not to wait long, unless so much changes that small groups would cost more time than
// they save: each is a set of table files.
constexpr std::chrono::milliseconds kLingerEvents{50};
constexpr std::size_t kManyRoutes = 8192;

bool can_join(const Commit& first, const Commit& next) {
  // Without routes there is no history, and `base` says nothing.
  if (first.routes.empty() || next.routes.empty()) return true;
  return first.record_history == next.record_history && next.base >= first.base &&
         next.base - first.base < std::chrono::minutes(35);
}

void append(Commit& to, Commit&& from) {
  if (to.routes.empty()) {
    to.base = from.base;
    to.record_history = from.record_history;
  }
  const auto shift = static_cast<std::uint64_t>((from.base - to.base).count());
  for (RouteWrite& write : from.routes) {
    const std::uint64_t offset = shift + write.time_offset_us;
    write.time_offset_us = static_cast<std::uint32_t>(std::min<std::uint64_t>(offset, UINT32_MAX));
  }
  const auto move_all = [](auto& into, auto& source) {
    into.insert(into.end(), std::make_move_iterator(source.begin()),
                std::make_move_iterator(source.end()));
  };
  move_all(to.routes, from.routes);
  move_all(to.new_paths, from.new_paths);
  to.states.append(std::move(from.states));
  move_all(to.peers, from.peers);
  move_all(to.blind, from.blind);
  move_all(to.removed_peers, from.removed_peers);
  move_all(to.events, from.events);
  to.path_octets += from.path_octets;
  to.sequence = from.sequence;
  to.alive_until = from.alive_until;
}

void coalesce(Commit& commit) {
  struct Seen {
    std::size_t last = 0;
    PathId before = kNoPath;
  };
  boost::unordered_flat_map<std::uint64_t, Seen> seen;
  seen.reserve(commit.routes.size());
  const auto id = [](const RouteWrite& w) {
    return static_cast<std::uint64_t>(w.peer) << 32 | w.prefix;
  };
  for (std::size_t i = 0; i < commit.routes.size(); ++i)
    seen.try_emplace(id(commit.routes[i]), Seen{0, commit.routes[i].before}).first->second.last = i;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < commit.routes.size(); ++i) {
    const Seen& s = seen.find(id(commit.routes[i]))->second;
    if (s.last != i || (s.before == kNoPath && commit.routes[i].after == kNoPath)) continue;
    commit.routes[kept] = commit.routes[i];
    commit.routes[kept++].before = s.before;
  }
  commit.routes.resize(kept);
  commit.routes.shrink_to_fit();
  commit.states.keep_last_of_each();
}

}  // namespace

std::size_t footprint(const Commit& commit) {
  return sizeof(Commit) + commit.path_octets + commit.routes.capacity() * sizeof(RouteWrite) +
         commit.new_paths.capacity() * sizeof(PathId) + commit.states.octets() +
         commit.peers.size() * 256 + commit.blind.size() * 128 + commit.events.size() * 4096;
}

std::uint64_t pending_of(const Commit& commit) {
  return commit.empty() ? 0 : std::max<std::uint64_t>(commit.routes.size(), 1);
}

void join_commits(std::deque<Commit>& commits) {
  std::deque<Commit> joined;
  for (Commit& commit : commits) {
    if (!joined.empty() && can_join(joined.back(), commit))
      append(joined.back(), std::move(commit));
    else
      joined.push_back(std::move(commit));
  }
  for (Commit& commit : joined) coalesce(commit);
  commits = std::move(joined);
}

void CommitQueue::push(Commit&& commit) {
  const std::size_t bytes = footprint(commit);
  std::unique_lock lock(mutex_);
  has_room_.wait(lock, [&] {
    return !well_ || stopped_ || waiting_bytes_ + taken_bytes_ == 0 ||
           waiting_bytes_ + taken_bytes_ + bytes <= max_bytes_;
  });
  pending_.fetch_add(pending_of(commit), std::memory_order_release);
  waiting_bytes_ += bytes;
  waiting_routes_ += commit.routes.size();
  waiting_events_ += commit.events.size();
  ++pushes_;
  waiting_.push_back(std::move(commit));
  if (!well_ && waiting_bytes_ > join_at_) join();
  if (waiting_.size() == 1 || waiting_routes_ >= kMaxGroupRoutes) not_empty_.notify_one();
}

void CommitQueue::join() {
  std::uint64_t before = 0, after = 0;
  for (const Commit& c : waiting_) before += pending_of(c);
  join_commits(waiting_);
  waiting_bytes_ = 0;
  waiting_routes_ = 0;
  for (const Commit& c : waiting_) {
    waiting_bytes_ += footprint(c);
    waiting_routes_ += c.routes.size();
    after += pending_of(c);
  }
  pending_.fetch_sub(before - after, std::memory_order_release);
  join_at_ = std::max(max_bytes_, waiting_bytes_ + max_bytes_ / 4);
}

std::optional<CommitNames> CommitQueue::squeeze() {
  const std::lock_guard lock(mutex_);
  if (well_ || stopped_) return std::nullopt;
  join();
  CommitNames names;
  const auto add = [&](const Commit& commit) {
    for (const RouteWrite& write : commit.routes) {
      names.prefixes.push_back(write.prefix);
      for (const PathId path : {write.before, write.after})
        if (path != kNoPath) names.paths.push_back(path);
    }
  };
  for (const Commit& commit : waiting_) add(commit);
  if (taken_ != nullptr) {
    for (const Commit& commit : *taken_) {
      add(commit);
      names.paths.insert(names.paths.end(), commit.new_paths.begin(), commit.new_paths.end());
    }
  }
  sort_unique(names.prefixes);
  sort_unique(names.paths);
  // A path that came and went again while it waited: nobody reads its octets, they may go.
  for (Commit& commit : waiting_) {
    const std::size_t before = commit.new_paths.size();
    const std::uint64_t counted = pending_of(commit);
    std::erase_if(commit.new_paths, [&](PathId path) {
      return !std::binary_search(names.paths.begin(), names.paths.end(), path);
    });
    if (before == commit.new_paths.size()) continue;
    waiting_bytes_ -= footprint(commit);
    commit.path_octets = commit.path_octets / before * commit.new_paths.size();
    commit.new_paths.shrink_to_fit();
    waiting_bytes_ += footprint(commit);
    pending_.fetch_sub(counted - pending_of(commit), std::memory_order_release);
  }
  return names;
}

void CommitQueue::linger(std::unique_lock<std::mutex>& lock) {
  const Clock::time_point begin = Clock::now();
  const bool was_busy = last_group_ >= kBusyRoutes && begin - last_taken_ < kLingerRoutes;
  if (!was_busy && waiting_routes_ < kBusyRoutes) return;
  while (waiting_routes_ < kMaxGroupRoutes && !stopped_) {
    const std::uint64_t pushes = pushes_;
    not_empty_.wait_for(lock, kQuiet,
                        [this] { return waiting_routes_ >= kMaxGroupRoutes || stopped_; });
    if (pushes_ == pushes) return;
    const bool hurry = waiting_events_ != 0 && waiting_routes_ < kManyRoutes;
    if (Clock::now() - begin >= (hurry ? kLingerEvents : kLingerRoutes)) return;
  }
}

bool CommitQueue::take(std::vector<Commit>& group, std::chrono::milliseconds idle) {
  group.clear();
  std::unique_lock lock(mutex_);
  not_empty_.wait_for(lock, idle, [this] { return !waiting_.empty() || stopped_; });
  if (waiting_.empty()) return false;
  linger(lock);
  std::size_t routes = 0, bytes = 0, events = 0;
  while (!waiting_.empty() && (group.empty() || routes < kMaxGroupRoutes)) {
    Commit& next = waiting_.front();
    routes += next.routes.size();
    bytes += footprint(next);
    events += next.events.size();
    group.push_back(std::move(next));
    waiting_.pop_front();
  }
  waiting_bytes_ -= bytes;
  waiting_routes_ -= routes;
  waiting_events_ -= events;
  taken_ = &group;
  taken_bytes_ = bytes;
  last_group_ = routes;
  last_taken_ = Clock::now();
  return true;
}

void CommitQueue::written(const std::vector<Commit>& group) {
  std::uint64_t done = 0;
  for (const Commit& commit : group) done += pending_of(commit);
  pending_.fetch_sub(done, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  taken_ = nullptr;
  taken_bytes_ = 0;
  has_room_.notify_all();
}

void CommitQueue::set_well(bool well) {
  const std::lock_guard lock(mutex_);
  well_ = well;
  if (well) join_at_ = max_bytes_;
  has_room_.notify_all();
}

bool CommitQueue::sleep(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return not_empty_.wait_for(lock, time, [this] { return stopped_; });
}

void CommitQueue::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  not_empty_.notify_all();
  has_room_.notify_all();
}

std::size_t CommitQueue::bytes() const {
  const std::lock_guard lock(mutex_);
  return waiting_bytes_ + taken_bytes_;
}

bool CommitQueue::stopped() const {
  const std::lock_guard lock(mutex_);
  return stopped_;
}

}  // namespace lapwing::rib
