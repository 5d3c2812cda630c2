#include "rib/store_writer.h"

#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <memory>
#include <string>

#include "rib/store_codec.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

namespace {

// From here on, making table files costs less than as many puts.
constexpr std::size_t kTableEntries = 4096;

class BatchSink : public EntrySink {
 public:
  explicit BatchSink(const Database& database) : database_(database) {}
  void begin(Cf cf) override { handle_ = database_.handle(cf); }
  void put(std::string_view key, std::string_view value) override {
    note(batch.Put(handle_, slice(key), slice(value)));
  }
  void erase(std::string_view key) override { note(batch.Delete(handle_, slice(key))); }
  void erase_range(std::string_view from, std::string_view to) override {
    note(batch.DeleteRange(handle_, slice(from), slice(to)));
  }

  rocksdb::WriteBatch batch;
  rocksdb::Status status;

 private:
  void note(const rocksdb::Status& s) {
    if (status.ok()) status = s;
  }
  const Database& database_;
  rocksdb::ColumnFamilyHandle* handle_ = nullptr;
};

class TableSink : public EntrySink {
 public:
  TableSink(const Database& database, std::uint64_t& number)
      : database_(database), number_(number) {}
  // After ingestion RocksDB holds links of its own.
  ~TableSink() override {
    writer_.reset();
    std::error_code ignored;
    for (const auto& arg : args_)
      for (const std::string& file : arg.external_files) std::filesystem::remove(file, ignored);
  }

  void begin(Cf cf) override {
    finish();
    const rocksdb::Options options = database_.table_options(cf);
    rocksdb::ColumnFamilyHandle* handle = database_.handle(cf);
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(options), options,
                                                       handle, false);
    const std::string path =
        (database_.ingest_path() / (std::to_string(++number_) + ".sst")).string();
    rocksdb::IngestExternalFileArg& arg = args_.emplace_back();
    arg.column_family = handle;
    arg.external_files.push_back(path);
    arg.options.move_files = true;
    arg.options.write_global_seqno = false;
    arg.options.verify_file_checksum = false;
    note(writer_->Open(path));
  }
  void put(std::string_view key, std::string_view value) override {
    if (status.ok()) note(writer_->Put(slice(key), slice(value)));
  }
  void erase(std::string_view key) override {
    if (status.ok()) note(writer_->Delete(slice(key)));
  }
  void erase_range(std::string_view from, std::string_view to) override {
    if (status.ok()) note(writer_->DeleteRange(slice(from), slice(to)));
  }
  rocksdb::Status ingest() {
    finish();
    if (status.ok()) note(database_.db()->IngestExternalFiles(args_));
    return status;
  }

  rocksdb::Status status;

 private:
  void note(const rocksdb::Status& s) {
    if (status.ok()) status = s;
  }
  void finish() {
    if (writer_ && status.ok()) note(writer_->Finish());
    writer_.reset();
  }
  const Database& database_;
  std::uint64_t& number_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  std::vector<rocksdb::IngestExternalFileArg> args_;
};

void put_number(Group& group, std::string_view key, std::uint64_t number) {
  std::string value;
  append_varint(value, number);
  group.small(Cf::kMeta).push_back({std::string(key), std::move(value)});
}

}  // namespace

void StoreWriter::reload() {
  group_ = database_.meta_number(meta_key::kGroup, 0);
  history_row_ = database_.meta_number(meta_key::kHistoryRow, 0);
  history_from_ = database_.meta_number(meta_key::kHistoryFrom, 0);
  unsynced_ = true;
}

rocksdb::Status StoreWriter::write(const std::vector<Commit>& commits) {
  if (database_.db() == nullptr) return rocksdb::Status::IOError("the database is closed");
  Group group(commits, *dictionary_, database_.options().history_days != 0, history_row_);
  const std::uint64_t last_before = journal_.last();
  std::uint64_t last = 0;
  const rocksdb::Status admitted = journal_.admit(commits, group.small(Cf::kEvents), last);
  if (!admitted.ok()) return admitted;
  const bool has_event = last != last_before;
  put_number(group, meta_key::kGroup, group_ + 1);
  if (group.next_history_row() != history_row_)
    put_number(group, meta_key::kHistoryRow, group.next_history_row());
  const std::uint64_t history_from = database_.history_from();
  if (history_from != history_from_) put_number(group, meta_key::kHistoryFrom, history_from);
  if (has_event) {
    put_number(group, meta_key::kLastEvent, last);
    put_number(group, meta_key::kEventOctets, journal_.octets());
  }
  const std::vector<Entry> cursors = journal_.take_cursors();
  group.small(Cf::kCursors) = cursors;

  const bool large = group.entries() >= kTableEntries;
  rocksdb::Status status;
  if (group.history_is_large())
    status = database_.history_log().append(history_row_, group.history_blocks());
  const bool logged = group.history_is_large() && status.ok();
  if (status.ok())
    status = large ? ingest_tables(group)
                   : write_batch(group, has_event || database_.options().sync_interval.count() == 0);
  if (!status.ok()) {
    if (logged) database_.history_log().undo_append();
    journal_.return_cursors(cursors);
    return status;
  }
  ++group_;
  history_row_ = group.next_history_row();
  history_from_ = history_from;
  if (!unsynced_) database_.mark_synced(group_);
  journal_.published(last);
  keep_history(commits);
  return status;
}

rocksdb::Status StoreWriter::write_batch(Group& group, bool sync) {
  BatchSink sink(database_);
  group.emit(sink);
  if (!sink.status.ok()) return sink.status;
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = database_.db()->Write(options, &sink.batch);
  if (status.ok()) unsynced_ = !sync;
  return status;
}

rocksdb::Status StoreWriter::ingest_tables(Group& group) {
  TableSink sink(database_, table_);
  group.emit(sink);
  if (!sink.status.ok()) return sink.status;
  // What is durable must be a prefix in time: nothing before these tables may be less durable.
  if (unsynced_) {
    const rocksdb::Status status = sync();
    if (!status.ok()) return status;
  }
  return sink.ingest();
}

rocksdb::Status StoreWriter::write_cursors() {
  if (database_.db() == nullptr) return rocksdb::Status::IOError("the database is closed");
  const std::vector<Entry> cursors = journal_.take_cursors();
  if (cursors.empty()) return rocksdb::Status::OK();
  BatchSink sink(database_);
  sink.begin(Cf::kCursors);
  for (const Entry& entry : cursors) sink.put(entry.key, *entry.value);
  rocksdb::Status status = sink.status;
  if (status.ok()) status = database_.db()->Write(rocksdb::WriteOptions(), &sink.batch);
  if (status.ok())
    unsynced_ = true;
  else
    journal_.return_cursors(cursors);
  return status;
}

rocksdb::Status StoreWriter::sync() {
  if (database_.db() == nullptr) return rocksdb::Status::IOError("the database is closed");
  const rocksdb::Status status = database_.db()->SyncWAL();
  if (status.ok()) {
    unsynced_ = false;
    database_.mark_synced(group_);
  }
  return status;
}

void StoreWriter::keep_history(const std::vector<Commit>& commits) {
  const std::uint64_t days = database_.options().history_days;
  const std::uint64_t now = stored_micros(commits.back().alive_until);
  if (days != 0 && now > days * kMicrosPerDay)
    database_.keep_history_from(now - days * kMicrosPerDay);
  constexpr std::uint64_t kGroupsBetweenLooks = 64;
  const std::uint64_t limit = database_.options().history_bytes;
  if (limit != 0 && group_ % kGroupsBetweenLooks == 0) database_.keep_history_within(limit);
}

}  // namespace lapwing::rib
