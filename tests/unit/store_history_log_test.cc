#include <doctest/doctest.h>
#include <rocksdb/env.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "rib/store_history_log.h"
#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

using RowNumbers = std::vector<std::uint64_t>;

constexpr std::uint64_t kHourMicros = 3'600'000'000;

bgp::NlriKey prefix_key(std::uint32_t n) {
  bgp::NlriKey key;
  key.afi = kAfiIpv4;
  key.safi = kSafiUnicast;
  key.length = 24;
  key.high = static_cast<std::uint64_t>(10u << 24 | n << 8) << 32;
  return key;
}

/// Row r of these tests is at hour r, of prefix r % 50.
std::string pack(std::uint64_t first, std::uint64_t count, std::size_t padding = 0) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t row = first; row < first + count; ++row) order.push_back(row);
  std::stable_sort(order.begin(), order.end(),
                   [](std::uint64_t a, std::uint64_t b) { return a % 50 < b % 50; });
  HistoryBlocks out(first, first * kHourMicros);
  std::string before;
  for (const std::uint64_t row : order) {
    before = "path " + std::to_string(row);
    std::uint64_t noise = row + 1;
    for (std::size_t i = 0; i < padding; ++i) {
      noise = noise * 6364136223846793005 + 1442695040888963407;
      before += static_cast<char>(noise >> 33);
    }
    out.add({row, row * kHourMicros, 7, prefix_key(static_cast<std::uint32_t>(row % 50)), true,
             Octets(reinterpret_cast<const std::uint8_t*>(before.data()), before.size())});
  }
  return out.finish();
}

struct LogBench {
  TempDir dir;
  std::string warned;
  std::unique_ptr<HistoryLog> log;

  rocksdb::Status open(std::uint64_t next_row) {
    log.reset();
    warned.clear();
    return HistoryLog::open(
        *rocksdb::Env::Default(), dir.path(), next_row,
        [this](std::string_view text) { warned += text; }, log);
  }
  RowNumbers rows(std::uint64_t next_row, const bgp::NlriKey* prefix = nullptr,
                  std::uint64_t from = 0) {
    RowNumbers found;
    status = log->read(prefix, from, next_row, [&](const LoggedRow& row) {
      found.push_back(row.row);
      const std::string path = "path " + std::to_string(row.row);
      CHECK(row.had_route);
      CHECK(row.peer == 7);
      CHECK(row.micros == row.row * kHourMicros);
      CHECK(std::string(row.before.begin(), row.before.end()).starts_with(path));
    });
    std::sort(found.begin(), found.end());
    return found;
  }
  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> found;
    for (const auto& file : std::filesystem::directory_iterator(dir.path()))
      found.push_back(file.path());
    std::sort(found.begin(), found.end());
    return found;
  }
  rocksdb::Status status;
};

RowNumbers numbers(std::uint64_t from, std::uint64_t to) {
  RowNumbers rows;
  for (; from < to; ++from) rows.push_back(from);
  return rows;
}

void overwrite_at(const std::filesystem::path& file, std::uintmax_t at, const std::string& octets) {
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  out.seekp(static_cast<std::streamoff>(at));
  out << octets;
}

}  // namespace

TEST_CASE("history log: what was appended is read, before and after it is opened again") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  REQUIRE(bench.log->append(0, pack(0, 5000)).ok());
  REQUIRE(bench.log->append(5000, pack(5000, 100)).ok());
  for (int i = 0; i < 2; ++i) {
    CHECK(bench.rows(5100) == numbers(0, 5100));
    CHECK(bench.rows(5100, nullptr, 5090 * kHourMicros) == numbers(5090, 5100));
    CHECK(bench.rows(20) == numbers(0, 20));
    const bgp::NlriKey prefix = prefix_key(3);
    const RowNumbers one = bench.rows(5100, &prefix);
    CHECK(one.size() == 102);
    CHECK(std::ranges::all_of(one, [](std::uint64_t row) { return row % 50 == 3; }));
    REQUIRE(bench.open(5100).ok());
  }
  CHECK(bench.warned == "");
  CHECK(bench.files().size() == 1);
}

TEST_CASE("history log: a group that was not written after all leaves nothing") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  REQUIRE(bench.log->append(0, pack(0, 100)).ok());
  const std::uint64_t bytes = bench.log->bytes();
  REQUIRE(bench.log->append(100, pack(100, 100)).ok());
  bench.log->undo_append();
  CHECK(bench.log->bytes() == bytes);
  CHECK(std::filesystem::file_size(bench.files()[0]) == bytes);
  CHECK(bench.rows(UINT64_MAX) == numbers(0, 100));
  REQUIRE(bench.log->append(100, pack(100, 150)).ok());
  CHECK(bench.rows(250) == numbers(0, 250));
  REQUIRE(bench.open(250).ok());
  CHECK(bench.rows(250) == numbers(0, 250));
}

TEST_CASE("history log: the only group of a file, undone, takes the file with it") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  REQUIRE(bench.log->append(0, pack(0, 100)).ok());
  bench.log->undo_append();
  CHECK(bench.files().empty());
  CHECK(bench.rows(UINT64_MAX).empty());
}

TEST_CASE("history log: rows that were not committed are cut off when it is opened") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  REQUIRE(bench.log->append(0, pack(0, 100)).ok());
  const std::uint64_t bytes = bench.log->bytes();
  REQUIRE(bench.log->append(100, pack(100, 100)).ok());
  REQUIRE(bench.open(100).ok());
  CHECK(bench.warned == "");
  CHECK(std::filesystem::file_size(bench.files()[0]) == bytes);
  // Their numbers are given again.
  REQUIRE(bench.open(200).ok());
  CHECK(bench.rows(200) == numbers(0, 100));
  REQUIRE(bench.open(0).ok());
  CHECK(bench.files().empty());
}

TEST_CASE("history log: rows of a failed group that could not be cut off do not count twice") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  REQUIRE(bench.log->append(0, pack(0, 100)).ok());
  REQUIRE(bench.log->append(100, pack(100, 100)).ok());
  const std::filesystem::path file = bench.files()[0];
  const std::filesystem::path kept = bench.dir.path() / "kept";
  std::filesystem::copy_file(file, kept);
  bench.log->undo_append();
  REQUIRE(bench.log->append(100, pack(100, 100)).ok());
  // The disk was ill, or power was lost: the file is as it was before.
  std::filesystem::rename(kept, file);
  REQUIRE(bench.open(200).ok());
  CHECK(bench.rows(200) == numbers(0, 200));
}

TEST_CASE("history log: a damaged block is told and left out, the others are read") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  REQUIRE(bench.log->append(0, pack(0, 100)).ok());
  const std::uint64_t first = bench.log->bytes();
  REQUIRE(bench.log->append(100, pack(100, 100)).ok());
  REQUIRE(bench.log->append(200, pack(200, 100)).ok());
  overwrite_at(bench.files()[0], first + 300, "damaged!");
  CHECK(bench.rows(300).size() == 200);
  CHECK(bench.status.IsCorruption());
  CHECK(bench.status.ToString().find(bench.files()[0].string()) != std::string::npos);
  CHECK(bench.status.ToString().find(std::to_string(first)) != std::string::npos);
}

TEST_CASE("history log: behind a damaged header nothing can be found, and that is told") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  REQUIRE(bench.log->append(0, pack(0, 100)).ok());
  const std::uint64_t first = bench.log->bytes();
  REQUIRE(bench.log->append(100, pack(100, 100)).ok());
  bench.log.reset();
  overwrite_at(bench.files()[0], first, "LWH9");
  REQUIRE(bench.open(200).ok());
  CHECK(bench.warned.find("damaged at octet " + std::to_string(first)) != std::string::npos);
  CHECK(bench.rows(200) == numbers(0, 100));
}

TEST_CASE("history log: whole files go by age and by size, oldest first, the present one never") {
  LogBench bench;
  // A file is begun at each start.
  for (std::uint64_t n = 0; n < 4; ++n) {
    REQUIRE(bench.open(n * 100).ok());
    REQUIRE(bench.log->append(n * 100, pack(n * 100, 100)).ok());
  }
  REQUIRE(bench.files().size() == 4);
  bench.log->drop_before(99 * kHourMicros);  // its last row is of that hour
  CHECK(bench.files().size() == 4);
  bench.log->drop_before(99 * kHourMicros + 1);
  CHECK(bench.rows(400) == numbers(100, 400));
  CHECK(bench.files().size() == 3);
  const std::uint64_t each = bench.log->bytes() / 3;
  CHECK(bench.log->drop_beyond(bench.log->bytes()) == 0);
  CHECK(bench.log->drop_beyond(2 * each + each / 2) == 199 * kHourMicros);
  CHECK(bench.rows(400) == numbers(200, 400));
  CHECK(bench.log->drop_beyond(0) == 299 * kHourMicros);
  CHECK(bench.rows(400) == numbers(300, 400));
  bench.log->drop_before(UINT64_MAX);
  CHECK(bench.rows(400) == numbers(300, 400));
  CHECK(bench.files().size() == 1);
}

TEST_CASE("history log: a file ends at its size and another begins") {
  LogBench bench;
  REQUIRE(bench.open(0).ok());
  const std::string large = pack(0, 5000, 14000);
  REQUIRE(large.size() > HistoryLog::kSegmentBytes);
  REQUIRE(bench.log->append(0, large).ok());
  REQUIRE(bench.log->append(5000, pack(5000, 100)).ok());
  CHECK(bench.files().size() == 2);
  CHECK(bench.rows(5100).size() == 5100);
}

TEST_CASE("store: beyond its size the oldest history goes, and what went is not shown by halves") {
  const TempDir dir;
  FakeDictionary dictionary;
  for (std::uint32_t i = 0; i < 5000; ++i) dictionary.add(prefix_key(i));
  for (int i = 0; i < 2; ++i) dictionary.add_path("path " + std::to_string(i));
  StoreOptions options;
  options.path = dir.path();
  options.history_bytes = 300'000;
  const auto make = [&](std::uint64_t n) {
    Commit commit;
    commit.sequence = n;
    commit.base = from_unix_micros(static_cast<std::int64_t>(n * kHourMicros));
    commit.alive_until = commit.base;
    if (n == 1) commit.new_paths = {0, 1};
    for (PrefixId prefix = 0; prefix < 5000; ++prefix)
      commit.routes.push_back({0, prefix, n == 1 ? kNoPath : static_cast<PathId>(n % 2),
                               static_cast<PathId>((n + 1) % 2), 0});
    return commit;
  };
  std::string error;
  std::uint64_t bytes = 0;
  std::uint64_t n = 0;
  // A file is begun at each start; every 64th group looks at the size.
  for (int start = 0; start < 8; ++start) {
    const auto store = Store::open(options, error);
    REQUIRE_MESSAGE(store, error);
    store->start(dictionary);
    for (int i = 0; i < 16; ++i) {
      store->submit(make(++n));
      REQUIRE(wait_durable(*store, n));
    }
  }
  for (const auto& file : std::filesystem::directory_iterator(dir.path() / "history"))
    bytes += file.file_size();
  const auto store = Store::open(options, error);
  CHECK(store->measures().history_bytes == bytes);
  std::vector<Timestamp> times;
  store->history(bgp::to_nlri(prefix_key(77)).prefix, Timestamp{}, Timestamp::max(),
                 [&](const HistoryRow& row) {
                   times.push_back(row.time);
                   return true;
                 });
  CHECK(bytes < 1'000'000);
  CHECK(times.size() < n);
  REQUIRE(times.size() >= 16);
  // Without a gap from the newest on.
  for (std::size_t i = 0; i < times.size(); ++i)
    CHECK(times[i] == from_unix_micros(static_cast<std::int64_t>((n - i) * kHourMicros)));
}

}  // namespace lapwing::rib::test
