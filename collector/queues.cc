#include "collector/queues.h"

#include <utility>

namespace lapwing::collector {

bool RecordQueue::try_push(bgp::RecordBatch& batch) {
  batch.hash_nlri();
  const std::lock_guard lock(mutex_);
  const std::size_t size = batch.footprint();
  if (!closed_ && octets_ > max_octets_ / 2 && octets_ + size > max_octets_) {
    ++refusals_;
    return false;
  }
  if (!closed_) {
    octets_ += size;
    batches_.push_back(std::move(batch));
    work_.notify_one();
  }
  batch = bgp::RecordBatch();
  if (!spare_.empty()) {
    batch = std::move(spare_.back());
    spare_.pop_back();
  }
  return true;
}

void RecordQueue::when_room(std::function<void()> fn) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_ && octets_ > max_octets_ / 2) {
      waiters_.push_back(std::move(fn));
      return;
    }
  }
  fn();
}

void RecordQueue::post(std::function<void()> request) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  requests_.push_back(std::move(request));
  work_.notify_one();
}

void RecordQueue::close() {
  std::vector<std::function<void()>> waiters;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiters.swap(waiters_);
    work_.notify_all();
  }
  for (const auto& fn : waiters) fn();
}

void RecordQueue::wait_for_work(std::unique_lock<std::mutex>& lock) {
  const auto ready = [this] { return closed_ || !batches_.empty() || !requests_.empty(); };
  if (ready()) return;
  const auto tell = [&lock](const std::function<void()>& fn) {
    if (!fn) return;
    lock.unlock();
    fn();
    lock.lock();
  };
  tell(watch_.begin);
  work_.wait(lock, ready);
  tell(watch_.end);
}

bool RecordQueue::pop(Work& out) {
  std::vector<std::function<void()>> waiters;
  {
    std::unique_lock lock(mutex_);
    wait_for_work(lock);
    out.requests = std::exchange(requests_, {});
    if (batches_.empty()) return !closed_ || !out.requests.empty();
    out.batch = std::move(batches_.front());
    batches_.pop_front();
    octets_ -= out.batch.footprint();
    if (octets_ <= max_octets_ / 2) waiters.swap(waiters_);
  }
  for (const auto& fn : waiters) fn();
  return true;
}

void RecordQueue::recycle(bgp::RecordBatch&& batch) {
  if (batch.footprint() > kMaxSpareOctets) return;
  batch.clear();
  const std::lock_guard lock(mutex_);
  if (spare_.size() < kMaxSpare) spare_.push_back(std::move(batch));
}

std::size_t RecordQueue::octets() const {
  const std::lock_guard lock(mutex_);
  return octets_;
}

std::uint64_t RecordQueue::refusals() const {
  const std::lock_guard lock(mutex_);
  return refusals_;
}

}  // namespace lapwing::collector
