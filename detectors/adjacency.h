// Which AS originates a route and which AS is its upstream, read from one AS_PATH.
//
// Two steps, so that the first can be kept for each attribute set: `read_path_end` looks at the
// path alone, `judge_adjacency` adds what depends on the neighbour (one-hop and empty paths, the
// tag `direct`). Both are pure.
//
// Confederation segments (RFC 5065) and route-server ASNs are dropped, prepending is collapsed.
// Ambiguous, and therefore no adjacency: an AS_SET at the end or directly before the origin
// (RFC 9774 deprecates sets), and AS_TRANS (RFC 6793 9) in either place, since it hides the AS.
// Thread: any. Owns: nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lapwing/detector.h"
#include "lapwing/path.h"

namespace lapwing::detectors {

enum class PathShape : std::uint8_t {
  kEmpty,      // nothing left after dropping
  kOneHop,     // only the origin, prepended or not
  kLink,       // an origin and an AS before it
  kAmbiguous,  // the origin or the AS before it cannot be told
};

/// The end of a path, where its origin stands. `upstream` counts for kLink only.
struct PathEnd {
  PathShape shape = PathShape::kEmpty;
  Asn origin = 0;
  Asn upstream = 0;
  bool two_hops = false;  // nothing stands before `upstream`
  bool poisoned = false;  // the origin also stands earlier
  friend bool operator==(const PathEnd&, const PathEnd&) = default;
};

enum class AdjacencyKind : std::uint8_t {
  kAdjacency,
  kOwn,  // the local AS's own route
  kAmbiguous,
  kNone,  // an empty path from another AS, or a local AS that is not known
};

struct Adjacency {
  AdjacencyKind kind = AdjacencyKind::kNone;
  Asn origin = 0;  // of kAmbiguous, too, where the path tells it
  Asn upstream = 0;
  bool direct = false;  // the upstream is the neighbour itself, or the local AS
  bool poisoned = false;
  friend bool operator==(const Adjacency&, const Adjacency&) = default;
};

PathEnd read_path_end(AsPathView path, std::span<const Asn> route_servers);
Adjacency judge_adjacency(const PathEnd& end, const PeerInfo& peer);

inline Adjacency extract_adjacency(AsPathView path, const PeerInfo& peer,
                                   std::span<const Asn> route_servers) {
  return judge_adjacency(read_path_end(path, route_servers), peer);
}

/// The hops of a path that is one AS_SEQUENCE, as nearly all are, without what is prepended and
/// without route servers.
class SequenceHops {
 public:
  /// False where the path is another one, or longer than this can hold: no hop counts then.
  bool read(AsPathView path, std::span<const Asn> route_servers);
  std::span<const Asn> hops() const { return {hops_.data(), size_}; }
  void copy(const SequenceHops& other) {
    size_ = other.size_;
    std::copy_n(other.hops_.begin(), size_, hops_.begin());
  }

 private:
  std::array<Asn, 64> hops_;
  std::size_t size_ = 0;
};

/// The hops from the neighbour to the origin, as adjacencies are judged; 0 stands for an AS_SET.
class CollapsedHops {
 public:
  CollapsedHops(AsPathView path, std::span<const Asn> route_servers);
  /// Lives as long as this.
  std::span<const Asn> hops() const { return ordinary_ ? sequence_.hops() : others_; }

 private:
  SequenceHops sequence_;
  bool ordinary_ = false;
  std::vector<Asn> others_;
};

/// The same with prepending and route servers; confederation segments left out.
std::vector<Asn> counted_hops(AsPathView path);

inline constexpr Asn kAsTrans = 23456;

/// Private use (RFC 6996), documentation (RFC 5398), or reserved by IANA: no AS of the Internet.
bool is_reserved_as(Asn as);

}  // namespace lapwing::detectors
