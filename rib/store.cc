#include "rib/store.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "lapwing/thread_name.h"
#include "rib/store_database.h"
#include "rib/store_journal.h"
#include "rib/store_queue.h"
#include "rib/store_reader.h"
#include "rib/store_writer.h"

namespace lapwing::rib {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kIdle{100};
constexpr milliseconds kHealInterval{1000};
constexpr milliseconds kTidyAfter{5000};
constexpr std::size_t kManyChanges = 4096;
constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLastRetry{5000};
constexpr std::chrono::seconds kStopPatience{10};

class StoreImpl : public Store {
 public:
  StoreImpl(std::unique_ptr<Database> database, const StoreOptions& options)
      : database_(std::move(database)),
        journal_(*database_),
        writer_(*database_, journal_),
        queue_(options.max_pending_bytes) {
    writer_.reload();
    journal_.reload();
    journal_.reload_cursors();
  }
  ~StoreImpl() override { StoreImpl::stop(); }

  bool load(LoadVisitor& visitor, std::string& error) override {
    const auto lock = database_->lock();
    return load_all(*database_, visitor, error);
  }
  bool load_states(const StateFn& fn, std::string& error) const override {
    const auto lock = database_->lock();
    if (database_->db() != nullptr) return rib::load_states(*database_, fn, error);
    error = "the database is closed after a failure";
    return false;
  }
  void start(const Dictionary& dictionary) override {
    writer_.set_dictionary(dictionary);
    thread_ = std::thread([this] { run(); });
  }
  void stop() override;
  void save_cursors() override;

  void submit(Commit&& commit) override { queue_.push(std::move(commit)); }
  std::uint64_t durable_sequence() const override {
    return durable_.load(std::memory_order_acquire);
  }
  std::optional<CommitNames> squeeze() override { return queue_.squeeze(); }
  std::uint64_t pending() const override { return queue_.pending(); }
  StoreMeasures measures() const override;
  std::uint64_t error_count() const override {
    return errors_.load(std::memory_order_relaxed) + journal_.damaged();
  }
  std::string error() const override {
    const std::lock_guard lock(error_mutex_);
    return error_;
  }
  Journal& journal() override { return journal_; }

  void routes(const std::optional<Prefix>& prefix, Match match, const std::vector<PeerId>& peers,
              const RouteFn& fn, const std::optional<RoutePosition>& after) const override {
    const auto lock = database_->lock();
    if (database_->db() != nullptr) read_routes(*database_, prefix, match, peers, fn, after);
  }
  std::vector<BlindInterval> blind_intervals(PeerId peer) const override {
    const auto lock = database_->lock();
    return database_->db() != nullptr ? read_blind(*database_, peer) : std::vector<BlindInterval>();
  }
  void history(const Prefix& prefix, Timestamp from, Timestamp to,
               const HistoryFn& fn) const override {
    const auto lock = database_->lock();
    if (database_->db() != nullptr) read_history(*database_, prefix, from, to, fn);
  }
  std::string recovery_report() const override { return database_->recovery_report(); }

 private:
  void run();
  bool write_until_done(const std::vector<Commit>& group);
  void idle_work();
  void heal();
  void note_error(const rocksdb::Status& status);
  void note_well();

  const std::unique_ptr<Database> database_;
  StoreJournal journal_;
  StoreWriter writer_;
  CommitQueue queue_;
  std::thread thread_;
  std::atomic<std::uint64_t> durable_{0};
  std::atomic<std::uint64_t> errors_{0};
  Histogram<kWriteBounds.size()> write_seconds_{kWriteBounds};
  Histogram<kBatchBounds.size()> batch_changes_{kBatchBounds};
  mutable std::mutex error_mutex_;
  std::string error_;  // guarded by error_mutex_
  // Store thread only.
  bool well_ = true;
  Clock::time_point last_sync_ = Clock::now();
  Clock::time_point last_heal_ = Clock::now();
  Clock::time_point last_change_ = Clock::now();
  std::optional<Clock::time_point> give_up_at_;  // set when `stop` finds the disk ill
};

StoreMeasures StoreImpl::measures() const {
  StoreMeasures out;
  out.write_seconds = write_seconds_.value();
  out.batch_changes = batch_changes_.value();
  out.pending_bytes = queue_.bytes();
  const auto lock = database_->lock();
  if (database_->db() != nullptr) read_measures(*database_, out);
  return out;
}

void StoreImpl::stop() {
  if (!thread_.joinable()) return;
  queue_.stop();
  thread_.join();
}

void StoreImpl::save_cursors() {
  if (thread_.joinable() || !journal_.cursors_moved()) return;
  rocksdb::Status status = writer_.write_cursors();
  if (status.ok()) status = writer_.sync();
  if (!status.ok()) note_error(status);
}

void StoreImpl::run() {
  name_thread("store");
  std::vector<Commit> group;
  journal_.collect_ids();
  for (;;) {
    if (queue_.take(group, kIdle)) {
      const Clock::time_point begin = Clock::now();
      if (!write_until_done(group)) return;
      write_seconds_.observe(std::chrono::duration<double>(Clock::now() - begin).count());
      std::size_t changes = 0;
      for (const Commit& commit : group) changes += commit.routes.size();
      batch_changes_.observe(static_cast<double>(changes));
      durable_.store(group.back().sequence, std::memory_order_release);
      queue_.written(group);
      last_change_ = Clock::now();
      if (changes >= kManyChanges) database_->tidy(false);
      group.clear();
    } else if (queue_.stopped()) {
      break;
    }
    idle_work();
  }
  const rocksdb::Status cursors = writer_.write_cursors();
  const rocksdb::Status synced = writer_.unsynced() ? writer_.sync() : rocksdb::Status::OK();
  if (!cursors.ok()) note_error(cursors);
  if (!synced.ok()) note_error(synced);
}

// False: the store is to stop and the disk stays ill.
bool StoreImpl::write_until_done(const std::vector<Commit>& group) {
  milliseconds wait = kFirstRetry;
  for (;;) {
    const rocksdb::Status status = writer_.write(group);
    if (status.ok()) {
      if (!well_) note_well();
      return true;
    }
    note_error(status);
    if (queue_.stopped()) {
      if (!give_up_at_) give_up_at_ = Clock::now() + kStopPatience;
      if (Clock::now() >= *give_up_at_) return false;
      std::this_thread::sleep_for(std::min(wait, milliseconds(500)));
    } else {
      queue_.sleep(wait);
    }
    wait = std::min(wait * 2, kLastRetry);
    heal();
  }
}

// Lets the database take writes again; the numbers in it may differ from ours after reopening.
void StoreImpl::heal() {
  std::string cause;
  if (!database_->recover(cause)) return;
  writer_.reload();
  journal_.reload();
}

void StoreImpl::idle_work() {
  journal_.collect_ids();
  const Clock::time_point now = Clock::now();
  if (!well_) {
    if (now - last_heal_ < kHealInterval) return;
    last_heal_ = now;
    heal();
  }
  rocksdb::Status status;
  if (journal_.cursors_moved()) status = writer_.write_cursors();
  const bool due = writer_.unsynced() &&
                   (now - last_sync_ >= database_->options().sync_interval || !well_);
  if (status.ok() && due) {
    last_sync_ = now;
    status = writer_.sync();
  }
  if (!status.ok())
    note_error(status);
  else if (!well_)
    note_well();
  // A start reads all routes: the fewer tables, the sooner it is ready.
  if (well_ && now - last_change_ >= kTidyAfter) database_->tidy(true);
}

void StoreImpl::note_error(const rocksdb::Status& status) {
  errors_.fetch_add(1, std::memory_order_relaxed);
  well_ = false;
  queue_.set_well(false);
  const std::lock_guard lock(error_mutex_);
  error_ = "cannot write to " + (database_->options().path / "db").string() + ": " +
           status.ToString() +
           (status.IsNoSpace() ? "; free space on its file system, writing goes on by itself" : "");
}

void StoreImpl::note_well() {
  well_ = true;
  queue_.set_well(true);
  const std::lock_guard lock(error_mutex_);
  error_.clear();
}

}  // namespace

std::unique_ptr<Store> Store::open(const StoreOptions& options, std::string& error) {
  std::unique_ptr<Database> database = Database::open(options, error);
  if (!database) return nullptr;
  return std::make_unique<StoreImpl>(std::move(database), options);
}

}  // namespace lapwing::rib
