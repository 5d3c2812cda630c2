#include "detectors/watch_list.h"

#include <algorithm>

#include "detectors/adjacency.h"
#include "lapwing/sort_unique.h"

namespace lapwing::detectors {
namespace {

bool holds(const std::vector<Asn>& sorted, Asn as) {
  return std::binary_search(sorted.begin(), sorted.end(), as);
}

}  // namespace

void WatchList::attach(const Host& host) {
  host_ = &host;
  prefixes_ = host.watch().prefixes;
  origins_ = host.watch().origins;
  ases_ = host.watch().ases;
  sort_unique(prefixes_);
  sort_unique(origins_);
  sort_unique(ases_);
  for (const Prefix& p : prefixes_) lengths_.push_back(p.length);
  sort_unique(lengths_);
}

bool WatchList::origin(Asn as) const { return holds(origins_, as); }

bool WatchList::names(Asn as) const { return holds(origins_, as) || holds(ases_, as); }

std::optional<Prefix> WatchList::covering(const Prefix& prefix, int max_length) const {
  for (auto length = lengths_.rbegin(); length != lengths_.rend(); ++length) {
    if (*length > max_length) continue;
    const Prefix candidate = Prefix::make(prefix.address, *length);
    if (std::binary_search(prefixes_.begin(), prefixes_.end(), candidate)) return candidate;
  }
  return std::nullopt;
}

bool WatchList::path(PathId path) {
  if (path == kNoPath || (origins_.empty() && ases_.empty())) return false;
  Watched watched = by_path_[path];
  if (watched == Watched::kUnset)
    by_path_.set(path, watched = judge_path(path));
  return watched == Watched::kYes;
}

bool WatchList::path(PathId path, PeerId peer) {
  if (this->path(path)) return true;
  if (path == kNoPath || by_path_[path] != Watched::kByPeer) return false;
  const PeerInfo& info = host_->peer(peer);
  return info.internal && names(info.local_as);
}

WatchList::Watched WatchList::judge_path(PathId path) const {
  AsPathView hops = host_->path(path).as_path();
  const PathEnd end = read_path_end(hops, host_->route_server_ases());
  if (end.shape != PathShape::kEmpty && holds(origins_, end.origin)) return Watched::kYes;
  AsPathSegment segment;
  if (!ases_.empty())
    while (hops.next(segment))
      for (Asn as = 0; segment.next(as);)
        if (holds(ases_, as)) return Watched::kYes;
  return end.shape == PathShape::kEmpty ? Watched::kByPeer : Watched::kNo;
}

bool WatchList::prefix(PrefixId prefix) {
  if (prefixes_.empty()) return false;
  Watched watched = by_prefix_[prefix];
  if (watched == Watched::kUnset)
    by_prefix_.set(prefix, watched = covering(host_->prefix(prefix)) ? Watched::kYes
                                                                          : Watched::kNo);
  return watched == Watched::kYes;
}

bool WatchList::change(const RouteChange& change) {
  return path(change.before, change.peer) || path(change.after, change.peer) ||
         prefix(change.prefix);
}

void WatchList::path_released(PathId path) {
  by_path_.reset(path);
}

void WatchList::prefix_released(PrefixId prefix) {
  by_prefix_.reset(prefix);
}

}  // namespace lapwing::detectors
