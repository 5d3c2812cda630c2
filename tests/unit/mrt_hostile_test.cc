// collector/mrt_source: files that are cut anywhere, and files with octets changed.
#include <doctest/doctest.h>

#include <filesystem>

#include "mrt_builder.h"

using namespace mrt_test;

namespace {

const std::vector<Peer> kBothFamilies{{"192.0.2.1", 64501}, {"2001:db8::2", 4200000001}};

/// Every kind of record, several times.
Bytes all_kinds() {
  const Bytes v4 = attributes({64501, 64502, 64503});
  Bytes file;
  for (std::uint32_t t = 100; t < 400; t += 100) {
    file = file + peer_index(t, kBothFamilies);
    for (const unsigned subtype : {2u, 3u, 8u, 9u})
      file = file + rib(t, subtype, "203.0.113.0/24", {{0, v4, 1}, {1, v4, 2}});
    for (const unsigned subtype : {6u, 12u})
      file = file + rib(t, subtype, "198.51.100.0/24", {{0, v4, 1}}, Bytes{0, 1, 1});
    for (const Peer& peer : kBothFamilies) {
      file = file + state_change(t + 1, peer, 5, 6);
      for (const unsigned subtype : {4u, 7u, 9u, 11u})
        file = file +
               bgp4mp(t + 2, subtype, peer,
                      update({{"192.0.2.0/24", 1}}, v4, {{"198.51.100.0/24", 2}}, subtype >= 8));
      file = file + bgp4mp(t + 3, 4, peer, end_of_rib()) + bgp4mp(t + 3, 4, peer, open(64501)) +
             bgp4mp(t + 4, 4, peer, message(3, {6, 2})) + bgp4mp(t + 4, 4, peer, message(4, {}));
    }
  }
  return file;
}

/// What must hold whatever the file says: peers are declared before they are named, and all ranges
/// of a record lie within its batch.
struct Checker {
  std::uint32_t declared = 0;
  std::uint64_t wrong = 0;
  std::uint64_t routes = 0;

  void operator()(const bgp::RecordBatch& batch) {
    for (const bgp::Record& r : batch.records) {
      if (r.kind == bgp::RecordKind::kPeerDeclare) {
        wrong += r.peer > declared;  // one may be declared anew
        declared = std::max(declared, r.peer + 1);
      }
      wrong += r.peer >= declared;
      if (r.kind != bgp::RecordKind::kUpdate) continue;
      const std::size_t last = std::size_t{r.nlri_at} + r.withdrawn + r.announced;
      wrong += last > batch.nlri.size();
      wrong += std::size_t{r.attributes_at} + r.attributes_size > batch.octets.size();
      routes += r.announced;
      if (r.announced > 0)
        lapwing::PathView(batch.attributes(r)).for_each([this](std::uint8_t, Octets value) {
          for (const std::uint8_t b : value) routes += b & 0;
        });
    }
  }
};

lapwing::collector::MrtStatistics run(const Bytes& content, Checker& checker) {
  lapwing::collector::MrtSource source([&checker](bgp::RecordBatch& batch) { checker(batch); });
  const TempFile file(content);
  source.read_files({file.path()});
  source.finish();
  return source.statistics();
}

}  // namespace

TEST_CASE("hostile: a file cut at each of its first 3,000 octets is read up to the cut") {
  const Bytes whole = all_kinds();
  REQUIRE(whole.size() > 3000);
  std::uint64_t records = 0;
  for (std::size_t n = 0; n <= 3000; ++n) {
    Checker checker;
    const auto statistics = run(Bytes(whole.begin(), whole.begin() + long(n)), checker);
    REQUIRE(checker.wrong == 0);
    REQUIRE(statistics.malformed == 0);
    REQUIRE(statistics.records >= records);
    REQUIRE(statistics.warning_count <= (n > 0 && statistics.records == 0 ? 2 : 1));
    records = statistics.records;
  }
  CHECK(records > 30);
}

TEST_CASE("hostile: 1,500 files with changed octets give records that are whole") {
  const Bytes whole = all_kinds();
  std::uint64_t state = 20171001;
  const auto next = [&state](std::uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  std::uint64_t malformed = 0, routes = 0;
  for (int i = 0; i < 1500; ++i) {
    Bytes file = whole;
    for (std::uint64_t n = 1 + next(8); n > 0; --n) {
      const std::size_t place = next(file.size());
      switch (next(4)) {
        case 0:
          file[place] = static_cast<std::uint8_t>(next(256));
          break;
        case 1:
          file[place] ^= static_cast<std::uint8_t>(1u << next(8));
          break;
        case 2:
          file[place] = next(2) == 0 ? 0 : 255;
          break;
        default:
          file.erase(file.begin() + long(place),
                     file.begin() + long(place) +
                         std::min<long>(long(next(6)), long(file.size() - place)));
      }
    }
    Checker checker;
    const auto statistics = run(file, checker);
    REQUIRE(checker.wrong == 0);
    malformed += statistics.malformed + statistics.warning_count;
    routes += checker.routes;
  }
  CHECK(malformed > 500);
  CHECK(routes > 10'000);
}

TEST_CASE("hostile: real files cut and changed") {
  const char* folder = std::getenv("LAPWING_SHARED_DATA");
  if (folder == nullptr || !std::filesystem::exists(std::string(folder) + "/mrt")) {
    MESSAGE("skipped: LAPWING_SHARED_DATA is absent");
    return;
  }
  for (const char* name : {"mrtparse.bird-mrtdump_rib", "mrtparse.bird6_bgp", "mrtparse.quagga_bgp",
                           "mrtparse.openbgpd_rib_table", "mrtparse.openbgpd_bgp"}) {
    CAPTURE(name);
    std::ifstream in(std::string(folder) + "/mrt/" + name, std::ios::binary);
    const Bytes whole{std::istreambuf_iterator<char>(in), {}};
    REQUIRE(!whole.empty());
    for (std::size_t n = 0; n < std::min<std::size_t>(whole.size(), 3000); n += 7) {
      Checker checker;
      run(Bytes(whole.begin(), whole.begin() + long(n)), checker);
      REQUIRE(checker.wrong == 0);
      Bytes changed = whole;
      changed[n] = static_cast<std::uint8_t>(changed[n] ^ 0xff);
      run(changed, checker = Checker());
      REQUIRE(checker.wrong == 0);
    }
  }
}
