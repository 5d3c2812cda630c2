// How two AS paths of one route differ, as an operator would say it.
//
// Both paths are brought to the form in which upstreams are judged: confederation segments and
// route-server ASNs dropped. What is then equal is no path change. The strongest difference gives
// the class, in this order: origin, upstream, transit, length, prepending. An empty path is of one
// AS where it comes from within it (iBGP).
// Thread: any. Owns: what it returns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lapwing/path.h"
#include "lapwing/prefix.h"

namespace lapwing::detectors {

enum class PathClass : std::uint8_t {
  kAnnounced,   // there was no path
  kWithdrawn,   // there is none now
  kOrigin,      // another AS originates it
  kUpstream,    // same origin, another AS before it
  kTransit,     // same origin and upstream; an AS further away left or came
  kLength,      // the same ASes in another order or number
  kPrepending,  // only how often an AS repeats itself
};
inline constexpr std::size_t kPathClasses = 7;

std::string_view to_string(PathClass c);

struct PathDifference {
  PathClass kind = PathClass::kTransit;
  Asn left = 0;  // nearest to the origin among what left; 0: nothing left, or an AS_SET
  Asn came = 0;
  Asn at = 0;  // the AS on the origin's side of it, which both paths share; 0: none
  std::uint32_t old_length = 0;  // hops with prepending; an AS_SET is one (RFC 4271 9.1.2.2)
  std::uint32_t new_length = 0;
  friend bool operator==(const PathDifference&, const PathDifference&) = default;
};

/// nullopt: the same path. `own`: the AS that an empty path is of; 0: none.
std::optional<PathDifference> compare_paths(AsPathView before, AsPathView after,
                                            std::span<const Asn> route_servers, Asn own = 0);

}  // namespace lapwing::detectors
