#include "detectors/path_change.h"

#include <algorithm>
#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

constexpr char kRaisedKey = 'a', kChildrenKey = 'c', kFoldKey = 'f', kTaughtKey = 't';

std::uint64_t key_of(Asn origin, Asn upstream) {
  return static_cast<std::uint64_t>(origin) << 32 | upstream;
}

}  // namespace

std::unique_ptr<Detector> make_path_change(Settings& settings) {
  PathChangeSettings s;
  s.window = settings.duration("window", s.window, 1, 3600);
  s.children = size_setting(settings, "children", s.children, 10, 100000);
  s.events_kept = size_setting(settings, "events-with-children", s.events_kept, 0, 1000);
  return std::make_unique<PathChange>(s);
}

void PathChange::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
  groups_.attach(host);
  known_.set_seed(seed_of(this));
}

void PathChange::restore_state(std::string_view key, std::string_view value) {
  StateReader in(key.empty() ? key : key.substr(1));
  if (key.size() == 9 && (key[0] == kRaisedKey || key[0] == kTaughtKey)) {
    const Asn origin = in.u32(), upstream = in.u32();
    if (watch_.anything()) know({origin, upstream}, key[0] == kRaisedKey);
  } else if (key.size() == 17 && key[0] == kChildrenKey) {
    Kept& kept = kept_.emplace_back();
    in.octets(kept.id.bytes);
    StateReader of_value(value);
    kept.time = of_value.time();
    kept.json = of_value.text();
    if (!of_value.at_end()) throw std::runtime_error("path-change: stored children are damaged");
    kept_octets_ += kept.json.size();
  } else if (!key.empty() && key[0] == kFoldKey) {
    restore_fold(value);
  } else {
    throw std::runtime_error("path-change: stored key of a newer format");
  }
}

void PathChange::restore_route(const RouteView& route) {
  groups_.note(route.prefix);
  learn(route.path, route.peer, false);
}

void PathChange::start_up() {
  know_first_shown();
  std::sort(kept_.begin(), kept_.end(), [](const Kept& a, const Kept& b) {
    return std::tie(a.time, a.id) < std::tie(b.time, b.id);
  });
  // As they began: what is due at one moment is told in the order of the timers.
  std::vector<std::pair<const FoldKey, Fold>*> begun;
  for (auto& fold : folds_) begun.push_back(&fold);
  const auto order = [](const auto* fold) {
    return std::pair(fold->second.first, fold->second.timer);
  };
  std::sort(begun.begin(), begun.end(),
            [&](const auto* a, const auto* b) { return order(a) < order(b); });
  for (auto* fold : begun) {
    auto& [key, f] = *fold;
    f.timer = next_timer_++;
    by_timer_[f.timer] = key;
    host_->set_timer(f.timer, f.first + settings_.window);
  }
}

void PathChange::on_route_change(const RouteChange& change) {
  if (change.before == kNoPath) groups_.note(change.prefix);
  const bool known = learn(change.after, change.peer, !change.baseline);
  if (change.baseline || !watch_.change(change) || has_other_path(change)) return;
  if (known)
    judge(change);
  else
    waiting_.push_back(change);
}

void PathChange::on_update_end() {
  know_first_shown();
  for (const RouteChange& change : waiting_) judge(change);
  waiting_.clear();
}

void PathChange::judge(const RouteChange& change) {
  const Adjacency before = adjacency_of(change.before, change.peer);
  const Adjacency after = adjacency_of(change.after, change.peer);
  PathDifference d;
  if (change.before == kNoPath) {
    d.kind = PathClass::kAnnounced;
    d.came = after.origin;
  } else if (change.after == kNoPath) {
    d.kind = PathClass::kWithdrawn;
    d.left = before.origin;
  } else {
    const PeerInfo& peer = host_->peer(change.peer);
    const auto difference =
        compare_paths(host_->path(change.before).as_path(), host_->path(change.after).as_path(),
                      host_->route_server_ases(), peer.internal ? peer.local_as : 0);
    if (!difference) return;
    d = *difference;
    // Behind a path of one hop it is we who carry the route, as the adjacency says.
    if (d.kind == PathClass::kUpstream) {
      if (d.left == 0 && before.direct) d.left = before.upstream;
      if (d.came == 0 && after.direct) d.came = after.upstream;
    }
  }
  fold(change, d, before, after);
}

/// With ADD-PATH a neighbour has several routes for one prefix. True when this change only adds one
/// to others or leaves others: the prefix is neither announced nor withdrawn.
bool PathChange::has_other_path(const RouteChange& change) const {
  if (change.before != kNoPath && change.after != kNoPath) return false;
  if (!host_->has_path_id(change.prefix)) return false;
  bool other = false;
  groups_.for_each_route(change.prefix, [&](const RouteView& route) {
    other = route.peer == change.peer && route.prefix != change.prefix;
    return !other;
  });
  return other;
}

Adjacency PathChange::adjacency_of(PathId path, PeerId peer) const {
  if (path == kNoPath) return {};
  return extract_adjacency(host_->path(path).as_path(), host_->peer(peer),
                           host_->route_server_ases());
}

/// False: this UPDATE shows the adjacency first, and its end decides what that is.
bool PathChange::learn(PathId path, PeerId peer, bool live) {
  if (path == kNoPath || learnt_[path]) return true;
  const PathEnd end = read_path_end(host_->path(path).as_path(), host_->route_server_ases());
  const Adjacency a = judge_adjacency(end, host_->peer(peer));
  if (a.kind == AdjacencyKind::kAdjacency &&
      known_.find(key_of(a.origin, a.upstream)) == KeyIndex::kNone) {
    bool& any_live = first_shown_[{a.origin, a.upstream}];
    any_live = any_live || live;
    return false;
  }
  // What an empty path and one of one hop show depends on the neighbour.
  if (end.shape != PathShape::kEmpty && end.shape != PathShape::kOneHop) learnt_.set(path, true);
  return true;
}

void PathChange::know_first_shown() {
  for (const auto& [pair, live] : first_shown_) {
    if (raised_.size() >= kMaxKnown) break;
    know(pair, live);
    std::string key(1, live ? kRaisedKey : kTaughtKey);
    put_u32(key, pair.first);
    put_u32(key, pair.second);
    host_->put_state(key, "");
  }
  first_shown_.clear();
}

void PathChange::know(const AdjacencyPair& pair, bool raised) {
  known_.insert(key_of(pair.first, pair.second), static_cast<std::uint32_t>(raised_.size()));
  raised_.push_back(raised);
}

std::optional<EventId> PathChange::explanation(const Adjacency& before,
                                               const Adjacency& after) const {
  const auto incident = [this](const Adjacency& a) -> std::optional<EventId> {
    if (a.kind != AdjacencyKind::kAdjacency) return std::nullopt;
    const std::uint32_t number = known_.find(key_of(a.origin, a.upstream));
    if (number == KeyIndex::kNone || !raised_[number]) return std::nullopt;
    return upstream_incident(a.origin, a.upstream);
  };
  if (before.kind == after.kind && before.origin == after.origin &&
      before.upstream == after.upstream)
    return std::nullopt;
  if (const auto came = incident(after)) return came;
  return incident(before);
}

void PathChange::path_released(PathId path) {
  learnt_.reset(path);
  watch_.path_released(path);
}

void PathChange::prefix_released(PrefixId prefix) {
  groups_.prefix_released(prefix);
  watch_.prefix_released(prefix);
}

std::optional<std::string> PathChange::query(std::string_view what, std::string_view argument) {
  if (what != "path-change-children") return std::nullopt;
  for (const Kept& kept : kept_)
    if (format_event_id(kept.id) == argument) return kept.json;
  return "[]";
}

}  // namespace lapwing::detectors
