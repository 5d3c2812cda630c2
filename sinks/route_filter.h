// Which routes are wanted: by origin, transit AS, any AS on the path, communities, family.
//
// Thread: any. Owns: its values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/path.h"
#include "lapwing/prefix.h"
#include "sinks/http_request.h"

namespace lapwing::sinks {

/// The words of bgpctl: `origin` is its source-as, the last AS of the path; `transit` stands on the
/// path and is not its origin; `as` stands anywhere.
class RouteFilter {
 public:
  /// Reads origin, transit, as, community (may be given several times; all must be there) and
  /// family. What is wrong; empty where nothing is.
  std::string read(const HttpRequest& request);
  bool empty() const {
    return !origin_ && !transit_ && !as_ && !family_ && communities_.empty() && large_.empty();
  }
  bool matches(const Nlri& nlri, const PathView& path) const;

 private:
  std::string read_community(std::string_view text);
  bool matches_path(AsPathView path) const;
  bool matches_communities(const PathView& path) const;

  std::optional<Asn> origin_, transit_, as_;
  std::optional<Family> family_;
  std::vector<std::array<std::uint8_t, 4>> communities_;  // as on the wire
  std::vector<std::array<std::uint8_t, 12>> large_;
};

/// A prefix, or an address as the prefix that holds it alone.
std::optional<Prefix> prefix_or_address(std::string_view text);

}  // namespace lapwing::sinks
