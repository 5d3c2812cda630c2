// Detector `reserved-as`: an AS number on a path that no network of the Internet may use.
//
// Private (RFC 6996), documentation (RFC 5398), AS_TRANS (RFC 6793) and what IANA has reserved. Those
// at the beginning of a path are our own neighbourhood and are left alone. Thread: engine.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "detectors/path_findings.h"

namespace lapwing::detectors {

std::unique_ptr<Detector> make_reserved_as(Settings& settings);

class ReservedAs final : public PathFindings {
 public:
  ReservedAs(const PathFindingSettings& common, std::vector<Asn> allowed)
      : PathFindings(common), allowed_(std::move(allowed)) {}

  std::string_view name() const override { return "reserved-as"; }

 private:
  std::optional<Finding> judge(PathView path) const override;
  Text describe(const Finding& finding) const override;

  const std::vector<Asn> allowed_;  // sorted
};

}  // namespace lapwing::detectors
