#include "detectors/visibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

std::string of_as(Asn as) { return as == 0 ? std::string() : fmt::format(" of AS{}", as); }

}  // namespace

std::unique_ptr<Detector> make_visibility(Settings& settings) {
  VisibilitySettings s;
  s.lost_percent = static_cast<unsigned>(settings.integer("lost-percent", 0, 0, 90));
  s.flap_threshold = size_setting(settings, "flap-threshold", s.flap_threshold, 1, 30);
  s.flap_window = settings.duration("flap-window", s.flap_window, 60, 86400);
  return std::make_unique<Visibility>(s);
}

void Visibility::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
  origins_.attach(host);
}

bool Visibility::counts(PathId path, PeerId peer, PrefixId prefix) {
  if (path == kNoPath) return false;
  if (watch_.prefix(prefix)) return true;
  return watch_.any_origin() && watch_.origin(origins_.origin(path, peer));
}

bool Visibility::is_lost(const Count& c) const {
  return c.routes == 0 ||
         std::uint64_t{c.routes} * 100 <= std::uint64_t{c.peak} * settings_.lost_percent;
}

/// nullptr: there are too many prefixes.
Visibility::Subject* Visibility::add(const Nlri& nlri, Asn origin) {
  auto it = subjects_.find(nlri);
  if (it == subjects_.end()) {
    if (subjects_.size() >= kMaxSubjects) return nullptr;
    it = subjects_.emplace(nlri, Subject{}).first;
  }
  Subject& s = it->second;
  for (Count* c : {&s.all, static_cast<Count*>(&s.of(origin))}) {
    ++c->routes;
    c->peak = std::max(c->peak, c->routes);
  }
  return &s;
}

void Visibility::remove(Subject& s, Asn origin, bool baseline) {
  OfOrigin* const of = s.find(origin);
  if (of == nullptr || of->routes == 0) return;  // came while there were too many prefixes
  for (Count* c : {&s.all, static_cast<Count*>(of)}) {
    --c->routes;
    // A neighbour that is removed takes its part of what is usual with it.
    if (baseline && c->peak > 1) --c->peak;
  }
}

Visibility::OfOrigin* Visibility::Subject::find(Asn origin) {
  const auto at = std::find_if(origins.begin(), origins.end(),
                               [origin](const OfOrigin& o) { return o.as == origin; });
  return at == origins.end() ? nullptr : &*at;
}

Visibility::OfOrigin& Visibility::Subject::of(Asn origin) {
  if (OfOrigin* const found = find(origin)) return *found;
  OfOrigin& added = origins.emplace_back();
  added.as = origin;
  return added;
}

bool Visibility::Subject::has(Asn origin) const {
  return std::any_of(origins.begin(), origins.end(),
                     [origin](const OfOrigin& o) { return o.as == origin && o.routes != 0; });
}

bool Visibility::Subject::lost() const {
  return all.lost ||
         std::any_of(origins.begin(), origins.end(), [](const OfOrigin& o) { return o.lost; });
}

/// Its prefix counts for the origins that show it, or no longer. What a watched one lost waits for
/// `judge`.
void Visibility::recount(Subject& s) {
  for (OfOrigin& o : s.origins) {
    const bool lost = watch_.origin(o.as) ? o.lost : s.all.lost;
    const bool visible = o.routes != 0 && !lost && !s.unexpected;
    if (visible == o.visible) continue;
    o.visible = visible;
    std::uint32_t& prefixes = by_origin_[o.as].visible;
    prefixes = visible ? prefixes + 1 : prefixes - 1;
  }
  std::erase_if(s.origins, [this](const OfOrigin& o) {
    return o.routes == 0 && !o.lost && !watch_.origin(o.as);
  });
}

void Visibility::on_route_change(const RouteChange& change) {
  const bool before = counts(change.before, change.peer, change.prefix);
  const bool after = counts(change.after, change.peer, change.prefix);
  if (!before && !after) return;
  const Nlri nlri = without_path_id(host_->nlri(change.prefix));
  const Asn went = before ? origins_.origin(change.before, change.peer) : 0;
  const Asn came = after ? origins_.origin(change.after, change.peer) : 0;
  const auto at = subjects_.find(nlri);
  const bool newcomer = after && (at == subjects_.end() || !at->second.has(came));
  Subject* const s = after                   ? add(nlri, came)
                     : at == subjects_.end() ? nullptr
                                             : &at->second;
  if (s == nullptr) return;
  if (before) remove(*s, went, change.baseline);
  if (before && after &&
      (went == came || !(watch_.origin(went) || watch_.origin(came) || s->unexpected)))
    return recount(*s);
  Touch& t = touched_[nlri];
  if (!after) t.went = went;
  if (!change.baseline) t.live = true;
  t.said = t.said || !change.peer_removed;
  t.newcomer = t.newcomer || newcomer;
  // A first table is no news, unless it brings back what was lost.
  if (t.live || s->lost()) t.by.add(*host_, change);
}

void Visibility::on_update_end() {
  if (touched_.empty()) return;
  Batch lost, back;
  for (const auto& [nlri, touch] : touched_) {
    const auto it = subjects_.find(nlri);
    Subject& s = it->second;
    judge_origin(s, nlri, touch);
    if (!s.unexpected) {
      judge(s, nlri, touch, lost, back);
    } else {
      recount(s);
      if (s.all.routes == 0 && touch.said) set_unexpected(s, nlri, false);
    }
    // Also what was learnt to be absent: no news.
    if (s.all.routes == 0 && !s.lost() && !s.unexpected) subjects_.erase(it);
  }
  for (const auto& [origin, prefixes] : lost) lose(origin, prefixes);
  for (const auto& [origin, prefixes] : back) regain(origin, prefixes);
  for (const auto& [nlri, touch] : touched_)
    if (const auto it = subjects_.find(nlri); it != subjects_.end())
      for (const OfOrigin& o : it->second.origins) note_dark(o.as);
  touched_.clear();
}

/// Of watched origins each by itself; of a prefix that none of them has, all routes together.
void Visibility::judge(Subject& s, const Nlri& nlri, const Touch& touch, Batch& lost, Batch& back) {
  bool of_watched = false;
  for (OfOrigin& o : s.origins) {
    if (!watch_.origin(o.as)) continue;
    if (o.lost != is_lost(o) && (o.lost || touch.live)) {
      o.lost = !o.lost;
      (o.lost ? lost : back)[o.as].push_back(nlri);
    }
    of_watched = of_watched || o.routes != 0 || o.lost;
  }
  if (s.all.lost && !is_lost(s.all)) {
    s.all.lost = false;
    back[s.lost_origin].push_back(nlri);
  } else if (!s.all.lost && is_lost(s.all) && touch.live && !of_watched) {
    s.all.lost = true;
    s.lost_origin = touch.went;
    lost[touch.went].push_back(nlri);
  }
  recount(s);
  std::erase_if(s.origins, [](const OfOrigin& o) { return o.routes == 0 && !o.lost; });
}

/// The first UPDATE says who brought a prefix; after it, only another origin can make it expected.
void Visibility::judge_origin(Subject& s, const Nlri& nlri, const Touch& touch) {
  if (!s.judged) {
    s.judged = true;
    if (touch.live && !expected(s, nlri)) set_unexpected(s, nlri, true);
  } else if (s.unexpected && touch.newcomer && expected(s, nlri)) {
    set_unexpected(s, nlri, false);
  }
}

/// True if an AS that has it is watched, or has the watched prefix, too, or lost that last.
bool Visibility::expected(const Subject& s, const Nlri& nlri) const {
  if (watched(s, nlri)) return true;
  Nlri whole = nlri;
  whole.prefix = *watch_.covering(nlri.prefix);
  const auto at = subjects_.find(whole);
  if (at == subjects_.end()) return false;
  const Subject& w = at->second;
  return std::any_of(s.origins.begin(), s.origins.end(), [&w](const OfOrigin& o) {
    return o.as != PathOrigins::kNone && o.routes != 0 &&
           (w.has(o.as) || (w.all.lost && w.lost_origin == o.as));
  });
}

/// By itself, not as a more-specific: the prefix, or an AS that has it.
bool Visibility::watched(const Subject& s, const Nlri& nlri) const {
  const auto within = watch_.covering(nlri.prefix);
  return !within || *within == nlri.prefix ||
         std::any_of(s.origins.begin(), s.origins.end(), [this](const OfOrigin& o) {
           return o.routes != 0 && watch_.names(o.as);
         });
}

void Visibility::forget_old_outages(Origin& o) const {
  while (!o.outages.empty() && host_->now() - o.outages.front() >= settings_.flap_window)
    o.outages.pop_front();
}

/// True: this outage of the origin is one too many, and is not reported by itself.
bool Visibility::damp(Asn as, const std::vector<Nlri>& prefixes) {
  Origin& o = by_origin_[as];
  forget_old_outages(o);
  o.outages.push_back(host_->now());
  if (o.outages.size() > settings_.flap_threshold + 1) o.outages.pop_front();
  if (!o.damped && o.outages.size() <= settings_.flap_threshold) {
    store_damping(as);
    return false;
  }
  o.calm_at = host_->now() + settings_.flap_window;
  host_->set_timer(as, o.calm_at);
  ++o.folded;
  if (!o.damped) {
    o.damped = true;
    o.damped_since = host_->now();
    o.last = shown(prefixes);
    emit_flap(as, Action::kRaise);
  }
  store_damping(as);
  return true;
}

void Visibility::lose(Asn origin, const std::vector<Nlri>& prefixes) {
  const Timestamp now = host_->now();
  const bool first = outages_.find(origin) == nullptr;
  for (const Nlri& nlri : prefixes) outages_.enter(origin, nlri, now);
  const auto* outage = outages_.find(origin);
  if (outage == nullptr) return;
  for (const Nlri& nlri : prefixes) store(origin, nlri);
  note_dark(origin);
  if (Origin& o = by_origin_[origin]; first ? damp(origin, prefixes) : o.damped) {
    o.last = shown(prefixes);
    for (const Evidence& e : o.last.by.evidence)
      if (o.lost_by.size() < Event::kMaxEvidence) o.lost_by.push_back(e);
    return;
  }
  tell_lost(origin, prefixes, shown(prefixes), first ? Action::kRaise : Action::kUpdate);
}

void Visibility::tell_lost(Asn origin, const std::vector<Nlri>& prefixes, const Shown& shown,
                           Action action) {
  const auto* outage = outages_.find(origin);
  const std::uint32_t visible = by_origin_[origin].visible;
  // Of an origin that is not watched itself, only a part is looked at.
  const bool whole_origin = visible == 0 && watch_.origin(origin);
  const bool all_covered = std::all_of(prefixes.begin(), prefixes.end(),
                                       [&](const Nlri& nlri) { return covered(nlri, origin); });
  Event e = make_event("visibility-lost", action, origin, outage->since, prefixes.front());
  fill(e, shown);
  e.severity = all_covered    ? Severity::kNotice
               : whole_origin ? Severity::kError
                              : Severity::kWarning;
  e.fields.push_back({"scope", std::string(whole_origin ? "origin" : "prefix")});
  e.fields.push_back({"lost_count", static_cast<std::int64_t>(outage->inside.size())});
  e.fields.push_back({"visible_count", std::int64_t{visible}});
  if (all_covered) e.fields.push_back({"covered", true});
  e.rule = settings_.lost_percent == 0
               ? "the last route of a neighbour that is heard was withdrawn or changed"
               : fmt::format("at most {} % of its routes are left", settings_.lost_percent);
  e.summary = fmt::format(
      "{}{} {} lost{}", join_prefixes(e.prefixes, e.prefix_count), of_as(origin),
      e.prefix_count == 1 ? "is" : "are",
      whole_origin && settings_.lost_percent != 0 ? fmt::format(": AS{} is lost as a whole", origin)
      : whole_origin ? fmt::format(": nothing of AS{} is visible any more", origin)
      : origin == 0  ? ""
      : visible == 0 ? "; no other of it is watched and visible"
                     : fmt::format("; {} of it that {} watched still visible",
                                 count_of(visible, "prefix", "prefixes"), visible == 1 ? "is" : "are"));
  host_->emit(std::move(e));
}

/// The origins that have prefixes now of which `lost` has no route.
std::vector<Asn> Visibility::other_origins(Asn lost, const std::vector<Nlri>& prefixes) const {
  std::set<Asn> others;
  for (const Nlri& nlri : prefixes)
    if (const Subject& s = subjects_.at(nlri); !s.has(lost))
      for (const OfOrigin& o : s.origins)
        if (o.routes != 0) others.insert(o.as);
  return {others.begin(), others.end()};
}

/// Dark is a watched origin that lost all that it had.
void Visibility::note_dark(Asn as) {
  Origin& o = by_origin_[as];
  o.dark = o.visible == 0 && outages_.find(as) != nullptr && watch_.origin(as);
}

Timestamp Visibility::leave(Asn origin, const std::vector<Nlri>& prefixes) {
  Timestamp since = host_->now();
  for (const Nlri& nlri : prefixes) {
    const auto entered = outages_.leave(origin, nlri);
    if (entered) since = std::min(since, *entered);
    store(origin, nlri);
  }
  return since;
}

void Visibility::unwatch(Asn origin, const std::vector<Nlri>& prefixes) {
  const auto* outage = outages_.find(origin);
  if (outage == nullptr) return;
  const Timestamp began = outage->since, since = leave(origin, prefixes);
  const std::size_t left = outage->inside.size();
  outages_.forget_if_empty(origin);
  note_dark(origin);
  if (by_origin_[origin].damped) return;  // it was not told
  Event e = make_event("visibility-lost", left == 0 ? Action::kClear : Action::kUpdate, origin,
                       began, prefixes.front());
  if (left != 0) e.ends = e.type;
  e.severity = Severity::kNotice;
  fill(e, shown(prefixes));
  const microseconds duration = host_->now() - since;
  e.fields.push_back({"duration_seconds", whole_seconds(duration)});
  e.fields.push_back({"lost_since", since});
  e.fields.push_back({"lost_count", static_cast<std::int64_t>(left)});
  e.rule = "what was lost is not watched any more";
  e.summary =
      fmt::format("{}{} no longer watched, lost for {}", join_prefixes(e.prefixes, e.prefix_count),
                  of_as(origin), format_duration(duration));
  host_->emit(std::move(e));
}

void Visibility::regain(Asn origin, const std::vector<Nlri>& prefixes) {
  const auto* outage = outages_.find(origin);
  if (outage == nullptr) return;
  const Timestamp began = outage->since;
  // Nothing of it was visible since the last of its prefixes went.
  Timestamp dark_since = began;
  for (const auto& [nlri, entered] : outage->inside) dark_since = std::max(dark_since, entered);
  const bool whole_origin = by_origin_[origin].dark && by_origin_[origin].visible != 0;
  const Timestamp since = leave(origin, prefixes);
  const std::size_t left = outage->inside.size();
  outages_.forget_if_empty(origin);
  note_dark(origin);
  if (Origin& o = by_origin_[origin]; o.damped) {
    o.last = shown(prefixes);
    std::erase_if(o.lost_by, [&](const Evidence& e) {
      return std::any_of(prefixes.begin(), prefixes.end(),
                         [&](const Nlri& nlri) { return nlri.prefix == e.prefix; });
    });
    return;
  }
  // Of a path that ended in an AS_SET nobody knows whose it was.
  const std::vector<Asn> others =
      origin == 0 ? std::vector<Asn>{} : other_origins(origin, prefixes);
  Event e = make_event("visibility-regained", left == 0 ? Action::kClear : Action::kUpdate, origin,
                       began, prefixes.front());
  e.ends = "visibility-lost";
  e.severity = others.empty() ? Severity::kNotice : Severity::kWarning;
  fill(e, shown(prefixes));
  const microseconds duration = host_->now() - since, dark = host_->now() - dark_since;
  e.fields.push_back({"scope", std::string(whole_origin ? "origin" : "prefix")});
  e.fields.push_back({"duration_seconds", whole_seconds(duration)});
  e.fields.push_back({"lost_since", since});
  e.fields.push_back({"lost_count", static_cast<std::int64_t>(left)});
  if (whole_origin) {
    e.fields.push_back({"origin_lost_since", dark_since});
    e.fields.push_back({"origin_duration_seconds", whole_seconds(dark)});
  }
  if (!others.empty()) e.fields.push_back({"now_origins", others});
  e.rule = left == 0 ? "everything that was lost is visible again"
                     : "a part of what was lost is visible again";
  if (!others.empty()) e.rule += "; another AS originates it now";
  std::vector<std::string> names;
  for (const Asn as : others) names.push_back(fmt::format("AS{}", as));
  e.summary = fmt::format(
      "{}{} visible again after {}{}{}{}", join_prefixes(e.prefixes, e.prefix_count), of_as(origin),
      format_duration(duration),
      others.empty() ? "" : fmt::format(", but originated by {} now", join_names(names, names.size())),
      !whole_origin ? ""
      : settings_.lost_percent != 0
          ? fmt::format("; AS{} was lost as a whole for {}", origin, format_duration(dark))
          : fmt::format("; nothing of AS{} was visible for {}", origin, format_duration(dark)),
      left == 0 ? "" : fmt::format("; {} still lost", left));
  host_->emit(std::move(e));
}

/// True if a less specific prefix that is watched, too, is still there. One that the watched origin
/// lost as well does not count: others have it.
bool Visibility::covered(const Nlri& nlri, Asn origin) const {
  Nlri shorter = nlri;
  for (unsigned length = nlri.prefix.length; length-- > 0;) {
    shorter.prefix = Prefix::make(nlri.prefix.address, static_cast<std::uint8_t>(length));
    const auto it = subjects_.find(shorter);
    if (it == subjects_.end()) continue;
    const auto& origins = it->second.origins;
    const auto lost_it = [origin](const OfOrigin& o) { return o.lost && o.as == origin; };
    if (std::none_of(origins.begin(), origins.end(), lost_it) &&
        std::any_of(origins.begin(), origins.end(), [](const OfOrigin& o) { return o.visible; }))
      return true;
  }
  return false;
}

Visibility::Shown Visibility::shown(const std::vector<Nlri>& prefixes) const {
  Shown out;
  out.prefix_count = static_cast<std::uint32_t>(prefixes.size());
  for (const Nlri& nlri : prefixes) {
    insert_bounded(out.prefixes, nlri.prefix, Event::kMaxPrefixes);
    if (const auto touch = touched_.find(nlri); touch != touched_.end()) out.by.add(touch->second.by);
  }
  return out;
}

void Visibility::fill(Event& e, const Shown& shown) const {
  e.prefixes = shown.prefixes;
  e.prefix_count = shown.prefix_count;
  shown.by.put_into(e, host_->now());
}

/// `of`: the first prefix that it tells of, since two UPDATEs may have one time.
Event Visibility::make_event(std::string_view type, Action action, Asn origin, Timestamp since,
                             const Nlri& of) const {
  Event e;
  std::vector<std::uint64_t> parts{origin, id_part(since)};
  e.incident = make_event_id("visibility", parts);
  parts.push_back(id_part(host_->now()));
  append_id_parts(parts, of);
  e.id = make_event_id(type, parts);
  e.type = type;
  e.action = action;
  e.time = host_->now();
  if (origin != 0) e.origin_as = origin;
  return e;
}

void Visibility::emit_flap(Asn as, Action action) {
  Origin& o = by_origin_[as];
  Event e = make_event("visibility-flap", action, as, o.damped_since, Nlri{});
  e.severity = action == Action::kRaise ? Severity::kWarning : Severity::kNotice;
  fill(e, o.last);
  e.changed_between.reset();
  const auto* outage = outages_.find(as);
  e.fields.push_back({"folded", static_cast<std::int64_t>(o.folded)});
  e.fields.push_back({"since", o.damped_since});
  e.fields.push_back({"state", std::string(outage == nullptr ? "visible" : "lost")});
  e.rule = action == Action::kRaise
               ? fmt::format("more than {} outages within {} s", settings_.flap_threshold,
                             settings_.flap_window.count())
               : fmt::format("no further outage within {} s", settings_.flap_window.count());
  if (action == Action::kRaise) {
    e.summary = fmt::format(
        "prefixes{} are lost and regained again and again; silent until there is no outage for {}",
        of_as(as), format_duration(settings_.flap_window));
  } else {
    if (as != 0) e.summary = fmt::format("AS{}: ", as);
    e.summary += fmt::format("{} folded since {}; ", count_of(o.folded, "outage", "outages"),
                             format_rfc3339(o.damped_since));
    e.summary += outage == nullptr
                     ? std::string("what is watched is now visible")
                     : fmt::format("{} {} now lost", join_prefixes(e.prefixes, e.prefix_count),
                                   e.prefix_count == 1 ? "is" : "are");
  }
  host_->emit(std::move(e));
}

void Visibility::on_timer(std::uint64_t key) {
  const auto as = static_cast<Asn>(key);
  Origin& o = by_origin_[as];
  if (!o.damped) return;
  const auto* outage = outages_.find(as);
  if (outage != nullptr) o.last = all_lost(as);
  emit_flap(as, Action::kClear);
  o.damped = false;
  o.folded = 0;
  o.lost_by.clear();
  forget_old_outages(o);
  store_damping(as);
  const Shown last = std::exchange(o.last, {});
  if (outage == nullptr) return;
  // It was told by nobody.
  std::vector<Nlri> prefixes;
  for (const auto& [nlri, since] : outage->inside) prefixes.push_back(nlri);
  tell_lost(as, prefixes, last, Action::kRaise);
}

Visibility::Shown Visibility::all_lost(Asn as) const {
  const Origin& o = by_origin_.at(as);
  Shown out;
  out.by.cause = o.last.by.cause;
  out.by.evidence = o.lost_by;
  for (const Evidence& e : o.lost_by)
    insert_bounded(out.by.peers, std::string(e.peer.view()), kMaxEventPeers);
  const auto& inside = outages_.find(as)->inside;
  for (const auto& [nlri, since] : inside)
    insert_bounded(out.prefixes, nlri.prefix, Event::kMaxPrefixes);
  out.prefix_count = static_cast<std::uint32_t>(inside.size());
  return out;
}

void Visibility::path_released(PathId path) {
  origins_.path_released(path);
  watch_.path_released(path);
}

}  // namespace lapwing::detectors
