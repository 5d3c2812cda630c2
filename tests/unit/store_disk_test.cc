#include <doctest/doctest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <sys/mount.h>

#include <atomic>
#include <fstream>

#include "rib/store_database.h"
#include "tests/unit/full_file_system.h"
#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

Commit one_route(std::uint64_t n, bool with_event) {
  Commit commit;
  commit.sequence = n;
  commit.base = from_unix_micros(static_cast<std::int64_t>(n));
  if (n == 1) commit.new_paths = {0};
  commit.routes = {{0, static_cast<PrefixId>(n % 1000), kNoPath, 0, 0}};
  if (with_event) commit.events = {make_event(n)};
  return commit;
}

void fill_dictionary(FakeDictionary& dictionary) {
  for (unsigned i = 0; i < 1000; ++i) {
    bgp::NlriKey key;
    key.afi = 1;
    key.safi = 1;
    key.length = 24;
    key.high = static_cast<std::uint64_t>(i << 8) << 32;
    dictionary.add(key);
  }
  dictionary.add_path(std::string(200, 'p'));
}

// Fills, writes into the full disk, makes room again, and looks for every event.
void survive(const std::filesystem::path& path, rocksdb::Env* env,
             const std::function<void(bool)>& set_full) {
  FakeDictionary dictionary;
  fill_dictionary(dictionary);
  StoreOptions options;
  options.path = path;
  options.env = env;
  options.max_pending_bytes = 64 << 10;
  std::string error;
  std::uint64_t n = 0;
  {
    auto store = Store::open(options, error);
    REQUIRE_MESSAGE(store, error);
    store->start(dictionary);
    for (; n < 50; ++n) store->submit(one_route(n + 1, n % 5 == 0));
    REQUIRE(wait_durable(*store, n));
    std::uint64_t events = 10;
    set_full(true);
    // What the log had reserved before may still be written.
    for (int i = 0; i < 2000 && store->error().empty(); ++i, ++events) {
      Commit commit = one_route(++n, true);
      commit.states.put("d", "k", std::string(20000, 'v'));
      store->submit(std::move(commit));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    CHECK(store->error().find(path.string()) != std::string::npos);
    CHECK(store->error_count() > 0);
    // Far more than the bound: submit must not block, events must not be dropped.
    for (int i = 0; i < 5000; ++i) {
      const bool with_event = ++n % 100 == 0;
      events += with_event ? 1 : 0;
      store->submit(one_route(n, with_event));
    }
    CHECK(store->pending() > 0);
    CHECK(store->journal().last() < events);
    set_full(false);
    REQUIRE_MESSAGE(wait_durable(*store, n), store->error());
    CHECK(store->error() == "");
    CHECK(store->pending() == 0);
    CHECK(store->journal().last() == events);
  }
  auto store = Store::open(options, error);
  REQUIRE_MESSAGE(store, error);
  const auto entries = store->journal().read_after(0, 10000);
  CHECK(entries.size() == store->journal().last());
  for (std::size_t i = 1; i < entries.size(); ++i)
    REQUIRE(entries[i - 1].event.time < entries[i].event.time);
  CHECK(load(*store).table.size() == 1000);
}

}  // namespace

TEST_CASE("store: a file system without space loses no event, writing goes on by itself") {
  const TempDir dir;
  const auto file_system = std::make_shared<FullFileSystem>();
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(file_system);
  survive(dir.path(), env.get(), [&](bool full) { file_system->full = full; });
}

TEST_CASE("store: a full disk (tmpfs) loses no event and does not end the process") {
  const TempDir dir;
  if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=64m") != 0) {
    MESSAGE("skipped: mounting a tmpfs needs root");
    return;
  }
  struct Unmount {
    const std::filesystem::path& path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } const unmount{dir.path()};
  const std::filesystem::path filler = dir.path() / "filler";
  survive(dir.path() / "store", nullptr, [&](bool full) {
    if (!full) {
      std::filesystem::remove(filler);
      return;
    }
    std::ofstream file(filler, std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), 4096).flush()) {
    }
  });
}

TEST_CASE("store: a newer format is refused, and the sentence says so") {
  const TempDir dir;
  open_store(dir.path()).reset();
  {
    rocksdb::DBOptions options;
    std::vector<std::string> names;
    const std::string path = (dir.path() / "db").string();
    REQUIRE(rocksdb::DB::ListColumnFamilies(options, path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    REQUIRE(rocksdb::DB::Open(options, path, families, &handles, &db).ok());
    REQUIRE(db->Put(rocksdb::WriteOptions(), "format", "2").ok());
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
  }
  StoreOptions options;
  options.path = dir.path();
  std::string error;
  CHECK_FALSE(Store::open(options, error));
  CHECK(error.find("format 2") != std::string::npos);
  CHECK(error.find("newer") != std::string::npos);
}

TEST_CASE("store: a directory of others is refused and left alone") {
  const TempDir dir;
  const std::filesystem::path db = dir.path() / "db";
  std::filesystem::create_directories(db);
  std::ofstream(db / "letters.txt") << "mine";
  StoreOptions options;
  options.path = dir.path();
  std::string error;
  CHECK_FALSE(Store::open(options, error));
  CHECK(error.find("no database of Lapwing") != std::string::npos);
  std::filesystem::remove(db / "letters.txt");

  rocksdb::Options foreign;
  foreign.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  REQUIRE(rocksdb::DB::Open(foreign, db.string(), &raw).ok());
  REQUIRE(raw->Put(rocksdb::WriteOptions(), "theirs", "1").ok());
  delete raw;
  CHECK_FALSE(Store::open(options, error));
  CHECK(error.find("another program") != std::string::npos);
  std::vector<std::string> names;
  REQUIRE(rocksdb::DB::ListColumnFamilies(foreign, db.string(), &names).ok());
  CHECK(names.size() == 1);
}

TEST_CASE("store: a first start that was cut short is no foreign directory") {
  const TempDir dir;
  const std::filesystem::path db = dir.path() / "db";
  std::filesystem::create_directories(db);
  for (const char* name : {"LOCK", "IDENTITY", "MANIFEST-000001", "000001.dbtmp"})
    std::ofstream(db / name) << "cut";
  CHECK(open_store(dir.path()));
}

/// A table file is missing at the next `tries` openings of a database that has one: RocksDB looks
/// for it by its old name last.
class MergingFileSystem : public rocksdb::FileSystemWrapper {
 public:
  MergingFileSystem() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "merging"; }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* context) override {
    if (tries == 0 || !(name.ends_with(".sst") || name.ends_with(".ldb")))
      return FileSystemWrapper::NewRandomAccessFile(name, options, file, context);
    if (name.ends_with(".ldb")) --tries;
    return rocksdb::IOStatus::PathNotFound("No such file or directory", name);
  }
  std::atomic<int> tries{0};
};

TEST_CASE("store: a reader waits for a writer that merges a table file away, but not for ever") {
  const TempDir dir;
  open_store(dir.path()).reset();
  open_store(dir.path()).reset();  // what the log held is a table file now
  const auto files = std::make_shared<MergingFileSystem>();
  const auto env = rocksdb::NewCompositeEnv(files);
  StoreOptions options;
  options.path = dir.path();
  options.env = env.get();
  std::string error;
  files->tries = 5;
  CHECK_MESSAGE(Database::open_read_only(options, error), error);
  CHECK(files->tries == 0);
  files->tries = 5;
  CHECK_MESSAGE(Database::open_to_check(options, error), error);
  CHECK(error.empty());
  files->tries = 1000;
  CHECK_FALSE(Database::open_read_only(options, error));
  CHECK(error.find("try again") != std::string::npos);
  CHECK_FALSE(Database::open_to_check(options, error));
  CHECK(files->tries > 900);
}

TEST_CASE("store: a damaged database is refused with a way out") {
  const TempDir dir;
  FakeDictionary dictionary;
  fill_dictionary(dictionary);
  open_store(dir.path()).reset();
  std::ofstream(dir.path() / "db" / "CURRENT") << "MANIFEST-999999\n";
  StoreOptions options;
  options.path = dir.path();
  std::string error;
  CHECK_FALSE(Store::open(options, error));
  CHECK(error.find(dir.path().string()) != std::string::npos);
}

}  // namespace lapwing::rib::test
