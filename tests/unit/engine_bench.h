// An engine with a detector that writes down what it is told, and batches of records in words.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bgp/hash.h"
#include "rib/engine.h"

namespace lapwing::rib::engine_test {

inline Timestamp at(std::int64_t seconds) { return from_unix_micros(seconds * 1000000); }

/// A canonical attribute set with this AS_PATH and no other attribute.
inline std::vector<std::uint8_t> path_of(const std::vector<Asn>& ases) {
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
inline bgp::NlriKey key_of(const std::string& text) {
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
    if (const Asn as = host_->peer(c.peer).local_as; as != 64512)
      line += " to " + std::to_string(as);
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
    constexpr const char* kNames[] = {"up",           "down",    "baseline-done",
                                      "synchronized", "removed", "standing"};
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
  std::uint32_t source = 0;  // whose records are added

  Batch& declare(std::int64_t t, const std::string& name, bool midway = false,
                 Asn local_as = 64512) {
    bgp::PeerDetail detail;
    detail.name = name;
    detail.as = 3333;
    detail.local_as = local_as;
    detail.joined_midway = midway;
    add_peer(at(t), source, detail);
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
      prefixes.push_back(std::to_string(10 + n / 65536) + "." + std::to_string(n / 256 % 256) +
                         "." + std::to_string(n % 256) + ".0/24");
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
    add_session(at(t), source, bgp::RecordKind::kPeerUp, detail);
    return *this;
  }
  Batch& down(std::int64_t t) {
    add_session(at(t), source, bgp::RecordKind::kPeerDown, {});
    return *this;
  }
  Batch& mark(std::int64_t t, bgp::RecordKind kind) {
    add_mark(at(t), source, kind, kIpv4Unicast);
    return *this;
  }
  Batch& end_of_rib(std::int64_t t) { return mark(t, bgp::RecordKind::kEndOfRib); }
  Batch& update(std::int64_t t, const std::vector<std::string>& withdrawn,
                const std::vector<std::string>& announced, const std::vector<Asn>& ases) {
    bgp::Record r;
    r.time = at(t);
    r.peer = source;
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

inline const std::string kP = "192.0.2.0/24";
inline const std::string kQ = "198.51.100.0/24";

}  // namespace lapwing::rib::engine_test
