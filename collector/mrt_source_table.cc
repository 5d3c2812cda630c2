// MrtSource: table dumps.
#include <utility>

#include "bgp/attribute_table.h"
#include "bgp/attributes.h"
#include "bgp/hash.h"
#include "collector/mrt_source.h"

namespace lapwing::collector {

namespace mrt = bgp::mrt;
using bgp::RecordKind;

void MrtSource::begin_table(Stream& stream) {
  if (stream.table == 0) stream.table = peers_.open_table();
  stream.table_time = stream.record.time;
  ++statistics_.prefixes;
}

void MrtSource::end_table(Stream& stream) {
  if (stream.table == 0) return;
  for (const TableFamily& entry : stream.table_families) {
    MrtFamily& family = peers_.family_of(*entry.peer, entry.family);
    if (family.refresh)
      batch_.add_mark(stream.table_time, entry.peer->number, RecordKind::kRefreshEnd,
                      entry.family);
    else
      peers_.end_of_rib(*entry.peer, stream.table_time, entry.family, batch_);
  }
  stream.table_families.clear();
  peers_.close_table(stream.table);
  stream.table = 0;
}

void MrtSource::read_peer_index(Stream& stream) {
  mrt::PeerIndexTable index;
  const mrt::Fault fault = mrt::parse_peer_index_table(stream.record.body, index);
  if (const auto mark = mrt::read_mark(index); mark && !fault) return read_mark(*mark, stream);
  end_table(stream);
  if (fault) stream.cursor.malformed(fault.reason);
  stream.index = std::move(index);
  stream.indexed.assign(stream.index.peers.size(), nullptr);
}

void MrtSource::read_mark(const mrt::Mark& mark, Stream& stream) {
  switch (mark.kind) {
    case mrt::Mark::Kind::kStart:
      peers_.begin_run(stream.collector, last_time_, batch_);
      return;
    case mrt::Mark::Kind::kPeer:
      peers_.name(mark, stream.collector, stream.record.time, batch_);
      return;
    case mrt::Mark::Kind::kDown:
      peers_.find(mark.peers[0].address, mark.peers[0].as, 0, stream.collector).down_reason =
          mark.text;
      return;
    case mrt::Mark::Kind::kGap:
      statistics_.lost += mark.lost;
      statistics_.warn(stream.cursor.path(), stream.cursor.offset(),
                       "a gap in the recording: " + std::to_string(mark.lost) +
                           " messages were lost for want of room");
      return;
  }
}

MrtPeer& MrtSource::indexed_peer(Stream& stream, std::size_t index) {
  if (stream.indexed[index] == nullptr) {
    const mrt::PeerEntry& entry = stream.index.peers[index];
    MrtPeer& peer = peers_.find(entry.address, entry.as, 0, stream.collector);
    peer.router_id = entry.router_id;
    stream.indexed[index] = &peer;
  }
  return *stream.indexed[index];
}

void MrtSource::begin_table_family(Stream& stream, MrtPeer& peer, MrtFamily& family) {
  const Family id = family.family;
  const Timestamp time = stream.record.time;
  if (!peer.up) {
    peer.start_seen = true;
    peers_.up(peer, time, batch_);
  }
  family.table = stream.table;
  family.refresh = family.has_routes;
  if (family.refresh) batch_.add_mark(time, peer.number, RecordKind::kRefreshBegin, id);
  family.has_routes = true;
  stream.table_families.push_back({&peer, id});
}

void MrtSource::add_route(Stream& stream, MrtPeer& peer, const bgp::NlriKey& key,
                          Octets attributes, const bgp::SessionParameters& session) {
  const Timestamp time = stream.record.time;
  MrtCursor& cursor = stream.cursor;
  ++statistics_.table_entries;
  MrtFamily& family = peers_.family_of(peer, key.family());
  if (family.table != stream.table) begin_table_family(stream, peer, family);
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

void MrtSource::read_rib(Stream& stream) {
  MrtCursor& cursor = stream.cursor;
  mrt::RibRecord rib;
  if (const mrt::Fault fault = mrt::parse_rib(stream.record, rib)) {
    cursor.malformed(fault.reason);
    return;
  }
  begin_table(stream);
  const bgp::SessionParameters& session = sessions_[1][0];
  mrt::RibEntry entry;
  mrt::Fault fault;
  while (rib.next(entry, fault)) {
    if (entry.peer_index >= stream.indexed.size()) {
      cursor.malformed("a RIB entry of a peer that no peer index table names");
      continue;
    }
    bgp::NlriKey key = rib.nlri;
    if (rib.add_path) {
      key.has_path_id = 1;
      key.path_id = entry.path_id;
    }
    add_route(stream, indexed_peer(stream, entry.peer_index), key, entry.attributes, session);
  }
  if (fault) cursor.malformed(fault.reason);
}

void MrtSource::read_table_dump(Stream& stream) {
  mrt::TableDumpEntry entry;
  if (const mrt::Fault fault = mrt::parse_table_dump(stream.record, entry)) {
    stream.cursor.malformed(fault.reason);
    return;
  }
  begin_table(stream);
  MrtPeer& peer = peers_.find(entry.peer, entry.peer_as, 0, stream.collector);
  add_route(stream, peer, entry.nlri, entry.attributes, sessions_[entry.four_octet_as][0]);
}

void MrtSource::read_entry(Stream& stream) {
  mrt::Bgp4mpEntry entry;
  if (const mrt::Fault fault = mrt::parse_bgp4mp_entry(stream.record, entry)) {
    stream.cursor.malformed(fault.reason);
    return;
  }
  begin_table(stream);
  // The next hop goes where a table dump has it.
  const auto size = static_cast<std::uint8_t>(entry.next_hop.size());
  entry_attributes_.assign(entry.route.attributes.begin(), entry.route.attributes.end());
  const std::vector<std::uint8_t> head =
      size == 4 ? std::vector<std::uint8_t>{bgp::kTransitive, attribute::kNextHop, size}
                : std::vector<std::uint8_t>{bgp::kOptional | bgp::kExtendedLength,
                                            attribute::kMpReachNlri, 0,
                                            static_cast<std::uint8_t>(size + 1), size};
  if (size != 0 && size < 0xff) {
    entry_attributes_.insert(entry_attributes_.end(), head.begin(), head.end());
    entry_attributes_.insert(entry_attributes_.end(), entry.next_hop.begin(),
                             entry.next_hop.end());
  }
  MrtPeer& peer =
      peers_.find(entry.route.peer, entry.route.peer_as, entry.local_as, stream.collector);
  add_route(stream, peer, entry.route.nlri, entry_attributes_, sessions_[0][0]);
}

}  // namespace lapwing::collector
