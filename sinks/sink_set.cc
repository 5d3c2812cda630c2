#include "sinks/sink_set.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "lapwing/thread_name.h"
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
    for (const Entry& entry : entries_) {
      if (entry.runner->sink().name() != sink->name()) continue;
      settings.error("name", "two sinks are called '" + std::string(sink->name()) +
                                 "'; give one of them another name");
      return false;
    }
    journal_.cursor(sink->name());  // a new sink stands here now, not where its thread begins
    entries_.push_back({std::string(kind), settings,
                        std::make_unique<SinkRunner>(io_, journal_, std::move(sink))});
    return true;
  }

  void configure(std::vector<SinkSet::Table> tables) {
    std::promise<void> done;
    boost::asio::post(io_, [&] {
      std::vector<Entry> former = std::exchange(entries_, {});
      std::vector<const SinkSet::Table*> fresh;
      for (const SinkSet::Table& table : tables) {
        const auto same = std::find_if(former.begin(), former.end(), [&](const Entry& entry) {
          return entry.runner && entry.kind == table.kind &&
                 entry.settings.has_same_values(table.settings);
        });
        if (same != former.end())
          entries_.push_back(std::move(*same));
        else
          fresh.push_back(&table);
      }
      for (const Entry& entry : former)
        if (entry.runner) entry.runner->stop();
      for (const SinkSet::Table* table : fresh) {
        Settings settings = table->settings;
        if (add(table->kind, settings)) entries_.back().runner->start();
      }
      // Only now: a sink that is the same one with other settings holds its events throughout.
      for (const Entry& entry : former)
        if (entry.runner && !has(entry.runner->sink().name()))
          journal_.release(entry.runner->sink().name());
      former.clear();
      publish();
      done.set_value();
    });
    done.get_future().wait();
  }

  void post(std::function<void()> fn) { boost::asio::post(io_, std::move(fn)); }

  void start() {
    if (thread_.joinable()) return;
    boost::asio::post(io_, [this] {
      for (const Entry& entry : entries_) entry.runner->start();
      publish();
      plan_publish();
    });
    thread_ = std::thread([this] {
      name_thread("sinks");
      const auto work = boost::asio::make_work_guard(io_);
      io_.run();
    });
  }

  void stop() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
      status_timer_.cancel();
      for (const Entry& entry : entries_) entry.runner->stop();
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
      for (const Entry& entry : entries_)
        if (auto* file = dynamic_cast<JsonlSink*>(&entry.runner->sink())) file->reopen();
    });
  }

 private:
  struct Entry {
    std::string kind;
    Settings settings;
    std::unique_ptr<SinkRunner> runner;
  };

  bool has(std::string_view name) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.runner->sink().name() == name;
    });
  }

  void publish() {
    std::vector<SinkStatus> now;
    for (const Entry& entry : entries_) now.push_back(entry.runner->status());
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
  std::vector<Entry> entries_;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::vector<SinkStatus> status_;  // guarded by mutex_
};

SinkSet::SinkSet(Journal& journal, Program program)
    : impl_(std::make_unique<Impl>(journal, std::move(program))) {}
SinkSet::~SinkSet() = default;

bool SinkSet::add(std::string_view kind, Settings& settings) { return impl_->add(kind, settings); }
void SinkSet::configure(std::vector<Table> tables) { impl_->configure(std::move(tables)); }
void SinkSet::post(std::function<void()> fn) { impl_->post(std::move(fn)); }
void SinkSet::start() { impl_->start(); }
void SinkSet::stop() { impl_->stop(); }
std::vector<SinkStatus> SinkSet::status() const { return impl_->status(); }
void SinkSet::reopen() { impl_->reopen(); }

}  // namespace lapwing::sinks
