#include "detectors/registry.h"

#include <algorithm>
#include <array>

#include "detectors/new_upstream.h"
#include "detectors/origin_change.h"
#include "detectors/path_change.h"
#include "detectors/peer_state.h"
#include "detectors/prefix_flap.h"
#include "detectors/prefix_watch.h"
#include "detectors/reserved_as.h"
#include "detectors/route_leak.h"
#include "detectors/visibility.h"

namespace lapwing {
namespace detectors {

// Those that only look at what is watched cost nothing where nothing is; so all of them run.
std::span<const BuiltIn> built_in_detectors() {
  static constexpr std::array<BuiltIn, 9> kBuiltIns{{
      {"peer-state", &make_peer_state, true},
      {"new-upstream", &make_new_upstream, true},
      {"path-change", &make_path_change, true},
      {"origin-change", &make_origin_change, true},
      {"prefix-watch", &make_prefix_watch, true},
      {"visibility", &make_visibility, true},
      {"prefix-flap", &make_prefix_flap, true},
      {"route-leak", &make_route_leak, true},
      {"reserved-as", &make_reserved_as, true},
  }};
  return kBuiltIns;
}

}  // namespace detectors

std::unique_ptr<Detector> make_detector(std::string_view name, Settings& settings) {
  for (const auto& built_in : detectors::built_in_detectors())
    if (built_in.name == name) return built_in.make(settings);
  return nullptr;
}

std::vector<std::string_view> detector_names() {
  std::vector<std::string_view> names;
  for (const auto& built_in : detectors::built_in_detectors()) names.push_back(built_in.name);
  return names;
}

bool runs_by_default(std::string_view name) {
  return std::ranges::any_of(detectors::built_in_detectors(), [name](const auto& built_in) {
    return built_in.name == name && built_in.by_default;
  });
}

}  // namespace lapwing
