#include "sinks/route_json.h"

#include <array>
#include <vector>

#include "sinks/json_object.h"

namespace lapwing::sinks {

std::vector<Octets> attribute_items(const PathView& path, std::uint8_t type, std::size_t size) {
  std::vector<Octets> items;
  const auto value = path.find(type);
  for (std::size_t at = 0; value && at + size <= value->size(); at += size)
    items.push_back(value->subspan(at, size));
  return items;
}

std::string ipv4_text(const std::uint8_t* p) {
  IpAddress address;
  std::memcpy(address.bytes.data(), p, 4);
  return format_address(address);
}

namespace {

std::string hex(Octets octets) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (const std::uint8_t b : octets) {
    text += kDigits[b >> 4];
    text += kDigits[b & 15];
  }
  return text;
}

// "ADMINISTRATOR:NUMBER" of six octets, by RFC 4360 3.1 to 3.3 and RFC 4364 4.2 (types 0, 1, 2).
std::string administered(unsigned type, const std::uint8_t* p) {
  if (type == 0) return std::to_string(read_u16(p)) + ':' + std::to_string(read_u32(p + 2));
  const std::string first = type == 1 ? ipv4_text(p) : std::to_string(read_u32(p));
  return first + ':' + std::to_string(read_u16(p + 4));
}

std::string extended_text(Octets octets) {
  const bool known = octets[0] <= 2 && (octets[1] == 2 || octets[1] == 3);
  if (!known) return hex(octets);
  return (octets[1] == 2 ? "rt:" : "soo:") + administered(octets[0], octets.data() + 2);
}

}  // namespace

std::optional<std::string> origin_text(const PathView& path) {
  static constexpr std::array<const char*, 3> kNames = {"igp", "egp", "incomplete"};
  const auto origin = path.origin();
  if (!origin) return std::nullopt;
  return *origin < kNames.size() ? kNames[*origin] : std::to_string(*origin);
}

std::vector<std::string> extended_community_texts(const PathView& path) {
  std::vector<std::string> texts;
  for (const Octets c : attribute_items(path, attribute::kExtendedCommunities, 8))
    texts.push_back(extended_text(c));
  for (const Octets c : attribute_items(path, attribute::kIpv6ExtendedCommunities, 20))
    texts.push_back(hex(c));
  return texts;
}

namespace {

void append_communities(std::string& out, JsonObject& object, const PathView& path) {
  object.list("communities", attribute_items(path, attribute::kCommunities, 4), [&out](Octets c) {
    append_json(out, std::to_string(read_u16(c.data())) + ':' +
                         std::to_string(read_u16(c.data() + 2)));
  });
  object.list("large_communities", attribute_items(path, attribute::kLargeCommunity, 12), [&out](Octets c) {
    append_json(out, std::to_string(read_u32(c.data())) + ':' +
                         std::to_string(read_u32(c.data() + 4)) + ':' +
                         std::to_string(read_u32(c.data() + 8)));
  });
  object.list("ext_communities", extended_community_texts(path),
              [&out](const std::string& text) { append_json(out, text); });
}

void append_aggregator(std::string& out, JsonObject& object, const PathView& path) {
  object.key("aggregator");
  const auto value = path.find(attribute::kAggregator);
  if (!value) {
    out += "null";
    return;
  }
  JsonObject aggregator(out);
  aggregator.number("as", read_u32(value->data()));
  aggregator.text("address", ipv4_text(value->data() + 4));
}

void append_path_members(std::string& out, JsonObject& object, const PathView& path) {
  object.text("as_path", format_as_path(path.as_path()));
  object.text_or_null("origin", origin_text(path));
  const auto next_hop = path.next_hop();
  object.text_or_null("next_hop",
                      next_hop ? std::optional(format_address(*next_hop)) : std::nullopt);
  object.number_or_null("med", path.multi_exit_disc());
  object.number_or_null("local_pref", path.local_pref());
  append_communities(out, object, path);
  append_aggregator(out, object, path);
  if (const auto otc = path.only_to_customer()) object.number("otc", *otc);
}

bool has_right_length(std::uint8_t type, std::size_t length) {
  switch (type) {
    case attribute::kOrigin: return length == 1;
    case attribute::kNextHop: return length == 4 || length == 16 || length == 32;
    case attribute::kMultiExitDisc:
    case attribute::kLocalPref:
    case attribute::kOnlyToCustomer: return length == 4;
    case attribute::kAggregator: return length == 8;
    default: return true;
  }
}

// A varint of at most five octets that ends before `end`.
std::optional<std::uint32_t> whole_varint(const std::uint8_t*& p, const std::uint8_t* end) {
  const std::uint8_t* q = p;
  while (q != end && (*q & 0x80) != 0) ++q;
  if (q == end || q - p > 4) return std::nullopt;
  return read_varint(p, end);
}

bool is_readable_path(const std::uint8_t* p, const std::uint8_t* end) {
  while (p != end) {
    if (*p < 1 || *p > 4) return false;
    ++p;
    const auto count = whole_varint(p, end);
    if (!count) return false;
    for (std::uint32_t i = 0; i < *count; ++i)
      if (!whole_varint(p, end)) return false;
  }
  return true;
}

}  // namespace

bool is_readable(Octets octets) {
  const std::uint8_t* p = octets.data();
  const std::uint8_t* const end = p + octets.size();
  while (p != end) {
    const std::uint8_t type = *p++;
    const auto length = whole_varint(p, end);
    if (!length || *length > static_cast<std::size_t>(end - p)) return false;
    if (!has_right_length(type, *length)) return false;
    if (type == attribute::kAsPath && !is_readable_path(p, p + *length)) return false;
    p += *length;
  }
  return true;
}

std::string format_route_distinguisher(std::uint64_t rd) {
  std::array<std::uint8_t, 8> octets{};
  for (std::size_t i = octets.size(); i-- > 0; rd >>= 8) octets[i] = static_cast<std::uint8_t>(rd);
  const unsigned type = read_u16(octets.data());
  return type <= 2 ? administered(type, octets.data() + 2) : hex(octets);
}

void append_nlri_members(JsonObject& object, const Nlri& nlri) {
  object.text("prefix", format_prefix(nlri.prefix));
  object.text("family", format_family(nlri.family));
  if (nlri.family.safi == kSafiVpn) object.text("rd", format_route_distinguisher(nlri.rd));
  if (nlri.has_path_id) object.number("path_id", nlri.path_id);
}

void append_path_json(std::string& out, const std::optional<std::vector<std::uint8_t>>& octets) {
  if (!octets) {
    out += "null";
    return;
  }
  const PathView path = is_readable(*octets) ? PathView(*octets) : PathView();
  JsonObject object(out);
  append_path_members(out, object, path);
}

void append_route_json(std::string& out, const StoredRoute& route) {
  const PathView path = is_readable(route.path) ? PathView(route.path) : PathView();
  JsonObject object(out);
  append_nlri_members(object, route.nlri);
  object.text("peer", route.peer);
  object.number("peer_as", route.peer_as);
  append_path_members(out, object, path);
  object.time_or_null("since", route.since);
  object.boolean("stale", route.stale);
}

}  // namespace lapwing::sinks
