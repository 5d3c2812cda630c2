#include "detectors/reserved_as.h"

#include <fmt/format.h>

#include <algorithm>

#include "detectors/adjacency.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

std::string_view kind_of(Asn as) {
  if (as == kAsTrans) return "as-trans";
  if ((as >= 64512 && as <= 65534) || (as >= 4200000000u && as <= 4294967294u)) return "private";
  if ((as >= 64496 && as <= 64511) || (as >= 65536 && as <= 65551)) return "documentation";
  return "reserved";
}

}  // namespace

std::unique_ptr<Detector> make_reserved_as(Settings& settings) {
  PathFindingSettings common;
  common.all = scope_setting(settings, false);
  common.window = settings.duration("window", common.window, 1, 86400);
  common.linger = settings.duration("linger", common.linger, 1, 86400);
  return std::make_unique<ReservedAs>(common, as_setting(settings, "allowed", {}));
}

std::optional<Finding> ReservedAs::judge(PathView path) const {
  const CollapsedHops collapsed(path.as_path(), host().route_server_ases());
  const std::span<const Asn> hops = collapsed.hops();
  const auto first = std::find_if_not(hops.begin(), hops.end(), is_reserved_as);
  for (auto hop = first; hop != hops.end(); ++hop) {
    if (!is_reserved_as(*hop) || *hop == 0) continue;  // 0 stands for an AS_SET
    if (std::binary_search(allowed_.begin(), allowed_.end(), *hop)) continue;
    return Finding{1, *hop, *(hop - 1), hop + 1 == hops.end() ? 0 : *(hop + 1)};
  }
  return std::nullopt;
}

PathFindings::Text ReservedAs::describe(const Finding& f) const {
  Text text;
  text.rule = "an AS number that no network of the Internet may use stands in a path";
  text.what = f.right == 0
                  ? fmt::format("AS{} ({}) originates routes behind AS{}", f.as, kind_of(f.as), f.left)
                  : fmt::format("AS{} ({}) stands between AS{} and AS{}", f.as, kind_of(f.as),
                                f.left, f.right);
  text.fields.push_back({"reserved_as", std::vector<Asn>{f.as}});
  text.fields.push_back({"kind", std::string(kind_of(f.as))});
  text.fields.push_back({"behind_as", std::int64_t{f.left}});
  return text;
}

}  // namespace lapwing::detectors
