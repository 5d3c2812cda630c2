// What the store kept, on its way into the engine: read on one thread, restored on another, in the
// order in which it was read.
//
// Use: `Store::load` with it, then `finish`. The engine is this object's until then.
// Thread: the caller's, and one of its own that restores routes. Owns: that thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "rib/engine.h"
#include "rib/store.h"

namespace lapwing::collector {

class Restore final : public rib::LoadVisitor {
 public:
  explicit Restore(rib::Engine& engine) : engine_(engine) {}
  ~Restore() override { finish(); }

  // Few: at once, before the thread begins.
  void on_meta(Timestamp alive_until) override { engine_.restore_meta(alive_until); }
  void on_peer(const rib::PeerRecord& record) override {
    bad_ += engine_.restore_peer(record) ? 0 : 1;
  }
  void on_path(PathId id, Octets octets) override;
  void on_state(std::string_view detector, std::string_view key, std::string_view value) override;
  void on_route(PeerId peer, const bgp::NlriKey& key, PathId path, Timestamp since) override;

  /// Returns when the engine has all routes.
  void finish();
  /// After `finish`: what was told, and what of all contradicts the rest and was left out.
  std::uint64_t routes() const { return routes_; }
  std::uint64_t bad() const { return bad_; }

 private:
  /// Of one kind; texts stand one behind the other in `octets`.
  struct Batch {
    struct Path {
      PathId id = 0;
      std::uint32_t end = 0;  // in `octets`
    };
    struct State {
      std::uint32_t detector_end = 0, key_end = 0, value_end = 0;  // in `octets`
    };
    std::string octets;
    std::vector<Path> paths;
    std::vector<State> states;
    std::vector<rib::Engine::RestoredRoute> routes;
    std::size_t size() const { return paths.size() + states.size() + routes.size(); }
  };
  static constexpr std::size_t kBatch = 8192;
  static constexpr std::size_t kWaiting = 8;  // batches

  std::uint32_t add_text(std::string_view text);
  void added();
  void hand_over();
  void run();
  void restore(const Batch& batch);

  rib::Engine& engine_;
  Batch batch_;
  std::uint64_t routes_ = 0;
  std::uint64_t bad_ = 0;  // the thread's while it runs
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> waiting_;  // guarded by mutex_, as is the next
  bool all_ = false;
};

}  // namespace lapwing::collector
