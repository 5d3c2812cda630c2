#include "detectors/visibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kOutageFormat = 1;

}  // namespace

std::unique_ptr<Detector> make_visibility(Settings& settings) {
  VisibilitySettings s;
  s.lost_percent = static_cast<unsigned>(settings.integer("lost-percent", 0, 0, 90));
  s.flap_threshold = size_setting(settings, "flap-threshold", s.flap_threshold, 1, 30);
  s.flap_window = seconds_setting(settings, "flap-window", s.flap_window, 60, 86400);
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

bool Visibility::is_lost(const Subject& s) const {
  return s.routes == 0 || std::uint64_t{s.routes} * 100 <= std::uint64_t{s.peak} * settings_.lost_percent;
}

void Visibility::add(const Nlri& nlri, Asn origin) {
  auto it = subjects_.find(nlri);
  if (it == subjects_.end()) {
    if (subjects_.size() >= kMaxSubjects) return;
    it = subjects_.emplace(nlri, Subject{}).first;
    it->second.origin = origin;
    ++by_origin_[origin].visible;
  }
  Subject& s = it->second;
  ++s.routes;
  s.peak = std::max(s.peak, s.routes);
  if (s.origin == origin || s.lost) return;
  --by_origin_[s.origin].visible;
  ++by_origin_[origin].visible;
  s.origin = origin;
}

void Visibility::remove(Subject& s, bool baseline) {
  if (s.routes != 0) --s.routes;
  // A neighbour that is removed takes its part of what is usual with it.
  if (baseline && s.peak > 1) --s.peak;
}

void Visibility::on_route_change(const RouteChange& change) {
  const bool before = counts(change.before, change.peer, change.prefix);
  const bool after = counts(change.after, change.peer, change.prefix);
  if (!before && !after) return;
  const Nlri nlri = without_path_id(host_->nlri(change.prefix));
  if (after) add(nlri, origins_.origin(change.after, change.peer));
  const auto it = subjects_.find(nlri);
  if (it == subjects_.end()) return;
  if (before) remove(it->second, change.baseline);
  if (before == after) return;
  Touch& t = touched_[nlri];
  if (change.baseline) return;
  t.live = true;
  t.cause = change.cause;
  merge_last_known(t.last_known, change);
  t.peers.insert(host_->peer(change.peer).name);
  add_evidence(t.evidence, *host_, change);
}

void Visibility::on_update_end() {
  if (touched_.empty()) return;
  Batch lost, back;
  for (const auto& [nlri, touch] : touched_) {
    const auto it = subjects_.find(nlri);
    Subject& s = it->second;
    if (!s.lost && is_lost(s)) {
      if (touch.live) {
        s.lost = true;
        lost[s.origin].push_back(nlri);
        --by_origin_[s.origin].visible;
      } else if (s.routes == 0) {
        --by_origin_[s.origin].visible;
        subjects_.erase(it);  // learnt to be absent: no news
      }
    } else if (s.lost && !is_lost(s)) {
      s.lost = false;
      ++by_origin_[s.origin].visible;
      back[s.origin].push_back(nlri);
    }
  }
  for (const auto& [origin, prefixes] : lost) lose(origin, prefixes);
  for (const auto& [origin, prefixes] : back) regain(origin, prefixes);
  touched_.clear();
}

/// True: this outage of the origin is one too many, and is not reported by itself.
bool Visibility::damp(Asn as) {
  Origin& o = by_origin_[as];
  while (!o.outages.empty() && host_->now() - o.outages.front() >= settings_.flap_window)
    o.outages.pop_front();
  o.outages.push_back(host_->now());
  if (o.outages.size() > settings_.flap_threshold + 1) o.outages.pop_front();
  if (!o.damped && o.outages.size() <= settings_.flap_threshold) return false;
  host_->set_timer(as, host_->now() + settings_.flap_window);
  ++o.folded;
  if (!o.damped) {
    o.damped = true;
    o.damped_since = host_->now();
    emit_flap(as, Action::kRaise);
  }
  return true;
}

void Visibility::lose(Asn origin, const std::vector<Nlri>& prefixes) {
  const Timestamp now = host_->now();
  const bool first = outages_.find(origin) == nullptr;
  for (const Nlri& nlri : prefixes) outages_.enter(origin, nlri, now);
  const auto* outage = outages_.find(origin);
  if (outage == nullptr) return;
  for (const Nlri& nlri : prefixes) store(origin, nlri);
  if (first ? damp(origin) : by_origin_[origin].damped) return;
  const std::uint32_t visible = by_origin_[origin].visible;
  // Of an origin that is not watched itself, only a part is looked at.
  const bool whole_origin = visible == 0 && watch_.origin(origin);
  const bool all_covered = std::all_of(prefixes.begin(), prefixes.end(),
                                       [this](const Nlri& nlri) { return covered(nlri); });
  Event e = make_event("visibility-lost", first ? Action::kRaise : Action::kUpdate, origin,
                       outage->since, prefixes.front());
  e.severity = all_covered    ? Severity::kNotice
               : whole_origin ? Severity::kError
                              : Severity::kWarning;
  fill(e, prefixes);
  e.fields.push_back({"scope", std::string(whole_origin ? "origin" : "prefix")});
  e.fields.push_back({"lost_count", static_cast<std::int64_t>(outage->inside.size())});
  e.fields.push_back({"visible_count", std::int64_t{visible}});
  if (all_covered) e.fields.push_back({"covered", true});
  e.rule = settings_.lost_percent == 0
               ? "the last route of a neighbour that is heard was withdrawn or changed"
               : fmt::format("at most {} % of its routes are left", settings_.lost_percent);
  e.summary = fmt::format(
      "{} of AS{} {} lost{}", join_prefixes(e.prefixes, e.prefix_count), origin,
      e.prefix_count == 1 ? "is" : "are",
      whole_origin ? fmt::format(": nothing of AS{} is visible any more", origin)
                   : fmt::format("; {} of it that {} watched still visible",
                                 count_of(visible, "prefix", "prefixes"), visible == 1 ? "is" : "are"));
  host_->emit(std::move(e));
}

void Visibility::regain(Asn origin, const std::vector<Nlri>& prefixes) {
  const auto* outage = outages_.find(origin);
  if (outage == nullptr) return;
  const Timestamp began = outage->since;
  Timestamp since = host_->now();
  for (const Nlri& nlri : prefixes) {
    const auto entered = outages_.leave(origin, nlri);
    if (entered) since = std::min(since, *entered);
    store(origin, nlri);
  }
  const std::size_t left = outage->inside.size();
  outages_.forget_if_empty(origin);
  if (by_origin_[origin].damped) return;
  Event e = make_event("visibility-regained", left == 0 ? Action::kClear : Action::kUpdate, origin,
                       began, prefixes.front());
  e.ends = "visibility-lost";
  e.severity = Severity::kNotice;
  fill(e, prefixes);
  const microseconds duration = host_->now() - since;
  e.fields.push_back({"duration_seconds", whole_seconds(duration)});
  e.fields.push_back({"lost_since", since});
  e.fields.push_back({"lost_count", static_cast<std::int64_t>(left)});
  e.rule = left == 0 ? "everything that was lost is visible again"
                     : "a part of what was lost is visible again";
  e.summary = fmt::format("{} of AS{} visible again after {}{}",
                          join_prefixes(e.prefixes, e.prefix_count), origin,
                          format_duration(duration),
                          left == 0 ? "" : fmt::format("; {} still lost", left));
  host_->emit(std::move(e));
}

/// True if a less specific prefix that is watched, too, is still there.
bool Visibility::covered(const Nlri& nlri) const {
  Nlri shorter = nlri;
  for (unsigned length = nlri.prefix.length; length-- > 0;) {
    shorter.prefix = Prefix::make(nlri.prefix.address, static_cast<std::uint8_t>(length));
    const auto it = subjects_.find(shorter);
    if (it != subjects_.end() && !it->second.lost) return true;
  }
  return false;
}

void Visibility::fill(Event& e, const std::vector<Nlri>& prefixes) const {
  std::set<std::string> peers;
  for (const Nlri& nlri : prefixes) {
    insert_bounded(e.prefixes, nlri.prefix, Event::kMaxPrefixes);
    const auto touch = touched_.find(nlri);
    if (touch == touched_.end()) continue;
    const Touch& t = touch->second;
    e.cause = t.cause;
    if (t.last_known && (!e.changed_between || *t.last_known < e.changed_between->from))
      e.changed_between = TimeRange{*t.last_known, host_->now()};
    peers.insert(t.peers.begin(), t.peers.end());
    for (const Evidence& sight : t.evidence)
      if (e.evidence.size() < Event::kMaxEvidence) e.evidence.push_back(sight);
  }
  e.prefix_count = static_cast<std::uint32_t>(prefixes.size());
  e.peers.assign(peers.begin(), peers.end());
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
  const auto* outage = outages_.find(as);
  e.fields.push_back({"folded", static_cast<std::int64_t>(o.folded)});
  e.fields.push_back({"since", o.damped_since});
  e.fields.push_back({"state", std::string(outage == nullptr ? "visible" : "lost")});
  e.rule = action == Action::kRaise
               ? fmt::format("more than {} outages within {} s", settings_.flap_threshold,
                             settings_.flap_window.count())
               : fmt::format("no further outage within {} s", settings_.flap_window.count());
  e.summary = action == Action::kRaise
                  ? fmt::format("prefixes of AS{} are lost and regained again and again; silent "
                                "until there is no outage for {}",
                                as, format_duration(settings_.flap_window))
                  : fmt::format("AS{}: {} folded since {}; what is watched is now {}", as,
                                count_of(o.folded, "outage", "outages"),
                                format_rfc3339(o.damped_since),
                                outage == nullptr ? "visible" : "lost");
  host_->emit(std::move(e));
}

void Visibility::on_timer(std::uint64_t key) {
  const auto as = static_cast<Asn>(key);
  Origin& o = by_origin_[as];
  if (!o.damped) return;
  emit_flap(as, Action::kClear);
  o.damped = false;
  o.folded = 0;
}

/// Key: origin | prefix. Value: format | outage since | lost since | peak. Absent: not lost.
void Visibility::store(Asn origin, const Nlri& nlri) {
  std::string key;
  put_u32(key, origin);
  put_nlri(key, nlri);
  const auto* outage = outages_.find(origin);
  const auto at = outage == nullptr ? std::map<Nlri, Timestamp>::const_iterator{}
                                    : outage->inside.find(nlri);
  if (outage == nullptr || at == outage->inside.end()) return host_->erase_state(key);
  std::string value;
  put_u8(value, kOutageFormat);
  put_time(value, outage->since);
  put_time(value, at->second);
  put_u32(value, subjects_.at(nlri).peak);
  host_->put_state(key, value);
}

void Visibility::restore_state(std::string_view key, std::string_view value) {
  StateReader k(key), v(value);
  const Asn origin = k.u32();
  const Nlri nlri = k.nlri();
  const bool known = v.u8() == kOutageFormat;
  const Timestamp outage_since = v.time(), since = v.time();
  const std::uint32_t peak = v.u32();
  if (!known || !k.at_end() || !v.at_end())
    throw std::runtime_error("visibility: stored state is damaged or of a newer format");
  outages_.restore(origin, nlri, outage_since, since);
  Subject& s = subjects_[nlri];
  s.origin = origin;
  s.lost = true;
  s.peak = peak;
}

void Visibility::restore_route(const RouteView& route) {
  if (!counts(route.path, route.peer, route.prefix)) return;
  add(without_path_id(host_->nlri(route.prefix)), origins_.origin(route.path, route.peer));
}

/// Stored outages of what the settings or [watch] no longer call lost or watched end in silence.
void Visibility::start_up() {
  for (auto it = subjects_.begin(); it != subjects_.end();) {
    auto& [nlri, s] = *it;
    const bool watched = watch_.covering(nlri.prefix) || watch_.origin(s.origin);
    if (s.lost && (!watched || !is_lost(s))) {
      s.lost = false;
      ++by_origin_[s.origin].visible;
      outages_.leave(s.origin, nlri);
      store(s.origin, nlri);
      outages_.forget_if_empty(s.origin);
    }
    it = s.routes == 0 && !s.lost ? subjects_.erase(it) : std::next(it);
  }
}

void Visibility::path_released(PathId path) {
  origins_.path_released(path);
  watch_.path_released(path);
}

}  // namespace lapwing::detectors
