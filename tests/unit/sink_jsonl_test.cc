#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "sink_testing.h"
#include "sinks/jsonl_sink.h"
#include "sinks/registry.h"
#include "sinks/runner.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

using testing::MemoryJournal;
using testing::run_until;
namespace fs = std::filesystem;

std::string content(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// The summaries of the lines of a file; "?" for a line that is no JSON.
std::vector<std::string> summaries(const std::string& path) {
  std::vector<std::string> out;
  std::istringstream in(content(path));
  for (std::string line; std::getline(in, line);) {
    boost::json::error_code error;
    const auto value = boost::json::parse(line, error);
    out.emplace_back(error ? "?" : std::string(value.at("summary").as_string()));
  }
  return out;
}

std::vector<std::string> expected(std::uint64_t from, std::uint64_t to) {
  std::vector<std::string> out;
  for (; from <= to; ++from) out.push_back("event " + std::to_string(from));
  return out;
}

struct JsonlBench {
  explicit JsonlBench(Settings& settings) {
    auto sink = make_sink("jsonl", settings, io, {"lapwing", "1"});
    REQUIRE(settings.finish().empty());
    file = dynamic_cast<JsonlSink*>(sink.get());
    name = sink->name();
    journal.set_cursor(name, 0);
    runner.emplace(io, journal, std::move(sink));
  }
  bool run_to(std::uint64_t number) {
    return run_until(io, [&] { return runner->status().cursor >= number; });
  }
  boost::asio::io_context io;
  MemoryJournal journal;
  std::string name;
  JsonlSink* file = nullptr;
  std::optional<SinkRunner> runner;
};

Settings at_path(const std::string& path) {
  Settings settings;
  settings.set("path", path);
  return settings;
}

TEST_CASE("jsonl: every event becomes one line, in order, behind what is there") {
  test::TempDir folder;
  const std::string path = folder.file("events.jsonl");
  std::ofstream(path) << "{\"summary\":\"old\"}\n";
  Settings settings = at_path(path);
  settings.set("sync", true);
  JsonlBench bench(settings);
  bench.journal.add_numbered(1, 700);
  bench.runner->start();
  REQUIRE(bench.run_to(700));
  auto lines = expected(1, 700);
  lines.insert(lines.begin(), "old");
  CHECK(summaries(path) == lines);
}

TEST_CASE("jsonl: a line torn by a crash is completed before the next one") {
  test::TempDir folder;
  const std::string path = folder.file("events.jsonl");
  std::ofstream(path) << "{\"summary\":\"whole\"}\n{\"id\":\"01";
  Settings settings = at_path(path);
  JsonlBench bench(settings);
  bench.journal.add_numbered(1, 2);
  bench.runner->start();
  REQUIRE(bench.run_to(2));
  CHECK(summaries(path) == std::vector<std::string>{"whole", "?", "event 1", "event 2"});
}

TEST_CASE("jsonl: reopen writes to a new file after the old one was moved") {
  test::TempDir folder;
  const std::string path = folder.file("events.jsonl");
  Settings settings = at_path(path);
  JsonlBench bench(settings);
  bench.journal.add_numbered(1, 2);
  bench.runner->start();
  REQUIRE(bench.run_to(2));
  fs::rename(path, path + ".old");
  SUBCASE("told to") { bench.file->reopen(); }
  SUBCASE("by itself") {}
  bench.journal.add_numbered(3, 4);
  REQUIRE(bench.run_to(4));
  CHECK(summaries(path + ".old") == expected(1, 2));
  CHECK(summaries(path) == expected(3, 4));
}

TEST_CASE("jsonl: rotation by size keeps so many files, none of them beyond the size") {
  test::TempDir folder;
  const std::string path = folder.file("events.jsonl");
  Settings settings = at_path(path);
  settings.set("rotate-size", std::int64_t{2000});
  settings.set("rotate-keep", std::int64_t{3});
  JsonlBench bench(settings);
  bench.runner->start();
  for (std::uint64_t n = 1; n <= 20; ++n) {
    bench.journal.add_numbered(n, n);
    REQUIRE(bench.run_to(n));
  }
  CHECK(fs::exists(path + ".3"));
  CHECK_FALSE(fs::exists(path + ".4"));
  std::vector<std::string> all;
  for (const char* end : {".3", ".2", ".1", ""}) {
    CHECK(fs::file_size(path + end) <= 2000);
    for (const std::string& s : summaries(path + end)) all.push_back(s);
  }
  CHECK(all == expected(21 - all.size(), 20));
  CHECK(all.size() >= 7);
}

TEST_CASE("jsonl: rotation by age moves an old file away before the next batch") {
  test::TempDir folder;
  const std::string path = folder.file("events.jsonl");
  Settings settings = at_path(path);
  settings.set("rotate-age", std::int64_t{1});
  JsonlBench bench(settings);
  bench.journal.add_numbered(1, 1);
  bench.runner->start();
  REQUIRE(bench.run_to(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  bench.journal.add_numbered(2, 2);
  REQUIRE(bench.run_to(2));
  CHECK(summaries(path + ".1") == expected(1, 1));
  CHECK(summaries(path) == expected(2, 2));
}

TEST_CASE("jsonl: a folder that is missing for a while loses nothing") {
  test::TempDir folder;
  const std::string path = folder.file("later/events.jsonl");
  Settings settings = at_path(path);
  JsonlBench bench(settings);
  bench.journal.add_numbered(1, 3);
  bench.runner->start();
  REQUIRE(run_until(bench.io, [&] { return bench.runner->status().retries >= 1; }));
  CHECK(bench.runner->status().state.starts_with("failed: cannot open"));
  CHECK(bench.runner->status().cursor == 0);
  fs::create_directory(folder.file("later"));
  REQUIRE(bench.run_to(3));
  CHECK(summaries(path) == expected(1, 3));
  CHECK(bench.runner->status().state == "up");
}

TEST_CASE("jsonl: a full disk confirms nothing") {
  Settings settings = at_path("/dev/full");
  JsonlBench bench(settings);
  bench.journal.add_numbered(1, 3);
  bench.runner->start();
  REQUIRE(run_until(bench.io, [&] { return bench.runner->status().retries >= 2; }));
  CHECK(bench.runner->status().last_error.find("No space left") != std::string::npos);
  CHECK(bench.runner->status().cursor == 0);
}

TEST_CASE("jsonl: what a limit cut off is taken back and written whole later") {
  test::TempDir folder;
  const std::string path = folder.file("events.jsonl");
  std::atomic<bool> stopping{false};
  JsonlOptions options;
  options.path = path;
  JsonlFile file(options, stopping);
  REQUIRE(file.write("first\n").empty());
  struct rlimit before {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  struct rlimit small = before;
  small.rlim_cur = 10;
  ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string error = file.write("second and long\n");
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK_FALSE(error.empty());
  CHECK(content(path) == "first\n");
  CHECK(file.write("second and long\n").empty());
  CHECK(content(path) == "first\nsecond and long\n");
}

TEST_CASE("jsonl: a pipe that nobody reads holds up neither the thread nor the end") {
  test::TempDir folder;
  const std::string path = folder.file("fifo");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Settings settings = at_path(path);
  std::uint64_t turns = 0;
  {
    JsonlBench bench(settings);
    bench.journal.add_numbered(1, 500);
    bench.runner->start();
    CHECK_FALSE(run_until(
        bench.io, [&] { return ++turns, bench.runner->status().cursor > 0; },
        std::chrono::milliseconds(300)));
    CHECK(turns > 10);
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    REQUIRE(fd >= 0);
    std::string read;
    char buffer[65536];
    CHECK(run_until(bench.io, [&] {
      for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
        read.append(buffer, static_cast<std::size_t>(n));
      return std::count(read.begin(), read.end(), '\n') == 500;
    }));
    ::close(fd);
    bench.journal.add_numbered(501, 1000);
    run_until(
        bench.io, [] { return false; }, std::chrono::milliseconds(50));
  }
  CHECK(turns > 0);
}

TEST_CASE("jsonl: the filter withholds lines and still moves the cursor") {
  test::TempDir folder;
  const std::string path = folder.file("events.jsonl");
  Settings settings = at_path(path);
  settings.set("min-severity", "error");
  JsonlBench bench(settings);
  bench.journal.add_numbered(1, 3);
  Event bad = testing::numbered(4);
  bad.severity = Severity::kCritical;
  bench.journal.add(bad);
  bench.runner->start();
  REQUIRE(bench.run_to(4));
  bench.journal.add_numbered(5, 5);
  REQUIRE(bench.run_to(5));
  CHECK(summaries(path) == expected(4, 4));
}

}  // namespace
}  // namespace lapwing::sinks
