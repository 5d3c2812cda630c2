// Detector `new-upstream`: what its events say. Types and members: docs/EVENTS.md.
#include <algorithm>
#include <array>
#include <functional>

#include "detectors/event_text.h"
#include "detectors/evidence.h"
#include "detectors/new_upstream.h"
#include "lapwing/sort_unique.h"

namespace lapwing::detectors {
namespace {

constexpr std::size_t kUsualFields = 8;

ShortText seen_by(const std::vector<std::string>& peers) {
  ShortText out;
  if (!peers.empty()) out.add(FMT_COMPILE(", seen by {}"), join_names(peers, peers.size()));
  return out;
}

/// "175.45.176.0/24 and 175.45.178.0/24 (2 of 4 prefixes)"
ShortText share_text(const Event& e) {
  ShortText out = join_prefixes(e.prefixes, e.prefix_count);
  out.add(FMT_COMPILE(" ({} of {})"), e.prefix_count,
          count_of(e.origin_prefix_count.value_or(0), "prefix", "prefixes"));
  return out;
}

void add_reserved(Event& e, const AdjacencyRecord& r) {
  std::vector<Asn> reserved;
  for (const Asn as : {r.origin, r.upstream})
    if (is_reserved_as(as)) reserved.push_back(as);
  if (!reserved.empty()) e.fields.push_back({"reserved_as", reserved});
}

}  // namespace

Event NewUpstream::make_event(const AdjacencyRecord& r, std::string_view type, Action action,
                              Severity severity, std::initializer_list<std::uint64_t> which) const {
  Event e = host_->blank_event();
  std::array<std::uint64_t, 4> parts{r.origin, r.upstream};
  const auto end = std::copy(which.begin(), which.end(), parts.begin() + 2);
  e.id = make_event_id(type, {parts.begin(), end});
  e.incident = upstream_incident(r.origin, r.upstream);
  e.type = type;
  e.action = action;
  e.severity = severity;
  e.time = host_->now();
  e.origin_as = r.origin;
  e.upstream_as = r.upstream;
  e.origin_prefix_count = sightings_.origin_prefixes(r.origin_number);
  e.fields.reserve(kUsualFields);
  return e;
}

Evidence NewUpstream::evidence_of(const Seen& seen) {
  RouteChange change;
  change.peer = seen.peer;
  change.prefix = seen.prefix;
  change.before = seen.before;
  change.after = seen.after;
  return make_evidence(*host_, change, texts_);
}

NewUpstream::Details& NewUpstream::details(Touch& t) {
  if (t.details != kNoNumber) return details_[t.details];
  if (details_used_ == details_.size()) details_.emplace_back();
  t.details = details_used_++;
  Details& d = details_[t.details];
  d.direct = d.poisoned = false;
  d.peers.clear();
  d.evidence.clear();
  d.evidence.reserve(std::min<std::size_t>(t.count, Event::kMaxEvidence));
  PeerId judged_peer = 0;
  PathId judged = kNoPath;
  for (std::uint32_t at = t.first; at != kNoNumber; at = seen_[at].next) {
    const Seen& seen = seen_[at];
    insert_bounded(d.peers, seen.peer, kMaxPeers);
    if (d.evidence.size() == Event::kMaxEvidence) continue;
    d.evidence.push_back(evidence_of(seen));
    if (!seen.added || (seen.after == judged && seen.peer == judged_peer)) continue;
    const Adjacency a = extract_adjacency(host_->path(seen.after).as_path(),
                                          host_->peer(seen.peer), host_->route_server_ases());
    d.direct = d.direct || a.direct;
    d.poisoned = d.poisoned || a.poisoned;
    judged = seen.after;
    judged_peer = seen.peer;
  }
  return d;
}

void NewUpstream::fill_from_touch(Event& e, Touch& t) {
  e.cause = t.cause;
  if (t.last_known) e.changed_between = TimeRange{*t.last_known, host_->now()};
  Details& d = details(t);
  if (t.judged_later)
    e.evidence = d.evidence;
  else
    e.evidence.swap(d.evidence);
  const AdjacencyRecord& r = knowledge_[t.adjacency];
  e.known_upstreams = known_upstreams(r.origin_number, r.upstream);
}

void NewUpstream::name_peers(const std::vector<PeerId>& peers,
                             std::vector<std::string>& names) const {
  names.clear();
  names.reserve(peers.size());
  for (const PeerId p : peers) names.push_back(host_->peer(p).name);
  std::sort(names.begin(), names.end());
}

/// What the upstream was known as before this news: "transit" carries routes of others, "stub" only
/// ever originated its own, "unknown" was never seen; "local" is our own AS.
std::string_view NewUpstream::upstream_role(std::uint32_t adjacency, const Details& d) const {
  const Asn as = knowledge_[adjacency].upstream;
  for (const PeerId p : d.peers)
    if (host_->peer(p).local_as == as) return "local";
  const std::uint32_t number = knowledge_.find_origin(as);
  if (number == kNoNumber) return "unknown";
  const OriginRecord& record = knowledge_.origin(number);
  const Timestamp settled = host_->now() - settings_.new_origin_grace;
  if (record.transit_since && *record.transit_since <= settled) return "transit";
  return record.known != 0 ? "stub" : "unknown";
}

void NewUpstream::emit_new(Touch& t) {
  AdjacencyRecord& r = knowledge_[t.adjacency];
  r.stands = RaiseOf::kNew;
  Event e = make_event(r, "new-upstream", Action::kRaise,
                       t.new_origin ? Severity::kNotice : Severity::kWarning, {r.activations});
  fill_from_touch(e, t);
  lowest_prefixes(t.adjacency, Event::kMaxPrefixes, e.prefixes);
  e.prefix_count = sightings_.prefixes(t.adjacency);
  const Details& d = details(t);
  name_peers(d.peers, e.peers);
  e.direct = d.direct;
  e.fields.push_back({"new_origin", t.new_origin});
  if (t.origin_since) e.fields.push_back({"origin_since", *t.origin_since});
  const std::string_view role = upstream_role(t.adjacency, d);
  const bool doubtful = role == "stub" || d.poisoned || is_reserved_as(r.origin) ||
                        (role != "local" && is_reserved_as(r.upstream));
  e.fields.push_back({"upstream_role", std::string(role)});
  e.fields.push_back({"confidence", std::string(doubtful ? "low" : "normal")});
  if (d.poisoned) e.fields.push_back({"poisoned", true});
  add_reserved(e, r);
  if (t.origin_since)
    set_text(e.rule, FMT_COMPILE("a further upstream of an origin that appeared {} ago"),
             format_duration(e.time - *t.origin_since));
  else
    e.rule = t.new_origin ? "an origin that was never seen before appeared with this upstream"
                          : "this AS was never seen as upstream of this origin before";
  if (role == "stub") e.rule += "; the upstream was never seen to carry another's routes";
  ShortText seen = share_text(e);
  seen += seen_by(e.peers);
  if (t.origin_since)
    set_text(e.summary,
             FMT_COMPILE("AS{}, a new origin, is seen behind a further upstream AS{} for {}"),
             r.origin, r.upstream, seen);
  else if (t.new_origin)
    set_text(e.summary, FMT_COMPILE("AS{} appeared as a new origin behind AS{} for {}"), r.origin,
             r.upstream, seen);
  else
    set_text(e.summary, FMT_COMPILE("AS{} has a new upstream AS{} for {}"), r.origin, r.upstream,
             seen);
  host_->emit(std::move(e));
}

void NewUpstream::emit_returned(Touch& t) {
  AdjacencyRecord& r = knowledge_[t.adjacency];
  const bool is_loud = loud(r);
  if (!admit(kReturned, r)) return;
  r.stands = RaiseOf::kReturned;
  Event e = make_event(r, "upstream-returned", Action::kRaise,
                       is_loud ? Severity::kWarning : Severity::kNotice, {r.activations});
  fill_from_touch(e, t);
  lowest_prefixes(t.adjacency, Event::kMaxPrefixes, e.prefixes);
  e.prefix_count = sightings_.prefixes(t.adjacency);
  const Details& d = details(t);
  name_peers(d.peers, e.peers);
  e.direct = d.direct;
  const Timestamp went = knowledge_.intervals(t.adjacency).back().to;
  const microseconds gap = host_->now() - went;
  e.fields.push_back({"times", static_cast<std::int64_t>(r.activations)});
  e.fields.push_back({"gap_seconds", whole_seconds(gap)});
  e.fields.push_back({"gone_since", went});
  e.fields.push_back({"first_seen", r.first_seen});
  if (d.poisoned) e.fields.push_back({"poisoned", true});
  add_reserved(e, r);
  e.rule = "a known upstream that had gone is active again";
  set_text(e.summary, FMT_COMPILE("AS{} has its known upstream AS{} back after {} for {}{}"),
           r.origin, r.upstream, format_duration(gap), share_text(e), seen_by(e.peers));
  host_->emit(std::move(e));
}

void NewUpstream::emit_gone(Touch& t) {
  AdjacencyRecord& r = knowledge_[t.adjacency];
  const bool by_first_table = t.outcome == Outcome::kTakenBack;
  if (by_first_table) {
    t.first = t.last = t.last_taken;
    t.count = 1;
  }
  if (r.stands == RaiseOf::kNothing && !admit(kGone, r)) return close_window(t.adjacency, false);
  std::uint32_t count = t.prefixes_before;
  std::vector<Toggle> left;  // sorted
  if (ShareWindow* const w = window_of(t.adjacency)) {
    // Prefixes that left moments ago and are not reported yet went with it.
    left = w->toggles.net();
    std::erase_if(left, [](const Toggle& toggle) { return toggle.added; });
    count = std::max(w->old_count, count);
    Details& d = details(t);
    std::erase_if(w->evidence, [&](const Evidence& e) {
      return !std::ranges::binary_search(left, e.prefix, {}, &Toggle::prefix);
    });
    for (const Evidence& e : d.evidence)
      if (w->evidence.size() < Event::kMaxEvidence) w->evidence.push_back(e);
    d.evidence = std::move(w->evidence);
    close_window(t.adjacency, false);
  }
  Event e = make_gone(r, host_->now());
  fill_from_touch(e, t);
  const Details& d = details(t);
  for (const Toggle& toggle : left) insert_bounded(e.prefixes, toggle.prefix, Event::kMaxPrefixes);
  name_removed(t, e.prefixes);
  e.prefix_count = std::max(count, static_cast<std::uint32_t>(e.prefixes.size()));
  name_peers(d.peers, e.peers);
  e.rule = by_first_table ? "a first table in place of what was known no longer shows this upstream"
                          : "the last route that showed this upstream was withdrawn or changed";
  set_text(e.summary,
           FMT_COMPILE("AS{} no longer has upstream AS{}, after {}; it was seen for {}"), r.origin,
           r.upstream, format_duration(e.time - r.opened),
           join_prefixes(e.prefixes, e.prefix_count));
  host_->emit(std::move(e));
}

/// What the ends of an upstream have in common. Nothing stands of it after this.
Event NewUpstream::make_gone(AdjacencyRecord& r, Timestamp at) {
  Event e = make_event(r, "upstream-gone", Action::kClear, Severity::kNotice, {r.activations});
  e.ends = what_stands(r);
  r.stands = RaiseOf::kNothing;
  e.fields.push_back({"duration_seconds", whole_seconds(at - r.opened)});
  e.fields.push_back({"active_since", r.opened});
  e.fields.push_back({"times", static_cast<std::int64_t>(r.activations)});
  add_reserved(e, r);
  return e;
}

/// A storm folded the beginning of damping, so its end says nothing; but of what stood it is the end.
void NewUpstream::emit_gone_after_flap(std::uint32_t adjacency) {
  AdjacencyRecord& r = knowledge_[adjacency];
  const Timestamp went = knowledge_.intervals(adjacency).back().to;
  Event e = make_gone(r, went);
  e.known_upstreams = known_upstreams(r.origin_number, r.upstream);
  show_routes(adjacency, false, e);
  e.fields.push_back({"gone_since", went});
  set_text(e.rule, FMT_COMPILE("no change for {} s; it had come and gone again and again"),
           settings_.flap_quiet.count());
  set_text(e.summary, FMT_COMPILE("AS{} no longer has upstream AS{}, since {}"), r.origin,
           r.upstream, format_rfc3339(went));
  host_->emit(std::move(e));
}

/// Its routes went when the session turned, without a word from the neighbour: no change is at hand.
void NewUpstream::emit_unheard(std::uint32_t adjacency, const Dropped& dropped) {
  AdjacencyRecord& r = knowledge_[adjacency];
  Event e = make_gone(r, host_->now());
  e.cause = Cause::kResync;
  e.changed_between = TimeRange{dropped.at, e.time};
  e.known_upstreams = known_upstreams(r.origin_number, r.upstream);
  e.peers.push_back(host_->peer(dropped.peer).name);
  show_routes(adjacency, false, e);
  e.rule = "the first table after the session became internal or external does not show this upstream";
  set_text(e.summary, FMT_COMPILE("AS{} no longer has upstream AS{}, after {}; {} alone had shown it"),
           r.origin, r.upstream, format_duration(e.time - r.opened), e.peers[0]);
  host_->emit(std::move(e));
}

void NewUpstream::emit_flap_begins(Touch& t) {
  close_window(t.adjacency, false);
  AdjacencyRecord& r = knowledge_[t.adjacency];
  if (!admit(kFlap, r)) return;
  r.flap_reported = true;
  Event e = make_event(r, "upstream-flap", Action::kRaise, Severity::kNotice,
                       {id_part(r.damped_since), 0});
  fill_from_touch(e, t);
  if (r.open)
    lowest_prefixes(t.adjacency, Event::kMaxPrefixes, e.prefixes);
  else
    name_removed(t, e.prefixes);
  e.prefix_count = std::max(r.open ? sightings_.prefixes(t.adjacency) : t.prefixes_before,
                            static_cast<std::uint32_t>(e.prefixes.size()));
  name_peers(details(t).peers, e.peers);
  const auto transitions = static_cast<std::int64_t>(
      knowledge_.transitions_after(t.adjacency, host_->now() - settings_.flap_window));
  e.fields.push_back({"transitions", transitions});
  e.fields.push_back({"window_seconds", static_cast<std::int64_t>(settings_.flap_window.count())});
  e.fields.push_back({"state", std::string(r.open ? "active" : "gone")});
  if (!r.open && r.stands != RaiseOf::kNothing) e.ends = what_stands(r);  // its end is told by the clear of this
  set_text(e.rule, FMT_COMPILE("more than {} changes between gone and active within {} s"),
           settings_.flap_threshold, settings_.flap_window.count());
  set_text(e.summary,
           FMT_COMPILE("AS{} loses and regains upstream AS{} again and again: {} changes in {}; "
                       "silent until it is stable for {}"),
           r.origin, r.upstream, transitions, format_duration(settings_.flap_window),
           format_duration(settings_.flap_quiet));
  host_->emit(std::move(e));
}

/// The end of damping (kClear), or how far it came when the records end (kUpdate). Silent where the
/// beginning was folded into a storm report.
void NewUpstream::emit_flap_state(std::uint32_t adjacency, Action action) {
  AdjacencyRecord& r = knowledge_[adjacency];
  if (!r.flap_reported) return;
  Event e = make_event(r, "upstream-flap", action, Severity::kNotice,
                       {id_part(r.damped_since), action == Action::kClear ? 1u : 2u});
  show(adjacency, e.prefixes, e.peers);
  e.prefix_count = sightings_.prefixes(adjacency);
  show_routes(adjacency, false, e);
  e.fields.push_back({"folded", static_cast<std::int64_t>(r.folded)});
  e.fields.push_back({"since", r.damped_since});
  e.fields.push_back({"state", std::string(r.open ? "active" : "gone")});
  if (action == Action::kClear && !r.open && r.stands != RaiseOf::kNothing) {
    e.ends = "upstream-flap ";
    e.ends += what_stands(r);
    r.stands = RaiseOf::kNothing;
  }
  if (action == Action::kClear)
    set_text(e.rule, FMT_COMPILE("no change for {} s"), settings_.flap_quiet.count());
  else
    e.rule = "the records ended while changes were being folded";
  set_text(e.summary,
           FMT_COMPILE("AS{} and upstream AS{}: {} folded since {}; the upstream is now {}"),
           r.origin, r.upstream, count_of(r.folded, "change", "changes"),
           format_rfc3339(r.damped_since), r.open ? "active" : "gone");
  host_->emit(std::move(e));
}

bool NewUpstream::becomes_single_homed(const OriginTouch& o) const {
  const OriginRecord& origin = knowledge_.origin(o.origin);
  return origin.open == 1 && o.open_before >= 2 && !origin.single_homed_after;
}

bool NewUpstream::ends_single_homed(const OriginTouch& o) const {
  const OriginRecord& origin = knowledge_.origin(o.origin);
  return origin.open >= 2 && origin.single_homed_after;
}

void NewUpstream::judge_single_homed(const OriginTouch& o) {
  if (becomes_single_homed(o)) {
    for (Touch* const t : ordered_)
      if (t->outcome == Outcome::kGone && knowledge_[t->adjacency].origin_number == o.origin)
        return raise_single_homed(o.origin, t->adjacency, t);
  }
  if (ends_single_homed(o)) {
    for (Touch* const t : ordered_)
      if (knowledge_[t->adjacency].origin_number == o.origin && knowledge_[t->adjacency].open &&
          !knowledge_[t->adjacency].damped && t->outcome != Outcome::kNone)
        return clear_single_homed(o.origin, t->adjacency, t);
  }
}

/// While an upstream is damped its coming and going says nothing of the origin; now it does.
void NewUpstream::judge_single_homed_after_flap(std::uint32_t adjacency) {
  const AdjacencyRecord& r = knowledge_[adjacency];
  const OriginRecord& origin = knowledge_.origin(r.origin_number);
  if (!r.open && origin.open == 1 && !origin.single_homed_after)
    raise_single_homed(r.origin_number, adjacency, nullptr);
  if (origin.open < 2 || !origin.single_homed_after) return;
  std::uint32_t came = r.open ? adjacency : origin.first_adjacency;
  while (!knowledge_[came].open) came = knowledge_[came].next_of_origin;
  clear_single_homed(r.origin_number, came, nullptr);
}

void NewUpstream::raise_single_homed(std::uint32_t number, std::uint32_t went, Touch* t) {
  const AdjacencyRecord& gone = knowledge_[went];
  if (!admit(kSingleHomed, gone)) return;
  OriginRecord& origin = knowledge_.origin(number);
  origin.single_homed_after = gone.upstream;
  origin.single_homed_ordinal = gone.activations;
  store_single_homed(number);
  std::uint32_t left = origin.first_adjacency;
  while (!knowledge_[left].open) left = knowledge_[left].next_of_origin;

  Event e = make_event(gone, "single-homed", Action::kRaise, Severity::kNotice,
                       {gone.activations});
  if (t != nullptr)
    fill_from_touch(e, *t);
  else
    show_routes(left, false, e);
  e.upstream_as = knowledge_[left].upstream;
  show(left, e.prefixes, e.peers);
  e.prefix_count = sightings_.prefixes(left);
  e.known_upstreams = known_upstreams(number, knowledge_[left].upstream);
  e.fields.push_back({"lost_upstream", static_cast<std::int64_t>(gone.upstream)});
  e.rule = "an origin that had several upstreams has one";
  set_text(e.summary, FMT_COMPILE("AS{} has only one upstream left, AS{}, after AS{} went"),
           gone.origin, knowledge_[left].upstream, gone.upstream);
  host_->emit(std::move(e));
}

void NewUpstream::clear_single_homed(std::uint32_t number, std::uint32_t came, Touch* t) {
  OriginRecord& origin = knowledge_.origin(number);
  const Asn lost = *origin.single_homed_after;
  const std::uint64_t parts[] = {origin.as, lost, origin.single_homed_ordinal, 1};
  Event e;
  e.id = make_event_id("single-homed", parts);
  e.incident = upstream_incident(origin.as, lost);
  e.type = "single-homed";
  e.action = Action::kClear;
  e.severity = Severity::kNotice;
  e.time = host_->now();
  e.origin_as = origin.as;
  e.origin_prefix_count = sightings_.origin_prefixes(number);
  if (t != nullptr) fill_from_touch(e, *t);
  // A first table has no changes; nor has the end of damping.
  if (e.evidence.empty()) show_routes(came, t != nullptr, e);
  e.upstream_as = knowledge_[came].upstream;
  show(came, e.prefixes, e.peers);
  e.prefix_count = sightings_.prefixes(came);
  e.known_upstreams = known_upstreams(number, 0);
  e.fields.push_back({"lost_upstream", static_cast<std::int64_t>(lost)});
  e.fields.push_back({"upstreams", static_cast<std::int64_t>(origin.open)});
  e.rule = "an origin that had one upstream has several again";
  set_text(e.summary, FMT_COMPILE("AS{} has {} upstreams again"), origin.as, origin.open);
  origin.single_homed_after.reset();
  store_single_homed(number);
  host_->emit(std::move(e));
}

std::vector<KnownUpstream> NewUpstream::known_upstreams(std::uint32_t origin, Asn except) const {
  std::vector<std::uint32_t>& all = known_scratch_;
  all.clear();
  std::uint32_t n = knowledge_.origin(origin).first_adjacency;
  // Newest first; an origin with more upstreams than anyone reads is not walked to its end.
  for (std::size_t walked = 0; n != kNoNumber && walked < 16 * kMaxKnown; ++walked) {
    const AdjacencyRecord& r = knowledge_[n];
    if (r.known() && r.upstream != except) all.push_back(n);
    n = r.next_of_origin;
  }
  if (all.size() > kMaxKnown) {
    std::sort(all.begin(), all.end(), [&](std::uint32_t x, std::uint32_t y) {
      const AdjacencyRecord &a = knowledge_[x], &b = knowledge_[y];
      if (a.open != b.open) return a.open;
      return std::tie(b.last_seen, a.upstream) < std::tie(a.last_seen, b.upstream);
    });
    all.resize(kMaxKnown);
  }
  std::sort(all.begin(), all.end(), [&](std::uint32_t x, std::uint32_t y) {
    return knowledge_[x].upstream < knowledge_[y].upstream;
  });
  std::vector<KnownUpstream> out;
  out.reserve(all.size());
  for (const std::uint32_t number : all) {
    const AdjacencyRecord& r = knowledge_[number];
    out.push_back({r.upstream, r.first_seen, last_seen(number, kPrefixSample).at, r.open});
  }
  return out;
}

/// Now, if a neighbour that is heard shows it; otherwise when the last one that showed it was lost.
NewUpstream::LastSeen NewUpstream::last_seen(std::uint32_t adjacency,
                                             std::size_t prefixes) const {
  const AdjacencyRecord& r = knowledge_[adjacency];
  if (!r.open) return {r.last_seen};
  Timestamp seen = r.last_seen;
  std::size_t looked = 0;
  bool heard = false;
  sightings_.for_each_prefix(adjacency, [&](std::span<const PrefixId> ids) {
    for (const PrefixId id : ids)
      host_->for_each_route(id, [&](const RouteView& route) {
        if (!shows(route, adjacency)) return true;
        if (!route.stale)
          heard = true;
        else if (route.peer < lost_at_.size() && lost_at_[route.peer])
          seen = std::max(seen, *lost_at_[route.peer]);
        return !heard;
      });
    return !heard && ++looked < prefixes;
  });
  return {heard ? host_->now() : seen, !heard};
}

bool NewUpstream::shows(const RouteView& route, std::uint32_t adjacency) const {
  if (const std::uint32_t shown = by_path_[route.path]; shown < kByPeer) return shown == adjacency;
  const Adjacency a = extract_adjacency(host_->path(route.path).as_path(), host_->peer(route.peer),
                                        host_->route_server_ases());
  const AdjacencyRecord& r = knowledge_[adjacency];
  return a.kind == AdjacencyKind::kAdjacency && a.origin == r.origin && a.upstream == r.upstream;
}

void NewUpstream::lowest_prefixes(std::uint32_t adjacency, std::size_t most,
                                  std::vector<Prefix>& lowest) const {
  lowest.clear();
  const std::size_t all = sightings_.prefixes(adjacency);
  lowest.reserve(std::min(most, all));
  sightings_.for_each_prefix(adjacency, [&](std::span<const PrefixId> ids) {
    if (all <= most)
      lowest.push_back(host_->prefix(ids[0]));
    else
      insert_bounded(lowest, host_->prefix(ids[0]), most);
    return true;
  });
  if (all > most) return;
  std::ranges::reverse(lowest);  // what came last stands first
  if (std::ranges::adjacent_find(lowest, std::greater_equal<>()) != lowest.end()) sort_unique(lowest);
}

/// The prefixes that the UPDATE took away from it.
void NewUpstream::name_removed(const Touch& t, std::vector<Prefix>& prefixes) const {
  for (std::uint32_t at = t.first; at != kNoNumber; at = seen_[at].next)
    if (!seen_[at].added)
      insert_bounded(prefixes, host_->prefix(seen_[at].prefix), Event::kMaxPrefixes);
}

/// Evidence where no change is at hand: the routes that show the adjacency now, or, where it is gone,
/// the other upstreams of the origin. `came`: they are new with this event.
void NewUpstream::show_routes(std::uint32_t adjacency, bool came, Event& e) {
  std::vector<Sighted> sighted;
  if (knowledge_[adjacency].open) {
    find_routes(adjacency, sighted);
  } else {
    std::uint32_t n = knowledge_.origin(knowledge_[adjacency].origin_number).first_adjacency;
    for (; n != kNoNumber; n = knowledge_[n].next_of_origin)
      if (knowledge_[n].open) find_routes(n, sighted);
  }
  for (const Sighted& s : sighted) {
    RouteChange change;
    change.peer = s.peer;
    change.prefix = s.id;
    if (!came) change.before = s.path;
    change.after = s.path;
    e.evidence.push_back(make_evidence(*host_, change, texts_));
  }
}

void NewUpstream::find_routes(std::uint32_t adjacency, std::vector<Sighted>& out) const {
  std::vector<Prefix> lowest;
  lowest_prefixes(adjacency, Event::kMaxEvidence, lowest);
  sightings_.for_each_prefix(adjacency, [&](std::span<const PrefixId> ids) {
    if (lowest.back() < host_->prefix(ids[0])) return true;
    for (const PrefixId id : ids)
      host_->for_each_route(id, [&](const RouteView& route) {
        if (!shows(route, adjacency)) return true;
        const Nlri nlri = host_->nlri(id);
        insert_bounded(out, Sighted{nlri, host_->peer(route.peer).name, route.peer, id, route.path},
                       Event::kMaxEvidence);
        return true;
      });
    return true;
  });
}

NewUpstream::Shown NewUpstream::show(std::uint32_t adjacency, std::vector<Prefix>& prefixes,
                                     std::vector<std::string>& names) const {
  lowest_prefixes(adjacency, kPrefixSample, prefixes);
  Shown out;
  out.sampled = sightings_.prefixes(adjacency) > kPrefixSample;
  std::vector<PeerId>& peers = peers_scratch_;
  peers.clear();
  sightings_.for_each_prefix(adjacency, [&](std::span<const PrefixId> ids) {
    if (out.sampled && prefixes.back() < host_->prefix(ids[0])) return true;
    for (const PrefixId id : ids)
      host_->for_each_route(id, [&](const RouteView& route) {
        if (shows(route, adjacency)) insert_bounded(peers, route.peer, 65536);
        return true;
      });
    return true;
  });
  out.peers = static_cast<std::uint32_t>(peers.size());
  name_peers(peers, names);
  if (names.size() > kMaxPeers) names.resize(kMaxPeers);
  prefixes.resize(std::min(prefixes.size(), Event::kMaxPrefixes));
  return out;
}

}  // namespace lapwing::detectors
