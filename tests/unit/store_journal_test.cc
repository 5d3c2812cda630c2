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
    CHECK(journal.read_after(journal.last(), 5).empty());
  }
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

TEST_CASE(
    "journal: retention removes what all sinks have, and waits for a slow sink up to a bound") {
  const TempDir dir;
  FakeDictionary dictionary;
  StoreOptions options;
  options.path = dir.path();
  options.event_limit = 10;
  std::string error;
  auto store = Store::open(options, error);
  REQUIRE(store);
  Journal& journal = store->journal();
  store->start(dictionary);
  std::uint64_t sequence = 0;
  const auto add = [&](std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t n = first; n <= last; ++n) {
      store->submit(with_events(++sequence, n, n));
      REQUIRE(wait_durable(*store, sequence));
    }
  };
  add(1, 5);
  journal.set_cursor("slow", 5);
  add(6, 25);
  CHECK(journal.first() == 6);
  journal.set_cursor("slow", 20);
  add(26, 27);
  CHECK(journal.first() == 18);
  CHECK(journal.read_after(0, 1).front().number == 18);
  add(28, 80);
  CHECK(journal.first() == 41);
  CHECK(journal.last() == 80);
  store.reset();
  store = Store::open(options, error);
  REQUIRE(store);
  CHECK(store->journal().first() == 41);
  CHECK(store->journal().last() == 80);
}

}  // namespace lapwing::rib::test
