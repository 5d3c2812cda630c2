#include <doctest/doctest.h>
#include <rocksdb/env.h>

#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "tests/crash/model.h"
#include "tests/crash/power_fs.h"
#include "tests/crash/run.h"

namespace lapwing::crash {

namespace {

using rib::test::TempDir;

constexpr const char* kSeed = "LAPWING_POWER_SEED";
constexpr const char* kCount = "LAPWING_POWER_FAILURES";

/// One life after the other; each ends with a power failure and goes on with what survived.
struct Lives {
  explicit Lives(std::uint64_t the_seed) : seed(the_seed), random(the_seed) {
    std::filesystem::create_directories(storage());
  }

  std::filesystem::path storage() const { return dir.path() / ("life-" + std::to_string(life)); }
  std::unique_ptr<rib::Store> open(const rib::StoreOptions& options) {
    std::string error;
    auto store = rib::Store::open(options, error);
    if (!store) throw std::runtime_error(error);
    return store;
  }

  /// A sentence where something is wrong.
  std::string live_and_lose_power() {
    const auto power = std::make_shared<PowerFs>(storage());
    const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(power);
    rib::StoreOptions options;
    options.path = storage();
    options.env = env.get();
    // Small, so that the log changes its file often; some lives promise all that they call durable.
    options.write_buffer_bytes = 256u << 10;
    options.sync_interval = std::chrono::seconds(random() % 3 == 0 ? 0 : 1);
    std::optional<Session> session;
    Progress progress;
    std::uint64_t told = 0, durable = 0;
    power->lose_power_at(1 + random() % (std::uint64_t{1} << random() % 11),
                         dir.path() / ("life-" + std::to_string(life + 1)), random(), [&] {
                           told = progress.told;
                           durable = progress.durable;
                         });
    {
      const auto store = open(options);
      if (!store->recovery_report().empty()) return store->recovery_report();
      if (model) {
        if (auto text = model->advance_to(*store, must_hold, random()); !text.empty()) return text;
        if (store->journal().last() < was_told)
          return "a sink was told of event " + std::to_string(was_told) + ", the last one is " +
                 std::to_string(store->journal().last());
      }
      model = std::make_unique<Model>(*store, model ? model->take_contents() : Contents());
      session.emplace(feed, mix(seed, life), now);
    }
    {
      Run run(options, dir.path() / ("events-" + std::to_string(life)), progress);
      const std::uint64_t batches = 20 + random() % 80;
      while (session->batches() < batches) {
        const bgp::RecordBatch batch = session->next();
        model->hear(batch);
        run.hear(batch);
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 600));
      }
      if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      power->lose_power_now();
      run.stop();
    }
    was_told = told;
    must_hold = options.sync_interval.count() == 0 ? durable : 0;
    feed = session->feed();
    now = session->now() + std::chrono::seconds(1 + random() % 100);
    std::filesystem::remove_all(storage());
    ++life;
    return {};
  }

  const std::uint64_t seed;
  TempDir dir;
  std::mt19937_64 random;
  Feed feed{seed};
  Timestamp now = from_unix_micros(1'700'000'000'000'000);
  std::uint64_t life = 0;
  std::uint64_t was_told = 0;   // in the last life
  std::uint64_t must_hold = 0;  // commits of the last life
  std::unique_ptr<Model> model;
};

}  // namespace

TEST_CASE(
    "a power failure at any moment leaves a prefix in time, with all that was called durable") {
  const std::uint64_t seed = number_from(kSeed, 20171002);
  Lives lives(seed);
  const std::uint64_t count = deaths(kCount, 60, 12);
  for (std::uint64_t n = 1; n <= count; ++n) {
    std::string wrong;
    try {
      wrong = lives.live_and_lose_power();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    INFO("seed ", seed, ", to be repeated with ", std::string(kSeed), "; life ", n);
    REQUIRE(wrong == "");
  }
  // It was no idle story.
  CHECK(lives.model->contents().events.size() > count);
  MESSAGE("events: ", lives.model->contents().events.size(),
          ", changes of the feeder: ", lives.feed.changes());
}

}  // namespace lapwing::crash
