// The records of one MRT file, one after another, and what a replay counts.
//
//     MrtCursor cursor(path, statistics);
//     while (cursor.next(record)) …
//
// A record that cannot be framed is counted and skipped; a file that ends within a record, or whose
// compressed data are cut off, ends with a warning that says where. Several cursors may be read side
// by side: collector/mrt_source.h merges files of several collectors by time.
// Thread: its owner's. Owns: the input file; a record's octets live until the next call of `next`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bgp/mrt.h"
#include "collector/input_file.h"
#include "lapwing/time.h"

namespace lapwing::collector {

/// Something about a file that a person should know.
struct MrtWarning {
  std::string file;
  std::uint64_t offset = 0;  // octets from the start of the decompressed data
  std::string reason;
};

struct MrtStatistics {
  static constexpr std::size_t kMaxWarnings = 100;

  std::uint64_t files = 0;
  std::uint64_t octets = 0;          // decompressed
  std::uint64_t records = 0;         // framed, of any type
  std::uint64_t updates = 0;         // UPDATE messages of neighbours
  std::uint64_t opens = 0;
  std::uint64_t notifications = 0;
  std::uint64_t keepalives = 0;
  std::uint64_t refreshes = 0;       // ROUTE-REFRESH
  std::uint64_t state_changes = 0;
  std::uint64_t local_messages = 0;  // sent by the collector
  std::uint64_t announcements = 0;   // NLRI in UPDATEs
  std::uint64_t withdrawals = 0;     // NLRI in UPDATEs, treat-as-withdraw included
  std::uint64_t end_of_ribs = 0;     // sent by neighbours
  std::uint64_t prefixes = 0;        // RIB records, or TABLE_DUMP entries
  std::uint64_t table_entries = 0;   // routes in tables
  std::uint64_t malformed = 0;       // records, messages and table entries that cannot be read
  // RFC 7606: UPDATEs and table entries by the strongest finding in them.
  std::uint64_t attributes_discarded = 0;
  std::uint64_t treated_as_withdraw = 0;
  std::uint64_t would_reset = 0;
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint64_t> skipped;  // by type and subtype
  std::uint64_t after_end = 0;       // records later than the end that was asked for
  std::uint64_t lost = 0;            // messages that a recording says it has lost
  std::optional<Timestamp> first_time;  // least and greatest time of a record that was read
  std::optional<Timestamp> last_time;
  std::uint64_t warning_count = 0;
  std::vector<MrtWarning> warnings;  // the first `kMaxWarnings`

  void warn(const std::string& file, std::uint64_t offset, std::string reason);
};

class MrtCursor {
 public:
  /// A longer record is skipped: no writer makes one, and it would have to be held in memory.
  static constexpr std::uint32_t kMaxRecord = 16 << 20;

  /// `statistics` outlives the cursor.
  MrtCursor(std::string path, MrtStatistics& statistics);

  /// False when the file cannot be opened (with a warning). Call once, before `next`.
  bool open();
  /// False at the end.
  bool next(bgp::mrt::RecordView& out);

  const std::string& path() const { return path_; }
  /// No octet was read, and none was refused.
  bool blank() const { return blank_; }
  /// See InputFile::consumed.
  std::uint64_t consumed() const { return file_.consumed(); }
  /// Of the record that `next` gave last.
  std::uint64_t offset() const { return offset_; }
  /// Counts a malformed record, message or entry at `offset()`.
  void malformed(std::string_view reason);

 private:
  bool fill(std::size_t want);
  bool skip(std::uint64_t octets);
  void end_of_file(std::uint64_t have, std::uint64_t want);

  std::string path_;
  MrtStatistics& statistics_;
  InputFile file_;
  Octets block_;                     // what is left of the current block
  std::vector<std::uint8_t> carry_;  // a record that began in an earlier block
  Octets record_;                    // `fill`: the octets asked for
  std::uint64_t offset_ = 0;
  std::uint64_t next_offset_ = 0;
  bool blank_ = true;
};

}  // namespace lapwing::collector
