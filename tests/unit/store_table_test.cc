#include <doctest/doctest.h>

#include <set>

#include "rib/store_database.h"
#include "rib/store_group.h"
#include "rib/store_queue.h"
#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

// Random commits and what the tables must hold after them.
class Writer {
 public:
  explicit Writer(std::uint64_t seed, unsigned prefixes = 6000) : random_(seed) {
    for (unsigned i = 0; i < prefixes; ++i) {
      Nlri nlri;
      nlri.prefix.address.version = i % 3 == 0 ? IpVersion::kV6 : IpVersion::kV4;
      nlri.family = i % 3 == 0 ? kIpv6Unicast : kIpv4Unicast;
      if (i % 17 == 0) {
        nlri.family.safi = kSafiVpn;
        nlri.rd = random_() % 3;
      }
      for (std::size_t b = 0; b < nlri.prefix.address.size(); ++b)
        nlri.prefix.address.bytes[b] = static_cast<std::uint8_t>(random_() % (b < 2 ? 256 : 4));
      nlri.prefix =
          Prefix::make(nlri.prefix.address, static_cast<std::uint8_t>(8 + random_() % 25));
      nlri.has_path_id = i % 11 == 0;
      nlri.path_id = nlri.has_path_id ? static_cast<std::uint32_t>(random_() % 3) : 0;
      // One id for one NLRI.
      if (known_.insert(nlri).second) dictionary.add(bgp::to_key(nlri));
    }
    for (int i = 0; i < 500; ++i) dictionary.add_path("path " + std::to_string(random_()));
  }

  Commit make(std::size_t routes) {
    Commit commit;
    commit.sequence = ++sequence;
    commit.base =
        from_unix_micros(1'700'000'000'000'000 + static_cast<std::int64_t>(sequence) * 1'000'000);
    commit.alive_until = commit.base;
    for (std::size_t i = 0; i < routes; ++i) {
      RouteWrite write;
      write.peer = static_cast<PeerId>(random_() % 4);
      write.prefix = static_cast<PrefixId>(random_() % known_.size());
      write.time_offset_us = static_cast<std::uint32_t>(i);
      write.after = random_() % 4 == 0 ? kNoPath : static_cast<PathId>(random_() % 500);
      PathId& now = current_.try_emplace({write.peer, write.prefix}, kNoPath).first->second;
      write.before = now;
      now = write.after;
      const RouteName name{bgp::to_nlri(dictionary.nlri_key(write.prefix)), write.peer};
      if (write.after == kNoPath) {
        table.erase(name);
      } else {
        table[name] = {dictionary.path(write.after),
                       commit.base + microseconds(write.time_offset_us)};
        if (paths_.insert(write.after).second) commit.new_paths.push_back(write.after);
      }
      commit.routes.push_back(write);
    }
    for (int i = 0; i < 3; ++i) {
      const std::string key = std::to_string(random_() % 20);
      if (random_() % 3 == 0) {
        commit.states.erase("new-upstream", key);
        states.erase({"new-upstream", key});
      } else {
        commit.states.put("new-upstream", key, std::to_string(sequence));
        states[{"new-upstream", key}] = std::to_string(sequence);
      }
    }
    return commit;
  }

  void remove(PeerId peer, Commit& commit) {
    commit.removed_peers.push_back(peer);
    std::erase_if(table, [peer](const auto& entry) { return entry.first.peer == peer; });
    std::erase_if(current_, [peer](const auto& entry) { return entry.first.first == peer; });
  }

  FakeDictionary dictionary;
  Table table;
  std::map<std::pair<std::string, std::string>, std::string> states;
  std::uint64_t sequence = 0;

 private:
  std::mt19937_64 random_;
  std::set<Nlri> known_;
  std::map<std::pair<PeerId, PrefixId>, PathId> current_;
  std::set<PathId> paths_;
};

}  // namespace

TEST_CASE("store: tables after any mix of small and large groups are those of a model") {
  const TempDir dir;
  Writer writer(5);
  for (int round = 0; round < 4; ++round) {
    auto store = open_store(dir.path());
    const Loaded before = load(*store);
    CHECK(before.in_order);
    if (round > 0) {
      CHECK((before.table == writer.table));
      CHECK(before.states == writer.states);
      CHECK(before.alive_until ==
            from_unix_micros(1'700'000'000'000'000 +
                             static_cast<std::int64_t>(writer.sequence) * 1'000'000));
    }
    store->start(writer.dictionary);
    const std::uint64_t first = writer.sequence;
    for (int i = 0; i < 12; ++i) {
      store->submit(writer.make(i % 4 == 3 ? 9000 : 40));
      if (i % 3 == 0) CHECK(wait_durable(*store, writer.sequence));
    }
    if (round == 2) {
      // Removed with routes before it in the same commit, and in a table of its own.
      Commit commit = writer.make(9000);
      writer.remove(1, commit);
      store->submit(std::move(commit));
    }
    if (round == 3) {
      Commit commit = writer.make(10);
      writer.remove(2, commit);
      store->submit(std::move(commit));
    }
    CHECK(wait_durable(*store, writer.sequence));
    CHECK(writer.sequence > first);
    CHECK(store->pending() == 0);
    CHECK(store->error() == "");
    store->stop();
    const Loaded now = load(*store);
    CHECK((now.table == writer.table));
  }
}

TEST_CASE("store: peers and blind intervals are kept, the last record of a peer wins") {
  const TempDir dir;
  FakeDictionary dictionary;
  PeerRecord peer;
  peer.id = 3;
  peer.name = "edge1";
  peer.as = 64500;
  const BlindInterval blind{3, {from_unix_micros(10), from_unix_micros(20)}, "reset"};
  {
    auto store = open_store(dir.path());
    store->start(dictionary);
    Commit commit;
    commit.sequence = 1;
    commit.peers = {peer};
    commit.blind = {blind, {4, {from_unix_micros(1), from_unix_micros(2)}, "other"}};
    peer.up = true;
    commit.peers.push_back(peer);
    store->submit(std::move(commit));
    store->stop();
  }
  auto store = open_store(dir.path());
  const Loaded loaded = load(*store);
  REQUIRE(loaded.peers.size() == 1);
  CHECK(loaded.peers[0] == peer);
  CHECK(store->blind_intervals(3) == std::vector{blind});
  CHECK(store->blind_intervals(5).empty());
}

TEST_CASE("store: commits joined while the disk is ill mean the same as one by one") {
  std::deque<Commit> commits;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    Commit commit;
    commit.sequence = i;
    commit.base = from_unix_micros(static_cast<std::int64_t>(1000 * i));
    commit.routes = {{0, 1, static_cast<PathId>(i - 1), static_cast<PathId>(i), 5},
                     {0, static_cast<PrefixId>(10 + i), kNoPath, 1, 6}};
    commit.states.put("d", "k", std::to_string(i));
    if (i == 4) commit.events = {make_event(4)};
    commits.push_back(std::move(commit));
  }
  // It came and went while it waited.
  commits[4].routes.push_back({0, 15, 1, kNoPath, 7});
  commits.push_back({});
  commits[6].sequence = 7;
  commits[6].record_history = false;
  commits[6].base = commits[5].base;
  commits[6].routes = {{1, 1, kNoPath, 1, 0}};
  commits.emplace(commits.begin() + 3);  // no routes, no base
  commits[3].record_history = false;
  join_commits(commits);
  REQUIRE(commits.size() == 2);  // what is no history stays apart
  CHECK(commits[1].sequence == 7);
  CHECK(commits[0].sequence == 6);
  CHECK(commits[0].events.size() == 1);
  REQUIRE(commits[0].routes.size() == 6);
  const RouteWrite& joined = commits[0].routes[4];
  CHECK(joined.prefix == 1);
  CHECK(joined.before == 0);
  CHECK(joined.after == 6);
  CHECK(commits[0].base + microseconds(joined.time_offset_us) == from_unix_micros(6005));
  REQUIRE(commits[0].states.size() == 1);
  CHECK(commits[0].states[0].value == "6");
}

TEST_CASE("store: a group keeps the history of a neighbour that is removed in it") {
  FakeDictionary dictionary;
  const PathId path = dictionary.add_path("x");
  std::vector<Commit> commits(2);
  for (PrefixId i = 0; i < 6000; ++i) {
    dictionary.add("10." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/24");
    commits[0].routes.push_back({i % 2, i, path, kNoPath, 0});
  }
  commits[0].removed_peers = {1};
  commits[1].routes.push_back({1, 7, kNoPath, path, 0});
  const Group group(commits, dictionary, true, 100);
  CHECK(group.next_history_row() == 100 + 6001);
  CHECK(group.history_is_large());
}

TEST_CASE("state writes: joined in order, of each key the last one stays, an erasure too") {
  StateWrites first, later;
  first.put("d", "a", "1");
  first.put("d", std::string_view("b\0c", 3), "");
  first.put("longer", "a", "2");
  later.erase("d", "a");
  later.put("longer", "a", "3");
  later.put("d", "e", "4");
  first.append(std::move(later));
  REQUIRE(first.size() == 6);
  CHECK(first[3].stored_key == std::string_view("d\0a", 3));
  CHECK_FALSE(first[3].value);
  CHECK(first[4].detector == "longer");
  CHECK(first[4].value == "3");
  first.keep_last_of_each();
  REQUIRE(first.size() == 4);
  CHECK(first[0].key == std::string_view("b\0c", 3));
  CHECK(first[0].value == "");
  CHECK(first[1].key == "a");
  CHECK_FALSE(first[1].value);
  CHECK(first[2].value == "3");
  CHECK(first[3].value == "4");
}

TEST_CASE("store: a full disk keeps what is named, and forgets a path that came and went") {
  CommitQueue queue(1 << 20);
  std::vector<Commit> taken;
  Commit first;
  first.new_paths = {40, 41};
  first.routes = {{0, 1, kNoPath, 40, 0}};
  queue.push(std::move(first));
  REQUIRE(queue.take(taken, std::chrono::milliseconds(0)));
  CHECK_FALSE(queue.squeeze().has_value());
  queue.set_well(false);
  Commit second;
  second.new_paths = {42, 43, 44, 45};
  second.path_octets = 400;
  second.routes = {{0, 1, 39, 42, 0}, {0, 2, kNoPath, 43, 0}, {0, 3, kNoPath, 44, 0}};
  queue.push(std::move(second));
  Commit third;
  third.routes = {{0, 1, 42, 44, 0}, {0, 2, 43, kNoPath, 0}};
  queue.push(std::move(third));
  const auto names = queue.squeeze();
  REQUIRE(names.has_value());
  CHECK(names->prefixes == std::vector<PrefixId>{1, 3});
  CHECK(names->paths == std::vector<PathId>{39, 40, 41, 44});
  CHECK(queue.pending() == 3);
  queue.written(taken);
  queue.set_well(true);
  REQUIRE(queue.take(taken, std::chrono::milliseconds(0)));
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].new_paths == std::vector<PathId>{44});
  CHECK(taken[0].path_octets == 100);
  REQUIRE(taken[0].routes.size() == 2);
  queue.written(taken);
  CHECK(queue.pending() == 0);
  CHECK(queue.bytes() == 0);
}

// A commit that only drops a neighbour's routes is pending, too: 0 means that all is on disk.
TEST_CASE("store queue: commits without routes are pending until they are written") {
  CommitQueue queue(1 << 20);
  queue.push({});
  CHECK(queue.pending() == 0);
  Commit removal;
  removal.removed_peers = {1};
  queue.push(std::move(removal));
  CHECK(queue.pending() == 1);
  Commit routes;
  routes.routes = {{0, 1, kNoPath, 1, 0}, {0, 2, kNoPath, 1, 0}};
  queue.push(std::move(routes));
  CHECK(queue.pending() == 3);
  queue.set_well(false);
  REQUIRE(queue.squeeze().has_value());
  CHECK(queue.pending() == 2);  // joined
  std::vector<Commit> taken;
  REQUIRE(queue.take(taken, std::chrono::milliseconds(0)));
  CHECK(queue.pending() == 2);
  queue.written(taken);
  CHECK(queue.pending() == 0);
  Commit unused;
  unused.new_paths = {7};
  queue.push(std::move(unused));
  CHECK(queue.pending() == 1);
  REQUIRE(queue.squeeze().has_value());
  CHECK(queue.pending() == 0);  // nobody reads it: nothing is left of the commit
  REQUIRE(queue.take(taken, std::chrono::milliseconds(0)));
  queue.written(taken);
  CHECK(queue.pending() == 0);
}

TEST_CASE("store: a second process is told that the database is in use") {
  const TempDir dir;
  const auto store = open_store(dir.path());
  StoreOptions options;
  options.path = dir.path();
  std::string error;
  CHECK_FALSE(Store::open(options, error));
  CHECK(error.find("in use") != std::string::npos);
  CHECK(error.find(dir.path().string()) != std::string::npos);
}

namespace {

/// A store at work, and what has been acknowledged as synced.
struct Syncing {
  explicit Syncing(std::chrono::seconds interval)
      : store(open_store(dir.path(), interval)) {
    store->start(writer.dictionary);
    before = synced();
  }
  std::uint64_t synced() const { return Database::synced_group(dir.path()).value_or(0); }
  /// A group of `routes`, until it is written.
  void write(std::size_t routes) {
    store->submit(writer.make(routes));
    REQUIRE(wait_durable(*store, writer.sequence));
  }

  const TempDir dir;
  Writer writer{7};
  const std::unique_ptr<Store> store;
  std::uint64_t before = 0;
};

}  // namespace

TEST_CASE("store: the log is synced as often as sync-interval says, and at the end") {
  for (const int seconds : {0, 1, 60}) {
    CAPTURE(seconds);
    Syncing s{std::chrono::seconds(seconds)};
    s.write(10);
    if (seconds == 0) CHECK(s.synced() == s.before + 1);
    const auto until = std::chrono::steady_clock::now() +
                       (seconds == 60 ? std::chrono::milliseconds(2500) : std::chrono::seconds(20));
    while (s.synced() == s.before && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(s.synced() == s.before + (seconds == 60 ? 0 : 1));
    s.store->stop();
    CHECK(s.synced() == s.before + 1);
  }
}

TEST_CASE("store: a group that becomes tables is preceded by a sync of what was written before") {
  Syncing s{std::chrono::hours(1)};
  s.write(10);
  CHECK(s.synced() == s.before);
  s.write(9000);
  CHECK(s.synced() == s.before + 2);
}

}  // namespace lapwing::rib::test
