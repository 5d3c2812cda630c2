// A scripted neighbour on a plain socket, and a speaker on its own io thread, for session tests.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bgp/message.h"
#include "bgp/open.h"
#include "bgp/record.h"
#include "bgp/speaker.h"

namespace lapwing::bgp::testing {

using Bytes = std::vector<std::uint8_t>;
using std::chrono::milliseconds;

inline constexpr Asn kLocalAs = 65000;
inline constexpr Asn kPeerAs = 65001;
inline constexpr milliseconds kPatience{5000};

struct Message {
  MessageType type = MessageType::kKeepalive;
  Bytes body;
};

/// Our end of a connection with the speaker. Blocking, with time limits.
class Peer {
 public:
  static Peer connect(std::uint16_t port, const std::string& from = "127.0.0.2",
                      int receive_buffer = 0);
  /// Connects and closes, of a stranger: the speaker may close first.
  static void knock(std::uint16_t port, const std::string& from);
  static Peer from_fd(int fd) { return Peer(fd); }
  Peer(Peer&& other) noexcept : fd_(other.fd_), input_(std::move(other.input_)) { other.fd_ = -1; }
  Peer& operator=(Peer&&) = delete;
  ~Peer();

  bool send(const Bytes& octets);
  void send_slowly(const Bytes& octets);  // one octet in each segment
  void send_keepalive();
  /// Nothing: closed, or nothing came in time; `closed` says which.
  std::optional<Message> receive(milliseconds limit = kPatience);
  /// The next message that is neither KEEPALIVE nor UPDATE.
  std::optional<Message> receive_special(milliseconds limit = kPatience);
  /// "6/2" of the next NOTIFICATION, "closed", or "silent".
  std::string notification(milliseconds limit = kPatience);
  bool closed() const { return closed_; }
  int fd() const { return fd_; }
  Bytes data;  // of the last NOTIFICATION

  /// OPEN both ways and KEEPALIVE both ways.
  bool establish(const Open& open);

 private:
  explicit Peer(int fd) : fd_(fd) {}
  int fd_;
  Bytes input_;
  bool closed_ = false;
};

/// A listening socket of the neighbour's, for connects of the speaker.
class PeerListener {
 public:
  explicit PeerListener(const std::string& address = "127.0.0.2");
  ~PeerListener();
  std::uint16_t port() const { return port_; }
  std::optional<Peer> accept(milliseconds limit = kPatience);

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

class TestSink final : public RecordSink {
 public:
  bool try_push(RecordBatch& batch) override;
  void when_room(std::function<void()> fn) override;

  void set_full(bool full);
  /// Lines like "up edge1 ipv4-unicast", "update edge1 +1 -0", "end-of-rib edge1 ipv4-unicast".
  std::vector<std::string> lines() const;
  std::size_t ticks() const;
  /// Waits until `count` lines begin with `start`; false when time is up.
  bool wait_for(std::string_view start, std::size_t count = 1, milliseconds limit = kPatience);
  std::size_t count(std::string_view start) const;
  std::uint64_t announced() const;
  bool wait_announced(std::uint64_t count, milliseconds limit = kPatience);

  /// From now on it holds the routes of all neighbours together, by "ipv4-unicast 10.0.0.0/8".
  void keep_routes();
  /// The canonical attributes; nothing where the prefix is not announced.
  std::optional<Bytes> route(const std::string& key) const;
  bool wait_route(const std::string& key, milliseconds limit = kPatience);
  static std::string route_key(const NlriKey& key);

 private:
  void keep(const RecordBatch& batch, const Record& record);
  void describe(const RecordBatch& batch, const Record& record);
  std::size_t count_locked(std::string_view start) const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  std::vector<std::string> names_;
  std::vector<std::function<void()>> waiting_;
  std::uint64_t announced_ = 0;
  std::size_t ticks_ = 0;
  bool full_ = false;
  bool keeps_routes_ = false;
  std::map<std::string, Bytes> routes_;
};

SpeakerOptions quick_options();
NeighborConfig neighbor_config(const std::string& name = "edge1",
                               const std::string& address = "127.0.0.2");
Open peer_open(const std::string& router_id = "10.0.0.2", std::uint16_t hold_time = 90);
Bytes open_message(const Open& open);
Bytes keepalive_message();
Bytes notification_message(std::uint8_t code, std::uint8_t subcode, const Bytes& data = {});
/// One prefix 10.x.y.0/24 by `number`, path [kPeerAs].
Bytes update_message(unsigned number);
Bytes from_hex(std::string_view hex);

/// A speaker with these neighbours, listening on 127.0.0.1, running.
class Bench {
 public:
  explicit Bench(std::vector<NeighborConfig> neighbors, SpeakerOptions options = quick_options(),
                 const std::string& router_id = "10.0.0.1", const std::string& listen = "127.0.0.1");
  ~Bench();

  Speaker& speaker() { return *speaker_; }
  TestSink& sink() { return sink_; }
  std::uint16_t port() const { return port_; }
  Peer connect(const std::string& from = "127.0.0.2") { return Peer::connect(port_, from); }
  PeerStatus status(const std::string& name = "edge1") const;
  bool wait_state(std::string_view state, const std::string& name = "edge1",
                  milliseconds limit = kPatience) const;
  bool logged(std::string_view part) const;
  std::size_t log_count(std::string_view part) const;

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  TestSink sink_;
  mutable std::mutex log_mutex_;
  std::vector<std::string> log_;
  std::unique_ptr<Speaker> speaker_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

bool eventually(const std::function<bool()>& condition, milliseconds limit = kPatience);

}  // namespace lapwing::bgp::testing
