// MRT files as a source of records: what a session would have pushed, from what a collector wrote.
//
//     MrtSource source(push, options);
//     source.read_files(paths);
//     source.finish();
//
// Files are read in the given order, or side by side in order of time (`merge`: of equal times,
// by collector; a file is opened when its time has come). Neighbours live on from one file to
// the next, and one neighbour may be in several; side by side, collectors are told apart
// (collector/mrt_collectors.h). A table dump
// (TABLE_DUMP, TABLE_DUMP_V2) brings its neighbours up and is their first table (kEndOfRib at its
// end), or, for a neighbour and family that had routes already, a refresh (kRefreshBegin,
// kRefreshEnd). Its routes carry the time of the dump's records, not the time at which they were
// first learned. BGP4MP messages are read with the ASN size and the ADD-PATH of their subtype; where
// both OPENs of a session are in the file, with the ADD-PATH that these agreed on; where only the
// neighbour's is, with the ADD-PATH that it offered once an UPDATE cannot be read without (old
// writers have no ADD-PATH subtypes). An UPDATE of a neighbour that is not up brings it up.
// Messages that the collector sent are counted, and of them only OPEN is used. A recording of Lapwing
// (docs/FORMATS.md) is read as the session that it was: names, OPENs and reasons stand in it.
// Times are those of the records and are never changed: they may go backwards.
// Thread: its owner's; `push` is called on it. Owns: the neighbours and the batch being filled.
// RFC 6396, RFC 7313, RFC 8050, RFC 7606 (as far as a file allows: nothing resets).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bgp/message.h"
#include "bgp/mrt.h"
#include "bgp/record.h"
#include "bgp/update.h"
#include "collector/attribute_cache.h"
#include "collector/mrt_cursor.h"
#include "collector/mrt_peers.h"

namespace lapwing::collector {

struct MrtOptions {
  /// The configured name of the neighbour with this address, if it has one.
  MrtPeers::NameOf name_of = {};
  std::chrono::seconds quiet_period{60};
  bool merge = false;
  std::optional<Timestamp> to = {};  // later records are left out
  /// Told now and then which file is read and how many of its stored octets were read.
  std::function<void(const std::string& path, std::uint64_t consumed)> on_progress = {};
};

class MrtSource {
 public:
  /// Gets full batches; may move them out. What is left in it is thrown away.
  using Push = std::function<void(bgp::RecordBatch&)>;

  explicit MrtSource(Push push, MrtOptions options = {});

  /// Reads the files wholly; "-" is standard input. False when one of them cannot be opened. What is
  /// wrong in them is counted in `statistics` and is among its warnings.
  bool read_files(const std::vector<std::string>& paths);

  /// Pushes what has not been pushed. May be called again after further files.
  void finish();

  const MrtStatistics& statistics() const { return statistics_; }

 private:
  struct TableFamily {
    MrtPeer* peer;
    Family family;
  };
  /// One file that is being read, and the table dump in it.
  struct Stream {
    Stream(const std::string& path, MrtStatistics& statistics) : cursor(path, statistics) {}

    MrtCursor cursor;
    bgp::mrt::RecordView record;
    bool is_mrt = false;      // a record of a registered type was read
    CollectorId collector;    // none unless files are merged
    bool looked_into = true;  // before it was read: not a pipe
    std::uint64_t table = 0;  // its number; 0 between dumps
    Timestamp table_time;
    bgp::mrt::PeerIndexTable index;
    std::vector<MrtPeer*> indexed;  // by peer index; nullptr: not looked up yet
    std::vector<TableFamily> table_families;
  };

  bool read_in_order(const std::vector<std::string>& paths);
  bool read_merged(const std::vector<std::string>& paths);
  void warn_if_earlier(const Stream& stream, std::optional<Timestamp>& begun);
  bool end_stream(Stream& stream);
  void read_record(Stream& stream);
  void read_known(Stream& stream);
  void push_if_full(const Stream& stream);
  void take_collector(Stream& stream, const FileHead& head);
  void look_into(Stream& stream);
  void count_findings(bgp::ErrorAction action, const bgp::Findings& findings, MrtCursor& cursor);

  // Tables (mrt_source_table.cc).
  void begin_table(Stream& stream);
  void end_table(Stream& stream);
  void read_peer_index(Stream& stream);
  void read_mark(const bgp::mrt::Mark& mark, Stream& stream);
  void read_rib(Stream& stream);
  void read_table_dump(Stream& stream);
  void read_entry(Stream& stream);
  void add_route(Stream& stream, MrtPeer& peer, const bgp::NlriKey& key, Octets attributes,
                 const bgp::SessionParameters& session);
  void begin_table_family(Stream& stream, MrtPeer& peer, MrtFamily& family);
  MrtPeer& indexed_peer(Stream& stream, std::size_t index);

  // Messages (mrt_source.cc).
  void read_bgp4mp(Stream& stream);
  void read_state_change(MrtPeer& peer, Timestamp time, const bgp::mrt::Bgp4mp& message);
  void read_open(MrtPeer& peer, Timestamp time, Octets body, bool from_local, MrtCursor& cursor);
  void read_refresh(MrtPeer& peer, Timestamp time, Octets body);
  bgp::ErrorAction parse_update(MrtPeer& peer, Octets body, const bgp::mrt::Bgp4mp& message);
  void read_update(MrtPeer& peer, Timestamp time, Octets body, const bgp::mrt::Bgp4mp& message,
                   MrtCursor& cursor);

  Push push_;
  const MrtOptions options_;
  MrtPeers peers_;
  Collectors collectors_;
  MrtStatistics statistics_;
  bgp::RecordBatch batch_;
  std::size_t batch_records_ = 64;  // that make it full: few at first, for the engine to begin soon
  bgp::Update update_;
  bgp::Findings findings_;
  AttributeCache cache_;
  std::vector<std::uint8_t> entry_attributes_;  // `read_entry`: with the next hop
  Timestamp last_time_;                         // of the record before

  // [four_octet_as][add_path]
  const bgp::SessionParameters sessions_[2][2];
};

}  // namespace lapwing::collector
