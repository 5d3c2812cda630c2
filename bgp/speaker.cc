#include "bgp/speaker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <map>
#include <mutex>
#include <utility>

#include "bgp/alarm.h"
#include "bgp/listener.h"
#include "bgp/session.h"
#include "bgp/session_context.h"
#include "bgp/socket_options.h"

namespace lapwing::bgp {

namespace {

constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::milliseconds kStopPoll{20};

Prefix key_range(const NeighborConfig& config) {
  if (config.range) return *config.range;
  const Prefix host{config.address, 0};
  return Prefix{config.address, static_cast<std::uint8_t>(host.max_length())};
}

NeighborConfig derive(const NeighborConfig& range, const Endpoint& remote) {
  NeighborConfig config = range;
  config.address = remote.address;
  config.scope = remote.scope;
  config.range.reset();
  config.passive = true;
  config.name = range.name + "-" + format_address(remote.address) +
                (remote.scope.empty() ? "" : "%" + remote.scope);
  return config;
}

void refuse(int fd) {
  const linger now{1, 0};  // a reset leaves nothing of ours in TIME_WAIT
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

}  // namespace

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
  struct Neighbor {
    NeighborConfig config;
    std::size_t order = 0;
    bool unprotected = false;          // its MD5 key could not be set: nothing is accepted
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

// --- Listening --------------------------------------------------------------------------------

std::vector<std::string> Speaker::Impl::listen() {
  std::vector<std::string> errors;
  for (const Endpoint& endpoint : config_.listen) {
    auto listener = std::make_shared<Listener>(
        io_, endpoint,
        [this](int fd, const Endpoint& remote, const Endpoint& local) {
          on_accept(fd, remote, local);
        },
        [this](std::string error) { context_->log(LogLevel::kError, {}, std::move(error)); });
    if (auto error = listener->open()) {
      errors.push_back(std::move(*error));
      continue;
    }
    context_->log(LogLevel::kInfo, {}, "listening on " + format_endpoint(listener->endpoint()));
    listeners_.push_back(std::move(listener));
  }
  for (auto& [name, neighbor] : neighbors_) set_keys(neighbor);
  return errors;
}

std::vector<Endpoint> Speaker::Impl::endpoints() const {
  std::vector<Endpoint> endpoints;
  for (const auto& listener : listeners_) endpoints.push_back(listener->endpoint());
  return endpoints;
}

void Speaker::Impl::set_keys(Neighbor& neighbor) {
  neighbor.unprotected = false;
  if (neighbor.config.password.empty()) return;
  for (const auto& listener : listeners_) {
    const auto error = listener->set_key(key_range(neighbor.config), neighbor.config.scope,
                                         neighbor.config.password);
    if (!error) continue;
    neighbor.unprotected = true;
    context_->log(LogLevel::kError, neighbor.config.name,
                  *error + "; its connections will be refused");
  }
}

void Speaker::Impl::clear_keys(const Neighbor& neighbor) {
  if (neighbor.config.password.empty()) return;
  for (const auto& listener : listeners_)
    listener->set_key(key_range(neighbor.config), neighbor.config.scope, {});
}

void Speaker::Impl::on_accept(int fd, const Endpoint& remote, const Endpoint& local) {
  std::shared_ptr<Session> session;
  const char* why = "no neighbor has this address";
  if (Neighbor* neighbor = find_neighbor(remote, local)) {
    if (neighbor->unprotected)
      why = "its TCP-MD5 key could not be set";
    else
      session = neighbor->session;
  } else if (Neighbor* range = find_range(remote.address)) {
    why = range->unprotected ? "the TCP-MD5 key of its range could not be set"
                             : "its range has no room for more neighbors";
    if (!range->unprotected) session = dynamic_session(*range, remote);
  }
  if (session && !stopping_) {
    session->accept(fd);
    return;
  }
  log_unknown(remote, why);
  refuse(fd);
}

void Speaker::Impl::log_unknown(const Endpoint& remote, const char* why) {
  std::uint64_t suppressed = 0;
  if (!unknown_limit_.allow(SteadyClock::now(), suppressed)) return;
  std::string line = "connection from " + format_endpoint(remote) + " closed: " + why;
  if (suppressed != 0) line += "; " + std::to_string(suppressed) + " such lines were suppressed";
  context_->log(LogLevel::kNotice, {}, std::move(line));
}

Speaker::Impl::Neighbor* Speaker::Impl::find_neighbor(const Endpoint& remote,
                                                      const Endpoint& local) {
  Neighbor* found = nullptr;
  for (auto& [name, neighbor] : neighbors_) {
    const NeighborConfig& config = neighbor.config;
    if (config.range || config.address != remote.address) continue;
    if (!config.scope.empty() && config.scope != remote.scope) continue;
    const bool exact = config.local_address && *config.local_address == local.address;
    if (found == nullptr || exact) found = &neighbor;
    if (exact) break;
  }
  return found;
}

Speaker::Impl::Neighbor* Speaker::Impl::find_range(const IpAddress& address) {
  Neighbor* found = nullptr;
  const Prefix host{address, static_cast<std::uint8_t>(Prefix{address, 0}.max_length())};
  for (auto& [name, neighbor] : neighbors_) {
    if (!neighbor.config.range || !neighbor.config.range->contains(host)) continue;
    if (found == nullptr || neighbor.config.range->length > found->config.range->length)
      found = &neighbor;
  }
  return found;
}

std::shared_ptr<Session> Speaker::Impl::dynamic_session(Neighbor& range, const Endpoint& remote) {
  NeighborConfig config = derive(range.config, remote);
  const auto it = range.dynamic.find(config.name);
  if (it != range.dynamic.end()) return it->second;
  if (range.dynamic.size() >= range.config.dynamic_limit && !make_room(range)) return nullptr;
  auto session = make_session(range.config.name, std::move(config), true);
  range.dynamic.emplace(session->config().name, session);
  session->start();
  return session;
}

// A dynamic neighbour stays in sight when it is down; the one that is down longest makes room.
bool Speaker::Impl::make_room(Neighbor& range) {
  auto oldest = range.dynamic.end();
  for (auto it = range.dynamic.begin(); it != range.dynamic.end(); ++it) {
    if (!it->second->idle()) continue;
    if (oldest == range.dynamic.end() || it->second->down_since() < oldest->second->down_since())
      oldest = it;
  }
  if (oldest == range.dynamic.end()) return false;
  board_.erase({range.order, oldest->first});
  range.dynamic.erase(oldest);
  return true;
}

// --- Neighbours -------------------------------------------------------------------------------

std::shared_ptr<Session> Speaker::Impl::make_session(const std::string& neighbor,
                                                     NeighborConfig config, bool dynamic) {
  return std::make_shared<Session>(
      context_, std::move(config), dynamic,
      [this, neighbor](Session& session) { on_changed(neighbor, session); });
}

std::shared_ptr<Session> Speaker::Impl::find_session(const std::string& name) const {
  const auto it = neighbors_.find(name);
  if (it != neighbors_.end() && it->second.session) return it->second.session;
  for (const auto& [range, neighbor] : neighbors_) {
    const auto dynamic = neighbor.dynamic.find(name);
    if (dynamic != neighbor.dynamic.end()) return dynamic->second;
  }
  return nullptr;
}

std::size_t Speaker::Impl::next_order() const {
  std::size_t order = 0;
  for (const auto& [name, neighbor] : neighbors_) order = std::max(order, neighbor.order + 1);
  return order;
}

void Speaker::Impl::configure(std::vector<NeighborConfig> configs) {
  std::vector<std::string> gone;
  for (const auto& entry : neighbors_) {
    const std::string& name = entry.first;
    const bool kept = std::any_of(configs.begin(), configs.end(),
                                  [&](const NeighborConfig& c) { return c.name == name; });
    if (!kept) gone.push_back(name);
  }
  for (const std::string& name : gone) remove(name);
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const auto it = neighbors_.find(configs[i].name);
    if (it == neighbors_.end()) {
      add(std::move(configs[i]), i);
    } else {
      it->second.order = i;
      update(std::move(configs[i]));
    }
  }
  board_.clear();
  publish_all();
}

void Speaker::Impl::add(NeighborConfig config, std::size_t order) {
  if (stopping_) return;
  const std::string name = config.name;
  if (neighbors_.contains(name)) {
    update(std::move(config));
    return;
  }
  Neighbor& neighbor = neighbors_[name];
  neighbor.config = std::move(config);
  neighbor.order = order;
  set_keys(neighbor);
  if (neighbor.config.range) return;
  // One that was just removed still has records to push: it goes on, so that their order is kept.
  const auto former = std::find_if(retiring_.begin(), retiring_.end(), [&](const auto& session) {
    return session->config().name == name && !session->dynamic();
  });
  if (former != retiring_.end()) {
    neighbor.session = *former;
    retiring_.erase(former);
    neighbor.session->reconfigure(neighbor.config);
    if (neighbor.config.enabled) neighbor.session->enable();
    return;
  }
  neighbor.session = make_session(name, neighbor.config, false);
  neighbor.session->start();
}

void Speaker::Impl::update(NeighborConfig config) {
  const auto it = neighbors_.find(config.name);
  if (it == neighbors_.end()) {
    add(std::move(config), next_order());
    return;
  }
  Neighbor& neighbor = it->second;
  if (neighbor.config == config) return;
  if (neighbor.config.range.has_value() != config.range.has_value()) {
    const std::size_t order = neighbor.order;
    remove(config.name);
    add(std::move(config), order);
    return;
  }
  clear_keys(neighbor);
  neighbor.config = std::move(config);
  set_keys(neighbor);
  if (neighbor.session)
    neighbor.session->reconfigure(neighbor.config);
  else
    update_range(neighbor);
}

void Speaker::Impl::update_range(Neighbor& neighbor) {
  for (auto it = neighbor.dynamic.begin(); it != neighbor.dynamic.end();) {
    const auto session = it->second;
    const IpAddress address = session->config().address;
    const Prefix host{address, static_cast<std::uint8_t>(Prefix{address, 0}.max_length())};
    if (neighbor.config.range->contains(host)) {
      session->reconfigure(derive(neighbor.config, {address, 0, session->config().scope}));
      ++it;
      continue;
    }
    board_.erase({neighbor.order, it->first});
    it = neighbor.dynamic.erase(it);
    end_session(session, error::kPeerDeconfigured, "its range was changed");
  }
}

void Speaker::Impl::remove(const std::string& name) {
  const auto it = neighbors_.find(name);
  if (it == neighbors_.end()) return;
  Neighbor neighbor = std::move(it->second);
  neighbors_.erase(it);
  clear_keys(neighbor);
  if (neighbor.session) {
    board_.erase({neighbor.order, name});
    end_session(neighbor.session, error::kPeerDeconfigured, "removed from the configuration");
  }
  for (const auto& [dynamic_name, session] : neighbor.dynamic) {
    board_.erase({neighbor.order, dynamic_name});
    end_session(session, error::kPeerDeconfigured, "its range was removed");
  }
}

void Speaker::Impl::end_session(std::shared_ptr<Session> session, std::uint8_t cease,
                                std::string why) {
  session->stop(cease, {}, std::move(why));
  if (!session->idle()) retiring_.push_back(std::move(session));
}

// --- What is shown, and time ------------------------------------------------------------------

void Speaker::Impl::publish(const std::string& neighbor, const Session& session) {
  const auto it = neighbors_.find(neighbor);
  if (it == neighbors_.end() || find_session(session.config().name).get() != &session) return;
  board_.put({it->second.order, session.config().name}, session.status());
}

void Speaker::Impl::publish_all() {
  for (const auto& [name, neighbor] : neighbors_) {
    if (neighbor.session) publish(name, *neighbor.session);
    for (const auto& [dynamic_name, session] : neighbor.dynamic) publish(name, *session);
  }
}

void Speaker::Impl::on_changed(const std::string& neighbor, Session& session) {
  if (closed_) return;
  publish(neighbor, session);
  const bool may_end = session.dynamic() || !retiring_.empty();
  if (!may_end || reap_posted_) return;
  // Later: the session is in the middle of a call.
  reap_posted_ = true;
  post([](Impl& self) { self.reap(); });
}

void Speaker::Impl::reap() {
  reap_posted_ = false;
  std::erase_if(retiring_, [](const auto& session) { return session->idle(); });
  for (auto& named : neighbors_) {
    Neighbor& neighbor = named.second;
    std::erase_if(neighbor.dynamic, [&](const auto& entry) {
      const bool over = entry.second->idle() && !entry.second->was_established();
      if (over) board_.erase({neighbor.order, entry.first});
      return over;
    });
  }
}

void Speaker::Impl::on_tick() {
  tick_.start(kTick, shared_from_this(), &Impl::on_tick);
  publish_all();
  // A tick must not overtake records that wait for room.
  if (context_->paused_sessions != 0) return;
  RecordBatch batch;
  batch.add_tick(context_->now());
  context_->sink.try_push(batch);
}

void Speaker::Impl::stop(const std::string& text, std::function<void()> done) {
  if (stopping_) return;
  stopping_ = true;
  stopped_ = std::move(done);
  for (const auto& listener : listeners_) listener->close();
  for (auto& [name, neighbor] : neighbors_) {
    if (neighbor.session)
      neighbor.session->stop(error::kAdministrativeShutdown, text, "the collector stops");
    for (const auto& [dynamic_name, session] : neighbor.dynamic)
      session->stop(error::kAdministrativeShutdown, text, "the collector stops");
  }
  tick_.cancel();
  stop_deadline_ = SteadyClock::now() + context_->options.linger;
  on_stop_poll();
}

void Speaker::Impl::on_stop_poll() {
  const bool waiting = context_->connections != 0 || context_->paused_sessions != 0;
  if (waiting && SteadyClock::now() < stop_deadline_) {
    stop_poll_.start(kStopPoll, shared_from_this(), &Impl::on_stop_poll);
    return;
  }
  if (stopped_) std::exchange(stopped_, nullptr)();
}

void Speaker::Impl::close() {
  closed_ = true;
  tick_.cancel();
  stop_poll_.cancel();
  for (const auto& listener : listeners_) listener->close();
  listeners_.clear();
  neighbors_.clear();
  retiring_.clear();
}

// --- The public face --------------------------------------------------------------------------

Speaker::Speaker(boost::asio::io_context& io, SpeakerConfig config, RecordSink& sink,
                 LogFunction log, SpeakerOptions options)
    : impl_(
          std::make_shared<Impl>(io, std::move(config), sink, std::move(log), std::move(options))) {
  impl_->begin();
}

Speaker::~Speaker() { impl_->close(); }

std::vector<std::string> Speaker::listen() { return impl_->listen(); }
std::vector<Endpoint> Speaker::endpoints() const { return impl_->endpoints(); }

void Speaker::configure(std::vector<NeighborConfig> neighbors) {
  impl_->post([neighbors = std::move(neighbors)](Impl& impl) mutable {
    impl.configure(std::move(neighbors));
  });
}

void Speaker::add(NeighborConfig neighbor) {
  impl_->post([neighbor = std::move(neighbor)](Impl& impl) mutable {
    impl.add(std::move(neighbor), impl.next_order());
  });
}

void Speaker::update(NeighborConfig neighbor) {
  impl_->post(
      [neighbor = std::move(neighbor)](Impl& impl) mutable { impl.update(std::move(neighbor)); });
}

void Speaker::remove(std::string name) {
  impl_->post([name = std::move(name)](Impl& impl) { impl.remove(name); });
}

bool Speaker::clear(std::string_view name, std::string text) {
  return impl_->command(name, [text = std::move(text)](Session& session) {
    session.clear(error::kAdministrativeReset, text);
  });
}

bool Speaker::refresh(std::string_view name) {
  return impl_->command(name, [](Session& session) { session.refresh(); });
}

bool Speaker::enable(std::string_view name) {
  return impl_->command(name, [](Session& session) { session.enable(); });
}

bool Speaker::disable(std::string_view name, std::string text) {
  return impl_->command(name, [text = std::move(text)](Session& session) {
    session.stop(error::kAdministrativeShutdown, text,
                 "disabled by the operator" + (text.empty() ? "" : ": " + text));
  });
}

bool Speaker::stop_for_max_prefix(std::string_view name, Family family, std::uint64_t limit) {
  return impl_->command(
      name, [family, limit](Session& session) { session.stop_for_max_prefix(family, limit); });
}

bool Speaker::stop_for_attributes(std::string_view name, std::uint64_t limit) {
  return impl_->command(name, [limit](Session& session) { session.stop_for_attributes(limit); });
}

std::vector<PeerStatus> Speaker::statuses() const { return impl_->statuses(); }

void Speaker::stop(std::string text, std::function<void()> done) {
  impl_->post([text = std::move(text), done = std::move(done)](Impl& impl) mutable {
    impl.stop(text, std::move(done));
  });
}

}  // namespace lapwing::bgp
