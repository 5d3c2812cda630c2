#include "session_peer.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "bgp/notification.h"
#include "bgp/socket_options.h"
#include "bgp/wire.h"

namespace lapwing::bgp::testing {

namespace {

SocketAddress address_of(const std::string& text, std::uint16_t port) {
  SocketAddress out;
  const auto address = parse_address(text);
  REQUIRE(address);
  REQUIRE(!to_socket_address(*address, port, {}, out));
  return out;
}

bool readable(int fd, milliseconds limit) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(limit.count())) > 0;
}

/// The socket, and whether it came to be connected. A listener that closes at once may be sooner than
/// connect(2) returns: it was connected, and reading will say the rest.
std::pair<int, bool> open_connection(std::uint16_t port, const std::string& from, int receive_buffer) {
  const bool v6 = from.find(':') != std::string::npos;
  const int fd = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (receive_buffer != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const SocketAddress local = address_of(from, 0);
  REQUIRE(::bind(fd, local.get(), local.size) == 0);
  const SocketAddress remote = address_of(v6 ? "::1" : "127.0.0.1", port);
  return {fd, ::connect(fd, remote.get(), remote.size) == 0 || errno == ECONNRESET};
}

}  // namespace

Peer Peer::connect(std::uint16_t port, const std::string& from, int receive_buffer) {
  const auto [fd, connected] = open_connection(port, from, receive_buffer);
  REQUIRE(connected);
  return Peer(fd);
}

void Peer::knock(std::uint16_t port, const std::string& from) {
  ::close(open_connection(port, from, 0).first);
}

Peer::~Peer() {
  if (fd_ >= 0) ::close(fd_);
}

bool Peer::send(const Bytes& octets) {
  std::size_t at = 0;
  while (at < octets.size()) {
    const ssize_t n = ::send(fd_, octets.data() + at, octets.size() - at, MSG_NOSIGNAL);
    if (n <= 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

void Peer::send_slowly(const Bytes& octets) {
  for (const std::uint8_t octet : octets) {
    if (!send({octet})) return;
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
}

void Peer::send_keepalive() { send(keepalive_message()); }

std::optional<Message> Peer::receive(milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if (input_.size() >= kHeaderSize) {
      const std::size_t size = read_u16(input_.data() + 16);
      if (input_.size() >= size) {
        Message message;
        message.type = static_cast<MessageType>(input_[18]);
        const auto begin = input_.begin();
        message.body.assign(begin + kHeaderSize, begin + static_cast<std::ptrdiff_t>(size));
        input_.erase(begin, begin + static_cast<std::ptrdiff_t>(size));
        return message;
      }
    }
    const auto left = std::chrono::duration_cast<milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !readable(fd_, left)) return std::nullopt;
    std::uint8_t buffer[4096];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) {
      closed_ = true;
      return std::nullopt;
    }
    input_.insert(input_.end(), buffer, buffer + n);
  }
}

std::optional<Message> Peer::receive_special(milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(
        deadline - std::chrono::steady_clock::now());
    auto message = receive(std::max(left, milliseconds(0)));
    if (!message || (message->type != MessageType::kKeepalive &&
                     message->type != MessageType::kUpdate))
      return message;
  }
}

std::string Peer::notification(milliseconds limit) {
  for (;;) {
    const auto message = receive_special(limit);
    if (!message) return closed_ ? "closed" : "silent";
    if (message->type != MessageType::kNotification) continue;
    if (message->body.size() < 2) return "short";
    data.assign(message->body.begin() + 2, message->body.end());
    return std::to_string(message->body[0]) + "/" + std::to_string(message->body[1]);
  }
}

bool Peer::establish(const Open& open) {
  if (!send(open_message(open))) return false;
  const auto theirs = receive();
  if (!theirs || theirs->type != MessageType::kOpen) return false;
  const auto keepalive = receive();
  if (!keepalive || keepalive->type != MessageType::kKeepalive) return false;
  send_keepalive();
  return true;
}

PeerListener::PeerListener(const std::string& address) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const SocketAddress local = address_of(address, 0);
  REQUIRE(::bind(fd_, local.get(), local.size) == 0);
  REQUIRE(::listen(fd_, 8) == 0);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = from_socket_address(bound).port;
}

PeerListener::~PeerListener() { ::close(fd_); }

std::optional<Peer> PeerListener::accept(milliseconds limit) {
  if (!readable(fd_, limit)) return std::nullopt;
  const int fd = ::accept(fd_, nullptr, nullptr);
  if (fd < 0) return std::nullopt;
  return Peer::from_fd(fd);
}

// --- The sink ---------------------------------------------------------------------------------

bool TestSink::try_push(RecordBatch& batch) {
  const std::lock_guard lock(mutex_);
  if (full_) return false;
  for (const Record& record : batch.records) describe(batch, record);
  batch.clear();
  changed_.notify_all();
  return true;
}

void TestSink::when_room(std::function<void()> fn) {
  {
    const std::lock_guard lock(mutex_);
    if (full_) {
      waiting_.push_back(std::move(fn));
      return;
    }
  }
  fn();
}

void TestSink::set_full(bool full) {
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    full_ = full;
    if (!full) waiting.swap(waiting_);
  }
  for (const auto& fn : waiting) fn();
}

void TestSink::describe(const RecordBatch& batch, const Record& record) {
  const std::string name = record.peer < names_.size() ? " " + names_[record.peer] : " ?";
  switch (record.kind) {
    case RecordKind::kTick: ++ticks_; return;
    case RecordKind::kPeerDeclare:
      if (names_.size() <= record.peer) names_.resize(record.peer + 1);
      names_[record.peer] = batch.peer_details[record.detail].name;
      lines_.push_back("declare " + names_[record.peer] + " " + std::to_string(record.peer));
      return;
    case RecordKind::kPeerUp: {
      const SessionDetail& detail = batch.session_details[record.detail];
      std::string line = "up" + name;
      for (const Family family : detail.families) line += " " + format_family(family);
      lines_.push_back(line + (detail.expects_end_of_rib ? " expects" : ""));
      return;
    }
    case RecordKind::kPeerDown:
      lines_.push_back("down" + name + " " + batch.session_details[record.detail].reason);
      return;
    case RecordKind::kUpdate:
      announced_ += record.announced;
      if (keeps_routes_) keep(batch, record);
      lines_.push_back("update" + name + " +" + std::to_string(record.announced) + " -" +
                       std::to_string(record.withdrawn));
      return;
    case RecordKind::kEndOfRib:
      lines_.push_back("end-of-rib" + name + " " + format_family(record.family));
      return;
    case RecordKind::kRefreshBegin:
      lines_.push_back("refresh-begin" + name + " " + format_family(record.family));
      return;
    case RecordKind::kRefreshEnd:
      lines_.push_back("refresh-end" + name + " " + format_family(record.family));
      return;
  }
}

std::vector<std::string> TestSink::lines() const {
  const std::lock_guard lock(mutex_);
  return lines_;
}
std::size_t TestSink::ticks() const {
  const std::lock_guard lock(mutex_);
  return ticks_;
}
std::uint64_t TestSink::announced() const {
  const std::lock_guard lock(mutex_);
  return announced_;
}
std::size_t TestSink::count_locked(std::string_view start) const {
  return static_cast<std::size_t>(
      std::count_if(lines_.begin(), lines_.end(),
                    [&](const std::string& line) { return line.starts_with(start); }));
}
std::size_t TestSink::count(std::string_view start) const {
  const std::lock_guard lock(mutex_);
  return count_locked(start);
}
bool TestSink::wait_for(std::string_view start, std::size_t count, milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return count_locked(start) >= count; });
}
bool TestSink::wait_announced(std::uint64_t count, milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return announced_ >= count; });
}

void TestSink::keep_routes() {
  const std::lock_guard lock(mutex_);
  keeps_routes_ = true;
}
std::string TestSink::route_key(const NlriKey& key) {
  const Nlri nlri = to_nlri(key);
  std::string text = format_family(nlri.family) + " " + format_prefix(nlri.prefix);
  if (key.has_path_id != 0) text += " path " + std::to_string(key.path_id);
  if (key.rd != 0) text += " rd " + std::to_string(key.rd);
  return text;
}
void TestSink::keep(const RecordBatch& batch, const Record& record) {
  for (const NlriKey& key : batch.withdrawn(record)) routes_.erase(route_key(key));
  if (record.announced == 0) return;
  const Octets attributes = batch.attributes(record);
  for (const NlriKey& key : batch.announced(record))
    routes_[route_key(key)] = Bytes(attributes.begin(), attributes.end());
}
std::optional<Bytes> TestSink::route(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto it = routes_.find(key);
  return it == routes_.end() ? std::nullopt : std::optional(it->second);
}
bool TestSink::wait_route(const std::string& key, milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return routes_.contains(key); });
}

// --- Messages and settings --------------------------------------------------------------------

SpeakerOptions quick_options() {
  SpeakerOptions options;
  options.start_spread = milliseconds(10);
  options.retry = milliseconds(50);
  options.retry_limit = milliseconds(200);
  options.linger = milliseconds(500);
  return options;
}

NeighborConfig neighbor_config(const std::string& name, const std::string& address) {
  NeighborConfig config;
  config.name = name;
  config.address = *parse_address(address);
  config.peer_as = kPeerAs;
  config.local_as = kLocalAs;
  config.passive = true;
  return config;
}

Open peer_open(const std::string& router_id, std::uint16_t hold_time) {
  Open open;
  open.as = kPeerAs;
  open.hold_time = hold_time;
  open.router_id = *parse_address(router_id);
  open.capabilities.families = {kIpv4Unicast, kIpv6Unicast};
  open.capabilities.four_octet_as = kPeerAs;
  open.capabilities.route_refresh = true;
  open.capabilities.enhanced_route_refresh = true;
  return open;
}

Bytes open_message(const Open& open) {
  Bytes out;
  encode_open(open, out);
  return out;
}

Bytes keepalive_message() {
  Bytes out;
  encode_keepalive(out);
  return out;
}

Bytes notification_message(std::uint8_t code, std::uint8_t subcode, const Bytes& data) {
  Bytes out;
  encode_notification({code, subcode, data}, out);
  return out;
}

Bytes update_message(unsigned number) {
  Bytes out;
  const std::size_t start = begin_message(MessageType::kUpdate, out);
  put_u16(out, 0);
  put_octets(out, from_hex("0014400101004002060201"));
  put_u32(out, kPeerAs);
  put_octets(out, from_hex("4003040a000002"));
  put_octets(out, from_hex("180a"));
  put_u16(out, number & 0xffff);
  end_message(start, out);
  return out;
}

Bytes from_hex(std::string_view hex) {
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
  };
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  return out;
}

// --- The bench --------------------------------------------------------------------------------

Bench::Bench(std::vector<NeighborConfig> neighbors, SpeakerOptions options,
             const std::string& router_id, const std::string& listen)
    : work_(boost::asio::make_work_guard(io_)) {
  SpeakerConfig config;
  config.local_as = kLocalAs;
  config.router_id = *parse_address(router_id);
  config.listen = {{*parse_address(listen), 0, {}}};
  speaker_ = std::make_unique<Speaker>(
      io_, config, sink_,
      [this](LogLevel, std::string_view neighbor, std::string message) {
        const std::lock_guard lock(log_mutex_);
        log_.push_back(std::string(neighbor) + ": " + message);
      },
      options);
  const auto errors = speaker_->listen();
  REQUIRE(errors.empty());
  port_ = speaker_->endpoints().front().port;
  const std::size_t count = neighbors.size();
  const bool ranges = std::any_of(neighbors.begin(), neighbors.end(),
                                  [](const auto& n) { return n.range.has_value(); });
  speaker_->configure(std::move(neighbors));
  thread_ = std::thread([this] { io_.run(); });
  if (!ranges) REQUIRE(eventually([&] { return speaker_->statuses().size() == count; }));
}

Bench::~Bench() {
  io_.stop();
  thread_.join();
  speaker_.reset();
}

PeerStatus Bench::status(const std::string& name) const {
  for (const PeerStatus& status : speaker_->statuses())
    if (status.name == name) return status;
  return {};
}

bool Bench::wait_state(std::string_view state, const std::string& name,
                       milliseconds limit) const {
  return eventually([&] { return status(name).state == state; }, limit);
}

std::size_t Bench::log_count(std::string_view part) const {
  const std::lock_guard lock(log_mutex_);
  return static_cast<std::size_t>(std::count_if(
      log_.begin(), log_.end(),
      [&](const std::string& line) { return line.find(part) != std::string::npos; }));
}

bool Bench::logged(std::string_view part) const { return log_count(part) != 0; }

bool eventually(const std::function<bool()>& condition, milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace lapwing::bgp::testing
