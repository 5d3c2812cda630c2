// The FSM in a live connection. The input is a script: an octet below 128 begins a 15-bit length
// and so many octets from the neighbour; from 128 on it is an event of a timer or the operator.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bgp/connection.h"
#include "bgp/update.h"

namespace {

using namespace lapwing::bgp;

void require(bool fine) {
  if (!fine) __builtin_trap();
}

class NoSink final : public RecordSink {
 public:
  bool try_push(RecordBatch&) override { return true; }
  void when_room(std::function<void()> fn) override { fn(); }
};

/// Judges what the connection tells its session.
class Owner final : public ConnectionOwner {
 public:
  explicit Owner(SessionContext& context) : context_(context) {
    config_.name = "fuzz";
    config_.local_as = 64512;
    config_.peer_as = 0;
    config_.add_path = {lapwing::kIpv6Unicast};
  }
  const NeighborConfig& config() const override { return config_; }
  Open our_open() override { return make_open(config_, context_.router_id, false); }
  std::chrono::milliseconds retry_interval() override { return std::chrono::hours(1); }
  void count_retry() override {}
  void zero_retry_counter() override {}
  bool on_open(Connection& connection) override {
    require(!closed && connection.state() == State::kOpenSent);
    return true;
  }
  void on_session_up(Connection& connection, lapwing::Timestamp) override {
    require(!closed && !up && connection.state() == State::kEstablished);
    up = true;
  }
  void on_session_down(Connection&, const std::string&) override {
    require(!closed && up);
    up = false;
  }
  std::optional<Notification> check_update(Connection& connection, lapwing::Octets body) override {
    require(up);
    if (context_.update.parse(body, connection.parameters()) != ErrorAction::kSessionReset)
      return std::nullopt;
    return context_.update.notification();
  }
  void deliver(Connection&, MessageType type, lapwing::Octets body, lapwing::Timestamp time) override {
    require(up);
    if (type == MessageType::kRouteRefresh)
      (void)decode_route_refresh(body);
    else
      context_.update.append_records(time, 0, batch_);
  }
  bool on_turn_end() override {
    batch_.clear();
    return true;
  }
  bool reading_paused() const override { return false; }
  void on_state(Connection& connection) override {
    require(!closed && up == (connection.state() == State::kEstablished));
  }
  void on_closed(Connection&, const std::string& reason, bool) override {
    require(!closed && !up);
    for (const char c : reason) require(static_cast<unsigned char>(c) >= 0x20);
    closed = true;
  }

  bool up = false;
  bool closed = false;

 private:
  SessionContext& context_;
  NeighborConfig config_;
  RecordBatch batch_;
};

SpeakerOptions options() {
  SpeakerOptions o;
  o.linger = std::chrono::milliseconds(0);
  return o;
}

struct World {
  World() {
    context.router_id.bytes = {192, 0, 2, 10};
    for (auto* address : {&context.router_id}) address->version = lapwing::IpVersion::kV4;
  }
  boost::asio::io_context io;
  NoSink sink;
  SessionContext context{io, sink, nullptr, options()};
};

constexpr Event kEvents[] = {
    Event::kManualStop,         Event::kAutomaticStop,     Event::kHoldTimerExpires,
    Event::kKeepaliveTimerExpires, Event::kConnectRetryExpires, Event::kCollisionDump,
    Event::kSendHoldExpires,    Event::kManualStart,       Event::kAutomaticStartPassive,
};

void turn(World& world) {
  world.io.restart();
  world.io.poll();
}

/// What we said must be whole messages, and none of them may announce a route.
void check_said(int fd) {
  std::uint8_t said[1 << 16];
  const ssize_t n = ::recv(fd, said, sizeof said, MSG_DONTWAIT);
  std::size_t at = 0;
  while (n > 0 && at + kHeaderSize <= static_cast<std::size_t>(n)) {
    const std::size_t size = said[at + 16] * 256u + said[at + 17];
    require(size >= kHeaderSize && at + size <= static_cast<std::size_t>(n));
    if (said[at + 18] == static_cast<std::uint8_t>(MessageType::kUpdate)) require(size <= 30);
    at += size;
  }
  require(n <= 0 || at == static_cast<std::size_t>(n));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) return 0;
  {
    Owner owner(world.context);
    const auto connection = Connection::create(world.context, nullptr, owner, false);
    connection->accept(fds[0]);
    turn(world);
    std::size_t at = 0;
    while (at < size && !owner.closed) {
      const std::uint8_t op = data[at++];
      if (op >= 128) {
        connection->fire(kEvents[(op & 127) % std::size(kEvents)], {6, 2, {}});
      } else if (at < size) {
        const std::size_t wanted = op * 256u + data[at++];
        const std::size_t length = std::min(wanted, size - at);
        if (::send(fds[1], data + at, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
        at += length;
      }
      turn(world);
      check_said(fds[1]);
    }
    ::close(fds[1]);
    turn(world);
    require(owner.closed && !owner.up);
    connection->abandon();
  }
  turn(world);
  return 0;
}
