#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "bgp/hash.h"
#include "rib/engine.h"

namespace lapwing::rib {
namespace {

Timestamp at(std::int64_t seconds) { return from_unix_micros(seconds * 1000000); }

/// A canonical attribute set with this AS_PATH and no other attribute.
std::vector<std::uint8_t> path_of(const std::vector<Asn>& ases) {
  std::vector<std::uint8_t> value{2, static_cast<std::uint8_t>(ases.size())};
  for (Asn as : ases) {
    for (; as >= 0x80; as >>= 7) value.push_back(static_cast<std::uint8_t>(as | 0x80));
    value.push_back(static_cast<std::uint8_t>(as));
  }
  std::vector<std::uint8_t> set{attribute::kAsPath, static_cast<std::uint8_t>(value.size())};
  set.insert(set.end(), value.begin(), value.end());
  return set;
}

/// "192.0.2.0/24", or "192.0.2.0/24#7" with path identifier 7.
bgp::NlriKey key_of(const std::string& text) {
  Nlri nlri;
  const std::size_t mark = text.find('#');
  nlri.prefix = *parse_prefix(text.substr(0, mark));
  if (mark != std::string::npos) {
    nlri.has_path_id = true;
    nlri.path_id = static_cast<std::uint32_t>(std::stoul(text.substr(mark + 1)));
  }
  nlri.family = nlri.prefix.address.version == IpVersion::kV4 ? kIpv4Unicast : kIpv6Unicast;
  return bgp::to_key(nlri);
}

/// What the detector was told, in words.
struct Log {
  std::vector<std::string> lines;
  int released = 0;  // prefixes
  std::vector<std::string> take() { return std::exchange(lines, {}); }
};
using Lines = std::vector<std::string>;

class Recorder : public Detector {
 public:
  explicit Recorder(Log& log) : log_(log) {}
  std::string_view name() const override { return "recorder"; }
  void attach(Host& host) override { host_ = &host; }
  void restore_state(std::string_view key, std::string_view value) override {
    log_.lines.push_back("state " + std::string(key) + "=" + std::string(value));
  }
  void restore_route(const RouteView& route) override {
    log_.lines.push_back("restore " + host_->peer(route.peer).name + " " + prefix(route.prefix));
  }
  void start_up() override { log_.lines.push_back("start"); }
  void on_route_change(const RouteChange& c) override {
    std::string line = host_->peer(c.peer).name + " " + prefix(c.prefix) + " " + path(c.before) +
                       " -> " + path(c.after) + " " + std::string(to_string(c.cause));
    if (c.baseline) line += " baseline";
    if (c.peer_removed) line += " removed";
    if (const Asn as = host_->peer(c.peer).local_as; as != 64512) line += " to " + std::to_string(as);
    if (c.last_known) line += " since " + std::to_string(unix_micros(*c.last_known) / 1000000);
    log_.lines.push_back(line);
    if (path(c.after) == "666") throw std::runtime_error("six six six \xff");
    if (path(c.after) == "777") {
      host_->put_state("k", "v");
      Event event;
      event.type = "seen";
      host_->emit(std::move(event));
    }
  }
  void on_update_end() override { log_.lines.push_back("end"); }
  void on_peer_change(const PeerChange& c) override {
    constexpr const char* kNames[] = {"up",      "down",    "baseline-done", "synchronized",
                                      "removed", "standing"};
    std::string line = kNames[static_cast<int>(c.event)];
    if (c.event == PeerEvent::kStanding && c.blind_since)
      line += " since " + std::to_string(unix_micros(*c.blind_since) / 1000000);
    log_.lines.push_back(line);
  }
  void prefix_released(PrefixId) override { ++log_.released; }
  void on_timer(std::uint64_t key) override {
    log_.lines.push_back("timer " + std::to_string(key) + " at " +
                         std::to_string(unix_micros(host_->now()) / 1000000));
  }
  Host* host_ = nullptr;

 private:
  std::string prefix(PrefixId id) const {
    const Nlri nlri = host_->nlri(id);
    return format_prefix(nlri.prefix) +
           (nlri.has_path_id ? "#" + std::to_string(nlri.path_id) : std::string());
  }
  std::string path(PathId id) const {
    return id == kNoPath ? "none" : format_as_path(host_->path(id).as_path());
  }
  Log& log_;
};

class Commits : public CommitSink {
 public:
  void submit(Commit&& commit) override { list.push_back(std::move(commit)); }
  std::uint64_t durable_sequence() const override { return durable; }
  std::vector<Commit> list;
  std::uint64_t durable = 0;
};

struct Bench {
  const std::size_t paths_kept;
  Log log;
  Commits commits;
  std::vector<LimitReport> limits;
  Lines failures;  // "detector: error"
  Engine engine{options(), commits};
  Recorder* recorder = nullptr;

  explicit Bench(std::size_t keep = 0) : paths_kept(keep) {
    auto detector = std::make_unique<Recorder>(log);
    recorder = detector.get();
    engine.add_detector(std::move(detector));
  }
  EngineOptions options() {
    EngineOptions o;
    o.on_limit = [this](const LimitReport& report) { limits.push_back(report); };
    o.on_detector_failed = [this](const std::string& detector, const std::string& error) {
      failures.push_back(detector + ": " + error);
    };
    o.paths_kept = paths_kept;
    o.stopwatch = [] { return std::uint64_t{0}; };
    return o;
  }
  std::uint64_t routes() const { return engine.peer_counters().front()->routes; }
  /// "max-prefix raise error" of all events so far.
  Lines limit_events() const {
    Lines lines;
    for (const Commit& commit : commits.list)
      for (const Event& event : commit.events)
        lines.push_back(event.type + " " + std::string(to_string(event.action)) + " " +
                        std::string(to_string(event.severity)));
    return lines;
  }
  void start() {
    engine.end_restore();
    log.take();
  }
  Lines run(const bgp::RecordBatch& batch) {
    engine.process(batch);
    return log.take();
  }
};

struct Batch : bgp::RecordBatch {
  Batch& declare(std::int64_t t, const std::string& name, bool midway = false,
                 Asn local_as = 64512) {
    bgp::PeerDetail detail;
    detail.name = name;
    detail.as = 3333;
    detail.local_as = local_as;
    detail.joined_midway = midway;
    add_peer(at(t), 0, detail);
    return *this;
  }
  Batch& declare_limited(std::int64_t t, std::uint64_t limit, bool shut_down) {
    declare(t, "r");
    peer_details.back().max_prefix = bgp::MaxPrefix{limit, 80, shut_down, {{kIpv6Unicast, 3}}};
    return *this;
  }
  /// For each N of [first, last) the /24 that is the Nth from 10.0.0.0 on.
  static std::vector<std::string> many(int first, int last) {
    std::vector<std::string> prefixes;
    for (int n = first; n < last; ++n)
      prefixes.push_back(std::to_string(10 + n / 65536) + "." + std::to_string(n / 256 % 256) + "." +
                         std::to_string(n % 256) + ".0/24");
    return prefixes;
  }
  Batch& announce_many(std::int64_t t, int first, int last, const std::vector<Asn>& ases) {
    return update(t, {}, many(first, last), ases);
  }
  Batch& withdraw_many(std::int64_t t, int first, int last) {
    return update(t, many(first, last), {}, {});
  }
  Batch& up(std::int64_t t) {
    bgp::SessionDetail detail;
    detail.families = {kIpv4Unicast};
    add_session(at(t), 0, bgp::RecordKind::kPeerUp, detail);
    return *this;
  }
  Batch& down(std::int64_t t) {
    add_session(at(t), 0, bgp::RecordKind::kPeerDown, {});
    return *this;
  }
  Batch& mark(std::int64_t t, bgp::RecordKind kind) {
    add_mark(at(t), 0, kind, kIpv4Unicast);
    return *this;
  }
  Batch& end_of_rib(std::int64_t t) { return mark(t, bgp::RecordKind::kEndOfRib); }
  Batch& update(std::int64_t t, const std::vector<std::string>& withdrawn,
                const std::vector<std::string>& announced, const std::vector<Asn>& ases) {
    bgp::Record r;
    r.time = at(t);
    r.kind = bgp::RecordKind::kUpdate;
    r.nlri_at = static_cast<std::uint32_t>(nlri.size());
    for (const auto& p : withdrawn) nlri.push_back(key_of(p));
    for (const auto& p : announced) nlri.push_back(key_of(p));
    r.withdrawn = static_cast<std::uint32_t>(withdrawn.size());
    r.announced = static_cast<std::uint32_t>(announced.size());
    const auto set = path_of(ases);
    r.attributes_at = static_cast<std::uint32_t>(octets.size());
    r.attributes_size = static_cast<std::uint32_t>(set.size());
    octets.insert(octets.end(), set.begin(), set.end());
    r.attributes_hash = bgp::hash_octets(bgp::hash_seed(), set);
    records.push_back(r);
    return *this;
  }
  Batch& announce(std::int64_t t, const std::string& prefix, const std::vector<Asn>& ases) {
    return update(t, {}, {prefix}, ases);
  }
};

const std::string kP = "192.0.2.0/24";
const std::string kQ = "198.51.100.0/24";

TEST_CASE("the first table is baseline, later changes are live, repetition is no change") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).end_of_rib(4);
  CHECK(b.run(first) ==
        Lines{"up", "edge1 192.0.2.0/24 none -> 1 2 live baseline", "end", "baseline-done"});
  CHECK(b.commits.list.size() == 1);
  CHECK_FALSE(b.commits.list[0].record_history);
  Batch second;
  second.announce(5, kP, {1, 2}).announce(6, kP, {1, 3}).update(7, {kP, kQ}, {}, {});
  CHECK(b.run(second) == Lines{"edge1 192.0.2.0/24 1 2 -> 1 3 live", "end",
                               "edge1 192.0.2.0/24 1 3 -> none live", "end"});
  CHECK(b.commits.list[1].record_history);
  CHECK(b.engine.counters().duplicates == 1);
  CHECK(b.engine.counters().routes == 0);
}

TEST_CASE("a lost session leaves routes stale; the same table again is no change (promise 2)") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  Batch lost;
  lost.down(10);
  CHECK(b.run(lost) == Lines{"down"});
  CHECK(b.engine.counters().routes == 2);
  Batch back;
  back.up(20).announce(21, kP, {1, 2}).announce(21, kQ, {1, 2}).end_of_rib(22);
  CHECK(b.run(back) == Lines{"up", "synchronized"});
  REQUIRE(b.commits.list.back().blind.size() == 1);
  CHECK(b.commits.list.back().blind[0].range == TimeRange{at(10), at(20)});
}

TEST_CASE("a neighbour that returns with another AS and address under its name is the same one") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  const PeerId id = b.commits.list.back().peers.back().id;
  Batch moved;
  moved.down(10).declare(11, "edge1");
  moved.peer_details.back().as = 4444;
  moved.peer_details.back().address = *parse_address("192.0.2.44");
  moved.up(20).announce(21, kP, {1, 2}).announce(21, kQ, {1, 9}).end_of_rib(22);
  CHECK(b.run(moved) == Lines{"down", "up", "edge1 198.51.100.0/24 1 2 -> 1 9 resync since 10",
                              "end", "synchronized"});
  CHECK(b.routes() == 2);
  const PeerRecord& stored = b.commits.list.back().peers.back();
  CHECK(stored.id == id);
  CHECK(stored.as == 4444);
  CHECK(stored.address == *parse_address("192.0.2.44"));
  CHECK(b.recorder->host_->peer(id).as == 4444);
}

TEST_CASE("what changed in a gap is found as resync, with the time it was last known (promise 3)") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  Batch gap;
  gap.down(10).up(20).announce(21, kP, {1, 9}).announce(22, kP, {1, 8}).end_of_rib(23);
  CHECK(b.run(gap) == Lines{"down", "up", "edge1 192.0.2.0/24 1 2 -> 1 9 resync since 10", "end",
                            "edge1 192.0.2.0/24 1 9 -> 1 8 live", "end",
                            "edge1 198.51.100.0/24 1 2 -> none resync since 10", "end",
                            "synchronized"});
}

/// A neighbour with two paths for each of two prefixes that lost its session.
struct TwoPaths : Bench {
  TwoPaths() {
    start();
    Batch first;
    first.declare(1, "e").up(2);
    for (const std::string& prefix : {kP, kQ})
      first.announce(3, prefix + "#1", {1, 2}).announce(3, prefix + "#2", {3, 4});
    run(first.end_of_rib(4).down(10));
  }
};

TEST_CASE("path identifiers that a new session gives anew: the same paths teach, and are no change") {
  TwoPaths b;
  Batch back;
  back.up(20).announce(21, kP + "#2", {1, 2}).announce(21, kP + "#1", {3, 4});
  back.announce(21, kQ + "#7", {3, 4}).announce(21, kQ + "#1", {1, 2}).end_of_rib(22);
  CHECK(b.run(back) == Lines{"up", "e 192.0.2.0/24#2 3 4 -> 1 2 resync baseline",
                             "e 192.0.2.0/24#1 1 2 -> 3 4 resync baseline", "end",
                             "e 198.51.100.0/24#7 none -> 3 4 resync baseline",
                             "e 198.51.100.0/24#2 3 4 -> none resync baseline", "end",
                             "synchronized"});
  CHECK(b.engine.counters().routes == 4);
  CHECK(b.engine.counters().prefixes == 4);
  CHECK(b.engine.counters().paths == 2);
  // Each stands under its new number, and counts as one reference does.
  Batch gone;
  gone.update(30, {kP + "#1", kP + "#2", kQ + "#1", kQ + "#2", kQ + "#7"}, {}, {});
  CHECK(b.run(gone) == Lines{"e 192.0.2.0/24#1 3 4 -> none live", "e 192.0.2.0/24#2 1 2 -> none live",
                             "e 198.51.100.0/24#1 1 2 -> none live",
                             "e 198.51.100.0/24#7 3 4 -> none live", "end"});
  CHECK(b.engine.counters().routes == 0);
  CHECK(b.engine.counters().prefixes == 0);
}

TEST_CASE("path identifiers given anew, and a path that went, came or changed: that is told") {
  TwoPaths b;
  Batch back;
  back.up(20).announce(21, kP + "#7", {3, 4}).announce(21, kQ + "#2", {1, 2});
  back.announce(21, kQ + "#1", {5, 6}).end_of_rib(22);
  CHECK(b.run(back) == Lines{"up", "e 192.0.2.0/24#7 none -> 3 4 resync baseline",
                             "e 192.0.2.0/24#2 3 4 -> none resync baseline", "end",
                             "e 198.51.100.0/24#2 3 4 -> 1 2 resync baseline",
                             "e 198.51.100.0/24#1 1 2 -> 3 4 resync baseline", "end",
                             "e 198.51.100.0/24#1 3 4 -> 5 6 resync since 10", "end",
                             "e 192.0.2.0/24#1 1 2 -> none resync since 10", "end",
                             "synchronized"});
  CHECK(b.engine.counters().routes == 3);
  // What was announced in this session is not looked at again, neither now nor while it is compared.
  Batch again;
  again.down(40).up(41).announce(42, kQ + "#1", {1, 2}).announce(42, kQ + "#2", {1, 2});
  again.announce(42, kP + "#7", {3, 4}).end_of_rib(43);
  Batch live;
  live.announce(30, kP + "#7", {1, 2}).announce(31, kP + "#7", {3, 4});
  CHECK(b.run(live) == Lines{"e 192.0.2.0/24#7 3 4 -> 1 2 live", "end",
                             "e 192.0.2.0/24#7 1 2 -> 3 4 live", "end"});
  CHECK(b.run(again) == Lines{"down", "up", "e 198.51.100.0/24#1 5 6 -> 1 2 resync baseline",
                              "e 198.51.100.0/24#2 1 2 -> 5 6 resync baseline", "end",
                              "e 198.51.100.0/24#2 5 6 -> 1 2 resync since 40", "end",
                              "synchronized"});
}

TEST_CASE("path identifiers given anew: the route counts as announced, and the next is one too many") {
  Bench b;
  b.start();
  Batch first;
  first.declare_limited(1, 2, true).up(2);
  first.announce(3, kP + "#1", {1, 2}).announce(3, kP + "#2", {3, 4}).end_of_rib(4).down(10);
  b.run(first);
  Batch back;
  back.up(20).announce(21, kP + "#2", {1, 2}).announce(21, kP + "#1", {3, 4});
  back.announce(21, kP + "#3", {5, 6});
  b.run(back);
  CHECK(b.engine.counters().routes == 2);
}

TEST_CASE("a session without path identifiers after one with: what it hides is not gone") {
  TwoPaths b;
  Batch without;
  without.up(20).announce(21, kP, {1, 2}).end_of_rib(22);
  CHECK(b.run(without) == Lines{"up", "e 192.0.2.0/24 none -> 1 2 resync baseline",
                                "e 192.0.2.0/24#1 1 2 -> none resync baseline", "end",
                                "e 192.0.2.0/24#2 3 4 -> none resync baseline since 10",
                                "e 198.51.100.0/24#1 1 2 -> none resync baseline since 10",
                                "e 198.51.100.0/24#2 3 4 -> none resync baseline since 10", "end",
                                "synchronized"});
}

TEST_CASE("a session with path identifiers after one without: what was hidden teaches, a prefix does not") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "e").up(2).announce(3, kP, {1, 2}).end_of_rib(4).down(10);
  b.run(first);
  Batch with;
  with.up(20).announce(21, kP + "#1", {3, 4}).announce(21, kP + "#2", {1, 2});
  with.announce(21, kQ + "#1", {5, 6}).end_of_rib(22).down(30);
  CHECK(b.run(with) == Lines{"up", "e 192.0.2.0/24#1 none -> 3 4 resync baseline since 10", "end",
                             "e 192.0.2.0/24#2 none -> 1 2 resync baseline",
                             "e 192.0.2.0/24 1 2 -> none resync baseline", "end",
                             "e 198.51.100.0/24#1 none -> 5 6 resync since 10", "end",
                             "synchronized", "down"});
  Batch without;
  without.up(40).announce(41, kP, {3, 4}).announce(41, kQ, {7, 8}).end_of_rib(42);
  CHECK(b.run(without) == Lines{"up", "e 192.0.2.0/24 none -> 3 4 resync baseline",
                                "e 192.0.2.0/24#1 3 4 -> none resync baseline", "end",
                                "e 198.51.100.0/24 none -> 7 8 resync baseline since 30", "end",
                                "e 192.0.2.0/24#2 1 2 -> none resync baseline since 30",
                                "e 198.51.100.0/24#1 5 6 -> none resync baseline since 30", "end",
                                "synchronized"});
  CHECK(b.engine.counters().routes == 2);
}

TEST_CASE("a prefix counts once, with path identifiers, without and both; of several neighbours, too") {
  Bench b;
  b.start();
  CHECK(b.engine.distinct_prefixes() == 0);
  Batch batch;
  batch.declare(1, "e").up(2).announce(3, kP + "#1", {1}).announce(3, kP + "#2", {2});
  batch.announce(3, kP, {3}).announce(3, kQ + "#1", {1}).announce(3, kQ + "#2", {1});
  batch.announce(3, "10.0.0.0/8", {1}).announce(3, "2001:db8::1/128", {1});
  b.run(batch);
  CHECK(b.engine.counters().prefixes == 7);
  CHECK(b.engine.distinct_prefixes() == 4);
  Batch gone;  // it stays known until the commit is durable
  gone.update(4, {kP, kQ + "#1", "10.0.0.0/8"}, {}, {});
  b.run(gone);
  CHECK(b.engine.distinct_prefixes() == 3);
}

TEST_CASE("routes are told in order of NLRI, whatever ids they were given") {
  const Lines ordered{"10.0.0.0/8", "10.0.0.0/9", "192.0.2.0/24", "198.51.100.0/24"};
  const auto prefixes_of = [](const Lines& lines) {
    Lines found;
    for (const std::string& line : lines) {
      const std::size_t slash = line.find('/');
      if (slash == std::string::npos) continue;
      const std::size_t begin = line.rfind(' ', slash) + 1;
      found.push_back(line.substr(begin, line.find(' ', slash) - begin));
    }
    return found;
  };
  const auto filled = [&] {
    auto b = std::make_unique<Bench>();
    b->start();
    Batch first;
    first.declare(1, "edge1").up(2);
    for (auto p = ordered.rbegin(); p != ordered.rend(); ++p) first.announce(3, *p, {1});
    b->run(first.end_of_rib(4));
    return b;
  };
  const auto swept = filled();
  Batch gap;
  CHECK(prefixes_of(swept->run(gap.down(10).up(20).end_of_rib(23))) == ordered);
  const auto removed = filled();
  removed->engine.remove_peer("edge1");
  CHECK(prefixes_of(removed->log.take()) == ordered);
  const auto reloaded = filled();
  Log log;
  std::vector<std::unique_ptr<Detector>> others;
  others.push_back(std::make_unique<Recorder>(log));
  reloaded->engine.replace_detectors({}, {}, std::move(others), [](const Engine::StateFn&) {});
  CHECK(prefixes_of(log.take()) == ordered);
}

TEST_CASE(
    "ids of withdrawn prefixes are given back as far as new ones are wanted, the rest when calm") {
  constexpr int kMany = 200'000, kWanted = 65'536;
  Bench b;
  b.start();
  b.commits.durable = 1000;
  b.run(Batch().declare(1, "edge1").up(2).announce_many(3, 0, kMany, {1, 2}).end_of_rib(4));
  const std::uint64_t octets = b.engine.footprint().prefixes;
  b.run(Batch().withdraw_many(5, 0, kMany));
  CHECK(b.engine.counters().prefixes == 0);
  b.run(Batch());
  CHECK(b.log.released == kWanted);
  b.run(Batch().announce_many(6, kMany, kMany + 60'000, {1, 2}));
  CHECK(b.engine.counters().prefixes == 60'000);
  b.run(Batch());
  CHECK(b.log.released == 2 * kWanted);
  CHECK(b.engine.footprint().prefixes == octets);
  const auto tick = [&b](std::int64_t t) {
    Batch batch;
    batch.add_tick(at(t));
    b.run(batch);
  };
  tick(7);  // much has changed since the last
  CHECK(b.log.released == 2 * kWanted);
  b.run(Batch().announce_many(8, 150'000, kMany, {1, 3}));  // they come back
  tick(9);
  CHECK(b.log.released == 2 * kWanted);
  tick(10);
  CHECK(b.log.released == 150'000);
  CHECK(b.engine.counters().prefixes == 110'000);
}

TEST_CASE("prefixes that come and go all the time do not pile up until it is calm") {
  constexpr int kMany = 200'000, kFlapping = 10'000, kWanted = 65'536;
  Bench b;
  b.start();
  b.commits.durable = 1000;
  b.run(Batch().declare(1, "edge1").up(2).announce_many(3, 0, kMany, {1, 2}).end_of_rib(4));
  b.run(Batch().withdraw_many(5, 0, kMany));
  b.run(Batch());
  CHECK(b.log.released == kWanted);  // more are not wanted from here on
  for (int i = 0; i < 10; ++i) {
    b.run(Batch().announce_many(6, kMany - kFlapping, kMany, {1, 2}));
    b.run(Batch().withdraw_many(6, kMany - kFlapping, kMany));
  }
  b.run(Batch());
  CHECK(b.log.released >= kMany - kFlapping);
}

TEST_CASE("a neighbour joined midway teaches at first sight of a prefix and alarms after it") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "x", true).up(1).announce(2, kP, {1, 2}).announce(3, kP, {1, 3});
  CHECK(b.run(batch) == Lines{"up", "x 192.0.2.0/24 none -> 1 2 live baseline", "end",
                              "x 192.0.2.0/24 1 2 -> 1 3 live", "end"});
}

TEST_CASE("joined midway: what is seen to go is known to have no route; what nobody saw is not") {
  Bench b;
  b.start();
  // First seen to be withdrawn: which route it had is not known, so the next one teaches.
  Batch unknown;
  unknown.declare(1, "x", true).up(1).update(2, {kP}, {}, {}).announce(3, kP, {1, 2});
  CHECK(b.run(unknown) == Lines{"up", "x 192.0.2.0/24 none -> 1 2 live baseline", "end"});
  // Seen, then withdrawn, once or twice: what comes back is a change.
  Batch known;
  known.update(4, {kP}, {}, {}).update(5, {kP}, {}, {}).announce(6, kP, {1, 3});
  known.update(7, {kP}, {}, {}).announce(8, kP, {1, 3}).announce(9, kQ, {1, 3});
  CHECK(b.run(known) ==
        Lines{"x 192.0.2.0/24 1 2 -> none live", "end", "x 192.0.2.0/24 none -> 1 3 live", "end",
              "x 192.0.2.0/24 1 3 -> none live", "end", "x 192.0.2.0/24 none -> 1 3 live", "end",
              "x 198.51.100.0/24 none -> 1 3 live baseline", "end"});
  // A session that is seen to begin brings a first table, and all of it teaches.
  Batch session;
  session.update(10, {kP}, {}, {}).down(11).up(12).announce(13, kP, {1, 4});
  CHECK(b.run(session) == Lines{"x 192.0.2.0/24 1 3 -> none live", "end", "down", "up",
                                "x 192.0.2.0/24 none -> 1 4 resync baseline since 11", "end"});
}

TEST_CASE("RFC 7313: what a refresh does not repeat is swept at EoRR, nothing else changes") {
  Bench b;
  b.start();
  Batch first;
  first.declare(1, "edge1").up(2).announce(3, kP, {1, 2}).announce(3, kQ, {1, 2}).end_of_rib(4);
  b.run(first);
  Batch refresh;
  refresh.mark(10, bgp::RecordKind::kRefreshBegin)
      .announce(11, kP, {1, 2})
      .end_of_rib(12)
      .mark(13, bgp::RecordKind::kRefreshEnd);
  CHECK(b.run(refresh) ==
        Lines{"edge1 198.51.100.0/24 1 2 -> none resync since 10", "end", "synchronized"});
  Batch lonely;
  lonely.mark(14, bgp::RecordKind::kRefreshEnd);
  CHECK(b.run(lonely) == Lines{});
}

TEST_CASE("timers fire in event time, before any record of that time") {
  Bench b;
  b.start();
  Batch one;
  one.add_tick(at(100));
  b.run(one);
  b.recorder->host_->set_timer(1, at(105));
  b.recorder->host_->set_timer(2, at(103));
  Batch two;
  two.declare(104, "edge1").up(105);
  CHECK(b.run(two) == Lines{"timer 2 at 103", "timer 1 at 105", "up"});
}

TEST_CASE("a timer of a start without a past is due at the first record, and goes on from there") {
  Bench b;
  b.start();
  b.recorder->host_->set_timer(1, b.recorder->host_->now() + std::chrono::seconds(1));
  Batch one;
  one.add_tick(at(100));
  CHECK(b.run(one) == Lines{"timer 1 at 100"});
}

namespace {

/// Sets its timer anew, after `step` from now, until it has fired `end` times.
class Spinner : public Detector {
 public:
  using Step = microseconds (*)(std::size_t fired);
  Spinner(std::size_t end, Step step) : end_(end), step_(step) {}
  std::string_view name() const override { return "spinner"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange&) override {}
  void on_timer(std::uint64_t key) override {
    if (++fired < end_) host_->set_timer(key, host_->now() + step_(fired));
  }
  Host* host_ = nullptr;
  std::size_t fired = 0;

 private:
  const std::size_t end_;
  const Step step_;
};

Spinner& add_spinner(Bench& b, std::size_t end, Spinner::Step step) {
  auto made = std::make_unique<Spinner>(end, step);
  Spinner& spinner = *made;
  b.engine.add_detector(std::move(made));
  b.start();
  Batch one;
  one.add_tick(at(100));
  b.run(one);
  return spinner;
}

}  // namespace

TEST_CASE("a detector that sets timers for now in on_timer without end fails; others run on") {
  constexpr std::size_t kMost = 100'000;
  for (const std::size_t end : {kMost + 1, std::size_t{1} << 40}) {
    Bench b;
    const auto now_or_before = [](std::size_t fired) { return -microseconds(fired % 2); };
    Spinner& spinner = add_spinner(b, end, now_or_before);
    spinner.host_->set_timer(1, at(103));
    b.recorder->host_->set_timer(2, at(104));
    Batch two;
    two.add_tick(at(104));
    CHECK(b.run(two) == Lines{"timer 2 at 104"});
    const auto& events = b.commits.list.back().events;
    CHECK(spinner.fired == kMost + 1);
    REQUIRE(events.size() == (end == kMost + 1 ? 0 : 1));
    if (events.empty()) continue;
    CHECK(events[0].type == "detector-failed");
    CHECK(events[0].summary ==
          "detector spinner failed and is disabled: sets timers for now, or earlier, within "
          "`on_timer`, without end");
  }
}

TEST_CASE("many timers that are due at one time are no fault, nor are many while time moves on") {
  constexpr std::size_t kMany = 150'000;
  Bench b;
  std::size_t timers = 1;
  Spinner* spinner = nullptr;
  SUBCASE("at one time, each set anew for a later one") {
    spinner = &add_spinner(b, SIZE_MAX, [](std::size_t) { return microseconds(10'000'000); });
    timers = kMany;
  }
  SUBCASE("one for now at each of many times") {
    spinner = &add_spinner(b, 2 * kMany, [](std::size_t fired) { return microseconds(fired % 2); });
  }
  for (std::size_t i = 0; i < timers; ++i) spinner->host_->set_timer(i, at(101));
  Batch two;
  two.add_tick(at(102));
  b.run(two);
  CHECK(spinner->fired == (timers == 1 ? 2 * kMany : kMany));
  CHECK(b.engine.detector_summaries().back().enabled);
}

TEST_CASE("a host knows which ids stand for something") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1});
  b.run(batch);
  const Host& host = *b.recorder->host_;
  const auto knows = [&host](std::uint32_t id) {
    return Lines{host.has_peer(id) ? "peer" : "", host.has_prefix(id) ? "prefix" : "",
                 host.has_path(id) ? "path" : ""};
  };
  PeerId peer = 0;
  while (!host.has_peer(peer)) ++peer;
  CHECK(host.peer(peer).name == "edge1");
  CHECK(host.has_prefix(0));
  CHECK(host.has_path(0));
  for (const std::uint32_t id : {std::uint32_t{1} << 20, kNoPath - 1, kNoPath})
    CHECK(knows(id) == Lines{"", "", ""});
  b.engine.remove_peer("edge1");
  CHECK_FALSE(host.has_peer(peer));
  b.commits.durable = 100;  // now the ids may be given again
  Batch later;
  later.add_tick(at(4));
  b.run(later);
  CHECK_FALSE(host.has_prefix(0));
  CHECK_FALSE(host.has_path(0));
}

TEST_CASE("event time never steps back") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(100, "edge1").up(100);
  batch.add_tick(at(50));
  b.run(batch);
  CHECK(b.engine.now() == at(100));
}

TEST_CASE("route change, detector state and event are in one commit (promise 4)") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {777});
  b.run(batch);
  const Commit& commit = b.commits.list.back();
  CHECK(commit.routes.size() == 1);
  CHECK(commit.new_paths.size() == 1);
  CHECK(commit.states.size() == 1);
  CHECK(commit.events.size() == 1);
  CHECK(commit.sequence == 1);
}

namespace {

/// Counts what it is told; `interest` says what it asks for.
class Listener : public Detector {
 public:
  Listener(RouteInterest interest, std::string& told) : interest_(interest), told_(told) {}
  std::string_view name() const override { return "listener"; }
  void attach(Host&) override {}
  RouteInterest route_interest() const override { return interest_; }
  void restore_route(const RouteView&) override { told_ += 'r'; }
  void on_route_change(const RouteChange& c) override { told_ += c.baseline ? 'b' : 'l'; }
  void on_update_end() override { told_ += 'e'; }
  void on_peer_change(const PeerChange&) override { told_ += 'p'; }
  void path_released(PathId) override { told_ += 'x'; }

 private:
  const RouteInterest interest_;
  std::string& told_;
};

/// Lets nothing through but what is of severity error.
class OnlyErrors : public Listener, public EventFilter {
 public:
  explicit OnlyErrors(std::string& told) : Listener(RouteInterest::kNone, told), asked_(told) {}
  bool admit(std::string_view detector, Event& event) override {
    asked_ += std::string(detector) + ':' + event.type + ' ';
    return event.severity <= Severity::kError;
  }
  bool counts_witnesses() const override { return true; }
  void add_witness(const EventId&, std::string_view type, const std::string& peer) override {
    asked_ += std::string(type) + '=' + peer + ' ';
  }

 private:
  std::string& asked_;
};

/// Every neighbour that shows a route is a witness.
class Watcher : public Listener {
 public:
  using Listener::Listener;
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& c) override {
    if (host_->counts_witnesses()) host_->add_witness({}, "seen", c.peer);
  }

 private:
  Host* host_ = nullptr;
};

/// edge1 has announced its table, and is removed.
void remove_after_first_table(Bench& b) {
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).end_of_rib(3);
  b.run(batch);
  b.engine.remove_peer("edge1");
}

}  // namespace

TEST_CASE("a detector is told the route changes that it asks for, and no others") {
  Bench b;
  std::string none, live, all;
  b.engine.add_detector(std::make_unique<Listener>(RouteInterest::kNone, none));
  b.engine.add_detector(std::make_unique<Listener>(RouteInterest::kLive, live));
  b.engine.add_detector(std::make_unique<Listener>(RouteInterest::kAll, all));
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1, 2});
  batch.mark(4, bgp::RecordKind::kEndOfRib).announce(5, kP, {1, 3});
  b.run(batch);
  CHECK(none == "pp");
  CHECK(live == "pple");
  CHECK(all == "pbeple");
  // The first path is free once the commit is durable.
  b.commits.durable = 100;
  Batch more;
  more.announce(6, kQ, {1, 3});
  b.run(more);
  CHECK(none == "pp");
  CHECK(live == "pplexle");
}

TEST_CASE("a detector that is an event filter judges the events of the others") {
  Bench b;
  std::string asked;
  b.engine.add_detector(std::make_unique<OnlyErrors>(asked));
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {777}).announce(4, kQ, {666});
  b.run(batch);
  CHECK(asked.find("recorder:seen recorder:detector-failed ") != std::string::npos);
  CHECK(asked.find("seen=edge1") == std::string::npos);
  REQUIRE(b.commits.list.back().events.size() == 1);
  CHECK(b.commits.list.back().events[0].type == "detector-failed");
  CHECK(b.commits.list.back().states.size() == 2);  // what the detector learnt, and that it failed
}

TEST_CASE("a detector's witnesses are told to the filter, by name") {
  std::string ignored, asked;
  Bench without, with;
  without.engine.add_detector(std::make_unique<Watcher>(RouteInterest::kAll, ignored));
  with.engine.add_detector(std::make_unique<Watcher>(RouteInterest::kAll, ignored));
  with.engine.add_detector(std::make_unique<OnlyErrors>(asked));
  for (Bench* const b : {&without, &with}) {
    b->start();
    Batch batch;
    batch.declare(1, "edge1").up(2).announce(3, kP, {1});
    b->run(batch);
  }
  CHECK(asked.find("seen=edge1 ") != std::string::npos);
}

/// What all neighbours show for the prefix that changed, as the detector is told of the change: the
/// first `most` of them.
class Looker : public Detector {
 public:
  explicit Looker(std::size_t most) : most_(most) {}
  std::string_view name() const override { return "looker"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& change) override {
    std::string line;
    std::size_t told = 0;
    host_->for_each_route(change.prefix, [&](const RouteView& route) {
      line += (line.empty() ? "" : ", ") + host_->peer(route.peer).name + " " +
              format_as_path(host_->path(route.path).as_path()) + (route.stale ? " stale" : "");
      return ++told < most_;
    });
    seen.push_back(line);
  }
  Lines seen;

 private:
  const std::size_t most_;
  Host* host_ = nullptr;
};

TEST_CASE("a detector sees the routes of all neighbours for a prefix, to the last one") {
  Bench b;
  auto owned = std::make_unique<Looker>(100), curious = std::make_unique<Looker>(2);
  Looker &looker = *owned, &soon_content = *curious;
  b.engine.add_detector(std::move(owned));
  b.engine.add_detector(std::move(curious));
  b.start();
  Batch batch;
  for (const std::uint32_t n : {0u, 1u, 2u, 3u}) {
    bgp::PeerDetail detail;
    detail.name = std::string(1, static_cast<char>('a' + n));
    batch.add_peer(at(1), n, detail);
    batch.up(2).records.back().peer = n;
  }
  const auto announce = [&](std::uint32_t n, Asn as) {
    batch.announce(3, kP, {as}).records.back().peer = n;
  };
  announce(0, 10);
  announce(3, 13);
  announce(2, 12);
  batch.down(4).records.back().peer = 0;
  announce(2, 22);
  batch.update(5, {kP}, {}, {}).records.back().peer = 0;
  batch.update(6, {kP}, {}, {}).records.back().peer = 3;
  batch.update(7, {kP}, {}, {}).records.back().peer = 2;
  announce(1, 11);
  b.run(batch);
  CHECK(looker.seen == Lines{"a 10", "a 10, d 13", "a 10, c 12, d 13", "a 10 stale, c 22, d 13",
                             "c 22, d 13", "c 22", "", "b 11"});
  CHECK(soon_content.seen == Lines{"a 10", "a 10, d 13", "a 10, c 12", "a 10 stale, c 22",
                                   "c 22, d 13", "c 22", "", "b 11"});
}

/// Says one event for each route that it was told of when the records have ended.
class AtTheEnd : public Detector {
 public:
  std::string_view name() const override { return "at-the-end"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange&) override {
    host_->put_state("k", "v");
    host_->erase_state("k");
    ++routes_;
  }
  void finish() override {
    for (std::uint8_t i = 0; i < routes_; ++i) {
      Event event = host_->blank_event();
      event.id.bytes[0] = i;
      event.fields.push_back({"number", std::int64_t{i}});
      event.summary += std::to_string(i);
      host_->emit(std::move(event));
    }
  }

 private:
  Host* host_ = nullptr;
  std::uint8_t routes_ = 0;
};

/// Gives each commit's events back, once others have come.
class GivesBack final : public Commits {
 public:
  void submit(Commit&& commit) override {
    given.push_back(commit.events);
    Commits::submit(std::move(commit));
  }
  std::vector<Event> spent() override {
    if (given.size() < 2) return {};
    std::vector<Event> events = std::move(given.front());
    given.erase(given.begin());
    return events;
  }
  std::vector<std::vector<Event>> given;
};

/// An engine with 200 routes of one neighbour, each worth an event at the end.
struct Ending {
  Ending(CommitSink& commits, bool replay) : engine(options(replay), commits) {
    engine.add_detector(std::make_unique<AtTheEnd>());
    engine.end_restore();
    Batch batch;
    batch.declare(1, "r").up(2);
    for (int i = 0; i < 200; ++i)
      batch.update(3, {}, {"10.0." + std::to_string(i) + ".0/24"}, {1});
    engine.process(batch);
    engine.finish();
  }
  static EngineOptions options(bool replay) {
    EngineOptions o;
    o.replay = replay;
    return o;
  }
  Engine engine;
};

TEST_CASE("events that the sink gives back are not told again") {
  GivesBack commits;
  const Ending ending(commits, true);
  std::size_t events = 0;
  for (const Commit& commit : commits.list)
    for (const Event& event : commit.events) CHECK(event.id.bytes[0] == events++);
  CHECK(events == 200);
  CHECK(commits.given.size() == 1);
}

TEST_CASE("an event in the memory of another says only its own") {
  GivesBack commits;
  const Ending ending(commits, true);
  std::int64_t number = 0;
  for (const Commit& commit : commits.list)
    for (const Event& event : commit.events) {
      CHECK(event.fields == std::vector<Field>{{"number", number}});
      CHECK(event.summary == std::to_string(number++));
    }
  CHECK(number == 200);
}

TEST_CASE("a replay keeps nothing but events, and tells its end in pieces and in order") {
  for (const bool replay : {false, true}) {
    Commits commits;
    Ending ending(commits, replay);
    std::size_t states = 0, routes = 0, paths = 0, events = 0, most = 0;
    for (const Commit& commit : commits.list) {
      states += commit.states.size();
      routes += commit.routes.size();
      paths += commit.new_paths.size();
      most = std::max(most, commit.events.size());
      for (const Event& event : commit.events) CHECK(event.id.bytes[0] == events++);
    }
    CHECK(states == (replay ? 0 : 400));
    CHECK(routes == (replay ? 0 : 200));
    CHECK(paths == (replay ? 0 : 1));
    CHECK(ending.engine.counters().changes == 200);
    // A commit for a batch, with or without an event: ids that were given back go by its number.
    const std::uint64_t before = commits.list.back().sequence;
    Batch again;
    again.update(4, {}, {"10.0.0.0/24"}, {1});
    ending.engine.process(again);
    CHECK(commits.list.back().sequence == before + (replay ? 1 : 0));
    CHECK(events == 200);
    CHECK(most == (replay ? 64 : 200));
  }
}

TEST_CASE("NLRI are the same, whoever hashed them: the maker of a batch, the engine, or each a part") {
  Bench b;
  b.start();
  for (int made = 0; made < 3; ++made) {
    Batch batch;
    if (made == 0) batch.declare(1, "r").up(2);
    batch.announce(3 + made, kP, {1});
    if (made > 0) batch.hash_nlri();
    CHECK(batch.hashes.size() == (made > 0 ? 1 : 0));
    batch.announce(3 + made, kQ, {2});
    if (made == 2) batch.hash_nlri();
    b.run(batch);
  }
  CHECK(b.routes() == 2);
  CHECK(b.engine.counters().prefixes == 2);
  CHECK(b.engine.counters().duplicates == 4);
}

TEST_CASE("paths that went lately are known when they come again, but not for ever") {
  Bench b(1000);
  b.start();
  b.run(Batch().declare(1, "r").up(2).end_of_rib(3));
  const auto come_and_go = [&](Asn as) {
    b.run(Batch().update(10, {}, {"10.0.0.0/8"}, {as}).update(10, {"10.0.0.0/8"}, {}, {}));
    b.commits.durable = b.commits.list.back().sequence;
    return b.commits.list.back().new_paths.size();
  };
  CHECK(come_and_go(7) == 1);
  CHECK(come_and_go(7) == 0);
  const std::uint64_t paths = b.engine.counters().paths;
  for (Asn as = 100; as < 2000; ++as) come_and_go(as);
  CHECK(b.engine.counters().paths < paths + 1010);
  CHECK(come_and_go(7) == 1);
}

TEST_CASE("a neighbour whose local AS changes: routes of one hop are judged anew, others left alone") {
  Bench b;
  b.start();
  b.run(Batch()
            .declare(1, "r")
            .up(2)
            .announce(2, "10.0.2.0/24", {3333, 3333})
            .announce(2, "10.0.1.0/24", {3333, 100})
            .announce(2, "10.0.0.0/24", {3333})
            .announce(2, "10.0.3.0/24", {})
            .end_of_rib(3));
  const Lines lines = b.run(Batch().declare(4, "r", false, 64513));
  CHECK(lines == Lines{"r 10.0.0.0/24 3333 -> none live baseline",
                       "r 10.0.2.0/24 3333 3333 -> none live baseline",
                       "r 10.0.3.0/24  -> none live baseline",
                       "r 10.0.0.0/24 none -> 3333 live baseline to 64513",
                       "r 10.0.2.0/24 none -> 3333 3333 live baseline to 64513",
                       "r 10.0.3.0/24 none ->  live baseline to 64513", "end"});
  CHECK(b.routes() == 4);
  CHECK(b.run(Batch().declare(5, "r", false, 64513)).empty());
  // After a restart with another configuration, too.
  Bench again;
  PeerRecord record;
  record.name = "r";
  record.as = 3333;
  record.local_as = 64512;
  REQUIRE(again.engine.restore_peer(record));
  const auto path = path_of({3333});
  REQUIRE(again.engine.restore_path(7, path));
  REQUIRE(again.engine.restore_route(0, key_of("10.0.0.0/24"), 7));
  again.start();
  CHECK(again.run(Batch().declare(4, "r", false, 64513)) ==
        Lines{"r 10.0.0.0/24 3333 -> none live baseline",
              "r 10.0.0.0/24 none -> 3333 live baseline to 64513", "end"});
}

TEST_CASE("a neighbour that becomes internal, or external: its next table teaches") {
  Bench b;
  b.start();
  b.run(Batch()
            .declare(1, "r")
            .up(2)
            .announce(2, "10.0.1.0/24", {3333, 100})
            .announce(2, "10.0.2.0/24", {3333, 100})
            .announce(2, "10.0.0.0/24", {3333})
            .end_of_rib(3)
            .down(4));
  // A path of one hop would mean something else; the others are kept until the table has come.
  CHECK(b.run(Batch().declare(5, "r", false, 3333)) ==
        Lines{"r 10.0.0.0/24 3333 -> none live baseline removed", "end"});
  CHECK(b.routes() == 2);
  CHECK(b.commits.list.back().record_history);
  CHECK_FALSE(b.commits.list.back().peers.back().families.at(0).baseline_done);
  const Lines table = b.run(Batch()
                                .declare(6, "r", false, 3333)
                                .up(7)
                                .announce(7, "10.0.1.0/24", {100})
                                .end_of_rib(8));
  CHECK(table == Lines{"up", "r 10.0.1.0/24 3333 100 -> 100 resync baseline to 3333 since 4", "end",
                       "r 10.0.2.0/24 3333 100 -> none resync baseline to 3333 since 4", "end",
                       "baseline-done"});
  // Where it was not known what it is, nothing speaks against what was shown.
  CHECK(b.run(Batch().declare(9, "r", false, 0)).size() == 3);
  CHECK(b.run(Batch().declare(10, "r", false, 64512)).size() == 3);
  CHECK(b.routes() == 1);
}

TEST_CASE("a neighbour that was up when Lapwing ended is blind from then on, however many starts follow") {
  PeerRecord record;
  record.name = "r";
  record.as = 3333;
  record.up = true;
  record.last_change = at(100);
  Bench first;
  first.engine.restore_meta(at(500));
  REQUIRE(first.engine.restore_peer(record));
  first.start();
  first.run(Batch().declare(510, "r"));
  const PeerRecord stored = first.commits.list.back().peers.back();
  CHECK_FALSE(stored.up);
  Bench second;
  second.engine.restore_meta(at(510));
  REQUIRE(second.engine.restore_peer(stored));
  second.start();
  REQUIRE(second.engine.peer_summaries().size() == 1);
  CHECK(second.engine.peer_summaries()[0].blind_since == at(500));
  CHECK(second.engine.peer_summaries()[0].blind_reason == "Lapwing was not running");
}

TEST_CASE("why a neighbour was lost is known after a start; what an older version stored has no reason") {
  Bench first;
  first.start();
  Batch batch;
  batch.declare(1, "r").up(2).down(3);
  batch.session_details.back().reason = "hold timer expired";
  first.run(batch);
  PeerRecord stored = first.commits.list.back().peers.back();
  for (const char* const reason : {"hold timer expired", "the session was down"}) {
    Bench next;
    REQUIRE(next.engine.restore_peer(stored));
    next.start();
    CHECK(next.engine.peer_summaries()[0].blind_reason == reason);
    next.run(Batch().declare(9, "r").up(10));
    CHECK(next.commits.list.back().blind[0].reason == reason);
    CHECK(next.commits.list.back().peers.back().blind_reason.empty());
    stored.blind_reason.clear();
  }
}

/// Ids of what it says and when: a coming is 1, a going 2. Says a coming `repeat` times.
class Alternating : public Detector {
 public:
  std::string_view name() const override { return "alternating"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& change) override {
    while_running = engine->running_detector().name;
    for (int i = 0; i < (change.after == kNoPath ? 1 : repeat); ++i) {
      Event event;
      event.incident.bytes[0] = 9;
      event.type = change.after == kNoPath ? "goes" : "comes";
      event.id.bytes[0] = change.after == kNoPath ? 2 : 1;
      event.id.bytes[1] = static_cast<std::uint8_t>(unix_micros(host_->now()) / 1000000);
      host_->emit(std::move(event));
    }
  }
  Host* host_ = nullptr;
  Engine* engine = nullptr;
  int repeat = 1;
  std::string while_running;
};

TEST_CASE("what begins again at one moment is another event; what is said twice in a row is one") {
  Bench b;
  auto owned = std::make_unique<Alternating>();
  Alternating& detector = *owned;
  detector.engine = &b.engine;
  b.engine.add_detector(std::move(owned));
  b.start();
  b.run(Batch().declare(1, "r").up(2).end_of_rib(3));
  Batch flap;
  for (int i = 0; i < 3; ++i)
    flap.update(10, {}, {"10.0.0.0/8"}, {1}).update(10, {"10.0.0.0/8"}, {}, {});
  flap.update(11, {}, {"10.0.0.0/8"}, {1});
  b.run(flap);
  std::vector<EventId> ids;
  for (const Commit& commit : b.commits.list)
    for (const Event& event : commit.events) ids.push_back(event.id);
  REQUIRE(ids.size() == 7);
  CHECK(ids[0].bytes[0] == 1);  // the first of each is as the detector made it
  CHECK(ids[1].bytes[0] == 2);
  CHECK(ids[6].bytes[1] == 11);
  const std::set<EventId> distinct(ids.begin(), ids.end());
  CHECK(distinct.size() == 7);

  detector.repeat = 2;
  b.commits.list.clear();
  b.run(Batch().update(12, {"10.0.0.0/8"}, {}, {}).update(12, {}, {"10.0.0.0/8"}, {1}));
  const std::vector<Event>& last = b.commits.list.back().events;
  REQUIRE(last.size() == 3);
  CHECK(last[1].id == last[2].id);
  CHECK(detector.while_running == "alternating");
  CHECK(b.engine.running_detector().name.empty());
  b.engine.query("nothing", "");
  CHECK(b.engine.running_detector().name.empty());
}

class OnlyComings : public Listener, public EventFilter {
 public:
  explicit OnlyComings(std::string& told) : Listener(RouteInterest::kNone, told) {}
  bool admit(std::string_view, Event& event) override { return event.type == "comes"; }
};

TEST_CASE("an id does not depend on what the filter holds back") {
  const auto ids_with = [](bool filtered) {
    Bench b;
    std::string told;
    if (filtered) b.engine.add_detector(std::make_unique<OnlyComings>(told));
    auto owned = std::make_unique<Alternating>();
    owned->engine = &b.engine;
    b.engine.add_detector(std::move(owned));
    b.start();
    b.run(Batch().declare(1, "r").up(2).end_of_rib(3));
    for (int i = 0; i < 3; ++i)
      b.run(Batch().update(10, {}, {"10.0.0.0/8"}, {1}).update(10, {"10.0.0.0/8"}, {}, {}));
    std::vector<EventId> ids;
    for (const Commit& commit : b.commits.list)
      for (const Event& event : commit.events)
        if (event.type == "comes") ids.push_back(event.id);
    return ids;
  };
  const auto ids = ids_with(true);
  CHECK(ids.size() == 3);
  CHECK(ids == ids_with(false));
}

std::uint64_t nanoseconds_now = 0;

class TakesTime : public Detector {
 public:
  std::string_view name() const override { return "takes-time"; }
  void attach(Host&) override {}
  void on_route_change(const RouteChange&) override { nanoseconds_now += 1000000; }
};

TEST_CASE("the time of a detector is estimated well, though its calls come in a pattern") {
  Commits commits;
  EngineOptions options;
  options.stopwatch = [] { return nanoseconds_now; };
  Engine engine(options, commits);
  engine.add_detector(std::make_unique<TakesTime>());
  engine.end_restore();
  engine.process(Batch().declare(1, "r").up(2));
  constexpr int kChanges = 20000;
  Batch batch;
  for (int i = 0; i < kChanges; ++i)  // a change, the end of its UPDATE, a change, …
    batch.announce(3, "10.0.0.0/8", {static_cast<Asn>(1 + i % 2)});
  engine.process(batch);
  const DetectorSummary summary = engine.detector_summaries().front();
  CHECK(summary.calls >= 2 * kChanges);
  CHECK(summary.microseconds > kChanges * 800);
  CHECK(summary.microseconds < kChanges * 1200);
}

TEST_CASE("a detector that throws is disabled and an event says so") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {666}).announce(4, kQ, {1});
  CHECK(b.run(batch) == Lines{"up", "edge1 192.0.2.0/24 none -> 666 live baseline"});
  REQUIRE(b.commits.list.back().events.size() == 1);
  const Event failed = b.commits.list.back().events[0];
  CHECK(failed.type == "detector-failed");
  CHECK(failed.action == Action::kRaise);
  CHECK(failed.severity == Severity::kError);
  CHECK(failed.summary.ends_with("six six six \xef\xbf\xbd"));
  CHECK(b.failures == Lines{"recorder: six six six \xef\xbf\xbd"});
  CHECK(b.engine.counters().routes == 2);
  REQUIRE(b.commits.list.back().states.size() == 1);
  const StateWrite kept = b.commits.list.back().states[0];

  // The next start ends it, once.
  Bench next;
  next.engine.restore_meta(at(9));
  next.engine.restore_state(kept.detector, kept.key, *kept.value);
  next.engine.restore_state(kept.detector, "another", "gone since");
  next.start();
  next.run(Batch().declare(10, "edge1"));
  const Commit& first = next.commits.list.back();
  REQUIRE(first.events.size() == 2);
  const Event& over = first.events[0];
  CHECK(over.summary == "detector recorder runs again; it had failed: six six six \xef\xbf\xbd");
  CHECK(over.action == Action::kClear);
  CHECK(over.severity == Severity::kNotice);
  CHECK(over.incident == failed.incident);
  CHECK(over.id != failed.id);
  CHECK(over.time == at(10));
  CHECK(first.events[1].summary == "detector another is no longer configured; it had failed: gone since");
  CHECK(first.events[1].action == Action::kClear);
  CHECK(first.events[1].incident != failed.incident);
  REQUIRE(first.states.size() == 2);
  CHECK(first.states[0].key == "recorder");
  CHECK(first.states[1].key == "another");
  CHECK_FALSE(first.states[0].value);
  CHECK_FALSE(first.states[1].value);
}

/// Fails again as soon as it starts.
class Hopeless : public Recorder {
 public:
  using Recorder::Recorder;
  void start_up() override { throw std::runtime_error("no hope"); }
};

TEST_CASE("a detector that fails anew when it starts is not said to run again") {
  Log log;
  Commits commits;
  Engine engine{{}, commits};
  engine.add_detector(std::make_unique<Hopeless>(log));
  engine.restore_state("failed detectors", "recorder", "before");
  engine.end_restore();
  for (const Commit& commit : commits.list) CHECK(commit.events.empty());  // there is no time yet
  engine.process(Batch().declare(10, "edge1"));
  REQUIRE(commits.list.back().events.size() == 1);
  CHECK(commits.list.back().events[0].time == at(10));
  CHECK(commits.list.back().events[0].action == Action::kRaise);
  REQUIRE(commits.list.front().states.size() == 1);
  CHECK(commits.list.front().states[0].value == "no hope");
}

TEST_CASE("restored routes are stale until announced again; identical ones are no change") {
  Bench b;
  PeerRecord record;
  record.id = 4;
  record.name = "edge1";
  record.up = true;
  record.last_change = at(2);
  record.families = {{kIpv4Unicast, true}};
  const auto set = path_of({1, 2});
  b.engine.restore_meta(at(50));
  CHECK(b.engine.restore_peer(record));
  CHECK_FALSE(b.engine.restore_peer(record));
  CHECK(b.engine.restore_path(9, set));
  b.engine.restore_state("recorder", "a", "b");
  b.engine.restore_state("other", "a", "b");
  const std::vector<Engine::RestoredRoute> routes = {{4, 9, key_of(kP)},
                                                     {4, 9, key_of(kQ)},
                                                     {4, 9, key_of(kQ)},
                                                     {5, 9, key_of(kQ)},
                                                     {4, 99, key_of("10.0.0.0/8")}};
  CHECK(b.engine.restore_routes(routes) == 3);  // twice the same, no such neighbour, no such path
  CHECK_FALSE(b.engine.restore_route(4, key_of(kQ), 8));
  CHECK_FALSE(b.engine.restore_route(5, key_of(kQ), 9));
  b.engine.end_restore();
  CHECK(b.log.take() ==
        Lines{"state a=b", "restore edge1 192.0.2.0/24", "restore edge1 198.51.100.0/24", "start"});
  CHECK(b.recorder->host_->is_stale(4, 0));
  Batch batch;
  batch.declare(60, "edge1")
      .up(60)
      .announce(61, kP, {1, 2})
      .announce(61, kQ, {1, 3})
      .end_of_rib(62);
  CHECK(b.run(batch) ==
        Lines{"standing since 50", "up", "edge1 198.51.100.0/24 1 2 -> 1 3 resync since 50", "end",
              "synchronized"});
  CHECK(b.commits.list.back().routes.size() == 1);
  CHECK(b.commits.list.back().blind[0].range == TimeRange{at(50), at(60)});
  Batch later;  // it is told once
  later.down(63).up(64);
  CHECK(b.run(later) == Lines{"down", "up"});
}

TEST_CASE("ids return only after the commit that released them is durable") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).end_of_rib(3);
  b.run(batch);
  Batch gone;
  gone.update(4, {kP}, {}, {});
  b.run(gone);
  Batch other;
  other.announce(5, kQ, {2});
  b.run(other);
  CHECK(b.commits.list.back().routes[0].prefix == 1);
  CHECK(b.commits.list.back().new_paths[0] == 1);
  b.commits.durable = b.commits.list.back().sequence;
  Batch again;
  again.announce(6, "203.0.113.0/24", {3});
  b.run(again);
  CHECK(b.commits.list.back().routes[0].prefix == 0);
  CHECK(b.commits.list.back().new_paths[0] == 0);
}

TEST_CASE("a removed neighbour's routes teach their absence silently") {
  Bench b;
  remove_after_first_table(b);
  CHECK(b.log.take() == Lines{"edge1 192.0.2.0/24 1 -> none live baseline removed", "end", "removed"});
  CHECK(b.commits.list.back().removed_peers == std::vector<PeerId>{0});
  CHECK(b.commits.list.back().routes.empty());
  CHECK(b.engine.peer_names().empty());
  Batch returns;
  returns.declare(10, "edge1");
  b.run(returns);
  CHECK(b.commits.list.back().peers[0].id == 1);
}

TEST_CASE("a session that goes on after its neighbour was removed is that of a new neighbour") {
  Bench b;
  remove_after_first_table(b);
  b.log.take();
  Batch again;  // of the same source, which does not declare its neighbour anew
  again.up(10).announce(11, kP, {1}).end_of_rib(11);
  CHECK(b.run(again) ==
        Lines{"up", "edge1 192.0.2.0/24 none -> 1 live baseline", "end", "baseline-done"});
  CHECK(b.engine.peer_names() == std::vector<std::string>{"edge1"});
  REQUIRE(b.commits.list.back().routes.size() == 1);
  CHECK(b.commits.list.back().routes[0].peer == 1);
}

TEST_CASE("other detectors in place of the present ones begin as after a restart") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).end_of_rib(3);
  b.run(batch);
  b.recorder->host_->set_timer(7, at(5));
  Log log;
  std::vector<std::unique_ptr<Detector>> others;
  others.push_back(std::make_unique<Recorder>(log));
  Watch watch;
  watch.origins = {131279};
  CHECK(b.engine.submit_open() == b.commits.list.back().sequence);
  b.engine.replace_detectors(watch, {100}, std::move(others), [](const Engine::StateFn& fn) {
    fn("recorder", "a", "b");
    fn("other", "c", "d");
  });
  CHECK(log.take() == Lines{"state a=b", "restore edge1 192.0.2.0/24", "start", "standing"});
  Batch more;
  more.announce(9, kP, {2});
  CHECK(b.run(more).empty());  // nobody calls the former one, nor its timer
  CHECK(log.take() == Lines{"edge1 192.0.2.0/24 1 -> 2 live", "end"});
  REQUIRE(b.engine.detector_summaries().size() == 1);
  CHECK(b.engine.detector_summaries()[0].calls >= 5);
  CHECK(b.engine.detector_summaries()[0].name == "recorder");
  // What the engine was made with stays.
  b.run(Batch().declare_limited(10, 2, true).up(10).announce_many(11, 0, 10, {1}));
  REQUIRE(b.limits.size() == 2);
  CHECK(b.limits.back().what == LimitReport::What::kStop);
}

TEST_CASE("of a neighbour that is down and no longer awaited nothing is told when detectors start") {
  Log log;
  Commits commits;
  EngineOptions options;
  options.awaits = [](std::string_view name) { return name == "b"; };
  Engine engine{options, commits};
  engine.add_detector(std::make_unique<Recorder>(log));
  PeerRecord record;
  for (const char* const name : {"a", "b", "c"}) {
    record.name = name;
    record.last_change = at(name[0]);
    REQUIRE(engine.restore_peer(record));
    ++record.id;
  }
  engine.end_restore();
  log.take();
  engine.process(Batch().declare(200, "a").up(201));
  CHECK(log.take() == Lines{"standing since 98", "up"});
  std::vector<std::unique_ptr<Detector>> others;
  others.push_back(std::make_unique<Recorder>(log));
  engine.replace_detectors({}, {}, std::move(others), [](const Engine::StateFn&) {});
  CHECK(log.take() == Lines{"start", "standing", "standing since 98"});
}

TEST_CASE("a summary says who is heard, since when not, and how many routes of each family") {
  Bench b;
  b.start();
  Batch batch;
  batch.declare(1, "edge1").up(2).announce(3, kP, {1}).announce(3, kQ, {1}).end_of_rib(3);
  b.run(batch);
  PeerSummary peer = b.engine.peer_summaries().at(0);
  CHECK(peer.up);
  CHECK_FALSE(peer.blind_since);
  CHECK(peer.routes == std::vector<std::pair<Family, std::uint64_t>>{{kIpv4Unicast, 2}});
  Batch down;
  down.update(4, {kP}, {}, {}).down(5);
  b.run(down);
  peer = b.engine.peer_summaries().at(0);
  CHECK_FALSE(peer.up);
  CHECK(peer.blind_since == at(5));
  CHECK(peer.last_change == at(5));
  CHECK(peer.routes[0].second == 1);
}

TEST_CASE("how records are grouped into batches changes nothing") {
  const auto play = [](bool split) {
    Bench b;
    b.start();
    Batch all;
    all.declare(1, "edge1").up(2);
    for (int i = 0; i < 200; ++i)
      all.announce(3 + i, "10." + std::to_string(i % 50) + ".0.0/16", {1, Asn(i % 7 + 2)});
    all.end_of_rib(300);
    Lines lines;
    if (!split) return b.run(all);
    for (const bgp::Record& record : all.records) {
      Batch part;
      static_cast<bgp::RecordBatch&>(part) = all;
      part.records = {record};
      for (auto& line : b.run(part)) lines.push_back(line);
    }
    return lines;
  };
  CHECK(play(false) == play(true));
}

TEST_CASE("with a large table, looking ahead in a batch changes nothing") {
  struct Step {
    std::vector<std::string> withdrawn, announced;
    std::vector<Asn> ases;
    std::uint32_t peer = 0;
  };
  // New prefixes that go and come again before the batch ends, beside known ones; and UPDATEs of
  // a neighbour over its limit, of which no NLRI is looked at.
  std::vector<Step> steps;
  std::mt19937 random(7);
  const auto some = [&](std::size_t count) {
    std::vector<std::string> prefixes;
    while (prefixes.size() < count) {
      const auto n = random() % 40;
      prefixes.push_back((random() % 2 == 0 ? "10.0." : "192.0.") + std::to_string(n) + ".0/24");
    }
    return prefixes;
  };
  for (int i = 0; i < 500; ++i)
    steps.push_back({some(random() % 4), some(random() % 4), {1, Asn(random() % 5 + 2)},
                     i >= 100 && i % 3 == 0 ? 1u : 0u});
  const auto play = [&](bool together) {
    Bench b;
    b.start();
    Batch table;
    table.declare(1, "edge1").up(2).announce_many(3, 0, 52'000, {1, 2}).end_of_rib(4);
    b.run(table);
    Batch limited;
    limited.declare_limited(4, 2, true).up(4).announce_many(4, 0, 10, {1, 2});
    for (bgp::Record& record : limited.records) record.peer = 1;
    b.run(limited);
    REQUIRE(b.limits.size() == 2);  // near it, and beyond
    Lines lines;
    Batch all;
    for (const Step& step : steps) {
      Batch one;
      Batch& batch = together ? all : one;
      batch.update(5, step.withdrawn, step.announced, step.ases);
      batch.records.back().peer = step.peer;
      if (together) continue;
      for (auto& line : b.run(one)) lines.push_back(line);
    }
    if (together) lines = b.run(all);
    CHECK(b.engine.counters().prefixes >= 50'000);
    return lines;
  };
  const Lines alone = play(false);
  CHECK(alone.size() > 500);
  CHECK(play(true) == alone);
}

TEST_CASE(
    "max-prefix: near the limit and beyond it, a warning each, and an end when there are fewer") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, false).up(2).announce_many(3, 0, 7, {1}));
  CHECK(b.limits.empty());
  b.run(Batch().announce_many(4, 7, 9, {1}));
  REQUIRE(b.limits.size() == 1);
  CHECK(b.limits[0].what == LimitReport::What::kNear);
  b.run(Batch().announce_many(5, 0, 10, {2}));  // changes are no further routes
  CHECK(b.limits.size() == 1);
  b.run(Batch().announce_many(6, 0, 30, {2}));
  REQUIRE(b.limits.size() == 2);
  CHECK(b.limits[1].what == LimitReport::What::kExceeded);
  CHECK(b.limits[1].routes == 10);
  CHECK(b.routes() == 30);
  Batch fewer;
  for (int n = 6; n < 30; ++n) fewer.update(7, {"10.0." + std::to_string(n) + ".0/24"}, {}, {});
  b.run(fewer);
  CHECK(b.limit_events() ==
        Lines{"max-prefix raise warning", "max-prefix raise warning", "max-prefix clear notice"});
}

TEST_CASE(
    "max-prefix: with shutdown not one route more is kept, and nothing until the next session") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, true).up(2).announce_many(3, 0, 500, {1}));
  REQUIRE(b.limits.size() == 2);
  CHECK(b.limits[1].what == LimitReport::What::kStop);
  CHECK(b.limits[1].peer == "r");
  CHECK(b.routes() == 10);
  b.run(Batch().announce_many(4, 0, 1000, {7}).update(5, {"10.0.1.0/24"}, {}, {}));
  CHECK(b.routes() == 10);
  CHECK(b.limits.size() == 2);
  b.commits.durable = 1000;
  b.run(Batch());
  CHECK(b.engine.counters().prefixes.load() == 10);  // what was refused leaves nothing behind
  b.run(Batch().down(6).up(7).announce_many(8, 0, 5, {1}).end_of_rib(9));
  CHECK(b.routes() == 5);
  CHECK(b.limit_events() == Lines{"max-prefix raise warning", "max-prefix raise error"});
}

TEST_CASE("max-prefix: routes kept from a lost session do not count, but cannot pile up") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, true).up(2).announce_many(3, 0, 10, {1}).down(4).up(5));
  b.limits.clear();
  b.run(Batch().announce_many(6, 100, 110, {1}));  // a new table, before the old one is swept
  CHECK(b.routes() == 20);
  CHECK(std::none_of(b.limits.begin(), b.limits.end(), [](const LimitReport& report) {
    return report.what == LimitReport::What::kStop;
  }));
  b.run(Batch().down(7).up(8).announce_many(9, 200, 210, {1}));
  CHECK(b.routes() == 20);
  CHECK(b.limits.back().what == LimitReport::What::kStop);
}

TEST_CASE("max-prefix: a refresh does not begin the count anew; each family has its own limit") {
  Bench b;
  b.start();
  b.run(Batch().declare_limited(1, 10, true).up(2).announce_many(3, 0, 9, {1}).end_of_rib(4));
  b.run(Batch().mark(5, bgp::RecordKind::kRefreshBegin).announce_many(6, 20, 40, {1}));
  CHECK(b.routes() == 10);
  CHECK(b.limits.back().what == LimitReport::What::kStop);

  Bench six;
  six.start();
  six.run(Batch()
              .declare_limited(1, 10, true)
              .up(2)
              .update(3, {},
                      {"2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:3::/48", "2001:db8:4::/48"},
                      {1}));
  CHECK(six.routes() == 3);
  CHECK(six.limits.back().family == kIpv6Unicast);
  CHECK(six.limits.back().limit == 3);
}

/// Asks for every path that it was told of, all in one call, and reads them only then.
class Reader : public Detector {
 public:
  std::string_view name() const override { return "reader"; }
  void attach(Host& host) override { host_ = &host; }
  void on_route_change(const RouteChange& c) override {
    ids_.push_back(c.after);
    announced.push_back(format_as_path(host_->path(c.after).as_path()));
  }
  void on_peer_change(const PeerChange& c) override {
    if (c.event != PeerEvent::kDown) return;
    std::vector<PathView> views;
    for (const PathId id : ids_) views.push_back(host_->path(id));
    for (const PathView& view : views) kept.push_back(format_as_path(view.as_path()));
  }
  Lines announced, kept;

 private:
  Host* host_ = nullptr;
  std::vector<PathId> ids_;
};

TEST_CASE("Host::path: what it gives lives until the call returns, however many are asked for") {
  Bench b;
  auto detector = std::make_unique<Reader>();
  Reader& reader = *detector;
  b.engine.add_detector(std::move(detector));
  b.start();
  Batch batch;
  batch.declare(1, "r").up(2);
  Lines expected;
  for (Asn n = 0; n < 300; ++n) {
    batch.announce_many(3, static_cast<int>(n), static_cast<int>(n) + 1, {3333, 64500 + n});
    expected.push_back("3333 " + std::to_string(64500 + n));
  }
  b.run(batch);
  CHECK(reader.announced == expected);
  for (int round = 0; round < 2; ++round) {
    reader.kept.clear();
    b.run(Batch().down(4 + 2 * round).up(5 + 2 * round));
    CHECK(reader.kept == expected);
  }
}

TEST_CASE("max-attributes: octets count as those of the neighbour that brought them in") {
  std::size_t keep = 0;
  SUBCASE("") {}
  SUBCASE("what is kept beyond its last route does not count") { keep = 1000; }
  Bench b(keep);
  b.start();
  const auto many = [](Batch& batch, std::int64_t t, Asn from, int count) -> Batch& {
    for (int n = 0; n < count; ++n)
      batch.announce_many(t, n, n + 1, {3333, from, from + static_cast<Asn>(n)});
    return batch;
  };
  // A set of a table transfer takes 28 octets, one of a later update 30: 99 and 3 fit, not one more.
  constexpr std::uint64_t kMost = 99 * 28 + 3 * 30 + 10;
  Batch first;
  first.declare(1, "r");
  first.peer_details.back().max_attributes = kMost;
  b.run(many(first.up(2), 3, 70000, 99).end_of_rib(4));
  CHECK(b.limit_events().empty());
  Batch more;
  b.run(many(more, 5, 80000, 3));
  CHECK(b.limit_events().empty());  // in place of others, which the store still names
  b.commits.durable = b.commits.list.back().sequence;
  Batch last;
  for (Asn n = 0; n < 4; ++n)
    last.announce_many(6, 200 + static_cast<int>(n), 201 + static_cast<int>(n),
                       {3333, 90000, n + 90000});
  b.run(last);
  CHECK(b.limit_events() == Lines{"max-attributes raise error"});
  CHECK(b.routes() == 102);
  REQUIRE(b.limits.size() == 1);
  CHECK(b.limits[0].what == LimitReport::What::kAttributes);
  CHECK(b.limits[0].peer == "r");
  CHECK(b.limits[0].limit == kMost);
  // It comes back with a table of its own: what is kept from before does not count, and is swept.
  b.commits.durable = b.commits.list.back().sequence;
  Batch back;
  b.run(many(back.down(10).up(11), 12, 60000, 99).end_of_rib(13));
  CHECK(b.limit_events() == Lines{"max-attributes raise error", "max-attributes clear notice"});
  CHECK(b.routes() == 99);
}

TEST_CASE("max-attributes: a set that was packed counts for less") {
  Bench b;
  b.start();
  const auto many = [](Batch& batch, std::int64_t t, int first, int last) -> Batch& {
    for (int n = first; n < last; ++n)
      batch.announce_many(t, n, n + 1, {3333, 70000, 70000 + static_cast<Asn>(n)});
    return batch;
  };
  // 30 octets as it was given, 28 packed.
  Batch first;
  first.declare(1, "r");
  first.peer_details.back().max_attributes = 60 * 30;
  first.up(2).end_of_rib(3);
  b.run(many(first, 4, 0, 60));
  CHECK(b.routes() == 60);
  b.run(Batch().mark(5, bgp::RecordKind::kTick));
  Batch more;
  b.run(many(more, 6, 60, 64));
  CHECK(b.routes() == 64);
  CHECK(b.limits.empty());
  Batch last;
  b.run(many(last, 7, 64, 66));
  CHECK(b.limits.size() == 1);
}

TEST_CASE("endless unique attribute sets, on few prefixes, take no more memory than a few") {
  Bench b;
  b.start();
  b.run(Batch().declare(1, "r").up(2));
  std::uint64_t after_warm_up = 0;
  for (int round = 0; round < 60; ++round) {
    Batch batch;
    for (Asn n = 0; n < 500; ++n)
      batch.announce_many(3 + round, 0, 4, {64500, static_cast<Asn>(round) * 500 + n + 1, n + 7});
    b.run(batch);
    b.commits.durable = 1'000'000;  // what was released may be used again
    b.commits.list.clear();
    const Engine::Footprint size = b.engine.footprint();
    if (round == 5) after_warm_up = size.paths + size.prefixes + size.routes;
    if (round > 5) REQUIRE(size.paths + size.prefixes + size.routes <= after_warm_up);
  }
  CHECK(b.routes() == 4);
}

}  // namespace
}  // namespace lapwing::rib
