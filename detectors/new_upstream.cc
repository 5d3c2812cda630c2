#include "detectors/new_upstream.h"

#include <algorithm>

#include "detectors/event_text.h"
#include "detectors/evidence.h"
#include "lapwing/prefetch.h"

namespace lapwing::detectors {

std::unique_ptr<Detector> make_new_upstream(Settings& settings) {
  NewUpstreamSettings s;
  s.share_window = settings.duration("share-window", s.share_window, 1, 3600);
  s.share_window_quiet = settings.duration("share-window-quiet", s.share_window_quiet, 1, 86400);
  s.flap_threshold = size_setting(settings, "flap-threshold", s.flap_threshold, 2, 30);
  s.flap_window = settings.duration("flap-window", s.flap_window, 10, 86400);
  s.flap_quiet = settings.duration("flap-quiet", s.flap_quiet, 10, 86400);
  s.storm_limit =
      static_cast<std::uint32_t>(settings.integer("storm-limit", s.storm_limit, 1, 1000000));
  s.storm_limit_followed = static_cast<std::uint32_t>(
      settings.integer("storm-limit-followed", s.storm_limit_followed, 1, 1000000));
  s.incident_days =
      std::chrono::days(settings.integer("incident-days", s.incident_days.count(), 0, 3650));
  s.new_origin_grace = settings.duration("new-origin-grace", s.new_origin_grace, 0, 86400);
  return std::make_unique<NewUpstream>(s);
}

void NewUpstream::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
  sightings_.attach(host);
  knowledge_.set_seed(seed_of(this));
}

void NewUpstream::on_route_change(const RouteChange& change) {
  const std::uint32_t before = adjacency_of(change.before, change.peer, kNoNumber);
  const std::uint32_t after = adjacency_of(change.after, change.peer, before);
  if (before == after) return;
  if (before != kNoNumber && after != kNoNumber) {
    knowledge_.prefetch(after);
    sightings_.prefetch(change.prefix, after);
  }
  if (before != kNoNumber) note(before, change, false);
  if (after != kNoNumber) note(after, change, true);
}

std::uint32_t NewUpstream::adjacency_of(PathId path, PeerId peer, std::uint32_t likely) {
  if (path == kNoPath) return kNoNumber;
  const std::uint32_t known = by_path_[path];
  if (known < kByPeer) return known;
  const std::uint32_t number = known == kNothing ? known : look_up(path, peer, likely);
  return number == kNothing ? kNoNumber : number;
}

std::uint32_t NewUpstream::look_up(PathId path, PeerId peer, std::uint32_t likely) {
  const PathEnd end = read_path_end(host_->path(path).as_path(), host_->route_server_ases());
  const Adjacency a = judge_adjacency(end, host_->peer(peer));
  const bool by_peer = end.shape == PathShape::kEmpty || end.shape == PathShape::kOneHop;
  const bool first = by_path_[path] == kUnset;
  std::uint32_t number = kNothing;
  switch (a.kind) {
    case AdjacencyKind::kAdjacency:
      number = likely != kNoNumber && knowledge_[likely].origin == a.origin &&
                       knowledge_[likely].upstream == a.upstream
                   ? likely
                   : number_of(a.origin, a.upstream);
      break;
    case AdjacencyKind::kOwn:
      counters_.own += first;
      break;
    case AdjacencyKind::kAmbiguous:
      counters_.ambiguous += first;
      break;
    case AdjacencyKind::kNone:
      counters_.none += first;
      break;
  }
  by_path_.set(path, by_peer ? kByPeer : number);
  return number;
}

std::uint32_t NewUpstream::number_of(Asn origin, Asn upstream) {
  const std::uint32_t found = knowledge_.find(origin, upstream);
  if (found != kNoNumber) return found;
  if (knowledge_.size() >= Sightings::kMaxAdjacencies) {
    ++counters_.beyond_limit;
    return kNothing;
  }
  const std::uint32_t number = knowledge_.name(origin, upstream);
  sightings_.add_adjacency(knowledge_[number].origin_number);
  return number;
}

NewUpstream::Touch& NewUpstream::touch(std::uint32_t adjacency) {
  AdjacencyRecord& r = knowledge_[adjacency];
  if (r.touch < touched_.size() && touched_[r.touch].adjacency == adjacency)
    return touched_[r.touch];
  r.touch = static_cast<std::uint32_t>(touched_.size());
  Touch& t = touched_.emplace_back();
  t.order = static_cast<std::uint64_t>(r.origin) << 32 | r.upstream;
  t.adjacency = adjacency;
  t.prefixes_before = sightings_.prefixes(adjacency);
  t.origin_prefixes_before = origin_news(r.origin_number);
  return t;
}

void NewUpstream::note(std::uint32_t adjacency, const RouteChange& change, bool added) {
  Touch& t = touch(adjacency);
  const std::uint32_t origin = knowledge_[adjacency].origin_number;
  const std::uint32_t of_origin = sightings_.origin_prefixes(origin);
  const bool changed = added ? sightings_.add(change.prefix, adjacency)
                             : sightings_.remove(change.prefix, adjacency);
  const AdjacencyRecord& r = knowledge_[adjacency];
  if (added && r.stands != RaiseOf::kNothing && host_->counts_witnesses())
    host_->add_witness(upstream_incident(r.origin, r.upstream), what_stands(r), change.peer);
  if (!changed) return;
  if (change.baseline) {
    t.baseline_delta += added ? 1 : -1;
    sightings_.add_taught(origin, static_cast<std::int32_t>(sightings_.origin_prefixes(origin)) -
                                      static_cast<std::int32_t>(of_origin));
    if (change.peer_removed)
      note_dropped(knowledge_[adjacency], change);
    else if (!added)
      note_taken_back(t, change);
    return;
  }
  (added ? t.added_live : t.removed_live) = true;
  t.cause = change.cause;
  merge_last_known(t.last_known, change);
  if (knowledge_[adjacency].damped) return;
  if (t.count == kMaxToggles) {
    t.overflow = true;
    return;
  }
  ++t.count;
  const auto at = static_cast<std::uint32_t>(seen_.size());
  seen_.push_back({change.peer, change.prefix, change.before, change.after, kNoNumber, added});
  (t.last == kNoNumber ? t.first : seen_[t.last].next) = at;
  t.last = at;
}

std::int32_t NewUpstream::origin_news(std::uint32_t origin) const {
  return static_cast<std::int32_t>(sightings_.origin_prefixes(origin)) -
         sightings_.origin_taught(origin);
}

void NewUpstream::note_taken_back(Touch& t, const RouteChange& change) {
  t.taken_back = true;
  const AdjacencyRecord& r = knowledge_[t.adjacency];
  if (!r.open || sightings_.prefixes(t.adjacency) != 0) return;
  merge_last_known(t.last_known, change);
  if (r.stands == RaiseOf::kNothing || r.damped) return;
  if (!t.added_live && !t.removed_live) t.cause = change.cause;
  t.last_taken = static_cast<std::uint32_t>(seen_.size());
  seen_.push_back({change.peer, change.prefix, change.before, change.after, kNoNumber, false});
}

/// The routes were dropped when the session of their neighbour turned (or it is being removed, see
/// `end_unheard`).
void NewUpstream::note_dropped(const AdjacencyRecord& r, const RouteChange& change) {
  Dropped& dropped = dropped_[{r.origin, r.upstream}];
  if (dropped.peer != change.peer) dropped = {};
  dropped.peer = change.peer;
  dropped.at = host_->now();
  dropped.tables.insert(host_->nlri(change.prefix).family);
}

/// What a neighbour alone showed before its session turned, and its tables no longer show, is gone. Of
/// one that is removed nothing is awaited: that stays unobserved.
void NewUpstream::end_unheard(const PeerChange& change) {
  for (auto at = dropped_.begin(); at != dropped_.end();) {
    const std::uint32_t n = knowledge_.find(at->first.first, at->first.second);
    AdjacencyRecord& r = knowledge_[n];
    Dropped& dropped = at->second;
    const bool removed = change.event == PeerEvent::kRemoved;
    if (dropped.peer != change.peer || (!removed && dropped.tables.erase(change.family) == 0)) {
      ++at;
      continue;
    }
    if (!removed && !dropped.tables.empty()) {
      if (dropped.stored) store_dropped(r, &dropped);
      ++at;
      continue;
    }
    if (!removed && r.open && sightings_.prefixes(n) == 0) {
      knowledge_.close(n, host_->now(), dropped.at);
      if (r.stands != RaiseOf::kNothing && !r.damped) emit_unheard(n, dropped);
      store(n);
    }
    if (dropped.stored) store_dropped(r, nullptr);
    at = dropped_.erase(at);
  }
}

void NewUpstream::on_update_end() {
  if (touched_.empty()) return;
  note_shares();
  if (!ordered_.empty()) decide_in_order();
  touched_.clear();
  seen_.clear();
  if (details_.size() > kDetailsKept) details_.resize(kDetailsKept);
  details_used_ = 0;
}

/// Most touches add to a share window that is open, or to nothing, and wait for none of the others.
/// The rest goes to `ordered_`.
void NewUpstream::note_shares() {
  ordered_.clear();
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    if (i + 8 < touched_.size()) prefetch_window(touched_[i + 8].adjacency);
    if (i + 4 < touched_.size())
      if (const ShareWindow* const w = window_of(touched_[i + 4].adjacency))
        prefetch_line(w->toggles.list.data() + w->toggles.list.size());
    Touch& t = touched_[i];
    if (!awaits_order(t)) {
      note_share(t);
      continue;
    }
    ordered_.push_back(&t);
    prefetch_line(&knowledge_.origin(knowledge_[t.adjacency].origin_number));
  }
}

/// An origin's count from before the UPDATE is that of its adjacency that was touched first: until others
/// are, the UPDATE may have taken prefixes away.
void NewUpstream::settle_origin_counts() {
  for (std::uint32_t i = 0; i < touched_.size(); ++i) {
    const std::uint32_t origin = knowledge_[touched_[i].adjacency].origin_number;
    std::uint32_t& first = knowledge_.origin(origin).touch;
    if (first < i && knowledge_[touched_[first].adjacency].origin_number == origin)
      touched_[i].origin_prefixes_before = touched_[first].origin_prefixes_before;
    else
      first = i;
  }
}

bool NewUpstream::awaits_order(const Touch& t) const {
  const AdjacencyRecord& r = knowledge_[t.adjacency];
  if (!r.known()) return true;
  const std::uint32_t now = sightings_.prefixes(t.adjacency);
  if (r.open ? now == 0 && t.prefixes_before > 0 : now > 0) return true;  // see `decide`
  return r.window == kNoNumber && changes_share(t);
}

void NewUpstream::decide_in_order() {
  std::sort(ordered_.begin(), ordered_.end(),
            [](const Touch* a, const Touch* b) { return a->order < b->order; });
  // A new adjacency of an origin that this same UPDATE introduces is that of a new origin, however
  // many come with it: looked at before any of them is known.
  for (Touch* const t : ordered_)
    if (!knowledge_[t->adjacency].known()) judge_origin(*t);
  bool any_outcome = false;
  for (Touch* const t : ordered_) {
    decide(*t);
    any_outcome = any_outcome || t->outcome != Outcome::kNone;
  }
  if (any_outcome) tell_outcomes();
  const auto opens_window = [this](const Touch* t) {
    return knowledge_[t->adjacency].window == kNoNumber && changes_share(*t);
  };
  if (std::any_of(ordered_.begin(), ordered_.end(), opens_window)) settle_origin_counts();
  for (Touch* const t : ordered_) note_share(*t);
  for (const OriginTouch& o : origins_touched_) judge_single_homed(o);
  if (any_outcome)
    for (const Touch* const t : ordered_)
      if (t->outcome != Outcome::kNone) store(t->adjacency);
  for (const Touch* const t : ordered_)
    if (t->outcome == Outcome::kUnobserved) {
      const AdjacencyRecord& r = knowledge_[t->adjacency];
      store_dropped(r, &dropped_.at({r.origin, r.upstream}));
    }
  store_storm();
  origins_touched_.clear();
}

void NewUpstream::tell_outcomes() {
  // Origins were touched in the same order.
  auto o = origins_touched_.begin();
  for (Touch* const t : ordered_) {
    const AdjacencyRecord& r = knowledge_[t->adjacency];
    while (o != origins_touched_.end() && knowledge_.origin(o->origin).as < r.origin) ++o;
    t->judged_later = o != origins_touched_.end() && o->origin == r.origin_number &&
                      (becomes_single_homed(*o) || ends_single_homed(*o));
  }
  for (Touch* const t : ordered_)
    if (t->outcome == Outcome::kNew) emit_new(*t);
  // Only now: of two origins that one UPDATE shows behind a new transit, neither makes it known.
  for (const Touch* const t : ordered_)
    if (t->outcome == Outcome::kNew) knowledge_.note_transit(t->adjacency);
  for (Touch* const t : ordered_)
    if (t->outcome == Outcome::kReturned) emit_returned(*t);
  for (std::size_t i = 0; i < ordered_.size(); ++i) {
    if (i + 4 < ordered_.size()) prefetch_window(ordered_[i + 4]->adjacency);
    Touch* const t = ordered_[i];
    if (t->outcome == Outcome::kGone || t->outcome == Outcome::kTakenBack) emit_gone(*t);
    if (t->outcome == Outcome::kUnobserved || t->outcome == Outcome::kForgotten)
      close_window(t->adjacency, false);
    if (t->outcome == Outcome::kFlapBegins) emit_flap_begins(*t);
  }
}

/// An origin is new if it was never seen, or only since a moment ago: it reaches the neighbours behind
/// one upstream after the other, and each is part of the same news.
void NewUpstream::judge_origin(Touch& t) const {
  const OriginRecord& origin = knowledge_.origin(knowledge_[t.adjacency].origin_number);
  std::optional<Timestamp> since;
  for (std::uint32_t n = origin.first_adjacency; n != kNoNumber; n = knowledge_[n].next_of_origin) {
    const AdjacencyRecord& r = knowledge_[n];
    if (!r.known()) continue;
    if (!r.raised || host_->now() - r.first_seen >= settings_.new_origin_grace) return;
    if (!since || r.first_seen < *since) since = r.first_seen;
  }
  t.new_origin = true;
  t.origin_since = since;
}

void NewUpstream::decide(Touch& t) {
  const AdjacencyRecord& r = knowledge_[t.adjacency];
  const std::uint32_t now = sightings_.prefixes(t.adjacency);
  // Open and without prefixes is unobserved (see `vanish`): its coming back is no news.
  if (!r.open && now > 0) appear(t);
  if (r.open && now == 0 && t.prefixes_before > 0) vanish(t);
}

void NewUpstream::appear(Touch& t) {
  const AdjacencyRecord& r = knowledge_[t.adjacency];
  const bool known = r.known();
  touch_origin(r.origin_number);
  knowledge_.open(t.adjacency, host_->now());
  if (!t.added_live) {
    t.outcome = Outcome::kTaught;
  } else if (!known) {
    knowledge_[t.adjacency].raised = true;
    t.outcome = Outcome::kNew;
  } else if (!damp(t)) {
    t.outcome = Outcome::kReturned;
  }
  if (t.outcome == Outcome::kTaught) knowledge_.note_transit(t.adjacency);
}

void NewUpstream::vanish(Touch& t) {
  if (!t.removed_live && !t.taken_back) {
    // The neighbour was removed: nobody said that it is gone. It stays open.
    t.outcome = Outcome::kUnobserved;
    return;
  }
  touch_origin(knowledge_[t.adjacency].origin_number);
  knowledge_.close(t.adjacency, host_->now(), t.last_known.value_or(host_->now()));
  if (!t.removed_live && t.last_taken == kNoNumber)
    t.outcome = Outcome::kForgotten;  // nothing stands that needs an end
  else if (!t.removed_live)
    t.outcome = Outcome::kTakenBack;
  else if (!damp(t))
    t.outcome = Outcome::kGone;
}

/// Decides whether this transition is one too many; sets the outcome then.
bool NewUpstream::damp(Touch& t) {
  AdjacencyRecord& r = knowledge_[t.adjacency];
  if (r.damped) {
    ++r.folded;
    t.outcome = Outcome::kFolded;
  } else if (knowledge_.transitions_after(t.adjacency, host_->now() - settings_.flap_window) >
             settings_.flap_threshold) {
    r.damped = true;
    r.damped_since = host_->now();
    r.folded = 1;
    t.outcome = Outcome::kFlapBegins;
  } else {
    return false;
  }
  host_->set_timer(kFlapTimer | t.adjacency, host_->now() + settings_.flap_quiet);
  return true;
}

void NewUpstream::touch_origin(std::uint32_t origin) {
  // Transitions are decided in ascending order of origin.
  if (!origins_touched_.empty() && origins_touched_.back().origin == origin) return;
  origins_touched_.push_back({origin, knowledge_.origin(origin).open});
}

bool NewUpstream::followed(const AdjacencyRecord& r) const {
  return r.raised && host_->now() - r.first_seen < settings_.incident_days;
}

void NewUpstream::on_peer_change(const PeerChange& change) {
  if (change.peer >= lost_at_.size()) lost_at_.resize(change.peer + 1);
  if (change.event == PeerEvent::kDown) lost_at_[change.peer] = host_->now();
  if (change.event == PeerEvent::kUp && change.blind_since)
    lost_at_[change.peer] = change.blind_since;
  if (change.event == PeerEvent::kBaselineDone || change.event == PeerEvent::kRemoved)
    end_unheard(change);
}

void NewUpstream::on_timer(std::uint64_t key) {
  const auto adjacency = static_cast<std::uint32_t>(key);
  if (key == kStormTimer) return end_storm_minute();
  if (adjacency >= knowledge_.size()) return;
  if ((key & kShareTimer) != 0 && (key & kFlapTimer) == 0) {
    close_window(adjacency, true);
    return store_storm();
  }
  if (!knowledge_[adjacency].damped) return;
  AdjacencyRecord& r = knowledge_[adjacency];
  if (!r.flap_reported && !r.open && r.stands != RaiseOf::kNothing)
    emit_gone_after_flap(adjacency);
  emit_flap_state(adjacency, Action::kClear);
  r.damped = r.flap_reported = false;
  r.folded = 0;
  judge_single_homed_after_flap(adjacency);
  store(adjacency);
  store_storm();
}

void NewUpstream::prefetch(PrefixId prefix, PathId before, int step) const noexcept {
  if (step == 0) sightings_.prefetch(prefix);
  if (step == 0) return by_path_.prefetch(before);
  const std::uint32_t n = by_path_[before];
  if (n >= kByPeer) return;
  if (step == 2) return sightings_.prefetch_neighbors(prefix, n);
  knowledge_.prefetch(n);
  sightings_.prefetch(prefix, n);
}

void NewUpstream::path_released(PathId path) {
  by_path_.reset(path);
  texts_.path_released(path);
}

void NewUpstream::prefix_released(PrefixId prefix) { sightings_.release(prefix); }

void NewUpstream::finish() {
  flush_windows();
  std::vector<std::uint32_t> damped;
  for (std::uint32_t n = 0; n < knowledge_.size(); ++n)
    if (knowledge_[n].damped) damped.push_back(n);
  std::sort(damped.begin(), damped.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(knowledge_[a].origin, knowledge_[a].upstream) <
           std::tie(knowledge_[b].origin, knowledge_[b].upstream);
  });
  for (const std::uint32_t n : damped) emit_flap_state(n, Action::kUpdate);
  end_storm_minute();
}

std::optional<std::string> NewUpstream::query(std::string_view what, std::string_view argument) {
  if (what == "upstream-statistics") return statistics_as_json();
  if (what != "upstreams") return std::nullopt;
  Asn origin = 0;
  const char* end = argument.data() + argument.size();
  const auto [rest, error] = std::from_chars(argument.data(), end, origin);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return upstreams_as_json(origin);
}

}  // namespace lapwing::detectors
