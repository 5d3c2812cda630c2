#include "collector/mrt_source.h"

#include <algorithm>
#include <utility>

#include "bgp/notification.h"
#include "bgp/open.h"

namespace lapwing::collector {

namespace mrt = bgp::mrt;
using bgp::RecordKind;

namespace {

constexpr std::size_t kBatchRecords = 4096;
constexpr std::size_t kBatchNlri = 32768;
constexpr std::size_t kBatchOctets = 512 * 1024;

std::string state_name(std::uint16_t state) {
  constexpr const char* kNames[] = {"Idle",     "Connect",     "Active",   "OpenSent", "OpenConfirm",
                                    "Established", "Clearing", "Deleted"};
  if (state >= 1 && state <= 8) return kNames[state - 1];
  return "state " + std::to_string(state);
}

/// The families for which this neighbour can send path identifiers.
bgp::FamilySet add_path_offer(const bgp::Open& open) {
  bgp::FamilySet families;
  for (const bgp::AddPathFamily& offer : open.capabilities.add_path)
    if (offer.send) families.insert(offer.family);
  return families;
}

}  // namespace

MrtSource::MrtSource(Push push, NameOf name_of, std::chrono::seconds quiet_period)
    : push_(std::move(push)),
      peers_(std::move(name_of), quiet_period),
      sessions_{{bgp::SessionParameters::of_file(false, false),
                 bgp::SessionParameters::of_file(false, true)},
                {bgp::SessionParameters::of_file(true, false),
                 bgp::SessionParameters::of_file(true, true)}} {}

bool MrtSource::read_file(const std::string& path) {
  MrtCursor cursor(path, statistics_);
  if (!cursor.open()) return false;
  index_ = {};
  indexed_.clear();
  mrt::RecordView record;
  while (cursor.next(record)) {
    read_record(record, cursor);
    push_if_full();
  }
  end_table();
  return true;
}

void MrtSource::finish() {
  if (!batch_.empty()) push_(batch_);
  batch_.clear();
  cache_.clear();
}

void MrtSource::push_if_full() {
  if (batch_.records.size() < kBatchRecords && batch_.nlri.size() < kBatchNlri &&
      batch_.octets.size() < kBatchOctets)
    return;
  finish();
}

void MrtSource::read_record(const mrt::RecordView& record, MrtCursor& cursor) {
  const bool table = record.type == mrt::type::kTableDump || record.type == mrt::type::kTableDumpV2;
  if (!table) end_table();
  if (table && record.subtype == mrt::table_dump_v2::kPeerIndexTable &&
      record.type == mrt::type::kTableDumpV2) {
    read_peer_index(record, cursor);
    return;
  }
  const bool known =
      (record.type == mrt::type::kTableDump && mrt::is_table_dump_subtype(record.subtype)) ||
      (record.type == mrt::type::kTableDumpV2 && mrt::is_rib_subtype(record.subtype)) ||
      (record.type == mrt::type::kBgp4mp && mrt::is_bgp4mp_subtype(record.subtype));
  if (!known) {
    ++statistics_.skipped[{record.type, record.subtype}];
    return;
  }
  if (!statistics_.first_time || record.time < *statistics_.first_time)
    statistics_.first_time = record.time;
  if (!statistics_.last_time || record.time > *statistics_.last_time)
    statistics_.last_time = record.time;
  peers_.advance(record.time, table_, batch_);
  if (record.type == mrt::type::kTableDump)
    read_table_dump(record, cursor);
  else if (record.type == mrt::type::kTableDumpV2)
    read_rib(record, cursor);
  else
    read_bgp4mp(record, cursor);
}

void MrtSource::count_findings(bgp::ErrorAction action, const bgp::Findings& findings,
                               MrtCursor& cursor) {
  switch (action) {
    case bgp::ErrorAction::kNone:
      return;
    case bgp::ErrorAction::kAttributeDiscard:
      ++statistics_.attributes_discarded;
      return;
    case bgp::ErrorAction::kTreatAsWithdraw:
      ++statistics_.treated_as_withdraw;
      return;
    case bgp::ErrorAction::kSessionReset:
      ++statistics_.would_reset;
      cursor.malformed(findings.strongest().reason);
      return;
  }
}

void MrtSource::read_bgp4mp(const mrt::RecordView& record, MrtCursor& cursor) {
  mrt::Bgp4mp message;
  if (const mrt::Fault fault = mrt::parse_bgp4mp(record, message)) {
    cursor.malformed(fault.reason);
    return;
  }
  if (message.state_change) {
    ++statistics_.state_changes;
    read_state_change(peers_.find(message.peer, message.peer_as, message.local_as), record.time,
                      message);
    return;
  }
  if (message.message.size() < bgp::kHeaderSize) {
    cursor.malformed("a BGP message without a whole header");
    return;
  }
  const std::size_t size = read_u16(message.message.data() + 16);
  if (size < bgp::kHeaderSize || size > message.message.size()) {
    cursor.malformed("a BGP message longer or shorter than its record");
    return;
  }
  const auto type = static_cast<bgp::MessageType>(message.message[18]);
  const Octets body = message.message.subspan(bgp::kHeaderSize, size - bgp::kHeaderSize);
  MrtPeer& peer = peers_.find(message.peer, message.peer_as, message.local_as);
  if (message.from_local) {
    ++statistics_.local_messages;
    if (type == bgp::MessageType::kOpen) read_open(peer, record.time, body, true, cursor);
    return;
  }
  switch (type) {
    case bgp::MessageType::kOpen:
      ++statistics_.opens;
      read_open(peer, record.time, body, false, cursor);
      return;
    case bgp::MessageType::kUpdate:
      read_update(peer, record.time, body, message, cursor);
      return;
    case bgp::MessageType::kNotification:
      ++statistics_.notifications;
      peers_.down(peer, record.time, bgp::describe_notification(bgp::decode_notification(body)),
                  batch_);
      return;
    case bgp::MessageType::kKeepalive:
      ++statistics_.keepalives;
      return;
    case bgp::MessageType::kRouteRefresh:
      ++statistics_.refreshes;
      return;
  }
  cursor.malformed("a BGP message of an unknown type");
}

void MrtSource::read_state_change(MrtPeer& peer, Timestamp time, const mrt::Bgp4mp& message) {
  peer.states_seen = true;
  if (message.new_state == mrt::kStateEstablished) {
    // A second Established without a loss between them: the loss is missing in the file. A loss
    // clears the OPENs, which belong to the new session.
    auto theirs = std::exchange(peer.their_open, std::nullopt);
    auto ours = std::exchange(peer.our_open, std::nullopt);
    auto add_path = std::exchange(peer.add_path, std::nullopt);
    peers_.down(peer, time, "a new session was established", batch_);
    peer.their_open = std::move(theirs);
    peer.our_open = std::move(ours);
    peer.add_path = add_path;
    peers_.up(peer, time, batch_);
  } else if (message.old_state == mrt::kStateEstablished || peer.up) {
    peers_.down(peer, time,
                "state change: " + state_name(message.old_state) + " to " +
                    state_name(message.new_state),
                batch_);
  } else {
    peer.start_seen = true;
  }
}

void MrtSource::read_open(MrtPeer& peer, Timestamp time, Octets body, bool from_local,
                          MrtCursor& cursor) {
  bgp::Open open;
  if (bgp::decode_open(body, open)) {
    cursor.malformed("an OPEN that cannot be read");
    return;
  }
  // Where the file tells states, they say when a session ends; an OPEN may be a second connection.
  if (peer.up && !from_local && !peer.states_seen)
    peers_.down(peer, time, "the neighbour opened a new session", batch_);
  if (peer.up) return;
  peer.start_seen = true;
  (from_local ? peer.our_open : peer.their_open) = std::move(open);
  if (peer.our_open && peer.their_open)
    peer.add_path = bgp::negotiate(*peer.our_open, *peer.their_open).add_path;
}

void MrtSource::read_update(MrtPeer& peer, Timestamp time, Octets body,
                            const mrt::Bgp4mp& message, MrtCursor& cursor) {
  ++statistics_.updates;
  const bgp::SessionParameters& by_subtype = sessions_[message.four_octet_as][message.add_path];
  const auto parse = [&](const std::optional<bgp::FamilySet>& add_path) {
    if (!add_path) return update_.parse(body, by_subtype);
    bgp::SessionParameters session = by_subtype;
    session.add_path = *add_path;
    return update_.parse(body, session);
  };
  bgp::ErrorAction action = parse(peer.add_path);
  if (action == bgp::ErrorAction::kSessionReset && !peer.add_path && peer.their_open) {
    // Our OPEN is not in the file, so whether ADD-PATH was agreed on shows only here.
    const bgp::FamilySet offered = add_path_offer(*peer.their_open);
    if (!offered.empty() && parse(offered) != bgp::ErrorAction::kSessionReset) {
      peer.add_path = offered;
      action = update_.action();
    } else {
      parse({});
    }
  }
  count_findings(action, update_.findings(), cursor);
  if (action == bgp::ErrorAction::kSessionReset) return;
  peers_.up(peer, time, batch_);
  peer.last_update = time;
  if (update_.end_of_rib()) {
    ++statistics_.end_of_ribs;
    peers_.end_of_rib(peer, time, update_.end_of_rib_family(), batch_);
    return;
  }
  const std::size_t first = batch_.records.size();
  update_.append_records(time, peer.number, batch_);
  for (std::size_t i = first; i < batch_.records.size(); ++i) {
    const bgp::Record& r = batch_.records[i];
    statistics_.withdrawals += r.withdrawn;
    statistics_.announcements += r.announced;
    if (r.announced == 0) continue;
    // The NLRI of one record are of one family, but for those of an UPDATE with two of them.
    Family last;
    for (const bgp::NlriKey& key : batch_.announced(r)) {
      if (key.family() == last) continue;
      last = key.family();
      peers_.family_of(peer, last).has_routes = true;
    }
  }
}

}  // namespace lapwing::collector
