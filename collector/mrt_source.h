// MRT files as a source of records: what a session would have pushed, from what a collector wrote.
//
//     MrtSource source(push, name_of);
//     for (path : paths) source.read_file(path);
//     source.finish();
//
// Files are read in the given order; neighbours live on from one file to the next. A table dump
// (TABLE_DUMP, TABLE_DUMP_V2) brings its neighbours up and is their first table (kEndOfRib at its
// end), or, for a neighbour and family that had routes already, a refresh (kRefreshBegin,
// kRefreshEnd). Its routes carry the time of the dump's records, not the time at which they were
// first learned. BGP4MP messages are read with the ASN size and the ADD-PATH of their subtype; where
// both OPENs of a session are in the file, with the ADD-PATH that these agreed on; where only the
// neighbour's is, with the ADD-PATH that it offered once an UPDATE cannot be read without (old
// writers have no ADD-PATH subtypes). An UPDATE of a neighbour that is not up brings it up.
// Messages that the collector sent are counted, and of them only OPEN is used.
// Times are those of the records and are never changed: they may go backwards.
// Thread: its owner's; `push` is called on it. Owns: the neighbours and the batch being filled.
// RFC 6396, RFC 8050, RFC 7606 (as far as a file allows: nothing resets).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
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

class MrtSource {
 public:
  /// Gets full batches; may move them out. What is left in it is thrown away.
  using Push = std::function<void(bgp::RecordBatch&)>;
  /// The configured name of the neighbour with this address, if it has one.
  using NameOf = MrtPeers::NameOf;

  explicit MrtSource(Push push, NameOf name_of = {},
                     std::chrono::seconds quiet_period = std::chrono::seconds(60));

  /// Reads a whole file; "-" is standard input. False when it cannot be opened. What is wrong in it
  /// is counted in `statistics` and is among its warnings.
  bool read_file(const std::string& path);

  /// Pushes what has not been pushed. May be called again after further files.
  void finish();

  const MrtStatistics& statistics() const { return statistics_; }

 private:
  struct TableFamily {
    MrtPeer* peer;
    Family family;
  };

  void read_record(const bgp::mrt::RecordView& record, MrtCursor& cursor);
  void skip(const bgp::mrt::RecordView& record);
  void push_if_full();
  void count_findings(bgp::ErrorAction action, const bgp::Findings& findings, MrtCursor& cursor);

  // Tables (mrt_source_table.cc).
  void begin_table();
  void end_table();
  void read_peer_index(const bgp::mrt::RecordView& record, MrtCursor& cursor);
  void read_rib(const bgp::mrt::RecordView& record, MrtCursor& cursor);
  void read_table_dump(const bgp::mrt::RecordView& record, MrtCursor& cursor);
  void add_route(MrtPeer& peer, Timestamp time, const bgp::NlriKey& key, Octets attributes,
                 const bgp::SessionParameters& session, MrtCursor& cursor);
  void begin_table_family(MrtPeer& peer, Timestamp time, MrtFamily& family);
  MrtPeer& indexed_peer(std::size_t index);

  // Messages (mrt_source.cc).
  void read_bgp4mp(const bgp::mrt::RecordView& record, MrtCursor& cursor);
  void read_state_change(MrtPeer& peer, Timestamp time, const bgp::mrt::Bgp4mp& message);
  void read_open(MrtPeer& peer, Timestamp time, Octets body, bool from_local, MrtCursor& cursor);
  void read_update(MrtPeer& peer, Timestamp time, Octets body, const bgp::mrt::Bgp4mp& message,
                   MrtCursor& cursor);

  Push push_;
  MrtPeers peers_;
  MrtStatistics statistics_;
  bgp::RecordBatch batch_;
  bgp::Update update_;
  bgp::Findings findings_;
  AttributeCache cache_;

  // The table dump being read; `table_` is 0 between dumps.
  std::uint64_t table_ = 0;
  std::uint64_t tables_ = 0;
  Timestamp table_time_;
  bgp::mrt::PeerIndexTable index_;
  std::vector<MrtPeer*> indexed_;  // by peer index; nullptr: not looked up yet
  std::vector<TableFamily> table_families_;

  // [four_octet_as][add_path]
  const bgp::SessionParameters sessions_[2][2];
};

}  // namespace lapwing::collector
