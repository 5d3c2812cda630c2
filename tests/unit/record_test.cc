// collector/recorder: files of a recording, their rotation, and what happens when the disk cannot.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bgp/mrt_encode.h"
#include "collector/mrt_source.h"
#include "collector/progress.h"
#include "collector/recorder.h"
#include "tests/unit/temp_dir.h"

using namespace lapwing;
using namespace lapwing::collector;
namespace mrt = lapwing::bgp::mrt;
using Bytes = std::vector<std::uint8_t>;

namespace {

IpAddress ip(std::string_view text) { return *parse_address(text); }
Timestamp at(std::int64_t seconds) { return from_unix_micros(seconds * 1'000'000); }

const IpAddress kRouterId = ip("192.0.2.254");

/// A directory for one test; the recording goes to "rec" in it.
class Directory {
 public:
  std::filesystem::path recording() const { return directory_.path() / "rec"; }
  /// Of the files, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(recording()))
      names.push_back(file.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> paths;
    for (const std::string& name : names()) paths.push_back(recording() / name);
    return paths;
  }

 private:
  test::TempDir directory_;
};

Bytes neighbor(std::string_view name, std::string_view address, Asn as) {
  mrt::Mark mark;
  mark.kind = mrt::Mark::Kind::kPeer;
  mark.text = name;
  mark.peers = {{ip(address), {}, as}, {kRouterId, kRouterId, 64500}};
  Bytes out;
  mrt::append_mark(mark, at(1000), kRouterId, out);
  return out;
}

/// An UPDATE that withdraws 203.0.113.0/24, from 192.0.2.1.
Bytes message(std::int64_t seconds) {
  const Bytes body{0, 4, 24, 203, 0, 113, 0, 0};
  Bytes out;
  mrt::append_message({ip("192.0.2.1"), ip("192.0.2.254"), 64501, 64500}, at(seconds), {},
                      bgp::MessageType::kUpdate, body, out);
  return out;
}

Bytes messages(std::int64_t seconds, std::size_t count) {
  const Bytes one = message(seconds);
  Bytes out;
  out.reserve(one.size() * count);
  for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), one.begin(), one.end());
  return out;
}

RecordConfig config_for(const Directory& directory, bool gzip = false) {
  RecordConfig config;
  config.directory = directory.recording();
  config.rotate_every = std::chrono::seconds(60);
  config.gzip = gzip;
  config.retry = std::chrono::seconds(0);
  return config;
}

struct ReadBack {
  std::vector<std::string> names;  // as declared
  MrtStatistics statistics;
};

ReadBack read_back(const std::vector<std::string>& paths) {
  ReadBack result;
  MrtSource source([&result](bgp::RecordBatch& batch) {
    for (const bgp::PeerDetail& detail : batch.peer_details) result.names.push_back(detail.name);
  });
  source.read_files(paths);
  source.finish();
  result.statistics = source.statistics();
  return result;
}

}  // namespace

TEST_CASE(
    "recorder: a new file at each multiple of the interval; every one begins with the names") {
  for (const bool gzip : {false, true}) {
    const Directory directory;
    Recorder recorder(config_for(directory, gzip), kRouterId);
    REQUIRE(recorder.start() == "");
    recorder.push(neighbor("edge1", "192.0.2.1", 64501));
    recorder.push(message(1000));
    recorder.push(message(1019));
    recorder.push(message(1020));
    recorder.push(neighbor("edge2", "192.0.2.2", 64502));
    recorder.push(message(1081));
    recorder.stop();
    const std::string end = gzip ? ".mrt.gz" : ".mrt";
    CHECK(directory.names() == std::vector<std::string>{"updates.19700101.001640" + end,
                                                        "updates.19700101.001700" + end,
                                                        "updates.19700101.001801" + end});
    const ReadBack all = read_back(directory.paths());
    CHECK(all.names == std::vector<std::string>{"edge1", "edge2"});
    CHECK(all.statistics.updates == 4);
    CHECK(all.statistics.malformed == 0);
    CHECK(all.statistics.warning_count == 0);
    const ReadBack last = read_back({directory.paths().back()});
    CHECK(last.names == std::vector<std::string>{"edge1", "edge2"});
    CHECK(last.statistics.updates == 1);
    CHECK(recorder.counters().files == 3);
    CHECK(recorder.counters().lost == 0);
  }
}

TEST_CASE("recorder: a run begins with its mark, in the first file only") {
  const Directory directory;
  {
    Recorder recorder(config_for(directory), kRouterId);
    REQUIRE(recorder.start() == "");
    recorder.push(message(1000));
    recorder.push(message(1020));
    recorder.stop();
  }
  std::vector<std::size_t> starts;
  for (const std::string& path : directory.paths()) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    starts.push_back(text.find("lapwing/1 start") == std::string::npos ? 0 : 1);
  }
  CHECK(starts == std::vector<std::size_t>{1, 0});
}

TEST_CASE("recorder: a file that is full is followed by another of the same second") {
  const Directory directory;
  RecordConfig config = config_for(directory);
  config.rotate_size = 10'000;
  Recorder recorder(config, kRouterId);
  REQUIRE(recorder.start() == "");
  recorder.push(messages(1000, 500));
  recorder.stop();
  const auto names = directory.names();
  REQUIRE(names.size() > 2);
  CHECK(names[0] == "updates.19700101.001640.mrt");
  CHECK(names[1] == "updates.19700101.001640_001.mrt");
  CHECK(read_back(directory.paths()).statistics.updates == 500);
}

TEST_CASE("recorder: what is open can be read up to the last second, gzip too") {
  const Directory directory;
  RecordConfig config = config_for(directory, true);
  config.rotate_every = std::chrono::hours(24 * 365 * 100);
  Recorder recorder(config, kRouterId);
  REQUIRE(recorder.start() == "");
  recorder.push(messages(1000, 10));
  std::uint64_t found = 0;
  for (int i = 0; i < 200 && found < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (recorder.counters().files != 0) found = read_back(directory.paths()).statistics.updates;
  }
  CHECK(found == 10);
  recorder.stop();
}

TEST_CASE("recorder: what finds no room in the queue is counted and marked as a gap") {
  const Directory directory;
  RecordConfig config = config_for(directory, true);
  config.queue_size = 1000;
  Recorder recorder(config, kRouterId);
  REQUIRE(recorder.start() == "");
  recorder.push(messages(1000, 100'000));  // takes the writer a while
  recorder.push(messages(1001, 7));        // no room until it is written
  REQUIRE(recorder.counters().lost == 7);
  while (recorder.counters().records < 100'000) std::this_thread::yield();
  // The last octets of the first chunk may still be on their way.
  for (int i = 0; i < 500 && recorder.counters().records < 100'002; ++i) {
    recorder.push(messages(1002, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  recorder.stop();
  const ReadBack all = read_back(directory.paths());
  CHECK(all.statistics.lost == recorder.counters().lost);
  CHECK(all.statistics.lost >= 7);
  CHECK(all.statistics.warnings.at(0).reason.find("lost for want of room") != std::string::npos);
  CHECK(all.statistics.malformed == 0);
}

TEST_CASE("recorder: a disk that refuses is counted, and a new file goes on once it takes writes") {
  std::signal(SIGXFSZ, SIG_IGN);
  const Directory directory;
  Recorder recorder(config_for(directory), kRouterId);
  REQUIRE(recorder.start() == "");
  recorder.push(neighbor("edge1", "192.0.2.1", 64501));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 100'000;
  ::setrlimit(RLIMIT_FSIZE, &small);
  recorder.push(messages(1000, 20'000));
  while (recorder.counters().lost == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::setrlimit(RLIMIT_FSIZE, &before);
  recorder.push(messages(1001, 3));
  recorder.stop();
  const ReadBack all = read_back(directory.paths());
  CHECK(recorder.counters().lost > 0);
  CHECK(all.statistics.lost == recorder.counters().lost);
  CHECK(all.names == std::vector<std::string>{"edge1"});
  // What was written to the file that failed may be in it, although it is counted as lost.
  CHECK(all.statistics.updates + all.statistics.lost >= 20'003);
}

TEST_CASE("recorder: a directory that cannot be made is refused with its name") {
  RecordConfig config;
  config.directory = "/proc/lapwing/recording";
  Recorder recorder(config, kRouterId);
  const std::string error = recorder.start();
  CHECK(error.find("/proc/lapwing/recording") != std::string::npos);
  CHECK(error.find("cannot write") != std::string::npos);
}

TEST_CASE(
    "recorder: the recording of a batch is taken only when the engine's queue takes the batch") {
  class Refusing final : public bgp::RecordSink {
   public:
    bool try_push(bgp::RecordBatch& batch) override {
      if (full) return false;
      ++taken;
      batch.clear();
      return true;
    }
    void when_room(std::function<void()>) override {}
    bool full = true;
    int taken = 0;
  } next;
  const Directory directory;
  Recorder recorder(config_for(directory), kRouterId);
  REQUIRE(recorder.start() == "");
  RecordingSink sink(next, recorder);
  bgp::RecordBatch batch;
  batch.add_tick(at(1000));
  batch.recording = message(1000);
  CHECK_FALSE(sink.try_push(batch));
  CHECK(batch.recording == message(1000));
  next.full = false;
  CHECK(sink.try_push(batch));
  CHECK(batch.recording.empty());
  // A message of which no record was made is recorded all the same, and no empty batch is pushed.
  batch.recording = message(1001);
  CHECK(sink.try_push(batch));
  CHECK(next.taken == 1);
  recorder.stop();
  CHECK(read_back(directory.paths()).statistics.updates == 2);
}

TEST_CASE("progress: a bar of what is done, never wider than the terminal") {
  CHECK(progress_line(50, 100, "a.gz", 80) == "[##########          ]  50 %  a.gz");
  CHECK(progress_line(200, 100, "a.gz", 80) == "[####################] 100 %  a.gz");
  CHECK(progress_line(0, 100, "a.gz", 10) == "[         ");
  CHECK(progress_line(12u << 20, 0, "-", 80) == "12 MiB  -");
}
