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
    return as != kUnset && as != kEmpty ? as : origin_of_other(path, peer, as);
  }

  void prefetch(PathId path) const { by_path_.prefetch(path); }
  void path_released(PathId path) { by_path_.reset(path); }

 private:
  // Reserved by RFC 7300 and never an origin; a path that ends in one has no origin that we tell.
  static constexpr Asn kUnset = 0xffffffff;
  static constexpr Asn kEmpty = 0xffff;

  /// Seldom, and therefore not inline: one seen first, or an empty one.
  [[gnu::noinline]] Asn origin_of_other(PathId path, PeerId peer, Asn as) {
    if (as == kUnset) by_path_.set(path, as = judge(path));
    if (as != kEmpty) return as;
    const PeerInfo& info = host_->peer(peer);
    return info.internal ? info.local_as : kNone;
  }

  Asn judge(PathId path) const {
    const PathEnd end = read_path_end(host_->path(path).as_path(), host_->route_server_ases());
    if (end.shape == PathShape::kEmpty) return kEmpty;
    const Asn as = end.origin;
    return as == kAsTrans || as == kUnset || as == kEmpty ? kNone : as;
  }

  const Host* host_ = nullptr;
  ById<Asn, kUnset> by_path_;
};

}  // namespace lapwing::detectors
