// A stored route as JSON, its attributes decoded from the canonical encoding.
//
// Members in this order: prefix, family, rd, path_id, peer, peer_as, as_path, origin, next_hop, med,
// local_pref, communities, large_communities, ext_communities, aggregator, otc, since, stale. Left
// out where there is none: rd, path_id, otc. Null where there is none: origin, next_hop, med,
// local_pref, aggregator ({"as":…,"address":…}). Route targets and sites of origin of RFC 4360 are
// "rt:64500:1" and "soo:64500:1"; other extended communities are "0x" and their octets.
// Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lapwing/path.h"
#include "lapwing/reader.h"
#include "sinks/json_object.h"

namespace lapwing::sinks {

void append_route_json(std::string& out, const StoredRoute& route);
/// The members prefix, family, rd and path_id.
void append_nlri_members(JsonObject& object, const Nlri& nlri);
/// The members from as_path to otc as an object of their own; null where there is no route.
void append_path_json(std::string& out, const std::optional<std::vector<std::uint8_t>>& octets);

/// The octets of each item of a list attribute; a rest that is no whole item is left out.
std::vector<Octets> attribute_items(const PathView& path, std::uint8_t type, std::size_t size);
/// "igp", "egp" or "incomplete"; none where there is no ORIGIN.
std::optional<std::string> origin_text(const PathView& path);
/// Extended communities, those of IPv6 included, as the member ext_communities has them.
std::vector<std::string> extended_community_texts(const PathView& path);
/// "192.0.2.1" of four octets.
std::string ipv4_text(const std::uint8_t* p);

/// "64500:1" or "192.0.2.1:1" (RFC 4364 4.2).
std::string format_route_distinguisher(std::uint64_t rd);

/// True when every attribute lies within `octets` and those read here have their lengths.
bool is_readable(Octets octets);

}  // namespace lapwing::sinks
