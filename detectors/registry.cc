#include "detectors/registry.h"

#include <array>

#include "detectors/new_upstream.h"
#include "detectors/path_change.h"

namespace lapwing {
namespace detectors {

std::span<const BuiltIn> built_in_detectors() {
  static constexpr std::array<BuiltIn, 2> kBuiltIns{{
      {"new-upstream", &make_new_upstream},
      {"path-change", &make_path_change},
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

}  // namespace lapwing
