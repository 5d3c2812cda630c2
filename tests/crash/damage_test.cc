#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "rib/store_check.h"
#include "tests/unit/store_support.h"

namespace lapwing::rib::test {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kRoutes = 5000;

// The canonical attributes of an AS_PATH of two.
std::string attributes(unsigned n) {
  return {'\1', '\1', '\0', '\2', '\4', '\2', '\2', '\1', static_cast<char>(n % 100 + 1)};
}

/// A store with something of everything: tables, a log, a file of history.
class Sample {
 public:
  Sample() {
    FakeDictionary dictionary;
    for (std::uint32_t i = 0; i < kRoutes; ++i) {
      bgp::NlriKey key;
      key.afi = kAfiIpv4;
      key.safi = kSafiUnicast;
      key.length = 24;
      key.high = static_cast<std::uint64_t>(20u << 24 | i << 8) << 32;
      dictionary.add(key);
    }
    for (unsigned i = 0; i < 100; ++i) dictionary.add_path(attributes(i));
    const auto store = open_store(dir_.path());
    store->start(dictionary);
    for (std::uint64_t n = 1; n <= 3; ++n) {
      store->submit(large(n));
      REQUIRE(wait_durable(*store, n));
    }
    for (std::uint64_t n = 4; n <= 60; ++n) {
      store->submit(small(n));
      REQUIRE(wait_durable(*store, n));
    }
    // As a crash leaves it: the log is not empty.
    fs::copy(dir_.path(), crashed_.path() / "store", fs::copy_options::recursive);
  }
  const fs::path path() const { return crashed_.path() / "store"; }

 private:
  static Commit base(std::uint64_t n) {
    Commit commit;
    commit.sequence = n;
    commit.base = from_unix_micros(static_cast<std::int64_t>(1'700'000'000'000'000 + n * 1000));
    commit.alive_until = commit.base;
    return commit;
  }
  static Commit large(std::uint64_t n) {
    Commit commit = base(n);
    if (n == 1) {
      for (PathId id = 0; id < 100; ++id) commit.new_paths.push_back(id);
      PeerRecord peer;
      peer.name = "edge1";
      peer.address = *parse_address("192.0.2.1");
      commit.peers.push_back(peer);
    }
    for (PrefixId i = 0; i < kRoutes; ++i)
      commit.routes.push_back({0, i, n == 1 ? kNoPath : static_cast<PathId>((i + n - 1) % 100),
                               static_cast<PathId>((i + n) % 100), 0});
    for (int i = 0; i < 100; ++i)
      commit.states.put("sample", std::to_string(i), "value " + std::to_string(n));
    return commit;
  }
  static Commit small(std::uint64_t n) {
    Commit commit = base(n);
    for (PrefixId i = 0; i < 20; ++i)
      commit.routes.push_back({0, static_cast<PrefixId>(n * 20 + i), 1, 2, 0});
    commit.blind.push_back({0, {commit.base, commit.base}, "the session was down"});
    commit.events.push_back(make_event(n));
    return commit;
  }
  TempDir dir_, crashed_;
};

const Sample& sample() {
  static const Sample made;
  return made;
}

std::vector<fs::path> files_of(const fs::path& store,
                               const std::function<bool(const fs::path&)>& wanted) {
  std::vector<fs::path> found;
  for (const auto& file : fs::recursive_directory_iterator(store))
    if (file.is_regular_file() && wanted(file.path())) found.push_back(file.path());
  std::sort(found.begin(), found.end());
  return found;
}

bool begins(const fs::path& path, std::string_view text) {
  return path.filename().string().starts_with(text);
}

void flip(const fs::path& file, std::uintmax_t at) {
  std::fstream io(file, std::ios::in | std::ios::out | std::ios::binary);
  io.seekg(static_cast<std::streamoff>(at));
  const char octet = static_cast<char>(io.get());
  io.seekp(static_cast<std::streamoff>(at));
  io.put(static_cast<char>(octet ^ 0x55));
}

struct Outcome {
  StoreCheck check;
  std::string refused;   // why it does not open, or does not load
  std::string warnings;  // and reports
  std::size_t events = 0;
  std::size_t history = 0;
};

/// All that a start and its questions read.
Outcome use(const fs::path& store_path) {
  Outcome out;
  out.check = check_store(store_path);
  StoreOptions options;
  options.path = store_path;
  options.on_warning = [&](std::string_view text) { out.warnings += std::string(text) + '\n'; };
  auto store = Store::open(options, out.refused);
  if (!store) return out;
  out.warnings += store->recovery_report();
  struct Ignore : LoadVisitor {
    void on_meta(Timestamp) override {}
    void on_peer(const PeerRecord&) override {}
    void on_path(PathId, Octets) override {}
    void on_route(PeerId, const bgp::NlriKey&, PathId, Timestamp) override {}
    void on_state(std::string_view, std::string_view, std::string_view) override {}
  } ignore;
  if (!store->load(ignore, out.refused)) return out;
  out.events = store->journal().read_after(0, 1000).size();
  for (std::uint32_t i = 0; i < kRoutes; i += 500)
    store->history({*parse_address("20." + std::to_string(i >> 8 & 255) + ".0.0"), 24}, Timestamp{},
                   Timestamp::max(), [&](const HistoryRow&) {
                     ++out.history;
                     return true;
                   });
  return out;
}

/// Flips an octet of a file of a copy at several places and tells `judge` of each.
void damage(const std::function<bool(const fs::path&)>& wanted, const std::vector<double>& places,
            const std::function<void(const Outcome&, const fs::path&)>& judge) {
  const auto count = files_of(sample().path(), wanted).size();
  REQUIRE(count > 0);
  for (std::size_t n = 0; n < std::min<std::size_t>(count, 6); ++n) {
    for (const double place : places) {
      const TempDir dir;
      fs::copy(sample().path(), dir.path() / "store", fs::copy_options::recursive);
      const fs::path file = files_of(dir.path() / "store", wanted)[n];
      const std::uintmax_t size = fs::file_size(file);
      if (size == 0) continue;
      const auto at = static_cast<std::uintmax_t>(place * static_cast<double>(size - 1));
      flip(file, at);
      INFO(file.filename().string(), ", octet ", at, " of ", size);
      const Outcome outcome = use(dir.path() / "store");
      // A refusal says where the damage is and what to do.
      if (!outcome.refused.empty()) {
        CHECK_MESSAGE(outcome.refused.find("store") != std::string::npos, outcome.refused);
        CHECK_MESSAGE(outcome.refused.find("restore") != std::string::npos, outcome.refused);
        CHECK_MESSAGE(outcome.refused.find("lapwing db check") != std::string::npos,
                      outcome.refused);
      }
      judge(outcome, file);
    }
  }
}

}  // namespace

TEST_CASE("damage: a store that a crash has left is sound") {
  const StoreCheck check = check_store(sample().path());
  for (const std::string& fault : check.faults) CHECK(fault == "");
  CHECK(check.sound());
  CHECK(check.peers == 1);
  CHECK(check.routes == kRoutes);
  CHECK(check.paths == 100);
  CHECK(check.states == 100);
  CHECK(check.events == 57);
  CHECK(check.blind == 57);
  CHECK(check.history_rows == 3 * kRoutes + 57 * 20);
  CHECK(check.files > 0);
}

TEST_CASE("damage: in a table file it is found") {
  damage([](const fs::path& p) { return p.extension() == ".sst"; }, {0.1, 0.5, 0.999},
         [](const Outcome& outcome, const fs::path& file) {
           CHECK_FALSE(outcome.check.sound());
           const auto names = [&](const std::string& fault) {
             return fault.find(file.filename().string()) != std::string::npos;
           };
           CHECK(std::ranges::any_of(outcome.check.faults, names));
         });
}

TEST_CASE("damage: in the middle of the log it is told, and the start as well") {
  damage([](const fs::path& p) { return p.extension() == ".log" && fs::file_size(p) > 1000; },
         {0.3, 0.5, 0.7},
         [](const Outcome& outcome, const fs::path&) {
           CHECK_FALSE(outcome.check.sound());
           CHECK(outcome.refused == "");
           CHECK(outcome.warnings.find("acknowledged") != std::string::npos);
           CHECK(outcome.warnings.find("lapwing db check") != std::string::npos);
           CHECK(outcome.events < 57);
         });
}

TEST_CASE("damage: at the end of the log it costs no more than that") {
  damage([](const fs::path& p) { return p.extension() == ".log" && fs::file_size(p) > 1000; },
         {1.0},
         [](const Outcome& outcome, const fs::path&) {
           CHECK_FALSE(outcome.check.sound());  // the last group had been acknowledged
           CHECK(outcome.refused == "");
           CHECK(outcome.events == 56);
         });
}

TEST_CASE("damage: of the manifest or of CURRENT is refused with a way out, or does not matter") {
  for (const char* name : {"MANIFEST", "CURRENT"})
    damage([name](const fs::path& p) { return begins(p, name); }, {0.0, 0.02, 0.5, 0.9, 1.0},
           [](const Outcome& outcome, const fs::path&) {
             CHECK_FALSE(outcome.check.sound());
             CHECK_FALSE(
                 (outcome.refused.empty() && outcome.warnings.empty() && outcome.events != 57));
           });
}

TEST_CASE("damage: a block of the history is left out, the rest is there") {
  damage([](const fs::path& p) { return p.extension() == ".rows"; }, {0.02, 0.3, 0.6, 0.95},
         [](const Outcome& outcome, const fs::path& file) {
           CHECK(outcome.check.fault_count == 1);
           CHECK(outcome.check.faults[0].find(file.filename().string()) != std::string::npos);
           CHECK(outcome.refused == "");
           CHECK(outcome.events == 57);
         });
}

TEST_CASE("damage: the marker of what was synced is written anew") {
  damage([](const fs::path& p) { return begins(p, "synced"); }, {0.0, 0.5, 1.0},
         [](const Outcome& outcome, const fs::path&) {
           CHECK(outcome.check.fault_count == 1);
           CHECK(outcome.refused == "");
           CHECK(outcome.events == 57);
         });
}

TEST_CASE("damage: any octet of any file leaves a program that lives and speaks") {
  std::mt19937_64 random(4);
  const auto all = files_of(sample().path(), [](const fs::path&) { return true; });
  for (int i = 0; i < 60; ++i) {
    const TempDir dir;
    fs::copy(sample().path(), dir.path() / "store", fs::copy_options::recursive);
    const fs::path file =
        dir.path() / "store" / fs::relative(all[random() % all.size()], sample().path());
    if (fs::file_size(file) == 0) continue;
    flip(file, random() % fs::file_size(file));
    if (random() % 3 == 0) fs::resize_file(file, random() % fs::file_size(file));
    const Outcome outcome = use(dir.path() / "store");
    CHECK_MESSAGE(
        (outcome.refused.empty() || outcome.refused.find("lapwing db check") != std::string::npos),
        file.filename().string(), ": ", outcome.refused);
  }
}

}  // namespace lapwing::rib::test
