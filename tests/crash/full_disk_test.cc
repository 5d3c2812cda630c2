#include <doctest/doctest.h>
#include <rocksdb/env.h>

#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "bgp/hash.h"
#include "tests/crash/model.h"
#include "tests/crash/run.h"
#include "tests/unit/full_file_system.h"

namespace lapwing::crash {

namespace {

using rib::test::FullFileSystem;
using rib::test::TempDir;

constexpr std::uint64_t kSqueezeFrom = 32u << 10;
constexpr const char* kLives = "LAPWING_FULL_DISKS";  // another number of lives
constexpr std::uint64_t kNews = 30;                   // messages beside each batch of the feed

/// A batch of a neighbour that has something new in every message: attribute sets of their own on
/// four prefixes, and a prefix that comes and goes; with `last`, nothing is left of it.
bgp::RecordBatch unheard_of(std::uint32_t n, Timestamp now, bool last) {
  bgp::RecordBatch batch;
  const auto add = [&](std::uint32_t address, std::uint8_t length, bool announced) {
    bgp::Record record;
    record.time = now;
    record.peer = 1;
    record.kind = bgp::RecordKind::kUpdate;
    record.nlri_at = static_cast<std::uint32_t>(batch.nlri.size());
    bgp::NlriKey& key = batch.nlri.emplace_back();
    key.afi = kAfiIpv4;
    key.safi = kSafiUnicast;
    key.length = length;
    key.high = static_cast<std::uint64_t>(address) << 32;
    (announced ? record.announced : record.withdrawn) = 1;
    if (announced) {
      std::vector<std::uint8_t> set = Feed::path(1, 0, 1);
      std::memcpy(set.data() + set.size() - 4, &n, 4);  // MULTI_EXIT_DISC
      record.attributes_at = static_cast<std::uint32_t>(batch.octets.size());
      record.attributes_size = static_cast<std::uint32_t>(set.size());
      record.attributes_hash = bgp::hash_octets(bgp::hash_seed(), set);
      batch.octets.insert(batch.octets.end(), set.begin(), set.end());
    }
    batch.records.push_back(record);
  };
  for (std::uint32_t i = 0; i < 4; ++i) add(99u << 24 | i << 8, 24, !last);
  add(100u << 24 | n << 8, 32, true);
  add(100u << 24 | n << 8, 32, false);
  return batch;
}

/// One life after the other on one store, each with a disk that is full for a while.
struct Lives {
  Lives() {
    options.path = dir.path() / "store";
    options.env = env.get();
    options.max_pending_bytes = 256u << 10;
  }

  void hear(const bgp::RecordBatch& batch, Run& run) {
    model->hear(batch);
    run.hear(batch);
  }
  void hear(Session& session, Run& run) { hear(session.next(), run); }

  /// A sentence where something is wrong.
  std::string live() {
    std::string error;
    {
      const auto store = rib::Store::open(options, error);
      if (!store) return error;
      model = std::make_unique<Model>(*store, model ? model->take_contents() : Contents());
      model->without_history();
    }
    Session session(feed, mix(7, life), now);
    Run run(options, dir.path() / "events.jsonl", progress, kSqueezeFrom);
    while (session.batches() < 20) hear(session, run);
    if (!run.settle()) return "it does not settle: " + run.store().error();
    disk->full = true;
    // What the log had reserved before may still be written.
    for (int i = 0; i < 5000 && run.store().error().empty(); ++i) {
      hear(session, run);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (run.store().error().empty()) return "the disk is full, but nothing is said";
    const std::uint64_t events = run.store().journal().last();
    const std::uint64_t end = session.batches() + deaths(nullptr, 1000, 400);
    while (session.batches() < end) {
      hear(session, run);
      for (std::uint64_t i = 0; i < kNews; ++i) hear(unheard_of(++news, session.now(), false), run);
      most_paths = std::max(most_paths, run.counters().paths.load());
      most_prefixes = std::max(most_prefixes, run.counters().prefixes.load());
      most_live = std::max(most_live, model->counters().paths.load());
    }
    hear(unheard_of(++news, session.now(), true), run);
    if (run.store().journal().last() != events) return "the disk was not full";
    disk->full = false;
    if (!run.settle()) return "it does not settle again: " + run.store().error();
    for (int i = 0; i < 100 || !session.in_step(); ++i) hear(session, run);
    if (!run.settle()) return "it does not settle at the end: " + run.store().error();
    run.stop();
    if (auto text = model->advance_to(run.store(), 0, 0, true); !text.empty()) return text;
    if (auto text = model->differs_from(session.feed()); !text.empty()) return text;
    feed = session.feed();
    now = session.now() + std::chrono::seconds(10);
    ++life;
    return {};
  }

  TempDir dir;
  std::shared_ptr<FullFileSystem> disk = std::make_shared<FullFileSystem>();
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(disk);
  rib::StoreOptions options;
  Progress progress;
  Feed feed{7};
  Timestamp now = from_unix_micros(1'700'000'000'000'000);
  std::uint64_t life = 0;
  std::uint32_t news = 0;
  // While the disk was full: kept, and in use.
  std::uint64_t most_paths = 0, most_prefixes = 0, most_live = 0;
  std::unique_ptr<Model> model;
};

}  // namespace

TEST_CASE("a full disk: what waits for it stays small, and is exact when there is room again") {
  Lives lives;
  const std::uint64_t count = deaths(kLives, 3, 2);
  for (std::uint64_t n = 0; n < count; ++n) {
    INFO("life ", n);
    REQUIRE(lives.live() == "");
  }
  // Of each route what the disk knows, what it is now, and as much again before the next look.
  CHECK(lives.most_paths < 6 * lives.most_live);
  CHECK(lives.most_prefixes < 5 * Feed::kPrefixes);
  CHECK(lives.news > count * kNews * deaths(nullptr, 1000, 400));
  MESSAGE("attribute sets: ", lives.most_paths, ", in use: ", lives.most_live,
          ", prefixes: ", lives.most_prefixes, ", came and went: ", lives.news,
          ", events: ", lives.model->contents().events.size(), ", changes: ", lives.feed.changes());
}

}  // namespace lapwing::crash
