#include "collector/replay.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "collector/apart.h"
#include "collector/engine_thread.h"
#include "collector/mrt_source.h"
#include "collector/progress.h"
#include "collector/queues.h"
#include "collector/setup.h"
#include "lapwing/large_allocator.h"
#include "rib/engine.h"
#include "sinks/event_json.h"

namespace lapwing::collector {

namespace {

/// Records on their way to the engine's thread: enough that neither thread waits for the other, and so
/// few that their memory is used again while the caches still hold it.
constexpr std::size_t kMaxDecodedOctets = 512u << 10;

/// Prints events, in order, on the thread that also decodes: with a third one at work the engine's
/// would share its processor where there are two. Nothing is stored: a commit is as durable as it will
/// ever be when it arrives.
/// Thread: main, but for the members of CommitSink (engine), and `wake` (any).
class Printer final : public rib::CommitSink {
 public:
  Printer(std::optional<Timestamp> from, Progress& progress, Apart& apart)
      : from_(from), progress_(progress), apart_(apart), terminal_(::isatty(STDOUT_FILENO) != 0) {}

  void submit(rib::Commit&& commit) override {
    last_ = commit.sequence;
    apart_.here(Apart::kEngine);
    if (commit.events.empty()) return;
    bool enough = false;
    {
      std::unique_lock lock(mutex_);
      room_.wait(lock, [this] { return waiting_.size() < kMaxWaiting; });
      waiting_.push_back(std::move(commit.events));
      enough = waiting_.size() >= enough_;
    }
    if (enough) work_.notify_one();
  }
  std::vector<Event> spent() override {
    const std::lock_guard lock(mutex_);
    if (printed_.empty()) return {};
    std::vector<Event> events = std::move(printed_.back());
    printed_.pop_back();
    return events;
  }
  std::uint64_t durable_sequence() const override { return last_; }

  /// Ends `print_until_woken`.
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
    }
    work_.notify_one();
  }
  /// Prints what comes until `wake` was called, and what had come before that.
  void print_until_woken() {
    for (bool more = true; more;) {
      {
        std::unique_lock lock(mutex_);
        const auto ready = [this] { return woken_ || waiting_.size() >= enough_; };
        if (!ready()) {
          lock.unlock();
          apart_.begin_wait(Apart::kDecoder);  // takes some time where it moves
          lock.lock();
          work_.wait(lock, ready);
          lock.unlock();
          apart_.end_wait(Apart::kDecoder);
          lock.lock();
        }
        more = !std::exchange(woken_, false);
      }
      print_waiting();
    }
  }
  void print_waiting() {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) return;
      taken_.swap(waiting_);
    }
    room_.notify_one();
    for (std::vector<Event>& events : taken_) {
      print(events);
      for (Event& event : events) event.clear();  // while they are at hand
    }
    const std::lock_guard lock(mutex_);
    std::move(taken_.begin(), taken_.end(), std::back_inserter(printed_));
    taken_.clear();
  }
  void flush() {
    if (terminal_) progress_.clear();
    failed_ |= std::fwrite(text_.data(), 1, text_.size(), stdout) != text_.size();
    failed_ |= std::fflush(stdout) != 0;
    text_.clear();
  }

  bool failed() const { return failed_; }
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }
  /// Events before the time from which on they are printed.
  std::uint64_t before() const { return before_; }

 private:
  static constexpr std::size_t kFlushAt = 1 << 16;
  static constexpr std::size_t kMaxWaiting = 64;

  void print(const std::vector<Event>& events) {
    for (const Event& event : events) {
      if (from_ && event.time < *from_) {
        ++before_;
        continue;
      }
      ++counts_[event.type];
      sinks::append_event_json(text_, event);
      text_ += '\n';
      if (text_.size() >= kFlushAt) flush();
    }
    if (terminal_ && !text_.empty()) flush();
  }

  const std::optional<Timestamp> from_;
  Progress& progress_;
  Apart& apart_;
  const bool terminal_;
  /// Commits for which the engine wakes the thread that prints: that costs it some time. A person
  /// waits for each.
  const std::size_t enough_ = terminal_ ? 1 : 16;
  std::uint64_t last_ = 0;  // engine thread
  // Main thread.
  std::string text_;
  std::map<std::string, std::uint64_t> counts_;
  std::uint64_t before_ = 0;
  bool failed_ = false;
  std::vector<std::vector<Event>> taken_;  // a commit's events each

  std::mutex mutex_;
  std::condition_variable work_, room_;
  // Guarded by mutex_. What has been printed goes back to the engine.
  std::vector<std::vector<Event>> waiting_, printed_;
  bool woken_ = false;
};

/// As the speaker names them: a neighbour from a range by the range and its address.
MrtPeers::NameOf names_of(const Config& config) {
  return [neighbors = config.neighbors](const IpAddress& address) -> std::optional<std::string> {
    const bgp::NeighborConfig* range = nullptr;
    const Prefix host{address, static_cast<std::uint8_t>(Prefix{address, 0}.max_length())};
    for (const bgp::NeighborConfig& neighbor : neighbors) {
      if (!neighbor.range && neighbor.address == address) return neighbor.name;
      if (neighbor.range && neighbor.range->contains(host) &&
          (range == nullptr || neighbor.range->length > range->range->length))
        range = &neighbor;
    }
    if (range == nullptr) return std::nullopt;
    return range->name + '-' + format_address(address);
  };
}

/// How much of all files has been read; files that are done count whole.
class ReadCount {
 public:
  explicit ReadCount(const std::vector<std::string>& files) {
    for (const std::string& file : files) {
      std::error_code failed;
      const auto size = std::filesystem::file_size(file, failed);
      known_ = known_ && !failed;
      total_ += failed ? 0 : size;
    }
  }
  std::uint64_t total() const { return known_ ? total_ : 0; }
  std::uint64_t note(const std::string& file, std::uint64_t consumed) {
    std::uint64_t& seen = seen_[file];
    done_ += consumed > seen ? consumed - seen : 0;
    seen = consumed;
    return done_;
  }

 private:
  bool known_ = true;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
  std::map<std::string, std::uint64_t> seen_;
};

/// Prints while the engine is behind.
void push_printing(RecordQueue& queue, bgp::RecordBatch& batch, Printer& printer) {
  while (!queue.try_push(batch)) {
    queue.when_room([&printer] { printer.wake(); });
    printer.print_until_woken();
  }
  printer.print_waiting();
}

/// suppressed=12 "core upgrade"=10 "storm-limit"=2; nothing where no rule did anything.
void print_suppressed(rib::Engine& engine) {
  const boost::json::value answer = boost::json::parse(*engine.query("suppressed", ""));
  std::int64_t total = 0;
  std::string by_rule;
  for (const boost::json::value& rule : answer.at("rules").as_array()) {
    if (rule.at("count").as_int64() == 0) continue;
    total += rule.at("count").as_int64();
    by_rule += fmt::format(" {}={}", boost::json::serialize(rule.at("rule")),
                           rule.at("count").as_int64());
  }
  if (total != 0) fmt::print(stderr, "suppressed={}{}\n", total, by_rule);
}

void print_summary(const MrtStatistics& s, rib::Engine& engine, const Printer& printer) {
  const rib::EngineCounters& c = engine.counters();
  for (const MrtWarning& warning : s.warnings)
    fmt::print(stderr, "{}: offset {}: warning: {}\n", warning.file, warning.offset,
               warning.reason);
  if (s.warning_count > s.warnings.size())
    fmt::print(stderr, "{} more warnings\n", s.warning_count - s.warnings.size());
  fmt::print(stderr, "files={} octets={} records={} malformed={}\n", s.files, s.octets, s.records,
             s.malformed);
  if (s.first_time)
    fmt::print(stderr, "from={} to={}\n", format_rfc3339(*s.first_time),
               format_rfc3339(*s.last_time));
  if (s.after_end != 0) fmt::print(stderr, "after_end={}\n", s.after_end);
  if (s.lost != 0) fmt::print(stderr, "lost_in_recording={}\n", s.lost);
  for (const auto& [kind, count] : s.skipped)
    fmt::print(stderr, "skipped: type={} subtype={} records={}\n", kind.first, kind.second, count);
  fmt::print(stderr, "table_prefixes={} table_entries={}\n", s.prefixes, s.table_entries);
  fmt::print(stderr, "updates={} announcements={} withdrawals={} end_of_rib={}\n", s.updates,
             s.announcements, s.withdrawals, s.end_of_ribs);
  fmt::print(stderr, "treated_as_withdraw={} attributes_discarded={}\n", s.treated_as_withdraw,
             s.attributes_discarded);
  fmt::print(stderr, "peers={} prefixes={} routes={} paths={} changes={} duplicates={}\n",
             engine.peer_names().size(), engine.distinct_prefixes(), c.routes.load(), c.paths.load(),
             c.changes.load(), c.duplicates.load());
  fmt::print(stderr, "events={}", c.events.load());
  for (const auto& [type, count] : printer.counts()) fmt::print(stderr, " {}={}", type, count);
  if (printer.before() != 0) fmt::print(stderr, " before_start={}", printer.before());
  fmt::print(stderr, "\n");
  print_suppressed(engine);
}

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// A replay takes and gives back the same memory for each batch, on two threads, and ends soon:
/// what is freed stays with the process, in one arena, whose beginning is of huge pages: one
/// of them costs a seventh of the faults of as many small ones (docs/PERFORMANCE.md).
void keep_freed_memory() {
  constexpr int kTopPad = 4 << 20, kTrimThreshold = 256 << 20, kMmapThreshold = 32 << 20;
  constexpr std::size_t kBeginning = 31 << 20;  // less than kMmapThreshold: of the arena
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_TOP_PAD, kTopPad);
  mallopt(M_TRIM_THRESHOLD, kTrimThreshold);
  mallopt(M_MMAP_THRESHOLD, kMmapThreshold);
  void* const beginning = std::malloc(kBeginning);
  void* aligned = beginning;
  std::size_t left = kBeginning;
  if (beginning != nullptr && std::align(kHugePage, kHugePage, aligned, left) != nullptr)
    ::madvise(aligned, left / kHugePage * kHugePage, MADV_HUGEPAGE);
  std::free(beginning);
}

/// Decodes and prints on the thread that calls `run`, with the engine on another.
class Replay {
 public:
  Replay(const Config& config, const ReplayOptions& options,
         std::vector<std::unique_ptr<Detector>> detectors)
      : files_(options.files),
        read_(options.files),
        progress_(read_.total()),
        printer_(options.from, progress_, apart_),
        engine_(engine_options(config, true), printer_),
        source_([this](bgp::RecordBatch& batch) { push_printing(queue_, batch, printer_); },
                source_options(config, options)) {
    for (auto& detector : detectors) engine_.add_detector(std::move(detector));
  }

  /// False: a file cannot be opened, or the events not be written.
  bool run() {
    engine_.end_restore();
    apart_.here(Apart::kDecoder);
    EngineThread thread(engine_, queue_);
    thread.start([this] {
      engine_.finish();
      printer_.wake();
    });
    const bool opened = source_.read_files(files_);
    source_.finish();
    queue_.close();
    printer_.print_until_woken();
    printer_.flush();
    thread.stop();
    progress_.clear();
    print_summary(source_.statistics(), engine_, printer_);
    if (printer_.failed()) fmt::print(stderr, "standard output: cannot be written\n");
    return opened && !printer_.failed();
  }

 private:
  MrtOptions source_options(const Config& config, const ReplayOptions& options) {
    MrtOptions source;
    source.name_of = names_of(config);
    source.merge = options.merge;
    source.to = options.to;
    source.on_progress = [this](const std::string& file, std::uint64_t consumed) {
      progress_.show(read_.note(file, consumed), file);
    };
    return source;
  }

  const std::vector<std::string> files_;
  ReadCount read_;
  Progress progress_;
  Apart apart_;
  Printer printer_;
  rib::Engine engine_;
  RecordQueue queue_{
      kMaxDecodedOctets,
      {[this] { apart_.begin_wait(Apart::kEngine); }, [this] { apart_.end_wait(Apart::kEngine); }}};
  MrtSource source_;
};

/// The end of the process gives all memory back at once; taking tables apart first is a tenth of a
/// short replay.
void keep_until_exit(std::unique_ptr<Replay> replay) {
  static std::atomic<const Replay*> kept;
  kept = replay.release();
}

}  // namespace

int replay(const std::optional<Config>& given, const ReplayOptions& options) {
  keep_freed_memory();
  std::vector<Diagnostic> diagnostics;
  std::optional<Config> config = given;
  if (!config) {
    LoadOptions load;
    load.live = false;
    config = parse_config("", "defaults", diagnostics, load);
  }
  append(config->watch.prefixes, options.watch.prefixes);
  append(config->watch.origins, options.watch.origins);
  append(config->watch.ases, options.watch.ases);
  auto detectors = make_detectors(*config, diagnostics);
  for (const Diagnostic& diagnostic : diagnostics)
    fmt::print(stderr, "{}\n", format_diagnostic(diagnostic));
  if (has_errors(diagnostics)) return 1;
  auto replay = std::make_unique<Replay>(*config, options, std::move(detectors));
  const bool good = replay->run();
  // A plugin is told of its end.
  if (!has_plugins(*config)) keep_until_exit(std::move(replay));
  return good ? 0 : 1;
}

}  // namespace lapwing::collector
