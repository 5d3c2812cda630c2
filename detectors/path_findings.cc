#include "detectors/path_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

// 1: without what waits; 2: without since when it is gone
constexpr std::uint8_t kFindingFormat = 3;
constexpr std::uint8_t kFindingTaught = 1, kFindingRaised = 2, kFindingWaits = 4, kFindingGone = 8;

std::string key_of(const Finding& f) {
  std::string key;
  put_u8(key, f.kind);
  for (const Asn as : {f.as, f.left, f.right}) put_u32(key, as);
  return key;
}

}  // namespace

void PathFindings::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
}

PathFindings::Judged PathFindings::look_up(PathId path) {
  const std::optional<Finding> finding = judge(host_->path(path));
  if (!finding) return Judged::kNothing;
  auto known = number_of_.find(*finding);
  if (known == number_of_.end()) {
    if (numbers_.size() >= kMaxFindings) return Judged::kNothing;
    const auto number = static_cast<std::uint32_t>(numbers_.size());
    numbers_.push_back(&*findings_.emplace(*finding, State{}).first);
    known = number_of_.emplace(*finding, number).first;
  }
  found_[path] = known->second;
  return Judged::kFound;
}

PathFindings::Entry* PathFindings::finding_or_new(PathId path, PrefixId prefix) {
  Judged judged = by_path_[path];
  if (judged == Judged::kNotYet) by_path_.set(path, judged = look_up(path));
  if (judged == Judged::kNothing) return nullptr;
  if (!settings_.all && !watch_.path(path) && !watch_.prefix(prefix)) return nullptr;
  return numbers_[found_.at(path)];
}

void PathFindings::on_route_change(const RouteChange& change) {
  Entry* before = finding_of(change.before, change.prefix);
  Entry* after = finding_of(change.after, change.prefix);
  if (before == after) return;
  if (before != nullptr) {
    --before->second.routes;
    if (before->second.gathered != 0) left_again(before->second, change);
    // A first table that comes in place of what was kept says that this is gone, too.
    if (change.peer_removed) {
      before->second.lost_with = change.peer;
    } else {
      touched_.insert(before->first);
      if (before->second.raised) gather(before->second.went, change);
    }
  }
  if (after == nullptr) return;
  State& s = after->second;
  ++s.routes;
  if (s.raised && host_->counts_witnesses())
    host_->add_witness(incident_of(after->first), name(), change.peer);
  if (!change.baseline) {
    if (!s.taught) arrived(s, change);
    touched_.insert(after->first);
  } else if (s.raised) {
    touched_.insert(after->first);  // it may have been about to end
  } else if (!s.taught) {
    s.taught = true;
    if (s.first_seen == Timestamp{}) s.first_seen = host_->now();
    store(*after);
  }
}

void PathFindings::gather(Shown& shown, const RouteChange& change) const {
  if (insert_overflows(shown.prefixes, host_->prefix(change.prefix), kMaxPrefixes))
    shown.more_prefixes = true;
  shown.by.add(*host_, change);
}

void PathFindings::arrived(State& s, const RouteChange& change) const {
  ++s.gathered;
  gather(s.came, change);
  auto& routes = s.came.routes;
  const std::pair came(host_->prefix(change.prefix), change.peer);
  if (routes.size() == kMaxPrefixes) {
    if (came >= routes.back()) return;
    routes.pop_back();
  }
  routes.insert(std::ranges::upper_bound(routes, came), came);
}

/// What left within the window is no news at its end, unless it came by another route, too.
void PathFindings::left_again(State& s, const RouteChange& change) const {
  Shown& came = s.came;
  auto& routes = came.routes;
  const std::pair left(host_->prefix(change.prefix), change.peer);
  const auto at = std::ranges::lower_bound(routes, left);
  if (at == routes.end() || *at != left) return;
  const auto next = routes.erase(at);
  if (next != routes.end() && *next == left) return;  // by another path identifier
  const auto of_prefix =
      std::ranges::lower_bound(routes, left.first, {}, &std::pair<Prefix, PeerId>::first);
  if (of_prefix == routes.end() || of_prefix->first != left.first)
    std::erase(came.prefixes, left.first);
  const std::string& peer = host_->peer(left.second).name;
  std::erase_if(came.by.evidence, [&](const Evidence& e) {
    return e.prefix == left.first && e.peer.view() == peer;
  });
  if (std::ranges::none_of(routes, [&](const auto& r) { return r.second == left.second; }))
    std::erase(came.by.peers, peer);
}

void PathFindings::on_update_end() {
  for (const Finding& finding : touched_) decide(*findings_.find(finding));
  touched_.clear();
}

void PathFindings::decide(Entry& entry) {
  State& s = entry.second;
  if (s.taught) return;
  const Timestamp now = host_->now();
  if (s.routes == 0) {
    if (s.raised && !s.gone_due) {
      s.gone_at = now;
      s.gone_due = now + settings_.linger;
      store(entry);
      set_timer(entry);
    }
    return;
  }
  s.went = {};  // others show it still
  if (s.gone_due) {
    s.gone_due.reset();
    store(entry);
    set_timer(entry);
  }
  if (s.gathered == 0) return;
  if (s.raised) {
    if (s.window_due) {
      const std::size_t waiting = s.came.routes.size();
      const bool few = waiting <= kStoredAtOnce && waiting != s.stored;
      if (few || waiting >= 2 * s.stored) store(entry);
      return;
    }
    s.window_due = now + settings_.window;
    store(entry);
    return set_timer(entry);
  }
  if (s.first_seen == Timestamp{}) s.first_seen = now;
  s.raised = true;
  s.raised_at = now;
  ++s.times;
  emit(entry, Action::kRaise);
  store(entry);
}

/// One timer for each finding: the nearer of its two ends.
void PathFindings::set_timer(Entry& entry) {
  const std::uint64_t key = number_of_.at(entry.first);
  const State& s = entry.second;
  if (!s.window_due && !s.gone_due) return host_->cancel_timer(key);
  const Timestamp never = Timestamp::max();
  host_->set_timer(key, std::min(s.window_due.value_or(never), s.gone_due.value_or(never)));
}

void PathFindings::on_timer(std::uint64_t key) {
  if (key >= numbers_.size()) return;
  Entry& entry = *numbers_[key];
  State& s = entry.second;
  if (s.window_due && *s.window_due <= host_->now()) after_window(entry);
  if (s.gone_due && *s.gone_due <= host_->now()) after_gone(entry);
  set_timer(entry);
}

void PathFindings::after_window(Entry& entry) {
  State& s = entry.second;
  s.window_due.reset();
  if (!s.came.prefixes.empty()) emit(entry, Action::kUpdate);
  s.came = {};
  s.gathered = 0;
  store(entry);
}

void PathFindings::after_gone(Entry& entry) {
  State& s = entry.second;
  s.gone_due.reset();
  if (s.routes != 0) return;
  s.window_due.reset();
  s.raised = false;
  emit(entry, Action::kClear);
  store(entry);
}

void PathFindings::finish() {
  for (Entry& entry : findings_)
    if (entry.second.window_due) after_window(entry);
}

EventId PathFindings::incident_of(const Finding& f) const {
  const std::uint64_t parts[] = {f.kind, f.as, f.left, f.right};
  return make_event_id(std::string(name()) + " incident", parts);
}

void PathFindings::emit(Entry& entry, Action action) {
  State& s = entry.second;
  const Finding& f = entry.first;
  const Text text = describe(f);
  Event e;
  const std::uint64_t parts[] = {f.kind,  f.as,    f.left,
                                 f.right, s.times, static_cast<std::uint64_t>(action),
                                 action == Action::kUpdate ? id_part(host_->now()) : 0};
  e.id = make_event_id(name(), parts);
  e.incident = incident_of(f);
  e.type = name();
  e.action = action;
  e.severity = action == Action::kRaise ? Severity::kWarning : Severity::kNotice;
  e.time = action == Action::kClear ? s.gone_at : host_->now();
  const Shown& shown = action == Action::kClear ? s.went : s.came;
  e.prefix_count = static_cast<std::uint32_t>(shown.prefixes.size());
  e.prefixes = shown.prefixes;
  if (e.prefixes.size() > Event::kMaxPrefixes) e.prefixes.resize(Event::kMaxPrefixes);
  shown.by.put_into(e, e.time);
  e.fields = text.fields;
  e.fields.push_back({"routes", static_cast<std::int64_t>(s.routes)});
  e.fields.push_back({"times", std::int64_t{s.times}});
  if (shown.more_prefixes) e.fields.push_back({"more_prefixes", true});
  if (action == Action::kClear) {
    e.fields.push_back({"active_since", s.raised_at});
    e.fields.push_back({"duration_seconds", whole_seconds(s.gone_at - s.raised_at)});
  }
  e.rule = action == Action::kClear
               ? fmt::format("no route showed it for {} s", settings_.linger.count())
               : std::string(text.rule);
  e.summary = action == Action::kClear
                  ? fmt::format("ended after {}: {}", format_duration(s.gone_at - s.raised_at),
                                text.what)
                  : fmt::format("{}{}: {} ({}), seen by {}", text.what,
                                action == Action::kUpdate ? ", more routes" : "",
                                join_prefixes(e.prefixes, e.prefix_count),
                                count_of(s.routes, "route", "routes"),
                                join_names(e.peers, e.peers.size()));
  s.came = {};
  if (action == Action::kClear) s.went = {};
  s.gathered = 0;
  host_->emit(std::move(e));
}

/// format | flags | times | first seen | raised at | where flagged: since when no route shows it | where
/// flagged: what waits in a window.
void PathFindings::store(Entry& entry) {
  if (!host_->keeps_state()) return;
  State& s = entry.second;
  s.stored = s.came.routes.size();
  std::string value;
  put_u8(value, kFindingFormat);
  put_u8(value, static_cast<std::uint8_t>(
                    (s.taught ? kFindingTaught : 0) | (s.raised ? kFindingRaised : 0) |
                    (s.window_due ? kFindingWaits : 0) | (s.gone_due ? kFindingGone : 0)));
  put_u32(value, s.times);
  put_time(value, s.first_seen);
  put_time(value, s.raised_at);
  if (s.gone_due) put_time(value, s.gone_at);
  if (s.window_due) put_waiting(value, s);
  host_->put_state(key_of(entry.first), value);
}

/// End of the window | each route: neighbour, prefix.
void PathFindings::put_waiting(std::string& value, const State& s) const {
  put_time(value, *s.window_due);
  for (const auto& [prefix, peer] : s.came.routes) {
    put_text(value, host_->peer(peer).name);
    put_u8(value, static_cast<std::uint8_t>(prefix.address.version));
    put_octets(value, prefix.address.bytes);
    put_u8(value, prefix.length);
  }
}

void PathFindings::read_waiting(StateReader& in, State& s) {
  s.window_due = in.time();
  while (in.ok() && !in.at_end()) {
    std::string peer(in.text());
    Prefix prefix;
    prefix.address.version = static_cast<IpVersion>(in.u8());
    in.octets(prefix.address.bytes);
    prefix.length = in.u8();
    s.waited.emplace_back(prefix, std::move(peer));
  }
  std::ranges::sort(s.waited);
}

void PathFindings::restore_state(std::string_view key, std::string_view value) {
  StateReader k(key), v(value);
  Finding f;
  f.kind = k.u8();
  for (Asn* as : {&f.as, &f.left, &f.right}) *as = k.u32();
  const std::uint8_t format = v.u8();
  State s;
  const std::uint8_t flags = v.u8();
  s.taught = (flags & kFindingTaught) != 0;
  s.raised = (flags & kFindingRaised) != 0;
  s.times = v.u32();
  s.first_seen = v.time();
  s.raised_at = v.time();
  if ((flags & kFindingGone) != 0) {
    s.gone_at = v.time();
    s.gone_due = s.gone_at + settings_.linger;
  }
  if ((flags & kFindingWaits) != 0) read_waiting(v, s);
  if (format == 0 || format > kFindingFormat || !k.at_end() || !v.at_end())
    throw std::runtime_error(fmt::format("{}: stored state is damaged or of a newer format", name()));
  const auto number = static_cast<std::uint32_t>(numbers_.size());
  numbers_.push_back(&*findings_.emplace(f, std::move(s)).first);
  number_of_.emplace(f, number);
}

void PathFindings::restore_route(const RouteView& route) {
  Entry* const entry = finding_of(route.path, route.prefix);
  if (entry == nullptr) return;
  State& s = entry->second;
  ++s.routes;
  if (s.waited.empty()) return;
  const std::pair waits(host_->prefix(route.prefix), host_->peer(route.peer).name);
  if (!std::ranges::binary_search(s.waited, waits)) return;
  RouteChange shown;
  shown.peer = route.peer;
  shown.prefix = route.prefix;
  shown.after = route.path;
  arrived(s, shown);
}

void PathFindings::start_up() {
  for (Entry& entry : findings_) {
    State& s = entry.second;
    s.waited.clear();
    if (s.routes != 0) s.gone_due.reset();
    if (s.window_due || s.gone_due) set_timer(entry);
    // Routes without knowledge: switched on after they were stored. They teach.
    if (s.routes != 0 && !s.raised && !s.taught) {
      s.taught = true;
      s.first_seen = host_->now();
      store(entry);
    }
  }
  end_unheard(nullptr);
}

void PathFindings::on_peer_change(const PeerChange& change) {
  if (change.event == PeerEvent::kBaselineDone) end_unheard(&change);
}

/// What stands is about to end if it left while the detector was off; or, `table` being complete, if it
/// was dropped because that neighbour began anew, and the table does not show it.
void PathFindings::end_unheard(const PeerChange* table) {
  for (Entry& entry : findings_) {
    State& s = entry.second;
    if (s.routes != 0 || !s.raised || s.gone_due) continue;
    if (table != nullptr && s.lost_with != table->peer) continue;
    s.gone_at = host_->now();
    s.gone_due = host_->now() + settings_.linger;
    set_timer(entry);
  }
}

void PathFindings::path_released(PathId path) {
  if (by_path_[path] == Judged::kFound) found_.erase(path);
  by_path_.reset(path);
  watch_.path_released(path);
}

}  // namespace lapwing::detectors
