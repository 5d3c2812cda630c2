#include "rib/engine.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "bgp/hash.h"
#include "lapwing/prefetch.h"
#include "rib/detector_host.h"

namespace lapwing::rib {

Engine::Engine(EngineOptions options, CommitSink& sink)
    : options_(std::move(options)), sink_(sink) {
  squeeze_at_ = options_.squeeze_from;
  commit_.record_history = false;
}

Engine::~Engine() = default;

void Engine::add_detector(std::unique_ptr<Detector> detector) {
  const auto number = static_cast<std::uint32_t>(detectors_.size());
  detectors_.push_back(std::make_unique<DetectorHost>(*this, number, std::move(detector)));
  DetectorHost& host = *detectors_.back();
  if (auto* filter = dynamic_cast<EventFilter*>(&host.detector()); filter && filter_ == nullptr) {
    filter_ = filter;
    filter_host_ = &host;
  }
  auto interest = RouteInterest::kNone;
  call(host, [&](Detector& d) {
    d.attach(host);
    interest = d.route_interest();
  });
  if (interest != RouteInterest::kNone) {
    route_listeners_.push_back(&host);
    if (host.detector().prefetches()) prefetchers_.push_back(&host.detector());
  }
  if (interest == RouteInterest::kAll) baseline_listeners_.push_back(&host);
}

void Engine::process(const bgp::RecordBatch& batch) {
  recycle();
  hashes_ = batch.hashes;
  if (hashes_.size() != batch.nlri.size()) {
    own_hashes_.clear();
    for (const bgp::NlriKey& key : batch.nlri) own_hashes_.push_back(bgp::hash_key(key));
    hashes_ = own_hashes_;
  }
  ahead_.fill({});
  looks_ahead_ = prefixes_.size() >= kLookAheadFrom;
  if (!start_told_ && !batch.records.empty()) {
    // Nothing is known of the time before: what was set for it is due now.
    if (now_ == Timestamp{}) now_ = batch.records.front().time;
    fire_timers(batch.records.front().time);
    now_ = std::max(now_, batch.records.front().time);
    tell_start();
  }
  bool tick = false;
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    const bgp::Record& record = batch.records[i];
    look_ahead(batch, i);
    fire_timers(record.time);
    now_ = std::max(now_, record.time);
    tick |= record.kind == bgp::RecordKind::kTick;
    process_record(batch, record);
  }
  flush(tick);
  if (tick) recycle_when_calm();
  if (tick && !options_.replay) pack_paths();
  publish();
}

void Engine::finish() {
  const auto finish = [this](DetectorHost& host) { call(host, [](Detector& d) { d.finish(); }); };
  for (const auto& host : detectors_)
    if (host.get() != filter_host_) finish(*host);
  if (filter_host_ != nullptr) finish(*filter_host_);  // it counts what the others told in the end
  flush(false);
  publish();
}

void Engine::process_record(const bgp::RecordBatch& batch, const bgp::Record& record) {
  switch (record.kind) {
    case bgp::RecordKind::kPeerDeclare:
      declare_peer(record.peer, batch.peer_details[record.detail]);
      break;
    case bgp::RecordKind::kPeerUp:
      peer_up(peer_of(record.peer), batch.session_details[record.detail]);
      break;
    case bgp::RecordKind::kPeerDown:
      peer_down(peer_of(record.peer), batch.session_details[record.detail].reason);
      break;
    case bgp::RecordKind::kUpdate:
      update(peer_of(record.peer), batch, record);
      break;
    case bgp::RecordKind::kEndOfRib:
      end_of_rib(peer_of(record.peer), record.family, false);
      break;
    case bgp::RecordKind::kRefreshBegin:
      refresh_begin(peer_of(record.peer), record.family);
      break;
    case bgp::RecordKind::kRefreshEnd:
      end_of_rib(peer_of(record.peer), record.family, true);
      break;
    case bgp::RecordKind::kTick:
      break;
  }
}

void Engine::fire_timers(Timestamp until) {
  while (timers_.due(until)) {
    const EventTimers::Timer timer = timers_.pop();
    now_ = std::max(now_, timer.due);
    DetectorHost& host = *detectors_[timer.key.owner];
    call(host, [&](Detector&) { host.fire(timer.key.key); });
  }
}

void Engine::update(Peer& peer, const bgp::RecordBatch& batch, const bgp::Record& record) {
  std::size_t at = record.nlri_at;
  if (peer.over_limit) {
    if (record.last_of_message) update_end();
    return;
  }
  for (std::uint32_t i = 0; i < record.withdrawn; ++i, ++at) {
    look_ahead(peer, batch, at, true);
    withdraw(peer, family_of(peer, batch.nlri[at].family()), batch.nlri[at], at);
  }
  withdrawals_ += record.withdrawn;
  if (record.announced > 0) {
    const auto [path, added] = paths_.intern(batch.attributes(record), record.attributes_hash,
                                             form_of_new(peer, batch.nlri[at].family()));
    announcements_ += record.announced;
    if (path == kNoPath) {
      exceed_attributes(peer);  // of all neighbours it is the one that wants more than there is
    } else {
      if (added) {
        bring_in(peer, path);
        if (!options_.replay) {
          commit_.new_paths.push_back(path);
          commit_.path_octets += record.attributes_size;
        }
      }
      paths_.acquire(path);
      announced_ = path;
      announced_octets_ = batch.attributes(record);
      for (std::uint32_t i = 0; i < record.announced && !peer.over_limit; ++i, ++at) {
        look_ahead(peer, batch, at, false);
        announce(peer, family_of(peer, batch.nlri[at].family()), batch.nlri[at], at, path);
      }
      paths_.release(path, sequence_);
    }
  }
  if (record.last_of_message) update_end();
  announced_ = kNoPath;
}

// Asks for the memory that the attribute sets after this one will need.
void Engine::look_ahead(const bgp::RecordBatch& batch, std::size_t at) {
  constexpr std::size_t kSlot = 12, kEntry = 8, kOctets = 5, kNext = 2;
  const std::size_t end = batch.records.size();
  if (at + kSlot < end) paths_.prefetch(batch.records[at + kSlot].attributes_hash);
  if (at + kEntry < end) paths_.prefetch_candidate(batch.records[at + kEntry].attributes_hash);
  const auto ask = [&](std::size_t n, int step) {
    if (batch.records[n].announced == 0) return;
    const PathId path = paths_.candidate(batch.records[n].attributes_hash);
    if (path == kNoPath) return;
    if (step == 0) paths_.prefetch_octets(path);
    if (!looks_ahead_) return;
    for (const Detector* detector : prefetchers_)
      detector->prefetch(PrefixTable::kNone, path, step);
  };
  if (at + kOctets < end) ask(at + kOctets, 0);
  if (looks_ahead_ && at + kNext < end) ask(at + kNext, 1);
}

// Asks for the memory that the NLRI after this one will need: each step reads what an earlier one
// has asked for. The NLRI may be those of another neighbour: then it was in vain.
void Engine::look_ahead(const Peer& peer, const bgp::RecordBatch& batch, std::size_t at,
                        bool withdrawn) {
  constexpr std::size_t kSlot = 48, kRecord = 38, kRoute = 29, kNumber = 21, kPath = 15;
  static_assert(kRoute < kAhead);
  const std::size_t end = hashes_.size();
  if (at + kSlot < end) prefixes_.prefetch(hashes_[at + kSlot]);
  if (at + kRecord < end) prefixes_.prefetch_record(hashes_[at + kRecord]);
  if (!looks_ahead_) return;
  if (const std::size_t n = at + kRoute; n < end) {
    Ahead& next = ahead_[n % kAhead];
    next = {n, prefixes_.find(batch.nlri[n], hashes_[n]), kNoPath};
    if (next.prefix != PrefixTable::kNone) {
      peer.rib.prefetch(next.prefix);
      // Where a route goes, detectors look at what the other neighbours show.
      constexpr std::size_t kPeersAhead = 8;
      for (std::size_t p = 0; withdrawn && p < std::min(kPeersAhead, peers_.size()); ++p)
        if (peers_[p]) peers_[p]->rib.prefetch(next.prefix);
    }
  }
  if (const std::size_t n = at + kNumber; n < end)
    if (const Ahead& next = ahead_[n % kAhead]; next.of == n && next.prefix != PrefixTable::kNone)
      peer.rib.prefetch_path(next.prefix);
  if (const std::size_t n = at + kPath; n < end) {
    Ahead& next = ahead_[n % kAhead];
    if (next.of == n && next.prefix != PrefixTable::kNone) next.path = peer.rib.find(next.prefix);
    if (next.path != kNoPath) {
      paths_.prefetch_entry(next.path);
      for (const Detector* detector : prefetchers_) detector->prefetch(next.prefix, next.path, 0);
    }
  }
  for (const int step : {1, 2}) {
    const std::size_t n = at + (step == 1 ? 10 : 4);
    if (n >= end) break;
    const Ahead& next = ahead_[n % kAhead];
    if (next.path == kNoPath) continue;
    for (const Detector* detector : prefetchers_) detector->prefetch(next.prefix, next.path, step);
  }
}

void Engine::announce(Peer& peer, FamilyState& family, const bgp::NlriKey& key, std::size_t at,
                      PathId path) {
  PrefixId prefix = found_ahead(at);
  if (prefix == PrefixTable::kNone) prefix = prefixes_.intern(key, hashes_[at]);
  if (prefix == PrefixTable::kNone) return;
  const PathId before = peer.rib.find(prefix);
  if (before == path) {
    ++duplicates_;
    if (peer.rib.clear_stale(prefix) && family.kept != 0) --family.kept;
    return;
  }
  const bool compared = family.synchronizing && !family.refresh &&
                        (before == kNoPath || peer.rib.is_stale(prefix));
  if (compared && (key.has_path_id != 0 || before == kNoPath) &&
      renumber(peer, family, key, prefix, path))
    return;
  if (before == kNoPath) {
    prefixes_.acquire(prefix);
    if (!admit(peer, family)) {
      prefixes_.release(prefix, sequence_);
      return;
    }
    ++routes_;
  } else if (family.kept != 0 && peer.rib.is_stale(prefix)) {
    --family.kept;
  }
  RouteChange change;
  change.peer = peer.info.id;
  change.prefix = prefix;
  change.before = before;
  change.after = path;
  change.cause = options_.replay ? Cause::kReplay : Cause::kLive;
  change.baseline = is_first_sight(peer, family, key, before) ||
                    (compared && before == kNoPath && shows_otherwise(peer, family, key));
  if (compared) {
    change.cause = Cause::kResync;
    change.last_known = family.last_known;
  }
  peer.rib.insert(prefix, path);
  paths_.acquire(path);
  record_write(change);
  notify(change);
  if (before != kNoPath) paths_.release(before, sequence_);
}

// A neighbour joined midway has no table to learn: each prefix teaches with the first route that it
// shows. One that is first seen to be withdrawn had a route that nobody knows: what it shows then
// teaches, too. One whose route was seen, and seen to go, is known: to have none.
bool Engine::is_first_sight(Peer& peer, FamilyState& family, const bgp::NlriKey& key,
                            PathId before) {
  if (family.baseline_done) return false;
  if (!peer.joined_midway) return true;
  return before == kNoPath && family.withdrawn.erase(key) == 0;
}

void Engine::withdraw(Peer& peer, FamilyState& family, const bgp::NlriKey& key,
                      std::size_t at) {
  PrefixId prefix = found_ahead(at);
  if (prefix == PrefixTable::kNone) prefix = prefixes_.find(key, hashes_[at]);
  if (prefix == PrefixTable::kNone || peer.rib.find(prefix) == kNoPath) return;
  const bool stale = peer.rib.is_stale(prefix);
  RouteChange change;
  change.cause = options_.replay ? Cause::kReplay : Cause::kLive;
  change.baseline = !family.baseline_done && !peer.joined_midway;
  if (stale && family.synchronizing && !family.refresh) {
    change.cause = Cause::kResync;
    change.last_known = family.last_known;
  }
  if (stale && family.kept != 0) --family.kept;
  --family.routes;
  constexpr std::size_t kMaxWithdrawn = 1 << 18;  // what is beyond teaches again
  if (peer.joined_midway && !family.baseline_done && family.withdrawn.size() < kMaxWithdrawn)
    family.withdrawn.insert(key);
  remove_route(peer, prefix, change, true);
  if (family.level != LimitLevel::kFine) note_fewer(peer, family);
}

void Engine::remove_route(Peer& peer, PrefixId prefix, RouteChange change, bool write) {
  change.peer = peer.info.id;
  change.prefix = prefix;
  change.before = peer.rib.erase(prefix);
  change.after = kNoPath;
  --routes_;
  if (write) record_write(change);
  notify(change);
  paths_.release(change.before, sequence_);
  prefixes_.release(prefix, sequence_);
}

void Engine::record_write(const RouteChange& change) {
  constexpr std::int64_t kMaxOffset = std::numeric_limits<std::uint32_t>::max();
  ++changes_;
  if (options_.replay) return;
  if (commit_.routes.empty()) commit_.base = now_;
  const std::int64_t offset = std::min((now_ - commit_.base).count(), kMaxOffset);
  commit_.routes.push_back({change.peer, change.prefix, change.before, change.after,
                            static_cast<std::uint32_t>(offset)});
  commit_.record_history |= !change.baseline;
}

void Engine::notify(const RouteChange& change) {
  (change.baseline ? update_open_ : live_update_open_) = true;
  for (DetectorHost* host : change.baseline ? baseline_listeners_ : route_listeners_)
    call(*host, [&](Detector& d) { d.on_route_change(change); });
}

void Engine::notify(const PeerChange& change) {
  for (const auto& host : detectors_) call(*host, [&](Detector& d) { d.on_peer_change(change); });
}

void Engine::update_end() {
  if (!update_open_ && !live_update_open_) return;
  const auto& told = live_update_open_ ? route_listeners_ : baseline_listeners_;
  update_open_ = live_update_open_ = false;
  for (DetectorHost* host : told) call(*host, [](Detector& d) { d.on_update_end(); });
}

void Engine::flush(bool even_if_empty) {
  if (commit_.empty() && !even_if_empty && !options_.replay) return;
  commit_.sequence = sequence_++;
  commit_.alive_until = now_;
  Commit next;
  next.record_history = false;
  std::swap(next, commit_);
  sink_.submit(std::move(next));
  for (std::vector<Event> spent = sink_.spent(); !spent.empty(); spent = sink_.spent()) {
    std::move(spent.begin(), spent.end(), std::back_inserter(spent_));
    spent.clear();
    if (spent.capacity() > commit_.events.capacity()) commit_.events.swap(spent);
  }
}

// Ids of prefixes are given back as far as new ones are wanted; the rest waits for calm times.
void Engine::recycle() {
  constexpr std::uint64_t kUnused = 1 << 16;
  if (prefixes_.unused() < kUnused) recycle_prefixes(kUnused);
  // A prefix that comes and goes is released each time.
  if (prefixes_.releases() > prefixes_.size() + kUnused) recycle_prefixes(UINT64_MAX);
  recycle_paths(options_.paths_kept);
  if (const std::uint64_t waiting = prefixes_.waiting() + paths_.waiting(); waiting > squeeze_at_)
    squeeze(waiting);
}

void Engine::recycle_when_calm() {
  constexpr std::uint64_t kCalm = 4096;         // changes from one tick to the next
  constexpr std::uint64_t kPrefixes = 1 << 17;  // some milliseconds
  if (changes_ - std::exchange(changes_at_tick_, changes_) < kCalm) recycle_prefixes(kPrefixes);
}

void Engine::recycle_prefixes(std::uint64_t most) {
  prefixes_.drain(
      sink_.durable_sequence(), [this](PrefixId id) { forget_prefix(id); },
      [this](PrefixId id) {
        for (const Detector* detector : prefetchers_) detector->prefetch(id, kNoPath, 0);
      },
      most);
}

void Engine::recycle_paths(std::size_t keep) {
  paths_.drain(
      sink_.durable_sequence(), [this](PathId id) { forget_path(id); },
      [this](PathId id) {
        for (const Detector* detector : prefetchers_) detector->prefetch(PrefixTable::kNone, id, 0);
      },
      keep);
}

// While the disk takes nothing, released ids would pile up for as long as neighbours announce new
// things. Most of them stand in no commit any more once those that wait are joined.
void Engine::squeeze(std::uint64_t waiting) {
  if (const auto named = sink_.squeeze()) {
    prefixes_.free_unnamed(named->prefixes, [this](PrefixId id) { forget_prefix(id); });
    paths_.free_unnamed(named->paths, [this](PathId id) { forget_path(id); });
    waiting = prefixes_.waiting() + paths_.waiting();
  }
  squeeze_at_ = std::max(options_.squeeze_from, 2 * waiting);
}

// What a table transfer shows stays, most often; of the updates after it many a set goes soon.
PathTable::Form Engine::form_of_new(Peer& peer, Family family) {
  if (options_.replay || peer.joined_midway) return PathTable::Form::kAsGiven;
  const FamilyState& state = family_of(peer, family);
  return state.baseline_done && !state.synchronizing ? PathTable::Form::kAsGiven
                                                     : PathTable::Form::kPacked;
}

// A little with each tick: of some millions of sets that are kept each is looked at in a minute.
void Engine::pack_paths() {
  constexpr std::size_t kEntries = 1 << 16, kSets = 1 << 12;
  paths_.pack_some(kEntries, kSets, sequence_, [this](PathId id, std::uint64_t octets) {
    if (const auto& peer = peers_[paths_.owner(id)]) peer->attributes -= octets;
  });
}

PathView Engine::path_view(PathId id) {
  if (id == announced_) return PathView(announced_octets_);
  if (unpacked_used_ == unpacked_.size()) unpacked_.emplace_back();
  return PathView(paths_.octets(id, unpacked_[unpacked_used_++]));
}

void Engine::forget_unpacked() {
  constexpr std::size_t kKept = 64;  // few calls ask for more
  unpacked_used_ = 0;
  if (unpacked_.size() > kKept) unpacked_.resize(kKept);
}

void Engine::forget_prefix(PrefixId id) {
  for (DetectorHost* host : route_listeners_)
    call(*host, [id](Detector& d) { d.prefix_released(id); });
}

void Engine::forget_path(PathId id) {
  if (const auto& peer = peers_[paths_.owner(id)]) peer->attributes -= paths_.weight(id);
  for (DetectorHost* host : route_listeners_)
    call(*host, [id](Detector& d) { d.path_released(id); });
}

void Engine::publish() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  counters_.routes.store(routes_, std::memory_order_release);  // after the commits that made it so
  counters_.prefixes.store(prefixes_.referred(), kRelaxed);
  counters_.paths.store(paths_.size(), kRelaxed);
  counters_.announcements.store(announcements_, kRelaxed);
  counters_.withdrawals.store(withdrawals_, kRelaxed);
  counters_.duplicates.store(duplicates_, kRelaxed);
  counters_.changes.store(changes_, kRelaxed);
  for (const auto& peer : peers_) {
    if (!peer) continue;
    peer->counters->routes.store(peer->rib.size(), kRelaxed);
    peer->counters->stale.store(peer->rib.stale(), kRelaxed);
  }
}

void Engine::replace_detectors(Watch watch, std::vector<Asn> route_server_ases,
                               std::vector<std::unique_ptr<Detector>> detectors,
                               const std::function<void(const StateFn&)>& stored) {
  options_.watch = std::move(watch);
  options_.route_server_ases = std::move(route_server_ases);
  timers_ = EventTimers();
  route_listeners_.clear();
  prefetchers_.clear();
  baseline_listeners_.clear();
  filter_ = nullptr;
  filter_host_ = nullptr;
  detectors_.clear();
  for (auto& detector : detectors) add_detector(std::move(detector));
  stored([this](std::string_view detector, std::string_view key, std::string_view value) {
    restore_state(detector, key, value);
  });
  for (const auto& peer : peers_) {
    if (!peer) continue;
    for (const PrefixId prefix : routes_in_order(*peer)) {
      const RouteView view{peer->info.id, prefix, peer->rib.find(prefix),
                           peer->rib.is_stale(prefix)};
      for (DetectorHost* host : baseline_listeners_)
        call(*host, [&](Detector& d) { d.restore_route(view); });
    }
  }
  start_detectors();
  tell_start();
  flush(false);
}

std::uint64_t Engine::submit_open() {
  flush(false);
  return sequence_ - 1;
}

RunningDetector Engine::running_detector() const {
  const DetectorCalls::value_type* const named = running_.load(std::memory_order_relaxed);
  if (named == nullptr) return {};
  return {named->first, named->second.load(std::memory_order_relaxed)};
}

std::vector<DetectorSummary> Engine::detector_summaries() const {
  std::vector<DetectorSummary> list;
  for (const auto& host : detectors_) list.push_back(host->summary());
  return list;
}

std::optional<std::string> Engine::query(std::string_view what, std::string_view argument) {
  std::optional<std::string> answer;
  for (const auto& host : detectors_) {
    call(*host, [&](Detector& d) { answer = d.query(what, argument); });
    if (answer) break;
  }
  return answer;
}

bool Engine::is_stale(PeerId peer, const bgp::NlriKey& key) const {
  const PrefixId prefix = prefixes_.find(key, PrefixTable::hash(key));
  return prefix != PrefixTable::kNone && peer < peers_.size() && peers_[peer] &&
         peers_[peer]->rib.is_stale(prefix);
}

Engine::Footprint Engine::footprint() const {
  Footprint sum{prefixes_.footprint(), paths_.footprint(), 0};
  for (const auto& peer : peers_) sum.routes += peer ? peer->rib.footprint() : 0;
  return sum;
}

}  // namespace lapwing::rib
