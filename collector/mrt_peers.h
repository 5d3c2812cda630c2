// The neighbours that MRT files tell of: identity, name, session, and the end of their tables.
//
// A neighbour is an address and an AS. It is declared when it first has something to say, and its
// name is the configured one, else its address ("195.66.224.175"); where the name is taken by
// another neighbour "#" and the AS follow it.
//
// Where files of several collectors are read side by side (`merge`), a neighbour is an address and
// an AS at one collector (collector/mrt_collectors.h): "@" and the collector's ID follow the name of
// the second of one address and AS, and a name that another collector's recording gave.
//
// Quiet period: files rarely hold End-of-RIB. A neighbour whose session was seen to begin and that
// has sent no UPDATE for the period, by the records' time, has given its table: kEndOfRib is made for
// each family with routes that had none. One that has not sent a route yet is waited for. A recording
// of Lapwing holds every End-of-RIB, those that Lapwing made too; nothing is made for its neighbours.
// Thread: its owner's. Owns: the neighbours; references live as long as the table.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "bgp/mrt_encode.h"
#include "bgp/open.h"
#include "bgp/record.h"
#include "collector/mrt_collectors.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::collector {

struct MrtFamily {
  Family family;
  bool has_routes = false;   // announced in this session
  bool ended = false;        // its End-of-RIB in this session was seen or made
  bool refresh = false;      // the table of `table` is not its first one
  std::uint64_t table = 0;   // the last table dump that it had a route in
};

struct MrtPeer {
  static constexpr std::uint32_t kUndeclared = UINT32_MAX;

  std::uint32_t number = kUndeclared;
  IpAddress address;
  Asn as = 0;
  Asn local_as = 0;           // 0: not known
  CollectorId collector;      // none unless files are merged
  bool is_twin = false;       // a neighbour with this address and AS was known at another collector
  IpAddress router_id;
  bool up = false;
  bool start_seen = false;    // the next session's beginning is in the files
  bool states_seen = false;   // its files have STATE_CHANGE records
  bool awaits_quiet = false;  // listed in `MrtPeers`
  std::string name;           // as it was declared
  Asn declared_local_as = 0;
  std::string given_name;     // by a recording; empty: none
  std::string down_reason;    // by a recording, of the loss that comes next
  bool recorded() const { return !given_name.empty(); }
  Timestamp last_update;
  std::vector<MrtFamily> families;  // all that it ever had routes in
  std::optional<bgp::Open> their_open;
  std::optional<bgp::Open> our_open;
  std::optional<bgp::FamilySet> add_path;  // families with path identifiers, where known
  std::optional<bgp::SessionParameters> session;  // of a recording: all that was agreed on
};

class MrtPeers {
 public:
  using NameOf = std::function<std::optional<std::string>(const IpAddress&)>;

  MrtPeers(NameOf name_of, std::chrono::seconds quiet_period);

  /// Finds or makes the neighbour. AS_TRANS stands for the AS that the address is known with.
  /// `collector`: of the file; none unless files are merged.
  MrtPeer& find(const IpAddress& address, Asn as, Asn local_as, const CollectorId& collector);

  /// Finds or makes the neighbour that a recording names, and declares it. It joins midway where
  /// the recording's beginning is not among the files.
  void name(const bgp::mrt::Mark& mark, const CollectorId& collector, Timestamp time,
            bgp::RecordBatch& batch);
  /// The process that writes the recording began anew: none of its neighbours is up. The run before
  /// ended at `time`.
  void begin_run(const CollectorId& collector, Timestamp time, bgp::RecordBatch& batch);

  /// Declares it anew if its local AS became known, or another, since it was declared.
  void renumber(MrtPeer& peer, Timestamp time, bgp::RecordBatch& batch) {
    if (peer.local_as != peer.declared_local_as && peer.number != MrtPeer::kUndeclared)
      declare(peer, time, batch);
  }

  /// Adds kPeerUp, after kPeerDeclare where it is due. Nothing if it is up.
  void up(MrtPeer& peer, Timestamp time, bgp::RecordBatch& batch);
  /// Adds kPeerDown if it was up. The next session is seen from its beginning in any case.
  void down(MrtPeer& peer, Timestamp time, std::string reason, bgp::RecordBatch& batch);

  MrtFamily& family_of(MrtPeer& peer, Family family);
  /// An End-of-RIB of the neighbour.
  void end_of_rib(MrtPeer& peer, Timestamp time, Family family, bgp::RecordBatch& batch);

  /// To be called with the time of each record before it is used.
  void advance(Timestamp time, bgp::RecordBatch& batch) {
    if (!quiet_.empty() && time >= next_quiet_) end_quiet(time, batch);
  }
  /// A table dump begins; gives its number, from 1.
  std::uint64_t open_table() { return *open_tables_.insert(++tables_).first; }
  void close_table(std::uint64_t table) { open_tables_.erase(table); }

 private:
  void declare(MrtPeer& peer, Timestamp time, bgp::RecordBatch& batch);
  std::string choose_name(const MrtPeer& peer);
  void end_quiet(Timestamp time, bgp::RecordBatch& batch);
  MrtPeer& look_up(const IpAddress& address, Asn as, const CollectorId& collector);
  MrtPeer* find_near(const IpAddress& address, Asn as, const CollectorId& collector);

  NameOf name_of_;
  std::chrono::seconds quiet_period_;
  std::deque<MrtPeer> peers_;
  std::multimap<std::pair<IpAddress, Asn>, MrtPeer*> by_identity_;  // several only if merged
  MrtPeer* last_found_ = nullptr;
  CollectorId last_collector_;                   // that it was found with
  std::map<std::string, const MrtPeer*> names_;  // and who had it first
  std::set<CollectorId> runs_;                   // collectors whose recordings began in the files
  std::uint32_t declared_ = 0;
  std::vector<MrtPeer*> quiet_;  // sessions whose tables have not ended
  std::set<std::uint64_t> open_tables_;
  std::uint64_t tables_ = 0;
  Timestamp next_quiet_;         // not later than the first end of a quiet period
};

}  // namespace lapwing::collector
