#include "collector/restore.h"

#include <utility>

#include "lapwing/thread_name.h"

namespace lapwing::collector {

std::uint32_t Restore::add_text(std::string_view text) {
  batch_.octets += text;
  return static_cast<std::uint32_t>(batch_.octets.size());
}

void Restore::added() {
  constexpr std::size_t kOctets = 4u << 20;
  if (batch_.size() == kBatch || batch_.octets.size() > kOctets) hand_over();
}

void Restore::on_path(PathId id, Octets octets) {
  batch_.paths.push_back(
      {id, add_text({reinterpret_cast<const char*>(octets.data()), octets.size()})});
  added();
}

void Restore::on_state(std::string_view detector, std::string_view key, std::string_view value) {
  if (!batch_.paths.empty()) hand_over();
  Batch::State state;
  state.detector_end = add_text(detector);
  state.key_end = add_text(key);
  state.value_end = add_text(value);
  batch_.states.push_back(state);
  added();
}

void Restore::on_route(PeerId peer, const bgp::NlriKey& key, PathId path, Timestamp) {
  if (batch_.routes.empty() && batch_.size() != 0) hand_over();
  ++routes_;
  batch_.routes.push_back({peer, path, key});
  added();
}

void Restore::restore(const Batch& batch) {
  const std::string_view octets = batch.octets;
  std::uint32_t at = 0;
  for (const Batch::Path& path : batch.paths) {
    const std::string_view text = octets.substr(at, path.end - at);
    bad_ += engine_.restore_path(path.id,
                                 {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()})
                ? 0
                : 1;
    at = path.end;
  }
  for (const Batch::State& state : batch.states) {
    engine_.restore_state(octets.substr(at, state.detector_end - at),
                          octets.substr(state.detector_end, state.key_end - state.detector_end),
                          octets.substr(state.key_end, state.value_end - state.key_end));
    at = state.value_end;
  }
  bad_ += engine_.restore_routes(batch.routes);
}

void Restore::hand_over() {
  if (!thread_.joinable())
    thread_ = std::thread([this] {
      name_thread("restore");
      run();
    });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return waiting_.size() < kWaiting; });
  waiting_.push_back(std::exchange(batch_, {}));
  changed_.notify_all();
}

void Restore::run() {
  for (;;) {
    Batch batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !waiting_.empty() || all_; });
      if (waiting_.empty()) return;
      batch = std::move(waiting_.front());
      waiting_.pop_front();
      changed_.notify_all();
    }
    restore(batch);
  }
}

void Restore::finish() {
  if (batch_.size() != 0) hand_over();
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    all_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

}  // namespace lapwing::collector
