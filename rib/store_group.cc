#include "rib/store_group.h"

#include <algorithm>
#include <array>
#include <boost/sort/pdqsort/pdqsort.hpp>
#include <tuple>

#include "lapwing/prefetch.h"
#include "lapwing/sort_unique.h"
#include "rib/store_codec.h"
#include "rib/store_history_log.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

namespace {

// From here on, blocks of the history's own log cost less than entries of a column family.
constexpr std::size_t kLargeHistory = 4096;
// How many reads ahead memory is asked for.
constexpr std::size_t kAhead = 8;

/// Reads sets one after the other; neighbouring rows often name the same.
class SetReader {
 public:
  explicit SetReader(const Dictionary& dictionary) : dictionary_(dictionary) {}
  /// Valid until the next call; kNoPath: none.
  Octets read(PathId id) {
    if (id != latest_) octets_ = id == kNoPath ? Octets() : dictionary_.path_octets(id, buffer_);
    latest_ = id;
    return octets_;
  }

 private:
  const Dictionary& dictionary_;
  PathBuffer buffer_;
  PathId latest_ = kNoPath;
  Octets octets_;
};

/// Sorts by key; of equal keys the last stays. Writes them to `cf`.
template <typename Items>
void emit_last_of_each(EntrySink& sink, Cf cf, Items& items) {
  if (items.empty()) return;
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.key < b.key; });
  sink.begin(cf);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i + 1 < items.size() && items[i].key == items[i + 1].key) continue;
    if (items[i].value)
      sink.put(items[i].key, *items[i].value);
    else
      sink.erase(items[i].key);
  }
}

}  // namespace

// Numbers spaces as they come; `finish` renumbers them by their order.
class Group::SpaceTable {
 public:
  std::uint32_t number(const Space& space) {
    if (!spaces_.empty() && spaces_[last_] == space) return last_;
    const auto [it, is_new] =
        numbers_.try_emplace(space, static_cast<std::uint32_t>(spaces_.size()));
    if (is_new) spaces_.push_back(space);
    return last_ = it->second;
  }
  template <typename Item>
  std::vector<Space> finish(std::vector<Item>& items) {
    std::vector<std::uint32_t> order(spaces_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [this](std::uint32_t a, std::uint32_t b) { return spaces_[a] < spaces_[b]; });
    std::vector<std::uint32_t> rank(spaces_.size());
    std::vector<Space> sorted;
    sorted.reserve(spaces_.size());
    for (const std::uint32_t i : order) {
      rank[i] = static_cast<std::uint32_t>(sorted.size());
      sorted.push_back(spaces_[i]);
    }
    for (Item& item : items) item.space = rank[item.space];
    return sorted;
  }

 private:
  std::unordered_map<Space, std::uint32_t, SpaceHash> numbers_;
  std::vector<Space> spaces_;
  std::uint32_t last_ = 0;
};

Group::Group(const std::vector<Commit>& commits, const Dictionary& dictionary, bool keep_history,
             std::uint64_t history_row)
    : dictionary_(dictionary), history_row_(history_row) {
  add_routes(commits, keep_history);
  add_paths(commits);
  add_states(commits);
  add_small(commits);
}

std::size_t Group::entries() const {
  std::size_t n = routes_.size() + paths_.size() + history_.size() + states_.size();
  for (const auto& entries : small_) n += entries.size();
  return n;
}

bgp::NlriKey Group::key_of(const Space& space, const RouteItem& item) {
  bgp::NlriKey key;
  key.high = item.high;
  key.low = item.low;
  key.rd = space.rd;
  key.path_id = static_cast<std::uint32_t>(item.tail);
  key.afi = space.afi;
  key.safi = space.safi;
  key.length = static_cast<std::uint8_t>(item.tail >> 33);
  key.has_path_id = static_cast<std::uint8_t>(item.tail >> 32 & 1);
  return key;
}

void Group::add_routes(const std::vector<Commit>& commits, bool keep_history) {
  std::size_t count = 0, with_history = 0;
  for (const Commit& commit : commits) {
    count += commit.routes.size();
    if (keep_history && commit.record_history) with_history += commit.routes.size();
  }
  routes_.reserve(count);
  values_.reserve(count);
  history_.reserve(with_history);
  history_is_large_ = with_history >= kLargeHistory;
  SpaceTable spaces, history_spaces;
  // Routes of a removed peer that were written before its removal must not come back.
  std::unordered_map<PeerId, std::uint32_t> removed_at;
  std::uint64_t history_micros = 0;
  for (const Commit& commit : commits) {
    const std::uint64_t base = stored_micros(commit.base);
    for (std::size_t i = 0; i < commit.routes.size(); ++i) {
      const RouteWrite& write = commit.routes[i];
      if (i + kAhead < commit.routes.size())
        dictionary_.prefetch_nlri(commit.routes[i + kAhead].prefix);
      const bgp::NlriKey key = dictionary_.nlri_key(write.prefix);
      const std::uint64_t micros = base + write.time_offset_us;
      const auto index = static_cast<std::uint32_t>(routes_.size());
      const std::uint64_t tail = static_cast<std::uint64_t>(key.length) << 33 |
                                 static_cast<std::uint64_t>(key.has_path_id) << 32 | key.path_id;
      routes_.push_back(
          {key.high, key.low, tail, spaces.number({write.peer, key.afi, key.safi, key.rd}), index});
      values_.push_back({micros, write.after, kNoRow});
      if (!keep_history || !commit.record_history || write.before == write.after) continue;
      // Rows are numbered in order; their times follow that order.
      history_micros = std::max(history_micros, micros);
      if (history_.empty()) history_base_micros_ = history_micros;
      values_.back().history = static_cast<std::uint32_t>(history_.size());
      const std::uint32_t hour = history_is_large_ ? 0 : history_hour(history_micros);
      history_.push_back(
          {key.high, key.low, history_micros,
           history_spaces.number({hour, key.afi, key.safi, key.rd}),
           static_cast<std::uint32_t>(history_.size()), write.peer, write.before, key.path_id,
           key.length, key.has_path_id});
    }
    for (const PeerId peer : commit.removed_peers) {
      removed_.push_back(peer);
      removed_at[peer] = static_cast<std::uint32_t>(routes_.size());
    }
  }
  spaces_ = spaces.finish(routes_);
  history_spaces_ = history_spaces.finish(history_);
  sort_unique(removed_);

  boost::sort::pdqsort(routes_.begin(), routes_.end(), [](const RouteItem& a, const RouteItem& b) {
    if (a.space != b.space) return a.space < b.space;
    if (a.high != b.high) return a.high < b.high;
    if (a.low != b.low) return a.low < b.low;
    if (a.tail != b.tail) return a.tail < b.tail;
    return a.index < b.index;
  });
  order_history();
  if (!removed_at.empty())
    std::erase_if(routes_, [&](const RouteItem& item) {
      const auto it = removed_at.find(spaces_[item.space].peer);
      return it != removed_at.end() && item.index < it->second;
    });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    const RouteItem& item = routes_[i];
    if (i + 1 < routes_.size()) {
      const RouteItem& next = routes_[i + 1];
      if (item.high == next.high && item.tail == next.tail && item.low == next.low &&
          item.space == next.space)
        continue;
    }
    routes_[kept++] = item;
  }
  routes_.resize(kept);
  boost::sort::pdqsort(history_.begin(), history_.end(),
                       [](const HistoryItem& a, const HistoryItem& b) {
                         return std::tie(a.space, a.high, a.low, a.length, a.index) <
                                std::tie(b.space, b.high, b.low, b.length, b.index);
                       });
}

/// As the routes are, which is all that the sort has to do where they are those of one neighbour.
void Group::order_history() {
  std::vector<HistoryItem> ordered;
  ordered.reserve(history_.size());
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (i + 2 * kAhead < routes_.size()) prefetch_line(&values_[routes_[i + 2 * kAhead].index]);
    if (i + kAhead < routes_.size()) {
      const std::uint32_t row = values_[routes_[i + kAhead].index].history;
      if (row != kNoRow) prefetch_line(&history_[row]);
    }
    const std::uint32_t row = values_[routes_[i].index].history;
    if (row != kNoRow) ordered.push_back(history_[row]);
  }
  history_ = std::move(ordered);
}

void Group::add_paths(const std::vector<Commit>& commits) {
  std::size_t count = 0;
  for (const Commit& commit : commits) count += commit.new_paths.size();
  paths_.reserve(count);
  for (const Commit& commit : commits)
    paths_.insert(paths_.end(), commit.new_paths.begin(), commit.new_paths.end());
  boost::sort::pdqsort(paths_.begin(), paths_.end());
  paths_.erase(std::unique(paths_.begin(), paths_.end()), paths_.end());
}

void Group::add_states(const std::vector<Commit>& commits) {
  std::size_t count = 0;
  for (const Commit& commit : commits) count += commit.states.size();
  states_.reserve(count);
  for (const Commit& commit : commits)
    for (std::size_t i = 0; i < commit.states.size(); ++i) {
      const StateWrite write = commit.states[i];
      states_.push_back({write.stored_key, write.value});
    }
}

void Group::add_small(const std::vector<Commit>& commits) {
  std::optional<Timestamp> alive;
  for (const Commit& commit : commits) {
    alive = commit.alive_until;
    for (const PeerRecord& peer : commit.peers)
      small(Cf::kPeers).push_back({be32_key(peer.id), encode_peer(peer)});
    for (const BlindInterval& interval : commit.blind)
      small(Cf::kBlind)
          .push_back({blind_key(interval.peer, interval.range.from), encode_blind(interval)});
  }
  if (alive) {
    std::string value;
    append_varint(value, stored_micros(*alive));
    small(Cf::kMeta).push_back({std::string(meta_key::kAlive), std::move(value)});
  }
}

void Group::emit_routes(EntrySink& sink) const {
  if (routes_.empty() && removed_.empty()) return;
  sink.begin(Cf::kRoutes);
  for (const PeerId peer : removed_) {
    const std::string from = be32_key(peer);
    sink.erase_range(from, key_after(from));
  }
  char key[kMaxRouteKey];
  char value[20];
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (i + kAhead < routes_.size()) prefetch_line(&values_[routes_[i + kAhead].index]);
    const RouteItem& item = routes_[i];
    const Space& space = spaces_[item.space];
    const char* end = write_nlri(write_be32(key, space.peer), key_of(space, item), true);
    const std::string_view octets(key, static_cast<std::size_t>(end - key));
    const RouteValue& route = values_[item.index];
    if (route.after == kNoPath) {
      sink.erase(octets);
    } else {
      const char* value_end = write_varint64(write_varint64(value, route.after), route.micros);
      sink.put(octets, {value, static_cast<std::size_t>(value_end - value)});
    }
  }
}

void Group::emit_paths(EntrySink& sink) const {
  if (paths_.empty()) return;
  sink.begin(Cf::kPaths);
  std::string value;
  PathBuffer buffer;
  char key[4];
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    if (i + 2 * kAhead < paths_.size()) dictionary_.prefetch_path(paths_[i + 2 * kAhead], 0);
    if (i + kAhead < paths_.size()) dictionary_.prefetch_path(paths_[i + kAhead], 1);
    const PathId id = paths_[i];
    value.clear();
    append_path_value(value, dictionary_.path_octets(id, buffer));
    write_be32(key, id);
    sink.put({key, sizeof key}, value);
  }
}

bgp::NlriKey Group::nlri_of(const HistoryItem& item) const {
  const Space& space = history_spaces_[item.space];
  bgp::NlriKey nlri;
  nlri.high = item.high;
  nlri.low = item.low;
  nlri.rd = space.rd;
  nlri.path_id = item.path_id;
  nlri.afi = space.afi;
  nlri.safi = space.safi;
  nlri.length = item.length;
  nlri.has_path_id = item.has_path_id;
  return nlri;
}

void Group::emit_history(EntrySink& sink) const {
  if (history_.empty() || history_is_large_) return;
  sink.begin(Cf::kHistory);
  char key[kMaxHistoryKey];
  std::string value;
  SetReader paths(dictionary_);
  for (const HistoryItem& item : history_) {
    char* end = write_be32(key, history_spaces_[item.space].peer);
    end = write_nlri(end, nlri_of(item), false);
    end = write_history_tail(end, item.micros, history_row_ + item.index);
    value.clear();
    append_varint(value, item.peer);
    const bool had_route = item.before != kNoPath;
    value += static_cast<char>((had_route ? 1 : 0) | (item.has_path_id != 0 ? 2 : 0));
    if (item.has_path_id != 0) append_varint(value, item.path_id);
    if (had_route) value.append(as_text(paths.read(item.before)));
    sink.put({key, static_cast<std::size_t>(end - key)}, value);
  }
}

std::string Group::history_blocks() const {
  HistoryBlocks blocks(history_row_, history_base_micros_);
  const auto prefetch = [&](std::size_t at, int step) {
    if (at < history_.size() && history_[at].before != kNoPath)
      dictionary_.prefetch_path(history_[at].before, step);
  };
  SetReader paths(dictionary_);
  for (std::size_t i = 0; i < history_.size(); ++i) {
    prefetch(i + 2 * kAhead, 0);
    prefetch(i + kAhead, 1);
    const HistoryItem& item = history_[i];
    blocks.add({history_row_ + item.index, item.micros, item.peer, nlri_of(item),
                item.before != kNoPath, paths.read(item.before)});
  }
  return blocks.finish();
}

void Group::emit(EntrySink& sink) {
  for (std::size_t i = 0; i < kCfCount; ++i) {
    const Cf cf = static_cast<Cf>(i);
    if (cf == Cf::kRoutes) {
      emit_routes(sink);
    } else if (cf == Cf::kPaths) {
      emit_paths(sink);
    } else if (cf == Cf::kHistory) {
      emit_history(sink);
    } else if (cf == Cf::kState) {
      emit_last_of_each(sink, cf, states_);
    } else {
      emit_last_of_each(sink, cf, small_[i]);
    }
  }
}

}  // namespace lapwing::rib
