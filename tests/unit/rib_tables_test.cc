#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bgp/hash.h"
#include "lapwing/chunked_array.h"
#include "lapwing/shared_text.h"
#include "rib/adj_rib_in.h"
#include "rib/event_timers.h"
#include "rib/path_table.h"
#include "rib/prefix_table.h"
#include "rib/quarantine.h"

namespace lapwing::rib {
namespace {

bgp::NlriKey key_of(const char* prefix, std::uint32_t path_id = 0, bool add_path = false) {
  Nlri nlri;
  nlri.prefix = *parse_prefix(prefix);
  nlri.family = nlri.prefix.address.version == IpVersion::kV4 ? kIpv4Unicast : kIpv6Unicast;
  nlri.has_path_id = add_path;
  nlri.path_id = path_id;
  return bgp::to_key(nlri);
}

PrefixId intern(PrefixTable& table, const bgp::NlriKey& key) {
  return table.intern(key, PrefixTable::hash(key));
}

std::vector<std::uint8_t> octets_of(std::uint32_t value, std::size_t size) {
  std::vector<std::uint8_t> octets(size);
  for (std::size_t i = 0; i < size; ++i)
    octets[i] = static_cast<std::uint8_t>(value >> 8 * (i % 4)) ^ static_cast<std::uint8_t>(i / 4);
  return octets;
}

PathTable::Interned intern(PathTable& table, Octets octets,
                           PathTable::Form form = PathTable::Form::kPacked) {
  return table.intern(octets, bgp::hash_octets(bgp::hash_seed(), octets), form);
}

TEST_CASE("PrefixTable: every kind of NLRI has one id and gives its key back") {
  PrefixTable table;
  std::vector<bgp::NlriKey> keys{key_of("0.0.0.0/0"),
                                 key_of("::/0"),
                                 key_of("10.0.0.0/8"),
                                 key_of("10.0.0.0/9"),
                                 key_of("2001:db8::/32"),
                                 key_of("2001:db8::1/128"),
                                 key_of("10.0.0.0/8", 0, true),
                                 key_of("10.0.0.0/8", 7, true),
                                 key_of("2001:db8::/32", 7, true)};
  bgp::NlriKey vpn = key_of("10.0.0.0/8");
  vpn.safi = kSafiVpn;
  vpn.rd = 0x0000fde800000001;
  keys.push_back(vpn);
  vpn.rd = 2;
  keys.push_back(vpn);
  bgp::NlriKey multicast = key_of("10.0.0.0/8");
  multicast.safi = kSafiMulticast;
  keys.push_back(multicast);

  std::set<PrefixId> ids;
  for (const auto& key : keys) {
    const PrefixId id = intern(table, key);
    CHECK(ids.insert(id).second);
    CHECK(intern(table, key) == id);
    CHECK(table.key(id) == key);
    CHECK(table.family(id) == key.family());
    CHECK(table.prefix(id) == bgp::to_nlri(key).prefix);
    CHECK(bgp::to_key(bgp::to_nlri(key)) == key);
  }
  CHECK(table.size() == keys.size());
}

TEST_CASE("PrefixTable: ids are sorted by what they stand for") {
  std::vector<bgp::NlriKey> ordered;
  for (const char* prefix : {"10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16"})
    ordered.push_back(key_of(prefix));
  ordered.push_back(key_of("10.1.0.0/16", 3, true));
  ordered.push_back(key_of("10.1.0.0/16", 4, true));
  for (const char* prefix : {"2001:db8::/32", "2001:db8::1/128", "2001:db8::2/128"})
    ordered.push_back(key_of(prefix));
  std::vector<std::size_t> shuffled(ordered.size());
  std::iota(shuffled.begin(), shuffled.end(), 0);
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(1));
  PrefixTable table;
  std::vector<PrefixId> ids;
  for (const std::size_t n : shuffled) ids.push_back(intern(table, ordered[n]));
  table.sort(ids);
  std::vector<bgp::NlriKey> sorted;
  for (const PrefixId id : ids) sorted.push_back(table.key(id));
  CHECK(sorted == ordered);
}

TEST_CASE("PrefixTable: an id is kept until its release is durable, and revived before that") {
  PrefixTable table;
  const bgp::NlriKey key = key_of("192.0.2.0/24");
  const PrefixId id = intern(table, key);
  table.acquire(id);
  table.release(id, 5);
  CHECK(intern(table, key) == id);
  table.acquire(id);
  std::vector<PrefixId> freed;
  const auto note = [&](PrefixId i) { freed.push_back(i); };
  table.drain(5, note);
  CHECK(freed.empty());
  CHECK(table.key(id) == key);
  table.release(id, 6);
  table.drain(5, note);
  CHECK(freed.empty());
  table.drain(6, note);
  CHECK(freed == std::vector<PrefixId>{id});
  CHECK(table.find(key, PrefixTable::hash(key)) == PrefixTable::kNone);
  CHECK(intern(table, key_of("198.51.100.0/24")) == id);
}

TEST_CASE("PrefixTable: released twice while in quarantine, freed once, by the later commit") {
  PrefixTable table;
  const bgp::NlriKey key = key_of("192.0.2.0/24");
  const PrefixId id = intern(table, key);
  for (const std::uint64_t commit : {1u, 2u}) {
    table.acquire(id);
    table.release(id, commit);
  }
  int freed = 0;
  table.drain(1, [&](PrefixId) { ++freed; });
  CHECK(freed == 0);
  table.drain(2, [&](PrefixId) { ++freed; });
  CHECK(freed == 1);
}

TEST_CASE(
    "PrefixTable, PathTable: released more often than can be counted, freed when all is done") {
  constexpr std::uint64_t kTimes = 70'000;
  PrefixTable prefixes;
  PathTable paths;
  const PrefixId prefix = intern(prefixes, key_of("192.0.2.0/24"));
  const PathId path = intern(paths, octets_of(1, 40)).id;
  for (std::uint64_t commit = 1; commit <= kTimes; ++commit) {
    prefixes.acquire(prefix);
    prefixes.release(prefix, commit);
    paths.acquire(path);
    paths.release(path, commit);
  }
  std::vector<std::uint32_t> freed;
  const auto note = [&freed](std::uint32_t id) { freed.push_back(id); };
  // A counter of 16 bits would be at zero after the first of these, one that stops after the
  // second; the last release is not durable yet.
  for (const std::uint64_t durable : {kTimes - 65'536, kTimes - 1}) {
    prefixes.drain(durable, note);
    paths.drain(durable, note);
    CHECK(freed.empty());
  }
  CHECK(intern(paths, octets_of(1, 40)).id == path);
  // Named by a commit that waits, it stays, once; then it goes.
  const std::vector<std::uint32_t> named{0};
  prefixes.free_unnamed(named, note);
  paths.free_unnamed(named, note);
  CHECK(freed.empty());
  CHECK(paths.waiting() == paths.weight(path));
  prefixes.drain(kTimes, note);
  paths.drain(kTimes, note);
  CHECK(freed.size() == 2);
  CHECK(prefixes.size() == 0);
  CHECK(paths.size() == 0);
  CHECK(paths.waiting() == 0);
}

TEST_CASE("PrefixTable, PathTable: what no waiting commit names is free at once") {
  PrefixTable prefixes;
  PathTable paths;
  std::vector<std::uint32_t> freed;
  const auto note = [&freed](std::uint32_t id) { freed.push_back(id); };
  for (const std::uint32_t n : {0u, 1u, 2u}) {
    const char* const texts[] = {"10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/10"};
    const PrefixId prefix = intern(prefixes, key_of(texts[n]));
    const PathId path = intern(paths, octets_of(n, 40)).id;
    prefixes.acquire(prefix);
    paths.acquire(path);
    prefixes.release(prefix, 7);
    paths.release(path, 7);
    if (n == 0) continue;
    prefixes.acquire(prefix);  // announced again
    paths.acquire(path);
    if (n == 2) continue;
    prefixes.release(prefix, 8);
    paths.release(path, 8);
  }
  const std::vector<std::uint32_t> named{1};
  prefixes.free_unnamed(named, note);
  CHECK(freed == std::vector<std::uint32_t>{0});
  paths.free_unnamed(named, note);
  CHECK(freed == std::vector<std::uint32_t>{0, 0});
  CHECK(paths.waiting() == paths.weight(1));  // once, for the later release
  prefixes.drain(7, note);
  paths.drain(7, note);
  CHECK(freed == std::vector<std::uint32_t>{0, 0});
  prefixes.drain(8, note);
  paths.drain(8, note);
  CHECK(freed == std::vector<std::uint32_t>{0, 0, 1, 1});
  CHECK(prefixes.size() == 1);
  CHECK(paths.size() == 1);
}

TEST_CASE("PrefixTable: equals a model over random insertions and removals") {
  PrefixTable table;
  std::map<std::uint32_t, PrefixId> model;
  std::mt19937 random(42);
  std::uint64_t commit = 0;
  for (int i = 0; i < 60000; ++i) {
    const auto n = static_cast<std::uint32_t>(random() % 9000);
    bgp::NlriKey key;
    key.afi = static_cast<std::uint8_t>(n % 3 == 0 ? kAfiIpv6 : kAfiIpv4);
    key.safi = kSafiUnicast;
    key.high = static_cast<std::uint64_t>(n) << 40;
    key.length = 24;
    key.has_path_id = n % 7 == 0;
    key.path_id = key.has_path_id ? n : 0;
    const std::uint64_t hash = PrefixTable::hash(key);
    const auto it = model.find(n);
    REQUIRE((table.find(key, hash) != PrefixTable::kNone) == (it != model.end()));
    if (it == model.end()) {
      const PrefixId id = table.intern(key, hash);
      table.acquire(id);
      model[n] = id;
    } else {
      REQUIRE(table.find(key, hash) == it->second);
      if (random() % 2 == 0) {
        table.release(it->second, ++commit);
        table.drain(commit, [](PrefixId) {});
        model.erase(it);
      }
    }
    REQUIRE(table.size() == model.size());
  }
}

TEST_CASE("PathTable: equal octets have equal ids, over all block sizes") {
  auto form = PathTable::Form::kPacked;
  SUBCASE("packed") {}
  SUBCASE("as given") { form = PathTable::Form::kAsGiven; }
  PathTable table;
  std::map<std::vector<std::uint8_t>, PathId> model;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const auto octets = octets_of(i * 2654435761u, i % 1300);
    const auto [id, added] = intern(table, octets, form);
    const auto [it, is_new] = model.emplace(octets, id);
    CHECK(added == is_new);
    CHECK(it->second == id);
  }
  const auto large = octets_of(1, 65535);
  model[large] = intern(table, large, form).id;
  PathBuffer buffer;
  for (const auto& [octets, id] : model) {
    const Octets stored = table.octets(id, buffer);
    REQUIRE(std::equal(stored.begin(), stored.end(), octets.begin(), octets.end()));
  }
}

TEST_CASE("PathTable: memory of freed sets is used again") {
  PathTable table;
  const auto fill = [&](std::uint32_t salt) {
    std::vector<PathId> ids;
    for (std::uint32_t i = 0; i < 20000; ++i) {
      ids.push_back(intern(table, octets_of(i + salt, 60 + i % 8)).id);
      table.acquire(ids.back());
    }
    return ids;
  };
  const auto first = fill(0);
  const std::uint64_t before = table.footprint();
  for (const PathId id : first) table.release(id, 1);
  table.drain(1, [](PathId) {});
  CHECK(table.size() == 0);
  fill(1u << 20);
  CHECK(table.footprint() == before);
}

TEST_CASE("PathTable: sets that stay are packed, and read as before until the store is done with them") {
  PathTable table;
  PathBuffer buffer;
  struct Set {
    std::vector<std::uint8_t> octets;
    PathId id = kNoPath;
    Octets seen;  // as the store holds it
  };
  std::vector<Set> sets;
  std::uint64_t weight = 0;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    Set& set = sets.emplace_back();
    set.octets = {1, 1, 0, 3, 4, 192, 0, 2, 1, 8, 40};
    for (std::uint32_t n = 0; n < 10; ++n)
      for (const std::uint32_t octet : {0xfcu, 0x59u, i >> 8, i & 0xff})
        set.octets.push_back(static_cast<std::uint8_t>(octet));
    set.id = intern(table, set.octets, PathTable::Form::kAsGiven).id;
    if (i % 10 != 0) table.acquire(set.id);
    set.seen = table.octets(set.id, buffer);
    weight += table.weight(set.id);
  }
  std::uint64_t saved = 0;
  std::size_t packed = 0;
  const auto pack = [&](std::size_t entries, std::size_t most) {
    table.pack_some(entries, most, 7, [&](PathId, std::uint64_t octets) {
      ++packed;
      saved += octets;
    });
  };
  pack(100, 1000);
  CHECK(packed == 90);  // what nothing uses is not packed
  pack(2000, 500);
  CHECK(packed == 590);
  for (int round = 0; round < 3; ++round) pack(1000, 10000);
  CHECK(packed == 2700);
  std::uint64_t now = 0;
  for (const Set& set : sets) now += table.weight(set.id);
  CHECK(now == weight - saved);
  CHECK(saved > packed * 20);
  const auto all_are = [&](const auto& read) {
    for (const Set& set : sets) {
      const Octets known = read(set);
      REQUIRE(std::equal(known.begin(), known.end(), set.octets.begin(), set.octets.end()));
    }
  };
  all_are([&](const Set& set) { return table.octets(set.id, buffer); });
  for (const Set& set : sets) CHECK_FALSE(intern(table, set.octets).added);
  // New sets do not take their place while commit 7 is on its way.
  table.drain(6, [](PathId) {});
  for (std::uint32_t i = 0; i < 3000; ++i) intern(table, octets_of(i, 51), PathTable::Form::kAsGiven);
  all_are([](const Set& set) { return set.seen; });
  table.drain(7, [](PathId) {});
  all_are([&](const Set& set) { return table.octets(set.id, buffer); });
}

TEST_CASE("PathTable: blocks of sets that were packed are used again") {
  PathTable table;
  std::uint64_t footprint = 0;
  for (std::uint32_t round = 0; round < 12; ++round) {
    std::vector<PathId> ids;
    for (std::uint32_t i = 0; i < 20000; ++i) {
      ids.push_back(intern(table, octets_of(i, 60 + i % 8), PathTable::Form::kAsGiven).id);
      table.acquire(ids.back());
    }
    table.pack_some(1u << 20, 1u << 20, round, [](PathId, std::uint64_t) {});
    for (const PathId id : ids) table.release(id, round);
    table.drain(round, [](PathId) {});
    if (round == 1) footprint = table.footprint();
    if (round > 1) CHECK(table.footprint() == footprint);
  }
}

TEST_CASE("PathTable: restored ids keep their number; unreferenced ones are freed") {
  PathTable table;
  const auto a = octets_of(1, 40), b = octets_of(2, 40);
  CHECK(table.restore(7, a, bgp::hash_octets(bgp::hash_seed(), a)));
  CHECK(table.restore(3, b, bgp::hash_octets(bgp::hash_seed(), b)));
  CHECK_FALSE(table.restore(3, a, 0));
  table.acquire(7);
  table.finish_restore();
  CHECK(table.size() == 1);
  CHECK(intern(table, a).id == 7);
  const auto [id, added] = intern(table, b);
  CHECK(added);
  CHECK(id < 7);
}

TEST_CASE("AdjRibIn: insert, replace, stale marks and erase keep the counts") {
  RoutePages pages;
  AdjRibIn rib(pages, 0);
  CHECK(rib.insert(5, 1) == kNoPath);
  CHECK(rib.insert(5, 2) == 1);
  CHECK(rib.insert(1000000, 3) == kNoPath);
  CHECK(rib.size() == 2);
  rib.mark_all_stale();
  CHECK(rib.stale() == 2);
  CHECK(rib.stale_routes() == std::vector<PrefixId>{5, 1000000});
  CHECK(rib.clear_stale(5));
  CHECK_FALSE(rib.clear_stale(5));
  CHECK(rib.insert(1000000, 4) == 3);
  CHECK(rib.stale() == 0);
  rib.mark_stale(5);
  CHECK(rib.erase(5) == 2);
  CHECK(rib.erase(5) == kNoPath);
  CHECK(rib.erase(77) == kNoPath);
  CHECK(rib.stale() == 0);
  CHECK(rib.size() == 1);
}

TEST_CASE("AdjRibIn: a full feed takes less than three octets a route, and never more than six") {
  RoutePages pages;
  AdjRibIn rib(pages, 0);
  constexpr std::uint64_t kRoutes = 1 << 20;
  PathId paths_a_page = 64;
  std::uint64_t most = 6 * kRoutes;
  SUBCASE("as prefixes share attribute sets in the Internet") {
    paths_a_page = 16;
    most = 3 * kRoutes;
  }
  SUBCASE("each route has its own") {}
  const auto fill = [&](PathId salt) {
    for (PrefixId id = 0; id < kRoutes; ++id) rib.insert(id, salt + id % 64 * paths_a_page / 64);
  };
  fill(0);
  CHECK(rib.footprint() < most);
  // What a page named before is forgotten with its last route.
  for (PathId round = 1; round < 5; ++round) fill(round * 1000);
  CHECK(rib.footprint() < most + kRoutes / 2);
  for (PrefixId id = 0; id < kRoutes; ++id)
    REQUIRE(rib.find(id) == 4000 + id % 64 * paths_a_page / 64);
  for (PrefixId id = 0; id < kRoutes; ++id) rib.erase(id);
  CHECK(rib.footprint() < 300000);
}

TEST_CASE("AdjRibIn: a page that one neighbour gave back serves another, empty") {
  RoutePages pages;
  AdjRibIn first(pages, 1);
  {
    AdjRibIn gone(pages, 0);
    gone.insert(3, 30);
    gone.insert(700, 31);
    gone.mark_all_stale();
  }
  first.insert(3, 50);
  first.insert(60, 60);
  CHECK_FALSE(first.is_stale(3));
  CHECK_FALSE(first.is_stale(60));
  first.erase(3);
  first.erase(60);
  CHECK(first.footprint() < sizeof(RoutePages::Numbers));
  first.insert(5, 50);
  first.insert(6, 60);
  first.mark_stale(6);
  AdjRibIn second(pages, 0);
  first.erase(5);
  first.erase(6);
  second.insert(5, 51);
  CHECK(second.find(3) == kNoPath);
  CHECK(second.find(6) == kNoPath);
  CHECK_FALSE(second.is_stale(6));
  CHECK(first.find(5) == kNoPath);
  first.insert(70, 7);
  std::vector<PathId> found;
  for (AdjRibIn* const rib : {&first, &second})
    rib->for_each([&](PrefixId, PathId path, bool stale) {
      CHECK_FALSE(stale);
      found.push_back(path);
    });
  CHECK(found == std::vector<PathId>{7, 51});
}

TEST_CASE("RoutePages: what neighbours give back serves those that come") {
  RoutePages pages;
  std::uint64_t taken = 0;
  for (PeerId peer = 0; peer < 20; ++peer) {
    AdjRibIn rib(pages, peer);
    for (PrefixId id = 0; id < 300000; ++id) rib.insert(id, peer + id / (1 + peer % 7));
    if (peer == 0) taken = pages.footprint();
    CHECK(pages.footprint() <= 2 * taken);
  }
}

TEST_CASE("RoutePages: who shows a prefix, whatever comes and goes") {
  RoutePages pages;
  std::vector<std::unique_ptr<AdjRibIn>> ribs;
  for (PeerId peer = 0; peer < 9; ++peer) ribs.push_back(std::make_unique<AdjRibIn>(pages, peer));
  std::map<std::pair<PrefixId, PeerId>, std::pair<PathId, bool>> model;
  std::uint64_t random = 1;
  const auto next = [&random](std::uint64_t below) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::uint32_t>((random >> 33) % below);
  };
  for (int step = 0; step < 20000; ++step) {
    const PrefixId prefix = next(300);
    const PeerId peer = next(9);
    AdjRibIn& rib = *ribs[peer];
    const auto known = model.find({prefix, peer});
    const PathId before = known == model.end() ? kNoPath : known->second.first;
    CHECK(rib.find(prefix) == before);
    switch (next(5)) {
      case 0:
      case 1: {
        const PathId path = next(2) == 0 ? next(5) : static_cast<PathId>(step);
        CHECK(rib.insert(prefix, path) == before);
        model[{prefix, peer}] = {path, false};
        break;
      }
      case 2:
        CHECK(rib.erase(prefix) == before);
        model.erase({prefix, peer});
        break;
      case 3:
        if (rib.find(prefix) == kNoPath) break;
        rib.mark_stale(prefix);
        model[{prefix, peer}].second = true;
        break;
      default:
        if (next(50) != 0) break;
        ribs[peer] = std::make_unique<AdjRibIn>(pages, peer);
        std::erase_if(model, [&](const auto& route) { return route.first.second == peer; });
    }
    const PrefixId asked = next(320);
    auto expected = model.lower_bound({asked, 0});
    pages.for_each_route(asked, [&](PeerId shower, PathId path, bool stale) {
      REQUIRE(expected != model.end());
      CHECK(expected->first == std::pair(asked, shower));
      CHECK(expected->second == std::pair(path, stale));
      ++expected;
      return true;
    });
    CHECK((expected == model.end() || expected->first.first != asked));
  }
}

TEST_CASE("ChunkedArray: elements stay where they are, and new ones have their first value") {
  struct Element {
    std::uint64_t value = 7;
    std::shared_ptr<int> counted;
  };
  const auto count = std::make_shared<int>(0);
  {
    ChunkedArray<Element, 16, 3> array;                       // in chunks of 1.5 MiB
    ChunkedArray<std::array<std::uint64_t, 32>, 13, 2> large;  // of 2 MiB: mapped
    REQUIRE(array.grow_to(0));
    const Element* const first = &array[0];
    for (std::uint64_t i = 0; i < 8u << 16; i += 1000) {
      REQUIRE(array.grow_to(i));
      CHECK(array[i].value == 7);
      array[i].value = i;
      array[i].counted = count;
    }
    CHECK(&array[0] == first);
    for (std::uint64_t i = 0; i < 8u << 16; i += 1000) REQUIRE(array[i].value == i);
    CHECK_FALSE(array.grow_to(8u << 16));
    CHECK(count.use_count() > 500);
    REQUIRE(large.grow_to(5));
    const auto* const fifth = &large[5];
    large[5][3] = 53;
    REQUIRE(large.grow_to(30000));
    CHECK(&large[5] == fifth);
    CHECK(large[5][3] == 53);
    CHECK(large[6][3] == 0);
    CHECK(large[30000][31] == 0);
    CHECK_FALSE(large.grow_to(1u << 15));
  }
  CHECK(count.use_count() == 1);
}

TEST_CASE("SharedText: copies are one text, equal to any other of the same octets") {
  std::string source = "3333 1103 20485 131279";
  const SharedText text = source, copy = text, other = "3333 1103 20485 131279";
  source.assign(source.size(), 'x');
  CHECK(copy.view().data() == text.view().data());
  CHECK(other.view().data() != text.view().data());
  CHECK(copy == other);
  CHECK(text == "3333 1103 20485 131279");
  CHECK_FALSE(text == source);
  CHECK(text.size() == source.size());
  CHECK(SharedText() == "");
  CHECK(SharedText("").empty());
}

TEST_CASE("Quarantine: the latest can be kept, and leave in their order") {
  Quarantine quarantine;
  const auto drained = [&](std::uint64_t durable, std::size_t keep) {
    std::vector<std::uint32_t> ids;
    quarantine.drain(durable, keep, [](std::uint32_t, int) {},
                     [&](std::uint32_t id) { ids.push_back(id); });
    return ids;
  };
  using Ids = std::vector<std::uint32_t>;
  for (std::uint32_t id = 1; id <= 6; ++id) quarantine.add(id <= 4 ? 1 : 2, id);
  CHECK(drained(0, 0).empty());
  CHECK(drained(2, 6).empty());
  CHECK(drained(2, 3) == Ids{1, 2, 3});
  quarantine.add(2, 7);
  CHECK(drained(1, 0) == Ids{4});
  CHECK(drained(2, 2) == Ids{5});
  quarantine.add(3, 8);
  CHECK(drained(3, 2) == Ids{6});
  quarantine.reduce([](std::uint32_t id) { return id != 7; });
  CHECK(drained(3, 0) == Ids{8});
  CHECK(drained(3, 0).empty());
}

TEST_CASE("EventTimers: due order, then order of setting; a key set again moves") {
  EventTimers timers;
  const auto at = [](int s) { return from_unix_micros(s * 1000000ll); };
  timers.set({0, 1}, at(10));
  timers.set({0, 2}, at(10));
  timers.set({1, 1}, at(5));
  timers.set({0, 1}, at(10));
  timers.set({2, 9}, at(1));
  timers.cancel_all(2);
  CHECK_FALSE(timers.due(at(4)));
  CHECK(timers.due(at(5)));
  CHECK(timers.pop().key == EventTimers::Key{1, 1});
  CHECK(timers.pop().key == EventTimers::Key{0, 2});
  CHECK(timers.pop().key == EventTimers::Key{0, 1});
  CHECK_FALSE(timers.due(at(100)));
}

}  // namespace
}  // namespace lapwing::rib
