#include "collector/removed_peers.h"

#include <algorithm>

namespace lapwing::collector {

void RemovedPeers::configure(const Config& config) {
  const std::lock_guard lock(mutex_);
  names_.clear();
  ranges_.clear();
  for (const bgp::NeighborConfig& neighbor : config.neighbors)
    (neighbor.range ? ranges_ : names_).push_back(neighbor.name);
  keep_ = config.keep_removed;
}

bool RemovedPeers::is_configured(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return stands(name);
}

bool RemovedPeers::stands(std::string_view name) const {
  if (std::find(names_.begin(), names_.end(), name) != names_.end()) return true;
  return std::any_of(ranges_.begin(), ranges_.end(), [name](const std::string& range) {
    return name.size() > range.size() && name.starts_with(range) && name[range.size()] == '-';
  });
}

std::vector<std::string> RemovedPeers::drop(rib::Engine& engine) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> dropped;
  for (const rib::PeerSummary& peer : engine.peer_summaries())
    if (!peer.up && !stands(peer.name) && engine.now() - peer.last_change >= keep_)
      dropped.push_back(peer.name);
  for (const std::string& name : dropped) engine.remove_peer(name);
  return dropped;
}

}  // namespace lapwing::collector
