#include "sinks/ris_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "lapwing/path.h"
#include "lapwing/sort_unique.h"
#include "sinks/json_object.h"
#include "sinks/route_json.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

bool belongs_to(const RouteUpdate& update, RisChanges message) {
  const RouteUpdate& first = message.front();
  if (first.session != SessionNews::kNone || update.session != SessionNews::kNone) return false;
  if (update.message != first.message || update.peer != first.peer ||
      update.time != first.time || update.nlri.has_path_id != first.nlri.has_path_id ||
      update.nlri.path_id != first.nlri.path_id)
    return false;
  const auto* path = ris_path(message);
  return !update.after || path == nullptr || *path == *update.after;
}

// [[a,b],…] of items that are made of `count` numbers of `size` octets.
void append_numbers(std::string& out, JsonObject& object, const JsonName& name,
                    const std::vector<Octets>& items, std::size_t size) {
  object.list(name, items, [&](Octets item) {
    for (std::size_t at = 0; at < item.size(); at += size) {
      out += at == 0 ? '[' : ',';
      append_number(out, size == 2 ? read_u16(item.data() + at) : read_u32(item.data() + at));
    }
    out += ']';
  });
}

void append_attributes(std::string& out, JsonObject& data, const PathView& path) {
  data.list("path", ris_hops(path.as_path()), [&out](const RisHop& hop) {
    if (hop.set) out += '[';
    for (std::size_t i = 0; i < hop.ases.size(); ++i) {
      if (i > 0) out += ',';
      append_number(out, hop.ases[i]);
    }
    if (hop.set) out += ']';
  });
  append_numbers(out, data, "community", attribute_items(path, attribute::kCommunities, 4), 2);
  if (const auto large = attribute_items(path, attribute::kLargeCommunity, 12); !large.empty())
    append_numbers(out, data, "large_community", large, 4);
  if (const auto texts = extended_community_texts(path); !texts.empty())
    data.list("extended_community", texts,
              [&out](const std::string& text) { append_json(out, text); });
  if (path.origin().value_or(3) <= 2) data.text("origin", *origin_text(path));
  if (const auto med = path.multi_exit_disc()) data.number("med", *med);
  if (const auto value = path.find(attribute::kAggregator))
    data.text("aggregator",
              fmt::format("{}:{}", read_u32(value->data()), ipv4_text(value->data() + 4)));
}

// RFC 2545 3: a link-local address may stand after the global one.
std::vector<IpAddress> next_hops(const PathView& path) {
  std::vector<IpAddress> hops;
  if (const auto global = path.next_hop()) hops.push_back(*global);
  if (const auto value = path.find(attribute::kNextHop); value && value->size() == 32) {
    hops.push_back(hops.front());
    std::memcpy(hops.back().bytes.data(), value->data() + 16, 16);
  }
  return hops;
}

void append_prefixes(std::string& out, JsonObject& object, const JsonName& name,
                     RisChanges changes, bool announced) {
  std::vector<Prefix> prefixes;
  for (const RouteUpdate& update : changes)
    if (update.after.has_value() == announced) prefixes.push_back(update.nlri.prefix);
  object.list(name, prefixes, [&out](const Prefix& prefix) {
    out += '"';
    append_prefix(out, prefix);
    out += '"';
  });
}

void append_routes(std::string& out, JsonObject& data, RisChanges changes) {
  const auto* octets = ris_path(changes);
  if (octets != nullptr) {
    const PathView path = is_readable(*octets) ? PathView(*octets) : PathView();
    append_attributes(out, data, path);
    data.list("announcements", next_hops(path), [&](const IpAddress& hop) {
      JsonObject announcement(out);
      announcement.text("next_hop", format_address(hop));
      append_prefixes(out, announcement, "prefixes", changes, true);
    });
  }
  if (std::any_of(changes.begin(), changes.end(),
                  [](const RouteUpdate& update) { return !update.after; }))
    append_prefixes(out, data, "withdrawals", changes, false);
  if (changes.front().nlri.has_path_id) data.number("path_id", changes.front().nlri.path_id);
}

}  // namespace

RisChanges take_ris_changes(std::span<const RouteUpdate>& rest) {
  std::size_t size = 1;
  while (size < rest.size() && belongs_to(rest[size], rest.first(size))) ++size;
  const RisChanges message = rest.first(size);
  rest = rest.subspan(size);
  return message;
}

bool is_ris_change(const RouteUpdate& update) {
  return update.session != SessionNews::kNone || update.nlri.family == kIpv4Unicast ||
         update.nlri.family == kIpv6Unicast;
}

const std::vector<std::uint8_t>* ris_path(RisChanges changes) {
  for (const RouteUpdate& update : changes)
    if (update.after) return &*update.after;
  return nullptr;
}

std::vector<RisHop> ris_hops(AsPathView path) {
  std::vector<RisHop> hops;
  AsPathSegment segment;
  while (path.next(segment)) {
    const bool set =
        segment.type == SegmentType::kAsSet || segment.type == SegmentType::kAsConfedSet;
    if (set) hops.push_back({true, {}});
    for (Asn as = 0; segment.next(as);) {
      if (set)
        hops.back().ases.push_back(as);
      else
        hops.push_back({false, {as}});
    }
    if (!set) continue;
    sort_unique(hops.back().ases);
  }
  return hops;
}

void append_ris_message(std::string& out, RisChanges changes, std::string_view host) {
  const RouteUpdate& first = changes.front();
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(
                          first.time.time_since_epoch())
                          .count();
  const std::string peer = format_address(first.peer_address);
  JsonObject message(out);
  message.text("type", "ris_message");
  message.key("data");
  JsonObject data(out);
  data.key("timestamp");
  fmt::format_to(std::back_inserter(out), "{}.{:06}", micros / 1000000, micros % 1000000);
  data.text("peer", peer);
  data.text("peer_asn", std::to_string(first.peer_as));
  data.text("id", fmt::format("{}-{:x}-{:x}", peer, micros, first.number));
  data.text("host", host);
  data.text("peer_name", first.peer);
  if (first.session == SessionNews::kNone) {
    data.text("type", "UPDATE");
    append_routes(out, data, changes);
  } else {
    data.text("type", "RIS_PEER_STATE");
    data.text("state", first.session == SessionNews::kUp ? "connected" : "down");
  }
}

std::string ris_error(std::string_view text) {
  std::string out = "{\"type\":\"ris_error\",\"data\":{\"message\":";
  append_json(out, text);
  out += "}}";
  return out;
}

}  // namespace lapwing::sinks
