#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>

#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

constexpr const char* kChildDirectory = "LAPWING_STORE_CRASH_DIR";
constexpr unsigned kPrefixes = 20000;

// Commit `n` is a function of n, so that parent and child agree on what the tables must hold.
class Script {
 public:
  Script() {
    for (unsigned i = 0; i < kPrefixes; ++i) {
      bgp::NlriKey key;
      key.afi = 1;
      key.safi = 1;
      key.length = 24;
      key.high = static_cast<std::uint64_t>((i * 7919u % 0xffffff) << 8) << 32;
      dictionary.add(key);
    }
    for (int i = 0; i < 100; ++i) dictionary.add_path("path " + std::to_string(i));
  }
  Commit make(std::uint64_t n) const {
    Commit commit;
    commit.sequence = n;
    commit.base = from_unix_micros(static_cast<std::int64_t>(1'700'000'000'000'000 + n * 1000));
    commit.alive_until = commit.base;
    if (n == 1)
      for (PathId id = 0; id < 100; ++id) commit.new_paths.push_back(id);
    const std::uint64_t routes = n % 25 == 0 ? 5000 : 5;
    for (std::uint64_t i = 0; i < routes; ++i) {
      const std::uint64_t mix = (n * 1'000'003 + i) * 0x9e3779b97f4a7c15 >> 20;
      RouteWrite write;
      write.prefix = static_cast<PrefixId>(mix % kPrefixes);
      write.after = mix % 5 == 0 ? kNoPath : static_cast<PathId>(mix / 7 % 100);
      commit.routes.push_back(write);
    }
    commit.states.put("script", "n", std::to_string(n));
    if (n % 10 == 3) commit.events.push_back(make_event(n));
    return commit;
  }
  void apply(std::uint64_t n, Table& table) const {
    const Commit commit = make(n);
    for (const RouteWrite& write : commit.routes) {
      const RouteName name{bgp::to_nlri(dictionary.nlri_key(write.prefix)), write.peer};
      if (write.after == kNoPath)
        table.erase(name);
      else
        table[name] = {dictionary.path(write.after), commit.base};
    }
  }
  FakeDictionary dictionary;
};

std::uint64_t commits_in(const Loaded& loaded) {
  const auto it = loaded.states.find({"script", "n"});
  return it == loaded.states.end() ? 0 : std::stoull(it->second);
}

std::atomic<std::uint64_t>* map_counter(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, 8) != 0) return nullptr;
  void* memory = ::mmap(nullptr, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<std::atomic<std::uint64_t>*>(memory);
}

pid_t start_child(const std::filesystem::path& directory) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::setenv(kChildDirectory, directory.c_str(), 1);
  ::execl("/proc/self/exe", "store_test", "--no-skip", "--test-case=store: child of the crash test",
          static_cast<char*>(nullptr));
  ::_exit(127);
}

}  // namespace

// Run by the test below in a process of its own, until it is killed.
TEST_CASE("store: child of the crash test" * doctest::skip()) {
  const char* directory = std::getenv(kChildDirectory);
  if (directory == nullptr) return;
  const std::filesystem::path path = directory;
  const Script script;
  auto store = open_store(path / "store");
  const std::uint64_t first = commits_in(load(*store));
  std::atomic<std::uint64_t>* acknowledged = map_counter(path / "acknowledged");
  REQUIRE(acknowledged != nullptr);
  store->start(script.dictionary);
  for (std::uint64_t n = first + 1;; ++n) {
    store->submit(script.make(n));
    const std::uint64_t durable = store->durable_sequence();
    if (durable != 0) acknowledged->store(durable);
    if (n % 40 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
}

TEST_CASE("store: after kill -9 the tables are those of a prefix in time, with all acknowledged") {
  const TempDir dir;
  const Script script;
  std::mt19937_64 random(6);
  Table table;
  std::uint64_t applied = 0, reached = 0;
  std::atomic<std::uint64_t>* acknowledged = map_counter(dir.path() / "acknowledged");
  REQUIRE(acknowledged != nullptr);
  for (int round = 0; round < 20; ++round) {
    const pid_t child = start_child(dir.path());
    REQUIRE(child > 0);
    // Every fourth is killed while it starts, the others while they write.
    const std::uint64_t before = acknowledged->load();
    for (int i = 0; i < 10000 && round % 4 != 0 && acknowledged->load() == before; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 100));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));

    const auto store = open_store(dir.path() / "store");
    const Loaded loaded = load(*store);
    reached = commits_in(loaded);
    CAPTURE(round);
    CHECK(reached >= acknowledged->load());
    CHECK(store->recovery_report() == "");
    REQUIRE(reached >= applied);
    while (applied < reached) script.apply(++applied, table);
    REQUIRE((loaded.table == table));
    // State and event commit together: one event for each commit that has one.
    CHECK(store->journal().last() == (reached + 7) / 10);
  }
  CHECK(reached > 100);
}

TEST_CASE("store: acknowledged groups that a damaged log has lost are reported") {
  const TempDir dir;
  const Script script;
  {
    auto store = open_store(dir.path());
    store->start(script.dictionary);
    for (std::uint64_t n = 1; n <= 20; ++n) {
      store->submit(script.make(n));
      REQUIRE(wait_durable(*store, n));
    }
  }
  for (const auto& file : std::filesystem::directory_iterator(dir.path() / "db")) {
    if (file.path().extension() != ".log" || file.file_size() < 200) continue;
    std::fstream log(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    log.seekp(static_cast<std::streamoff>(file.file_size() / 2));
    log.write("damaged!", 8);
  }
  std::string warned;
  StoreOptions options;
  options.path = dir.path();
  options.on_warning = [&](std::string_view text) { warned += text; };
  std::string error;
  const auto store = Store::open(options, error);
  REQUIRE(store);
  CHECK(commits_in(load(*store)) < 20);
  CHECK(store->recovery_report().find("acknowledged") != std::string::npos);
  CHECK(warned.find("acknowledged") != std::string::npos);
}

}  // namespace lapwing::rib::test
