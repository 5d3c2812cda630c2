#include "collector/mrt_peers.h"

#include <algorithm>
#include <utility>

namespace lapwing::collector {

MrtPeers::MrtPeers(NameOf name_of, std::chrono::seconds quiet_period)
    : name_of_(std::move(name_of)), quiet_period_(quiet_period) {}

/// AS_TRANS stands for any AS of that address; so does a recorded neighbour whose AS is left open.
MrtPeer* MrtPeers::find_near(const IpAddress& address, Asn as, const CollectorId& collector) {
  for (auto it = by_identity_.lower_bound({address, 0});
       it != by_identity_.end() && it->first.first == address; ++it) {
    const bool any_as = it->second->recorded() && it->second->as == 0;
    if ((as == bgp::kAsTrans || any_as) && it->second->collector == collector) return it->second;
  }
  return nullptr;
}

MrtPeer& MrtPeers::look_up(const IpAddress& address, Asn as, const CollectorId& collector) {
  const auto [begin, end] = by_identity_.equal_range({address, as});
  for (auto it = begin; it != end; ++it)
    if (it->second->collector == collector) return *it->second;
  if (MrtPeer* const peer = find_near(address, as, collector)) return *peer;
  MrtPeer& peer = peers_.emplace_back();
  peer.address = address;
  peer.as = as;
  peer.collector = collector;
  peer.is_twin = begin != end;
  by_identity_.emplace(std::pair(address, as), &peer);
  return peer;
}

MrtPeer& MrtPeers::find(const IpAddress& address, Asn as, Asn local_as,
                        const CollectorId& collector) {
  if (last_found_ == nullptr || last_found_->address != address || last_found_->as != as ||
      last_collector_ != collector) {
    last_found_ = &look_up(address, as, collector);
    last_collector_ = collector;
  }
  if (local_as != 0 && !last_found_->recorded()) last_found_->local_as = local_as;
  return *last_found_;
}

void MrtPeers::name(const bgp::mrt::Mark& mark, const CollectorId& collector, Timestamp time,
                    bgp::RecordBatch& batch) {
  const bgp::mrt::PeerEntry& theirs = mark.peers[0];
  MrtPeer& peer = find(theirs.address, theirs.as, 0, collector);
  const Asn local_as = mark.peers[1].as;
  if (peer.given_name == mark.text && peer.local_as == local_as) return;
  peer.given_name = mark.text;
  peer.local_as = local_as;
  peer.start_seen = peer.start_seen || runs_.contains(collector);
  declare(peer, time, batch);
}

void MrtPeers::begin_run(const CollectorId& collector, Timestamp time, bgp::RecordBatch& batch) {
  runs_.insert(collector);
  for (MrtPeer& peer : peers_)
    if (peer.recorded() && peer.collector == collector)
      down(peer, time, "Lapwing was not running", batch);
}

std::string MrtPeers::choose_name(const MrtPeer& peer) {
  const std::string at =
      '@' + (peer.collector ? format_address(*peer.collector) : std::string("unnamed"));
  if (peer.recorded()) {
    // Within one collector, who has the name is the neighbour, whatever its address.
    const MrtPeer* first = names_.emplace(peer.given_name, &peer).first->second;
    if (first->collector == peer.collector) return peer.given_name;
    return names_.emplace(peer.given_name + at, &peer).first->first;
  }
  const std::string address = format_address(peer.address);
  const std::string suffix = '#' + std::to_string(peer.as);
  const std::string end = peer.is_twin ? at : std::string();
  const std::optional<std::string> configured = name_of_ ? name_of_(peer.address) : std::nullopt;
  if (configured)
    for (const std::string& name : {*configured + end, *configured + suffix + end})
      if (names_.emplace(name, &peer).second) return name;
  for (const std::string& name : {address + end, address + suffix + end})
    if (names_.emplace(name, &peer).second) return name;
  return address + suffix + end;
}

void MrtPeers::declare(MrtPeer& peer, Timestamp time, bgp::RecordBatch& batch) {
  if (peer.number == MrtPeer::kUndeclared) peer.number = declared_++;
  if (peer.name.empty() || peer.recorded()) peer.name = choose_name(peer);
  peer.declared_local_as = peer.local_as;
  bgp::PeerDetail detail;
  detail.name = peer.name;
  detail.address = peer.address;
  detail.as = peer.as;
  detail.local_as = peer.local_as;
  detail.joined_midway = !peer.start_seen;
  batch.add_peer(time, peer.number, std::move(detail));
}

void MrtPeers::up(MrtPeer& peer, Timestamp time, bgp::RecordBatch& batch) {
  if (peer.up) return;
  if (peer.number == MrtPeer::kUndeclared) declare(peer, time, batch);
  peer.up = true;
  peer.last_update = time;
  bgp::SessionDetail detail;
  for (MrtFamily& family : peer.families) {
    family.has_routes = family.ended = false;
    detail.families.push_back(family.family);
  }
  detail.router_id = peer.router_id;
  if (peer.their_open) {
    const bgp::Open& open = *peer.their_open;
    detail.router_id = open.router_id;
    detail.expects_end_of_rib = open.capabilities.graceful_restart.has_value();
    if (peer.our_open)
      detail.families = bgp::negotiate(*peer.our_open, open).families.to_vector();
  }
  batch.add_session(time, peer.number, bgp::RecordKind::kPeerUp, std::move(detail));
  if (!peer.start_seen || peer.awaits_quiet || peer.recorded()) return;
  peer.awaits_quiet = true;
  next_quiet_ = quiet_.empty() ? time + quiet_period_ : std::min(next_quiet_, time + quiet_period_);
  quiet_.push_back(&peer);
}

void MrtPeers::down(MrtPeer& peer, Timestamp time, std::string reason, bgp::RecordBatch& batch) {
  peer.start_seen = true;
  peer.their_open.reset();
  peer.our_open.reset();
  peer.add_path.reset();
  peer.session.reset();
  if (!peer.up) return;
  peer.up = false;
  peer.awaits_quiet = false;
  std::erase(quiet_, &peer);
  bgp::SessionDetail detail;
  detail.reason = std::move(reason);
  batch.add_session(time, peer.number, bgp::RecordKind::kPeerDown, std::move(detail));
}

MrtFamily& MrtPeers::family_of(MrtPeer& peer, Family family) {
  for (MrtFamily& f : peer.families)
    if (f.family == family) return f;
  peer.families.emplace_back().family = family;
  return peer.families.back();
}

void MrtPeers::end_of_rib(MrtPeer& peer, Timestamp time, Family family, bgp::RecordBatch& batch) {
  family_of(peer, family).ended = true;
  batch.add_mark(time, peer.number, bgp::RecordKind::kEndOfRib, family);
}

void MrtPeers::end_quiet(Timestamp time, bgp::RecordBatch& batch) {
  std::vector<MrtPeer*> due;
  for (MrtPeer* peer : quiet_)
    if (peer->last_update + quiet_period_ <= time) due.push_back(peer);
  std::sort(due.begin(), due.end(), [](const MrtPeer* a, const MrtPeer* b) {
    return std::pair(a->last_update, a->number) < std::pair(b->last_update, b->number);
  });
  for (MrtPeer* peer : due) {
    bool in_table = false;
    for (MrtFamily& family : peer->families) {
      if (family.ended) continue;
      // The end of the table dump that is being read will end it.
      if (open_tables_.contains(family.table))
        in_table = true;
      else
        end_of_rib(*peer, peer->last_update + quiet_period_, family.family, batch);
    }
    // One that has sent nothing yet may be slow to begin: its table is still to come.
    if (in_table || peer->families.empty()) continue;
    peer->awaits_quiet = false;
    std::erase(quiet_, peer);
  }
  next_quiet_ = Timestamp::max();
  for (const MrtPeer* peer : quiet_)
    next_quiet_ = std::min(next_quiet_, std::max<Timestamp>(peer->last_update + quiet_period_,
                                                            time + std::chrono::seconds(1)));
}

}  // namespace lapwing::collector
