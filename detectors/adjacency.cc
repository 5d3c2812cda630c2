#include "detectors/adjacency.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace lapwing::detectors {
namespace {

constexpr Asn kSet = 0;  // stands for an AS_SET among hops; AS 0 never occurs in a path (RFC 7607)

bool is_confederation(SegmentType type) {
  return type == SegmentType::kAsConfedSequence || type == SegmentType::kAsConfedSet;
}

bool contains(std::span<const Asn> ases, Asn as) {
  return std::find(ases.begin(), ases.end(), as) != ases.end();
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
      if (!contains(route_servers, as)) fn(as, static_cast<AsPathSegment*>(nullptr));
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

bool SequenceHops::read(AsPathView path, std::span<const Asn> route_servers) {
  const std::uint8_t* p = path.octets().data();
  const std::uint8_t* const end = p + path.octets().size();
  if (p == end || static_cast<SegmentType>(*p++) != SegmentType::kAsSequence) return false;
  const std::uint32_t count = read_varint(p, end);
  if (count > hops_.size()) return false;
  std::size_t size = 0;
  Asn last = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Asn as = read_varint(p, end);
    if (size != 0 && as == last) continue;
    if (!route_servers.empty() && contains(route_servers, as)) continue;
    hops_[size++] = last = as;
  }
  size_ = size;
  return p == end;
}

namespace {

/// An ordinary path that was read.
struct Ordinary {
  std::array<std::uint8_t, 64> path;
  std::size_t size = SIZE_MAX;
  SequenceHops hops;
  std::optional<PathEnd> end;
};

/// Null for another path; lives until the next call. Several detectors read the path of a new attribute
/// set one after the other: what was read last is remembered.
Ordinary* read_ordinary(AsPathView path, std::span<const Asn> route_servers) {
  static thread_local Ordinary last;
  const Octets octets = path.octets();
  const bool of_path_alone = route_servers.empty();
  if (of_path_alone && octets.size() == last.size &&
      std::memcmp(last.path.data(), octets.data(), last.size) == 0)
    return &last;
  last.size = SIZE_MAX;
  last.end.reset();
  if (!last.hops.read(path, route_servers)) return nullptr;
  if (of_path_alone && octets.size() <= last.path.size()) {
    std::copy(octets.begin(), octets.end(), last.path.begin());
    last.size = octets.size();
  }
  return &last;
}

}  // namespace

CollapsedHops::CollapsedHops(AsPathView path, std::span<const Asn> route_servers) {
  const Ordinary* const ordinary = read_ordinary(path, route_servers);
  ordinary_ = ordinary != nullptr;
  if (ordinary_) {
    sequence_.copy(ordinary->hops);
    return;
  }
  for_each_hop(path, route_servers, [&](Asn hop, AsPathSegment* set) {
    if (others_.empty() || set != nullptr || hop != others_.back()) others_.push_back(hop);
  });
}

namespace {

/// `poisoned` is judged where it counts: `earlier` says if this AS also stands before the last run.
template <typename Fn>
PathEnd judge_end(std::size_t hops, Asn last, Asn before, Fn&& earlier) {
  PathEnd end;
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
  end.poisoned = hops > 2 && earlier(last);
  return end;
}

}  // namespace

PathEnd read_path_end(AsPathView path, std::span<const Asn> route_servers) {
  if (Ordinary* const ordinary = read_ordinary(path, route_servers)) {
    const std::span<const Asn> all = ordinary->hops.hops();
    const std::size_t hops = all.size();
    if (!ordinary->end)
      ordinary->end = judge_end(hops, hops > 0 ? all[hops - 1] : 0, hops > 1 ? all[hops - 2] : 0,
                                [&](Asn as) { return contains(all.first(hops - 1), as); });
    return *ordinary->end;
  }
  std::size_t hops = 0;
  Asn last = 0, before = 0;
  for_each_hop(path, route_servers, [&](Asn hop, AsPathSegment* set) {
    if (hops != 0 && set == nullptr && hop == last) return;
    before = last;
    last = hop;
    ++hops;
  });
  return judge_end(hops, last, before,
                   [&](Asn as) { return stands_earlier(path, route_servers, as); });
}

Adjacency judge_adjacency(const PathEnd& end, const PeerInfo& peer) {
  Adjacency a;
  switch (end.shape) {
    case PathShape::kEmpty:
      a.kind = peer.internal ? AdjacencyKind::kOwn : AdjacencyKind::kNone;
      a.origin = peer.internal ? peer.local_as : 0;
      return a;
    case PathShape::kAmbiguous:
      a.kind = AdjacencyKind::kAmbiguous;
      a.origin = end.origin == kAsTrans ? 0 : end.origin;
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

std::vector<Asn> counted_hops(AsPathView path) {
  std::vector<Asn> hops;
  for_each_hop(path, {}, [&](Asn hop, AsPathSegment*) { hops.push_back(hop); });
  return hops;
}

bool is_reserved_as(Asn as) {
  return as == 0 || as == kAsTrans || (as >= 64496 && as <= 131071) || as >= 4200000000u;
}

}  // namespace lapwing::detectors
