#include "rib/store_database.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <mutex>
#include <thread>

#include "rib/store_codec.h"
#include "rib/store_keys.h"
#include "rib/store_logger.h"

namespace lapwing::rib {

namespace {

constexpr std::uint64_t kFormatMajor = 1;
// Each group with many routes is one more table; so many are merged at once while there is much to do.
constexpr int kRouteTables = 24;

constexpr const char* kWayOut =
    "; `lapwing db check` says where; restore it from a backup, or move it away: routes are learnt "
    "again, events and knowledge in it are not";

// Nothing where the file system refuses: a permission, or a disk that fails, is not mended so. A file
// that is not there is damage.
const char* way_out(const rocksdb::Status& status) {
  return status.IsIOError() && !status.IsPathNotFound() ? "" : kWayOut;
}

// Of a reader beside a writer that merges files: 20, 40 … 640 ms.
constexpr int kFurtherTries = 6;
constexpr std::chrono::milliseconds kFirstWait{20};
constexpr std::string_view kNoFile = "No such file";

// RocksDB calls a missing table file damage of the list that names it.
bool is_missing_file(const rocksdb::Status& status) {
  return status.IsPathNotFound() ||
         (status.IsCorruption() && status.ToString().find(kNoFile) != std::string::npos);
}

constexpr std::array<std::string_view, kCfCount> kCfNames = {
    "default", "peers", "routes", "paths", "state", "history", "events", "cursors", "blind"};

class HistoryFilter : public rocksdb::CompactionFilter {
 public:
  explicit HistoryFilter(std::uint64_t from) : first_hour_(history_hour(from)) {}
  const char* Name() const override { return "lapwing.history"; }
  Decision FilterV2(int, const rocksdb::Slice& key, ValueType, const rocksdb::Slice&, std::string*,
                    std::string*) const override {
    const bool old = key.size() >= 4 &&
                     read_u32(reinterpret_cast<const std::uint8_t*>(key.data())) < first_hour_;
    return old ? Decision::kRemove : Decision::kKeep;
  }

 private:
  const std::uint32_t first_hour_;
};

// RocksDB 7.8 is not to recover by itself: while it does so beside us, ingestion can trip an
// assertion of it. After a failure the database is always opened again.
class NoAutoRecovery : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// Writes, syncs and removes a file of twice the log and 1 MiB: only a write tells of quotas.
rocksdb::Status probe_room(rocksdb::Env& env, const std::filesystem::path& path) {
  std::error_code failed;
  std::uintmax_t needed = 1u << 20;
  for (const auto& file : std::filesystem::directory_iterator(path / "db", failed)) {
    std::error_code vanished;
    const std::uintmax_t size = file.path().extension() == ".log" ? file.file_size(vanished) : 0;
    if (!vanished) needed += 2 * size;
  }
  const std::string name = (path / "ingest" / "probe").string();
  std::unique_ptr<rocksdb::WritableFile> file;
  rocksdb::Status status = env.NewWritableFile(name, &file, rocksdb::EnvOptions());
  const std::string block(64u << 10, 'x');
  for (std::uintmax_t n = 0; status.ok() && n < needed; n += block.size())
    status = file->Append(slice(block));
  if (status.ok()) status = file->Sync();
  if (file) {
    const rocksdb::Status closed = file->Close();
    if (status.ok()) status = closed;
  }
  env.DeleteFile(name).PermitUncheckedError();
  return status;
}

// What RocksDB may have made before its first CURRENT, when the first start was cut short.
bool is_begun_database(const std::filesystem::path& db) {
  std::error_code failed;
  for (const auto& file : std::filesystem::directory_iterator(db, failed)) {
    const std::string name = file.path().filename().string();
    if (name != "LOCK" && name != "IDENTITY" && name != "MANIFEST-000001" &&
        file.path().extension() != ".dbtmp")
      return false;
  }
  return !failed;
}

}  // namespace

class Database::HistoryFilterFactory : public rocksdb::CompactionFilterFactory {
 public:
  const char* Name() const override { return "lapwing.history"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<HistoryFilter>(from_.load(std::memory_order_relaxed));
  }
  void keep_from(std::uint64_t micros) { from_.store(micros, std::memory_order_relaxed); }
  std::uint64_t from() const { return from_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> from_{0};
};

Database::Database(const StoreOptions& options)
    : options_(options), history_filter_(std::make_shared<HistoryFilterFactory>()) {
  rocksdb::LRUCacheOptions cache;
  cache.capacity = options_.cache_bytes;
  cache.num_shard_bits = 2;
  cache_ = rocksdb::NewLRUCache(cache);
  if (options_.env != nullptr) db_options_.env = options_.env;
  db_options_.create_if_missing = true;
  db_options_.create_missing_column_families = true;
  db_options_.info_log = std::make_shared<StoreLogger>(options_.on_warning);
  db_options_.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(options_.write_buffer_bytes);
  db_options_.max_background_jobs = 2;
  // Compaction can wait, sessions and detectors cannot.
  db_options_.env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW, rocksdb::CpuPriority::kLow)
      .PermitUncheckedError();
  db_options_.listeners.push_back(std::make_shared<NoAutoRecovery>());
  db_options_.max_bgerror_resume_count = 0;
  db_options_.max_total_wal_size = 4 * options_.write_buffer_bytes;
  db_options_.max_open_files = 512;
  db_options_.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db_options_.avoid_flush_during_recovery = false;
  // Ingested files carry none: RocksDB would warn of each.
  db_options_.verify_sst_unique_id_in_manifest = false;
  db_options_.stats_dump_period_sec = 0;
  db_options_.stats_persist_period_sec = 0;
  db_options_.enable_pipelined_write = false;
  db_options_.bytes_per_sync = 1u << 20;
  db_options_.keep_log_file_num = 1;
}

Database::~Database() {
  close_db();
  if (marker_ >= 0) ::close(marker_);
}

rocksdb::ColumnFamilyOptions Database::cf_options(Cf cf) const {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache_;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.block_size = 16u << 10;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  if (cf == Cf::kPaths || cf == Cf::kEvents)
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Every new event asks all tables whether its id is known.
  if (cf == Cf::kEvents) table.cache_index_and_filter_blocks = false;

  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = options_.write_buffer_bytes;
  options.arena_block_size = 64u << 10;
  options.max_write_buffer_number = 3;
  // Tables of large groups overlap each other entirely: merging more of them at once costs less.
  options.level0_file_num_compaction_trigger = 12;
  options.level0_slowdown_writes_trigger = 256;
  options.level0_stop_writes_trigger = 512;
  options.target_file_size_base = 32u << 20;
  options.compression = rocksdb::kNoCompression;
  if (cf == Cf::kHistory || cf == Cf::kEvents) options.compression = rocksdb::kLZ4Compression;
  if (cf == Cf::kRoutes) options.level0_file_num_compaction_trigger = kRouteTables;
  if (cf == Cf::kHistory) {
    // Hours hardly overlap and are seldom read: sorting them again is not worth much time.
    options.level0_file_num_compaction_trigger = 24;
    options.compaction_filter_factory = history_filter_;
  }
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

rocksdb::Options Database::table_options(Cf cf) const { return {db_options_, cf_options(cf)}; }

void Database::warn(std::string_view text) const {
  if (options_.on_warning) options_.on_warning(text);
}

// Returns a sentence where the directories cannot be used.
std::string Database::prepare_directories() {
  const std::filesystem::path& path = options_.path;
  const std::filesystem::path db = path / "db";
  std::error_code failed;
  if (std::filesystem::exists(db, failed) && !std::filesystem::exists(db / "CURRENT", failed) &&
      !is_begun_database(db))
    return db.string() +
           " holds files that are no database of Lapwing; name another directory as "
           "storage path, or move them away";
  for (const auto& directory : {path, db, ingest_path(), path / "history"}) {
    const bool is_new = std::filesystem::create_directories(directory, failed);
    // What is written into it is durable only where its name is.
    if (is_new) sync_directory(*db_options_.env, directory.parent_path()).PermitUncheckedError();
    if (failed)
      return "cannot create " + directory.string() + ": " + failed.message() +
             "; create it and give it to the user that runs Lapwing";
  }
  for (const auto& left : std::filesystem::directory_iterator(ingest_path(), failed))
    std::filesystem::remove(left.path(), failed);
  const std::filesystem::path marker = path / "synced";
  marker_ = ::open(marker.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (marker_ < 0) return "cannot open " + marker.string() + ": " + std::strerror(errno);
  return {};
}

rocksdb::Status Database::open_db(bool read_only) {
  const std::string path = (options_.path / "db").string();
  std::vector<std::string> names;
  rocksdb::Status status = rocksdb::DB::ListColumnFamilies(db_options_, path, &names);
  if (!status.ok()) names.clear();
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (std::size_t i = 0; i < kCfCount; ++i)
    wanted.emplace_back(std::string(kCfNames[i]), cf_options(static_cast<Cf>(i)));
  // RocksDB opens all families or none: one that a later minor version has added is kept as it is.
  for (const std::string& name : names)
    if (std::find(kCfNames.begin(), kCfNames.end(), name) == kCfNames.end())
      wanted.emplace_back(name, cf_options(Cf::kMeta));
  rocksdb::DB* db = nullptr;
  status = read_only
               ? rocksdb::DB::OpenForReadOnly(db_options_, path, wanted, &all_handles_, &db)
               : rocksdb::DB::Open(db_options_, path, wanted, &all_handles_, &db);
  if (!status.ok()) return status;
  db_.reset(db);
  std::copy_n(all_handles_.begin(), kCfCount, handles_.begin());
  return status;
}

void Database::close_db() {
  if (!db_) return;
  for (rocksdb::ColumnFamilyHandle* handle : all_handles_) db_->DestroyColumnFamilyHandle(handle);
  all_handles_.clear();
  handles_.fill(nullptr);
  db_->Close().PermitUncheckedError();
  db_.reset();
}

rocksdb::Status Database::get(Cf cf, std::string_view key, std::string& value) const {
  return db_->Get(rocksdb::ReadOptions(), handle(cf), slice(key), &value);
}

std::uint64_t Database::meta_number(std::string_view key, std::uint64_t fallback,
                                    const rocksdb::ReadOptions& options) const {
  std::string value;
  std::uint64_t number = 0;
  const bool found = db_->Get(options, handle(Cf::kMeta), slice(key), &value).ok();
  return found && read_number(value, number) ? number : fallback;
}

// Opening creates families that are missing: first look whether the directory is ours. A crash in
// the first start may have left some of our families and no format.
std::string Database::check_owner() const {
  const std::string path = (options_.path / "db").string();
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(db_options_, path, &names).ok()) return {};
  const auto has = [&names](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (std::all_of(kCfNames.begin(), kCfNames.end(), has)) return {};
  const bool foreign = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return std::find(kCfNames.begin(), kCfNames.end(), name) == kCfNames.end();
  });
  bool has_data = false;
  rocksdb::DB* raw = nullptr;
  if (!foreign && rocksdb::DB::OpenForReadOnly(table_options(Cf::kMeta), path, &raw).ok()) {
    const std::unique_ptr<rocksdb::DB> db(raw);
    const std::unique_ptr<rocksdb::Iterator> any(db->NewIterator(rocksdb::ReadOptions()));
    any->SeekToFirst();
    has_data = any->Valid();
  }
  if (!foreign && !has_data) return {};
  return path + " is a RocksDB database of another program; name another directory as storage path";
}

// Returns a sentence where the format is not ours to read.
std::string Database::check_format(bool read_only) {
  const std::string path = (options_.path / "db").string();
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), handle(Cf::kMeta), slice(meta_key::kFormat), &value);
  if (status.IsNotFound() && read_only) return path + " holds no stored tables";
  if (status.IsNotFound()) {
    rocksdb::WriteOptions write;
    write.sync = true;
    const rocksdb::Status put =
        db_->Put(write, handle(Cf::kMeta), slice(meta_key::kFormat), std::to_string(kFormatMajor));
    return put.ok() ? std::string() : "cannot write to " + path + ": " + put.ToString();
  }
  if (!status.ok()) return "cannot read " + path + ": " + status.ToString() + way_out(status);
  std::uint64_t major = 0;
  const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), major);
  if (bad != std::errc{} || end != value.data() + value.size() || major == 0)
    return path +
           " has no readable format version" + kWayOut;
  if (major > kFormatMajor)
    return path + " was written in format " + value + " by a newer Lapwing, this one reads up to " +
           std::to_string(kFormatMajor) + "; install the newer version, or name another directory";
  return {};
}

std::optional<std::uint64_t> Database::synced_group(const std::filesystem::path& path) {
  const int marker = ::open((path / "synced").c_str(), O_RDONLY | O_CLOEXEC);
  if (marker < 0) return std::nullopt;
  char octets[12];
  const ssize_t size = ::pread(marker, octets, sizeof octets, 0);
  ::close(marker);
  if (size != sizeof octets) return std::nullopt;
  const std::uint32_t sum = read_u32(reinterpret_cast<const std::uint8_t*>(octets) + 8);
  return sum == crc32c({octets, 8}) ? std::optional(read_be64(octets)) : std::nullopt;
}

// The sentence says what is missing of what had been acknowledged.
std::string Database::read_marker() {
  const std::uint64_t synced = synced_group(options_.path).value_or(0);
  const std::uint64_t found = meta_number(meta_key::kGroup, 0);
  if (found >= synced) return {};
  return "the write-ahead log in " + (options_.path / "db").string() + " is damaged: writes " +
         std::to_string(found + 1) + " to " + std::to_string(synced) +
         " had been acknowledged as synced and are missing; events and knowledge of that time are "
         "lost, routes are learnt again; `lapwing db check` looks for further damage";
}

void Database::mark_synced(std::uint64_t group) {
  char octets[12];
  char* const sum = write_be64(octets, group);
  write_be32(sum, crc32c({octets, 8}));
  // The marker only helps to tell a loss; it must not become one more way to fail.
  [[maybe_unused]] const auto ignored = ::pwrite(marker_, octets, sizeof octets, 0);
}

std::unique_ptr<Database> Database::open(const StoreOptions& options, std::string& error) {
  std::unique_ptr<Database> database(new Database(options));
  error = database->prepare_directories();
  if (!error.empty()) return nullptr;
  error = database->check_owner();
  if (!error.empty()) return nullptr;
  const rocksdb::Status status = database->open_db(false);
  if (!status.ok()) {
    const std::string path = (options.path / "db").string();
    const std::string cause = status.ToString();
    // "block checksum mismatch" is a Corruption.
    if (status.IsIOError() && cause.find("lock") != std::string::npos)
      error = path + " is in use by another process; stop that Lapwing first (" + cause + ")";
    else if (status.IsNoSpace())
      error = "no space left to open " + path + "; free some on its file system (" + cause + ")";
    else if (status.IsCorruption())
      error = path + " is damaged (" + cause + ")" + kWayOut;
    else
      error = "cannot open " + path + ": " + cause + way_out(status);
    return nullptr;
  }
  error = database->check_format(false);
  if (!error.empty()) return nullptr;
  const rocksdb::Status history = database->open_history();
  if (!history.ok()) {
    error = "cannot read the history in " + (options.path / "history").string() + ": " +
            history.ToString() + way_out(history);
    return nullptr;
  }
  database->recovery_report_ = database->read_marker();
  if (!database->recovery_report_.empty()) database->warn(database->recovery_report_);
  return database;
}

std::unique_ptr<Database> Database::open_read_only(const StoreOptions& options, std::string& error,
                                                   rocksdb::WALRecoveryMode mode) {
  std::unique_ptr<Database> database(new Database(options));
  const std::string path = (options.path / "db").string();
  std::error_code failed;
  if (!std::filesystem::exists(options.path / "db" / "CURRENT", failed)) {
    error = path + " is no database of Lapwing" + (failed ? ": " + failed.message() : "");
    return nullptr;
  }
  // All files stay open: the other process may delete them at any time.
  database->db_options_.max_open_files = -1;
  database->db_options_.wal_recovery_mode = mode;
  rocksdb::Status status = database->open_db(true);
  for (int i = 0; i < kFurtherTries && !status.ok(); ++i) {
    // Between reading the list of files and opening them, one may have gone.
    if (is_missing_file(status))
      std::this_thread::sleep_for(kFirstWait * (1 << i));
    else if (!status.IsIOError() && !status.IsCorruption())
      break;
    status = database->open_db(true);
  }
  if (!status.ok()) {
    error = "cannot open " + path + ": " + status.ToString();
    if (is_missing_file(status))
      error +=
          "; a running Lapwing may be merging its files: try again. If none runs, the "
          "database is damaged: restore it from a backup, or move it away";
    return nullptr;
  }
  error = database->check_format(true);
  if (!error.empty()) return nullptr;
  return database;
}

std::unique_ptr<Database> Database::open_to_check(const StoreOptions& options,
                                                  std::string& error) {
  auto database = open_read_only(options, error, rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords);
  // A file that is missing has nothing to do with the log.
  if (database || error.find(kNoFile) != std::string::npos) return database;
  std::string cause;
  database = open_read_only(options, cause);
  if (database) error = "the write-ahead log is damaged: " + error;
  return database;
}

void Database::tidy(bool eagerly) {
  if (eagerly == tidy_ || db_ == nullptr) return;
  tidy_ = eagerly;
  const int tables = eagerly ? 2 : kRouteTables;
  db_->SetOptions(handle(Cf::kRoutes),
                  {{"level0_file_num_compaction_trigger", std::to_string(tables)}})
      .PermitUncheckedError();
}

bool Database::recover(std::string& error) {
  // Opening writes what the log holds to table files. Until there is room for that, the database
  // stays open for readers.
  const rocksdb::Status room = probe_room(*db_options_.env, options_.path);
  if (!room.ok()) {
    error = room.ToString();
    return false;
  }
  const std::unique_lock lock(mutex_);
  close_db();
  tidy_ = false;
  rocksdb::Status opened = open_db(false);
  if (opened.ok()) opened = open_history();
  if (!opened.ok()) close_db();  // never open without its history
  if (!opened.ok()) error = opened.ToString();
  return opened.ok();
}

rocksdb::Status Database::open_history() {
  history_filter_->keep_from(
      std::max(history_filter_->from(), meta_number(meta_key::kHistoryFrom, 0)));
  history_log_.reset();
  return HistoryLog::open(
      *db_options_.env, options_.path / "history", meta_number(meta_key::kHistoryRow, 0),
      [this](std::string_view text) { warn(text); }, history_log_);
}

std::uint64_t Database::history_from() const { return history_filter_->from(); }

void Database::keep_history_from(std::uint64_t micros) {
  const std::uint32_t before = history_hour(history_filter_->from());
  const std::uint32_t now = history_hour(micros);
  if (now <= before) return;
  history_filter_->keep_from(micros);
  history_log_->drop_before(micros);
  const std::string end = be32_key(now);
  const rocksdb::Slice limit = slice(end);
  const rocksdb::RangePtr old_rows(nullptr, &limit);
  rocksdb::DeleteFilesInRanges(db_.get(), handle(Cf::kHistory), &old_rows, 1, false)
      .PermitUncheckedError();
}

void Database::keep_history_within(std::uint64_t limit) {
  std::uint64_t tables = 0;
  db_->GetIntProperty(handle(Cf::kHistory), rocksdb::DB::Properties::kTotalSstFilesSize, &tables);
  if (tables + history_log_->bytes() <= limit) return;
  const std::uint64_t gone = history_log_->drop_beyond(limit > tables ? limit - tables : 0);
  if (gone != 0) return keep_history_from(gone + kMicrosPerHour);
  const std::unique_ptr<rocksdb::Iterator> oldest(
      db_->NewIterator(rocksdb::ReadOptions(), handle(Cf::kHistory)));
  oldest->Seek(slice(be32_key(history_hour(history_filter_->from()))));
  if (!oldest->Valid() || oldest->key().size() < 4) return;
  const std::uint64_t hour = read_u32(as_octets(view(oldest->key())).data());
  keep_history_from((hour + 1) * kMicrosPerHour);
}

}  // namespace lapwing::rib
