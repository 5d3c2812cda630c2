#include <doctest/doctest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "sink_testing.h"
#include "sinks/runner.h"
#include "sinks/sink_set.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

using testing::MemoryJournal;
using testing::run_until;
using testing::sequence;

/// What a fake sink does and has seen; outlives it.
struct Record {
  std::vector<std::uint64_t> numbers;
  std::vector<std::size_t> batches;
  std::size_t step = 512;                        // entries for each confirmation
  int throws = 0;                                // deliveries that fail first
  std::uint64_t stop_after = ~std::uint64_t{0};  // confirms nothing beyond
  bool at_once = false;                          // confirms inside `deliver`
  bool closed = false;
};

class FakeSink : public Sink {
 public:
  FakeSink(boost::asio::io_context& io, Record& record) : io_(io), record_(record) {}
  std::string_view name() const override { return "fake"; }
  void deliver(std::span<const JournalEntry> entries,
               std::function<void(std::uint64_t)> confirm) override {
    if (record_.throws > 0) {
      --record_.throws;
      throw std::runtime_error("cannot deliver");
    }
    record_.batches.push_back(entries.size());
    for (const JournalEntry& entry : entries) record_.numbers.push_back(entry.number);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::uint64_t number = entries[i].number;
      if (number > record_.stop_after) return;
      if ((i + 1) % record_.step != 0 && i + 1 != entries.size()) continue;
      if (record_.at_once)
        confirm(number);
      else
        boost::asio::post(io_, [confirm, number] { confirm(number); });
    }
  }
  void close() override { record_.closed = true; }
  SinkStatus status() const override {
    SinkStatus status;
    status.name = "fake";
    return status;
  }

 private:
  boost::asio::io_context& io_;
  Record& record_;
};

TEST_CASE("runner: everything after the cursor arrives once and in order, in bounded batches") {
  for (const bool at_once : {false, true}) {
    boost::asio::io_context io;
    MemoryJournal journal;
    Record record;
    record.at_once = at_once;
    journal.set_cursor("fake", 0);
    journal.add_numbered(1, 1300);
    SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
    runner.start();
    CHECK(run_until(io, [&] { return runner.status().cursor == 1300; }));
    journal.add_numbered(1301, 1310);
    CHECK(run_until(io, [&] { return runner.status().cursor == 1310; }));
    CHECK(record.numbers == sequence(1, 1310));
    CHECK(*std::max_element(record.batches.begin(), record.batches.end()) == SinkRunner::kBatch);
    CHECK(runner.status().delivered == 1310);
  }
}

TEST_CASE("runner: a sink that was never seen starts at the journal's end") {
  boost::asio::io_context io;
  MemoryJournal journal;
  Record record;
  journal.add_numbered(1, 10);
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
  runner.start();
  journal.add_numbered(11, 12);
  CHECK(run_until(io, [&] { return runner.status().cursor == 12; }));
  CHECK(record.numbers == sequence(11, 12));
}

TEST_CASE("runner: after a restart delivery goes on behind the last confirmed entry") {
  MemoryJournal journal;
  journal.set_cursor("fake", 0);
  journal.add_numbered(1, 100);
  Record record;
  record.step = 10;
  record.stop_after = 40;
  {
    boost::asio::io_context io;
    SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
    runner.start();
    CHECK(run_until(io, [&] { return runner.status().cursor == 40; }));
    runner.stop();
    CHECK(record.closed);
    CHECK(journal.stored_cursor("fake") == 40);
  }
  Record second;
  boost::asio::io_context io;
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, second));
  runner.start();
  CHECK(run_until(io, [&] { return runner.status().cursor == 100; }));
  CHECK(second.numbers == sequence(41, 100));
}

TEST_CASE("runner: a delivery that throws is repeated after a pause") {
  boost::asio::io_context io;
  MemoryJournal journal;
  journal.set_cursor("fake", 0);
  journal.add_numbered(1, 5);
  Record record;
  record.throws = 2;
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
  runner.start();
  CHECK(runner.status().last_error == "cannot deliver");
  CHECK(run_until(io, [&] { return runner.status().cursor == 5; }));
  CHECK(record.numbers == sequence(1, 5));
  CHECK(runner.status().retries == 2);
}

TEST_CASE("runner: a journal that throws is read again after a pause") {
  boost::asio::io_context io;
  MemoryJournal journal;
  journal.set_cursor("fake", 0);
  journal.add_numbered(1, 5);
  journal.fail_next(2);
  Record record;
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
  runner.start();
  CHECK(run_until(io, [&] { return runner.status().cursor == 5; }));
  CHECK(record.numbers == sequence(1, 5));
}

TEST_CASE("runner: cursor writes are coalesced, and the last one is written at the end") {
  boost::asio::io_context io;
  MemoryJournal journal;
  journal.set_cursor("fake", 0);
  const std::size_t before = journal.cursor_writes();
  journal.add_numbered(1, 5000);
  Record record;
  record.step = 1;
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
  runner.start();
  const auto start = std::chrono::steady_clock::now();
  CHECK(run_until(io, [&] { return runner.status().cursor == 5000; }));
  const auto tenths = (std::chrono::steady_clock::now() - start) / std::chrono::milliseconds(100);
  CHECK(journal.cursor_writes() - before <= static_cast<std::size_t>(tenths) + 1);
  runner.stop();
  CHECK(journal.stored_cursor("fake") == 5000);
}

TEST_CASE("runner: events that retention removed before delivery are spoken of") {
  boost::asio::io_context io;
  MemoryJournal journal;
  journal.set_cursor("fake", 0);
  journal.add_numbered(1, 10);
  journal.remove_first(4);
  Record record;
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
  runner.start();
  CHECK(run_until(io, [&] { return runner.status().cursor == 10; }));
  CHECK(record.numbers == sequence(5, 10));
  CHECK(runner.status().last_error.find("4 events") != std::string::npos);
  CHECK(runner.status().lost == 4);
}

TEST_CASE("runner: the status tells how far a sink is behind, in events and in time") {
  boost::asio::io_context io;
  MemoryJournal journal;
  journal.set_cursor("fake", 0);
  const auto start =
      std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  for (int n = 0; n < 10; ++n) {
    Event e = testing::story();
    e.time = start - std::chrono::seconds(100 - 10 * n);
    journal.add(e);
  }
  Record record;
  record.step = 1;
  record.stop_after = 4;
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
  runner.start();
  CHECK(run_until(io, [&] { return runner.status().cursor == 4; }));
  CHECK(runner.status().lag_events == 6);
  CHECK(runner.status().lag_seconds >= 60);  // the fifth one is the oldest that waits
  CHECK(runner.status().lag_seconds < 100);
  Record all;
  SinkRunner done(io, journal, std::make_unique<FakeSink>(io, all));
  journal.set_cursor("fake", 10);
  done.start();
  CHECK(done.status().lag_events == 0);
  CHECK(done.status().lag_seconds == 0);
}

TEST_CASE("runner: a cursor behind the journal's end does not withhold new events") {
  boost::asio::io_context io;
  MemoryJournal journal;
  journal.set_cursor("fake", 500);
  journal.add_numbered(1, 3);
  Record record;
  SinkRunner runner(io, journal, std::make_unique<FakeSink>(io, record));
  runner.start();
  journal.add_numbered(4, 4);
  CHECK(run_until(io, [&] { return runner.status().cursor == 4; }));
  CHECK(record.numbers == sequence(4, 4));
}

TEST_CASE("sink set: a reload releases the cursor of a sink that it removes, and no other") {
  MemoryJournal journal;
  SinkSet sinks(journal, {"lapwing", "1"});
  const auto table = [](std::string name, bool sequence_id) {
    Settings settings;
    settings.set("target", "udp://127.0.0.1:9");
    settings.set("name", std::move(name));
    settings.set("sequence-id", sequence_id);
    return SinkSet::Table{"syslog", std::move(settings)};
  };
  sinks.start();
  sinks.configure({table("kept", true), table("changed", true), table("removed", true)});
  CHECK(journal.released().empty());
  sinks.configure({table("kept", true), table("changed", false)});
  CHECK(journal.released() == std::vector<std::string>{"removed"});
  CHECK(sinks.status().size() == 2);
  sinks.stop();
}

TEST_CASE("sink set: a new sink is given what is appended between add and start") {
  const test::TempDir dir;
  const std::string path = (dir.path() / "events.jsonl").string();
  MemoryJournal journal;
  journal.add_numbered(1, 3);  // before it was there
  SinkSet sinks(journal, {"lapwing", "1"});
  Settings settings;
  settings.set("path", path);
  REQUIRE(sinks.add("jsonl", settings));
  journal.add_numbered(4, 6);
  sinks.start();
  for (int i = 0; i < 1000 && journal.stored_cursor("jsonl:" + path) < 6; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  sinks.stop();
  REQUIRE(sinks.status().size() == 1);
  CHECK(sinks.status()[0].delivered == 3);
  CHECK(sinks.status()[0].cursor == 6);
}

TEST_CASE("sink set: unknown kinds and equal names are errors") {
  MemoryJournal journal;
  SinkSet sinks(journal, {"lapwing", "1"});
  Settings none;
  CHECK_FALSE(sinks.add("kafka", none));
  REQUIRE(none.finish().size() == 1);
  CHECK(none.finish()[0].message.find("syslog, jsonl") != std::string::npos);
  Settings first, second;
  first.set("target", "udp://127.0.0.1:9");
  second.set("target", "udp://127.0.0.1:9");
  CHECK(sinks.add("syslog", first));
  CHECK_FALSE(sinks.add("syslog", second));
  CHECK(first.finish().empty());
  REQUIRE(second.finish().size() == 1);
  CHECK(second.finish()[0].key == "name");
}

}  // namespace
}  // namespace lapwing::sinks
