#include "collector/update_tap.h"

#include <algorithm>
#include <utility>

namespace lapwing::collector {

namespace {

class Tap final : public Detector {
 public:
  explicit Tap(UpdateRing& ring) : ring_(ring) {}

  std::string_view name() const override { return "update-feed"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& change) override {
    if (!ring_.watched()) return;
    RouteUpdate update = of(change.peer);
    update.nlri = host_->nlri(change.prefix);
    update.before = path(change.before);
    update.after = path(change.after);
    update.cause = change.cause;
    update.baseline = change.baseline;
    ring_.add(std::move(update));
    news_ = true;
  }
  void on_update_end() override {
    ++message_;
    if (std::exchange(news_, false)) ring_.tell();
  }
  void on_peer_change(const PeerChange& change) override {
    const bool up = change.event == PeerEvent::kUp;
    if (!ring_.watched() || (!up && change.event != PeerEvent::kDown)) return;
    RouteUpdate update = of(change.peer);
    update.session = up ? SessionNews::kUp : SessionNews::kDown;
    ring_.add(std::move(update));
    ++message_;
    ring_.tell();
  }

 private:
  RouteUpdate of(PeerId id) const {
    const PeerInfo& peer = host_->peer(id);
    RouteUpdate update;
    update.message = message_;
    update.time = host_->now();
    update.peer = peer.name;
    update.peer_address = peer.address;
    update.peer_as = peer.as;
    return update;
  }

  std::optional<std::vector<std::uint8_t>> path(PathId id) const {
    if (id == kNoPath) return std::nullopt;
    const Octets octets = host_->path(id).octets();
    return std::vector<std::uint8_t>(octets.begin(), octets.end());
  }

  UpdateRing& ring_;
  Host* host_ = nullptr;
  std::uint64_t message_ = 0;
  bool news_ = false;
};

}  // namespace

std::size_t UpdateRing::octets_of(const RouteUpdate& update) {
  return (update.before ? update.before->size() : 0) + (update.after ? update.after->size() : 0);
}

void UpdateRing::add(RouteUpdate&& update) {
  const std::lock_guard lock(mutex_);
  update.number = ++last_;
  octets_ += octets_of(update);
  updates_.push_back(std::move(update));
  while (updates_.size() > kMaxUpdates || octets_ > kMaxOctets) {
    octets_ -= octets_of(updates_.front());
    updates_.pop_front();
  }
}

void UpdateRing::tell() {
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, fn] : watchers_) fn();
}

std::vector<RouteUpdate> UpdateRing::read_after(std::uint64_t number, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  const auto first = std::upper_bound(
      updates_.begin(), updates_.end(), number,
      [](std::uint64_t wanted, const RouteUpdate& update) { return wanted < update.number; });
  const auto left = static_cast<std::size_t>(updates_.end() - first);
  return {first, first + static_cast<std::ptrdiff_t>(std::min(limit, left))};
}

std::uint64_t UpdateRing::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

int UpdateRing::subscribe(std::function<void()> fn) {
  const std::lock_guard lock(mutex_);
  const int handle = next_handle_++;
  watchers_.emplace(handle, std::move(fn));
  ++watchers_count_;
  return handle;
}

void UpdateRing::unsubscribe(int handle) {
  const std::lock_guard lock(mutex_);
  if (watchers_.erase(handle) == 0) return;
  if (--watchers_count_ != 0) return;
  updates_.clear();
  octets_ = 0;
}

std::unique_ptr<Detector> make_tap(UpdateRing& ring) { return std::make_unique<Tap>(ring); }

}  // namespace lapwing::collector
