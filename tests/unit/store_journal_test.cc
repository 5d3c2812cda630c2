#include <doctest/doctest.h>

#include <atomic>

#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

Commit with_events(std::uint64_t sequence, std::uint64_t first, std::uint64_t last) {
  Commit commit;
  commit.sequence = sequence;
  commit.base = from_unix_micros(1'700'000'000'000'000);
  for (std::uint64_t n = first; n <= last; ++n) commit.events.push_back(make_event(n));
  return commit;
}

}  // namespace

TEST_CASE("journal: numbers start at 1 and go on after a restart") {
  const TempDir dir;
  FakeDictionary dictionary;
  for (std::uint64_t run = 0; run < 3; ++run) {
    auto store = open_store(dir.path());
    Journal& journal = store->journal();
    CHECK(journal.last() == run * 10);
    CHECK(journal.first() == 1);
    store->start(dictionary);
    store->submit(with_events(1, run * 10 + 1, run * 10 + 4));
    store->submit(with_events(2, run * 10 + 5, run * 10 + 10));
    REQUIRE(wait_durable(*store, 2));
    CHECK(journal.last() == run * 10 + 10);
    const auto entries = journal.read_after(run * 10 + 2, 5);
    REQUIRE(entries.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(entries[i].number == run * 10 + 3 + i);
      CHECK(entries[i].event == make_event(run * 10 + 3 + i));
    }
    const auto moments = journal.moments_after(run * 10 + 2, 5);
    REQUIRE(moments.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(moments[i].number == entries[i].number);
      CHECK(moments[i].time == entries[i].event.time);
    }
    CHECK(journal.moments_after(journal.last() - 1, 5).size() == 1);
    CHECK(journal.read_after(journal.last(), 5).empty());
  }
}

TEST_CASE("journal: where a sink comes to after the store has stopped is kept") {
  const TempDir dir;
  FakeDictionary dictionary;
  auto store = open_store(dir.path());
  store->start(dictionary);
  CHECK(store->journal().cursor("syslog") == 0);
  store->stop();
  store->journal().set_cursor("syslog", 7);
  store->save_cursors();
  store.reset();
  store = open_store(dir.path());
  CHECK(store->journal().cursor("syslog") == 7);
}

TEST_CASE("journal: an event whose id is there already gets no second number") {
  const TempDir dir;
  FakeDictionary dictionary;
  {
    auto store = open_store(dir.path());
    store->start(dictionary);
    Commit commit = with_events(1, 1, 3);
    commit.events.push_back(make_event(2));
    store->submit(std::move(commit));
    store->submit(with_events(2, 2, 4));
    REQUIRE(wait_durable(*store, 2));
    CHECK(store->journal().last() == 4);
  }
  auto store = open_store(dir.path());
  store->start(dictionary);
  store->submit(with_events(1, 1, 5));
  REQUIRE(wait_durable(*store, 1));
  CHECK(store->journal().last() == 5);
  CHECK(store->journal().read_after(4, 9).front().event == make_event(5));
}

TEST_CASE("journal: events in a group large enough for table files are numbered the same way") {
  const TempDir dir;
  FakeDictionary dictionary;
  for (std::uint64_t run = 0; run < 2; ++run) {
    auto store = open_store(dir.path());
    store->start(dictionary);
    store->submit(with_events(1, 1, 3000));  // 6000 entries
    REQUIRE(wait_durable(*store, 1));
    CHECK(store->journal().last() == 3000);
    CHECK(store->journal().read_after(2998, 9).size() == 2);
  }
}

TEST_CASE("journal: a new sink begins at the end, a known one where it was") {
  const TempDir dir;
  FakeDictionary dictionary;
  {
    auto store = open_store(dir.path());
    store->start(dictionary);
    store->submit(with_events(1, 1, 7));
    REQUIRE(wait_durable(*store, 1));
    CHECK(store->journal().cursor("syslog") == 7);
    store->submit(with_events(2, 8, 9));
    REQUIRE(wait_durable(*store, 2));
    CHECK(store->journal().cursor("syslog") == 7);
    store->journal().set_cursor("jsonl", 5);
  }
  auto store = open_store(dir.path());
  CHECK(store->journal().cursor("syslog") == 7);
  CHECK(store->journal().cursor("jsonl") == 5);
  CHECK(store->journal().cursor("new") == 9);
}

TEST_CASE("journal: a cursor is durable soon without any commit") {
  const TempDir dir;
  FakeDictionary dictionary;
  auto store = open_store(dir.path());
  store->start(dictionary);
  store->journal().set_cursor("syslog", 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  // What is on disk, without a proper stop.
  const TempDir copy;
  std::filesystem::copy(dir.path(), copy.path(), std::filesystem::copy_options::recursive);
  CHECK(open_store(copy.path())->journal().cursor("syslog") == 3);
}

TEST_CASE("journal: subscribers hear of durable events only, and not after unsubscribe") {
  const TempDir dir;
  FakeDictionary dictionary;
  auto store = open_store(dir.path());
  Journal& journal = store->journal();
  std::atomic<std::uint64_t> heard{0};
  std::atomic<int> calls{0};
  const int handle = journal.subscribe([&] {
    heard = journal.last();
    ++calls;
  });
  store->start(dictionary);
  store->submit(with_events(1, 1, 2));
  REQUIRE(wait_durable(*store, 1));
  CHECK(heard == 2);
  Commit quiet;
  quiet.sequence = 2;
  store->submit(std::move(quiet));
  REQUIRE(wait_durable(*store, 2));
  CHECK(calls == 1);
  journal.unsubscribe(handle);
  store->submit(with_events(3, 3, 3));
  REQUIRE(wait_durable(*store, 3));
  CHECK(calls == 1);
}

namespace {

/// A journal with these limits, to which events are added one by one.
struct Kept {
  explicit Kept(const StoreOptions& wanted) : options(wanted) {
    options.path = dir.path();
    options.on_warning = [this](std::string_view text) {
      if (text.find("left the journal") != std::string_view::npos) warnings.emplace_back(text);
    };
    open();
  }
  void open() {
    store.reset();
    std::string error;
    store = Store::open(options, error);
    REQUIRE_MESSAGE(store, error);
    store->start(dictionary);
    sequence = 0;
  }
  Journal& journal() { return store->journal(); }
  void add(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t n = first; n <= last; ++n) store->submit(with_events(++sequence, n, n));
    REQUIRE(wait_durable(*store, sequence));
  }
  std::vector<Event> losses() {
    std::vector<Event> out;
    for (const JournalEntry& entry : journal().read_after(0, 100'000))
      if (entry.event.type == "events-lost") out.push_back(entry.event);
    return out;
  }
  const TempDir dir;
  FakeDictionary dictionary;
  StoreOptions options;
  std::vector<std::string> warnings;
  std::unique_ptr<Store> store;
  std::uint64_t sequence = 0;
};

std::int64_t number_field(const Event& event, std::string_view name) {
  for (const Field& field : event.fields)
    if (field.name == name) return std::get<std::int64_t>(field.value);
  return -1;
}

}  // namespace

TEST_CASE("journal: retention removes what all sinks have, and waits for the slowest one") {
  StoreOptions options;
  options.event_limit = 10;
  Kept kept(options);
  kept.add(1, 5);
  kept.journal().set_cursor("slow", 5);
  kept.add(6, 80);
  CHECK(kept.journal().first() == 6);
  kept.journal().set_cursor("slow", 75);
  kept.add(81, 81);
  CHECK(kept.journal().first() == 72);
  CHECK(kept.journal().read_after(0, 1).front().number == 72);
  kept.open();
  CHECK(kept.journal().first() == 72);
  CHECK(kept.journal().last() == 81);
  CHECK(kept.losses().empty());
}

TEST_CASE("journal: a cursor that no sink asks for holds the journal only for its time") {
  StoreOptions options;
  options.event_limit = 10;
  Kept kept(options);
  kept.add(1, 5);
  kept.journal().set_cursor("former", 5);
  kept.journal().set_cursor("there", 5);
  kept.open();  // ten minutes
  kept.add(6, 40);
  kept.journal().set_cursor("there", 40);
  kept.add(41, 41);
  CHECK(kept.journal().first() == 6);
  kept.options.unasked_cursors_hold = std::chrono::milliseconds(0);
  kept.open();
  CHECK(kept.journal().cursor("there") == 40);
  kept.add(42, 60);
  CHECK(kept.journal().first() == 41);  // the one that asked holds it still
  CHECK(kept.losses().empty());
}

TEST_CASE("journal: the cursor of a sink that is released holds nothing until it is asked for") {
  StoreOptions options;
  options.event_limit = 10;
  Kept kept(options);
  kept.add(1, 5);
  for (const char* sink : {"gone", "stays"}) kept.journal().set_cursor(sink, 5);
  kept.journal().release("gone");
  kept.journal().release("never there");
  kept.journal().set_cursor("stays", 30);
  kept.add(6, 30);
  kept.add(31, 31);  // what is durable can go
  CHECK(kept.journal().first() == 22);
  CHECK(kept.losses().empty());
  // It comes back: its cursor is where it was, and holds the journal again.
  CHECK(kept.journal().cursor("gone") == 5);
  kept.journal().set_cursor("stays", 60);
  kept.add(32, 60);
  kept.add(61, 61);
  CHECK(kept.journal().first() == 22);
}

TEST_CASE("journal: retention by age is in event time, and waits for the slowest sink") {
  StoreOptions options;
  options.event_days = 3;
  Kept kept(options);
  kept.add(1, 5);
  kept.journal().set_cursor("slow", 4);
  Commit late = with_events(++kept.sequence, 6, 6);
  late.events[0].time += std::chrono::days(4);
  kept.store->submit(std::move(late));
  REQUIRE(wait_durable(*kept.store, kept.sequence));
  CHECK(kept.journal().first() == 5);
  CHECK(kept.losses().empty());
}

TEST_CASE("journal: beyond the budget undelivered events go, are counted, logged and reported") {
  StoreOptions options;
  options.event_limit = 0;
  options.event_budget = 20'000;
  Kept kept(options);
  kept.add(1, 5);
  kept.journal().set_cursor("slow", 5);
  kept.journal().set_cursor("fast", 5);
  std::uint64_t n = 6;
  for (; kept.losses().empty() && n < 2000; ++n) {
    kept.add(n, n);
    kept.journal().set_cursor("fast", kept.journal().last());
  }
  const std::vector<Event> losses = kept.losses();
  REQUIRE(losses.size() == 1);  // the fast sink has lost nothing
  const Event& loss = losses[0];
  const auto gone = static_cast<std::int64_t>(kept.journal().first()) - 1;
  CHECK(loss.severity == Severity::kError);
  CHECK(std::get<std::string>(loss.fields[0].value) == "slow");
  CHECK(number_field(loss, "first_number") == 6);
  CHECK(number_field(loss, "last_number") == gone);
  CHECK(number_field(loss, "lost") == gone - 5);
  REQUIRE(kept.warnings.size() == 1);
  CHECK(kept.warnings[0] == loss.summary);
  // A tenth of the budget went at once, so that not every event brings a report.
  CHECK(gone > static_cast<std::int64_t>(n) / 20);
  kept.add(n, n + 4);
  CHECK(kept.losses().size() == 1);
  // The sum of octets outlives a restart: the journal stays within its budget.
  for (int run = 0; run < 3; ++run) {
    kept.open();
    kept.add(n + 5 + 100 * static_cast<unsigned>(run), n + 104 + 100 * static_cast<unsigned>(run));
    std::uint64_t octets = 0;
    for (const JournalEntry& entry : kept.journal().read_after(0, 100'000))
      octets += entry.event.summary.size() + 40;
    CHECK(octets <= options.event_budget);
    CHECK(kept.journal().last() + 1 - kept.journal().first() > 100);
  }
}

}  // namespace lapwing::rib::test
