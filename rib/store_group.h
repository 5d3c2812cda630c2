// A group: consecutive commits that are written as one, in the order in which tables want them.
//
// The constructor sorts and coalesces; paths stay ids until `emit`, which is called once.
// Of several writes to one key only the last stays. Keys come out ascending in each column family.
// Thread: store. Owns: copies of keys; the octets of paths stay in the dictionary, those of states in
// the commits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rib/commit.h"
#include "rib/store_database.h"

namespace lapwing::rib {

/// Where a group is written: one WriteBatch, or one sorted table file for each column family.
class EntrySink {
 public:
  virtual ~EntrySink() = default;
  /// Entries of `cf` follow. Each family comes at most once.
  virtual void begin(Cf cf) = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  /// [from, to); comes before the puts of its family, which it does not touch.
  virtual void erase_range(std::string_view from, std::string_view to) = 0;
};

/// A small entry; no value: erase.
struct Entry {
  std::string key;
  std::optional<std::string> value;
};
class Group {
 public:
  /// `history_row` is the number of the next row of history.
  Group(const std::vector<Commit>& commits, const Dictionary& dictionary, bool keep_history,
        std::uint64_t history_row);

  std::size_t entries() const;
  std::uint64_t next_history_row() const { return history_row_ + history_.size(); }
  /// So many rows of history that they go to the HistoryLog; `emit` leaves them out then.
  bool history_is_large() const { return history_is_large_; }
  /// The rows, for HistoryLog::append.
  std::string history_blocks() const;
  /// Entries of families other than routes, paths, states and history may be added before `emit`.
  std::vector<Entry>& small(Cf cf) { return small_[static_cast<std::size_t>(cf)]; }
  void emit(EntrySink& sink);

 private:
  /// All routes of one peer, family and RD: what their keys begin with.
  struct Space {
    PeerId peer = 0;
    std::uint8_t afi = 0;
    std::uint8_t safi = 0;
    std::uint64_t rd = 0;
    friend auto operator<=>(const Space&, const Space&) = default;
  };
  struct SpaceHash {
    std::size_t operator()(const Space& s) const {
      return (s.rd * 0x9e3779b97f4a7c15 + s.peer) * 0x9e3779b97f4a7c15 + s.afi * 256u + s.safi;
    }
  };
  class SpaceTable;
  struct RouteItem {
    std::uint64_t high;
    std::uint64_t low;
    std::uint64_t tail;  // length, has_path_id, path_id
    std::uint32_t space;
    std::uint32_t index;
  };
  struct RouteValue {
    std::uint64_t micros;
    PathId after;
    std::uint32_t history;  // its row in history_, before that is sorted; kNoRow: none
  };
  struct HistoryItem {
    std::uint64_t high;
    std::uint64_t low;
    std::uint64_t micros;
    std::uint32_t space;  // its `peer` is the hour, or 0 where the history is large
    std::uint32_t index;  // order of the changes
    PeerId peer;
    PathId before;
    std::uint32_t path_id;
    std::uint8_t length;
    std::uint8_t has_path_id;
  };

  /// A detector's state, in a commit's octets; no value: erase.
  struct StateItem {
    std::string_view key;
    std::optional<std::string_view> value;
  };

  void add_routes(const std::vector<Commit>& commits, bool keep_history);
  void add_paths(const std::vector<Commit>& commits);
  void order_history();
  void add_states(const std::vector<Commit>& commits);
  void add_small(const std::vector<Commit>& commits);
  void emit_routes(EntrySink& sink) const;
  void emit_paths(EntrySink& sink) const;
  void emit_history(EntrySink& sink) const;
  bgp::NlriKey nlri_of(const HistoryItem& item) const;
  static bgp::NlriKey key_of(const Space& space, const RouteItem& item);

  static constexpr std::uint32_t kNoRow = 0xffffffff;

  const Dictionary& dictionary_;
  const std::uint64_t history_row_;
  std::vector<Space> spaces_;
  std::vector<RouteItem> routes_;
  std::vector<RouteValue> values_;
  std::vector<Space> history_spaces_;
  std::vector<HistoryItem> history_;
  bool history_is_large_ = false;
  std::uint64_t history_base_micros_ = 0;
  std::vector<PathId> paths_;
  std::vector<PeerId> removed_;
  std::vector<StateItem> states_;
  std::array<std::vector<Entry>, kCfCount> small_;
};

}  // namespace lapwing::rib
