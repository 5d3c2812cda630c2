// Path identifiers after a session was lost (RFC 7911).
//
// An identifier means something within its session only: a neighbour that is back may number the same
// paths of a prefix anew, and a session may have identifiers where the one before had none. What is
// kept is compared as a set of paths then, whatever their numbers.
#include <utility>

#include "rib/detector_host.h"
#include "rib/engine.h"

namespace lapwing::rib {

namespace {

bgp::NlriKey without_path_id(bgp::NlriKey key) {
  key.has_path_id = 0;
  key.path_id = 0;
  return key;
}

}  // namespace

// What was kept for the prefix, under any path identifier; what was announced since is not stale any more.
// Looked for once a session, where it comes to that.
const Engine::KeptPaths* Engine::kept_paths(const Peer& peer, FamilyState& family,
                                            const bgp::NlriKey& key) {
  if (family.kept == 0) return nullptr;
  if (!family.kept_paths) {
    family.kept_paths.emplace();
    for (const PrefixId id : peer.rib.stale_routes()) {
      const bool numbered = prefixes_.has_path_id(id);
      if (prefixes_.family(id) != family.family || (!numbered && key.has_path_id == 0)) continue;
      KeptPaths& kept = (*family.kept_paths)[without_path_id(prefixes_.key(id))];
      kept.ids.push_back(id);
      (numbered ? kept.numbered : kept.plain) = true;
    }
  }
  const auto found = family.kept_paths->find(without_path_id(key));
  if (found == family.kept_paths->end()) return nullptr;
  const bool now = key.has_path_id != 0;
  if (now ? found->second.plain : found->second.numbered) family.path_ids_now = now;
  return &found->second;
}

// True where one of them has this path: the two change their numbers. What detectors are told of it
// teaches, and leaves the same paths shown, as the set was before.
bool Engine::renumber(Peer& peer, FamilyState& family, const bgp::NlriKey& key, PrefixId prefix,
                      PathId path) {
  const KeptPaths* const kept = kept_paths(peer, family, key);
  if (kept == nullptr) return false;
  for (const PrefixId other : kept->ids) {
    if (other == prefix || !peer.rib.is_stale(other) || peer.rib.find(other) != path) continue;
    RouteChange change;
    change.peer = peer.info.id;
    change.cause = Cause::kResync;
    change.baseline = true;
    change.prefix = prefix;
    change.before = peer.rib.insert(prefix, path);
    change.after = path;
    record_write(change);
    notify(change);
    const PathId former = change.before;
    change.prefix = other;
    change.before = path;
    change.after = former;
    if (former != kNoPath) {
      peer.rib.insert(other, former);
      peer.rib.mark_stale(other);
    } else {
      prefixes_.acquire(prefix);
      peer.rib.erase(other);
    }
    record_write(change);
    notify(change);
    if (former == kNoPath) prefixes_.release(other, sequence_);
    --family.kept;
    return true;
  }
  return false;
}

// True where the session before had identifiers and this one has none, or the other way round: it shows
// more of the prefix, or less, though nothing has changed.
bool Engine::shows_otherwise(const Peer& peer, FamilyState& family, const bgp::NlriKey& key) {
  const KeptPaths* const kept = kept_paths(peer, family, key);
  return kept != nullptr && (key.has_path_id != 0 ? kept->plain : kept->numbered);
}

}  // namespace lapwing::rib
