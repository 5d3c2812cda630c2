// The engine's side of a detector: its Host, its name, and whether it is still called.
//
// Thread: engine. Owns: the detector.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "rib/engine.h"

namespace lapwing::rib {

class Engine::DetectorHost final : public Host {
 public:
  DetectorHost(Engine& engine, std::uint32_t number, std::unique_ptr<Detector> detector)
      : engine_(engine),
        number_(number),
        detector_(std::move(detector)),
        named_(*engine.detector_calls_.try_emplace(std::string(detector_->name()), 0).first),
        earlier_calls_(named_.second.load(std::memory_order_relaxed)) {}
  ~DetectorHost() = default;

  Detector& detector() { return *detector_; }
  const std::string& name() const { return named_.first; }
  /// For other threads: the name, and a number that changes with each call.
  const DetectorCalls::value_type& named() const { return named_; }
  bool enabled() const { return enabled_; }
  DetectorSummary summary() const {
    const std::uint64_t calls = named_.second.load(std::memory_order_relaxed) - earlier_calls_;
    const std::uint64_t calls_a_sample = samples_ == 0 ? 0 : calls / samples_;
    return {name(), enabled_, calls, sampled_ns_ * calls_a_sample / 1000};
  }
  /// One call in 64 or so is timed: the clock costs as much as a short call. The steps are uneven, since
  /// calls of one kind come at even ones.
  bool is_sample() {
    // This thread alone writes it.
    named_.second.store(named_.second.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (--until_sample_ != 0) return false;
    step_ = step_ * 1664525 + 1013904223;
    until_sample_ = 32 + (step_ >> 26);
    ++samples_;
    return true;
  }
  void add_time(std::uint64_t nanoseconds) { sampled_ns_ += nanoseconds; }
  /// A timer is due. Throws for a detector that sets timers which are due at once and comes to no end.
  void fire(std::uint64_t key);
  /// It threw: no further call, no timer; an event tells the operator.
  void disable(const char* what);
  /// It has started, or failed in that; an event says so where it is news.
  void tell_start();

  // lapwing::Host
  Timestamp now() const override { return engine_.now_; }
  PathView path(PathId id) const override { return engine_.path_view(id); }
  Nlri nlri(PrefixId id) const override { return bgp::to_nlri(engine_.prefixes_.key(id)); }
  Prefix prefix(PrefixId id) const override { return engine_.prefixes_.prefix(id); }
  bool has_path_id(PrefixId id) const override { return engine_.prefixes_.has_path_id(id); }
  std::optional<PrefixId> find_prefix(const Nlri& nlri) const override {
    const bgp::NlriKey key = bgp::to_key(nlri);
    const PrefixId found = engine_.prefixes_.find(key, PrefixTable::hash(key));
    return found == PrefixTable::kNone ? std::nullopt : std::optional(found);
  }
  const PeerInfo& peer(PeerId id) const override { return engine_.peers_[id]->info; }
  bool has_path(PathId id) const override { return engine_.paths_.contains(id); }
  bool has_prefix(PrefixId id) const override { return engine_.prefixes_.contains(id); }
  bool has_peer(PeerId id) const override {
    return id < engine_.peers_.size() && engine_.peers_[id] != nullptr;
  }
  const Watch& watch() const override { return engine_.options_.watch; }
  std::span<const Asn> route_server_ases() const override {
    return engine_.options_.route_server_ases;
  }
  bool is_stale(PeerId peer, PrefixId prefix) const override {
    return engine_.peers_[peer]->rib.is_stale(prefix);
  }
  void for_each_route(PrefixId prefix, FunctionRef<bool(const RouteView&)> fn) const override;
  void set_timer(std::uint64_t key, Timestamp due) override {
    if (in_timer_ && due <= engine_.now_) ++timers_of_now_;
    engine_.timers_.set({number_, key}, due);
  }
  void cancel_timer(std::uint64_t key) override { engine_.timers_.cancel({number_, key}); }
  void put_state(std::string_view key, std::string_view value) override {
    if (!keeps_state()) return;
    engine_.commit_.states.put(name(), key, value);
  }
  void erase_state(std::string_view key) override {
    if (!keeps_state()) return;
    engine_.commit_.states.erase(name(), key);
  }
  bool keeps_state() const override { return !engine_.options_.replay; }
  Event blank_event() override;
  void emit(Event&& event) override { engine_.emit(this, name(), std::move(event)); }
  bool counts_witnesses() const override {
    return engine_.filter_ != nullptr && engine_.filter_->counts_witnesses();
  }
  void add_witness(const EventId& incident, std::string_view type, PeerId peer) override {
    if (!counts_witnesses()) return;
    engine_.call(*engine_.filter_host_, [&](Detector&) {
      engine_.filter_->add_witness(incident, type, engine_.peers_[peer]->info.name);
    });
  }

 private:
  Engine& engine_;
  const std::uint32_t number_;
  std::unique_ptr<Detector> detector_;
  DetectorCalls::value_type& named_;  // in the engine, for good
  const std::uint64_t earlier_calls_;  // of a detector of this name, before a reload
  bool enabled_ = true;
  std::optional<std::string> failure_at_start_;  // not told yet
  bool in_timer_ = false;
  Timestamp fired_at_;
  std::size_t timers_of_now_ = 0;  // set within `on_timer`, due when set, at `fired_at_`
  std::uint64_t samples_ = 0;
  std::uint64_t sampled_ns_ = 0;
  std::uint32_t until_sample_ = 1;
  std::uint32_t step_ = 0;
};

template <typename Fn>
void Engine::call(DetectorHost& host, Fn&& fn) {
  if (!host.enabled()) return;
  const bool timed = options_.stopwatch != nullptr && host.is_sample();
  const std::uint64_t begin = timed ? options_.stopwatch() : 0;
  const DetectorCalls::value_type* const outer = running_.load(std::memory_order_relaxed);
  running_.store(&host.named(), std::memory_order_relaxed);
  if (outer == nullptr && unpacked_used_ != 0) forget_unpacked();
  try {
    fn(host.detector());
  } catch (const std::exception& error) {
    host.disable(error.what());
  } catch (...) {
    host.disable("an exception that is no std::exception");
  }
  running_.store(outer, std::memory_order_relaxed);
  if (timed) host.add_time(options_.stopwatch() - begin);
}

}  // namespace lapwing::rib
