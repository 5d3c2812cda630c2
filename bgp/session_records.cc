// Session: what the neighbour says as records, and the way to their sink.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "bgp/session.h"
#include "bgp/wire.h"

namespace lapwing::bgp {

void Session::declare() {
  peer_ = context_->peer_number(config_.name);
  declared_ = true;
  PeerDetail detail;
  detail.name = config_.name;
  detail.address = config_.address;
  detail.as =
      config_.peer_as != 0 || active_ == nullptr ? config_.peer_as : active_->peer_open().as;
  detail.local_as = config_.local_as;
  detail.max_prefix = config_.max_prefix;
  detail.max_attributes = config_.max_attributes;
  const Timestamp time = context_->now();
  if (recorded()) recorder_.declare(detail, context_->router_id, time, batch_.recording);
  batch_.add_peer(time, peer_, std::move(detail));
}

std::optional<Notification> Session::check_update(Connection& connection, Octets body) {
  ++updates_received_;
  Update& update = context_->update;
  const ErrorAction action = update.parse(body, connection.parameters());
  if (action != ErrorAction::kNone) log_findings();
  if (action != ErrorAction::kSessionReset) return std::nullopt;
  if (recorded())
    recorder_.message(connection, MessageType::kUpdate, body, context_->now(), batch_.recording);
  return update.notification();
}

void Session::log_findings() {
  ++malformed_;
  const auto action = static_cast<std::size_t>(context_->update.findings().action());
  ++malformed_by_action_[std::clamp<std::size_t>(action, 1, malformed_by_action_.size()) - 1];
  std::uint64_t suppressed = 0;
  if (!malformed_limit_.allow(SteadyClock::now(), suppressed)) return;
  const Finding& finding = context_->update.findings().strongest();
  std::string line = "malformed UPDATE, " + std::string(to_string(finding.action)) + ": " +
                     std::string(finding.reason) + " (" + std::string(finding.rfc) + ")";
  if (finding.type != 0) line += ", attribute " + std::to_string(finding.type);
  constexpr std::size_t kShown = 64;
  constexpr char kDigits[] = "0123456789abcdef";
  line += ", octets ";
  for (const std::uint8_t octet : finding.octets.first(std::min(finding.octets.size(), kShown))) {
    line += kDigits[octet >> 4];
    line += kDigits[octet & 15];
  }
  if (finding.octets.size() > kShown)
    line += "... (" + std::to_string(finding.octets.size()) + " in all)";
  if (suppressed != 0) line += "; " + std::to_string(suppressed) + " such lines were suppressed";
  log(LogLevel::kWarning, std::move(line));
}

void Session::deliver(Connection& connection, MessageType type, Octets body, Timestamp time) {
  if (type == MessageType::kRouteRefresh) {
    deliver_refresh(connection, body, time);
    return;
  }
  if (batch_.records.empty()) {
    batch_.octets.reserve(last_octets_);
    batch_.nlri.reserve(last_nlri_);
  }
  const std::size_t first = batch_.records.size();
  context_->update.append_records(time, peer_, batch_);
  if (recorded()) recorder_.message(connection, type, body, time, batch_, first, batch_.recording);
  if (open_families_ != 0) note_progress(first);
}

void Session::note_progress(std::size_t first_record) {
  const auto now = SteadyClock::now();
  for (std::size_t i = first_record; i < batch_.records.size(); ++i) {
    const Record& record = batch_.records[i];
    const bool end = record.kind == RecordKind::kEndOfRib;
    const std::size_t count = record.withdrawn + std::size_t{record.announced};
    if (!end && count == 0) continue;
    const Family family = end ? record.family : batch_.nlri[record.nlri_at].family();
    for (FamilyProgress& p : progress_) {
      if (p.family != family) continue;
      p.last_update = now;
      if (end && !p.ended) {
        p.ended = true;
        --open_families_;
      }
    }
  }
  if (open_families_ == 0) quiet_.cancel();
}

void Session::deliver_refresh(Connection& connection, Octets body, Timestamp time) {
  const auto refresh = decode_route_refresh(body);
  if (!refresh || !connection.parameters().families.contains(refresh->family)) return;
  if (recorded())
    recorder_.message(connection, MessageType::kRouteRefresh, body, time, batch_.recording);
  if (refresh->kind == RefreshKind::kRequest) {
    std::vector<std::uint8_t> message;
    encode_end_of_rib(refresh->family, message);
    connection.send(message);
    return;
  }
  batch_.add_mark(
      time, peer_,
      refresh->kind == RefreshKind::kBegin ? RecordKind::kRefreshBegin : RecordKind::kRefreshEnd,
      refresh->family);
}

void Session::refresh() {
  if (active_ == nullptr) return;
  if (!active_->parameters().route_refresh) {
    log(LogLevel::kWarning, "the neighbor does not know route refresh");
    return;
  }
  std::vector<std::uint8_t> message;
  for (const Family family : active_->parameters().families.to_vector()) {
    message.clear();
    encode_route_refresh({family, RefreshKind::kRequest}, message);
    if (!active_->send(message)) log(LogLevel::kWarning, "too much waits to be sent to refresh");
  }
}

bool Session::push() {
  if (paused_) return false;
  if (batch_.empty()) return true;
  last_octets_ = std::min(batch_.octets.size(), std::size_t{1} << 20);
  last_nlri_ = std::min(batch_.nlri.size(), std::size_t{1} << 16);
  if (context_->sink.try_push(batch_)) {
    batch_.clear();
    return true;
  }
  paused_ = true;
  ++context_->paused_sessions;
  context_->sink.when_room([&io = context_->io, weak = weak_from_this()] {
    boost::asio::post(io, [weak] {
      if (const auto self = weak.lock()) self->on_room();
    });
  });
  return false;
}

void Session::on_room() {
  paused_ = false;
  --context_->paused_sessions;
  if (!push()) return;
  for (const auto& connection : connections()) connection->resume_reading();
  changed_(*this);
}

// --- A family that ends its first table without a word ----------------------------------------

std::chrono::milliseconds Session::quiet_period() const {
  return context_->options.quiet.value_or(std::chrono::milliseconds(config_.quiet_period));
}

// Whoever announces graceful restart ends each table with End-of-RIB (RFC 4724 3). It may hold the table
// back until its own neighbours have sent theirs (4.1), or pause within it: minutes of silence are
// no end. Only one that breaks its word is not waited for forever.
std::chrono::milliseconds Session::wait_for_end() const {
  constexpr int kOfPromised = 10;
  return quiet_period() * (active_->parameters().graceful_restart ? kOfPromised : 1);
}

void Session::start_quiet() {
  if (open_families_ != 0) quiet_.start(wait_for_end(), shared_from_this(), &Session::on_quiet);
}

void Session::on_quiet() {
  if (active_ == nullptr || open_families_ == 0) return;
  // What waits unread may be the rest of the table: it is not quiet, we do not listen.
  if (paused_ || active_->unread()) {
    start_quiet();
    return;
  }
  const auto now = SteadyClock::now();
  const auto period = wait_for_end();
  auto next = SteadyClock::duration::max();
  for (FamilyProgress& p : progress_) {
    if (p.ended) continue;
    if (now - p.last_update >= period) {
      p.ended = true;
      --open_families_;
      log(LogLevel::kInfo, format_family(p.family) + ": no End-of-RIB, but quiet: table complete");
      const Timestamp time = context_->now();
      batch_.add_mark(time, peer_, RecordKind::kEndOfRib, p.family);
      if (recorded()) recorder_.end_of_rib(*active_, p.family, time, batch_.recording);
    } else {
      next = std::min(next, p.last_update + period - now);
    }
  }
  if (open_families_ != 0) quiet_.start(next, shared_from_this(), &Session::on_quiet);
  push();
}

}  // namespace lapwing::bgp
