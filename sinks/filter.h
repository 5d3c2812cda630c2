// Which events a sink wants, from the settings that all sinks share.
//
// Settings: min-severity ("warning": it and all worse ones), types, ases, prefixes, peers. Each one
// that is set must match; within one, any entry. An event of more prefixes than it names passes
// `prefixes`, because what it does not name cannot be judged.
// Thread: any once made.
#pragma once

#include <string>
#include <vector>

#include "lapwing/event.h"
#include "lapwing/settings.h"

namespace lapwing::sinks {

struct EventFilter {
  Severity min_severity = Severity::kDebug;
  std::vector<std::string> types;  // "new-upstream"; "upstream-*" stands for every such beginning
  std::vector<Asn> ases;           // origin, upstream, or anywhere on a path of the evidence
  std::vector<Prefix> prefixes;    // each with its more-specifics
  std::vector<std::string> peers;  // configured names

  bool matches(const Event& event) const;

  static EventFilter from_settings(Settings& settings);
};

}  // namespace lapwing::sinks
