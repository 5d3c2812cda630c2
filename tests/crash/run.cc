#include "tests/crash/run.h"

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "tests/crash/model.h"

namespace lapwing::crash {

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = variable != nullptr ? std::getenv(variable) : nullptr;
  return text != nullptr ? std::stoull(text) : fallback;
}

std::uint64_t deaths(const char* variable, [[maybe_unused]] std::uint64_t plain,
                     [[maybe_unused]] std::uint64_t sanitized) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return number_from(variable, sanitized);
#else
  return number_from(variable, plain);
#endif
}

Run::Run(const rib::StoreOptions& options, const std::filesystem::path& sink_file,
         Progress& progress, std::uint64_t squeeze_from)
    : progress_(progress) {
  std::string error;
  store_ = rib::Store::open(options, error);
  if (!store_) throw std::runtime_error(error);
  engine_ = make_engine(*store_, squeeze_from);
  if (error = restore(*store_, *engine_); !error.empty()) throw std::runtime_error(error);
  sinks_ = std::make_unique<sinks::SinkSet>(store_->journal(), sinks::Program{"lapwing", "0"});
  Settings settings;
  settings.set("path", sink_file.string());
  if (!sinks_->add("jsonl", settings)) throw std::runtime_error("no jsonl sink");
  store_->start(*engine_);
  engine_->end_restore();
  subscription_ =
      store_->journal().subscribe([this] { progress_.told.store(store_->journal().last()); });
  sinks_->start();
}

Run::~Run() { stop(); }

void Run::hear(const bgp::RecordBatch& batch) {
  engine_->process(batch);
  progress_.batches.fetch_add(1);
  progress_.durable.store(store_->durable_sequence());
}

bool Run::settle() {
  if (!rib::test::wait_durable(*store_, engine_->submit_open())) return false;
  for (int i = 0; i < 3000; ++i) {
    const auto status = sinks_->status();
    if (!status.empty() && status[0].cursor == store_->journal().last()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

void Run::stop() {
  if (std::exchange(stopped_, true)) return;
  sinks_->stop();
  store_->journal().unsubscribe(subscription_);
  store_->stop();
}

}  // namespace lapwing::crash
