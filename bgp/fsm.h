// The BGP finite state machine (RFC 4271 8) as a complete table: state x event -> actions, state.
//
// `transition` is pure data; `Fsm` holds the state of one connection and steps through the table.
// Who owns the connection carries the actions out, in their order. Each TCP connection has an FSM of
// its own (RFC 4271 8.2.1); collisions between the two of one neighbour are resolved above it.
//
// Implements RFC 4271 8, RFC 6608 (subcodes of FSM errors), RFC 9687 (event 29), RFC 2918 and
// RFC 7313 (ROUTE-REFRESH as an event). DelayOpen is off: events 6, 7 and 12 to 15 do not occur.
// Deviations, all of them in what RFC 4271 leaves to practice:
//  - a NOTIFICATION is never answered by one (RFC 4271 6.4), also in OpenSent, where 8.2.2 would;
//  - a second OPEN in OpenConfirm is an FSM error (5/2); collisions concern other connections;
//  - message errors in Established are answered with their own code, as RFC 4271 6 says, and not
//    with the FSM error of 8.2.2;
//  - ConnectRetryCounter also counts a failed connect and a connection that is lost in OpenSent,
//    because the back-off grows with it.
// Thread: any. Owns: nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lapwing::bgp {

enum class State : std::uint8_t { kIdle, kConnect, kActive, kOpenSent, kOpenConfirm, kEstablished };
inline constexpr std::size_t kStateCount = 6;

/// The numbers in RFC 4271 8.1 stand beside the events.
enum class Event : std::uint8_t {
  kManualStart,            // 1
  kManualStop,             // 2
  kAutomaticStart,         // 3
  kManualStartPassive,     // 4
  kAutomaticStartPassive,  // 5
  kAutomaticStop,          // 8
  kConnectRetryExpires,    // 9
  kHoldTimerExpires,       // 10
  kKeepaliveTimerExpires,  // 11
  kTcpAcked,               // 16: our connect succeeded
  kTcpConfirmed,           // 17: the neighbour's connect was accepted
  kTcpFails,               // 18
  kOpen,                   // 19
  kHeaderError,            // 21
  kOpenError,              // 22
  kCollisionDump,          // 23
  kNotificationVersion,    // 24
  kNotification,           // 25
  kKeepalive,              // 26
  kUpdate,                 // 27
  kUpdateError,            // 28
  kSendHoldExpires,        // 29 (RFC 9687)
  kRouteRefresh,           // RFC 2918
  kRouteRefreshError,      // RFC 7313 5
};
inline constexpr std::size_t kEventCount = 24;

enum class Action : std::uint8_t {
  kNone,                // ends the list
  kStartConnectRetry,
  kStopConnectRetry,
  kConnect,             // begins a TCP connection, instead of a former one
  kSendOpen,
  kSendKeepalive,
  kSendNotification,    // `Transition::code` and `subcode`, or the event's own where code is 0
  kStartOpenHold,       // the large value of RFC 4271 8.2.2
  kStartHold,           // the negotiated value; no timer where it is 0
  kStartKeepalive,      // a third of it; no timer where it is 0
  kStartSendHold,       // RFC 9687
  kSessionUp,
  kDeliver,             // hands the message to the decoder
  kRoutesStale,         // the session is over: RFC 4271 deletes the routes, RFC 4724 keeps them stale
  kDrop,                // releases the connection and stops its timers
  kZeroRetryCounter,
  kCountRetry,
};

struct Transition {
  static constexpr std::size_t kMaxActions = 7;
  std::array<Action, kMaxActions> list{};
  State next = State::kIdle;
  std::uint8_t code = 0;
  std::uint8_t subcode = 0;

  constexpr std::span<const Action> actions() const {
    std::size_t n = 0;
    while (n < list.size() && list[n] != Action::kNone) ++n;
    return {list.data(), n};
  }
};

const Transition& transition(State state, Event event);

const char* state_name(State state);    // RFC 4271 8.2.2: "OpenSent"
const char* event_name(Event event);
const char* action_name(Action action);

class Fsm {
 public:
  State state() const { return state_; }
  /// Moves to the next state and returns what is to be done, in order.
  const Transition& step(Event event) {
    const Transition& t = transition(state_, event);
    state_ = t.next;
    return t;
  }

 private:
  State state_ = State::kIdle;
};

}  // namespace lapwing::bgp
