// One TCP connection with a neighbour: its FSM, its timers, framing and what is still to be sent.
//
// A session has one for its own connect and one for each connection that it accepted, until one of
// them is established. The connection carries out the actions of the FSM and asks its owner for
// everything that concerns the neighbour as a whole. When its FSM is back in Idle it leaves its
// owner (`on_closed`) and, where a NOTIFICATION is still under way, lingers by itself until it was
// delivered or `SpeakerOptions::linger` has passed.
//
// Reading is done in turns: one `recv` of at most `kReadSize` octets, one time stamp, all whole
// messages in it, one call of `on_turn_end`. All connections read into one place; between turns each
// keeps only the beginning of a message that is not whole yet.
// Thread: the io thread. Owns: the socket, timers, what is still to be sent.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bgp/alarm.h"
#include "bgp/fsm.h"
#include "bgp/message.h"
#include "bgp/notification.h"
#include "bgp/open.h"
#include "bgp/session_context.h"
#include "lapwing/time.h"

namespace lapwing::bgp {

class Connection;

/// The session. All calls come from the connection's own handlers or from `fire`.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  virtual const NeighborConfig& config() const = 0;
  virtual Open our_open() = 0;
  /// How long the next try to connect waits: it grows with the retry counter.
  virtual std::chrono::milliseconds retry_interval() = 0;
  virtual void count_retry() = 0;
  virtual void zero_retry_counter() = 0;
  /// The neighbour's OPEN is valid. False: this connection was closed by a collision.
  virtual bool on_open(Connection& connection) = 0;
  virtual void on_session_up(Connection& connection, Timestamp time) = 0;
  virtual void on_session_down(Connection& connection, const std::string& reason) = 0;
  /// An UPDATE while established. An error is the NOTIFICATION that resets the session.
  virtual std::optional<Notification> check_update(Connection& connection, Octets body) = 0;
  /// The UPDATE that was checked just before, or a ROUTE-REFRESH.
  virtual void deliver(Connection& connection, MessageType type, Octets body, Timestamp time) = 0;
  /// False: there is no room for more, reading pauses until `resume_reading`.
  virtual bool on_turn_end() = 0;
  virtual bool reading_paused() const = 0;
  virtual void on_state(Connection& connection) = 0;
  /// The last call. `our_error`: we found the fault and said so.
  virtual void on_closed(Connection& connection, const std::string& reason, bool our_error) = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  static constexpr std::size_t kReadSize = 128 * 1024;

  static std::shared_ptr<Connection> create(SessionContext& context,
                                            std::shared_ptr<void> context_owner,
                                            ConnectionOwner& owner, bool outgoing);
  ~Connection();

  /// Begins to connect (outgoing only).
  void connect(bool manual);
  /// Begins with a socket that was accepted and prepared.
  void accept(int fd);
  /// Gives an event to the FSM. `notification` and `reason` belong to events that end a session.
  void fire(Event event, const Notification& notification = {}, std::string reason = {});
  /// Ends without a word and without calling the owner again.
  void abandon();
  void resume_reading();
  /// For ROUTE-REFRESH and End-of-RIB. False when too much waits to be sent already.
  bool send(const std::vector<std::uint8_t>& message);

  State state() const { return fsm_.state(); }
  bool outgoing() const { return outgoing_; }
  bool connected() const { return connected_; }
  const Open& peer_open() const { return peer_open_; }
  const Open& our_open() const { return our_open_; }
  /// The neighbour's OPEN as it came; kept only where sessions are recorded.
  Octets peer_open_body() const { return peer_open_body_; }
  /// The message that is being processed; its body is empty where there is none.
  MessageType current_type() const { return current_type_; }
  Octets current_body() const { return current_body_; }
  /// Our end; unspecified where there is no socket.
  IpAddress local_address() const;
  const SessionParameters& parameters() const { return parameters_; }
  std::uint16_t remote_port() const { return remote_port_; }
  /// Octets wait in the kernel that we have not read.
  bool unread() const;

  /// The connection began after the established session of a neighbour that restarts gracefully.
  bool supersedes = false;

 private:
  Connection(SessionContext& context, std::shared_ptr<void> context_owner, ConnectionOwner& owner,
             bool outgoing);

  void perform(Action action, const Transition& transition, const Notification& own,
               std::string& reason);
  void finish(const std::string& reason, bool our_error);
  void set_pending(bool pending);

  void open_socket();
  void on_connected();
  void on_connect_retry();
  void drop();
  void linger();
  void on_linger_readable();
  void on_linger_end();

  void wait_readable();
  void on_readable();
  void process_input(Timestamp time);
  bool process_frame(const Frame& frame, Timestamp time);
  void on_open_message(Octets body);
  void on_update_message(Octets body);

  void start_hold();
  void on_hold_expires();
  void start_keepalive();
  void on_keepalive_due();
  void send_keepalive();
  void count_sent(MessageType type);
  void watch_sending();
  void on_send_watch();
  void flush();
  void on_writable();
  bool all_acknowledged() const;

  template <void (Connection::*Handler)()>
  void wait(boost::asio::posix::descriptor_base::wait_type type);

  SessionContext& context_;
  std::shared_ptr<void> context_owner_;
  ConnectionOwner* owner_;  // null once it left
  bool outgoing_;
  bool connected_ = false;
  bool pending_ = false;    // counted in SessionContext::pending
  bool reading_ = false;    // a wait for input is under way
  bool writing_ = false;
  bool lingering_ = false;
  Fsm fsm_;
  boost::asio::posix::stream_descriptor socket_;
  std::uint64_t generation_ = 0;  // of the socket: handlers of a former one do nothing
  std::uint16_t remote_port_ = 0;

  Octets input_;                     // of the present turn, not looked at yet; in the context
  std::vector<std::uint8_t> begun_;  // a message that is not whole yet
  std::vector<std::uint8_t> out_;
  std::size_t sent_ = 0;

  Open our_open_;
  Open peer_open_;
  std::vector<std::uint8_t> peer_open_body_;
  SessionParameters parameters_;
  std::size_t max_message_ = kMaxMessageSize;
  MessageType current_type_ = MessageType::kKeepalive;
  Octets current_body_;
  Timestamp current_time_{};

  Alarm retry_;
  Alarm hold_;
  Alarm keepalive_;
  Alarm send_watch_;
  Alarm linger_;
  SteadyClock::duration hold_time_{};  // the one that runs; zero: none
  SteadyClock::time_point hold_deadline_{};
  SteadyClock::time_point keepalive_due_ = SteadyClock::time_point::max();
  SteadyClock::duration send_hold_{};
  SteadyClock::time_point send_progress_{};
  unsigned unread_rearms_ = 0;   // since the neighbour was last heard
  std::uint64_t pause_rearms_ = 0;

 public:
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::array<std::uint64_t, 6> received_by_type{};  // by MessageType
  std::array<std::uint64_t, 6> sent_by_type{};
  /// Until the hold timer expires; none where it does not run.
  std::optional<SteadyClock::duration> hold_left() const {
    if (hold_time_ == SteadyClock::duration::zero()) return std::nullopt;
    return std::max(hold_deadline_ - SteadyClock::now(), SteadyClock::duration::zero());
  }
  std::optional<Timestamp> last_heard;
};

}  // namespace lapwing::bgp
