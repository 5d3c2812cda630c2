#include "detectors/route_leak.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "detectors/adjacency.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

// Networks that are commonly taken to have no upstream. AT&T, Lumen, Deutsche Telekom, GTT, Liberty
// Global, NTT, Orange, PCCW, Tata, Sparkle, Arelion, Telxius, Verizon, Zayo, Cogent, Sprint.
const std::vector<Asn> kTier1{7018, 3356, 3320,  3257, 6830, 2914, 5511, 3491,
                              6453, 6762, 12956, 1299, 701,  6461, 174,  1239};
// Networks of content that sell no transit: Google, Meta, Netflix, Apple.
const std::vector<Asn> kNoTransitNetworks{15169, 32934, 2906, 714};
// Numbers that the regional registries list under one holder, or under one that it has bought.
const std::vector<std::vector<Asn>> kSiblings{
    {701, 702, 703, 2828},           // Verizon: UUNET, its EMEA and Asia, XO
    {3356, 3549, 209, 3561},         // Lumen: Level 3, Global Crossing, Qwest, Savvis
    {7018, 7132, 2386, 2686, 2687},  // AT&T
    {3257, 4436, 5580, 8928, 286},   // GTT: nLayer, Hibernia, Interoute, KPN's backbone
    {6453, 4755},                    // Tata: VSNL
    {5511, 3215},                    // Orange: Open Transit, France
    {15169, 36040, 43515, 36384, 19527, 24424, 396982},  // Google: YouTube, China, Cloud
    {32934, 54115, 63293},                               // Meta
    {2906, 40027, 55095},                                // Netflix
    {714, 6185}};                                        // Apple

std::string passes_on(const Finding& f) {
  return fmt::format("AS{} passes routes of AS{} on to AS{}", f.as, f.right, f.left);
}

}  // namespace

std::unique_ptr<Detector> make_route_leak(Settings& settings) {
  PathFindingSettings common;
  common.all = scope_setting(settings, true);
  common.window = settings.duration("window", common.window, 1, 86400);
  common.linger = settings.duration("linger", common.linger, 1, 86400);
  RouteLeakSettings s;
  s.tier1 = as_setting(settings, "tier1", kTier1);
  s.no_transit = as_setting(settings, "no-transit", kNoTransitNetworks);
  s.customers = as_setting(settings, "customers", {});
  s.lateral = as_setting(settings, "lateral-peers", {});
  s.siblings = as_groups_setting(settings, "siblings", kSiblings);
  std::vector<Asn> all;
  for (const std::vector<Asn>& group : s.siblings)
    all.insert(all.end(), group.begin(), group.end());
  std::sort(all.begin(), all.end());
  if (const auto twice = std::adjacent_find(all.begin(), all.end()); twice != all.end())
    settings.error("siblings", fmt::format("must name an AS in one group only, not AS{}", *twice));
  return std::make_unique<RouteLeak>(common, std::move(s));
}

RouteLeak::RouteLeak(const PathFindingSettings& common, RouteLeakSettings settings)
    : PathFindings(common),
      tier1_(std::move(settings.tier1)),
      no_transit_(std::move(settings.no_transit)),
      customers_(std::move(settings.customers)),
      lateral_(std::move(settings.lateral)) {
  for (std::size_t number = 0; number < settings.siblings.size(); ++number)
    for (const Asn as : settings.siblings[number]) group_of_.emplace(as, number);
}

bool RouteLeak::is_one_network(Asn a, Asn b) const {
  if (a == b) return true;
  const auto group = group_of_.find(a), other = group_of_.find(b);
  return group != group_of_.end() && other != group_of_.end() && group->second == other->second;
}

/// An AS_SET names nobody: neither who leaked nor to whom.
bool RouteLeak::is_other(Asn as, Asn network) const {
  return as != 0 && !is_one_network(as, network);
}

std::optional<Finding> RouteLeak::judge(PathView path) const {
  const CollapsedHops collapsed(path.as_path(), host().route_server_ases());
  const std::span<const Asn> hops = collapsed.hops();
  if (const auto otc = path.only_to_customer())
    if (const auto found = judge_otc(hops, *otc)) return found;
  if (const auto found = judge_tier1(hops)) return found;
  return judge_no_transit(hops);
}

/// RFC 9234 5: the attribute names the AS from which on the route may only go down. Where our own
/// relation to the neighbour is known it decides; otherwise a network without upstreams that stands
/// beyond the next AS must have had it from a customer or a lateral peer. Siblings of either end
/// are no next AS.
std::optional<Finding> RouteLeak::judge_otc(std::span<const Asn> hops, Asn otc) const {
  if (hops.empty()) return std::nullopt;
  const Asn from = hops.front(), next = hops.size() > 1 ? hops[1] : 0;
  if (customers_.contains(from)) return Finding{kOtcFromCustomer, from, 0, next};
  if (lateral_.contains(from) && otc != from) return Finding{kOtcFromPeer, from, 0, next};
  const auto at = std::find(hops.begin(), hops.end(), otc);
  if (at == hops.end()) return std::nullopt;
  for (auto hop = hops.begin(); hop + 1 < at; ++hop)
    if (tier1_.contains(*hop)) {
      const auto by = std::find_if(hop + 1, at, [&](Asn as) {
        return is_other(as, *hop) && is_other(as, otc);
      });
      if (by != at) return Finding{kOtcUpwards, *by, *hop, *(by + 1)};
    }
  return std::nullopt;
}

std::optional<Finding> RouteLeak::judge_tier1(std::span<const Asn> hops) const {
  std::size_t last = hops.size();
  for (std::size_t i = 0; i < hops.size(); ++i) {
    if (!tier1_.contains(hops[i])) continue;
    // The network next to the second one had the route from it: it leaked, or one between did.
    if (last < hops.size() && !is_one_network(hops[last], hops[i]))
      for (std::size_t by = i - 1; by > last; --by)
        if (is_other(hops[by], hops[i]) && is_other(hops[by], hops[last]))
          return Finding{kTier1, hops[by], hops[last], hops[i]};
    last = i;
  }
  return std::nullopt;
}

std::optional<Finding> RouteLeak::judge_no_transit(std::span<const Asn> hops) const {
  for (std::size_t i = 1; i + 1 < hops.size(); ++i) {
    if (!no_transit_.contains(hops[i])) continue;
    const auto other = [&](Asn as) { return is_other(as, hops[i]); };
    const auto here = hops.begin() + static_cast<std::ptrdiff_t>(i);
    const auto left = std::find_if(std::reverse_iterator(here), hops.rend(), other);
    const auto right = std::find_if(here + 1, hops.end(), other);
    if (left != hops.rend() && right != hops.end() && !no_transit_.contains(*left))
      return Finding{kNoTransit, hops[i], *left, *right};
  }
  return std::nullopt;
}

PathFindings::Text RouteLeak::describe(const Finding& f) const {
  Text text;
  std::string_view kind = "otc";
  switch (static_cast<Kind>(f.kind)) {
    case kOtcFromCustomer:
      text.rule = "a customer sent a route that carries Only-to-Customer (RFC 9234 5)";
      text.what = fmt::format("our customer AS{} leaks routes that it had to keep", f.as);
      break;
    case kOtcFromPeer:
      text.rule =
          "a lateral peer sent a route that another AS marked Only-to-Customer (RFC 9234 5)";
      text.what = fmt::format("our lateral peer AS{} leaks routes that it had to keep", f.as);
      break;
    case kOtcUpwards:
      text.rule = "a route marked Only-to-Customer (RFC 9234) reached a network without upstreams";
      text.what = passes_on(f) + ", though they are marked Only-to-Customer";
      break;
    case kTier1:
      kind = "tier1";
      text.rule = "a path passes two networks without upstreams with others between them";
      text.what = passes_on(f) + ", both of which have no upstreams";
      break;
    case kNoTransit:
      kind = "no-transit";
      text.rule = "a network that carries nobody's routes stands between two others";
      text.what = passes_on(f) + ", though it carries nobody's routes";
      break;
  }
  text.fields.push_back({"kind", std::string(kind)});
  text.fields.push_back({"leaker_as", std::int64_t{f.as}});
  if (f.left != 0) text.fields.push_back({"leaked_to_as", std::int64_t{f.left}});
  if (f.right != 0) text.fields.push_back({"leaked_from_as", std::int64_t{f.right}});
  return text;
}

}  // namespace lapwing::detectors
