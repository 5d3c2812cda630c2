#include "bgp/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "bgp/socket_options.h"
#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

void close_with_reset(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

std::vector<std::uint8_t> shutdown_data(std::string_view text) {
  std::vector<std::uint8_t> data;
  if (!text.empty()) encode_shutdown_communication(text, data);
  return data;
}

void add_counts(const std::array<std::uint64_t, 6>& counts, std::array<std::uint64_t, 6>& sum) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += counts[i];
}

/// Settings whose change needs no new session.
bool same_session(NeighborConfig a, const NeighborConfig& b) {
  a.description = b.description;
  a.quiet_period = b.quiet_period;
  a.connect_retry = b.connect_retry;
  a.max_prefix = b.max_prefix;
  a.max_attributes = b.max_attributes;
  a.dynamic_limit = b.dynamic_limit;
  a.enabled = b.enabled;
  return a == b;
}

}  // namespace

Session::Session(std::shared_ptr<SessionContext> context, NeighborConfig config, bool dynamic,
                 std::function<void(Session&)> changed)
    : context_(std::move(context)),
      config_(std::move(config)),
      dynamic_(dynamic),
      changed_(std::move(changed)),
      restarted_(context_->options.restarted),
      start_(context_->io),
      quiet_(context_->io),
      since_(context_->now()) {}

Session::~Session() {
  if (paused_) --context_->paused_sessions;
  for (const auto& connection : connections()) connection->abandon();
}

void Session::log(LogLevel level, std::string message) const {
  context_->log(level, config_.name, std::move(message));
}

std::vector<std::shared_ptr<Connection>> Session::connections() const {
  std::vector<std::shared_ptr<Connection>> all = incoming_;
  if (outgoing_) all.insert(all.begin(), outgoing_);
  return all;
}

// --- Start and end ----------------------------------------------------------------------------

void Session::start() {
  if (!dynamic_) {
    declare();
    push();
  }
  enabled_ = config_.enabled;
  if (enabled_) schedule_start(context_->up_to(context_->options.start_spread));
  note_state();
}

void Session::schedule_start(std::chrono::milliseconds after) {
  if (!enabled_ || config_.passive || dynamic_) return;
  start_.start(after, shared_from_this(), &Session::on_start_due);
}

void Session::on_start_due() {
  if (!enabled_ || outgoing_) return;
  const bool connecting = std::any_of(incoming_.begin(), incoming_.end(), [](const auto& c) {
    return c->state() >= State::kOpenConfirm;
  });
  if (connecting) return;  // its end schedules the next start
  if (paused_) {
    schedule_start(retry_interval());
    return;
  }
  outgoing_ = Connection::create(*context_, context_, *this, true);
  outgoing_->connect(false);
}

std::chrono::milliseconds Session::retry_interval() {
  const std::chrono::milliseconds first =
      context_->options.retry.value_or(std::chrono::milliseconds(config_.connect_retry));
  const unsigned doublings = std::min(std::max(retry_count_, 1u) - 1, 16u);
  const std::chrono::milliseconds limit = std::max(first, context_->options.retry_limit);
  return context_->jitter(std::min(first * (1 << doublings), limit));
}

void Session::accept(int fd) {
  const char* refusal = nullptr;
  if (!enabled_)
    refusal = "the neighbor is disabled";
  else if (paused_ && active_ == nullptr)
    refusal = "there is no room for its records";
  else if (SteadyClock::now() < refuse_until_)
    refusal = "the back-off after an error runs";
  else if (incoming_.size() - (active_ != nullptr && !active_->outgoing() ? 1 : 0) >=
           context_->options.pending_per_neighbor)
    refusal = "too many connections are pending";
  else if (context_->pending >= context_->options.pending_total)
    refusal = "too many connections are pending over all neighbors";
  std::string failed;
  if (refusal == nullptr) {
    if (auto error = prepare_accepted(fd, config_)) {
      failed = *error;
      refusal = failed.c_str();
    }
  }
  if (refusal != nullptr) {
    std::uint64_t suppressed = 0;
    if (refused_limit_.allow(SteadyClock::now(), suppressed))
      log(LogLevel::kNotice,
          std::string("connection refused: ") + refusal +
              (suppressed == 0 ? "" : " (and " + std::to_string(suppressed) + " more before)"));
    close_with_reset(fd);
    if (dynamic_) changed_(*this);
    return;
  }
  auto connection = Connection::create(*context_, context_, *this, false);
  connection->supersedes = active_ != nullptr && active_->parameters().graceful_restart;
  incoming_.push_back(connection);
  connection->accept(fd);
}

void Session::end_all(Event event, const Notification& notification, const std::string& why) {
  for (const auto& connection : connections()) connection->fire(event, notification, why);
}

void Session::stop(std::uint8_t cease, std::string_view text, std::string why) {
  stop_with(cease, shutdown_data(text), std::move(why));
}

void Session::stop_with(std::uint8_t cease, const std::vector<std::uint8_t>& data,
                        std::string why) {
  enabled_ = held_ = false;
  start_.cancel();
  end_all(Event::kManualStop, {error::kCease, cease, data}, why);
  last_error_ = std::move(why);
  note_state();
}

void Session::enable() {
  if (enabled_) return;
  enabled_ = true;
  held_ = false;
  retry_count_ = 0;
  refuse_until_ = {};
  log(LogLevel::kNotice, "enabled");
  schedule_start(std::chrono::milliseconds(0));
  note_state();
}

void Session::clear(std::uint8_t cease, std::string_view text) {
  const auto data = shutdown_data(text);
  end_all(Event::kManualStop, {error::kCease, cease, data}, "cleared by the operator");
  enabled_ = enabled_ || std::exchange(held_, false);
  retry_count_ = 0;
  refuse_until_ = {};
  schedule_start(context_->up_to(context_->options.start_spread));
  note_state();
}

void Session::stop_for_max_prefix(Family family, std::uint64_t limit) {
  if (!enabled_) return;
  const std::string why =
      "more than " + std::to_string(limit) + " routes of " + format_family(family);
  std::vector<std::uint8_t> data;  // RFC 4486 4: AFI, SAFI, upper bound
  put_u16(data, family.afi);
  put_u8(data, family.safi);
  put_u32(data, static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, 0xffffffff)));
  hold(error::kMaxPrefixes, data, why);
}

void Session::stop_for_attributes(std::uint64_t limit) {
  if (!enabled_) return;
  hold(error::kOutOfResources, {}, "more than " + std::to_string(limit) + " octets of attributes");
}

void Session::hold(std::uint8_t cease, const std::vector<std::uint8_t>& data,
                   const std::string& why) {
  log(LogLevel::kError, why + "; idle until it is cleared or enabled");
  stop_with(cease, data, why);
  held_ = true;
}

void Session::reconfigure(NeighborConfig config) {
  const bool same = same_session(config, config_);
  const bool toggled = config.enabled != config_.enabled;
  if (!same)
    end_all(Event::kManualStop, {error::kCease, error::kConfigurationChange, {}},
            "configuration changed");
  const bool limits =
      config.max_prefix != config_.max_prefix || config.max_attributes != config_.max_attributes;
  config_ = std::move(config);
  if ((!same && !dynamic_) || (limits && declared_)) {
    declare();
    push();
  }
  if (toggled && !config_.enabled) {
    stop(error::kAdministrativeShutdown, {}, "disabled by configuration");
  } else if (toggled) {
    enable();
  } else if (!same && enabled_) {
    retry_count_ = 0;
    refuse_until_ = {};
    schedule_start(context_->up_to(context_->options.start_spread));
  }
  note_state();
}

// --- What connections ask and say -------------------------------------------------------------

Open Session::our_open() { return make_open(config_, context_->router_id, restarted_); }

// The connection that the side with the higher identifier began survives; with equal identifiers,
// the one of the higher AS (RFC 6286 2.3). Of two that the same side began, the newer one.
bool Session::wins(const Connection& connection, const Connection& other) const {
  if (connection.outgoing() == other.outgoing()) return true;
  const IpAddress& ours = context_->router_id;
  const IpAddress& theirs = connection.peer_open().router_id;
  const bool we_are_higher =
      ours != theirs ? ours > theirs : config_.local_as > connection.peer_open().as;
  return connection.outgoing() == we_are_higher;
}

bool Session::on_open(Connection& connection) {
  for (const auto& other : connections()) {
    if (other.get() == &connection) continue;
    if (other->state() == State::kEstablished && connection.supersedes) {
      // RFC 4724 5: the former connection is closed without a NOTIFICATION.
      other->fire(Event::kTcpFails, {}, "the neighbor restarted and connected again");
    } else if (other->state() == State::kEstablished ||
               (other->state() == State::kOpenConfirm && !wins(connection, *other))) {
      connection.fire(Event::kCollisionDump);
      return false;
    } else if (other->state() == State::kOpenConfirm) {
      other->fire(Event::kCollisionDump);
    }
  }
  return true;
}

void Session::on_session_up(Connection& connection, Timestamp time) {
  active_ = &connection;
  restarted_ = false;
  ++established_count_;
  up_since_ = SteadyClock::now();
  // A connect that is still under way has nothing to say any more.
  start_.cancel();
  if (outgoing_ && outgoing_.get() != &connection && outgoing_->state() < State::kOpenSent) {
    outgoing_->abandon();
    outgoing_.reset();
  }
  if (!declared_) declare();
  const SessionParameters& agreed = connection.parameters();
  SessionDetail detail;
  detail.families = agreed.families.to_vector();
  detail.router_id = agreed.peer_router_id;
  detail.expects_end_of_rib = agreed.graceful_restart;
  std::string families;
  progress_.clear();
  for (const Family family : detail.families) {
    families += (families.empty() ? "" : ", ") + format_family(family);
    progress_.push_back({family, up_since_, false});
  }
  open_families_ = progress_.size();
  log(families.empty() ? LogLevel::kWarning : LogLevel::kNotice,
      "established, hold time " + std::to_string(agreed.hold_time) +
          " s, families: " + (families.empty() ? "none in common" : families));
  batch_.add_session(time, peer_, RecordKind::kPeerUp, std::move(detail));
  if (recorded()) recorder_.up(connection, config_, time, batch_.recording);
  std::vector<std::uint8_t> message;
  for (const FamilyProgress& p : progress_) {
    message.clear();
    encode_end_of_rib(p.family, message);
    connection.send(message);
  }
  start_quiet();
}

void Session::on_session_down(Connection& connection, const std::string& reason) {
  if (active_ != &connection) return;
  active_ = nullptr;
  quiet_.cancel();
  progress_.clear();
  open_families_ = 0;
  down_since_ = SteadyClock::now();
  if (down_since_ - up_since_ >= context_->options.stable_after) retry_count_ = 0;
  SessionDetail detail;
  detail.reason = reason;
  const Timestamp time = context_->now();
  batch_.add_session(time, peer_, RecordKind::kPeerDown, std::move(detail));
  if (recorded()) recorder_.down(connection, reason, time, batch_.recording);
  push();
}

void Session::on_state(Connection& connection) {
  if (connection.state() != State::kConnect && connection.state() != State::kActive)
    log(LogLevel::kDebug, std::string(connection.outgoing() ? "outgoing" : "incoming") +
                              " connection: " + state_name(connection.state()));
  note_state();
}

void Session::on_closed(Connection& connection, const std::string& reason, bool our_error) {
  const auto self = shared_from_this();
  messages_received_ += connection.messages_received;
  messages_sent_ += connection.messages_sent;
  add_counts(connection.received_by_type, received_by_type_);
  add_counts(connection.sent_by_type, sent_by_type_);
  if (connection.last_heard) last_heard_ = std::max(last_heard_, connection.last_heard);
  if (outgoing_.get() == &connection) outgoing_.reset();
  std::erase_if(incoming_, [&](const auto& c) { return c.get() == &connection; });
  if (!reason.empty()) {
    if (active_ == nullptr) last_error_ = reason;
    // A neighbour that is away is logged once, not at each try.
    const bool again = reason == last_logged_ && connection.messages_received == 0;
    log(again ? LogLevel::kDebug : LogLevel::kNotice, "connection ended: " + reason);
    last_logged_ = reason;
  }
  const auto wait = retry_interval();
  if (our_error) refuse_until_ = SteadyClock::now() + wait;
  if (!outgoing_ && active_ == nullptr) schedule_start(wait);
  note_state();
}

// --- Messages to records ----------------------------------------------------------------------

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

void Session::start_quiet() {
  if (open_families_ != 0) quiet_.start(quiet_period(), shared_from_this(), &Session::on_quiet);
}

void Session::on_quiet() {
  if (active_ == nullptr || open_families_ == 0) return;
  // What waits unread may be the rest of the table: it is not quiet, we do not listen.
  if (paused_ || active_->unread()) {
    start_quiet();
    return;
  }
  const auto now = SteadyClock::now();
  const auto period = quiet_period();
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

// --- What is shown ----------------------------------------------------------------------------

State Session::shown_state() const {
  State state = !enabled_ ? State::kIdle : outgoing_ ? outgoing_->state() : State::kActive;
  for (const auto& connection : incoming_) state = std::max(state, connection->state());
  return state;
}

void Session::note_state() {
  const State state = shown_state();
  if (state != last_state_) since_ = context_->now();
  last_state_ = state;
  changed_(*this);
}

void Session::add_connection_status(const Connection& connection, PeerStatus& status) const {
  status.messages_received += connection.messages_received;
  status.messages_sent += connection.messages_sent;
  add_counts(connection.received_by_type, status.received_by_type);
  add_counts(connection.sent_by_type, status.sent_by_type);
  if (connection.last_heard) status.last_heard = std::max(status.last_heard, connection.last_heard);
}

PeerStatus Session::status() const {
  PeerStatus s;
  s.name = config_.name;
  s.address = config_.address;
  s.port = config_.port;
  s.as = config_.peer_as;
  s.local_as = config_.local_as;
  s.description = config_.description;
  s.state = state_name(shown_state());
  s.since = since_;
  s.last_heard = last_heard_;
  s.last_error = last_error_;
  s.updates_received = updates_received_;
  s.messages_received = messages_received_;
  s.messages_sent = messages_sent_;
  s.received_by_type = received_by_type_;
  s.sent_by_type = sent_by_type_;
  s.malformed = malformed_;
  s.malformed_by_action = malformed_by_action_;
  s.established = established_count_;
  s.enabled = enabled_;
  for (const auto& connection : connections()) add_connection_status(*connection, s);
  if (active_ == nullptr) return s;
  s.as = active_->peer_open().as;
  s.router_id = format_address(active_->peer_open().router_id);
  s.hold_time = active_->parameters().hold_time;
  if (const auto left = active_->hold_left())
    s.hold_left = std::chrono::duration_cast<std::chrono::milliseconds>(*left);
  s.families = active_->parameters().families.to_vector();
  const std::string words = describe_capabilities(active_->peer_open().capabilities);
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(", ", at), words.size());
    s.capabilities.push_back(words.substr(at, end - at));
    at = end + 2;
  }
  return s;
}

}  // namespace lapwing::bgp
