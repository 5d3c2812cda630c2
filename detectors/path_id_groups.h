// Which NLRI are one prefix: those that differ in nothing but the path identifier (RFC 7911), or have none.
//
// Costs memory only where a neighbour uses ADD-PATH. Thread: engine. Owns: the groups.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "detectors/evidence.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

class PathIdGroups {
 public:
  void attach(const Host& host) { host_ = &host; }

  /// Of every route that is announced where there was none.
  void note(PrefixId prefix) {
    if (!host_->has_path_id(prefix)) return;
    const Nlri key = without_path_id(host_->nlri(prefix));
    if (!keys_.emplace(prefix, key).second) return;
    groups_[key].push_back(prefix);
  }

  void prefix_released(PrefixId prefix) {
    const auto key = keys_.find(prefix);
    if (key == keys_.end()) return;
    const auto group = groups_.find(key->second);
    std::erase(group->second, prefix);
    if (group->second.empty()) groups_.erase(group);
    keys_.erase(key);
  }

  /// The routes of all neighbours for the prefix, whatever their path identifier, in no useful order,
  /// until `fn` returns false.
  template <typename Fn>
  void for_each_route(PrefixId prefix, Fn&& fn) const {
    if (groups_.empty()) return host_->for_each_route(prefix, fn);
    const auto key = keys_.find(prefix);
    for_each_route(key == keys_.end() ? host_->nlri(prefix) : key->second, fn);
  }

  /// The same for an NLRI without path identifier.
  template <typename Fn>
  void for_each_route(const Nlri& nlri, Fn&& fn) const {
    bool more = true;
    const auto look = [&](const RouteView& route) { return more = fn(route); };
    if (const auto plain = host_->find_prefix(nlri)) host_->for_each_route(*plain, look);
    const auto group = groups_.find(nlri);
    if (group == groups_.end()) return;
    for (const PrefixId id : group->second) {
      if (!more) return;
      host_->for_each_route(id, look);
    }
  }

 private:
  const Host* host_ = nullptr;
  std::map<PrefixId, Nlri> keys_;
  std::map<Nlri, std::vector<PrefixId>> groups_;
};

}  // namespace lapwing::detectors
