#include "collector/engine_thread.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "lapwing/thread_name.h"

namespace lapwing::collector {

void EngineThread::start(std::function<void()> at_end) {
  thread_ = std::thread([this, at_end = std::move(at_end)] {
    name_thread("engine");
    RecordQueue::Work work;
    while (queue_.pop(work)) {
      for (const auto& request : work.requests) request();
      work.requests.clear();
      if (work.batch.empty()) continue;
      engine_.process(work.batch);
      queue_.recycle(std::move(work.batch));
      work.batch = bgp::RecordBatch();
    }
    if (at_end) at_end();
  });
}

void EngineThread::stop() {
  if (!thread_.joinable()) return;
  queue_.close();
  thread_.join();
}

bool EngineThread::run(const std::function<void(rib::Engine&)>& fn,
                       std::chrono::milliseconds timeout) const {
  // The request outlives this call when the engine is busy for longer than the caller waits; it
  // then finds `abandoned` and touches nothing of the caller's.
  struct Ticket {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    bool abandoned = false;
  };
  const auto ticket = std::make_shared<Ticket>();
  queue_.post([this, ticket, &fn] {
    const std::lock_guard lock(ticket->mutex);
    if (ticket->abandoned) return;
    fn(engine_);
    ticket->done = true;
    ticket->changed.notify_one();
  });
  std::unique_lock lock(ticket->mutex);
  ticket->changed.wait_for(lock, timeout, [&] { return ticket->done; });
  ticket->abandoned = true;
  return ticket->done;
}

}  // namespace lapwing::collector
