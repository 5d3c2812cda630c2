#include "detectors/prefix_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kPairFormat = 3;  // 2: without the matter
constexpr std::uint8_t kWithoutStanding = 1;  // format: what was raised may stand
constexpr std::uint8_t kPairRaised = 1, kPairStanding = 2, kPairJoined = 4;

}  // namespace

std::unique_ptr<Detector> make_prefix_watch(Settings&) { return std::make_unique<PrefixWatch>(); }

void PrefixWatch::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
  origins_.attach(host);
}

/// nullopt: no route, or of nothing that is watched.
std::optional<PrefixWatch::Pair> PrefixWatch::pair_of(PathId path, const RouteChange& change,
                                                      const Nlri& nlri) {
  if (path == kNoPath) return std::nullopt;
  const Asn origin = origins_.origin(path, change.peer);
  if (!watch_.prefix(change.prefix) && !watch_.origin(origin)) return std::nullopt;
  return Pair{nlri, origin};
}

PrefixWatch::Matter PrefixWatch::matter_of(const Pair& pair) const {
  return {watch_.covering_shorter(pair.nlri.prefix), pair.origin};
}

/// Who else comes to originate a watched prefix is `origin-change`'s matter.
bool PrefixWatch::is_news(const Pair& pair) const {
  if (watch_.origin(pair.origin) || watch_.covering_shorter(pair.nlri.prefix)) return true;
  for (auto it = known_.lower_bound({pair.nlri, 0});
       it != known_.end() && it->first.nlri == pair.nlri; ++it) {
    const Asn other = it->first.origin;
    if (it->second.seen && other != pair.origin &&
        (other != PathOrigins::kNone || pair.origin == PathOrigins::kNone))
      return false;
  }
  return true;
}

/// True if the AS also originates the watched prefix itself, or is watched: its own traffic
/// engineering, not another's hand.
bool PrefixWatch::expected(const Matter& m, const Nlri& nlri) const {
  if (watch_.names(m.origin)) return true;
  if (!m.within || m.origin == PathOrigins::kNone) return false;
  Pair whole{nlri, m.origin};
  whole.nlri.prefix = *m.within;
  const auto it = known_.find(whole);
  if (it == known_.end() || !it->second.seen || it->second.joined) return false;
  // What was not expected there is not so within.
  return !it->second.raised || expected(matter_of(whole), whole.nlri);
}

void PrefixWatch::on_route_change(const RouteChange& change) {
  const bool covered = watch_.prefix(change.prefix);
  if (!covered && !watch_.any_origin()) return;
  const Asn old_origin = origins_.origin(change.before, change.peer);
  const Asn new_origin = origins_.origin(change.after, change.peer);
  if (old_origin == new_origin && change.before != kNoPath && change.after != kNoPath) return;
  if (!covered && !watch_.origin(old_origin) && !watch_.origin(new_origin)) return;
  const Nlri nlri = without_path_id(host_->nlri(change.prefix));
  if (const auto pair = pair_of(change.before, change, nlri)) note(*pair, change, false);
  if (const auto pair = pair_of(change.after, change, nlri)) note(*pair, change, true);
}

void PrefixWatch::note(const Pair& pair, const RouteChange& change, bool added) {
  auto it = known_.find(pair);
  if (it == known_.end()) {
    if (!added || known_.size() >= kMaxKnown) return;
    it = known_.emplace(pair, Known{}).first;
  }
  Known& known = it->second;
  const auto [touch, fresh] = touched_.try_emplace(pair);
  Touch& t = touch->second;
  if (fresh) t.routes_before = known.routes;
  if (added && host_->counts_witnesses())
    if (const Matter m = known.standing ? known.in : matter_of(pair);
        standing_.find(m) != nullptr)
      host_->add_witness(incident_of(m), type_of(m), change.peer);
  if (added)
    ++known.routes;
  else if (known.routes != 0)
    --known.routes;
  t.said = t.said || !change.peer_removed;
  if (change.peer_removed) known.lost_with = change.peer;
  if (change.baseline && (added || change.peer_removed)) return;
  t.live = t.live || !change.baseline;
  t.cause = change.cause;
  merge_last_known(t.last_known, change);
  if (t.evidence) return;
  t.peer = host_->peer(change.peer).name;
  t.evidence = make_evidence(*host_, change);
}

void PrefixWatch::on_update_end() {
  if (touched_.empty()) return;
  std::map<Matter, std::vector<Pair>> appeared, went;
  for (const auto& [pair, touch] : touched_) {
    Known& known = known_.at(pair);
    const bool came = touch.routes_before == 0 && known.routes != 0;
    const bool left = touch.routes_before != 0 && known.routes == 0;
    if (came && !known.seen) {
      known.seen = true;
      known.raised = known.standing = touch.live && is_news(pair);
      known.joined = touch.live && !known.raised;
      known.times = known.raised ? 1 : 0;
      known.in = matter_of(pair);
      if (known.raised) appeared[known.in].push_back(pair);
      store(pair, known);
    } else if (came && known.raised && touch.live) {
      ++known.times;
      known.standing = true;
      known.in = matter_of(pair);
      appeared[known.in].push_back(pair);
      store(pair, known);
    } else if (left && known.standing && touch.said) {
      known.standing = false;
      went[known.in].push_back(pair);
      store(pair, known);
    }
  }
  for (const auto& [matter, pairs] : appeared) report(matter, pairs, News::kAppeared);
  for (const auto& [matter, pairs] : went) report(matter, pairs, News::kLeft);
  touched_.clear();
}

std::string_view PrefixWatch::type_of(const Matter& m) {
  return m.within ? "more-specific" : "new-prefix";
}

std::vector<std::uint64_t> PrefixWatch::parts_of(const Matter& m) {
  std::vector<std::uint64_t> parts{m.origin};
  append_id_parts(parts, Nlri{{}, 0, m.within.value_or(Prefix{}), false, 0});
  return parts;
}

EventId PrefixWatch::incident_of(const Matter& m) { return make_event_id(type_of(m), parts_of(m)); }

void PrefixWatch::report(const Matter& m, const std::vector<Pair>& pairs, News news) {
  const bool appeared = news == News::kAppeared;
  const Timestamp now = host_->now();
  const bool first = standing_.find(m) == nullptr;
  std::optional<Timestamp> entered;
  for (const Pair& pair : pairs) {
    if (appeared) {
      standing_.enter(m, pair.nlri, now);
    } else if (const auto since = standing_.leave(m, pair.nlri)) {
      if (!entered || *since < *entered) entered = since;
    }
  }
  const auto* matter = standing_.find(m);
  if (matter == nullptr || (!appeared && !entered)) return;
  const std::size_t standing = matter->inside.size();
  const std::string_view type = type_of(m);
  const bool own = expected(m, pairs.front().nlri);

  Event e;
  std::vector<std::uint64_t> parts = parts_of(m);
  e.incident = incident_of(m);
  parts.push_back(appeared ? 1 : 0);
  parts.push_back(id_part(now));
  append_id_parts(parts, pairs.front().nlri);
  e.id = make_event_id(type, parts);
  e.type = type;
  e.action = appeared ? (first ? Action::kRaise : Action::kUpdate)
                      : (standing == 0 ? Action::kClear : Action::kUpdate);
  e.severity = !appeared || own ? Severity::kNotice : Severity::kError;
  e.time = now;
  if (!appeared) e.ends = type;
  if (m.origin != PathOrigins::kNone) e.origin_as = m.origin;
  std::set<std::string> peers;
  for (const Pair& pair : pairs) {
    insert_bounded(e.prefixes, pair.nlri.prefix, Event::kMaxPrefixes);
    if (news == News::kLeftUnseen || news == News::kUnwatched) continue;
    const Touch& t = touched_.at(pair);
    e.cause = t.cause;
    peers.insert(t.peer);
    if (t.last_known && (!e.changed_between || *t.last_known < e.changed_between->from))
      e.changed_between = TimeRange{*t.last_known, now};
    if (t.evidence && e.evidence.size() < Event::kMaxEvidence) e.evidence.push_back(*t.evidence);
  }
  e.prefix_count = static_cast<std::uint32_t>(pairs.size());
  e.peers.assign(peers.begin(), peers.end());
  if (m.within) e.fields.push_back({"within", format_prefix(*m.within)});
  e.fields.push_back({"expected_origin", own});
  e.fields.push_back({"standing", static_cast<std::int64_t>(standing)});
  std::uint32_t most = 0;
  std::size_t again = 0;  // of the pairs
  for (const Pair& pair : pairs) {
    const std::uint32_t times = known_.at(pair).times;
    most = std::max(most, times);
    if (times > 1) ++again;
  }
  if (appeared) e.fields.push_back({"times", std::int64_t{most}});
  if (!appeared) e.fields.push_back({"duration_seconds", whole_seconds(now - *entered)});
  if (news == News::kUnwatched)
    e.rule = "what had appeared is not watched any more";
  else if (news == News::kLeftUnseen)
    e.rule = "no neighbour has a route any more of a prefix that had appeared";
  else if (!appeared)
    e.rule = "the last route of a prefix that had appeared is gone";
  else
    e.rule = rule_of(m, own, again, pairs.size());
  const std::string how = news == News::kUnwatched ? "no longer watched, announced"
                          : !appeared              ? "no longer announced"
                          : again == 0            ? "newly announced"
                          : again == pairs.size() ? "announced again"
                                                  : fmt::format("announced ({} of {} again)", again,
                                                                pairs.size());
  e.summary = fmt::format("{} {} by {}", join_prefixes(e.prefixes, e.prefix_count), how,
                          m.origin == PathOrigins::kNone
                              ? std::string("an origin that cannot be told")
                              : fmt::format("AS{}", m.origin));
  if (m.within)
    e.summary += fmt::format(", within {}", format_prefix(*m.within));
  else if (!watch_.origin(m.origin))
    e.summary += e.prefix_count == 1 ? ", a watched prefix" : ", watched prefixes";
  if (!e.peers.empty()) e.summary += fmt::format(", seen by {}", join_names(e.peers, e.peers.size()));
  standing_.forget_if_empty(m);
  host_->emit(std::move(e));
}

/// Why it was raised. `again` of `all` prefixes were there before.
std::string PrefixWatch::rule_of(const Matter& m, bool own, std::size_t again,
                                 std::size_t all) const {
  if (m.origin == PathOrigins::kNone)
    return fmt::format("a {} whose path does not tell the origin: it is empty or ends in an AS_SET "
                       "or AS_TRANS",
                       m.within ? "prefix within a watched one" : "watched prefix");
  if (!m.within && !watch_.origin(m.origin))
    return again == all
               ? "a watched prefix that no AS was known to originate before this one is back"
               : "a watched prefix that no AS was known to originate before";
  const std::string_view what =
      m.within ? " within a watched one that this AS" : " that this watched origin";
  std::string rule = again == 0     ? fmt::format("a prefix{} never had before", what)
                     : again == all ? fmt::format("a prefix{} had before is back", what)
                                    : fmt::format("several prefixes{} has, some for the first time",
                                                  what);
  if (m.within && !own) rule += "; it does not originate the watched one";
  return rule;
}

/// Key: prefix | origin. Value: format | flags | times | when | 1 and the prefix around it, or 0.
void PrefixWatch::store(const Pair& pair, const Known& known) {
  std::string key, value;
  put_nlri(key, pair.nlri);
  put_u32(key, pair.origin);
  put_u8(value, kPairFormat);
  put_u8(value, static_cast<std::uint8_t>((known.raised ? kPairRaised : 0) |
                                          (known.standing ? kPairStanding : 0) |
                                          (known.joined ? kPairJoined : 0)));
  put_u32(value, known.times);
  put_time(value, host_->now());
  put_u8(value, known.in.within ? 1 : 0);
  if (known.in.within) put_nlri(value, Nlri{{}, 0, *known.in.within, false, 0});
  host_->put_state(key, value);
}

void PrefixWatch::restore_state(std::string_view key, std::string_view value) {
  StateReader k(key), v(value);
  Pair pair;
  pair.nlri = k.nlri();
  pair.origin = k.u32();
  const std::uint8_t format = v.u8(), flags = v.u8();
  Known known;
  known.seen = true;
  known.raised = (flags & kPairRaised) != 0;
  known.standing = (flags & kPairStanding) != 0;
  known.joined = (flags & kPairJoined) != 0;
  known.times = v.u32();
  const Timestamp since = v.time();
  known.in = matter_of(pair);
  if (format == kPairFormat) {
    known.in.within.reset();
    if (v.u8() != 0) known.in.within = v.nlri().prefix;
  }
  const bool format_known = format != 0 && format <= kPairFormat;
  if (!format_known || !k.at_end() || !v.at_end())
    throw std::runtime_error("prefix-watch: stored state is damaged or of a newer format");
  if (format == kWithoutStanding) known.standing = known.raised;
  known_.emplace(pair, known);
  if (known.standing) standing_.restore(known.in, pair.nlri, since, since);
}

void PrefixWatch::restore_route(const RouteView& route) {
  RouteChange change;
  change.peer = route.peer;
  change.prefix = route.prefix;
  const Nlri nlri = without_path_id(host_->nlri(route.prefix));
  if (const auto pair = pair_of(route.path, change, nlri)) {
    Known& known = known_[*pair];
    ++known.routes;
    if (known.seen) return;
    known.seen = true;  // switched on, or watched, after it was stored: it teaches
    store(*pair, known);
  }
}

void PrefixWatch::start_up() { end_unheard(nullptr); }

void PrefixWatch::on_peer_change(const PeerChange& change) {
  if (change.event == PeerEvent::kBaselineDone) end_unheard(&change);
}

/// What stands ends now if it left while the detector was off; or, `table` being complete, if it was
/// dropped because that neighbour began anew, and the table does not show it.
void PrefixWatch::end_unheard(const PeerChange* table) {
  std::map<Matter, std::vector<Pair>> went, unwatched;
  for (auto& [pair, known] : known_) {
    if (!known.standing || known.routes != 0) continue;
    if (table != nullptr && (known.lost_with != table->peer || pair.nlri.family != table->family))
      continue;
    known.standing = false;
    (is_watched(pair) ? went : unwatched)[known.in].push_back(pair);
    store(pair, known);
  }
  for (const auto& [matter, pairs] : went) report(matter, pairs, News::kLeftUnseen);
  for (const auto& [matter, pairs] : unwatched) report(matter, pairs, News::kUnwatched);
}

bool PrefixWatch::is_watched(const Pair& pair) const {
  return watch_.covering(pair.nlri.prefix) || watch_.origin(pair.origin);
}

void PrefixWatch::path_released(PathId path) {
  origins_.path_released(path);
  watch_.path_released(path);
}

}  // namespace lapwing::detectors
