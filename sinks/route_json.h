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

namespace lapwing::sinks {

class JsonObject;

void append_route_json(std::string& out, const StoredRoute& route);
/// The members prefix, family, rd and path_id.
void append_nlri_members(JsonObject& object, const Nlri& nlri);
/// The members from as_path to otc as an object of their own; null where there is no route.
void append_path_json(std::string& out, const std::optional<std::vector<std::uint8_t>>& octets);

/// "64500:1" or "192.0.2.1:1" (RFC 4364 4.2).
std::string format_route_distinguisher(std::uint64_t rd);

/// True when every attribute lies within `octets` and those read here have their lengths.
bool is_readable(Octets octets);

}  // namespace lapwing::sinks
