// The inside of a Speaker: its neighbours, listeners and what it shows.
//
// speaker.cc has the public face, time and what is shown; speaker_neighbors.cc whom it knows and
// whom it lets in.
//
// Thread: io, except `post`, `command` and `statuses`: any. Owns: sessions, listeners.
#pragma once

#include <algorithm>
#include <boost/asio/post.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "bgp/alarm.h"
#include "bgp/listener.h"
#include "bgp/session.h"
#include "bgp/session_context.h"
#include "bgp/speaker.h"

namespace lapwing::bgp {

/// What `statuses` gives, for every thread.
class StatusBoard {
 public:
  using Key = std::pair<std::size_t, std::string>;  // order of configuration, name

  void put(Key key, PeerStatus status) {
    const std::lock_guard lock(mutex_);
    entries_.insert_or_assign(std::move(key), std::move(status));
  }
  void erase(const Key& key) {
    const std::lock_guard lock(mutex_);
    entries_.erase(key);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }
  bool contains(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(entries_.begin(), entries_.end(),
                       [&](const auto& entry) { return entry.first.second == name; });
  }
  std::vector<PeerStatus> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<PeerStatus> statuses;
    statuses.reserve(entries_.size());
    for (const auto& [key, status] : entries_) statuses.push_back(status);
    return statuses;
  }

 private:
  mutable std::mutex mutex_;
  std::map<Key, PeerStatus> entries_;  // guarded by mutex_
};

class Speaker::Impl : public std::enable_shared_from_this<Speaker::Impl> {
 public:
  Impl(boost::asio::io_context& io, SpeakerConfig config, RecordSink& sink, LogFunction log,
       SpeakerOptions options)
      : io_(io),
        config_(std::move(config)),
        context_(std::make_shared<SessionContext>(io, sink, std::move(log), std::move(options))),
        tick_(io),
        stop_poll_(io) {
    context_->router_id = config_.router_id;
  }

  template <typename F>
  void post(F&& call) {
    boost::asio::post(io_, [weak = weak_from_this(), call = std::forward<F>(call)]() mutable {
      const auto self = weak.lock();
      if (self && !self->closed_) call(*self);
    });
  }
  template <typename F>
  bool command(std::string_view name, F&& call) {
    if (!board_.contains(name)) return false;
    post([name = std::string(name), call = std::forward<F>(call)](Impl& self) {
      if (const auto session = self.find_session(name)) call(*session);
    });
    return true;
  }

  void begin() { tick_.start(kTick, shared_from_this(), &Impl::on_tick); }
  std::vector<std::string> listen();
  std::vector<Endpoint> endpoints() const;
  void configure(std::vector<NeighborConfig> neighbors);
  void add(NeighborConfig config, std::size_t order);
  void update(NeighborConfig config);
  void remove(const std::string& name);
  std::size_t next_order() const;
  void stop(const std::string& text, std::function<void()> done);
  void close();
  std::vector<PeerStatus> statuses() const { return board_.all(); }

 private:
  static constexpr std::chrono::seconds kTick{1};

  struct Neighbor {
    NeighborConfig config;
    std::size_t order = 0;
    bool unprotected = false;          // its TCP key could not be set: nothing is accepted
    std::shared_ptr<Session> session;  // none for a range
    std::map<std::string, std::shared_ptr<Session>> dynamic;  // of a range, by name
  };

  std::shared_ptr<Session> make_session(const std::string& neighbor, NeighborConfig config,
                                        bool dynamic);
  std::shared_ptr<Session> find_session(const std::string& name) const;
  void update_range(Neighbor& neighbor);
  void end_session(std::shared_ptr<Session> session, std::uint8_t cease, std::string why);
  void set_keys(Neighbor& neighbor);
  void clear_keys(const Neighbor& neighbor);

  void on_accept(int fd, const Endpoint& remote, const Endpoint& local);
  Neighbor* find_neighbor(const Endpoint& remote, const Endpoint& local);
  Neighbor* find_range(const IpAddress& address);
  std::shared_ptr<Session> dynamic_session(Neighbor& range, const Endpoint& remote);
  bool make_room(Neighbor& range);
  void log_unknown(const Endpoint& remote, const char* why);

  void publish(const std::string& neighbor, const Session& session);
  void publish_all();
  void on_changed(const std::string& neighbor, Session& session);
  void reap();
  void on_tick();
  void on_stop_poll();

  boost::asio::io_context& io_;
  SpeakerConfig config_;
  std::shared_ptr<SessionContext> context_;
  Alarm tick_;
  Alarm stop_poll_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::map<std::string, Neighbor> neighbors_;
  std::vector<std::shared_ptr<Session>> retiring_;  // removed, but with records to push
  StatusBoard board_;
  LogLimit unknown_limit_{5, std::chrono::seconds(10)};
  std::function<void()> stopped_;
  SteadyClock::time_point stop_deadline_{};
  bool stopping_ = false;
  bool closed_ = false;
  bool reap_posted_ = false;
};

}  // namespace lapwing::bgp
