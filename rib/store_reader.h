// Reads of the database: the tables at start, routes by prefix, history, blind intervals.
//
// Thread: any; the caller holds `Database::lock()` and has seen that `db()` is there.
// Owns: nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rib/store.h"
#include "rib/store_database.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

/// All of it to `visitor`. False and a sentence in `error` where something cannot be read.
bool load_all(const Database& database, LoadVisitor& visitor, std::string& error);
/// See Store::load_states.
bool load_states(const Database& database, const Store::StateFn& fn, std::string& error);

/// All neighbours, in ascending order of id; fails as `load_all` does.
bool load_peers(const Database& database, std::vector<PeerRecord>& out, std::string& error);

/// See Store::routes.
void read_routes(const Database& database, const std::optional<Prefix>& prefix, Match match,
                 const std::vector<PeerId>& peers, const Store::RouteFn& fn,
                 const std::optional<Store::RoutePosition>& after);

std::vector<BlindInterval> read_blind(const Database& database, PeerId peer);

/// See Store::history.
void read_history(const Database& database, const Prefix& prefix, Timestamp from, Timestamp to,
                  const Store::HistoryFn& fn);

/// An entry of column family `history`; `before` points into the value.
struct HistoryEntry {
  HistoryKey key;
  PeerId peer = 0;
  std::optional<std::string_view> before;  // none: there was no route
};
bool read_history_entry(std::string_view key, std::string_view value, HistoryEntry& out);

/// Every kept change after `micros`, in no order. Not OK: what could be read was told.
rocksdb::Status read_changes_after(const Database& database, const rocksdb::ReadOptions& options,
                                   const HistoryLog& log, std::uint64_t micros,
                                   const HistoryLog::RowFn& fn);

/// Fills in what RocksDB says of itself.
void read_measures(const Database& database, StoreMeasures& out);

/// The octets of paths, as they are at one snapshot; keeps the last ones read.
class PathReader {
 public:
  PathReader(const Database& database, const rocksdb::ReadOptions& options)
      : database_(database), options_(options) {}
  /// Lives until the next call; nullopt where it is not there or damaged.
  std::optional<Octets> read(PathId id);

 private:
  const Database& database_;
  const rocksdb::ReadOptions options_;
  PathId id_ = kNoPath;
  bool found_ = false;
  std::string value_;
};

/// A snapshot for as long as this lives.
class Snapshot {
 public:
  explicit Snapshot(rocksdb::DB* db) : db_(db), snapshot_(db->GetSnapshot()) {}
  ~Snapshot() { db_->ReleaseSnapshot(snapshot_); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  rocksdb::ReadOptions options() const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    return options;
  }

 private:
  rocksdb::DB* const db_;
  const rocksdb::Snapshot* const snapshot_;
};

/// The value of a route: path id varint, time varint.
bool read_route_value(std::string_view value, PathId& path, Timestamp& since);

}  // namespace lapwing::rib
