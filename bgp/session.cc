#include "bgp/session.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "bgp/socket_options.h"
#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

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
    progress_.push_back({family, up_since_});
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
