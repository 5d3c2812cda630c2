#include "detectors/route_leak.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "detectors/adjacency.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

// Networks that are commonly taken to have no upstream. AT&T, Lumen, Deutsche Telekom, GTT, Liberty
// Global, NTT, Orange, PCCW, Tata, Sparkle, Arelion, Telxius, Verizon, Zayo.
const std::vector<Asn> kTier1{7018, 3356, 3320, 3257,  6830, 2914, 5511,
                              3491, 6453, 6762, 12956, 1299, 701,  6461};
// Networks of content that sell no transit: Google, Meta, Netflix, Apple.
const std::vector<Asn> kNoTransitNetworks{15169, 32934, 2906, 714};

bool names(const std::vector<Asn>& sorted, Asn as) {
  return std::binary_search(sorted.begin(), sorted.end(), as);
}

std::string passes_on(const Finding& f) {
  return fmt::format("AS{} passes routes of AS{} on to AS{}", f.as, f.right, f.left);
}

}  // namespace

std::unique_ptr<Detector> make_route_leak(Settings& settings) {
  PathFindingSettings common;
  common.all = scope_setting(settings, true);
  common.window = seconds_setting(settings, "window", common.window, 1, 86400);
  common.linger = seconds_setting(settings, "linger", common.linger, 1, 86400);
  RouteLeakSettings s;
  s.tier1 = as_setting(settings, "tier1", kTier1);
  s.no_transit = as_setting(settings, "no-transit", kNoTransitNetworks);
  s.customers = as_setting(settings, "customers", {});
  s.lateral = as_setting(settings, "lateral-peers", {});
  return std::make_unique<RouteLeak>(common, std::move(s));
}

std::optional<Finding> RouteLeak::judge(PathView path) const {
  std::vector<Asn> hops = collapsed_hops(path.as_path(), host().route_server_ases());
  if (const auto otc = path.only_to_customer())
    if (const auto found = judge_otc(hops, *otc)) return found;
  if (const auto found = judge_tier1(hops)) return found;
  return judge_no_transit(hops);
}

/// RFC 9234 5: the attribute names the AS from which on the route may only go down. Where our own
/// relation to the neighbour is known it decides; otherwise a network without upstreams that stands
/// beyond the next AS must have had it from a customer or a lateral peer.
std::optional<Finding> RouteLeak::judge_otc(const std::vector<Asn>& hops, Asn otc) const {
  if (hops.empty()) return std::nullopt;
  const Asn from = hops.front(), next = hops.size() > 1 ? hops[1] : 0;
  if (names(settings_.customers, from)) return Finding{kOtcFromCustomer, from, 0, next};
  if (names(settings_.lateral, from) && otc != from) return Finding{kOtcFromPeer, from, 0, next};
  const auto at = std::find(hops.begin(), hops.end(), otc);
  if (at == hops.end()) return std::nullopt;
  for (auto hop = hops.begin(); hop + 1 < at; ++hop)
    if (names(settings_.tier1, *hop)) {
      const auto by = hop + 1;
      return Finding{kOtcUpwards, *by, *hop, by + 1 < hops.end() ? *(by + 1) : 0};
    }
  return std::nullopt;
}

std::optional<Finding> RouteLeak::judge_tier1(const std::vector<Asn>& hops) const {
  std::size_t last = hops.size();
  for (std::size_t i = 0; i < hops.size(); ++i) {
    if (!names(settings_.tier1, hops[i])) continue;
    // The AS next to the second one had the route from it: it leaked, or one between did.
    if (last < hops.size() && i - last > 1 && hops[last] != hops[i])
      return Finding{kTier1, hops[i - 1], hops[last], hops[i]};
    last = i;
  }
  return std::nullopt;
}

std::optional<Finding> RouteLeak::judge_no_transit(const std::vector<Asn>& hops) const {
  for (std::size_t i = 1; i + 1 < hops.size(); ++i)
    if (names(settings_.no_transit, hops[i]) && !names(settings_.no_transit, hops[i - 1]))
      return Finding{kNoTransit, hops[i], hops[i - 1], hops[i + 1]};
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
      text.rule = "a lateral peer sent a route that another AS marked Only-to-Customer (RFC 9234 5)";
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
