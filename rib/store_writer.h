// Writes one group of commits atomically: a WriteBatch where it is small, ingested tables where
// large.
//
// Thread: store. Owns: nothing durable; the numbers of the next group and history row.
#pragma once

#include <cstdint>
#include <vector>

#include "rib/commit.h"
#include "rib/store_database.h"
#include "rib/store_journal.h"

namespace lapwing::rib {

class StoreWriter {
 public:
  StoreWriter(Database& database, StoreJournal& journal) : database_(database), journal_(journal) {}

  void set_dictionary(const Dictionary& dictionary) { dictionary_ = &dictionary; }
  /// Reads the numbers that the database holds; at start and after each reopening.
  void reload();

  /// All of `commits` or nothing. On success the journal has been told.
  rocksdb::Status write(const std::vector<Commit>& commits);
  /// Cursors that moved, without a sync.
  rocksdb::Status write_cursors();
  /// Makes durable what was written without a sync.
  rocksdb::Status sync();
  bool unsynced() const { return unsynced_; }

 private:
  rocksdb::Status write_batch(Group& group, bool sync);
  rocksdb::Status ingest_tables(Group& group);
  void keep_history(const std::vector<Commit>& commits);

  Database& database_;
  StoreJournal& journal_;
  const Dictionary* dictionary_ = nullptr;
  std::uint64_t group_ = 0;        // groups written
  std::uint64_t history_row_ = 0;  // next
  std::uint64_t history_from_ = 0;  // as the database has it
  std::uint64_t table_ = 0;        // table files made by this process
  bool unsynced_ = false;          // the write-ahead log holds groups without a sync
};

}  // namespace lapwing::rib
