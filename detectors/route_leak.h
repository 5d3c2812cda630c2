// Detector `route-leak`: a path that no honest export policy can give (RFC 7908).
//
// Three kinds, the strongest first:
//   otc         the path carries Only-to-Customer (RFC 9234) and went up or sideways all the same
//   tier1       two networks without upstreams stand in it, with others between them
//   no-transit  a network that carries nobody's routes stands between two others
// Which networks these are is a setting, and so is which ASes are siblings: one network under several
// numbers, within which nothing leaks. What a first table shows is taken for custom.
// Meaning and limits: docs/DETECTORS.md. Thread: engine. Owns: its findings.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "detectors/as_set.h"
#include "detectors/path_findings.h"

namespace lapwing::detectors {

struct RouteLeakSettings {
  std::vector<Asn> tier1;       // sorted, as all of these
  std::vector<Asn> no_transit;
  std::vector<Asn> customers;   // neighbours that are our customers (RFC 9234 5, role)
  std::vector<Asn> lateral;     // neighbours that are our lateral peers
  std::vector<std::vector<Asn>> siblings;  // groups of ASes of one network; an AS stands in one
};

std::unique_ptr<Detector> make_route_leak(Settings& settings);

class RouteLeak final : public PathFindings {
 public:
  RouteLeak(const PathFindingSettings& common, RouteLeakSettings settings);

  std::string_view name() const override { return "route-leak"; }

 private:
  enum Kind : std::uint8_t { kOtcFromCustomer = 1, kOtcFromPeer, kOtcUpwards, kTier1, kNoTransit };

  std::optional<Finding> judge(PathView path) const override;
  Text describe(const Finding& finding) const override;
  std::optional<Finding> judge_otc(std::span<const Asn> hops, Asn otc) const;
  std::optional<Finding> judge_tier1(std::span<const Asn> hops) const;
  std::optional<Finding> judge_no_transit(std::span<const Asn> hops) const;

  bool is_one_network(Asn a, Asn b) const;
  bool is_other(Asn as, Asn network) const;

  const AsSet tier1_, no_transit_, customers_, lateral_;
  std::unordered_map<Asn, std::size_t> group_of_;  // number of its group of siblings
};

}  // namespace lapwing::detectors
