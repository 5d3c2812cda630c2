#include "detectors/path_compare.h"

#include <algorithm>
#include <array>

namespace lapwing::detectors {
namespace {

/// A hop: an ASN, or for an AS_SET a number above all ASNs made from its members in any order.
using Hop = std::uint64_t;
constexpr Hop kSetFlag = 1ull << 32;

Asn as_of(Hop hop) { return hop >= kSetFlag ? 0 : static_cast<Asn>(hop); }

std::vector<Hop> hops_of(AsPathView path, std::span<const Asn> route_servers) {
  std::vector<Hop> hops;
  AsPathSegment segment;
  while (path.next(segment)) {
    if (segment.type == SegmentType::kAsConfedSequence || segment.type == SegmentType::kAsConfedSet)
      continue;
    Hop set = 0;
    for (Asn as = 0; segment.next(as);) {
      if (segment.type == SegmentType::kAsSet)
        set += as * 0x9e3779b97f4a7c15ull;
      else if (std::find(route_servers.begin(), route_servers.end(), as) == route_servers.end())
        hops.push_back(as);
    }
    if (segment.type == SegmentType::kAsSet) hops.push_back(set | kSetFlag);
  }
  return hops;
}

std::vector<Hop> collapse(const std::vector<Hop>& hops) {
  std::vector<Hop> out;
  std::unique_copy(hops.begin(), hops.end(), std::back_inserter(out));
  return out;
}

/// The hop of `path` nearest to the origin that `other` (sorted) does not hold; its place from the
/// end, or the size of `path` when there is none.
std::size_t first_missing(const std::vector<Hop>& path, const std::vector<Hop>& other) {
  for (std::size_t i = 0; i < path.size(); ++i)
    if (!std::binary_search(other.begin(), other.end(), path[path.size() - 1 - i])) return i;
  return path.size();
}

std::vector<Hop> sorted(std::vector<Hop> hops) {
  std::sort(hops.begin(), hops.end());
  return hops;
}

Hop from_end(const std::vector<Hop>& path, std::size_t i) {
  return i < path.size() ? path[path.size() - 1 - i] : 0;
}

}  // namespace

std::string_view to_string(PathClass c) {
  static constexpr std::array<std::string_view, kPathClasses> kNames = {
      "announced", "withdrawn", "origin", "upstream", "transit", "length", "prepending"};
  return kNames[static_cast<std::size_t>(c)];
}

std::optional<PathDifference> compare_paths(AsPathView before, AsPathView after,
                                            std::span<const Asn> route_servers, Asn own) {
  const std::vector<Hop> old_hops = hops_of(before, route_servers);
  const std::vector<Hop> new_hops = hops_of(after, route_servers);
  if (old_hops == new_hops) return std::nullopt;
  std::vector<Hop> a = collapse(old_hops), b = collapse(new_hops);
  if (own != 0)
    for (std::vector<Hop>* const path : {&a, &b})
      if (path->empty()) path->push_back(own);
  PathDifference d;
  d.old_length = static_cast<std::uint32_t>(old_hops.size());
  d.new_length = static_cast<std::uint32_t>(new_hops.size());
  if (a == b) {
    d.kind = PathClass::kPrepending;
    return d;
  }
  for (const std::size_t place : {0u, 1u}) {
    if (from_end(a, place) == from_end(b, place)) continue;
    d.kind = place == 0 ? PathClass::kOrigin : PathClass::kUpstream;
    d.left = as_of(from_end(a, place));
    d.came = as_of(from_end(b, place));
    d.at = place == 0 ? 0 : as_of(from_end(a, 0));
    return d;
  }
  const std::size_t left = first_missing(a, sorted(b)), came = first_missing(b, sorted(a));
  if (left == a.size() && came == b.size()) {
    d.kind = PathClass::kLength;
    return d;
  }
  d.kind = PathClass::kTransit;
  d.left = as_of(from_end(a, left));
  d.came = as_of(from_end(b, came));
  const bool by_left = left <= came || came == b.size();
  d.at = as_of(by_left && left < a.size() ? from_end(a, left - 1) : from_end(b, came - 1));
  return d;
}

}  // namespace lapwing::detectors
