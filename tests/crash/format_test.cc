#include <doctest/doctest.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "rib/store_check.h"
#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kPrefixes = 4500;
constexpr std::uint64_t kCommits = 40;

// What stands in tests/data/store-format-1.tar.xz. It is never changed: a later format has a file
// and a story of its own.
class Story {
 public:
  Story() {
    for (std::uint32_t i = 0; i < kPrefixes; ++i) {
      bgp::NlriKey key;
      key.safi = kSafiUnicast;
      key.afi = i % 4 == 3 ? kAfiIpv6 : kAfiIpv4;
      key.length = i % 4 == 3 ? 32 : 24;
      key.high = i % 4 == 3 ? static_cast<std::uint64_t>(0x2a000000 + i) << 32
                            : static_cast<std::uint64_t>(20u << 24 | i << 8) << 32;
      if (i % 50 == 0) {
        key.safi = kSafiVpn;
        key.rd = 0x0000fc0000000001;
      } else if (i % 50 == 1) {
        key.has_path_id = 1;
        key.path_id = i;
      }
      dictionary.add(key);
    }
    for (unsigned i = 0; i < 60; ++i)
      dictionary.add_path(
          {'\1', '\1', '\0', '\2', '\4', '\2', '\2', static_cast<char>(i + 1), '\7'});
  }

  Commit make(std::uint64_t n) const {
    Commit commit;
    commit.sequence = n;
    commit.base =
        from_unix_micros(static_cast<std::int64_t>(1'506'848'871'000'000 + n * 61'000'000));
    commit.alive_until = commit.base + std::chrono::seconds(1);
    if (n == 1) {
      commit.record_history = false;
      for (PathId id = 0; id < 60; ++id) commit.new_paths.push_back(id);
      for (PeerId id = 0; id < 2; ++id) {
        PeerRecord peer;
        peer.id = id;
        peer.name = id == 0 ? "edge1" : "rr-caf\xc3\xa9";
        peer.address = *parse_address(id == 0 ? "192.0.2.1" : "2001:db8::1");
        peer.as = id == 0 ? 4200000000 : 64512;
        peer.local_as = 64512;
        peer.up = true;
        peer.last_change = commit.base;
        peer.families = {{kIpv4Unicast, true}, {kIpv6Unicast, false}};
        commit.peers.push_back(peer);
      }
    }
    const std::uint32_t routes = n <= 3 ? kPrefixes : 30;
    for (std::uint32_t i = 0; i < routes; ++i) {
      RouteWrite write;
      write.prefix = n <= 3 ? i : static_cast<PrefixId>((n * 131 + i * 7) % kPrefixes);
      write.peer = write.prefix % 2;
      write.before = paths_[write.prefix];
      write.after = (n + write.prefix) % 11 == 0 && n > 3
                        ? kNoPath
                        : static_cast<PathId>((n * 7 + write.prefix / 150) % 60);
      write.time_offset_us = i / 500;
      paths_[write.prefix] = write.after;
      commit.routes.push_back(write);
    }
    const std::string key = std::string("key\0", 4) + std::to_string(n % 9);
    if (n % 9 == 5)
      commit.states.erase("new-upstream", key);
    else
      commit.states.put("new-upstream", key, "value " + std::to_string(n));
    if (n % 5 == 0) {
      commit.blind.push_back({0, {commit.base, commit.alive_until}, "the hold timer expired"});
      commit.events.push_back(event(n));
    }
    return commit;
  }

  static Event event(std::uint64_t n) {
    Event e = make_event(n);
    e.severity = Severity::kWarning;
    e.action = Action::kClear;
    e.cause = Cause::kResync;
    e.origin_as = 131279;
    e.upstream_as = 4200000000;
    e.prefixes = {*parse_prefix("175.45.176.0/24"), *parse_prefix("2001:db8::/32")};
    e.prefix_count = 2;
    e.origin_prefix_count = 4;
    e.peers = {"edge1"};
    e.direct = false;
    e.changed_between = TimeRange{e.time - std::chrono::hours(1), e.time};
    e.known_upstreams = {{KnownUpstream{4837, e.time, e.time, true}}};
    e.evidence = {Evidence{"edge1", 3333, e.prefixes[0], "3333 4837 131279", std::nullopt, e.time}};
    e.fields = {{"count", std::int64_t{-7}},
                {"mixed", true},
                {"class", std::string("upstream")},
                {"since", e.time},
                {"ases", std::vector<Asn>{1, 4294967295}},
                {"samples", std::vector<std::string>{"one", ""}}};
    e.rule = "a rule in words";
    return e;
  }

  FakeDictionary dictionary;

 private:
  mutable std::vector<PathId> paths_ = std::vector<PathId>(kPrefixes, kNoPath);
};

fs::path fixture() { return fs::path(LAPWING_TEST_DATA) / "store-format-1.tar.xz"; }

void run(const std::string& command) { REQUIRE(std::system(command.c_str()) == 0); }

}  // namespace

// By hand, once for each format: `format_test --no-skip -tc="*writes the fixture*"`.
TEST_CASE("format: writes the fixture" * doctest::skip()) {
  const TempDir dir;
  {
    const Story story;
    const auto store = open_store(dir.path() / "store");
    store->start(story.dictionary);
    CHECK(store->journal().cursor("syslog:udp://192.0.2.9:514") == 0);
    for (std::uint64_t n = 1; n <= kCommits; ++n) {
      store->submit(story.make(n));
      REQUIRE(wait_durable(*store, n));
      if (n == 30) store->journal().set_cursor("syslog:udp://192.0.2.9:514", 4);
    }
    store->stop();
  }
  run("rm -rf " + (dir.path() / "store" / "ingest").string() + " && tar -C " + dir.path().string() +
      " --owner=0 --group=0 --mtime=@0 -cJf " + fixture().string() + " store");
}

TEST_CASE("format: a store of the first release is read as it was written") {
  const TempDir dir;
  run("tar -C " + dir.path().string() + " -xJf " + fixture().string());
  const StoreCheck check = check_store(dir.path() / "store");
  for (const std::string& fault : check.faults) CHECK(fault == "");

  const Story story;
  Table table;
  std::map<std::pair<std::string, std::string>, std::string> states;
  std::vector<Event> events;
  std::vector<BlindInterval> blind;
  std::vector<PeerRecord> peers;
  std::map<PrefixId, std::vector<std::pair<Timestamp, std::optional<std::string>>>> history;
  for (std::uint64_t n = 1; n <= kCommits; ++n) {
    const Commit commit = story.make(n);
    for (const RouteWrite& write : commit.routes) {
      const Timestamp time = commit.base + std::chrono::microseconds(write.time_offset_us);
      const RouteName name{bgp::to_nlri(story.dictionary.nlri_key(write.prefix)), write.peer};
      if (write.after == kNoPath)
        table.erase(name);
      else
        table[name] = {story.dictionary.path(write.after), time};
      if (n > 1 && write.before != write.after)
        history[write.prefix].push_back(
            {time, write.before == kNoPath ? std::nullopt
                                           : std::optional(story.dictionary.path(write.before))});
    }
    for (std::size_t i = 0; i < commit.states.size(); ++i) {
      const StateWrite state = commit.states[i];
      const std::pair name{std::string(state.detector), std::string(state.key)};
      if (state.value)
        states[name] = *state.value;
      else
        states.erase(name);
    }
    events.insert(events.end(), commit.events.begin(), commit.events.end());
    blind.insert(blind.end(), commit.blind.begin(), commit.blind.end());
    peers.insert(peers.end(), commit.peers.begin(), commit.peers.end());
  }

  const auto store = open_store(dir.path() / "store");
  CHECK(store->recovery_report() == "");
  const Loaded loaded = load(*store);
  CHECK(loaded.alive_until == story.make(kCommits).alive_until);
  CHECK((loaded.table == table));
  CHECK((loaded.states == states));
  CHECK((loaded.peers == peers));
  CHECK((store->blind_intervals(0) == blind));
  const auto entries = store->journal().read_after(0, 100);
  REQUIRE(entries.size() == events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    CHECK(entries[i].number == i + 1);
    CHECK((entries[i].event == events[i]));
  }
  CHECK(store->journal().cursor("syslog:udp://192.0.2.9:514") == 4);
  std::size_t rows = 0;
  for (const auto& known : history) {
    const auto prefix = known.first;
    const auto& wanted = known.second;
    if (prefix % 29 != 0 && prefix % 50 > 1) continue;
    std::vector<std::pair<Timestamp, std::optional<std::string>>> found;
    const bgp::NlriKey key = story.dictionary.nlri_key(prefix);
    store->history(bgp::to_nlri(key).prefix, Timestamp{}, Timestamp::max(),
                   [&](const HistoryRow& row) {
                     CHECK((row.nlri == key));
                     CHECK(row.peer == prefix % 2);
                     auto& out = found.emplace_back(row.time, std::nullopt);
                     if (row.before)
                       out.second = std::string(row.before->begin(), row.before->end());
                     return true;
                   });
    std::reverse(found.begin(), found.end());
    CHECK((found == wanted));
    rows += found.size();
  }
  CHECK(rows > 500);
  CHECK(check.history_rows > 2 * kPrefixes);
}

TEST_CASE("format: a newer one is refused by name, by the collector and by what only reads") {
  const TempDir dir;
  run("tar -C " + dir.path().string() + " -xJf " + fixture().string());
  const std::string path = (dir.path() / "store" / "db").string();
  {
    std::vector<std::string> names;
    REQUIRE(rocksdb::DB::ListColumnFamilies({}, path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    REQUIRE(rocksdb::DB::Open({}, path, families, &handles, &db).ok());
    REQUIRE(db->Put(rocksdb::WriteOptions(), "format", "2").ok());
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
  }
  StoreOptions options;
  options.path = dir.path() / "store";
  std::string error;
  CHECK_FALSE(Store::open(options, error));
  const StoreCheck check = check_store(options.path);
  REQUIRE(check.faults.size() == 1);
  for (const std::string& text : {error, check.faults[0]}) {
    CHECK(text.find("format 2 by a newer Lapwing") != std::string::npos);
    CHECK(text.find("reads up to 1") != std::string::npos);
    CHECK(text.find("install the newer version") != std::string::npos);
  }
}

}  // namespace lapwing::rib::test
