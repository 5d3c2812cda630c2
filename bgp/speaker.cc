#include "bgp/speaker.h"

#include <algorithm>
#include <utility>

#include "bgp/speaker_impl.h"

namespace lapwing::bgp {

namespace {

constexpr std::chrono::milliseconds kStopPoll{20};

}  // namespace

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
