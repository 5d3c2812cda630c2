#include <doctest/doctest.h>

#include <set>

#include "detectors/event_text.h"
#include "detectors/knowledge.h"
#include "detectors/sightings.h"
#include "tests/unit/fake_host.h"

namespace lapwing::detectors {
namespace {

/// Only what Sightings asks: which NLRI a prefix id stands for.
class Names final : public Host {
 public:
  std::vector<Nlri> nlris;
  Timestamp now() const override { return {}; }
  PathView path(PathId) const override { return {}; }
  Nlri nlri(PrefixId id) const override { return nlris.at(id); }
  std::optional<PrefixId> find_prefix(const Nlri&) const override { return std::nullopt; }
  const PeerInfo& peer(PeerId) const override { return peer_; }
  bool has_path(PathId) const override { return false; }
  bool has_prefix(PrefixId id) const override { return id < nlris.size(); }
  bool has_peer(PeerId) const override { return false; }
  const Watch& watch() const override { return watch_; }
  std::span<const Asn> route_server_ases() const override { return {}; }
  bool is_stale(PeerId, PrefixId) const override { return false; }
  void for_each_route(PrefixId, FunctionRef<bool(const RouteView&)>) const override {}
  void set_timer(std::uint64_t, Timestamp) override {}
  void cancel_timer(std::uint64_t) override {}
  void put_state(std::string_view, std::string_view) override {}
  void erase_state(std::string_view) override {}
  void emit(Event&&) override {}

 private:
  PeerInfo peer_;
  Watch watch_;
};

}  // namespace

TEST_CASE("a count beyond what a node holds stays exact") {
  Names host;
  host.nlris = {test::nlri_of("10.0.0.0/24")};
  Sightings s;
  s.attach(host);
  s.add_adjacency(0);
  for (int i = 0; i < 3000; ++i) CHECK(s.add(0, 0) == (i == 0));
  CHECK(s.prefixes(0) == 1);
  for (int i = 0; i < 3000; ++i) CHECK(s.remove(0, 0) == (i == 2999));
  CHECK(s.prefixes(0) == 0);
  CHECK(s.nodes() == 0);
}

TEST_CASE("counts agree with a simple model over a long random history, ADD-PATH included") {
  Names host;
  // 30 prefixes, each plain and with three path identifiers; path identifiers appear late.
  for (int i = 0; i < 30; ++i)
    for (const char* id : {"", "#1", "#2", "#3"})
      host.nlris.push_back(test::nlri_of("10.0." + std::to_string(i) + ".0/24" + id));
  Sightings s;
  s.attach(host);
  constexpr std::uint32_t kAdjacencies = 12, kOrigins = 4;
  for (std::uint32_t a = 0; a < kAdjacencies; ++a) s.add_adjacency(a % kOrigins);
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> routes;  // (prefix id, adjacency)
  std::uint64_t random = 7;
  const auto next = [&](std::uint32_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>(random >> 33) % below;
  };
  for (int step = 0; step < 40000; ++step) {
    std::uint32_t p = next(120);
    if (step < 10000) p -= p % 4;
    const std::uint32_t a = next(kAdjacencies);
    auto it = routes.find({p, a});
    if (next(100) < (step < 38000 ? 50u : 0u)) {
      s.add(p, a);
      ++routes[{p, a}];
    } else if (it != routes.end()) {
      s.remove(p, a);
      if (--it->second == 0) routes.erase(it);
    }
    const auto used = routes.lower_bound({p, 0});
    if (used == routes.end() || used->first.first != p) s.release(p);
    if (step % 97 != 0) continue;
    std::map<std::uint32_t, std::set<std::uint32_t>> by_adjacency, by_origin;
    for (const auto& [key, n] : routes) {
      by_adjacency[key.second].insert(key.first / 4);
      by_origin[key.second % kOrigins].insert(key.first / 4);
    }
    for (std::uint32_t n = 0; n < kAdjacencies; ++n) {
      REQUIRE(s.prefixes(n) == by_adjacency[n].size());
      std::set<std::uint32_t> listed;
      s.for_each_prefix(n, [&](std::span<const PrefixId> ids) {
        CHECK(listed.insert(ids[0] / 4).second);
        return true;
      });
      REQUIRE(listed == by_adjacency[n]);
    }
    for (std::uint32_t o = 0; o < kOrigins; ++o)
      REQUIRE(s.origin_prefixes(o) == by_origin[o].size());
  }
  while (!routes.empty()) {
    const auto [key, n] = *routes.begin();
    for (int i = 0; i < n; ++i) s.remove(key.first, key.second);
    routes.erase(routes.begin());
  }
  CHECK(s.nodes() == 0);
}

TEST_CASE("a released prefix id takes what it still showed along") {
  Names host;
  host.nlris = {test::nlri_of("10.0.0.0/24"), test::nlri_of("10.0.1.0/24")};
  Sightings s;
  s.attach(host);
  s.add_adjacency(0);
  s.add_adjacency(0);
  s.add(0, 0);
  s.add(0, 1);
  s.add(1, 0);
  s.release(0);
  CHECK(s.prefixes(0) == 1);
  CHECK(s.prefixes(1) == 0);
  CHECK(s.origin_prefixes(0) == 1);
  CHECK(s.nodes() == 1);
}

TEST_CASE("a key index finds every key that was put in, by both halves, and no other") {
  for (const std::uint64_t seed : {0ull, 0x9e3779b97f4a7c15ull}) {
    KeyIndex index;
    index.set_seed(seed);
    CHECK_EQ(index.find(0), KeyIndex::kNone);
    constexpr std::uint32_t kKeys = 5000;
    const auto key = [](std::uint32_t n) { return std::uint64_t{n % 71} << 32 | n / 71; };
    for (std::uint32_t n = 0; n < kKeys; ++n) index.insert(key(n), n);
    for (std::uint32_t n = 0; n < kKeys; ++n) CHECK_EQ(index.find(key(n)), n);
    for (std::uint32_t n = kKeys; n < 2 * kKeys; ++n) CHECK_EQ(index.find(key(n)), KeyIndex::kNone);
  }
}

TEST_CASE("knowledge survives its own encoding, and nothing shorter or longer") {
  Knowledge k;
  const std::uint32_t n = k.name(131279, 20485);
  for (int i = 0; i < 90; ++i) {
    k.open(n, from_unix_micros(i * 10));
    if (i < 89) k.close(n, from_unix_micros(i * 10 + 5), from_unix_micros(i * 10 + 5));
  }
  k[n].raised = k[n].damped = true;
  k[n].folded = 7;
  std::string value;
  k.encode(n, value);
  CHECK(k.intervals(n).size() == kMaxIntervals);
  Knowledge other;
  REQUIRE(other.restore(131279, 20485, value));
  const std::uint32_t m = other.find(131279, 20485);
  std::string again = "of an earlier one";
  other.encode(m, again);
  CHECK(again == value);
  CHECK(other[m].activations == 90);
  CHECK(other.origin(other.find_origin(131279)).open == 1);
  for (std::size_t size = 0; size < value.size(); ++size)
    CHECK_FALSE(Knowledge().restore(1, 2, value.substr(0, size)));
  CHECK_FALSE(Knowledge().restore(1, 2, value + "x"));
  CHECK_FALSE(Knowledge().restore(1, 2, "\3" + value.substr(1)));
  CHECK_FALSE(Knowledge().restore(1, 2, std::string(1, '\0') + value.substr(1)));
}

TEST_CASE(
    "knowledge: of many intervals the shortest absences of old are closed; nothing else is lost") {
  Knowledge k;
  const std::uint32_t n = k.name(1, 2);
  const auto active = [&](std::int64_t from, std::int64_t to) {
    k.open(n, from_unix_micros(from));
    k.close(n, from_unix_micros(to), from_unix_micros(to));
  };
  const auto interval = [](std::int64_t from, std::int64_t to, std::uint32_t gaps = 0) {
    return Interval{from_unix_micros(from), from_unix_micros(to), gaps};
  };
  active(0, 1000);     // the beginning,
  active(1500, 2000);  // after 500,
  active(2400, 3000);  // after 400,
  for (std::int64_t i = 0; i < 61; ++i) active(10000 + 1000 * i, 10300 + 1000 * i);  // after 700
  REQUIRE(k.intervals(n).size() == kMaxIntervals);
  active(80000, 80001);
  REQUIRE(k.intervals(n).size() == kMaxIntervals);
  CHECK(k.intervals(n)[1] == interval(1500, 3000, 1));
  active(80100, 80101);  // a short absence, but of now
  CHECK(k.intervals(n)[0] == interval(0, 3000, 2));
  active(80200, 80201);
  CHECK(k.intervals(n)[0] == interval(0, 3000, 2));
  CHECK(k.intervals(n)[1] == interval(10000, 11300, 1));  // of equal ones the oldest
  CHECK(k.intervals(n).back() == interval(80200, 80201));
  for (int i = 0; i < 1000; ++i) active(90000 + 10 * i, 90005 + 10 * i);
  CHECK(k.intervals(n).size() == kMaxIntervals);
  CHECK(k.intervals(n).front() == interval(0, 3000, 2));
  std::uint32_t gaps = 0;
  for (const Interval& i : k.intervals(n)) gaps += i.gaps;
  CHECK(gaps + kMaxIntervals == 1067);  // each activation is counted
}

TEST_CASE("knowledge: a value of format 1 is understood") {
  std::string value("\1\1", 2);
  put_u32(value, 2);
  put_u32(value, 0);
  for (const std::int64_t t : {1, 2, 3, 0}) put_time(value, from_unix_micros(t));
  put_u8(value, 1);
  for (const std::int64_t t : {1, 2}) put_time(value, from_unix_micros(t));
  Knowledge k;
  REQUIRE(k.restore(1, 2, value));
  CHECK(k.intervals(0) == std::vector{Interval{from_unix_micros(1), from_unix_micros(2), 0}});
  CHECK(k[0].open);
}

TEST_CASE("many names are all found again") {
  Knowledge k;
  for (Asn o = 1; o <= 200; ++o)
    for (Asn u = 1; u <= 50; ++u) k.name(o, u);
  CHECK(k.size() == 10000);
  for (Asn o = 1; o <= 200; ++o)
    for (Asn u = 1; u <= 50; ++u) {
      const std::uint32_t n = k.find(o, u);
      REQUIRE(n != kNoNumber);
      REQUIRE((k[n].origin == o && k[n].upstream == u));
    }
  CHECK(k.find(201, 1) == kNoNumber);
}

}  // namespace lapwing::detectors
