#include "tests/crash/model.h"

#include <algorithm>
#include <utility>

#include "detectors/suppression.h"

namespace lapwing::crash {

namespace {

std::string text_of(Octets octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

std::string describe(const RouteName& name) {
  return Feed::peer_name(name.peer) + " " + format_prefix(name.nlri.prefix);
}

std::string describe(const Event& event) {
  return event.type + " " + format_event_id(event.id) + " " + event.summary;
}

class Restore final : public rib::LoadVisitor {
 public:
  explicit Restore(rib::Engine& engine) : engine_(engine) {}
  void on_meta(Timestamp alive_until) override { engine_.restore_meta(alive_until); }
  void on_peer(const rib::PeerRecord& peer) override { note(engine_.restore_peer(peer), "peer"); }
  void on_path(PathId id, Octets path) override { note(engine_.restore_path(id, path), "path"); }
  void on_route(PeerId peer, const bgp::NlriKey& key, PathId path, Timestamp) override {
    note(engine_.restore_route(peer, key, path), "route");
  }
  void on_state(std::string_view detector, std::string_view key, std::string_view value) override {
    engine_.restore_state(detector, key, value);
  }
  std::string error;

 private:
  void note(bool fine, const char* what) {
    if (!fine && error.empty()) error = std::string("a stored ") + what + " contradicts another";
  }
  rib::Engine& engine_;
};

// Prefixes whose history is compared.
constexpr std::uint32_t kSampleStep = 16;
constexpr std::size_t kRecentEvents = 500;

Prefix sample(std::uint32_t n) { return bgp::to_nlri(Feed::key(n * kSampleStep)).prefix; }

bool is_sample(const Prefix& prefix) {
  static const std::set<Prefix> samples = [] {
    std::set<Prefix> all;
    for (std::uint32_t n = 0; n * kSampleStep < Feed::kPrefixes; ++n) all.insert(sample(n));
    return all;
  }();
  return samples.contains(prefix);
}

std::string compare_tables(const Table& wanted, const Table& stored) {
  for (const auto& [name, route] : wanted) {
    const auto it = stored.find(name);
    if (it == stored.end()) return "a route is missing: " + describe(name);
    if (it->second.path != route.path) return "another path is stored: " + describe(name);
    if (it->second.since != route.since) return "another time is stored: " + describe(name);
  }
  for (const auto& [name, route] : stored)
    if (!wanted.contains(name)) return "a route should not be there: " + describe(name);
  return {};
}

// From the event after `from`, counted from 1.
std::string compare_events(const std::vector<Event>& wanted, std::size_t from, rib::Store& store) {
  const auto entries = store.journal().read_after(from, wanted.size());
  for (std::size_t i = 0; i < entries.size() && from + i < wanted.size(); ++i) {
    const Event& event = wanted[from + i];
    if (entries[i].number != from + i + 1 || !(entries[i].event == event))
      return "event " + std::to_string(entries[i].number) + " is " + describe(entries[i].event) +
             "; it should be " + describe(event);
  }
  if (store.journal().last() == wanted.size() && from + entries.size() == wanted.size()) return {};
  return "the last event is number " + std::to_string(store.journal().last()) + " instead of " +
         std::to_string(wanted.size());
}

// Each row begins with what the one before ends with.
bool is_chain(const std::vector<Change>& rows) {
  std::map<PeerId, std::optional<std::string>> last;
  for (const Change& row : rows) {
    const auto known = last.find(row.name.peer);
    if (known != last.end() && known->second != row.before) return false;
    last[row.name.peer] = row.after;
  }
  return true;
}

}  // namespace

std::unique_ptr<rib::Engine> make_engine(rib::CommitSink& sink, std::uint64_t squeeze_from) {
  rib::EngineOptions options;
  options.squeeze_from = squeeze_from;
  options.watch.prefixes = {*parse_prefix("20.0.1.0/24"), *parse_prefix("20.0.0.0/22")};
  options.watch.origins = {30100, 30101, 30102, 30103};
  auto engine = std::make_unique<rib::Engine>(std::move(options), sink);
  engine->add_detector(detectors::make_suppression({}));
  for (const std::string_view name : detector_names()) {
    Settings settings;
    if (runs_by_default(name)) engine->add_detector(make_detector(name, settings));
  }
  return engine;
}

std::string restore(rib::Store& store, rib::Engine& engine) {
  Restore visitor(engine);
  std::string error;
  if (!store.load(visitor, error)) return error;
  return visitor.error;
}

void Contents::apply(const Step& step) {
  alive_until = step.alive_until;
  for (const Change& change : step.changes) {
    if (change.after)
      table[change.name] = {*change.after, change.time};
    else
      table.erase(change.name);
    if (step.record_history && change.before != change.after && is_sample(change.name.nlri.prefix))
      history[change.name.nlri.prefix].push_back(change);
  }
  for (std::size_t i = 0; i < step.states.size(); ++i) {
    const rib::StateWrite state = step.states[i];
    const std::pair name{std::string(state.detector), std::string(state.key)};
    if (state.value)
      states[name] = *state.value;
    else
      states.erase(name);
  }
  for (const rib::PeerRecord& peer : step.peers) peers[peer.id] = peer;
  for (const rib::BlindInterval& interval : step.blind)
    blind[{interval.peer, interval.range.from}] = interval;
  for (const Event& event : step.events)
    if (event_ids.insert(event.id).second) events.push_back(event);
}

std::string Contents::differs_from(rib::Store& store, std::uint64_t salt, bool all) const {
  const rib::test::Loaded loaded = rib::test::load(store);
  if (auto text = compare_tables(table, loaded.table); !text.empty()) return text;
  if (loaded.states != states) {
    for (const auto& [key, value] : states) {
      const auto it = loaded.states.find(key);
      if (it == loaded.states.end()) return "knowledge is missing: " + key.first;
      if (it->second != value) return "other knowledge is stored: " + key.first;
    }
    return "there is more knowledge than there should be";
  }
  std::map<PeerId, rib::PeerRecord> stored_peers;
  for (const rib::PeerRecord& peer : loaded.peers) stored_peers[peer.id] = peer;
  if (stored_peers != peers) return "the neighbours differ";
  std::map<std::pair<PeerId, Timestamp>, rib::BlindInterval> stored_blind;
  for (PeerId peer = 0; peer < Feed::kPeers; ++peer)
    for (const rib::BlindInterval& interval : store.blind_intervals(peer))
      stored_blind[{interval.peer, interval.range.from}] = interval;
  if (stored_blind != blind) return "the blind intervals differ";
  const std::size_t from = all || events.size() < kRecentEvents ? 0 : events.size() - kRecentEvents;
  if (auto text = compare_events(events, from, store); !text.empty()) return text;

  constexpr std::uint32_t kSamples = Feed::kPrefixes / kSampleStep;
  for (std::uint32_t i = 0; i < (all ? kSamples : 12); ++i) {
    const Prefix prefix = sample(all ? i : static_cast<std::uint32_t>(mix(salt, i) % kSamples));
    std::vector<Change> rows;
    store.history(prefix, Timestamp{}, Timestamp::max(), [&](const rib::HistoryRow& row) {
      Change& change = rows.emplace_back();
      change.name = {bgp::to_nlri(row.nlri), row.peer};
      change.time = row.time;
      if (row.before) change.before = text_of(*row.before);
      if (row.after) change.after = text_of(*row.after);
      return true;
    });
    std::reverse(rows.begin(), rows.end());
    if (!whole_history) {
      if (!is_chain(rows)) return "the history of " + format_prefix(prefix) + " is torn";
      continue;
    }
    const auto wanted = history.find(prefix);
    const std::size_t count = wanted == history.end() ? 0 : wanted->second.size();
    const std::string what = "the history of " + format_prefix(prefix);
    if (rows.size() != count)
      return what + " has " + std::to_string(rows.size()) + " rows instead of " +
             std::to_string(count);
    for (std::size_t row = 0; row < count; ++row) {
      const Change& a = rows[row];
      const Change& b = wanted->second[row];
      if (a.name != b.name || a.before != b.before || a.after != b.after || a.time != b.time)
        return what + " differs in row " + std::to_string(row);
    }
  }
  return {};
}

Model::Model(rib::Store& store, Contents contents) : contents_(std::move(contents)) {
  engine_ = make_engine(*this);
  if (const std::string error = restore(store, *engine_); !error.empty())
    throw std::runtime_error(error);
  engine_->end_restore();
}

void Model::submit(rib::Commit&& commit) {
  Step& step = steps_.emplace_back();
  step.alive_until = commit.alive_until;
  step.record_history = commit.record_history;
  rib::PathBuffer buffer;
  const auto path = [&](PathId id) {
    return id == kNoPath ? std::nullopt
                         : std::optional(text_of(engine_->path_octets(id, buffer)));
  };
  for (const rib::RouteWrite& write : commit.routes) {
    Change& change = step.changes.emplace_back();
    change.name = {bgp::to_nlri(engine_->nlri_key(write.prefix)), write.peer};
    change.before = path(write.before);
    change.after = path(write.after);
    change.time = commit.base + std::chrono::microseconds(write.time_offset_us);
  }
  step.states = std::move(commit.states);
  step.peers = std::move(commit.peers);
  step.blind = std::move(commit.blind);
  step.events = std::move(commit.events);
}

std::string Model::advance_to(rib::Store& store, std::uint64_t durable, std::uint64_t salt,
                              bool all) {
  const Timestamp wanted = rib::test::load(store).alive_until;
  // Commits of one moment are rare, but there are some: the first of a run, for one.
  std::string differs = "the store ends at another time, or before what it had called durable";
  for (;;) {
    if (contents_.alive_until == wanted && applied_ >= durable) {
      differs = contents_.differs_from(store, salt, all);
      if (differs.empty()) return {};
    }
    if (steps_.empty() || steps_.front().alive_until > wanted) break;
    contents_.apply(steps_.front());
    steps_.pop_front();
    ++applied_;
  }
  return "after " + std::to_string(applied_) + " commits: " + differs;
}

std::string Model::differs_from(const Feed& feed) const {
  std::size_t routes = 0;
  for (PeerId peer = 0; peer < Feed::kPeers; ++peer) {
    for (std::uint32_t p = 0; p < Feed::kPrefixes; ++p) {
      const Feed::Variant variant = feed.variant(peer, p);
      if (variant == 0) continue;
      ++routes;
      const RouteName name{bgp::to_nlri(Feed::key(p)), peer};
      const auto it = contents_.table.find(name);
      if (it == contents_.table.end()) return "the feeder has more: " + describe(name);
      if (it->second.path != text_of(Feed::path(peer, p, variant)))
        return "the feeder has another path: " + describe(name);
    }
  }
  return routes == contents_.table.size() ? std::string() : "the feeder has less";
}

}  // namespace lapwing::crash
