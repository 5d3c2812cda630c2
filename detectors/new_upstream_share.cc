// Detector `new-upstream`: share windows and the storm guard, which keep the number of events
// small.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "detectors/event_text.h"
#include "detectors/new_upstream.h"

namespace lapwing::detectors {

void NewUpstream::Toggles::add(const Prefix& prefix, bool added) {
  const auto it = std::lower_bound(list.begin(), list.end(), prefix,
                                   [](const Toggle& t, const Prefix& p) { return t.prefix < p; });
  if (it != list.end() && it->prefix == prefix) {
    if (it->added != added) list.erase(it);
    return;
  }
  if (list.size() == kMaxToggles) {
    overflow = true;
    return;
  }
  list.insert(it, {prefix, added});
}

void NewUpstream::Toggles::merge(const Toggles& later) {
  for (const Toggle& t : later.list) add(t.prefix, t.added);
  overflow = overflow || later.overflow;
}

std::vector<Prefix> NewUpstream::Toggles::of(bool added) const {
  std::vector<Prefix> out;
  for (const Toggle& t : list)
    if (t.added == added) out.push_back(t.prefix);
  return out;
}

void NewUpstream::note_share(Touch& t) {
  const auto it = windows_.find(t.adjacency);
  if (it != windows_.end())
    it->second.old_count = static_cast<std::uint32_t>(
        std::max<std::int64_t>(0, it->second.old_count + t.baseline_delta));
  if (t.outcome != Outcome::kNone || knowledge_[t.adjacency].damped) return;
  if (t.toggles.list.empty() && !t.toggles.overflow) return;
  if (sightings_.prefixes(t.adjacency) == 0 || t.prefixes_before == 0) return;
  if (it == windows_.end()) {
    if (windows_.size() >= kMaxWindows) {
      ++windows_refused_;
      return;
    }
    ShareWindow w;
    w.opened = w.last = host_->now();
    w.due = w.opened +
            (loud(knowledge_[t.adjacency]) ? settings_.share_window : settings_.share_window_quiet);
    w.old_count =
        static_cast<std::uint32_t>(std::max<std::int64_t>(0, t.prefixes_before + t.baseline_delta));
    w.old_origin_count = t.origin_prefixes_before;
    w.cause = t.cause;
    w.last_known = t.last_known;
    w.toggles = std::move(t.toggles);
    w.evidence = std::move(t.evidence);
    host_->set_timer(kShareTimer | t.adjacency, w.due);
    store_window(t.adjacency, w);
    windows_.emplace(t.adjacency, std::move(w));
    return;
  }
  ShareWindow& w = it->second;
  w.last = host_->now();
  w.cause = t.cause;
  if (t.last_known && (!w.last_known || *t.last_known < *w.last_known)) w.last_known = t.last_known;
  w.toggles.merge(t.toggles);
  for (Evidence& e : t.evidence)
    if (w.evidence.size() < Event::kMaxEvidence) w.evidence.push_back(std::move(e));
}

void NewUpstream::close_window(std::uint32_t adjacency, bool report) {
  const auto it = windows_.find(adjacency);
  if (it == windows_.end()) return;
  const ShareWindow w = std::move(it->second);
  windows_.erase(it);
  host_->cancel_timer(kShareTimer | adjacency);
  const AdjacencyRecord& r = knowledge_[adjacency];
  host_->erase_state(adjacency_key(r.origin, r.upstream) + 's');
  if (!report) return;
  const std::uint32_t count = sightings_.prefixes(adjacency);
  const bool exact = !w.restored && !w.toggles.overflow;
  if (count == 0 || (exact ? w.toggles.list.empty() : count == w.old_count)) return;
  if (admit(kShare, r)) emit_share(adjacency, w);
}

void NewUpstream::emit_share(std::uint32_t adjacency, const ShareWindow& w) {
  const AdjacencyRecord& r = knowledge_[adjacency];
  const std::uint32_t count = sightings_.prefixes(adjacency);
  Event e = make_event(r, "upstream-share", Action::kUpdate,
                       loud(r) ? Severity::kNotice : Severity::kInfo);
  const std::uint64_t parts[] = {r.origin, r.upstream,
                                 static_cast<std::uint64_t>(unix_micros(w.opened))};
  e.id = make_event_id("upstream-share", parts);
  e.time = w.last;
  e.cause = w.cause;
  if (w.last_known) e.changed_between = TimeRange{*w.last_known, w.last};
  const Shown now = shown(adjacency);
  e.prefixes = now.prefixes;
  e.prefix_count = count;
  e.peers = now.peers;
  e.evidence = w.evidence;
  const auto texts = [](const std::vector<Prefix>& prefixes) {
    std::vector<std::string> out;
    for (const Prefix& p : prefixes)
      if (out.size() < Event::kMaxPrefixes) out.push_back(format_prefix(p));
    return out;
  };
  const std::string_view change = count > w.old_count   ? "grew"
                                  : count < w.old_count ? "shrank"
                                                        : "moved";
  e.fields.push_back({"change", std::string(change)});
  e.fields.push_back({"old_prefix_count", static_cast<std::int64_t>(w.old_count)});
  e.fields.push_back({"old_origin_prefix_count", static_cast<std::int64_t>(w.old_origin_count)});
  e.fields.push_back({"added", texts(w.toggles.of(true))});
  e.fields.push_back({"removed", texts(w.toggles.of(false))});
  e.fields.push_back({"since", w.opened});
  e.fields.push_back({"peer_count", static_cast<std::int64_t>(now.peer_count)});
  if (now.sampled) e.fields.push_back({"peers_sampled", true});
  e.rule = "the set of the origin's prefixes behind this upstream changed";
  e.summary =
      fmt::format("AS{} behind AS{} {}: {} of {}, {} before; now {}", r.origin, r.upstream, change,
                  count, count_of(e.origin_prefix_count.value_or(0), "prefix", "prefixes"),
                  w.old_count, join_prefixes(e.prefixes, count));
  host_->emit(std::move(e));
}

void NewUpstream::flush_windows() {
  std::vector<std::uint32_t> pending;
  for (const auto& [adjacency, window] : windows_) pending.push_back(adjacency);
  std::sort(pending.begin(), pending.end(), [&](std::uint32_t a, std::uint32_t b) {
    const AdjacencyRecord &x = knowledge_[a], &y = knowledge_[b];
    return std::tuple(windows_.at(a).due, x.origin, x.upstream) <
           std::tuple(windows_.at(b).due, y.origin, y.upstream);
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
  if (loud(r)) return true;
  const Timestamp now = host_->now();
  // A minute in which something was folded ends by its timer, with a report.
  if (!storm_.running ||
      (storm_.folded_total() == 0 && now - storm_.began >= std::chrono::minutes(1))) {
    storm_ = Storm{};
    storm_.running = true;
    storm_.began = now;
  }
  if (storm_.emitted < settings_.storm_limit) {
    ++storm_.emitted;
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
  store_storm();
  return false;
}

void NewUpstream::end_storm_minute() {
  const Storm ended = std::exchange(storm_, Storm{});
  const std::uint32_t total = ended.folded_total();
  if (total == 0) return;
  host_->cancel_timer(kStormTimer);
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
  e.rule = fmt::format("more than {} events in a minute for origins that are not watched",
                       settings_.storm_limit);
  e.summary =
      fmt::format("{} folded since {}: {} share, {} gone, {} returned, {} single-homed, {} flap",
                  count_of(total, "upstream event", "upstream events"), format_rfc3339(ended.began),
                  ended.folded[kShare], ended.folded[kGone], ended.folded[kReturned],
                  ended.folded[kSingleHomed], ended.folded[kFlap]);
  host_->emit(std::move(e));
}

}  // namespace lapwing::detectors
