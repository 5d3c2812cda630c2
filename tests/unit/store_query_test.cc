#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "rib/store_codec.h"
#include "rib/store_view.h"
#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

using Rows = std::vector<std::pair<RouteName, RouteState>>;

Rows ask(const Store& store, const std::optional<Prefix>& prefix, Match match,
         const std::vector<PeerId>& peers) {
  Rows rows;
  store.routes(
      prefix, match, peers,
      [&](PeerId peer, const bgp::NlriKey& key, Octets path, Timestamp since) {
        rows.push_back({{bgp::to_nlri(key), peer},
                        {{reinterpret_cast<const char*>(path.data()), path.size()}, since}});
        return true;
      });
  // The same in pages of three is the same.
  std::size_t seen = 0;
  std::optional<Store::RoutePosition> after;
  for (bool more = true; more;) {
    std::size_t given = 0;
    store.routes(
        prefix, match, peers,
        [&](PeerId peer, const bgp::NlriKey& key, Octets, Timestamp) {
          if (given == 3) return false;
          ++given;
          after = Store::RoutePosition{key, peer};
          const bool same = seen < rows.size() &&
                            rows[seen].first == RouteName{bgp::to_nlri(key), peer};
          CHECK(same);
          ++seen;
          return same;
        },
        after);
    more = given == 3;
  }
  CHECK(seen == rows.size());
  return rows;
}

bool matches(const Prefix& wanted, Match match, const Prefix& prefix) {
  if (match == Match::kExact) return prefix == wanted;
  return match == Match::kLonger ? wanted.contains(prefix) : prefix.contains(wanted);
}

Rows brute_force(const Table& table, const std::optional<Prefix>& prefix, Match match,
                 const std::vector<PeerId>& peers) {
  for (const bool unicast : {true, false}) {
    Rows rows;
    std::map<std::tuple<PeerId, Family, std::uint64_t>, unsigned> longest;
    for (const auto& [name, state] : table) {
      if (std::find(peers.begin(), peers.end(), name.peer) == peers.end()) continue;
      if (prefix && ((name.nlri.family.safi == kSafiUnicast) != unicast ||
                     !matches(*prefix, match, name.nlri.prefix)))
        continue;
      unsigned& length = longest[{name.peer, name.nlri.family, name.nlri.rd}];
      length = std::max<unsigned>(length, name.nlri.prefix.length);
      rows.push_back({name, state});
    }
    if (prefix && match == Match::kLongest)
      std::erase_if(rows, [&](const auto& row) {
        const Nlri& nlri = row.first.nlri;
        return nlri.prefix.length != longest[{row.first.peer, nlri.family, nlri.rd}];
      });
    if (!rows.empty() || !prefix) return rows;
  }
  return {};
}

Prefix random_prefix(std::mt19937_64& random) {
  IpAddress address;
  address.version = random() % 3 == 0 ? IpVersion::kV6 : IpVersion::kV4;
  for (std::size_t i = 0; i < address.size(); ++i)
    address.bytes[i] =
        static_cast<std::uint8_t>(random() % (i == 0 ? 3 : 256) & (i == 0 ? 3 : 0x81));
  const unsigned max = address.version == IpVersion::kV4 ? 32 : 128;
  const std::uint64_t length = random() % 3 == 0 ? random() % (max + 1) : random() % 18;
  return Prefix::make(address, static_cast<std::uint8_t>(length));
}

struct Queried {
  TempDir dir;
  FakeDictionary dictionary;
  Table table;
  std::unique_ptr<Store> store;
};

void fill(Queried& q, std::mt19937_64& random) {
  for (int i = 0; i < 30; ++i) q.dictionary.add_path("path " + std::to_string(i));
  std::set<Nlri> known;
  Commit commit;
  commit.sequence = 1;
  commit.base = from_unix_micros(1'700'000'000'000'000);
  for (PathId id = 0; id < 30; ++id) commit.new_paths.push_back(id);
  for (int i = 0; i < 900; ++i) {
    Nlri nlri;
    nlri.prefix = random_prefix(random);
    const bool v4 = nlri.prefix.address.version == IpVersion::kV4;
    nlri.family = v4 ? kIpv4Unicast : kIpv6Unicast;
    if (i % 5 == 0) nlri.family.safi = i % 2 == 0 ? kSafiVpn : kSafiMulticast;
    if (nlri.family.safi == kSafiVpn)
      nlri.rd = random() % 3 == 0 ? ~std::uint64_t{0} : random() % 2;
    nlri.has_path_id = i % 7 == 0;
    nlri.path_id = nlri.has_path_id ? static_cast<std::uint32_t>(random() % 2) - 1 : 0;
    if (!known.insert(nlri).second) continue;
    const PrefixId id = q.dictionary.add(bgp::to_key(nlri));
    for (PeerId peer = 0; peer < 4; ++peer) {
      if (random() % 2 == 0) continue;
      const auto path = static_cast<PathId>(random() % 30);
      commit.routes.push_back({peer, id, kNoPath, path, static_cast<std::uint32_t>(i)});
      q.table[{nlri, peer}] = {q.dictionary.path(path), commit.base + microseconds(i)};
    }
  }
  q.store = open_store(q.dir.path());
  q.store->start(q.dictionary);
  q.store->submit(std::move(commit));
  REQUIRE(wait_durable(*q.store, 1));
}

}  // namespace

TEST_CASE("routes: every kind of match gives what a linear search gives, in order") {
  std::mt19937_64 random(7);
  Queried q;
  fill(q, random);
  const std::vector<std::vector<PeerId>> peer_sets = {{0, 1, 2, 3}, {2}, {3, 1}, {}, {9}};
  std::size_t found = 0;
  for (int i = 0; i < 1500; ++i) {
    auto it = q.table.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(random() % q.table.size()));
    const Prefix prefix = random() % 3 == 0 ? it->first.nlri.prefix : random_prefix(random);
    const auto& peers = peer_sets[random() % peer_sets.size()];
    for (const Match match : {Match::kExact, Match::kLongest, Match::kLonger, Match::kShorter}) {
      const Rows rows = ask(*q.store, prefix, match, peers);
      CAPTURE(format_prefix(prefix));
      CAPTURE(static_cast<int>(match));
      REQUIRE((rows == brute_force(q.table, prefix, match, peers)));
      found += rows.size();
    }
  }
  CHECK(found > 1000);
  for (const auto& peers : peer_sets)
    CHECK((ask(*q.store, std::nullopt, Match::kExact, peers) ==
           brute_force(q.table, std::nullopt, Match::kExact, peers)));
}

TEST_CASE("routes: the caller may end a read at any row") {
  std::mt19937_64 random(8);
  Queried q;
  fill(q, random);
  int told = 0;
  q.store->routes(std::nullopt, Match::kExact, {0, 1, 2, 3},
                  [&](PeerId, const bgp::NlriKey&, Octets, Timestamp) { return ++told < 5; });
  CHECK(told == 5);
}

namespace {

struct Change {
  std::int64_t time;
  PeerId peer;
  std::optional<std::string> before, after;
  friend bool operator==(const Change&, const Change&) = default;
};

std::vector<Change> ask_history(const Store& store, const std::string& prefix, std::int64_t from,
                                std::int64_t to) {
  const auto text = [](const std::optional<Octets>& o) -> std::optional<std::string> {
    if (!o) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(o->data()), o->size());
  };
  std::vector<Change> changes;
  store.history(
      *parse_prefix(prefix), from_unix_micros(from), from_unix_micros(to),
      [&](const HistoryRow& row) {
        changes.push_back({unix_micros(row.time), row.peer, text(row.before), text(row.after)});
        return true;
      });
  return changes;
}

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::int64_t kDay = 24 * kHour;

}  // namespace

TEST_CASE("history: what each route was before and after each change, newest first") {
  for (const std::size_t others : {0u, 5000u}) {  // as one batch, as table files
    const TempDir dir;
    FakeDictionary dictionary;
    const PathId a = dictionary.add_path("A");
    const PathId b = dictionary.add_path("B");
    const PathId none = dictionary.add_path("");
    const PrefixId p = dictionary.add("192.0.2.0/24");
    const PrefixId q = dictionary.add("192.0.2.0/25");
    std::vector<PrefixId> more;
    for (std::size_t i = 0; i < others; ++i)
      more.push_back(dictionary.add("10." + std::to_string(i / 256) + "." +
                                    std::to_string(i % 256) + ".0/24"));
    auto store = open_store(dir.path());
    store->start(dictionary);
    std::uint64_t sequence = 0;
    const std::int64_t t0 = 1000 * kDay;
    const auto commit = [&](std::int64_t time, std::vector<RouteWrite> routes, bool record = true) {
      Commit c;
      c.sequence = ++sequence;
      c.base = c.alive_until = from_unix_micros(time);
      c.new_paths = {a, b, none};
      c.routes = std::move(routes);
      for (const PrefixId id : more) c.routes.push_back({9, id, a, b, 0});
      c.record_history = record;
      store->submit(std::move(c));
      REQUIRE(wait_durable(*store, sequence));
    };
    commit(t0, {{0, p, kNoPath, a, 0}, {1, p, kNoPath, b, 0}, {2, q, kNoPath, a, 0}}, false);
    // Two changes in one commit: the table keeps the last, the history both.
    commit(t0 + 5, {{0, p, a, b, 0}, {0, p, b, a, 1}, {0, q, kNoPath, b, 0}, {1, p, b, b, 2}});
    commit(t0 + 3 * kHour, {{1, p, b, none, 0}});
    commit(t0 + 4 * kHour, {{1, p, none, kNoPath, 0}});

    const std::vector<Change> all = {{t0 + 4 * kHour, 1, "", std::nullopt},
                                     {t0 + 3 * kHour, 1, "B", ""},
                                     {t0 + 6, 0, "B", "A"},
                                     {t0 + 5, 0, "A", "B"}};
    CHECK((ask_history(*store, "192.0.2.0/24", 0, t0 + kDay) == all));
    CHECK((ask_history(*store, "192.0.2.0/24", t0 + 6, t0 + 3 * kHour) ==
           std::vector<Change>(all.begin() + 1, all.begin() + 3)));
    CHECK(ask_history(*store, "192.0.2.0/25", 0, t0 + kDay).size() == 1);
    CHECK(ask_history(*store, "192.0.2.0/26", 0, t0 + kDay).empty());
    // The whole table of a moment: today's, with all later changes undone.
    std::string error;
    const auto view = StoreView::open(dir.path(), error);
    REQUIRE_MESSAGE(view, error);
    const auto table_at = [&](std::int64_t micros, const std::vector<PeerId>& peers) {
      std::vector<std::string> rows;
      const bool read = view->routes_at(
          peers, from_unix_micros(micros),
          [&](PeerId peer, const bgp::NlriKey& key, Octets path, Timestamp) {
            rows.push_back(format_prefix(bgp::to_nlri(key).prefix) + " " + std::to_string(peer) +
                           " " + std::string(as_text(path)));
            return true;
          },
          error);
      CHECK_MESSAGE(read, error);
      return rows;
    };
    using Texts = std::vector<std::string>;
    CHECK(table_at(t0 - 1, {0}) == Texts{"192.0.2.0/24 0 A"});  // changed since: see StoreView
    CHECK(table_at(t0 - 1, {2}).empty());
    CHECK(table_at(t0, {2}) == Texts{"192.0.2.0/25 2 A"});
    CHECK(table_at(t0, {0, 1}) == Texts{"192.0.2.0/24 0 A", "192.0.2.0/24 1 B"});
    // The history's times follow its order: 192.0.2.0/25 stands behind a change at t0 + 6.
    CHECK(table_at(t0 + 5, {0, 1}) == Texts{"192.0.2.0/24 0 B", "192.0.2.0/24 1 B"});
    CHECK(table_at(t0 + 6, {0}) == Texts{"192.0.2.0/24 0 A", "192.0.2.0/25 0 B"});
    CHECK(table_at(t0 + 3 * kHour, {1}) == Texts{"192.0.2.0/24 1 "});
    CHECK(table_at(t0 + 4 * kHour, {1}).empty());
    const Texts before = table_at(t0, {9}), after = table_at(t0 + 4 * kHour, {9});
    CHECK(before.size() == others);
    CHECK(after.size() == others);
    CHECK(std::all_of(before.begin(), before.end(), [](const auto& row) { return row.ends_with(" 9 A"); }));
    CHECK(std::all_of(after.begin(), after.end(), [](const auto& row) { return row.ends_with(" 9 B"); }));
    // Rows go on being numbered after a restart.
    store.reset();
    store = open_store(dir.path());
    CHECK((ask_history(*store, "192.0.2.0/24", 0, t0 + kDay) == all));
  }
}

TEST_CASE("history: what is older than the setting is gone, by the time of the records") {
  const TempDir dir;
  FakeDictionary dictionary;
  const PathId a = dictionary.add_path("A");
  const PathId b = dictionary.add_path("B");
  const PrefixId p = dictionary.add("192.0.2.0/24");
  auto store = open_store(dir.path());
  store->start(dictionary);
  const std::int64_t t0 = 1000 * kDay;
  for (std::uint64_t day = 0; day < 100; ++day) {
    Commit c;
    c.sequence = day + 1;
    c.base = c.alive_until = from_unix_micros(t0 + static_cast<std::int64_t>(day) * kDay);
    c.new_paths = {a, b};
    c.routes = {{0, p, day % 2 == 0 ? a : b, day % 2 == 0 ? b : a, 0}};
    store->submit(std::move(c));
  }
  REQUIRE(wait_durable(*store, 100));
  const auto rows = ask_history(*store, "192.0.2.0/24", 0, t0 + 1000 * kDay);
  REQUIRE(rows.size() == 91);
  CHECK(rows.back().time == t0 + 9 * kDay);
}

}  // namespace lapwing::rib::test
