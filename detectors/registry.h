// The built-in detectors by name, in the order in which the engine calls them.
//
// `make_detector` and `detector_names` of lapwing/detector.h are implemented over this table.
// Thread: main.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "lapwing/detector.h"

namespace lapwing::detectors {

struct BuiltIn {
  std::string_view name;
  std::unique_ptr<Detector> (*make)(Settings&);
  bool by_default;  // runs unless the configuration says otherwise
  std::string_view types;  // of its events, parted by blanks
};

std::span<const BuiltIn> built_in_detectors();

}  // namespace lapwing::detectors
