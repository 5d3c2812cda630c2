// Whatever the moment: with a restart, or with a reload, the detectors tell what they tell without.
//
// Random streams of three neighbours go to two engines, each with all detectors and a store in memory.
// One of them is killed between two batches and restored, or gets its detectors anew. What concerns
// sessions is not compared (the one knows that they ended, the other finds out), nor what
// docs/DETECTORS.md says is lost.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "detectors/suppression.h"
#include "sinks/event_json.h"
#include "tests/unit/engine_bench.h"

namespace lapwing::rib::engine_test {
namespace {

/// A number below `n`; the same everywhere, as the distributions of the library are not.
class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  template <typename T>
  const T& of(const std::vector<T>& list) {
    return list[below(static_cast<std::uint32_t>(list.size()))];
  }

 private:
  std::mt19937 random_;
};

using Path = std::vector<Asn>;
using Table = std::map<std::string, Path>;

/// What the stream is made of: batches, and where all sessions turn between two of them.
struct Stream {
  struct Turn {
    std::int64_t lost = 0, back = 0;
    std::vector<Table> tables;  // as they are when the sessions are back
  };
  struct Piece {
    Batch batch;
    std::optional<Turn> turn;  // before the batch
  };
  std::vector<Piece> pieces;
};

constexpr std::uint32_t kNeighbours = 3;
const std::vector<std::string> kPrefixes{"10.0.0.0/16", "10.0.0.0/24",    "10.0.1.0/24",
                                         "10.1.0.0/24", "192.0.2.0/24",   "198.51.100.0/24",
                                         "10.2.0.0/16", "203.0.113.0/24", "10.0.0.128/25"};

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : dice_(seed), path_ids_(dice_.one_in(4)) {}

  Stream make() {
    Stream stream;
    Stream::Piece first;
    for (std::uint32_t peer = 0; peer < kNeighbours; ++peer) {
      for (const std::string& prefix : kPrefixes)
        if (!dice_.one_in(3)) tables_[peer][nlri(peer, prefix)] = path(peer);
      session(first.batch, peer, tables_[peer], now_);
    }
    finish(stream, std::move(first));
    const std::uint32_t pieces = 3 + dice_.below(6);
    for (std::uint32_t n = 0; n < pieces; ++n) {
      Stream::Piece piece;
      if (dice_.one_in(2)) piece.turn = turn();
      for (std::uint32_t left = 1 + dice_.below(25); left != 0; --left) change(piece.batch);
      finish(stream, std::move(piece));
    }
    Stream::Piece last;
    now_ += 100'000;
    last.batch.add_tick(at(now_));
    finish(stream, std::move(last));
    return stream;
  }

  static void session(Batch& batch, std::uint32_t peer, const Table& table, std::int64_t time) {
    batch.source = peer;
    batch.declare(time, "r" + std::to_string(peer)).up(time);
    for (const auto& [prefix, path] : table) batch.announce(time, prefix, path);
    batch.end_of_rib(time);
  }

 private:
  Path path(std::uint32_t peer) {
    static const Path kTransit{174, 3356, 1299, 50, 51, 52};
    static const Path kOrigins{100, 101, 102, 64600};
    Path path{10 + peer};
    for (std::uint32_t n = dice_.below(3); n != 0; --n) path.push_back(dice_.of(kTransit));
    path.push_back(dice_.of(kOrigins));
    if (dice_.one_in(8)) path.push_back(path.back());
    return path;
  }

  /// The last neighbour may send path identifiers.
  std::string nlri(std::uint32_t peer, const std::string& prefix) {
    if (!path_ids_ || peer + 1 != kNeighbours) return prefix;
    return prefix + '#' + std::to_string(1 + dice_.below(2));
  }

  void pass_time() {
    static const std::vector<std::int64_t> kSteps{0, 0, 0, 1, 1, 2, 5, 20, 61, 300, 1000};
    now_ += dice_.of(kSteps);
  }

  void change(Batch& batch) {
    pass_time();
    batch.source = dice_.below(kNeighbours);
    Table& table = tables_[batch.source];
    std::vector<std::string> withdrawn, announced;
    const Path shown = path(batch.source);
    for (std::uint32_t left = 1 + dice_.below(3); left != 0; --left) {
      const std::string prefix = nlri(batch.source, dice_.of(kPrefixes));
      if (std::count(withdrawn.begin(), withdrawn.end(), prefix) != 0 ||
          std::count(announced.begin(), announced.end(), prefix) != 0)
        continue;
      if (dice_.one_in(3)) {
        withdrawn.push_back(prefix);
        table.erase(prefix);
      } else {
        announced.push_back(prefix);
        table[prefix] = shown;
      }
    }
    batch.update(now_, withdrawn, announced, shown);
  }

  Stream::Turn turn() {
    Stream::Turn turn;
    turn.lost = now_++;
    pass_time();
    for (std::uint32_t left = dice_.below(4); left != 0; --left) {
      const std::uint32_t peer = dice_.below(kNeighbours);
      const std::string prefix = nlri(peer, dice_.of(kPrefixes));
      if (dice_.one_in(3))
        tables_[peer].erase(prefix);
      else
        tables_[peer][prefix] = path(peer);
    }
    turn.back = now_;
    turn.tables.assign(std::begin(tables_), std::end(tables_));
    return turn;
  }

  void finish(Stream& stream, Stream::Piece&& piece) {
    ++now_;  // what is said twice at one moment is told apart by what was said in it
    stream.pieces.push_back(std::move(piece));
  }

  Dice dice_;
  const bool path_ids_;
  std::int64_t now_ = 1'000'000'000;
  Table tables_[kNeighbours];
};

/// Keeps what the store would; takes events as they come.
class MemoryStore final : public CommitSink {
 public:
  void submit(Commit&& commit) override {
    last_ = commit.sequence;
    alive_until_ = commit.alive_until;
    for (const PeerRecord& peer : commit.peers) peers_.insert_or_assign(peer.id, peer);
    for (const RouteWrite& route : commit.routes) {
      const bgp::NlriKey key = dictionary->nlri_key(route.prefix);
      auto& routes = routes_[route.peer];
      const auto same =
          std::find_if(routes.begin(), routes.end(), [&](const auto& r) { return r.first == key; });
      if (same != routes.end()) routes.erase(same);
      if (route.after == kNoPath) continue;
      PathBuffer buffer;
      const Octets octets = dictionary->path_octets(route.after, buffer);
      routes.emplace_back(key, std::vector<std::uint8_t>(octets.begin(), octets.end()));
    }
    for (std::size_t i = 0; i < commit.states.size(); ++i) {
      const StateWrite write = commit.states[i];
      const std::pair key{std::string(write.detector), std::string(write.key)};
      if (write.value)
        states_[key] = std::string(*write.value);
      else
        states_.erase(key);
    }
    for (Event& event : commit.events) events.push_back(std::move(event));
  }
  std::uint64_t durable_sequence() const override { return last_; }

  void restore(Engine& engine) const {
    engine.restore_meta(alive_until_);
    for (const auto& [id, peer] : peers_) REQUIRE(engine.restore_peer(peer));
    PathId path = 0;
    std::vector<Engine::RestoredRoute> all;
    std::map<std::vector<std::uint8_t>, PathId> ids;
    for (const auto& [peer, routes] : routes_)
      for (const auto& [key, octets] : routes) {
        const auto [id, fresh] = ids.try_emplace(octets, path);
        if (fresh) REQUIRE(engine.restore_path(path++, octets));
        all.push_back({peer, id->second, key});
      }
    tell_states([&](auto... state) { engine.restore_state(state...); });
    REQUIRE(engine.restore_routes(all) == 0);
    engine.end_restore();
  }
  void tell_states(const Engine::StateFn& fn) const {
    for (const auto& [key, value] : states_) fn(key.first, key.second, value);
  }

  Dictionary* dictionary = nullptr;
  std::vector<Event> events;

 private:
  std::uint64_t last_ = 0;
  Timestamp alive_until_;
  std::map<PeerId, PeerRecord> peers_;
  std::map<PeerId, std::vector<std::pair<bgp::NlriKey, std::vector<std::uint8_t>>>> routes_;
  std::map<std::pair<std::string, std::string>, std::string> states_;
};

/// All but upstream-share, whose time is another.
const std::vector<std::string> kTypes{
    "new-upstream",  "upstream-gone", "upstream-returned", "single-homed", "path-change",
    "origin-change", "more-specific", "route-leak",        "reserved-as",  "visibility-lost"};

/// How the operator has it.
struct Configuration {
  Watch watch;
  std::vector<detectors::SuppressionRule> rules;
  std::map<std::string_view, Settings> settings;
  explicit Configuration(Dice& dice) {
    if (!dice.one_in(3)) watch.prefixes = {*parse_prefix("10.0.0.0/16")};
    if (dice.one_in(2)) watch.origins = {101};
    if (dice.one_in(3)) watch.ases = {51};
    const auto rule = [&](auto&& fill) {
      if (!dice.one_in(4)) return;
      detectors::SuppressionRule r;
      r.name = "rule " + std::to_string(rules.size());
      fill(r);
      rules.push_back(std::move(r));
    };
    rule([&](auto& r) {
      r.quiet = std::chrono::seconds(30 + dice.below(600));
      r.types = kTypes;
    });
    rule([&](auto& r) { r.min_duration = std::chrono::seconds(1 + dice.below(90)); });
    const auto set = [&](std::string_view detector, const char* key, std::uint32_t value) {
      if (dice.one_in(4)) settings[detector].set(key, std::int64_t{value});
    };
    set("new-upstream", "share-window-quiet", 1 + dice.below(100));
    set("new-upstream", "flap-threshold", 2);
    set("new-upstream", "flap-quiet", 10 + dice.below(600));
    set("new-upstream", "incident-days", 0);
    set("path-change", "window", 1 + dice.below(20));
    set("origin-change", "window", 1 + dice.below(300));
    set("origin-change", "quiet", dice.below(300));
    set("visibility", "flap-threshold", 1);
    set("reserved-as", "window", 1 + dice.below(20));
    set("reserved-as", "linger", 1 + dice.below(300));
    set("route-leak", "linger", 1 + dice.below(20));
    rule([&](auto& r) {
      r.min_peers = 2;
      r.types = {"new-upstream", "upstream-returned", "single-homed", "more-specific"};
    });
    rule([&](auto& r) {
      r.from = at(1'000'000'100 + dice.below(500));
      r.until = *r.from + std::chrono::seconds(1 + dice.below(2000));
      r.types = kTypes;
    });
  }
  std::vector<std::unique_ptr<Detector>> detectors() const {
    std::vector<std::unique_ptr<Detector>> made;
    made.push_back(detectors::make_suppression(rules, 0));
    for (const std::string_view name : detector_names()) {
      const auto given = settings.find(name);
      Settings own = given == settings.end() ? Settings{} : given->second;
      made.push_back(make_detector(name, own));
      REQUIRE(own.finish().empty());
    }
    return made;
  }
};

/// What waits for the end of a window over a restart is told without how it came, and what is gone
/// without what had shown it.
Event without_lists(const Event& event) {
  Event e = event;
  e.evidence.clear();
  e.changed_between.reset();
  const bool by_now = e.type == "origin-change" && e.action != Action::kClear;
  if (by_now || e.type == "reserved-as" || e.type == "route-leak" || e.type == "upstream-share") {
    e.cause = Cause::kLive;
  }
  if (by_now) {
    e.peers.clear();
    e.summary.resize(std::min(e.summary.size(), e.summary.find("; seen by")));
  }
  if (e.action == Action::kClear && (e.type == "reserved-as" || e.type == "route-leak")) {
    e.prefixes.clear();
    e.prefix_count = 0;
    e.peers.clear();
  }
  if (e.known_upstreams)
    for (KnownUpstream& known : *e.known_upstreams) known.last_seen = {};
  if (e.type.starts_with("visibility-")) {
    e.peers.clear();
    e.cause = Cause::kLive;
  }
  if (e.type == "visibility-flap") {
    e.prefixes.clear();
    e.prefix_count = 0;
  }
  if (e.type == "upstream-gone") {
    e.prefixes.clear();
    e.prefix_count = 0;
    e.summary.resize(std::min(e.summary.size(), e.summary.find("; it was seen for")));
  }
  if (e.type == "upstream-share") {
    e.time = {};  // that of its last change
    std::erase_if(e.fields, [](const auto& f) { return f.name == "added" || f.name == "removed"; });
  }
  return e;
}

/// Told where prefixes changed and their number did not: not known over a restart.
bool moved(const Event& event) {
  return std::ranges::any_of(event.fields, [](const Field& f) {
    const auto* const text = std::get_if<std::string>(&f.value);
    return f.name == "change" && text != nullptr && *text == "moved";
  });
}

class Run {
 public:
  explicit Run(const Configuration& configuration) : configuration_(configuration) {
    start();
    engine_->end_restore();
  }

  void process(const Batch& batch) { engine_->process(batch); }
  /// All sessions end and come back; `restart`: because we were killed.
  void turn(const Stream::Turn& turn, bool restart) {
    if (restart) {
      start();
      store_.restore(*engine_);
    } else {
      Batch down;
      for (down.source = 0; down.source < kNeighbours; ++down.source) down.down(turn.lost);
      process(down);
    }
    Batch up;
    for (std::uint32_t peer = 0; peer < kNeighbours; ++peer)
      Maker::session(up, peer, turn.tables[peer], turn.back);
    process(up);
  }
  void reload() {
    engine_->submit_open();
    engine_->replace_detectors(configuration_.watch, {}, configuration_.detectors(),
                               [this](const Engine::StateFn& fn) { store_.tell_states(fn); });
  }

  /// One line an event, sorted: where several come at one moment their order may differ.
  Lines lines() const {
    static const std::set<std::string> kOfSessions{"peer-down", "peer-up", "peer-blind"};
    Lines lines;
    for (const Event& event : store_.events)
      if (!kOfSessions.contains(event.type) && event.type != "prefix-flap" && !moved(event))
        lines.push_back(sinks::event_json(without_lists(event)));
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  void start() {
    engine_.reset();
    EngineOptions options;
    options.watch = configuration_.watch;
    engine_ = std::make_unique<Engine>(std::move(options), store_);
    store_.dictionary = engine_.get();
    for (auto& detector : configuration_.detectors()) engine_->add_detector(std::move(detector));
  }

  const Configuration& configuration_;
  MemoryStore store_;
  std::unique_ptr<Engine> engine_;
};

constexpr std::uint32_t kSeeds = 100;  // many more found nothing else

enum class How { kRestarts, kReloads };

void compare(std::uint32_t seed, How how) {
  Dice dice(seed);
  const Configuration configuration(dice);
  const Stream stream = Maker(seed).make();
  Run without(configuration), with(configuration);
  for (const Stream::Piece& piece : stream.pieces) {
    if (how == How::kReloads && dice.one_in(2)) with.reload();
    if (piece.turn) {
      without.turn(*piece.turn, false);
      with.turn(*piece.turn, how == How::kRestarts);
    }
    without.process(piece.batch);
    with.process(piece.batch);
  }
  const Lines a = without.lines(), b = with.lines();
  if (a == b) return;
  Lines lost, more;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(lost));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(more));
  std::string text;
  for (const std::string& line : lost) text += "only without: " + line + "\n";
  for (const std::string& line : more) text += "only with: " + line + "\n";
  FAIL_CHECK("seed " << seed << ", " << a.size() << " events\n" << text);
}

TEST_CASE("a restart changes no event") {
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) compare(seed, How::kRestarts);
}

TEST_CASE("a reload changes no event") {
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) compare(seed, How::kReloads);
}

}  // namespace
}  // namespace lapwing::rib::engine_test
