// Which events a sink wants and how severe they are to it, from the settings that all sinks share.
//
// `severities` ("upstream-gone=warning", "path-*=info") replaces the severity of a type for this
// sink; the first entry that fits counts, and what is replaced is what `min-severity` looks at.
// Settings: min-severity ("warning": it and all worse ones), types, ases, prefixes, peers. Each
// one that is set must match; within one, any entry. An event of more prefixes than it names passes
// `prefixes`, because what it does not name cannot be judged.
// Thread: any once made.
#pragma once

#include <string>
#include <utility>
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
  std::vector<std::pair<std::string, Severity>> severities;  // types as above

  bool matches(const Event& event) const;
  /// The event as this sink is to show it: itself, or in `scratch`; nullptr: not at all.
  const Event* shown(const Event& event, Event& scratch) const;

  static EventFilter from_settings(Settings& settings);

 private:
  bool concerns(const Event& event) const;
  void read_severities(Settings& settings);
};

}  // namespace lapwing::sinks
