// The engine's side of a detector: its Host, its name, and whether it is still called.
//
// Thread: engine. Owns: the detector.
#pragma once

#include <memory>
#include <string>

#include "rib/engine.h"

namespace lapwing::rib {

class Engine::DetectorHost final : public Host {
 public:
  DetectorHost(Engine& engine, std::uint32_t number, std::unique_ptr<Detector> detector)
      : engine_(engine),
        number_(number),
        detector_(std::move(detector)),
        name_(*engine.detector_names_.emplace(detector_->name()).first) {}
  ~DetectorHost() = default;

  Detector& detector() { return *detector_; }
  const std::string& name() const { return name_; }
  bool enabled() const { return enabled_; }
  DetectorSummary summary() const {
    const std::uint64_t calls_a_sample = samples_ == 0 ? 0 : calls_ / samples_;
    return {name_, enabled_, calls_, sampled_ns_ * calls_a_sample / 1000};
  }
  /// One call in 64 or so is timed: the clock costs as much as a short call. The steps are uneven, since
  /// calls of one kind come at even ones.
  bool is_sample() {
    ++calls_;
    if (--until_sample_ != 0) return false;
    step_ = step_ * 1664525 + 1013904223;
    until_sample_ = 32 + (step_ >> 26);
    ++samples_;
    return true;
  }
  void add_time(std::uint64_t nanoseconds) { sampled_ns_ += nanoseconds; }
  /// It threw: no further call, no timer; an event tells the operator.
  void disable(const char* what);

  // lapwing::Host
  Timestamp now() const override { return engine_.now_; }
  PathView path(PathId id) const override { return engine_.path_view(id); }
  Nlri nlri(PrefixId id) const override { return bgp::to_nlri(engine_.prefixes_.key(id)); }
  bool has_path_id(PrefixId id) const override { return engine_.prefixes_.has_path_id(id); }
  const PeerInfo& peer(PeerId id) const override { return engine_.peers_[id]->info; }
  const Watch& watch() const override { return engine_.options_.watch; }
  std::span<const Asn> route_server_ases() const override {
    return engine_.options_.route_server_ases;
  }
  bool is_stale(PeerId peer, PrefixId prefix) const override {
    return engine_.peers_[peer]->rib.is_stale(prefix);
  }
  void for_each_route(PrefixId prefix, FunctionRef<bool(const RouteView&)> fn) const override;
  void set_timer(std::uint64_t key, Timestamp due) override {
    engine_.timers_.set({number_, key}, due);
  }
  void cancel_timer(std::uint64_t key) override { engine_.timers_.cancel({number_, key}); }
  void put_state(std::string_view key, std::string_view value) override {
    if (!keeps_state()) return;
    engine_.commit_.states.put(name_, key, value);
  }
  void erase_state(std::string_view key) override {
    if (!keeps_state()) return;
    engine_.commit_.states.erase(name_, key);
  }
  bool keeps_state() const override { return !engine_.options_.replay; }
  Event blank_event() override;
  void emit(Event&& event) override;

 private:
  Engine& engine_;
  const std::uint32_t number_;
  std::unique_ptr<Detector> detector_;
  const std::string& name_;  // in the engine, for good
  bool enabled_ = true;
  std::uint64_t calls_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t sampled_ns_ = 0;
  std::uint32_t until_sample_ = 1;
  std::uint32_t step_ = 0;
};

template <typename Fn>
void Engine::call(DetectorHost& host, Fn&& fn) {
  if (!host.enabled()) return;
  const bool timed = host.is_sample() && options_.stopwatch != nullptr;
  const std::uint64_t begin = timed ? options_.stopwatch() : 0;
  const std::string* const outer = running_.load(std::memory_order_relaxed);
  running_.store(&host.name(), std::memory_order_relaxed);
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
