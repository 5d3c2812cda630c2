// The RocksDB database of the store: its column families, its options, how it is opened and healed.
//
// Layout below `StoreOptions::path`: `db/` (RocksDB), `history/` (HistoryLog), `ingest/` (table
// files on their way in), `synced` (marker, see below). The marker holds the number of the last group
// of commits that was acknowledged as synced; `open` compares it with what the database has recovered.
// Thread: readers hold `lock()` while they use `db()`; the store thread alone writes and calls
// `recover`. Owns: the database, the marker file.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "rib/store.h"
#include "rib/store_history_log.h"

namespace lapwing::rib {

/// Column families, in the order in which a group is written.
enum class Cf : std::uint8_t {
  kMeta,
  kPeers,
  kRoutes,
  kPaths,
  kState,
  kHistory,
  kEvents,
  kCursors,
  kBlind,
};
inline constexpr std::size_t kCfCount = 9;

namespace meta_key {
inline constexpr std::string_view kFormat = "format";  // major version, decimal text
inline constexpr std::string_view kGroup = "group";    // groups written, varint
inline constexpr std::string_view kAlive = "alive";    // Commit::alive_until, varint micros
inline constexpr std::string_view kHistoryRow = "history-row";  // next row number, varint
inline constexpr std::string_view kHistoryFrom = "history-from";  // older rows went, varint micros
inline constexpr std::string_view kLastEvent = "last-event";    // highest journal number, varint
}  // namespace meta_key

class Database {
 public:
  /// nullptr and a sentence in `error` where it cannot be opened.
  static std::unique_ptr<Database> open(const StoreOptions& options, std::string& error);
  /// The same to read from only: nothing is created, locked or written, and another process may have
  /// it open. What that process writes later is not seen.
  static std::unique_ptr<Database> open_read_only(
      const StoreOptions& options, std::string& error,
      rocksdb::WALRecoveryMode mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery);
  /// As that, to look for faults: where the write-ahead log is damaged before its end, `error` says
  /// so, and what stands before that is opened.
  static std::unique_ptr<Database> open_to_check(const StoreOptions& options, std::string& error);
  /// What the marker says; none where it is not there, empty or damaged.
  static std::optional<std::uint64_t> synced_group(const std::filesystem::path& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  std::shared_lock<std::shared_mutex> lock() const { return std::shared_lock(mutex_); }
  /// nullptr while the database could not be opened again after a failure.
  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* handle(Cf cf) const {
    return handles_[static_cast<std::size_t>(cf)];
  }
  rocksdb::Options table_options(Cf cf) const;
  std::filesystem::path ingest_path() const { return options_.path / "ingest"; }
  const StoreOptions& options() const { return options_; }
  const std::string& recovery_report() const { return recovery_report_; }

  void warn(std::string_view text) const;
  rocksdb::Status get(Cf cf, std::string_view key, std::string& value) const;
  /// A number of column family meta; `fallback` where there is none.
  std::uint64_t meta_number(std::string_view key, std::uint64_t fallback,
                            const rocksdb::ReadOptions& options = {}) const;

  /// Notes in the marker that groups up to `group` are synced.
  void mark_synced(std::uint64_t group);
  /// From now on RocksDB merges the tables of routes as soon as there are two (nothing else is to be
  /// done), or only when there are many. Store thread.
  void tidy(bool eagerly);
  /// After a failed write: closes and opens again once the file system takes writes. True where
  /// that worked; otherwise `error` says what failed.
  bool recover(std::string& error);
  HistoryLog& history_log() const { return *history_log_; }
  /// Rows of history that are older than this went, or may go at any time.
  std::uint64_t history_from() const;
  /// Store thread.
  void keep_history_from(std::uint64_t micros);
  /// Lets the oldest history go until no more than `limit` octets are left. Store thread.
  void keep_history_within(std::uint64_t limit);

 private:
  class HistoryFilterFactory;

  explicit Database(const StoreOptions& options);
  rocksdb::ColumnFamilyOptions cf_options(Cf cf) const;
  std::string prepare_directories();
  rocksdb::Status open_db(bool read_only);
  void close_db();
  std::string check_owner() const;
  std::string check_format(bool read_only);
  rocksdb::Status open_history();
  std::string read_marker();

  const StoreOptions options_;
  rocksdb::DBOptions db_options_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<HistoryFilterFactory> history_filter_;
  mutable std::shared_mutex mutex_;  // guards db_ and the handles against `recover`
  std::unique_ptr<rocksdb::DB> db_;
  std::array<rocksdb::ColumnFamilyHandle*, kCfCount> handles_{};
  std::vector<rocksdb::ColumnFamilyHandle*> all_handles_;
  std::unique_ptr<HistoryLog> history_log_;  // guarded as db_ is
  std::string recovery_report_;
  int marker_ = -1;
  bool tidy_ = false;  // eagerly
};

inline rocksdb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view view(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

}  // namespace lapwing::rib
