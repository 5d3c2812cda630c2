// The session with one neighbour: its connections, what it gives to the sink, what is shown of it.
//
// It connects and accepts at the same time, resolves collisions (RFC 4271 6.8, RFC 6286), starts
// again with a growing back-off, decodes what the established connection reads into a batch, and
// pauses reading while the sink has no room. A family whose neighbour sends no End-of-RIB gets one
// from the session itself once it was quiet for `quiet_period`.
//
// Thread: the io thread. Owns: its connections and the batch that is not pushed yet.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/alarm.h"
#include "bgp/config.h"
#include "bgp/connection.h"
#include "bgp/session_context.h"
#include "bgp/session_recorder.h"
#include "lapwing/reader.h"

namespace lapwing::bgp {

class Session final : public ConnectionOwner, public std::enable_shared_from_this<Session> {
 public:
  /// `changed` is called, never from within a call of the owner, when the status is to be published
  /// or, for a dynamic neighbour, the session may have ended.
  Session(std::shared_ptr<SessionContext> context, NeighborConfig config, bool dynamic,
          std::function<void(Session&)> changed);
  ~Session() override;

  /// Declares a configured neighbour to the sink and begins, at random within `start_spread`.
  void start();
  /// Takes a connection that the listener accepted; closes it when it is not wanted.
  void accept(int fd);
  /// Ends with a NOTIFICATION and stays down until `enable`. `cease` is the subcode.
  void stop(std::uint8_t cease, std::string_view text, std::string why);
  void enable();
  /// Ends with a NOTIFICATION and begins again.
  void clear(std::uint8_t cease, std::string_view text);
  void refresh();
  /// Cease/1, and down until `clear` or `enable`.
  void stop_for_max_prefix(Family family, std::uint64_t limit);
  /// Cease/8, and down until `clear` or `enable`.
  void stop_for_attributes(std::uint64_t limit);
  /// Takes new settings; begins again if they concern the connection.
  void reconfigure(NeighborConfig config);

  const NeighborConfig& config() const override { return config_; }
  bool enabled() const { return enabled_; }
  bool dynamic() const { return dynamic_; }
  bool established() const { return active_ != nullptr; }
  bool was_established() const { return established_count_ != 0; }
  /// Nothing is connected and nothing waits for room in the sink.
  bool idle() const { return !outgoing_ && incoming_.empty() && !paused_; }
  SteadyClock::time_point down_since() const { return down_since_; }
  PeerStatus status() const;

 private:
  Open our_open() override;
  std::chrono::milliseconds retry_interval() override;
  void count_retry() override { ++retry_count_; }
  void zero_retry_counter() override { retry_count_ = 0; }
  bool on_open(Connection& connection) override;
  void on_session_up(Connection& connection, Timestamp time) override;
  void on_session_down(Connection& connection, const std::string& reason) override;
  std::optional<Notification> check_update(Connection& connection, Octets body) override;
  void deliver(Connection& connection, MessageType type, Octets body, Timestamp time) override;
  bool on_turn_end() override { return push(); }
  bool reading_paused() const override { return paused_; }
  void on_state(Connection& connection) override;
  void on_closed(Connection& connection, const std::string& reason, bool our_error) override;

  void log(LogLevel level, std::string message) const;
  std::vector<std::shared_ptr<Connection>> connections() const;
  bool wins(const Connection& connection, const Connection& other) const;
  /// Ends and stays down until `clear` or `enable`.
  void hold(std::uint8_t cease, const std::vector<std::uint8_t>& data, const std::string& why);
  void stop_with(std::uint8_t cease, const std::vector<std::uint8_t>& data, std::string why);
  void end_all(Event event, const Notification& notification, const std::string& why);
  void schedule_start(std::chrono::milliseconds after);
  void on_start_due();
  void declare();
  bool push();
  void on_room();
  void log_findings();
  void note_progress(std::size_t first_record);
  void deliver_refresh(Connection& connection, Octets body, Timestamp time);
  bool recorded() const { return context_->options.record; }
  void start_quiet();
  void on_quiet();
  std::chrono::milliseconds quiet_period() const;
  /// A family that was silent for so long counts as complete.
  std::chrono::milliseconds wait_for_end() const;
  State shown_state() const;
  void add_connection_status(const Connection& connection, PeerStatus& status) const;
  void note_state();

  struct FamilyProgress {
    Family family;
    SteadyClock::time_point last_update;
    bool ended = false;  // End-of-RIB, theirs or ours
  };

  std::shared_ptr<SessionContext> context_;
  NeighborConfig config_;
  const bool dynamic_;
  std::function<void(Session&)> changed_;
  bool enabled_ = false;
  bool held_ = false;  // stopped at a limit
  bool declared_ = false;
  bool restarted_;  // R bit, until the first session
  std::uint32_t peer_ = 0;
  std::shared_ptr<Connection> outgoing_;
  std::vector<std::shared_ptr<Connection>> incoming_;
  Connection* active_ = nullptr;  // the established one
  Alarm start_;
  Alarm quiet_;
  unsigned retry_count_ = 0;
  SteadyClock::time_point refuse_until_{};  // back-off after an error that we found
  SteadyClock::time_point up_since_{};
  SteadyClock::time_point down_since_ = SteadyClock::now();

  RecordBatch batch_;
  SessionRecorder recorder_;
  bool paused_ = false;
  std::size_t last_octets_ = 0;
  std::size_t last_nlri_ = 0;
  std::vector<FamilyProgress> progress_;
  std::size_t open_families_ = 0;  // of `progress_`, not ended

  LogLimit malformed_limit_{5, std::chrono::seconds(60)};
  LogLimit refused_limit_{3, std::chrono::seconds(60)};
  State last_state_ = State::kIdle;
  Timestamp since_{};
  std::string last_error_;
  std::string last_logged_;
  std::optional<Timestamp> last_heard_;
  std::uint64_t updates_received_ = 0;
  std::uint64_t messages_received_ = 0;  // of connections that are gone
  std::uint64_t messages_sent_ = 0;
  std::uint64_t malformed_ = 0;
  std::array<std::uint64_t, 6> received_by_type_{};  // of connections that are gone
  std::array<std::uint64_t, 6> sent_by_type_{};
  std::array<std::uint64_t, 3> malformed_by_action_{};
  std::uint64_t established_count_ = 0;
};

}  // namespace lapwing::bgp
