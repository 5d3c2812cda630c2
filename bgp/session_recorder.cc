#include "bgp/session_recorder.h"

#include <algorithm>

namespace lapwing::bgp {

namespace {

// Of our states, the numbers are those of MRT (RFC 6396 4.4.1).
constexpr std::uint16_t kIdle = 1;
constexpr std::uint16_t kOpenConfirm = 5;

mrt::MessageForm form_of(const Connection& connection) {
  return {connection.parameters().four_octet_as, false, false};
}

}  // namespace

void SessionRecorder::declare(const PeerDetail& detail, const IpAddress& router_id, Timestamp time,
                              std::vector<std::uint8_t>& out) const {
  mrt::Mark mark;
  mark.kind = mrt::Mark::Kind::kPeer;
  mark.text = detail.name;
  mark.peers = {{detail.address, {}, detail.as}, {router_id, router_id, detail.local_as}};
  mrt::append_mark(mark, time, router_id, out);
}

void SessionRecorder::up(const Connection& connection, const NeighborConfig& config, Timestamp time,
                         std::vector<std::uint8_t>& out) {
  ends_ = {config.address, connection.local_address(), connection.peer_open().as, config.local_as};
  // Where the socket does not say it any more.
  if (ends_.local.version != ends_.peer.version) ends_.local = {ends_.peer.version, {}};
  mrt::MessageForm form = form_of(connection);
  std::vector<std::uint8_t> open;
  encode_open(connection.our_open(), open);
  form.from_local = true;
  mrt::append_message(ends_, time, form, MessageType::kOpen, Octets(open).subspan(kHeaderSize),
                      out);
  form.from_local = false;
  mrt::append_message(ends_, time, form, MessageType::kOpen, connection.peer_open_body(), out);
  mrt::append_state_change(ends_, time, kOpenConfirm, mrt::kStateEstablished, out);
}

void SessionRecorder::down(const Connection& connection, std::string_view reason, Timestamp time,
                           std::vector<std::uint8_t>& out) const {
  if (connection.current_type() == MessageType::kNotification && !connection.current_body().empty())
    message(connection, MessageType::kNotification, connection.current_body(), time, out);
  mrt::Mark mark;
  mark.kind = mrt::Mark::Kind::kDown;
  mark.text = reason;
  mark.peers = {{ends_.peer, {}, ends_.peer_as}};
  mrt::append_mark(mark, time, connection.our_open().router_id, out);
  mrt::append_state_change(ends_, time, mrt::kStateEstablished, kIdle, out);
}

void SessionRecorder::message(const Connection& connection, MessageType type, Octets body,
                              Timestamp time, const RecordBatch& batch, std::size_t first_record,
                              std::vector<std::uint8_t>& out) const {
  mrt::MessageForm form = form_of(connection);
  const bool may_have = !connection.parameters().add_path.empty();
  for (std::size_t i = first_record; may_have && !form.add_path && i < batch.records.size(); ++i) {
    const Record& r = batch.records[i];
    for (std::size_t n = r.nlri_at; n < r.nlri_at + r.withdrawn + r.announced; ++n)
      form.add_path = form.add_path || batch.nlri[n].has_path_id != 0;
  }
  mrt::append_message(ends_, time, form, type, body, out);
}

void SessionRecorder::message(const Connection& connection, MessageType type, Octets body,
                              Timestamp time, std::vector<std::uint8_t>& out) const {
  mrt::append_message(ends_, time, form_of(connection), type, body, out);
}

void SessionRecorder::end_of_rib(const Connection& connection, Family family, Timestamp time,
                                 std::vector<std::uint8_t>& out) const {
  std::vector<std::uint8_t> update;
  encode_end_of_rib(family, update);
  message(connection, MessageType::kUpdate, Octets(update).subspan(kHeaderSize), time, out);
}

}  // namespace lapwing::bgp
