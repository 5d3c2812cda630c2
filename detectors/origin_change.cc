#include "detectors/origin_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "detectors/event_text.h"
#include "detectors/evidence.h"
#include "lapwing/sort_unique.h"

namespace lapwing::detectors {
std::unique_ptr<Detector> make_origin_change(Settings& settings) {
  OriginChangeSettings s;
  s.all = scope_setting(settings, true);
  s.window = settings.duration("window", s.window, 1, 86400);
  s.quiet = settings.duration("quiet", s.quiet, 0, 86400);
  return std::make_unique<OriginChange>(s);
}

void OriginChange::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
  origins_.attach(host);
  groups_.attach(host);
  if (host.keeps_state()) past_.keep_track();
}

void OriginChange::on_route_change(const RouteChange& change) {
  if (change.before == kNoPath) groups_.note(change.prefix);
  const bool says_nothing = change.before == kNoPath || change.peer_removed;
  if (change.baseline && says_nothing && matter_of_.empty() && flapping_.empty()) return;
  const Asn before = origins_.origin(change.before, change.peer);
  const Asn after = origins_.origin(change.after, change.peer);
  if (before == after) return;
  // By another path identifier of the same UPDATE, or of the same exchange of identifiers.
  const bool stays = after != PathOrigins::kNone && !leaving_.empty() &&
                     leaving_.erase({prefix_of(change), after}) != 0;
  if (unheard_ != 0 && after != PathOrigins::kNone) hear({prefix_of(change), after});
  if (after != PathOrigins::kNone &&
      (host_->counts_witnesses() || !flapping_.empty() || !news_.empty()))
    add_witness({prefix_of(change), after}, change);
  // A first table is no news; but it may end what stands, and what leaves with it stays custom.
  if (change.baseline && (before == PathOrigins::kNone ||
                          (change.peer_removed && !minds({prefix_of(change), before}))))
    return;
  const bool wanted = settings_.all || watch_.change(change);
  if (!wanted && !minds({prefix_of(change), before})) return;
  // What the other routes for the prefix show; the one that changed stands in the table already.
  std::vector<Asn>& others = others_;
  others.clear();
  bool after_shown = stays || after == PathOrigins::kNone;
  bool before_shown = before == PathOrigins::kNone;
  groups_.for_each_route(change.prefix, [&](const RouteView& route) {
    if (route.peer == change.peer && route.prefix == change.prefix) return true;
    const Asn as = origins_.origin(route.path, route.peer);
    if (as != PathOrigins::kNone) others.push_back(as);
    after_shown = after_shown || as == after;
    before_shown = before_shown || as == before;
    return !after_shown || !before_shown;
  });
  if (after_shown && before_shown) return;  // no origin came, none went
  sort_unique(others);
  const Nlri nlri = prefix_of(change);
  if (wanted && !change.baseline && !after_shown) {
    const std::optional<PastOrigins::Past> past = past_.take(nlri, after);
    const bool raised = past && past->raised;
    const std::uint32_t times = past ? past->times : 0;
    const std::optional<Asn> from = before != PathOrigins::kNone ? std::optional(before)
                                    : !others.empty()            ? std::optional(others.front())
                                                                 : last_origin(nlri);
    if (raised && times >= kFlapTimes && host_->now() - past->left < settings_.quiet) {
      Flapping f;
      f.times = times + 1;
      f.from = from.value_or(after);
      f.until = host_->now() + settings_.quiet;
      note_arrival(f.news, nlri, change, f.times);
      begin_flapping({nlri, after}, std::move(f));
    } else if (from && *from != after && (!past || raised)) {
      arrived(nlri, *from, after, change, times + 1);
    }
  }
  if (before_shown) return;
  const auto matter = matter_of_.find({nlri, before});
  if (!change.peer_removed || matter == matter_of_.end()) {
    if (host_->has_path_id(change.prefix))
      leaving_.insert_or_assign({nlri, before}, change);
    else
      departed({nlri, before}, change);
    // Its next origin is judged by this. Of prefixes that nobody has any more a second later is soon
    // enough if they are many: they may be all that there are.
    store_past_now_ = store_past_now_ || change.after != kNoPath || !others_.empty();
    return;
  }
  matter->second.shown = false;  // nobody said that it is gone
  matter->second.lost_with = change.peer;
  ++unheard_;
}

void OriginChange::add_witness(const Claim& claim, const RouteChange& change) {
  if (const auto matter = matter_of_.find(claim); matter != matter_of_.end()) {
    if (host_->counts_witnesses())
      host_->add_witness(incident_of(matter->second.key), "origin-change", change.peer);
    const auto news = news_.find(matter->second.key);
    if (news != news_.end() && witness_arrival(news->second, claim.first, change))
      store(matter->second.key, claim.first);
  }
  if (const auto flaps = flapping_.find(claim);
      flaps != flapping_.end() && witness_arrival(flaps->second.news, claim.first, change))
    store_flapping(claim, flaps->second);
}

EventId OriginChange::incident_of(const Key& key) {
  const std::uint64_t parts[] = {key.from, key.to};
  return make_event_id("origin-change incident", parts);
}

bool OriginChange::minds(const Claim& claim) const {
  return matter_of_.contains(claim) || flapping_.contains(claim);
}

Nlri OriginChange::prefix_of(const RouteChange& change) const {
  return without_path_id(host_->nlri(change.prefix));
}

void OriginChange::hear(const Claim& claim) {
  const auto matter = matter_of_.find(claim);
  if (matter == matter_of_.end() || matter->second.shown) return;
  matter->second.shown = true;
  --unheard_;
}

void OriginChange::arrived(const Nlri& nlri, Asn from, Asn to, const RouteChange& change,
                           std::uint32_t times) {
  const Key key{from, to};
  if (!enter(key, nlri, times)) return;
  News& news = news_[key];
  note_arrival(news, nlri, change, times);
  store(key, nlri);
  if (!news.first) host_->add_witness(incident_of(key), "origin-change", change.peer);
}

/// False: it stands already, or there is no more room.
bool OriginChange::enter(const Key& key, const Nlri& nlri, std::uint32_t times) {
  const bool first = standing_.find(key) == nullptr;
  if (matter_of_.contains({nlri, key.to}) || !standing_.enter(key, nlri, host_->now()))
    return false;
  matter_of_.emplace(Claim(nlri, key.to), Standing{key, times});
  News& news = news_[key];
  news.first = news.first || first;
  if (!news.first && news.due == Timestamp{}) news.due = host_->now() + settings_.window;
  return true;
}

void OriginChange::note_arrival(News& news, const Nlri& nlri, const RouteChange& change,
                                std::uint32_t times) {
  gather(news, nlri, change);
  const bool watched = watch_.change(change);
  if (news.arrivals.size() == kMaxPrefixes) {
    news.more_watched = news.more_watched || watched;
    return;
  }
  Arrival& arrival = news.arrivals[nlri];
  arrival.times = times;
  arrival.watched = arrival.watched || watched;
}

/// Of what waits to be told: another neighbour shows it. True: by what it shows it is watched, and was
/// not before.
bool OriginChange::witness_arrival(News& news, const Nlri& nlri, const RouteChange& change) {
  const auto arrival = news.arrivals.find(nlri);
  if (arrival == news.arrivals.end()) return false;
  gather(news, nlri, change);
  if (arrival->second.watched) return false;
  return arrival->second.watched = watch_.change(change);
}

/// The one that left it last.
std::optional<Asn> OriginChange::last_origin(const Nlri& nlri) {
  const auto now = leaving_.lower_bound({nlri, 0});
  if (now != leaving_.end() && now->first.first == nlri) return now->first.second;
  return past_.last_origin(nlri);
}

void OriginChange::departed(const Claim& claim, const RouteChange& change) {
  const auto& [nlri, origin] = claim;
  if (const auto flaps = flapping_.find(claim); flaps != flapping_.end())
    return end_flapping(flaps);
  const auto matter = matter_of_.find(claim);
  const bool raised = matter != matter_of_.end();
  past_.remember(nlri, origin, {host_->now(), raised ? matter->second.times : 0, raised});
  if (!raised) return;
  Gone& gone = gone_[matter->second.key];
  matter_of_.erase(matter);
  gather(gone.news, nlri, change);
  gone.nlri.push_back(nlri);
}

void OriginChange::begin_flapping(const Claim& claim, Flapping&& flapping) {
  const auto [at, fresh] = flapping_.try_emplace(claim, std::move(flapping));
  if (!fresh) return;
  await_end(claim, at->second);
  store_flapping(claim, at->second);
}

void OriginChange::await_end(const Claim& claim, Flapping& flapping) {
  flapping.timer = next_timer_++;
  claim_by_timer_.emplace(flapping.timer, claim);
  host_->set_timer(flapping.timer, flapping.until);
}

/// It has left again.
void OriginChange::end_flapping(ByClaim<Flapping>::iterator at) {
  const auto& [claim, flapping] = *at;
  past_.remember(claim.first, claim.second, {host_->now(), flapping.times, true});
  host_->cancel_timer(flapping.timer);
  claim_by_timer_.erase(flapping.timer);
  erase_flapping(claim);
  flapping_.erase(at);
}

/// It stays.
void OriginChange::tell_flapping(const Claim& claim) {
  const auto at = flapping_.find(claim);
  host_->cancel_timer(at->second.timer);
  claim_by_timer_.erase(at->second.timer);
  Flapping flapping = std::move(at->second);
  flapping_.erase(at);
  erase_flapping(claim);
  const auto& [nlri, to] = claim;
  const Others others = others_of(to, flapping.news);
  const Key key{others.origins.empty() ? flapping.from : *others.origins.begin(), to};
  if (key.from == to || !enter(key, nlri, flapping.times)) return;
  News& news = news_[key];
  insert_bounded(news.prefixes, nlri.prefix, kMaxPrefixes);
  news.arrivals.merge(flapping.news.arrivals);
  news.by.add(flapping.news.by);
  store(key, nlri);
}

void OriginChange::gather(News& news, const Nlri& nlri, const RouteChange& change) {
  if (insert_overflows(news.prefixes, nlri.prefix, kMaxPrefixes)) news.more_prefixes = true;
  news.by.add(*host_, change);
}

void OriginChange::on_update_end() {
  for (const auto& [claim, change] : std::exchange(leaving_, {})) departed(claim, change);
  for (auto it = news_.begin(); it != news_.end();) {
    auto& [key, news] = *it;
    if (news.timer != 0) {
      ++it;
      continue;
    }
    if (!news.first) {
      await_news(key, news);
      ++it;
      continue;
    }
    raise(key, news, Action::kRaise);
    it = news_.erase(it);
  }
  for (auto& [key, gone] : gone_) clear(key, gone);
  gone_.clear();
  if (store_past_now_ || (past_.changed() && may_store_past()))
    store_past();
  else if (past_.changed() && !std::exchange(store_past_later_, true))
    host_->set_timer(kStoreTimer, host_->now() + std::chrono::seconds(1));
}

/// Where prefixes leave by the hundred thousand they are stored together, a second later.
bool OriginChange::may_store_past() {
  constexpr std::uint32_t kMost = 64;
  const auto second = std::chrono::floor<std::chrono::seconds>(host_->now());
  if (std::exchange(past_second_, second) != second) past_stores_ = 0;
  return past_stores_++ < kMost;
}

void OriginChange::await_news(const Key& key, News& news) {
  news.timer = next_timer_++;
  by_timer_[news.timer] = key;
  host_->set_timer(news.timer, news.due);
}

void OriginChange::on_timer(std::uint64_t timer) {
  if (timer == kStoreTimer) {
    store_past_later_ = false;
    return store_past();
  }
  if (const auto named = claim_by_timer_.find(timer); named != claim_by_timer_.end()) {
    const Timestamp until = flapping_.at(named->second).until;
    std::vector<Claim> stay;
    for (const auto& [number, claim] : claim_by_timer_)
      if (flapping_.at(claim).until == until) stay.push_back(claim);
    std::sort(stay.begin(), stay.end());
    for (const Claim& claim : stay) tell_flapping(claim);
    return on_update_end();
  }
  const auto it = by_timer_.find(timer);
  if (it == by_timer_.end()) return;
  const Key key = it->second;
  by_timer_.erase(it);
  News news = std::move(news_.at(key));
  news_.erase(key);
  if (standing_.find(key) == nullptr) return;
  raise(key, news, Action::kUpdate);
  for (const auto& [nlri, arrival] : news.arrivals) store(key, nlri);
}

void OriginChange::finish() {
  while (!by_timer_.empty()) {
    const std::uint64_t timer = by_timer_.begin()->first;
    host_->cancel_timer(timer);
    on_timer(timer);
  }
}

/// `of`: the first prefix that it tells of, since two UPDATEs may have one time.
Event OriginChange::make_event(const Key& key, Action action, Timestamp since,
                               const Prefix& of) const {
  Event e;
  std::vector<std::uint64_t> parts{key.from, key.to};
  e.incident = incident_of(key);
  for (const std::uint64_t part : {static_cast<std::uint64_t>(action), id_part(since),
                                   id_part(host_->now())})
    parts.push_back(part);
  append_id_parts(parts, Nlri{{}, 0, of, false, 0});
  e.id = make_event_id("origin-change", parts);
  e.type = "origin-change";
  e.action = action;
  e.time = host_->now();
  e.origin_as = key.to;
  return e;
}

void OriginChange::fill(Event& e, const News& news) const {
  e.prefix_count = static_cast<std::uint32_t>(news.prefixes.size());
  e.prefixes = news.prefixes;
  if (e.prefixes.size() > Event::kMaxPrefixes) e.prefixes.resize(Event::kMaxPrefixes);
  news.by.put_into(e, host_->now());
  if (news.more_prefixes) e.fields.push_back({"more_prefixes", true});
}

void OriginChange::raise(const Key& key, News& news, Action action) {
  const auto* matter = standing_.find(key);
  Event e = make_event(key, action, matter->since, news.prefixes.front());
  fill(e, news);
  const bool watched = news.more_watched || std::ranges::any_of(news.arrivals, [](const auto& a) {
                         return a.second.watched;
                       });
  e.severity = watched ? Severity::kWarning : Severity::kNotice;
  const Others others = others_of(key.to, news);
  std::vector<Asn> origins(others.origins.begin(), others.origins.end());
  insert_bounded(origins, key.to, origins.size() + 1);
  std::uint32_t most = 1, least = news.arrivals.begin()->second.times;
  for (const auto& [nlri, arrival] : news.arrivals) {
    most = std::max(most, arrival.times);
    least = std::min(least, arrival.times);
  }
  e.fields.push_back({"old_origin", std::int64_t{key.from}});
  e.fields.push_back({"moas", others.prefixes == news.arrivals.size()});
  e.fields.push_back({"origins", std::move(origins)});
  e.fields.push_back({"standing", static_cast<std::int64_t>(matter->inside.size())});
  e.fields.push_back({"times", std::int64_t{most}});
  e.rule = least > 1 ? "an AS originates a prefix again that it had left"
                     : "an AS originates a prefix that no neighbour showed it to originate before";
  if (least == 1 && most > 1) e.rule += ", and others again that it had left";
  e.summary = summary_of(key, e, news, others);
  host_->emit(std::move(e));
}

/// As the routes are now: an origin may have left since the prefix came.
OriginChange::Others OriginChange::others_of(Asn to, const News& news) {
  Others all;
  std::set<Asn> own;
  const auto look = [&](const RouteView& route) {
    const Asn as = origins_.origin(route.path, route.peer);
    if (as != PathOrigins::kNone && as != to) own.insert(as);
    return true;
  };
  for (const auto& [nlri, arrival] : news.arrivals) {
    own.clear();
    groups_.for_each_route(nlri, look);
    if (own.empty()) continue;
    all.alike = all.alike && (all.prefixes == 0 || own == all.origins);
    ++all.prefixes;
    all.origins.insert(own.begin(), own.end());
  }
  return all;
}

std::string OriginChange::summary_of(const Key& key, const Event& e, const News& news,
                                     const Others& others) const {
  const std::size_t all = news.arrivals.size();
  std::size_t again = 0;
  for (const auto& [nlri, arrival] : news.arrivals) again += arrival.times > 1 ? 1 : 0;
  std::string text = fmt::format("{} originated by AS{}",
                                 join_prefixes(e.prefixes, e.prefix_count), key.to);
  if (again == all)
    text += " again";
  else if (again != 0)
    text += fmt::format(" ({} of {} again)", again, all);
  if (others.prefixes != all) text += fmt::format(", before that by AS{}", key.from);
  if (others.prefixes != 0) {
    std::vector<std::string> names;
    for (const Asn as : others.origins) names.push_back(fmt::format("AS{}", as));
    const std::string_view any_of = others.alike ? "" : "at least one of ";
    const ShortText by = join_names(names, names.size());
    text += others.prefixes == all
                ? fmt::format(", and still by {}{}", any_of, by)
                : fmt::format(", {} of {} still by {}{}", others.prefixes, all, any_of, by);
  }
  return text + fmt::format("; seen by {}", join_names(e.peers, e.peers.size()));
}

void OriginChange::clear(const Key& key, Gone& gone) {
  const auto* matter = standing_.find(key);
  if (matter == nullptr) return;
  const Timestamp since = matter->since;
  std::map<Nlri, Timestamp> entered;
  for (const Nlri& nlri : gone.nlri) {
    if (const auto left = standing_.leave(key, nlri)) entered.emplace(nlri, *left);
    store(key, nlri);
  }
  const std::size_t standing = matter->inside.size();
  leave_news(key, standing, gone, entered);
  if (entered.empty()) return;
  Timestamp first = Timestamp::max();
  for (const auto& [nlri, time] : entered) first = std::min(first, time);
  Event e = make_event(key, standing == 0 ? Action::kClear : Action::kUpdate, since,
                       gone.news.prefixes.front());
  if (e.action == Action::kUpdate) {
    // Not the id of further prefixes that are told in the same moment.
    std::vector<std::uint64_t> parts(e.id.bytes.begin(), e.id.bytes.end());
    e.id = make_event_id("origin-change left", parts);
    e.ends = e.type;
  }
  fill(e, gone.news);
  e.severity = Severity::kNotice;
  const microseconds duration = host_->now() - first;
  e.fields.push_back({"old_origin", std::int64_t{key.from}});
  e.fields.push_back({"standing", static_cast<std::int64_t>(standing)});
  e.fields.push_back({"duration_seconds", whole_seconds(duration)});
  e.rule = gone.unseen ? "no neighbour has a route any more that shows this origin"
                       : "the last route that showed this origin was withdrawn or changed";
  e.summary =
      fmt::format("{} no longer originated by AS{}, after {}",
                  join_prefixes(e.prefixes, e.prefix_count), key.to, format_duration(duration));
  standing_.forget_if_empty(key);
  host_->emit(std::move(e));
}

/// What has left is no news any more. While others stand, what was not told yet is not told to be
/// gone either: it is taken from `gone` and `entered`.
void OriginChange::leave_news(const Key& key, std::size_t standing, Gone& gone,
                              std::map<Nlri, Timestamp>& entered) {
  const auto waiting = news_.find(key);
  if (waiting == news_.end()) return;
  News& news = waiting->second;
  const auto forget = [](News& from, const Prefix& prefix) {
    std::erase(from.prefixes, prefix);
    std::erase_if(from.by.evidence, [&](const Evidence& s) { return s.prefix == prefix; });
  };
  for (const Nlri& nlri : gone.nlri) {
    forget(news, nlri.prefix);
    if (news.arrivals.erase(nlri) == 0 || standing == 0) continue;
    forget(gone.news, nlri.prefix);
    entered.erase(nlri);
  }
  if (standing != 0 && !news.prefixes.empty() && !news.arrivals.empty()) return;
  host_->cancel_timer(news.timer);
  by_timer_.erase(news.timer);
  news_.erase(waiting);
}

void OriginChange::on_peer_change(const PeerChange& change) {
  if (change.event == PeerEvent::kBaselineDone && unheard_ != 0) end_unheard(&change);
}

/// What stands ends now if it left while the detector was off; or, `table` being complete, if it was
/// dropped because that neighbour began anew, and the table does not show it.
void OriginChange::end_unheard(const PeerChange* table) {
  std::vector<Claim> left;
  for (const auto& [claim, standing] : matter_of_)
    if (!standing.shown && (table == nullptr || (standing.lost_with == table->peer &&
                                                 claim.first.family == table->family)))
      left.push_back(claim);
  std::sort(left.begin(), left.end());
  for (const Claim& claim : left) {
    const auto at = matter_of_.find(claim);
    Gone& gone = gone_[at->second.key];
    gone.unseen = true;
    gone.nlri.push_back(claim.first);
    if (insert_overflows(gone.news.prefixes, claim.first.prefix, kMaxPrefixes))
      gone.news.more_prefixes = true;
    matter_of_.erase(at);
    if (table != nullptr) --unheard_;
  }
  on_update_end();
}

void OriginChange::path_released(PathId path) {
  origins_.path_released(path);
  watch_.path_released(path);
}

void OriginChange::prefix_released(PrefixId prefix) {
  groups_.prefix_released(prefix);
  watch_.prefix_released(prefix);
}

}  // namespace lapwing::detectors
