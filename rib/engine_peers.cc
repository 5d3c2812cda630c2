// Engine: neighbours, sessions, synchronization, restoring.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "bgp/hash.h"
#include "lapwing/utf8.h"
#include "rib/detector_host.h"
#include "rib/engine.h"
#include "rib/event_id.h"

namespace lapwing::rib {

Engine::Peer& Engine::add_peer(PeerId id, const std::string& name) {
  if (id >= peers_.size()) peers_.resize(id + 1);
  peers_[id] = std::make_unique<Peer>(pages_, id);
  Peer& peer = *peers_[id];
  peer.info.id = id;
  peer.info.name = name;
  const std::lock_guard lock(peer_counters_mutex_);
  peer.counters = &peer_counters_.emplace_back();
  peer.counters->name = name;
  peer.counters->id = id;
  return peer;
}

Engine::Peer* Engine::find_peer(std::string_view name) {
  const auto it = std::find_if(peers_.begin(), peers_.end(),
                               [&](const auto& peer) { return peer && peer->info.name == name; });
  return it == peers_.end() ? nullptr : it->get();
}

/// A source may still speak, or speak again, after its neighbour was removed: it is a new one then.
Engine::Peer& Engine::peer_of(std::uint32_t source_number) {
  const Source& source = sources_[source_number];
  if (!peers_[source.peer]) declare_peer(source_number, bgp::PeerDetail(source.detail));
  return *peers_[source.peer];
}

Engine::FamilyState& Engine::add_family(Peer& peer, Family family) {
  peer.families.emplace_back().family = family;
  set_limit(peer, peer.families.back());
  return peer.families.back();
}

void Engine::declare_peer(std::uint32_t source_number, const bgp::PeerDetail& detail) {
  if (source_number >= sources_.size()) sources_.resize(source_number + 1);
  Peer* peer = find_peer(detail.name);
  if (peer == nullptr) {
    // Ids are never used again, not even those of removed neighbours.
    peer = &add_peer(std::max(next_peer_, static_cast<PeerId>(peers_.size())), detail.name);
    next_peer_ = peer->info.id + 1;
    peer->joined_midway = detail.joined_midway;
  }
  sources_[source_number] = {peer->info.id, detail};
  peer->info.address = detail.address;
  renumber_as(*peer, detail);
  peer->max_prefix = detail.max_prefix;
  peer->max_attributes = detail.max_attributes;
  peer->attributes_allowed = detail.max_attributes;
  for (FamilyState& state : peer->families) set_limit(*peer, state);
  write_peer(*peer);
}

/// What a route of at most one hop says depends on the AS that the neighbour peers with: detectors take
/// back what they made of it, and judge it anew. A session that was internal and is external shows each
/// path with another AS in front, or back: its next table teaches, and what is kept of one hop, which would
/// mean something else, is dropped as if its neighbour were removed. The rest is kept until then.
void Engine::renumber_as(Peer& peer, const bgp::PeerDetail& detail) {
  PeerInfo& info = peer.info;
  const bool internal = detail.local_as != 0 && detail.as == detail.local_as;
  const bool turns = info.local_as != 0 && detail.local_as != 0 && info.internal != internal;
  RouteChange change;
  change.peer = info.id;
  change.cause = options_.replay ? Cause::kReplay : Cause::kLive;
  change.baseline = true;
  std::vector<PrefixId> held;
  if (info.local_as != detail.local_as || info.internal != internal) {
    peer.rib.for_each([&](PrefixId id, PathId path, bool) {
      if (is_one_hop(path)) held.push_back(id);
    });
    prefixes_.sort(held);
    update_end();
  }
  if (turns) {
    for (FamilyState& state : peer.families) state.baseline_done = false;
    change.peer_removed = true;
    for (const PrefixId prefix : std::exchange(held, {})) {
      FamilyState& state = family_of(peer, prefixes_.family(prefix));
      --state.routes;
      if (state.kept != 0) --state.kept;
      remove_route(peer, prefix, change, true);
      commit_.record_history = true;
    }
  }
  for (const PrefixId prefix : held) {
    change.prefix = prefix;
    change.before = peer.rib.find(prefix);
    notify(change);
  }
  info.as = detail.as;
  info.local_as = detail.local_as;
  info.internal = internal;
  change.before = kNoPath;
  for (const PrefixId prefix : held) {
    change.prefix = prefix;
    change.after = peer.rib.find(prefix);
    notify(change);
  }
  update_end();
}

bool Engine::is_one_hop(PathId id) {
  forget_unpacked();
  const auto& servers = options_.route_server_ases;
  Asn only = 0;
  AsPathSegment segment;
  for (AsPathView path = path_view(id).as_path(); path.next(segment);) {
    if (segment.type == SegmentType::kAsSet) return false;
    if (segment.type != SegmentType::kAsSequence) continue;
    for (Asn as = 0; segment.next(as);) {
      if (std::find(servers.begin(), servers.end(), as) != servers.end()) continue;
      if (only != 0 && as != only) return false;
      only = as;
    }
  }
  return true;
}

void Engine::peer_up(Peer& peer, const bgp::SessionDetail& detail) {
  if (peer.up) peer_down(peer, "the neighbour opened a new session");
  peer.up = true;
  peer.over_limit = false;
  // What is kept from a lost session counts only beyond twice the limit, as with max-prefix.
  peer.attributes_allowed = peer.max_attributes + std::min(peer.max_attributes, peer.attributes);
  if (peer.last_change != Timestamp{}) {
    peer.joined_midway = false;
    for (FamilyState& state : peer.families) state.withdrawn.clear();
  }
  PeerChange change;
  change.peer = peer.info.id;
  change.event = PeerEvent::kUp;
  change.blind_since = peer.blind_since;
  for (const Family family : detail.families) {
    FamilyState& state = family_of(peer, family);
    if (!state.baseline_done && peer.rib.size() == 0) continue;
    state.synchronizing = true;
    state.refresh = false;
    state.last_known = peer.blind_since;
  }
  if (peer.blind_since)
    commit_.blind.push_back({peer.info.id, {*peer.blind_since, now_}, peer.blind_reason});
  peer.blind_since.reset();
  peer.last_change = now_;
  write_peer(peer);
  notify(change);
}

void Engine::peer_down(Peer& peer, const std::string& reason) {
  if (!peer.up) return;
  peer.up = false;
  peer.last_change = now_;
  peer.blind_since = now_;
  peer.blind_reason = reason;
  peer.rib.mark_all_stale();
  for (FamilyState& state : peer.families) {
    state.end_comparison();
    state.kept = state.routes;
    state.level = LimitLevel::kFine;
  }
  write_peer(peer);
  PeerChange change;
  change.peer = peer.info.id;
  change.event = PeerEvent::kDown;
  change.reason = reason;
  notify(change);
}

void Engine::refresh_begin(Peer& peer, Family family) {
  FamilyState& state = family_of(peer, family);
  peer.rib.for_each([&](PrefixId id, PathId, bool) {
    if (prefixes_.family(id) == family) peer.rib.mark_stale(id);
  });
  state.kept = 0;  // what is stale from now on was announced in this session
  if (state.synchronizing) return;
  state.synchronizing = true;
  state.refresh = true;
  state.last_known = now_;
}

void Engine::end_of_rib(Peer& peer, Family family, bool refresh_end) {
  FamilyState& state = family_of(peer, family);
  if (state.baseline_done && (!state.synchronizing || state.refresh != refresh_end)) {
    // A refresh that began while a session was being compared ends both.
    if (!state.synchronizing || !refresh_end) return;
  }
  sweep(peer, state);
  note_fewer_attributes(peer);
  PeerChange change;
  change.peer = peer.info.id;
  change.family = family;
  change.event = state.baseline_done ? PeerEvent::kSynchronized : PeerEvent::kBaselineDone;
  state.end_comparison();
  if (!state.baseline_done) {
    state.baseline_done = true;
    state.withdrawn.clear();
    write_peer(peer);
  }
  notify(change);
}

void Engine::sweep(Peer& peer, FamilyState& family) {
  if (peer.rib.stale() == 0) return;
  RouteChange change;
  change.cause = Cause::kResync;
  change.last_known = family.last_known;
  std::vector<PrefixId> ids = peer.rib.stale_routes();
  std::erase_if(ids, [&](PrefixId id) { return prefixes_.family(id) != family.family; });
  prefixes_.sort(ids);
  family.routes -= ids.size();
  for (const PrefixId id : ids) {
    change.baseline = !family.baseline_done ||
                      (family.path_ids_now && prefixes_.has_path_id(id) != *family.path_ids_now);
    remove_route(peer, id, change, true);
  }
  family.kept = 0;
  update_end();
}

void Engine::remove_peer(std::string_view name) {
  Peer* peer = find_peer(name);
  if (peer == nullptr) return;
  RouteChange change;
  change.baseline = change.peer_removed = true;
  for (const PrefixId id : routes_in_order(*peer)) remove_route(*peer, id, change, false);
  update_end();
  PeerChange removed;
  removed.peer = peer->info.id;
  removed.event = PeerEvent::kRemoved;
  notify(removed);
  commit_.removed_peers.push_back(peer->info.id);
  peer->counters->routes = 0;
  peer->counters->stale = 0;
  peers_[peer->info.id].reset();
  flush(false);
  publish();
}

std::vector<PrefixId> Engine::routes_in_order(const Peer& peer) const {
  std::vector<PrefixId> ids;
  ids.reserve(peer.rib.size());
  peer.rib.for_each([&](PrefixId id, PathId, bool) { ids.push_back(id); });
  prefixes_.sort(ids);
  return ids;
}

std::vector<std::string> Engine::peer_names() const {
  std::vector<std::string> names;
  for (const auto& peer : peers_)
    if (peer) names.push_back(peer->info.name);
  return names;
}

std::vector<PeerSummary> Engine::peer_summaries() const {
  std::vector<PeerSummary> list;
  for (const auto& peer : peers_) {
    if (!peer) continue;
    PeerSummary& out = list.emplace_back();
    out.id = peer->info.id;
    out.name = peer->info.name;
    out.as = peer->info.as;
    out.up = peer->up;
    out.last_change = peer->last_change;
    out.blind_since = peer->blind_since;
    out.blind_reason = peer->blind_reason;
    for (const FamilyState& state : peer->families)
      out.routes.emplace_back(state.family, state.routes);
  }
  return list;
}

void Engine::write_peer(const Peer& peer) {
  PeerRecord record;
  record.id = peer.info.id;
  record.name = peer.info.name;
  record.address = peer.info.address;
  record.as = peer.info.as;
  record.local_as = peer.info.local_as;
  record.up = peer.up;
  record.last_change = peer.last_change;
  if (!peer.up) record.blind_reason = peer.blind_reason;
  for (const FamilyState& state : peer.families)
    record.families.push_back({state.family, state.baseline_done});
  commit_.peers.push_back(std::move(record));
}

std::vector<const PeerCounters*> Engine::peer_counters() const {
  const std::lock_guard lock(peer_counters_mutex_);
  std::vector<const PeerCounters*> list;
  for (const PeerCounters& counters : peer_counters_) list.push_back(&counters);
  return list;
}

void Engine::restore_meta(Timestamp alive_until) { now_ = std::max(now_, alive_until); }

bool Engine::restore_peer(const PeerRecord& record) {
  if (record.id > PathTable::kMaxOwner || (record.id < peers_.size() && peers_[record.id])) return false;
  Peer& peer = add_peer(record.id, record.name);
  next_peer_ = std::max(next_peer_, record.id + 1);
  peer.info.address = record.address;
  peer.info.as = record.as;
  peer.info.local_as = record.local_as;
  peer.info.internal = record.local_as != 0 && record.as == record.local_as;
  peer.last_change = record.last_change;
  // Up when the last commit was written: heard until then, blind from then on.
  if (record.last_change != Timestamp{}) {
    peer.blind_since = record.up ? std::max(now_, record.last_change) : record.last_change;
    peer.blind_reason = record.up ? "Lapwing was not running" : record.blind_reason;
    if (peer.blind_reason.empty()) peer.blind_reason = "the session was down";  // of an older version
    peer.last_change = *peer.blind_since;  // it is not up since then: so the next start has to know it
  }
  for (const PeerFamilyRecord& family : record.families) {
    FamilyState& state = family_of(peer, family.family);
    state.baseline_done = family.baseline_done;
    state.last_known = peer.blind_since;
  }
  return true;
}

bool Engine::restore_path(PathId id, Octets octets) {
  return paths_.restore(id, octets, bgp::hash_octets(bgp::hash_seed(), octets));
}

bool Engine::restore_route(PeerId peer, const bgp::NlriKey& key, PathId path) {
  return restore_route(peer, key, PrefixTable::hash(key), path);
}

std::size_t Engine::restore_routes(std::span<const RestoredRoute> routes) {
  constexpr std::size_t kSlot = 24, kRecord = 18, kPath = 12;
  std::size_t bad = 0;
  own_hashes_.clear();
  for (const RestoredRoute& route : routes) own_hashes_.push_back(bgp::hash_key(route.key));
  hashes_ = own_hashes_;
  const auto ask_detectors = [&](const RestoredRoute& next, int step) {
    if (!paths_.numbered(next.path)) return;
    if (step == 0) paths_.prefetch_entry(next.path);
    for (const Detector* detector : prefetchers_)
      detector->prefetch(PrefixTable::kNone, next.path, step);
  };
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (i + kSlot < routes.size()) prefixes_.prefetch(hashes_[i + kSlot]);
    if (i + kRecord < routes.size()) prefixes_.prefetch_record(hashes_[i + kRecord]);
    if (i + kPath < routes.size()) ask_detectors(routes[i + kPath], 0);
    for (const int step : {1, 2})
      if (const std::size_t next = i + (step == 1 ? 7u : 3u); next < routes.size())
        ask_detectors(routes[next], step);
    const RestoredRoute& route = routes[i];
    bad += restore_route(route.peer, route.key, hashes_[i], route.path) ? 0 : 1;
  }
  return bad;
}

bool Engine::restore_route(PeerId peer, const bgp::NlriKey& key, std::uint64_t hash, PathId path) {
  if (peer >= peers_.size() || !peers_[peer] || !paths_.contains(path)) return false;
  const PrefixId prefix = prefixes_.intern(key, hash);
  AdjRibIn& rib = peers_[peer]->rib;
  if (prefix == PrefixTable::kNone || rib.find(prefix) != kNoPath) return false;
  rib.insert(prefix, path);
  rib.mark_stale(prefix);
  FamilyState& family = family_of(*peers_[peer], key.family());
  ++family.routes;
  ++family.kept;
  prefixes_.acquire(prefix);
  if (paths_.references(path) == 0) bring_in(*peers_[peer], path);
  paths_.acquire(path);
  ++routes_;
  const RouteView view{peer, prefix, path, true};
  for (DetectorHost* host : baseline_listeners_)
    call(*host, [&](Detector& d) { d.restore_route(view); });
  return true;
}

void Engine::restore_state(std::string_view detector, std::string_view key,
                           std::string_view value) {
  if (detector == kFailedDetectors) failed_detectors_.emplace(key, value);
  for (const auto& host : detectors_)
    if (host->name() == detector) call(*host, [&](Detector& d) { d.restore_state(key, value); });
}

void Engine::start_detectors() {
  for (const auto& host : detectors_) call(*host, [](Detector& d) { d.start_up(); });
}

void Engine::tell_start() {
  start_told_ = true;
  for (const auto& host : detectors_) host->tell_start();
  for (const auto& [name, error] : std::exchange(failed_detectors_, {})) {
    const auto is_it = [&name = name](const auto& host) { return host->name() == name; };
    if (std::any_of(detectors_.begin(), detectors_.end(), is_it)) continue;
    if (!options_.replay) commit_.states.erase(kFailedDetectors, name);
    emit(nullptr, name, detector_failed(name, error, DetectorState::kLeft));
  }
  for (const auto& peer : peers_) {
    if (!peer || peer->last_change == Timestamp{}) continue;
    if (!peer->up && options_.awaits && !options_.awaits(peer->info.name)) continue;
    PeerChange change;
    change.peer = peer->info.id;
    change.event = PeerEvent::kStanding;
    change.blind_since = peer->blind_since;
    notify(change);
  }
}

void Engine::end_restore() {
  paths_.finish_restore();
  start_detectors();
  flush(false);
  publish();
}

void Engine::DetectorHost::for_each_route(PrefixId prefix,
                                          FunctionRef<bool(const RouteView&)> fn) const {
  engine_.pages_.for_each_route(prefix, [&](PeerId peer, PathId path, bool stale) {
    return fn({peer, prefix, path, stale});
  });
}

constexpr std::size_t kEventsOfReplay = 64;
constexpr std::size_t kSpentKept = 512;

Event Engine::DetectorHost::blank_event() {
  if (engine_.spent_.empty()) return {};
  Event event = std::move(engine_.spent_.back());
  engine_.spent_.pop_back();
  event.clear();
  return event;
}

void Engine::emit(const DetectorHost* from, const std::string& detector, Event&& event) {
  // What a timer or a neighbour's state makes a detector say is of a file, too.
  if (options_.replay && event.cause == Cause::kLive) event.cause = Cause::kReplay;
  const bool of_filter = filter_host_ != nullptr && filter_host_ == from;
  // Before the filter: ids are the same whatever it holds back.
  if (!of_filter) event.id = id_in_moment(event);
  if (filter_host_ != nullptr && !of_filter && filter_host_->enabled()) {
    bool admitted = true;
    call(*filter_host_, [&](Detector&) { admitted = filter_->admit(detector, event); });
    if (!admitted) return;
  }
  event.ends.clear();  // the filter's: what is kept and told has no such member
  if (options_.replay) commit_.events.reserve(kEventsOfReplay);
  commit_.events.push_back(std::move(event));
  if (spent_.size() > kSpentKept) spent_.pop_back();  // one by one: no pause
  counters_.events.fetch_add(1, std::memory_order_relaxed);
  // In a replay nothing else belongs to them: they are printed while others are made.
  if (options_.replay && commit_.events.size() >= kEventsOfReplay) flush(false);
}

// Ids are made of what an event says and when. Where time has no finer steps (a second, in most
// files), a matter may begin, end and begin again at one moment: the second beginning is another
// event than the first. Said twice in a row it stays the same one.
EventId Engine::id_in_moment(const Event& event) {
  if (said_at_ != now_) {
    said_.clear();
    said_at_ = now_;
  }
  Said& said = said_[event.incident];
  auto stood = std::find_if(said.times.begin(), said.times.end(),
                            [&](const auto& other) { return other.first == event.id; });
  if (stood == said.times.end()) stood = said.times.insert(stood, {event.id, 0});
  std::uint32_t& times = stood->second;
  if (times == 0 || said.last != event.id) ++times;
  said.last = event.id;
  if (times == 1) return event.id;
  const auto* const octets = reinterpret_cast<const char*>(event.id.bytes.data());
  return event_id_of({octets, event.id.bytes.size()}, {times, times + 8});
}

void Engine::DetectorHost::fire(std::uint64_t key) {
  constexpr std::size_t kMost = 100'000;
  if (std::exchange(fired_at_, engine_.now_) != engine_.now_) timers_of_now_ = 0;
  in_timer_ = true;
  detector_->on_timer(key);
  in_timer_ = false;
  if (timers_of_now_ > kMost)
    throw std::runtime_error("sets timers for now, or earlier, within `on_timer`, without end");
}

void Engine::DetectorHost::disable(const char* error) {
  constexpr std::size_t kMost = 4096;
  std::string what;
  append_utf8(what, std::string_view(error).substr(0, kMost));
  what.resize(cut_utf8(what, kMost).size());
  enabled_ = false;
  engine_.timers_.cancel_all(number_);
  if (engine_.options_.on_detector_failed) engine_.options_.on_detector_failed(name(), what);
  if (keeps_state()) engine_.commit_.states.put(kFailedDetectors, name(), what);
  if (engine_.start_told_)
    emit(engine_.detector_failed(name(), what, DetectorState::kFailed));
  else
    failure_at_start_ = what;
}

void Engine::DetectorHost::tell_start() {
  if (const auto error = std::exchange(failure_at_start_, {}))
    emit(engine_.detector_failed(name(), *error, DetectorState::kFailed));
  const auto failure = engine_.failed_detectors_.find(name());
  if (!enabled_ || failure == engine_.failed_detectors_.end()) return;
  if (keeps_state()) engine_.commit_.states.erase(kFailedDetectors, name());
  emit(engine_.detector_failed(name(), failure->second, DetectorState::kRuns));
}

Event Engine::detector_failed(const std::string& detector, const std::string& error,
                              DetectorState state) const {
  struct Words {
    const char* rule;
    const char* summary;
  };
  static constexpr Words kWords[] = {
      {"a detector that throws is disabled until the next start", " failed and is disabled: "},
      {"a detector that had failed runs again", " runs again; it had failed: "},
      {"a detector that had failed is no longer configured",
       " is no longer configured; it had failed: "}};
  const Words& words = kWords[static_cast<std::size_t>(state)];
  const bool failed = state == DetectorState::kFailed;
  Event event;
  event.type = "detector-failed";
  event.action = failed ? Action::kRaise : Action::kClear;
  event.severity = failed ? Severity::kError : Severity::kNotice;
  event.time = now_;
  event.fields.push_back({"detector", detector});
  event.fields.push_back({"error", error});
  event.rule = words.rule;
  event.summary = "detector " + detector + words.summary + error;
  event.incident = event_id_of(event.type + ' ' + detector);
  event.id = event_id_of(event.type + ' ' + detector + ' ' + std::string(to_string(event.action)) +
                         std::to_string(unix_micros(event.time)));
  return event;
}

}  // namespace lapwing::rib
