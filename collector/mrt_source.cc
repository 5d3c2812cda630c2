#include "collector/mrt_source.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <memory>
#include <numeric>
#include <queue>
#include <span>
#include <utility>

#include "bgp/notification.h"
#include "bgp/open.h"

namespace lapwing::collector {

namespace mrt = bgp::mrt;
using bgp::RecordKind;

namespace {

constexpr std::size_t kBatchRecords = 256;
constexpr std::size_t kBatchNlri = 32768;
constexpr std::size_t kBatchOctets = 512 * 1024;

std::string state_name(std::uint16_t state) {
  constexpr const char* kNames[] = {"Idle",     "Connect",     "Active",   "OpenSent", "OpenConfirm",
                                    "Established", "Clearing", "Deleted"};
  if (state >= 1 && state <= 8) return kNames[state - 1];
  return "state " + std::to_string(state);
}

bool is_table_record(const mrt::RecordView& record) {
  return record.type == mrt::type::kTableDump || record.type == mrt::type::kTableDumpV2 ||
         (record.type == mrt::type::kBgp4mp && record.subtype == mrt::bgp4mp::kEntry);
}

/// The families for which this neighbour can send path identifiers.
bgp::FamilySet add_path_offer(const bgp::Open& open) {
  bgp::FamilySet families;
  for (const bgp::AddPathFamily& offer : open.capabilities.add_path)
    if (offer.send) families.insert(offer.family);
  return families;
}

}  // namespace

MrtSource::MrtSource(Push push, MrtOptions options)
    : push_(std::move(push)),
      options_(std::move(options)),
      peers_(options_.name_of, options_.quiet_period),
      sessions_{{bgp::SessionParameters::of_file(false, false),
                 bgp::SessionParameters::of_file(false, true)},
                {bgp::SessionParameters::of_file(true, false),
                 bgp::SessionParameters::of_file(true, true)}} {}

bool MrtSource::read_files(const std::vector<std::string>& paths) {
  return options_.merge ? read_merged(paths) : read_in_order(paths);
}

bool MrtSource::read_in_order(const std::vector<std::string>& paths) {
  bool readable = true;
  std::optional<Timestamp> begun;
  for (const std::string& path : paths) {
    Stream stream(path, statistics_);
    if (!stream.cursor.open()) {
      readable = false;
      continue;
    }
    bool more = stream.cursor.next(stream.record);
    if (more) warn_if_earlier(stream, begun);
    for (; more; more = stream.cursor.next(stream.record)) read_record(stream);
    readable = end_stream(stream) && readable;
  }
  return readable;
}

/// `begun`: the time of the first record of the file before; becomes that of this one.
void MrtSource::warn_if_earlier(const Stream& stream, std::optional<Timestamp>& begun) {
  if (!mrt::is_registered(stream.record.type)) return;
  const Timestamp time = stream.record.time;
  if (begun && time < *begun)
    statistics_.warn(stream.cursor.path(), stream.cursor.offset(),
                     "begins at " + format_rfc3339(time) +
                         ", earlier than the file named before it, at " + format_rfc3339(*begun) +
                         "; files are read in the order named, or by time with --merge");
  begun = time;
}

/// False where nothing in it was a record of MRT. A file without any octet is one of a quiet collector.
bool MrtSource::end_stream(Stream& stream) {
  end_table(stream);
  if (stream.is_mrt || stream.cursor.blank()) return true;
  statistics_.warn(stream.cursor.path(), 0, "nothing in it can be read as MRT");
  return false;
}

bool MrtSource::read_merged(const std::vector<std::string>& paths) {
  struct Next {
    Timestamp time;
    std::size_t number;
    bool operator>(const Next& other) const {
      return std::pair(time, number) > std::pair(other.time, other.number);
    }
  };
  std::priority_queue<Next, std::vector<Next>, std::greater<>> due;
  std::vector<std::unique_ptr<Stream>> streams(paths.size());
  std::vector<FileHead> heads;
  for (const std::string& path : paths) heads.push_back(head_of(path));
  collectors_.place(heads);
  // What is of one time comes by collector, so that the order of naming means nothing.
  std::vector<std::size_t> file(paths.size());
  std::iota(file.begin(), file.end(), std::size_t{0});
  std::ranges::stable_sort(
      file, {}, [&heads](std::size_t i) { return std::pair(heads[i].collector, heads[i].time); });
  for (std::size_t i = 0; i < paths.size(); ++i) due.push({heads[file[i]].time, i});
  bool readable = true;
  while (!due.empty()) {
    const Next next = due.top();
    due.pop();
    std::unique_ptr<Stream>& stream = streams[next.number];
    if (stream) {
      read_record(*stream);
    } else {
      const FileHead& head = heads[file[next.number]];
      stream = std::make_unique<Stream>(paths[file[next.number]], statistics_);
      stream->looked_into = head.looked_into;
      take_collector(*stream, head);
      if (!stream->cursor.open()) {
        readable = false;
        continue;
      }
    }
    if (stream->cursor.next(stream->record)) {
      if (!stream->looked_into && !stream->collector) look_into(*stream);
      // At once: another file's record may come before the next one of this file.
      if (!is_table_record(stream->record)) end_table(*stream);
      due.push({stream->record.time, next.number});
      continue;
    }
    readable = end_stream(*stream) && readable;
    stream.reset();
  }
  return readable;
}

void MrtSource::finish() {
  if (!batch_.empty()) push_(batch_);
  batch_.clear();
  cache_.clear();
}

void MrtSource::push_if_full(const Stream& stream) {
  if (batch_.records.size() < batch_records_ && batch_.nlri.size() < kBatchNlri &&
      batch_.octets.size() < kBatchOctets)
    return;
  finish();
  batch_records_ = std::min(2 * batch_records_, kBatchRecords);
  if (options_.on_progress) options_.on_progress(stream.cursor.path(), stream.cursor.consumed());
}

void MrtSource::take_collector(Stream& stream, const FileHead& head) {
  stream.collector = head.collector;
  if (head.in_doubt)
    statistics_.warn(stream.cursor.path(), 0,
                     "is of collector " + format_address(*head.collector) + " or " +
                         format_address(*head.in_doubt) +
                         ": both have its neighbours, and nothing tells more; taken for the first");
}

/// A pipe, whose first record that names a collector tells.
void MrtSource::look_into(Stream& stream) {
  FileHead head;
  head.note(stream.record);
  if (!head.id && head.locals.empty()) return;
  collectors_.place({&head, 1});
  take_collector(stream, head);
}

void MrtSource::read_record(Stream& stream) {
  const mrt::RecordView& record = stream.record;
  stream.is_mrt = stream.is_mrt || mrt::is_registered(record.type);
  if (record.type == mrt::type::kTableDumpV2 &&
      record.subtype == mrt::table_dump_v2::kPeerIndexTable) {
    read_peer_index(stream);
    return;
  }
  if (!is_table_record(record)) end_table(stream);
  const bool known =
      (record.type == mrt::type::kTableDump && mrt::is_table_dump_subtype(record.subtype)) ||
      (record.type == mrt::type::kTableDumpV2 && mrt::is_rib_record(record)) ||
      (record.type == mrt::type::kBgp4mp &&
       (record.subtype == mrt::bgp4mp::kEntry || mrt::is_bgp4mp_subtype(record.subtype)));
  if (!known) {
    ++statistics_.skipped[{record.type, record.subtype}];
    return;
  }
  if (options_.to && record.time > *options_.to) {
    ++statistics_.after_end;
    return;
  }
  if (!statistics_.first_time || record.time < *statistics_.first_time)
    statistics_.first_time = record.time;
  if (!statistics_.last_time || record.time > *statistics_.last_time)
    statistics_.last_time = record.time;
  peers_.advance(record.time, batch_);
  read_known(stream);
  last_time_ = record.time;
  push_if_full(stream);
}

void MrtSource::read_known(Stream& stream) {
  const mrt::RecordView& record = stream.record;
  if (record.type == mrt::type::kTableDump)
    read_table_dump(stream);
  else if (record.type == mrt::type::kTableDumpV2)
    read_rib(stream);
  else if (record.subtype == mrt::bgp4mp::kEntry)
    read_entry(stream);
  else
    read_bgp4mp(stream);
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

void MrtSource::read_bgp4mp(Stream& stream) {
  const mrt::RecordView& record = stream.record;
  MrtCursor& cursor = stream.cursor;
  mrt::Bgp4mp message;
  if (const mrt::Fault fault = mrt::parse_bgp4mp(record, message)) {
    cursor.malformed(fault.reason);
    return;
  }
  if (message.state_change) {
    ++statistics_.state_changes;
    MrtPeer& peer = peers_.find(message.peer, message.peer_as, message.local_as, stream.collector);
    peers_.renumber(peer, record.time, batch_);
    read_state_change(peer, record.time, message);
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
  MrtPeer& peer = peers_.find(message.peer, message.peer_as, message.local_as, stream.collector);
  peers_.renumber(peer, record.time, batch_);
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
      // A recording has a STATE_CHANGE with the reason after it.
      if (peer.recorded()) return;
      peers_.down(peer, record.time, bgp::describe_notification(bgp::decode_notification(body)),
                  batch_);
      return;
    case bgp::MessageType::kKeepalive:
      ++statistics_.keepalives;
      return;
    case bgp::MessageType::kRouteRefresh:
      ++statistics_.refreshes;
      read_refresh(peer, record.time, body);
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
    auto session = std::exchange(peer.session, std::nullopt);
    peers_.down(peer, time, "a new session was established", batch_);
    peer.their_open = std::move(theirs);
    peer.our_open = std::move(ours);
    peer.add_path = add_path;
    peer.session = session;
    peers_.up(peer, time, batch_);
  } else if (message.old_state == mrt::kStateEstablished || peer.up) {
    std::string reason = std::exchange(peer.down_reason, {});
    if (reason.empty())
      reason = "state change: " + state_name(message.old_state) + " to " +
               state_name(message.new_state);
    peers_.down(peer, time, std::move(reason), batch_);
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
  if (!peer.our_open || !peer.their_open) return;
  bgp::SessionParameters session = bgp::negotiate(*peer.our_open, *peer.their_open);
  session.loopback = is_loopback(peer.address);
  peer.add_path = session.add_path;
  if (peer.recorded()) peer.session = session;
}

void MrtSource::read_refresh(MrtPeer& peer, Timestamp time, Octets body) {
  const auto refresh = bgp::decode_route_refresh(body);
  if (!refresh || refresh->kind == bgp::RefreshKind::kRequest || !peer.up) return;
  const bgp::FamilySet families =
      peer.session ? peer.session->families : sessions_[1][0].families;
  if (!families.contains(refresh->family)) return;
  batch_.add_mark(time, peer.number,
                  refresh->kind == bgp::RefreshKind::kBegin ? RecordKind::kRefreshBegin
                                                            : RecordKind::kRefreshEnd,
                  refresh->family);
}

bgp::ErrorAction MrtSource::parse_update(MrtPeer& peer, Octets body,
                                         const mrt::Bgp4mp& message) {
  if (peer.session && peer.session->four_octet_as == message.four_octet_as)
    return update_.parse(body, *peer.session);
  const bgp::SessionParameters& by_subtype = sessions_[message.four_octet_as][message.add_path];
  const auto parse = [&](const std::optional<bgp::FamilySet>& add_path) {
    if (!add_path) return update_.parse(body, by_subtype);
    bgp::SessionParameters session = by_subtype;
    session.add_path = *add_path;
    return update_.parse(body, session);
  };
  const bgp::ErrorAction action = parse(peer.add_path);
  if (action != bgp::ErrorAction::kSessionReset || peer.add_path || !peer.their_open)
    return action;
  // Our OPEN is not in the file, so whether ADD-PATH was agreed on shows only here.
  const bgp::FamilySet offered = add_path_offer(*peer.their_open);
  if (offered.empty() || parse(offered) == bgp::ErrorAction::kSessionReset) return parse({});
  peer.add_path = offered;
  return update_.action();
}

void MrtSource::read_update(MrtPeer& peer, Timestamp time, Octets body,
                            const mrt::Bgp4mp& message, MrtCursor& cursor) {
  ++statistics_.updates;
  const bgp::ErrorAction action = parse_update(peer, body, message);
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
    const std::span<const bgp::NlriKey> announced = batch_.announced(r);
    assert(announced.front().family() == announced.back().family());  // a record for each
    peers_.family_of(peer, announced.front().family()).has_routes = true;
  }
}

}  // namespace lapwing::collector
