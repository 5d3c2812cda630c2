#include "detectors/adjacency.h"

#include <algorithm>

namespace lapwing::detectors {
namespace {

constexpr Asn kSet = 0;  // stands for an AS_SET among hops; AS 0 never occurs in a path (RFC 7607)

bool is_confederation(SegmentType type) {
  return type == SegmentType::kAsConfedSequence || type == SegmentType::kAsConfedSet;
}

/// Calls `fn(hop, set)` for each hop that counts, in the order of the wire; `set` is the segment of
/// an AS_SET, whose hop is kSet.
template <typename Fn>
void for_each_hop(AsPathView path, std::span<const Asn> route_servers, Fn&& fn) {
  AsPathSegment segment;
  while (path.next(segment)) {
    if (is_confederation(segment.type) || segment.size == 0) continue;
    if (segment.type == SegmentType::kAsSet) {
      fn(kSet, &segment);
      continue;
    }
    for (Asn as = 0; segment.next(as);)
      if (std::find(route_servers.begin(), route_servers.end(), as) == route_servers.end())
        fn(as, static_cast<AsPathSegment*>(nullptr));
  }
}

bool stands_earlier(AsPathView path, std::span<const Asn> route_servers, Asn origin) {
  unsigned runs = 0;
  Asn last = 0;
  bool in_set = false;
  for_each_hop(path, route_servers, [&](Asn hop, AsPathSegment* set) {
    if (set != nullptr)
      for (Asn as = 0; set->next(as);) in_set = in_set || as == origin;
    if (hop == origin && last != origin) ++runs;
    last = hop;
  });
  return in_set || runs > 1;
}

}  // namespace

PathEnd read_path_end(AsPathView path, std::span<const Asn> route_servers) {
  PathEnd end;
  std::uint32_t hops = 0;
  Asn last = 0, before = 0;
  for_each_hop(path, route_servers, [&](Asn hop, AsPathSegment* set) {
    if (hops != 0 && set == nullptr && hop == last) return;
    before = last;
    last = hop;
    ++hops;
  });
  if (hops == 0) return end;
  end.origin = last;
  if (last == kSet || last == kAsTrans) {
    end.shape = PathShape::kAmbiguous;
    return end;
  }
  if (hops == 1) {
    end.shape = PathShape::kOneHop;
    return end;
  }
  end.upstream = before;
  end.two_hops = hops == 2;
  end.shape = before == kSet || before == kAsTrans ? PathShape::kAmbiguous : PathShape::kLink;
  end.poisoned = hops > 2 && stands_earlier(path, route_servers, last);
  return end;
}

Adjacency judge_adjacency(const PathEnd& end, const PeerInfo& peer) {
  Adjacency a;
  switch (end.shape) {
    case PathShape::kEmpty:
      a.kind = peer.internal ? AdjacencyKind::kOwn : AdjacencyKind::kNone;
      return a;
    case PathShape::kAmbiguous:
      a.kind = AdjacencyKind::kAmbiguous;
      return a;
    case PathShape::kOneHop:
      a.origin = end.origin;
      a.upstream = peer.local_as;
      a.direct = true;
      a.kind = peer.local_as == 0            ? AdjacencyKind::kNone
               : peer.local_as == end.origin ? AdjacencyKind::kOwn
                                             : AdjacencyKind::kAdjacency;
      return a;
    case PathShape::kLink:
      a.kind = AdjacencyKind::kAdjacency;
      a.origin = end.origin;
      a.upstream = end.upstream;
      a.direct = end.two_hops && end.upstream == peer.as;
      a.poisoned = end.poisoned;
      return a;
  }
  return a;
}

std::vector<Asn> collapsed_hops(AsPathView path, std::span<const Asn> route_servers) {
  constexpr std::size_t kOrdinary = 16;  // few paths are longer
  std::vector<Asn> hops;
  hops.reserve(kOrdinary);
  for_each_hop(path, route_servers, [&](Asn hop, AsPathSegment* set) {
    if (hops.empty() || set != nullptr || hop != hops.back()) hops.push_back(hop);
  });
  return hops;
}

std::vector<Asn> counted_hops(AsPathView path) {
  std::vector<Asn> hops;
  for_each_hop(path, {}, [&](Asn hop, AsPathSegment*) { hops.push_back(hop); });
  return hops;
}

bool is_reserved_as(Asn as) {
  return as == 0 || as == kAsTrans || (as >= 64496 && as <= 131071) || as >= 4200000000u;
}

}  // namespace lapwing::detectors
