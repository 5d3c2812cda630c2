// Speaker: whom it knows, and whom it lets in.
#include <algorithm>
#include <utility>

#include "bgp/socket_options.h"
#include "bgp/speaker_impl.h"

namespace lapwing::bgp {

namespace {

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

}  // namespace

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
  for (const auto& listener : listeners_) {
    const auto error = listener->set_key(neighbor.config);
    if (!error) continue;
    neighbor.unprotected = true;
    context_->log(LogLevel::kError, neighbor.config.name,
                  *error + "; its connections will be refused");
  }
}

void Speaker::Impl::clear_keys(const Neighbor& neighbor) {
  for (const auto& listener : listeners_) listener->set_key(neighbor.config, true);
}

void Speaker::Impl::on_accept(int fd, const Endpoint& remote, const Endpoint& local) {
  std::shared_ptr<Session> session;
  const char* why = "no neighbor has this address";
  if (Neighbor* neighbor = find_neighbor(remote, local)) {
    if (neighbor->unprotected)
      why = "its TCP key could not be set";
    else
      session = neighbor->session;
  } else if (Neighbor* range = find_range(remote.address)) {
    why = range->unprotected ? "the TCP key of its range could not be set"
                             : "its range has no room for more neighbors";
    if (!range->unprotected) session = dynamic_session(*range, remote);
  }
  if (session && !stopping_) {
    session->accept(fd);
    return;
  }
  log_unknown(remote, why);
  close_with_reset(fd);
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

}  // namespace lapwing::bgp
