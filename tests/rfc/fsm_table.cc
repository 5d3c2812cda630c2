// RFC 4271 8.2.2, cell by cell, with RFC 6608, RFC 9687 and the deviations named in bgp/fsm.h.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "bgp/fsm.h"

namespace lapwing::bgp {
namespace {

// One letter for each action, in the order of the enumeration from kStartConnectRetry on:
// R r start, stop ConnectRetry; c connect; o OPEN; k KEEPALIVE; n NOTIFICATION; L H open hold, hold;
// K keepalive timer; s send hold; U up; d deliver; ~ routes stale; x drop; 0 zero, + count retries.
constexpr char kLetters[] = ".RrcoknLHKsUd~x0+";
constexpr char kStates[] = "ICASOE";

struct Expected {
  Event event;
  std::array<const char*, kStateCount> cells;  // "next:actions:notification"
};

const Expected kExpected[] = {
    {Event::kManualStart, {"C:0Rc:", "C::", "A::", "S::", "O::", "E::"}},
    {Event::kManualStop, {"I::", "I:rx0:", "I:rx0:", "I:nrx0:own", "I:nrx0:own", "I:nr~x0:own"}},
    {Event::kAutomaticStart, {"C:Rc:", "C::", "A::", "S::", "O::", "E::"}},
    {Event::kManualStartPassive, {"A:0R:", "C::", "A::", "S::", "O::", "E::"}},
    {Event::kAutomaticStartPassive, {"A:R:", "C::", "A::", "S::", "O::", "E::"}},
    {Event::kAutomaticStop, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:own", "I:nrx+:own", "I:nr~x+:own"}},
    {Event::kConnectRetryExpires,
     {"I::", "C:x+Rc:", "C:Rc:", "I:nrx+:5/1", "I:nrx+:5/2", "I:nr~x+:5/3"}},
    {Event::kHoldTimerExpires,
     {"I::", "I:rx+:", "I:rx+:", "I:nrx+:4/0", "I:nrx+:4/0", "I:nr~x+:4/0"}},
    {Event::kKeepaliveTimerExpires, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:5/1", "O:kK:", "E:kK:"}},
    {Event::kTcpAcked, {"I::", "S:roL:", "S:roL:", "S::", "O::", "E::"}},
    {Event::kTcpConfirmed, {"I::", "S:roL:", "S:roL:", "S::", "O::", "E::"}},
    {Event::kTcpFails, {"I::", "I:rx+:", "I:rx+:", "A:x+R:", "I:rx+:", "I:r~x+:"}},
    {Event::kOpen, {"I::", "I:rx+:", "I:rx+:", "O:rkKH:", "I:nrx+:5/2", "I:nr~x+:5/3"}},
    {Event::kHeaderError, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:own", "I:nrx+:own", "I:nr~x+:own"}},
    {Event::kOpenError, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:own", "I:nrx+:own", "I:nr~x+:5/3"}},
    {Event::kCollisionDump, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:6/7", "I:nrx+:6/7", "I:nr~x+:6/7"}},
    {Event::kNotificationVersion, {"I::", "I:rx+:", "I:rx+:", "I:rx:", "I:rx:", "I:r~x+:"}},
    {Event::kNotification, {"I::", "I:rx+:", "I:rx+:", "I:rx+:", "I:rx+:", "I:r~x+:"}},
    {Event::kKeepalive, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:5/1", "E:HsU:", "E:H:"}},
    {Event::kUpdate, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:5/1", "I:nrx+:5/2", "E:Hd:"}},
    {Event::kUpdateError, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:5/1", "I:nrx+:5/2", "I:nr~x+:own"}},
    {Event::kSendHoldExpires,
     {"I::", "I:rx+:", "I:rx+:", "I:nrx+:8/0", "I:nrx+:8/0", "I:nr~x+:8/0"}},
    {Event::kRouteRefresh, {"I::", "I:rx+:", "I:rx+:", "I:nrx+:5/1", "I:nrx+:5/2", "E:Hd:"}},
    {Event::kRouteRefreshError,
     {"I::", "I:rx+:", "I:rx+:", "I:nrx+:5/1", "I:nrx+:5/2", "I:nr~x+:own"}},
};

std::string describe(const Transition& t) {
  std::string text(1, kStates[static_cast<std::size_t>(t.next)]);
  text += ':';
  bool notifies = false;
  for (const Action action : t.actions()) {
    text += kLetters[static_cast<std::size_t>(action)];
    notifies |= action == Action::kSendNotification;
  }
  text += ':';
  if (notifies)
    text += t.code == 0 ? "own" : std::to_string(t.code) + '/' + std::to_string(t.subcode);
  else
    CHECK(t.code == 0);
  return text;
}

}  // namespace

TEST_CASE("RFC 4271 8.2.2: every cell of the table, state by event") {
  std::size_t cells = 0;
  for (const Expected& row : kExpected) {
    for (std::size_t s = 0; s < kStateCount; ++s, ++cells) {
      const auto state = static_cast<State>(s);
      INFO(state_name(state), " x ", event_name(row.event));
      CHECK(describe(transition(state, row.event)) == row.cells[s]);
    }
  }
  CHECK(cells == kStateCount * kEventCount);
}

TEST_CASE("RFC 4271 8.2.2: the expected table names every event once, in order") {
  for (std::size_t i = 0; i < kEventCount; ++i)
    CHECK(static_cast<std::size_t>(kExpected[i].event) == i);
}

TEST_CASE("RFC 4271 8.2.2: the way from Idle to Established and back") {
  Fsm fsm;
  CHECK(fsm.state() == State::kIdle);
  fsm.step(Event::kAutomaticStart);
  fsm.step(Event::kTcpAcked);
  CHECK(fsm.state() == State::kOpenSent);
  fsm.step(Event::kOpen);
  fsm.step(Event::kKeepalive);
  CHECK(fsm.state() == State::kEstablished);
  CHECK(fsm.step(Event::kUpdate).actions().size() == 2);
  fsm.step(Event::kNotification);
  CHECK(fsm.state() == State::kIdle);
}

TEST_CASE("RFC 4271 6.4: a NOTIFICATION is answered by none in any state") {
  for (std::size_t s = 0; s < kStateCount; ++s)
    for (const Event event : {Event::kNotification, Event::kNotificationVersion})
      for (const Action action : transition(static_cast<State>(s), event).actions())
        CHECK(action != Action::kSendNotification);
}

TEST_CASE("RFC 4271 8: routes go stale exactly when Established ends") {
  for (std::size_t s = 0; s < kStateCount; ++s) {
    for (std::size_t e = 0; e < kEventCount; ++e) {
      const Transition& t = transition(static_cast<State>(s), static_cast<Event>(e));
      bool stale = false;
      for (const Action action : t.actions()) stale |= action == Action::kRoutesStale;
      const bool ends = static_cast<State>(s) == State::kEstablished && t.next == State::kIdle;
      CHECK(stale == ends);
    }
  }
}

}  // namespace lapwing::bgp
