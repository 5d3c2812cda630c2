// Rows of history that came many at a time: segment files of compressed blocks, beside RocksDB.
//
// A large group would cost RocksDB about two microseconds a row, most of it for sorting the same
// rows again in compaction. Here they are written once, in blocks of kBlockRows rows in order of
// NLRI, so that a look-up opens one block of each group. Rows of small groups stay in the column
// family; a reader merges both by row number.
//
// A row counts once the number of the next row in meta lies beyond it: `append` comes before the
// write of the group, and what was not committed is cut off at the next `open`. Format:
// docs/FORMATS.md.
// Thread: `append`, `undo_append`, `drop_before`, `drop_beyond` store thread; `read`, `bytes` any.
// Owns: the files below its directory, an index of their blocks in memory.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/record.h"
#include "lapwing/detector.h"
#include "lapwing/path.h"

namespace lapwing::rib {

/// Makes durable which files and directories are in it.
rocksdb::Status sync_directory(rocksdb::Env& env, const std::filesystem::path& path);

/// A change of a route as the history keeps it: what was before it.
struct LoggedRow {
  std::uint64_t row = 0;
  std::uint64_t micros = 0;
  PeerId peer = 0;
  bgp::NlriKey nlri;
  bool had_route = false;
  Octets before;  // where had_route; not owned
};

/// Packs the rows of one group.
class HistoryBlocks {
 public:
  /// No row has a smaller number or time than these.
  HistoryBlocks(std::uint64_t base_row, std::uint64_t base_micros);
  ~HistoryBlocks();
  /// In order of NLRI (the path identifier does not count), then row.
  void add(const LoggedRow& row);
  /// The blocks; after the last row.
  std::string finish();

 private:
  static constexpr std::uint32_t kBlockRows = 2048;
  void end_block();

  struct Packer;
  std::unique_ptr<Packer> packer_;
  const std::uint64_t base_row_, base_micros_;
  std::uint64_t last_row_, last_micros_;  // of the present block, as are the next four
  std::uint32_t count_ = 0;
  std::string first_, last_;  // NLRI
  std::string rows_;
  std::string out_;
};

class HistoryLog {
 public:
  static constexpr std::uint64_t kSegmentBytes = 64u << 20;

  /// Reads the index of what is there and cuts off rows from `next_row` on. `warn` is told of
  /// damaged segments, which are read as far as they are sound.
  static rocksdb::Status open(rocksdb::Env& env, const std::filesystem::path& directory,
                              std::uint64_t next_row,
                              const std::function<void(std::string_view)>& warn,
                              std::unique_ptr<HistoryLog>& out);
  /// The same to read from only, beside a Lapwing that writes: nothing is cut off.
  static rocksdb::Status open_to_read(rocksdb::Env& env, const std::filesystem::path& directory,
                                      std::uint64_t next_row,
                                      const std::function<void(std::string_view)>& warn,
                                      std::unique_ptr<HistoryLog>& out);
  struct Findings {
    std::uint64_t rows = 0;
    std::vector<std::string> faults;  // damage, and where
    std::vector<std::string> notes;   // what a crash leaves
  };
  /// Reads every block; changes nothing.
  static rocksdb::Status check(rocksdb::Env& env, const std::filesystem::path& directory,
                               std::uint64_t next_row, Findings& out);
  ~HistoryLog();

  /// Writes and syncs the blocks of one group, whose first row is `first_row`.
  rocksdb::Status append(std::uint64_t first_row, const std::string& blocks);
  /// The group of the last `append` was not written after all.
  void undo_append();
  /// Whole segments whose rows are all older go.
  void drop_before(std::uint64_t micros);
  /// The oldest segments go until no more than `limit` octets are left; the time of the newest row
  /// that went, 0 for none.
  std::uint64_t drop_beyond(std::uint64_t limit);
  std::uint64_t bytes() const;

  /// Rows below `next_row` whose time is at least `from`: of one prefix, whatever its SAFI, route
  /// distinguisher and path identifier, or all where `prefix` is null; in no order. Not OK: what
  /// could be read was told.
  using RowFn = std::function<void(const LoggedRow&)>;
  rocksdb::Status read(const bgp::NlriKey* prefix, std::uint64_t from, std::uint64_t next_row,
                       const RowFn& fn) const;

 private:
  struct Block;
  struct Segment;
  HistoryLog(rocksdb::Env& env, std::filesystem::path directory);
  struct File;
  /// The segments that are there, in order.
  static rocksdb::Status list(rocksdb::Env& env, const std::filesystem::path& directory,
                              std::uint64_t next_row, std::vector<File>& out);
  /// Rows beyond its end are cut off; `*cut` then becomes true. Null: they are left alone.
  rocksdb::Status load(const File& listed, const std::function<void(std::string_view)>& warn,
                       bool* cut);
  rocksdb::Status load_all(std::uint64_t next_row,
                           const std::function<void(std::string_view)>& warn, bool* cut);
  rocksdb::Status begin_segment(std::uint64_t first_row);
  void remove_first();
  static rocksdb::Status check_segment(rocksdb::Env& env, const File& listed, Findings& out);
  static rocksdb::Status read_block(const Segment& segment, const Block& block, std::string& rows);

  rocksdb::Env& env_;
  const std::filesystem::path directory_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Segment>> segments_;  // by first row; guarded by mutex_
  // Store thread:
  std::shared_ptr<Segment> open_;
  std::unique_ptr<rocksdb::WritableFile> file_;  // of open_
  std::uint64_t begin_of_append_ = 0;
};

}  // namespace lapwing::rib
