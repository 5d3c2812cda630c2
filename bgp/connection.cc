#include "bgp/connection.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "bgp/socket_options.h"

namespace lapwing::bgp {

namespace {

using WaitType = boost::asio::posix::descriptor_base;
using std::chrono::seconds;

constexpr std::size_t kSmallBuffer = 8 * 1024;

std::string error_text(int error) { return std::system_category().message(error); }

}  // namespace

std::shared_ptr<Connection> Connection::create(SessionContext& context,
                                               std::shared_ptr<void> context_owner,
                                               ConnectionOwner& owner, bool outgoing) {
  return std::shared_ptr<Connection>(
      new Connection(context, std::move(context_owner), owner, outgoing));
}

Connection::Connection(SessionContext& context, std::shared_ptr<void> context_owner,
                       ConnectionOwner& owner, bool outgoing)
    : context_(context),
      context_owner_(std::move(context_owner)),
      owner_(&owner),
      outgoing_(outgoing),
      socket_(context.io),
      retry_(context.io),
      hold_(context.io),
      keepalive_(context.io),
      send_watch_(context.io),
      linger_(context.io) {
  ++context_.connections;
}

Connection::~Connection() {
  set_pending(false);
  --context_.connections;
}

template <void (Connection::*Handler)()>
void Connection::wait(WaitType::wait_type type) {
  socket_.async_wait(type, [self = shared_from_this(),
                            generation = generation_](const boost::system::error_code& error) {
    if (error == boost::asio::error::operation_aborted || generation != self->generation_) return;
    ((*self).*Handler)();
  });
}

void Connection::connect(bool manual) {
  fire(manual ? Event::kManualStart : Event::kAutomaticStart);
}

void Connection::accept(int fd) {
  boost::system::error_code error;
  socket_.assign(fd, error);
  if (error) {
    ::close(fd);
    finish("accept: " + error.message(), false);
    return;
  }
  set_pending(true);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0)
    remote_port_ = from_socket_address(address).port;
  connected_ = true;
  fire(Event::kAutomaticStartPassive);
  fire(Event::kTcpConfirmed);
  if (owner_ != nullptr) wait_readable();
}

void Connection::fire(Event event, const Notification& notification, std::string reason) {
  if (owner_ == nullptr) return;
  const auto self = shared_from_this();
  const State before = fsm_.state();
  const Transition& transition = fsm_.step(event);
  const bool timer = event == Event::kHoldTimerExpires || event == Event::kSendHoldExpires;
  const bool asked = event == Event::kManualStop || event == Event::kAutomaticStop ||
                     event == Event::kCollisionDump;
  const bool our_error = !timer && !asked && !transition.actions().empty() &&
                         transition.actions().front() == Action::kSendNotification;
  for (const Action action : transition.actions())
    perform(action, transition, notification, reason);
  if (owner_ == nullptr || fsm_.state() == before) return;
  // An accepted connection cannot connect again: without its socket it is over.
  const bool lost = !outgoing_ && before == State::kOpenSent && fsm_.state() == State::kActive;
  if (fsm_.state() == State::kIdle || lost)
    finish(reason, our_error);
  else
    owner_->on_state(*this);
}

void Connection::perform(Action action, const Transition& transition, const Notification& own,
                         std::string& reason) {
  const auto self = shared_from_this();
  switch (action) {
    case Action::kNone:
      break;
    case Action::kStartConnectRetry:
      if (outgoing_) retry_.start(owner_->retry_interval(), self, &Connection::on_connect_retry);
      break;
    case Action::kStopConnectRetry:
      retry_.cancel();
      break;
    case Action::kConnect:
      open_socket();
      break;
    case Action::kSendOpen:
      our_open_ = owner_->our_open();
      encode_open(our_open_, out_);
      count_sent(MessageType::kOpen);
      flush();
      break;
    case Action::kSendKeepalive:
      send_keepalive();
      break;
    case Action::kSendNotification: {
      Notification n = own;
      if (transition.code != 0) n = {transition.code, transition.subcode, own.data};
      encode_notification(n, out_);
      count_sent(MessageType::kNotification);
      const std::string said = "sent NOTIFICATION " + describe_notification(n);
      reason = reason.empty() ? said : said + " (" + reason + ")";
      flush();
      break;
    }
    case Action::kStartOpenHold:
      hold_time_ = context_.options.open_hold;
      start_hold();
      break;
    case Action::kStartHold:
      hold_time_ = seconds(parameters_.hold_time);
      start_hold();
      break;
    case Action::kStartKeepalive:
      start_keepalive();
      break;
    case Action::kStartSendHold:
      if (parameters_.hold_time != 0)
        send_hold_ = std::max<SteadyClock::duration>(context_.options.send_hold,
                                                     2 * seconds(parameters_.hold_time));
      send_progress_ = SteadyClock::now();
      break;
    case Action::kSessionUp:
      set_pending(false);
      max_message_ = parameters_.max_message_size();
      owner_->on_session_up(*this, current_time_);
      break;
    case Action::kDeliver:
      owner_->deliver(*this, current_type_, current_body_, current_time_);
      break;
    case Action::kRoutesStale:
      owner_->on_session_down(*this, reason);
      break;
    case Action::kDrop:
      drop();
      break;
    case Action::kZeroRetryCounter:
      owner_->zero_retry_counter();
      break;
    case Action::kCountRetry:
      owner_->count_retry();
      break;
  }
}

void Connection::finish(const std::string& reason, bool our_error) {
  if (owner_ == nullptr) return;
  const auto self = shared_from_this();
  retry_.cancel();
  ConnectionOwner* owner = std::exchange(owner_, nullptr);
  owner->on_closed(*this, reason, our_error);
}

void Connection::abandon() {
  owner_ = nullptr;
  for (Alarm* alarm : {&retry_, &hold_, &keepalive_, &send_watch_, &linger_}) alarm->cancel();
  ++generation_;
  connected_ = false;
  boost::system::error_code ignored;
  socket_.close(ignored);
  set_pending(false);
}

void Connection::set_pending(bool pending) {
  if (pending == pending_) return;
  pending_ = pending;
  pending ? ++context_.pending : --context_.pending;
}

// --- The socket -------------------------------------------------------------------------------

void Connection::open_socket() {
  const NeighborConfig& neighbor = owner_->config();
  // Faults become events later: no event comes in the middle of a transition.
  const auto fail = [this](const std::string& what) {
    boost::asio::post(context_.io, [self = shared_from_this(), what, generation = generation_] {
      if (generation == self->generation_) self->fire(Event::kTcpFails, {}, what);
    });
  };
  SocketAddress address;
  if (auto error = to_socket_address(neighbor.address, neighbor.port, neighbor.scope, address))
    return fail(*error);
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail("socket: " + error_text(errno));
  boost::system::error_code error;
  socket_.assign(fd, error);
  if (error) {
    ::close(fd);
    return fail("socket: " + error.message());
  }
  if (auto failed = prepare_outgoing(fd, neighbor)) return fail(*failed);
  remote_port_ = neighbor.port;
  if (::connect(fd, address.get(), address.size) != 0 && errno != EINPROGRESS)
    return fail("connect: " + error_text(errno));
  wait<&Connection::on_connected>(WaitType::wait_write);
}

void Connection::on_connected() {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    error = errno;
  if (error != 0) {
    fire(Event::kTcpFails, {}, "connect: " + error_text(error));
    return;
  }
  connected_ = true;
  fire(Event::kTcpAcked);
  if (owner_ != nullptr && connected_) wait_readable();
}

void Connection::on_connect_retry() {
  fire(Event::kConnectRetryExpires, {}, "connect: no answer in time");
}

void Connection::drop() {
  hold_.cancel();
  keepalive_.cancel();
  send_watch_.cancel();
  keepalive_due_ = SteadyClock::time_point::max();
  reading_ = writing_ = false;
  const bool was_connected = std::exchange(connected_, false);
  input_ = {};
  begun_.clear();
  ++generation_;
  boost::system::error_code ignored;
  if (was_connected && fsm_.state() == State::kIdle) {
    socket_.cancel(ignored);
    linger();
    return;
  }
  socket_.close(ignored);
  out_.clear();
  sent_ = 0;
}

// What was said last must reach the neighbour: closing while its octets are unread would make the
// kernel send a reset, which may overtake the NOTIFICATION.
void Connection::linger() {
  lingering_ = true;
  linger_.start(context_.options.linger, shared_from_this(), &Connection::on_linger_end);
  wait<&Connection::on_linger_readable>(WaitType::wait_read);
  flush();
}

void Connection::on_linger_readable() {
  std::array<std::uint8_t, kSmallBuffer> unread;
  // Bounded: a neighbour that goes on sending is cut off when the alarm ends it.
  for (int i = 0; i < 8; ++i) {
    const ssize_t n = ::recv(socket_.native_handle(), unread.data(), unread.size(), 0);
    if (n > 0) continue;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    on_linger_end();
    return;
  }
  wait<&Connection::on_linger_readable>(WaitType::wait_read);
}

void Connection::on_linger_end() { abandon(); }

bool Connection::unread() const {
  int octets = 0;
  return connected_ &&
         ::ioctl(const_cast<Connection*>(this)->socket_.native_handle(), FIONREAD, &octets) == 0 &&
         octets > 0;
}

IpAddress Connection::local_address() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int fd = const_cast<Connection*>(this)->socket_.native_handle();
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return from_socket_address(address).address;
}

// --- Reading ----------------------------------------------------------------------------------

void Connection::wait_readable() {
  if (reading_ || !connected_ || owner_ == nullptr || owner_->reading_paused()) return;
  reading_ = true;
  wait<&Connection::on_readable>(WaitType::wait_read);
}

void Connection::resume_reading() {
  if (!connected_) return;
  // What the neighbour sent meanwhile is still to be read: it has its full time to be heard.
  if (hold_time_ != SteadyClock::duration::zero())
    hold_deadline_ = std::max(hold_deadline_, SteadyClock::now() + hold_time_);
  wait_readable();
}

void Connection::on_readable() {
  reading_ = false;
  if (owner_ == nullptr || owner_->reading_paused()) return;
  const std::size_t room = fsm_.state() == State::kEstablished ? kReadSize : kSmallBuffer;
  std::vector<std::uint8_t>& in = context_.input;
  in.resize(kReadSize + kMaxExtendedMessageSize);
  std::copy(begun_.begin(), begun_.end(), in.begin());
  const ssize_t n = ::recv(socket_.native_handle(), in.data() + begun_.size(), room, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    wait_readable();
    return;
  }
  if (n <= 0) {
    fire(Event::kTcpFails, {},
         n == 0 ? "connection closed by the neighbor" : "connection lost: " + error_text(errno));
    return;
  }
  input_ = {in.data(), begun_.size() + static_cast<std::size_t>(n)};
  const std::uint64_t generation = generation_;
  process_input(context_.now());
  if (generation != generation_ || owner_ == nullptr) return;
  if (begun_.capacity() > kSmallBuffer && input_.size() <= kSmallBuffer)
    std::vector<std::uint8_t>().swap(begun_);
  begun_.assign(input_.begin(), input_.end());
  input_ = {};
  // Keepalives come before more reading, however long the queue of handlers is.
  if (SteadyClock::now() >= keepalive_due_) on_keepalive_due();
  if (owner_->on_turn_end()) wait_readable();
}

void Connection::process_input(Timestamp time) {
  const std::uint64_t generation = generation_;
  while (generation == generation_ && owner_ != nullptr) {
    const Frame frame = frame_message(input_, max_message_);
    if (frame.state == Frame::State::kNeedMore) return;
    if (frame.state == Frame::State::kError) {
      if (frame.silent)
        fire(Event::kNotification, {}, "received a malformed NOTIFICATION");
      else
        fire(frame.error.code == error::kRouteRefresh ? Event::kRouteRefreshError
                                                      : Event::kHeaderError,
             frame.error);
      return;
    }
    input_ = input_.subspan(frame.size);
    ++messages_received;
    ++received_by_type[static_cast<std::size_t>(frame.type) % received_by_type.size()];
    last_heard = time;
    if (!process_frame(frame, time)) return;
  }
}

bool Connection::process_frame(const Frame& frame, Timestamp time) {
  current_type_ = frame.type;
  current_body_ = frame.body;
  current_time_ = time;
  // RFC 6608 3: the data of an FSM error is the type of the message.
  const std::uint8_t type = static_cast<std::uint8_t>(frame.type);
  const Notification unexpected{0, 0, Octets(&type, 1)};
  switch (frame.type) {
    case MessageType::kOpen:
      if (fsm_.state() == State::kOpenSent)
        on_open_message(frame.body);
      else
        fire(Event::kOpen, unexpected);
      break;
    case MessageType::kUpdate:
      if (fsm_.state() == State::kEstablished)
        on_update_message(frame.body);
      else
        fire(Event::kUpdate, unexpected);
      break;
    case MessageType::kNotification: {
      const Notification n = decode_notification(frame.body);
      const bool version = n.code == error::kOpen && n.subcode == error::kUnsupportedVersion;
      fire(version ? Event::kNotificationVersion : Event::kNotification, {},
           "received NOTIFICATION " + describe_notification(n));
      break;
    }
    case MessageType::kKeepalive:
      fire(Event::kKeepalive, unexpected);
      break;
    case MessageType::kRouteRefresh:
      fire(Event::kRouteRefresh, unexpected);
      break;
  }
  current_body_ = {};
  return owner_ != nullptr && connected_;
}

void Connection::on_open_message(Octets body) {
  if (const auto error = decode_open(body, peer_open_)) {
    fire(Event::kOpenError, *error);
    return;
  }
  const NeighborConfig& neighbor = owner_->config();
  OpenExpectation expected;
  expected.local_as = neighbor.local_as;
  expected.peer_as = neighbor.peer_as;
  expected.router_id = context_.router_id;
  expected.role = neighbor.role;
  if (const auto error = check_open(peer_open_, expected)) {
    fire(Event::kOpenError, *error);
    return;
  }
  if (context_.options.record) peer_open_body_.assign(body.begin(), body.end());
  parameters_ = negotiate(our_open_, peer_open_);
  parameters_.loopback = is_loopback(neighbor.address);
  if (owner_->on_open(*this)) fire(Event::kOpen);
}

void Connection::on_update_message(Octets body) {
  if (const auto error = owner_->check_update(*this, body))
    fire(Event::kUpdateError, *error);
  else
    fire(Event::kUpdate);
}

// --- Writing ----------------------------------------------------------------------------------

void Connection::flush() {
  if (writing_) return;
  while (sent_ != out_.size()) {
    const ssize_t n = ::send(socket_.native_handle(), out_.data() + sent_, out_.size() - sent_,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent_ += static_cast<std::size_t>(n);
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      writing_ = true;
      wait<&Connection::on_writable>(WaitType::wait_write);
      return;
    }
    break;  // the reading side learns that the connection is lost
  }
  out_.clear();
  sent_ = 0;
  if (lingering_) ::shutdown(socket_.native_handle(), SHUT_WR);
}

void Connection::on_writable() {
  writing_ = false;
  flush();
}

}  // namespace lapwing::bgp
