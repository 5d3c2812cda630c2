#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "rib/store.h"
#include "rib/store_check.h"
#include "tests/crash/model.h"
#include "tests/crash/run.h"

namespace lapwing::crash {

namespace {

using rib::test::TempDir;
using std::chrono::milliseconds;

constexpr const char* kChild = "LAPWING_KILL_CHILD";  // directory, seed, changes, time
constexpr const char* kSeed = "LAPWING_KILL_SEED";    // another seed than the usual one
constexpr const char* kKills = "LAPWING_KILLS";       // another number of kills
constexpr std::int64_t kBegin = 1'700'000'000'000'000;

Progress* map_progress(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(Progress)) != 0) return nullptr;
  void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<Progress*>(memory);
}

/// Where a session of the feeder begins.
struct Beginning {
  std::uint64_t seed = 0;  // of the feed
  std::uint64_t session = 0;
  std::uint64_t changes = 0;
  std::int64_t micros = 0;

  Session make() const {
    Feed feed(seed);
    while (feed.changes() < changes) feed.step();
    return {std::move(feed), mix(seed, session, 9), from_unix_micros(micros)};
  }
};

pid_t start_child(const std::filesystem::path& directory, const Beginning& b) {
  const std::string text = directory.string() + " " + std::to_string(b.seed) + " " +
                           std::to_string(b.session) + " " + std::to_string(b.changes) + " " +
                           std::to_string(b.micros);
  ::setenv(kChild, text.c_str(), 1);
  const pid_t child = ::vfork();
  if (child != 0) return child;
  ::execl("/proc/self/exe", "kill_test", "--no-skip", "--test-case=kill: the one that is killed",
          static_cast<char*>(nullptr));
  ::_exit(127);
}

rib::StoreOptions options_at(const std::filesystem::path& directory) {
  rib::StoreOptions options;
  options.path = directory / "store";
  return options;
}

/// The ids in the sink's file, in order; a line that was cut short is left for later.
class SinkFile {
 public:
  explicit SinkFile(std::filesystem::path path) : path_(std::move(path)) {}
  void read() {
    std::ifstream file(path_, std::ios::binary);
    file.seekg(at_);
    std::string line;
    while (std::getline(file, line) && !file.eof()) {
      at_ += static_cast<std::streamoff>(line.size() + 1);
      constexpr std::string_view kId = "\"id\":\"";
      const std::size_t found = line.find(kId);
      if (found == std::string::npos || !line.ends_with('}'))
        torn.push_back(line);
      else
        ids.insert(line.substr(found + kId.size(), 32));
    }
  }
  std::set<std::string> ids;
  std::vector<std::string> torn;  // lines that are none

 private:
  const std::filesystem::path path_;
  std::streamoff at_ = 0;
};

/// Waits until `progress` has come so far, the child has died, or ten seconds are over.
void wait_for_batches(const Progress& progress, std::uint64_t batches) {
  for (int i = 0; i < 20000 && progress.batches.load() < batches; ++i)
    std::this_thread::sleep_for(std::chrono::microseconds(500));
}

/// Kills while it starts, while the tables come, or while it hears changes and delivers events.
void kill_somewhere(pid_t child, const Progress& progress, std::mt19937_64& random) {
  const std::uint64_t how = random() % 5;
  if (how == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 60'000));
  } else if (how == 1) {
    wait_for_batches(progress, 1 + random() % 9);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 10'000));
  } else {
    // Large groups wait a quarter of a second for more: some lives outlast that.
    const std::uint64_t longest = how == 2 ? 400'000 : 110'000;
    wait_for_batches(progress, 10);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % longest));
  }
  ::kill(child, SIGKILL);
}

/// One life after the other on one store.
struct Lives {
  explicit Lives(std::uint64_t the_seed) : seed(the_seed), random(the_seed) {
    progress = map_progress(dir.path() / "progress");
    REQUIRE(progress != nullptr);
    beginning = {seed, 0, 0, kBegin};
    const auto store = rib::test::open_store(dir.path() / "store");
    model = std::make_unique<Model>(*store, Contents());
  }

  /// A sentence where something is wrong.
  std::string live_and_die() {
    progress->batches = progress->durable = progress->told = 0;
    const pid_t child = start_child(dir.path(), beginning);
    if (child <= 0) return "no child";
    kill_somewhere(child, *progress, random);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return "the child ended by itself";

    // The batch that the engine was busy with may have been submitted.
    Session session = beginning.make();
    const std::uint64_t heard = progress->batches.load() + 1;
    bool was_in_step = false;
    while (session.batches() < heard) {
      model->hear(session.next());
      was_in_step = session.in_step();
    }
    in_step += was_in_step ? 1 : 0;
    // Before anything is healed: what a crash leaves is no damage.
    if (random() % 8 == 0) {
      const rib::StoreCheck check = rib::check_store(dir.path() / "store");
      if (!check.sound()) return "the check finds damage: " + check.faults[0];
    }
    const auto store = rib::test::open_store(dir.path() / "store");
    if (!store->recovery_report().empty()) return store->recovery_report();
    if (auto text = model->advance_to(*store, progress->durable, random()); !text.empty())
      return text;
    if (auto text = check_sink(*store); !text.empty()) return text;

    beginning = {
        seed, beginning.session + 1, session.feed().changes() + random() % 40,
        unix_micros(session.now()) + 1'000'000 + static_cast<std::int64_t>(random() % 100'000'000)};
    model = std::make_unique<Model>(*store, model->take_contents());
    return {};
  }

  std::string check_sink(rib::Store& store) {
    Journal& journal = store.journal();
    if (journal.last() < progress->told)
      return "a sink was told of event " + std::to_string(progress->told) + ", the last one is " +
             std::to_string(journal.last());
    sink.read();
    std::set<std::string> known;
    for (const EventId& id : model->contents().event_ids) known.insert(format_event_id(id));
    for (const std::string& id : sink.ids)
      if (!known.contains(id)) return "a sink has seen event " + id + ", the journal has not";
    const std::uint64_t cursor = journal.cursor("jsonl:" + (dir.path() / "events.jsonl").string());
    for (const JournalEntry& entry : journal.read_after(delivered, cursor))
      if (entry.number <= cursor && !sink.ids.contains(format_event_id(entry.event.id)))
        return "the cursor is " + std::to_string(cursor) + ", but event " +
               std::to_string(entry.number) + " was not delivered";
    delivered = cursor;
    return {};
  }

  /// A life that nobody ends: what the feeder has must be there, and in the file what happened.
  std::string live_to_the_end() {
    Session session = beginning.make();
    Run run(options_at(dir.path()), dir.path() / "events.jsonl", *progress);
    while (session.batches() < 60 || !session.in_step()) {
      const bgp::RecordBatch batch = session.next();
      model->hear(batch);
      run.hear(batch);
    }
    if (!run.settle()) return "it does not settle";
    run.stop();
    if (auto text = model->advance_to(run.store(), 0, random(), true); !text.empty()) return text;
    if (auto text = model->differs_from(session.feed()); !text.empty()) return text;
    sink.read();
    if (sink.ids.size() != model->contents().events.size())
      return std::to_string(sink.ids.size()) + " events were delivered of " +
             std::to_string(model->contents().events.size());
    return {};
  }

  const std::uint64_t seed;
  TempDir dir;
  std::mt19937_64 random;
  Progress* progress = nullptr;
  Beginning beginning;
  std::unique_ptr<Model> model;
  SinkFile sink{dir.path() / "events.jsonl"};
  std::uint64_t delivered = 0;  // the sink's cursor, when it was looked at last
  int in_step = 0;              // lives in which both tables had come
};

}  // namespace

// Run by the test below in a process of its own, until it is killed.
TEST_CASE("kill: the one that is killed" * doctest::skip()) {
  const char* text = std::getenv(kChild);
  if (text == nullptr) return;
  std::istringstream in(text);
  std::string directory;
  Beginning beginning;
  in >> directory >> beginning.seed >> beginning.session >> beginning.changes >> beginning.micros;
  const std::filesystem::path path = directory;
  Progress* progress = map_progress(path / "progress");
  REQUIRE(progress != nullptr);
  Session session = beginning.make();
  Run run(options_at(path), path / "events.jsonl", *progress);
  for (;;) {
    run.hear(session.next());
    if (session.batches() > 9) std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

TEST_CASE("kill -9 at any moment leaves a prefix in time, with every event that a sink has seen") {
  const std::uint64_t seed = number_from(kSeed, 20171001);
  Lives lives(seed);
  const std::uint64_t count = deaths(kKills, 200, 40);
  std::uint64_t large_groups = 0;  // lives after which history had files of its own
  for (std::uint64_t kill = 1; kill <= count; ++kill) {
    std::string wrong;
    try {
      wrong = lives.live_and_die();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    INFO("seed ", seed, ", to be repeated with ", std::string(kSeed), "; kill ", kill);
    REQUIRE(wrong == "");
    large_groups += !std::filesystem::is_empty(lives.dir.path() / "store" / "history");
  }
  CHECK(lives.live_to_the_end() == "");
  // What a kill cut off was delivered again: it is a line of its own.
  for (const std::string& line : lives.sink.torn) CHECK(line.starts_with('{'));
  // It was no idle story.
  CHECK(lives.in_step > static_cast<int>(count / 3));
  CHECK(lives.model->contents().events.size() > count);
  CHECK(large_groups > 0);
  MESSAGE("lives with large groups: ", large_groups,
          ", events: ", lives.model->contents().events.size(),
          ", knowledge: ", lives.model->contents().states.size(),
          ", changes of the feeder: ", lives.beginning.changes);
}

}  // namespace lapwing::crash
