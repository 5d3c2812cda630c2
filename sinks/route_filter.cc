#include "sinks/route_filter.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace lapwing::sinks {

namespace {

struct WellKnown {
  std::string_view name;
  std::uint32_t value;
};
// IANA "BGP Well-known Communities".
constexpr WellKnown kWellKnown[] = {{"graceful-shutdown", 0xffff0000},
                                    {"blackhole", 0xffff029a},
                                    {"no-export", 0xffffff01},
                                    {"no-advertise", 0xffffff02},
                                    {"no-export-subconfed", 0xffffff03},
                                    {"no-peer", 0xffffff04}};

// "1:2:3" as numbers below 2^32; empty where it is something else.
std::vector<std::uint32_t> numbers_of(std::string_view text) {
  std::vector<std::uint32_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::uint32_t value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc{}) return {};
    numbers.push_back(value);
    if (rest == end) return numbers;
    if (*rest != ':') return {};
    at = rest + 1;
  }
}

void put_u32(std::uint8_t* out, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

template <std::size_t N>
bool holds_all(const PathView& path, std::uint8_t type,
               const std::vector<std::array<std::uint8_t, N>>& wanted) {
  if (wanted.empty()) return true;
  const auto value = path.find(type);
  if (!value) return false;
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& community) {
    for (std::size_t at = 0; at + N <= value->size(); at += N)
      if (std::equal(community.begin(), community.end(), value->begin() + static_cast<long>(at)))
        return true;
    return false;
  });
}

}  // namespace

std::optional<Prefix> prefix_or_address(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return parse_prefix(text, true);
  const auto address = parse_address(text);
  if (!address) return std::nullopt;
  return Prefix::make(*address, address->version == IpVersion::kV4 ? 32 : 128);
}

std::string RouteFilter::read(const HttpRequest& request) {
  const auto read_as = [&request](std::string_view name, std::optional<Asn>& out) {
    std::uint64_t value = 0;
    const auto wrong = request.number_parameter(name, 0, 0xffffffff, value);
    if (!wrong && request.parameter(name)) out = static_cast<Asn>(value);
    return wrong.value_or("");
  };
  for (const auto& [name, out] : {std::pair("origin", &origin_), std::pair("transit", &transit_),
                                  std::pair("as", &as_)})
    if (std::string wrong = read_as(name, *out); !wrong.empty()) return wrong;
  if (const auto text = request.parameter("family")) {
    family_ = parse_family(*text);
    if (!family_) return "family must be one such as ipv4-unicast";
  }
  for (const std::string& text : request.parameters("community"))
    if (std::string wrong = read_community(text); !wrong.empty()) return wrong;
  return {};
}

std::string RouteFilter::read_community(std::string_view text) {
  const auto known = std::find_if(std::begin(kWellKnown), std::end(kWellKnown),
                                  [&](const WellKnown& k) { return k.name == text; });
  if (known != std::end(kWellKnown)) {
    put_u32(communities_.emplace_back().data(), known->value);
    return {};
  }
  const std::vector<std::uint32_t> parts = numbers_of(text);
  if (parts.size() == 2 && parts[0] <= 0xffff && parts[1] <= 0xffff) {
    put_u32(communities_.emplace_back().data(), parts[0] << 16 | parts[1]);
    return {};
  }
  if (parts.size() == 3) {
    auto& large = large_.emplace_back();
    for (std::size_t i = 0; i < 3; ++i) put_u32(large.data() + 4 * i, parts[i]);
    return {};
  }
  return "community must be one such as 64500:1, a large one such as 64500:1:2, or a name such as "
         "no-export";
}

bool RouteFilter::matches(const Nlri& nlri, const PathView& path) const {
  if (family_ && nlri.family != *family_) return false;
  if ((origin_ || transit_ || as_) && !matches_path(path.as_path())) return false;
  return matches_communities(path);
}

// An AS_SET at the end: each of its members may be the origin.
bool RouteFilter::matches_path(AsPathView path) const {
  bool transit = false, any = false;            // on the path
  bool is_origin = false, transit_is_origin = false;
  AsPathSegment segment;
  while (path.next(segment)) {
    const bool set =
        segment.type == SegmentType::kAsSet || segment.type == SegmentType::kAsConfedSet;
    is_origin = transit_is_origin = false;
    Asn as = 0;
    for (std::uint32_t left = segment.size; segment.next(as); --left) {
      any = any || (as_ && as == *as_);
      transit = transit || (transit_ && as == *transit_);
      if (!set && left != 1) continue;
      is_origin = is_origin || (origin_ && as == *origin_);
      transit_is_origin = transit_is_origin || (transit_ && as == *transit_);
    }
  }
  return (!origin_ || is_origin) && (!transit_ || (transit && !transit_is_origin)) &&
         (!as_ || any);
}

bool RouteFilter::matches_communities(const PathView& path) const {
  return holds_all(path, attribute::kCommunities, communities_) &&
         holds_all(path, attribute::kLargeCommunity, large_);
}

}  // namespace lapwing::sinks
