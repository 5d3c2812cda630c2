#include "collector/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bgp/mrt_encode.h"
#include "collector/log.h"
#include "lapwing/thread_name.h"

namespace lapwing::collector {

namespace {

namespace mrt = bgp::mrt;
using std::chrono::seconds;

constexpr seconds kFlush{1};     // a reader of the open file misses no more than this
constexpr std::chrono::milliseconds kIdle{200};
constexpr unsigned kMaxSameSecond = 1000;

/// Calls `fn` with each record; `records` are whole ones.
template <typename Fn>
void for_each_record(Octets records, Fn&& fn) {
  while (records.size() >= mrt::kHeaderSize) {
    const std::size_t size = mrt::kHeaderSize + mrt::read_header(records.data()).length;
    fn(records.first(size));
    records = records.subspan(size);
  }
}

std::uint64_t count_records(Octets records) {
  std::uint64_t n = 0;
  for_each_record(records, [&n](Octets) { ++n; });
  return n;
}

Timestamp wall_clock() {
  return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
}

std::int64_t period_of(Timestamp time, seconds every) {
  return std::chrono::floor<seconds>(time.time_since_epoch()).count() / every.count();
}

/// "20171001.090500" of "2017-10-01T09:05:00.000000Z".
std::string file_time(Timestamp time) {
  const std::string t = format_rfc3339(time);
  return t.substr(0, 4) + t.substr(5, 2) + t.substr(8, 2) + '.' + t.substr(11, 2) +
         t.substr(14, 2) + t.substr(17, 2);
}

}  // namespace

Recorder::Recorder(RecordConfig config, IpAddress router_id)
    : config_(std::move(config)), router_id_(router_id) {}

std::string Recorder::start() {
  std::error_code failed;
  std::filesystem::create_directories(config_.directory, failed);
  const std::filesystem::path probe = config_.directory / ".lapwing-probe";
  std::filesystem::remove(probe, failed);
  std::string error;
  if (!RecordFile::create(probe, false, error))
    return fmt::format("cannot write to {}: {}; create it and give it to the user that runs Lapwing",
                       config_.directory.string(), error);
  std::filesystem::remove(probe, failed);
  thread_ = std::thread([this] {
    name_thread("recorder");
    run();
  });
  return {};
}

void Recorder::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  thread_.join();
}

void Recorder::push(std::vector<std::uint8_t>&& records) {
  std::uint64_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    if (queued_ == 0 || queued_ + records.size() <= config_.queue_size) {
      queued_ += records.size();
      queue_.push_back({std::move(records), std::exchange(lost_, 0)});
      work_.notify_one();
      return;
    }
    lost = count_records(records);
    lost_ += lost;
  }
  counters_.lost += lost;
  log().error("record", "the disk is too slow: {} messages are not recorded, {} since the start",
              lost, counters_.lost.load());
}

// False: stopped, and nothing waits. `chunk` is empty where there was nothing for a while.
bool Recorder::take(Chunk& chunk) {
  std::unique_lock lock(mutex_);
  // What was written last counted as queued until now.
  queued_ -= chunk.records.size();
  chunk = {};
  work_.wait_for(lock, kIdle, [this] { return stop_ || !queue_.empty(); });
  if (queue_.empty()) return !stop_;
  chunk = std::move(queue_.front());
  queue_.pop_front();
  return true;
}

void Recorder::run() {
  Chunk chunk;
  auto flush_at = std::chrono::steady_clock::now() + kFlush;
  while (take(chunk)) {
    gap_ += chunk.lost_before;
    for_each_record(chunk.records, [this](Octets record) { write_record(record); });
    if (file_ && chunk.records.empty() &&
        period_of(wall_clock(), config_.rotate_every) > period_)
      close_file();
    const auto now = std::chrono::steady_clock::now();
    if (!file_ || unflushed_ == 0 || now < flush_at) continue;
    flush_at = now + kFlush;
    if (const std::string error = file_->flush(); !error.empty())
      fail(error);
    else
      unflushed_ = 0;
  }
  close_file();
}

void Recorder::write_record(Octets record) {
  const mrt::Header header = mrt::read_header(record.data());
  const Timestamp time{seconds(header.seconds)};
  const bool neighbor = header.type == mrt::type::kTableDumpV2 && note_neighbor(record);
  const bool full = file_ && file_->size() >= config_.rotate_size;
  if (full || (file_ && period_of(time, config_.rotate_every) > period_)) close_file();
  const bool begins = !file_;
  if (begins && !begin_file(time)) {
    ++counters_.lost;
    ++gap_;
    return;
  }
  if (gap_ != 0) {
    mrt::Mark mark;
    mark.kind = mrt::Mark::Kind::kGap;
    mark.lost = std::exchange(gap_, 0);
    std::vector<std::uint8_t> octets;
    mrt::append_mark(mark, time, router_id_, octets);
    put(octets);
    log().notice("record", "recording goes on after a gap of {} messages", mark.lost);
  }
  // A file begins with all neighbours, this one included.
  if (!neighbor || !begins) put(record);
}

// True where the record names a neighbour.
bool Recorder::note_neighbor(Octets record) {
  mrt::PeerIndexTable table;
  if (mrt::parse_peer_index_table(record.subspan(mrt::kHeaderSize), table)) return false;
  const auto mark = mrt::read_mark(table);
  if (!mark || mark->kind != mrt::Mark::Kind::kPeer) return false;
  const auto [at, added] = neighbor_at_.emplace(mark->text, neighbors_.size());
  if (added)
    neighbors_.emplace_back(record.begin(), record.end());
  else
    neighbors_[at->second].assign(record.begin(), record.end());
  return true;
}

void Recorder::put(Octets record) {
  if (!file_) return;
  ++unflushed_;
  if (const std::string error = file_->write(record); !error.empty()) return fail(error);
  ++counters_.records;
  counters_.octets += record.size();
}

bool Recorder::begin_file(Timestamp time) {
  const auto now = std::chrono::steady_clock::now();
  if (now < retry_at_) return false;
  std::string error = "too many files of one second";
  for (unsigned n = 0; n < kMaxSameSecond && !file_; ++n) {
    const std::string name = fmt::format("updates.{}{}.mrt{}", file_time(time),
                                         n == 0 ? std::string() : fmt::format("_{:03}", n),
                                         config_.gzip ? ".gz" : "");
    const std::filesystem::path path = config_.directory / name;
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) continue;
    file_ = RecordFile::create(path, config_.gzip, error);
    if (!file_) break;
  }
  if (!file_) {
    fail(error);
    return false;
  }
  ++counters_.files;
  period_ = period_of(time, config_.rotate_every);
  std::vector<std::uint8_t> head;
  if (!started_) mrt::append_mark({}, time, router_id_, head);
  for (const auto& neighbor : neighbors_) head.insert(head.end(), neighbor.begin(), neighbor.end());
  for_each_record(head, [this](Octets record) { put(record); });
  started_ = started_ || file_ != nullptr;
  return file_ != nullptr;
}

void Recorder::close_file() {
  if (!file_) return;
  if (const std::string error = file_->close(); !error.empty()) return fail(error);
  file_.reset();
  unflushed_ = 0;
}

// What was written since the last flush may not be in the file.
void Recorder::fail(const std::string& error) {
  counters_.lost += unflushed_;
  gap_ += std::exchange(unflushed_, 0);
  log().error("record", "cannot write to {}: {}; {} messages were not recorded; next try in {} s",
              file_ ? file_->path().string() : config_.directory.string(), error,
              counters_.lost.load(), config_.retry.count());
  file_.reset();
  retry_at_ = std::chrono::steady_clock::now() + config_.retry;
}

bool RecordingSink::try_push(bgp::RecordBatch& batch) {
  std::vector<std::uint8_t> recording = std::move(batch.recording);
  batch.recording.clear();
  if (!batch.records.empty() && !next_.try_push(batch)) {
    batch.recording = std::move(recording);
    return false;
  }
  if (!recording.empty()) recorder_.push(std::move(recording));
  return true;
}

}  // namespace lapwing::collector
