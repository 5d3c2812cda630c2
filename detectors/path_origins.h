// The origin AS of each path, remembered by its id: four octets a path.
//
// Thread: engine. Owns: the memory.
#pragma once

#include "detectors/adjacency.h"
#include "detectors/by_id.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

class PathOrigins {
 public:
  static constexpr Asn kNone = 0;  // no route, or an origin that cannot be told (AS_SET, AS_TRANS)

  void attach(const Host& host) { host_ = &host; }

  /// The AS of an empty path on iBGP is the local one (RFC 4271 5.1.2).
  Asn origin(PathId path, PeerId peer) {
    if (path == kNoPath) return kNone;
    const Asn as = by_path_[path];
    return as != kUnset ? as : origin_of_other(path, peer);
  }

  void prefetch(PathId path) const { by_path_.prefetch(path); }
  void path_released(PathId path) { by_path_.reset(path); }

 private:
  static constexpr Asn kUnset = kAsTrans;  // the one AS that is never told as an origin

  /// Seldom, and therefore not inline: one seen first, or an empty one, whose origin is the peer's.
  [[gnu::noinline]] Asn origin_of_other(PathId path, PeerId peer) {
    const PathEnd end = read_path_end(host_->path(path).as_path(), host_->route_server_ases());
    if (end.shape == PathShape::kEmpty) {
      const PeerInfo& info = host_->peer(peer);
      return info.internal ? info.local_as : kNone;
    }
    const Asn as = end.origin == kAsTrans ? kNone : end.origin;
    by_path_.set(path, as);
    return as;
  }

  const Host* host_ = nullptr;
  ById<Asn, kUnset> by_path_;
};

}  // namespace lapwing::detectors
