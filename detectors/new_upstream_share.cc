// Detector `new-upstream`: share windows and the storm guard, which keep the number of events
// small.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "detectors/event_text.h"
#include "detectors/new_upstream.h"
#include "lapwing/prefetch.h"

namespace lapwing::detectors {

void NewUpstream::Toggles::add(const Prefix& prefix, bool added) {
  if (list.size() == kMaxToggles) {
    overflow = true;
    return;
  }
  // Most windows see few of them, the others many.
  if (list.size() == list.capacity())
    list.reserve(list.size() < kFewToggles ? kFewToggles : kMaxToggles);
  list.push_back({prefix, added});
}

std::vector<NewUpstream::Toggle> NewUpstream::Toggles::net() const {
  // A prefix comes and goes by turns: an even number of toggles leaves it as it was.
  std::vector<Toggle> out;
  out.reserve(list.size());
  for (const Toggle& t : list) {
    const auto at = std::lower_bound(
        out.begin(), out.end(), t,
        [](const Toggle& a, const Toggle& b) { return a.prefix < b.prefix; });
    if (at == out.end() || at->prefix != t.prefix)
      out.insert(at, t);
    else if (at->added != t.added)
      out.erase(at);
  }
  return out;
}

bool NewUpstream::Toggles::cancelled() const {
  return list.empty() || (list.size() > 1 && net().empty());
}

NewUpstream::ShareWindow* NewUpstream::window_of(std::uint32_t adjacency) {
  const std::uint32_t at = knowledge_[adjacency].window;
  return at == kNoNumber ? nullptr : &windows_[at];
}

void NewUpstream::prefetch_window(std::uint32_t adjacency) {
  const ShareWindow* const w = window_of(adjacency);
  if (w == nullptr) return;
  prefetch_line(w);
  prefetch_line(&w->toggles);
  prefetch_line(&w->evidence);
}

NewUpstream::ShareWindow& NewUpstream::add_window(std::uint32_t adjacency) {
  std::uint32_t at = static_cast<std::uint32_t>(windows_.size());
  if (free_windows_.empty()) {
    windows_.emplace_back();
  } else {
    at = free_windows_.back();
    free_windows_.pop_back();
  }
  knowledge_[adjacency].window = at;
  windows_[at].adjacency = adjacency;
  return windows_[at];
}

/// Did it change which prefixes show an adjacency that was shown and still is?
bool NewUpstream::changes_share(const Touch& t) const {
  return t.outcome == Outcome::kNone && !knowledge_[t.adjacency].damped && t.count != 0 &&
         t.prefixes_before != 0 && sightings_.prefixes(t.adjacency) != 0;
}

void NewUpstream::note_share(Touch& t) {
  ShareWindow* const w = window_of(t.adjacency);
  if (w != nullptr)
    w->old_count = static_cast<std::uint32_t>(
        std::max<std::int64_t>(0, w->old_count + t.baseline_delta));
  if (!changes_share(t)) return;
  if (w == nullptr) return open_window(t);
  w->last = host_->now();
  w->cause = t.cause;
  if (t.last_known && (!w->last_known || *t.last_known < *w->last_known))
    w->last_known = t.last_known;
  add_toggles(t, w->toggles);
  if (w->evidence.size() >= w->max_evidence) return;
  for (const Evidence& e : details(t).evidence)
    if (w->evidence.size() < w->max_evidence) w->evidence.push_back(e);
}

void NewUpstream::add_toggles(const Touch& t, Toggles& to) const {
  if (to.overflow) return;  // no more are noted
  for (std::uint32_t at = t.first; at != kNoNumber; at = seen_[at].next)
    to.add(host_->prefix(seen_[at].prefix), seen_[at].added);
  to.overflow = to.overflow || t.overflow;
}

void NewUpstream::open_window(Touch& t) {
  if (windows_.size() - free_windows_.size() >= kMaxWindows) {
    ++windows_refused_;
    return;
  }
  Toggles toggles;
  toggles.list.reserve(t.count);
  add_toggles(t, toggles);
  if (!toggles.overflow && toggles.cancelled()) return;
  const bool quiet = !loud(knowledge_[t.adjacency]);
  ShareWindow& w = add_window(t.adjacency);
  w.opened = w.last = host_->now();
  w.due = w.opened + (quiet ? settings_.share_window_quiet : settings_.share_window);
  w.old_count =
      static_cast<std::uint32_t>(std::max<std::int64_t>(0, t.prefixes_before + t.baseline_delta));
  w.old_origin_count = t.origin_prefixes_before;
  w.cause = t.cause;
  w.last_known = t.last_known;
  w.toggles = std::move(toggles);
  w.max_evidence = quiet ? kQuietEvidence : Event::kMaxEvidence;
  for (std::uint32_t at = t.first; at != kNoNumber && w.evidence.size() < w.max_evidence;
       at = seen_[at].next)
    w.evidence.push_back(evidence_of(seen_[at]));
  host_->set_timer(kShareTimer | t.adjacency, w.due);
  store_window(t.adjacency, w);
}

void NewUpstream::close_window(std::uint32_t adjacency, bool report) {
  ShareWindow* const open = window_of(adjacency);
  if (open == nullptr) return;
  const ShareWindow w = std::exchange(*open, ShareWindow{});
  AdjacencyRecord& r = knowledge_[adjacency];
  free_windows_.push_back(std::exchange(r.window, kNoNumber));
  // Its timer is left: it finds no window, or the next one has set it anew.
  if (host_->keeps_state()) host_->erase_state(adjacency_key(r.origin, r.upstream) + 's');
  if (!report) return;
  const std::uint32_t count = sightings_.prefixes(adjacency);
  const bool exact = !w.restored && !w.toggles.overflow;
  if (count == 0 || (exact ? w.toggles.cancelled() : count == w.old_count)) return;
  if (admit(kShare, r)) emit_share(adjacency, w);
}

void NewUpstream::emit_share(std::uint32_t adjacency, const ShareWindow& w) {
  const AdjacencyRecord& r = knowledge_[adjacency];
  const std::uint32_t count = sightings_.prefixes(adjacency);
  Event e = make_event(r, "upstream-share", Action::kUpdate,
                       loud(r) ? Severity::kNotice : Severity::kInfo, {id_part(w.opened)});
  e.time = w.last;
  e.cause = w.cause;
  if (w.last_known) e.changed_between = TimeRange{*w.last_known, w.last};
  const Shown now = show(adjacency, e.prefixes, e.peers);
  e.prefix_count = count;
  e.evidence = w.evidence;
  const std::vector<Toggle> net = w.toggles.net();
  const auto texts = [&net](bool added) {
    std::vector<std::string> out;
    for (const Toggle& t : net)
      if (t.added == added && out.size() < Event::kMaxPrefixes)
        out.push_back(format_prefix(t.prefix));
    return out;
  };
  const std::string_view change = count > w.old_count   ? "grew"
                                  : count < w.old_count ? "shrank"
                                                        : "moved";
  e.fields.push_back({"change", std::string(change)});
  e.fields.push_back({"old_prefix_count", static_cast<std::int64_t>(w.old_count)});
  e.fields.push_back({"old_origin_prefix_count", old_origin_count(r, w)});
  e.fields.push_back({"added", texts(true)});
  e.fields.push_back({"removed", texts(false)});
  e.fields.push_back({"since", w.opened});
  e.fields.push_back({"peer_count", static_cast<std::int64_t>(now.peers)});
  if (now.sampled) e.fields.push_back({"peers_sampled", true});
  e.rule = "the set of the origin's prefixes behind this upstream changed";
  set_text(e.summary, FMT_COMPILE("AS{} behind AS{} {}: {} of {}, {} before; now {}"), r.origin,
           r.upstream, change, count,
           count_of(e.origin_prefix_count.value_or(0), "prefix", "prefixes"), w.old_count,
           join_prefixes(e.prefixes, count));
  host_->emit(std::move(e));
}

/// Before the window, and as if what was taught since had been known then, as `old_count`.
std::int64_t NewUpstream::old_origin_count(const AdjacencyRecord& r, const ShareWindow& w) const {
  return std::max(0, w.old_origin_count + sightings_.origin_taught(r.origin_number));
}

void NewUpstream::flush_windows() {
  std::vector<std::uint32_t> pending;
  for (const ShareWindow& w : windows_)
    if (w.adjacency != kNoNumber) pending.push_back(w.adjacency);
  std::sort(pending.begin(), pending.end(), [&](std::uint32_t a, std::uint32_t b) {
    const AdjacencyRecord &x = knowledge_[a], &y = knowledge_[b];
    return std::tuple(windows_[x.window].due, x.origin, x.upstream) <
           std::tuple(windows_[y.window].due, y.origin, y.upstream);
  });
  for (const std::uint32_t adjacency : pending) close_window(adjacency, true);
}

std::uint32_t NewUpstream::Storm::folded_total() const {
  std::uint32_t total = 0;
  for (const std::uint32_t n : folded) total += n;
  return total;
}

/// May this event be emitted? If not, it is counted for the report at the end of the minute.
bool NewUpstream::admit(StormType type, const AdjacencyRecord& r) {
  if (watch_.names(r.origin)) return true;
  const Timestamp now = host_->now();
  // A minute in which something was folded ends by its timer, with a report.
  if (!storm_.running ||
      (storm_.folded_total() == 0 && now - storm_.began >= std::chrono::minutes(1))) {
    storm_ = Storm{};
    storm_.running = true;
    storm_.began = now;
  }
  const bool closely = followed(r);
  std::uint32_t& emitted = closely ? storm_.emitted_followed : storm_.emitted;
  if (emitted < (closely ? settings_.storm_limit_followed : settings_.storm_limit)) {
    ++emitted;
    return true;
  }
  if (storm_.folded_total() == 0)
    host_->set_timer(kStormTimer, storm_.began + std::chrono::minutes(1));
  ++storm_.folded[type];
  static constexpr std::string_view kNames[kStormTypes] = {"share", "gone", "returned",
                                                           "single-homed", "flap"};
  if (storm_.samples.size() < Event::kMaxEvidence)
    storm_.samples.push_back(
        fmt::format("AS{} upstream AS{} {}", r.origin, r.upstream, kNames[type]));
  storm_.stored = false;
  return false;
}

void NewUpstream::end_storm_minute() {
  const Storm ended = std::exchange(storm_, Storm{});
  const std::uint32_t total = ended.folded_total();
  if (total == 0) return;
  host_->cancel_timer(kStormTimer);
  storm_.stored = false;
  store_storm();
  Event e;
  const std::uint64_t parts[] = {static_cast<std::uint64_t>(unix_micros(ended.began))};
  e.id = e.incident = make_event_id("upstream-storm", parts);
  e.type = "upstream-storm";
  e.action = Action::kUpdate;
  e.severity = Severity::kWarning;
  e.time = host_->now();
  e.fields.push_back({"since", ended.began});
  e.fields.push_back({"folded", static_cast<std::int64_t>(total)});
  e.fields.push_back({"upstream_share", static_cast<std::int64_t>(ended.folded[kShare])});
  e.fields.push_back({"upstream_gone", static_cast<std::int64_t>(ended.folded[kGone])});
  e.fields.push_back({"upstream_returned", static_cast<std::int64_t>(ended.folded[kReturned])});
  e.fields.push_back({"single_homed", static_cast<std::int64_t>(ended.folded[kSingleHomed])});
  e.fields.push_back({"upstream_flap", static_cast<std::int64_t>(ended.folded[kFlap])});
  e.fields.push_back({"samples", ended.samples});
  e.rule = fmt::format(
      "more than {} events in a minute for origins that are not watched, or {} for upstreams that "
      "were raised lately",
      settings_.storm_limit, settings_.storm_limit_followed);
  e.summary =
      fmt::format("{} folded since {}: {} share, {} gone, {} returned, {} single-homed, {} flap",
                  count_of(total, "upstream event", "upstream events"), format_rfc3339(ended.began),
                  ended.folded[kShare], ended.folded[kGone], ended.folded[kReturned],
                  ended.folded[kSingleHomed], ended.folded[kFlap]);
  host_->emit(std::move(e));
}

}  // namespace lapwing::detectors
