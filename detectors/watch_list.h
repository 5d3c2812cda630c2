// What [watch] names, as detectors ask for it: prefixes with their more-specifics, origins, ASes
// anywhere on the path. The answer for a path or a prefix is remembered by its id.
//
// Thread: engine. Owns: sorted copies of the lists, taken once in `attach`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "detectors/by_id.h"
#include "lapwing/detector.h"

namespace lapwing::detectors {

class WatchList {
 public:
  void attach(const Host& host);

  bool anything() const { return any_prefix() || !origins_.empty() || !ases_.empty(); }
  bool any_prefix() const { return !prefixes_.empty(); }
  bool any_origin() const { return !origins_.empty(); }
  bool origin(Asn as) const;
  /// As origin, or anywhere on the path.
  bool names(Asn as) const;
  /// The most specific watched prefix that is `prefix` or covers it.
  std::optional<Prefix> covering(const Prefix& prefix) const {
    return covering(prefix, prefix.length);
  }
  /// The same of those that are shorter.
  std::optional<Prefix> covering_shorter(const Prefix& prefix) const {
    return covering(prefix, int{prefix.length} - 1);
  }
  const std::vector<Prefix>& prefixes() const { return prefixes_; }

  /// By id; kNoPath is not watched. A path is by its origin or any of its ASes.
  bool path(PathId path);
  /// The same of a neighbour's path: an empty one from iBGP is of the local AS.
  bool path(PathId path, PeerId peer);
  bool prefix(PrefixId prefix);
  /// The prefix, or the path before or after.
  bool change(const RouteChange& change);

  void path_released(PathId path);
  void prefix_released(PrefixId prefix);

 private:
  enum class Watched : std::uint8_t { kUnset, kNo, kYes, kByPeer };

  Watched judge_path(PathId path) const;
  std::optional<Prefix> covering(const Prefix& prefix, int max_length) const;

  const Host* host_ = nullptr;
  std::vector<Prefix> prefixes_;  // each list sorted
  std::vector<std::uint8_t> lengths_;
  std::vector<Asn> origins_;
  std::vector<Asn> ases_;
  ById<Watched, Watched::kUnset> by_path_;
  ById<Watched, Watched::kUnset> by_prefix_;
};

}  // namespace lapwing::detectors
