#include "sinks/sink_set.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "sinks/jsonl_sink.h"
#include "sinks/registry.h"
#include "sinks/runner.h"

namespace lapwing::sinks {

class SinkSet::Impl {
 public:
  Impl(Journal& journal, Program program)
      : journal_(journal), program_(std::move(program)), io_(1), status_timer_(io_) {}

  ~Impl() { stop(); }

  bool add(std::string_view kind, Settings& settings) {
    const std::vector<std::string_view> kinds = sink_kinds();
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
      std::string known;
      for (const std::string_view name : kinds) known += (known.empty() ? "" : ", ") + std::string(name);
      settings.error("", "no sink is called '" + std::string(kind) + "'; known: " + known);
      return false;
    }
    auto sink = make_sink(kind, settings, io_, program_);
    if (!sink) return false;
    for (const auto& runner : runners_) {
      if (runner->sink().name() != sink->name()) continue;
      settings.error("name", "two sinks are called '" + std::string(sink->name()) +
                                 "'; give one of them another name");
      return false;
    }
    runners_.push_back(std::make_unique<SinkRunner>(io_, journal_, std::move(sink)));
    return true;
  }

  void start() {
    if (thread_.joinable()) return;
    boost::asio::post(io_, [this] {
      for (const auto& runner : runners_) runner->start();
      publish();
      plan_publish();
    });
    thread_ = std::thread([this] {
      const auto work = boost::asio::make_work_guard(io_);
      io_.run();
    });
  }

  void stop() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
      status_timer_.cancel();
      for (const auto& runner : runners_) runner->stop();
      publish();
      io_.stop();
    });
    thread_.join();
  }

  std::vector<SinkStatus> status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

  void reopen() {
    boost::asio::post(io_, [this] {
      for (const auto& runner : runners_)
        if (auto* file = dynamic_cast<JsonlSink*>(&runner->sink())) file->reopen();
    });
  }

 private:
  void publish() {
    std::vector<SinkStatus> now;
    for (const auto& runner : runners_) now.push_back(runner->status());
    const std::lock_guard lock(mutex_);
    status_ = std::move(now);
  }

  void plan_publish() {
    status_timer_.expires_after(std::chrono::milliseconds(200));
    status_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      publish();
      plan_publish();
    });
  }

  Journal& journal_;
  const Program program_;
  boost::asio::io_context io_;
  boost::asio::steady_timer status_timer_;
  std::vector<std::unique_ptr<SinkRunner>> runners_;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::vector<SinkStatus> status_;  // guarded by mutex_
};

SinkSet::SinkSet(Journal& journal, Program program)
    : impl_(std::make_unique<Impl>(journal, std::move(program))) {}
SinkSet::~SinkSet() = default;

bool SinkSet::add(std::string_view kind, Settings& settings) { return impl_->add(kind, settings); }
void SinkSet::start() { impl_->start(); }
void SinkSet::stop() { impl_->stop(); }
std::vector<SinkStatus> SinkSet::status() const { return impl_->status(); }
void SinkSet::reopen() { impl_->reopen(); }

}  // namespace lapwing::sinks
