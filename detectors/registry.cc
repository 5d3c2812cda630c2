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
      {"peer-state", &make_peer_state, true, "peer-down peer-up peer-blind"},
      {"new-upstream", &make_new_upstream, true,
       "new-upstream upstream-share upstream-gone upstream-returned single-homed upstream-flap "
       "upstream-storm"},
      {"path-change", &make_path_change, true, "path-change"},
      {"origin-change", &make_origin_change, true, "origin-change"},
      {"prefix-watch", &make_prefix_watch, true, "more-specific new-prefix"},
      {"visibility", &make_visibility, true, "visibility-lost visibility-regained visibility-flap"},
      {"prefix-flap", &make_prefix_flap, true, "prefix-flap"},
      {"route-leak", &make_route_leak, true, "route-leak"},
      {"reserved-as", &make_reserved_as, true, "reserved-as"},
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

bool is_built_in_event_type(std::string_view type) {
  // What the engine and the journal say themselves.
  constexpr std::string_view kOthers =
      "detector-failed event-storm events-lost max-prefix max-attributes";
  const auto holds = [type](std::string_view types) {
    for (std::size_t at = 0; at < types.size();) {
      const std::size_t end = std::min(types.find(' ', at), types.size());
      if (types.substr(at, end - at) == type) return true;
      at = end + 1;
    }
    return false;
  };
  return holds(kOthers) ||
         std::ranges::any_of(detectors::built_in_detectors(),
                             [&](const auto& built_in) { return holds(built_in.types); });
}

bool runs_by_default(std::string_view name) {
  return std::ranges::any_of(detectors::built_in_detectors(), [name](const auto& built_in) {
    return built_in.name == name && built_in.by_default;
  });
}

}  // namespace lapwing
