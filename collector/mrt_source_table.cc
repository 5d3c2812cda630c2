// MrtSource: table dumps.
#include <utility>

#include "bgp/attributes.h"
#include "bgp/hash.h"
#include "collector/mrt_source.h"

namespace lapwing::collector {

namespace mrt = bgp::mrt;
using bgp::RecordKind;

void MrtSource::begin_table() {
  if (table_ == 0) table_ = ++tables_;
}

void MrtSource::end_table() {
  if (table_ == 0) return;
  for (const TableFamily& entry : table_families_) {
    MrtFamily& family = peers_.family_of(*entry.peer, entry.family);
    if (family.refresh)
      batch_.add_mark(table_time_, entry.peer->number, RecordKind::kRefreshEnd, entry.family);
    else
      peers_.end_of_rib(*entry.peer, table_time_, entry.family, batch_);
  }
  table_families_.clear();
  table_ = 0;
}

void MrtSource::read_peer_index(const mrt::RecordView& record, MrtCursor& cursor) {
  end_table();
  if (const mrt::Fault fault = mrt::parse_peer_index_table(record.body, index_))
    cursor.malformed(fault.reason);
  indexed_.assign(index_.peers.size(), nullptr);
}

MrtPeer& MrtSource::indexed_peer(std::size_t index) {
  if (indexed_[index] == nullptr) {
    const mrt::PeerEntry& entry = index_.peers[index];
    MrtPeer& peer = peers_.find(entry.address, entry.as, 0);
    peer.router_id = entry.router_id;
    indexed_[index] = &peer;
  }
  return *indexed_[index];
}

void MrtSource::begin_table_family(MrtPeer& peer, Timestamp time, MrtFamily& family) {
  const Family id = family.family;
  if (!peer.up) {
    peer.start_seen = true;
    peers_.up(peer, time, batch_);
  }
  family.table = table_;
  family.refresh = family.has_routes;
  if (family.refresh) batch_.add_mark(time, peer.number, RecordKind::kRefreshBegin, id);
  family.has_routes = true;
  table_families_.push_back({&peer, id});
}

void MrtSource::add_route(MrtPeer& peer, Timestamp time, const bgp::NlriKey& key,
                          Octets attributes, const bgp::SessionParameters& session,
                          MrtCursor& cursor) {
  ++statistics_.table_entries;
  MrtFamily& family = peers_.family_of(peer, key.family());
  if (family.table != table_) begin_table_family(peer, time, family);
  peer.last_update = time;

  bool found = false;
  AttributeCache::Entry& set = cache_.find(attributes, session.four_octet_as, found);
  if (!found) {
    set.at = static_cast<std::uint32_t>(batch_.octets.size());
    findings_.clear();
    set.action = bgp::append_attributes(attributes, session, bgp::MpReachForm::kAbbreviated,
                                        batch_.octets, findings_);
    set.size = static_cast<std::uint32_t>(batch_.octets.size()) - set.at;
    set.hash = bgp::hash_octets(bgp::hash_seed(), Octets(batch_.octets).subspan(set.at));
  }
  // The findings of a set that was found are those of its first occurrence.
  if (set.action != bgp::ErrorAction::kNone) count_findings(set.action, findings_, cursor);
  if (set.action >= bgp::ErrorAction::kTreatAsWithdraw) return;

  if (!batch_.records.empty()) {
    bgp::Record& last = batch_.records.back();
    if (last.kind == RecordKind::kUpdate && last.peer == peer.number && last.time == time &&
        last.attributes_at == set.at && last.attributes_size == set.size &&
        last.nlri_at + last.announced == batch_.nlri.size()) {
      batch_.nlri.push_back(key);
      ++last.announced;
      return;
    }
  }
  bgp::Record r;
  r.time = time;
  r.peer = peer.number;
  r.kind = RecordKind::kUpdate;
  r.attributes_at = set.at;
  r.attributes_size = set.size;
  r.attributes_hash = set.hash;
  r.nlri_at = static_cast<std::uint32_t>(batch_.nlri.size());
  r.announced = 1;
  batch_.nlri.push_back(key);
  batch_.records.push_back(r);
}

void MrtSource::read_rib(const mrt::RecordView& record, MrtCursor& cursor) {
  mrt::RibRecord rib;
  if (const mrt::Fault fault = mrt::parse_rib(record, rib)) {
    cursor.malformed(fault.reason);
    return;
  }
  begin_table();
  table_time_ = record.time;
  ++statistics_.prefixes;
  const bgp::SessionParameters& session = sessions_[1][0];
  mrt::RibEntry entry;
  mrt::Fault fault;
  while (rib.next(entry, fault)) {
    if (entry.peer_index >= indexed_.size()) {
      cursor.malformed("a RIB entry of a peer that no peer index table names");
      continue;
    }
    bgp::NlriKey key = rib.nlri;
    if (rib.add_path) {
      key.has_path_id = 1;
      key.path_id = entry.path_id;
    }
    add_route(indexed_peer(entry.peer_index), record.time, key, entry.attributes, session, cursor);
  }
  if (fault) cursor.malformed(fault.reason);
}

void MrtSource::read_table_dump(const mrt::RecordView& record, MrtCursor& cursor) {
  mrt::TableDumpEntry entry;
  if (const mrt::Fault fault = mrt::parse_table_dump(record, entry)) {
    cursor.malformed(fault.reason);
    return;
  }
  begin_table();
  table_time_ = record.time;
  ++statistics_.prefixes;
  add_route(peers_.find(entry.peer, entry.peer_as, 0), record.time, entry.nlri, entry.attributes,
            sessions_[entry.four_octet_as][0], cursor);
}

}  // namespace lapwing::collector
