#include "bgp/fsm.h"

#include <initializer_list>

namespace lapwing::bgp {

namespace {

using A = Action;
using E = Event;

struct Row {
  Event event;
  Transition transition;
};
using StateTable = std::array<Row, kEventCount>;

constexpr Transition go(State next, std::initializer_list<Action> actions, std::uint8_t code = 0,
                        std::uint8_t subcode = 0) {
  Transition t;
  std::size_t n = 0;
  for (const Action action : actions) t.list[n++] = action;
  t.next = next;
  t.code = code;
  t.subcode = subcode;
  return t;
}

constexpr std::uint8_t kHoldTimerExpired = 4, kFsmError = 5, kCease = 6, kSendHoldExpired = 8;

// Ends of a connection, by what is said and what is counted.
constexpr Transition kIgnoreIdle = go(State::kIdle, {});
constexpr Transition kFail =
    go(State::kIdle, {A::kStopConnectRetry, A::kDrop, A::kCountRetry});
constexpr Transition kStopSilently =
    go(State::kIdle, {A::kStopConnectRetry, A::kDrop, A::kZeroRetryCounter});

constexpr Transition tell(std::uint8_t code, std::uint8_t subcode) {
  return go(State::kIdle, {A::kSendNotification, A::kStopConnectRetry, A::kDrop, A::kCountRetry},
            code, subcode);
}
constexpr Transition kTellOwn = tell(0, 0);
constexpr Transition kTellCease = tell(0, 0);  // the subcode depends on who asked for it
constexpr Transition kStopCease = go(
    State::kIdle, {A::kSendNotification, A::kStopConnectRetry, A::kDrop, A::kZeroRetryCounter});

// The same, out of Established.
constexpr Transition lose(std::uint8_t code, std::uint8_t subcode) {
  return go(State::kIdle,
            {A::kSendNotification, A::kStopConnectRetry, A::kRoutesStale, A::kDrop, A::kCountRetry},
            code, subcode);
}
constexpr Transition kLoseOwn = lose(0, 0);
constexpr Transition kLoseSilently = go(
    State::kIdle, {A::kStopConnectRetry, A::kRoutesStale, A::kDrop, A::kCountRetry});

constexpr StateTable kIdleTable{{
    {E::kManualStart,
     go(State::kConnect, {A::kZeroRetryCounter, A::kStartConnectRetry, A::kConnect})},
    {E::kManualStop, kIgnoreIdle},
    {E::kAutomaticStart, go(State::kConnect, {A::kStartConnectRetry, A::kConnect})},
    {E::kManualStartPassive, go(State::kActive, {A::kZeroRetryCounter, A::kStartConnectRetry})},
    {E::kAutomaticStartPassive, go(State::kActive, {A::kStartConnectRetry})},
    {E::kAutomaticStop, kIgnoreIdle},
    {E::kConnectRetryExpires, kIgnoreIdle},
    {E::kHoldTimerExpires, kIgnoreIdle},
    {E::kKeepaliveTimerExpires, kIgnoreIdle},
    {E::kTcpAcked, kIgnoreIdle},
    {E::kTcpConfirmed, kIgnoreIdle},
    {E::kTcpFails, kIgnoreIdle},
    {E::kOpen, kIgnoreIdle},
    {E::kHeaderError, kIgnoreIdle},
    {E::kOpenError, kIgnoreIdle},
    {E::kCollisionDump, kIgnoreIdle},
    {E::kNotificationVersion, kIgnoreIdle},
    {E::kNotification, kIgnoreIdle},
    {E::kKeepalive, kIgnoreIdle},
    {E::kUpdate, kIgnoreIdle},
    {E::kUpdateError, kIgnoreIdle},
    {E::kSendHoldExpires, kIgnoreIdle},
    {E::kRouteRefresh, kIgnoreIdle},
    {E::kRouteRefreshError, kIgnoreIdle},
}};

constexpr Transition kOpenUp =
    go(State::kOpenSent, {A::kStopConnectRetry, A::kSendOpen, A::kStartOpenHold});

constexpr StateTable kConnectTable{{
    {E::kManualStart, go(State::kConnect, {})},
    {E::kManualStop, kStopSilently},
    {E::kAutomaticStart, go(State::kConnect, {})},
    {E::kManualStartPassive, go(State::kConnect, {})},
    {E::kAutomaticStartPassive, go(State::kConnect, {})},
    {E::kAutomaticStop, kFail},
    {E::kConnectRetryExpires,
     go(State::kConnect, {A::kDrop, A::kCountRetry, A::kStartConnectRetry, A::kConnect})},
    {E::kHoldTimerExpires, kFail},
    {E::kKeepaliveTimerExpires, kFail},
    {E::kTcpAcked, kOpenUp},
    {E::kTcpConfirmed, kOpenUp},
    {E::kTcpFails, kFail},
    {E::kOpen, kFail},
    {E::kHeaderError, kFail},
    {E::kOpenError, kFail},
    {E::kCollisionDump, kFail},
    {E::kNotificationVersion, kFail},
    {E::kNotification, kFail},
    {E::kKeepalive, kFail},
    {E::kUpdate, kFail},
    {E::kUpdateError, kFail},
    {E::kSendHoldExpires, kFail},
    {E::kRouteRefresh, kFail},
    {E::kRouteRefreshError, kFail},
}};

constexpr StateTable kActiveTable{{
    {E::kManualStart, go(State::kActive, {})},
    {E::kManualStop, kStopSilently},
    {E::kAutomaticStart, go(State::kActive, {})},
    {E::kManualStartPassive, go(State::kActive, {})},
    {E::kAutomaticStartPassive, go(State::kActive, {})},
    {E::kAutomaticStop, kFail},
    {E::kConnectRetryExpires, go(State::kConnect, {A::kStartConnectRetry, A::kConnect})},
    {E::kHoldTimerExpires, kFail},
    {E::kKeepaliveTimerExpires, kFail},
    {E::kTcpAcked, kOpenUp},
    {E::kTcpConfirmed, kOpenUp},
    {E::kTcpFails, kFail},
    {E::kOpen, kFail},
    {E::kHeaderError, kFail},
    {E::kOpenError, kFail},
    {E::kCollisionDump, kFail},
    {E::kNotificationVersion, kFail},
    {E::kNotification, kFail},
    {E::kKeepalive, kFail},
    {E::kUpdate, kFail},
    {E::kUpdateError, kFail},
    {E::kSendHoldExpires, kFail},
    {E::kRouteRefresh, kFail},
    {E::kRouteRefreshError, kFail},
}};

constexpr Transition kUnexpectedInOpenSent = tell(kFsmError, 1);  // RFC 6608

constexpr StateTable kOpenSentTable{{
    {E::kManualStart, go(State::kOpenSent, {})},
    {E::kManualStop, kStopCease},
    {E::kAutomaticStart, go(State::kOpenSent, {})},
    {E::kManualStartPassive, go(State::kOpenSent, {})},
    {E::kAutomaticStartPassive, go(State::kOpenSent, {})},
    {E::kAutomaticStop, kTellCease},
    {E::kConnectRetryExpires, kUnexpectedInOpenSent},
    {E::kHoldTimerExpires, tell(kHoldTimerExpired, 0)},
    {E::kKeepaliveTimerExpires, kUnexpectedInOpenSent},
    {E::kTcpAcked, go(State::kOpenSent, {})},
    {E::kTcpConfirmed, go(State::kOpenSent, {})},
    {E::kTcpFails, go(State::kActive, {A::kDrop, A::kCountRetry, A::kStartConnectRetry})},
    {E::kOpen, go(State::kOpenConfirm, {A::kStopConnectRetry, A::kSendKeepalive, A::kStartKeepalive,
                                        A::kStartHold})},
    {E::kHeaderError, kTellOwn},
    {E::kOpenError, kTellOwn},
    {E::kCollisionDump, tell(kCease, 7)},
    {E::kNotificationVersion, go(State::kIdle, {A::kStopConnectRetry, A::kDrop})},
    {E::kNotification, kFail},
    {E::kKeepalive, kUnexpectedInOpenSent},
    {E::kUpdate, kUnexpectedInOpenSent},
    {E::kUpdateError, kUnexpectedInOpenSent},
    {E::kSendHoldExpires, tell(kSendHoldExpired, 0)},
    {E::kRouteRefresh, kUnexpectedInOpenSent},
    {E::kRouteRefreshError, kUnexpectedInOpenSent},
}};

constexpr Transition kUnexpectedInOpenConfirm = tell(kFsmError, 2);  // RFC 6608

constexpr StateTable kOpenConfirmTable{{
    {E::kManualStart, go(State::kOpenConfirm, {})},
    {E::kManualStop, kStopCease},
    {E::kAutomaticStart, go(State::kOpenConfirm, {})},
    {E::kManualStartPassive, go(State::kOpenConfirm, {})},
    {E::kAutomaticStartPassive, go(State::kOpenConfirm, {})},
    {E::kAutomaticStop, kTellCease},
    {E::kConnectRetryExpires, kUnexpectedInOpenConfirm},
    {E::kHoldTimerExpires, tell(kHoldTimerExpired, 0)},
    {E::kKeepaliveTimerExpires, go(State::kOpenConfirm, {A::kSendKeepalive, A::kStartKeepalive})},
    {E::kTcpAcked, go(State::kOpenConfirm, {})},
    {E::kTcpConfirmed, go(State::kOpenConfirm, {})},
    {E::kTcpFails, kFail},
    {E::kOpen, kUnexpectedInOpenConfirm},
    {E::kHeaderError, kTellOwn},
    {E::kOpenError, kTellOwn},
    {E::kCollisionDump, tell(kCease, 7)},
    {E::kNotificationVersion, go(State::kIdle, {A::kStopConnectRetry, A::kDrop})},
    {E::kNotification, kFail},
    {E::kKeepalive,
     go(State::kEstablished, {A::kStartHold, A::kStartSendHold, A::kSessionUp})},
    {E::kUpdate, kUnexpectedInOpenConfirm},
    {E::kUpdateError, kUnexpectedInOpenConfirm},
    {E::kSendHoldExpires, tell(kSendHoldExpired, 0)},
    {E::kRouteRefresh, kUnexpectedInOpenConfirm},
    {E::kRouteRefreshError, kUnexpectedInOpenConfirm},
}};

constexpr Transition kUnexpectedInEstablished = lose(kFsmError, 3);  // RFC 6608

constexpr StateTable kEstablishedTable{{
    {E::kManualStart, go(State::kEstablished, {})},
    {E::kManualStop, go(State::kIdle, {A::kSendNotification, A::kStopConnectRetry, A::kRoutesStale,
                                       A::kDrop, A::kZeroRetryCounter})},
    {E::kAutomaticStart, go(State::kEstablished, {})},
    {E::kManualStartPassive, go(State::kEstablished, {})},
    {E::kAutomaticStartPassive, go(State::kEstablished, {})},
    {E::kAutomaticStop, kLoseOwn},
    {E::kConnectRetryExpires, kUnexpectedInEstablished},
    {E::kHoldTimerExpires, lose(kHoldTimerExpired, 0)},
    {E::kKeepaliveTimerExpires, go(State::kEstablished, {A::kSendKeepalive, A::kStartKeepalive})},
    {E::kTcpAcked, go(State::kEstablished, {})},
    {E::kTcpConfirmed, go(State::kEstablished, {})},
    {E::kTcpFails, kLoseSilently},
    {E::kOpen, kUnexpectedInEstablished},
    {E::kHeaderError, kLoseOwn},
    {E::kOpenError, kUnexpectedInEstablished},
    {E::kCollisionDump, lose(kCease, 7)},
    {E::kNotificationVersion, kLoseSilently},
    {E::kNotification, kLoseSilently},
    {E::kKeepalive, go(State::kEstablished, {A::kStartHold})},
    {E::kUpdate, go(State::kEstablished, {A::kStartHold, A::kDeliver})},
    {E::kUpdateError, kLoseOwn},
    {E::kSendHoldExpires, lose(kSendHoldExpired, 0)},
    {E::kRouteRefresh, go(State::kEstablished, {A::kStartHold, A::kDeliver})},
    {E::kRouteRefreshError, kLoseOwn},
}};

// The rows stand in the order of the enumeration, each event once, so that they can be indexed.
constexpr bool in_order(const StateTable& table) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (static_cast<std::size_t>(table[i].event) != i) return false;
  return true;
}
static_assert(in_order(kIdleTable) && in_order(kConnectTable) && in_order(kActiveTable) &&
              in_order(kOpenSentTable) && in_order(kOpenConfirmTable) &&
              in_order(kEstablishedTable));

constexpr std::array<const StateTable*, kStateCount> kTable{
    &kIdleTable,     &kConnectTable,     &kActiveTable,
    &kOpenSentTable, &kOpenConfirmTable, &kEstablishedTable,
};

constexpr std::array<const char*, kStateCount> kStateNames{
    "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"};

constexpr std::array<const char*, kEventCount> kEventNames{
    "ManualStart",          "ManualStop",
    "AutomaticStart",       "ManualStart_with_PassiveTcpEstablishment",
    "AutomaticStart_with_PassiveTcpEstablishment",
    "AutomaticStop",        "ConnectRetryTimer_Expires",
    "HoldTimer_Expires",    "KeepaliveTimer_Expires",
    "Tcp_CR_Acked",         "TcpConnectionConfirmed",
    "TcpConnectionFails",   "BGPOpen",
    "BGPHeaderErr",         "BGPOpenMsgErr",
    "OpenCollisionDump",    "NotifMsgVerErr",
    "NotifMsg",             "KeepAliveMsg",
    "UpdateMsg",            "UpdateMsgErr",
    "SendHoldTimer_Expires", "RouteRefreshMsg",
    "RouteRefreshMsgErr"};

constexpr std::array<const char*, 17> kActionNames{
    "none",           "start-connect-retry", "stop-connect-retry", "connect",
    "send-open",      "send-keepalive",      "send-notification",  "start-open-hold",
    "start-hold",     "start-keepalive",     "start-send-hold",    "session-up",
    "deliver",        "routes-stale",        "drop",               "zero-retry-counter",
    "count-retry"};

}  // namespace

const Transition& transition(State state, Event event) {
  return (*kTable[static_cast<std::size_t>(state)])[static_cast<std::size_t>(event)].transition;
}

const char* state_name(State state) { return kStateNames[static_cast<std::size_t>(state)]; }
const char* event_name(Event event) { return kEventNames[static_cast<std::size_t>(event)]; }
const char* action_name(Action action) { return kActionNames[static_cast<std::size_t>(action)]; }

}  // namespace lapwing::bgp
