// Changes of routes and sessions as messages of RIPE's RIS Live:
// https://ris-live.ripe.net/manual/ (ris_message).
//
// A message is what one UPDATE changed in a neighbour's Adj-RIB-In, or one session that came up or
// went down. It is made of changes, not of the UPDATE's octets, and differs from RIS Live in this:
// what an UPDATE repeats is not told; one with very many prefixes may come in several messages;
// `raw` and messages of the types OPEN, NOTIFICATION and KEEPALIVE do not occur. `host` is the
// collector's host, `peer_name` (which RIS Live has not) the neighbour's configured name; large and
// extended communities, and ADD-PATH's identifier (RFC 7911), have the members `large_community`,
// `extended_community` and `path_id`. Families other than unicast are not told.
// Thread: any. Owns: nothing; the changes outlive the spans.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/path.h"
#include "lapwing/update_feed.h"

namespace lapwing::sinks {

/// The changes of one message, never empty: announcements of one path, and withdrawals; or one
/// change of a session.
using RisChanges = std::span<const RouteUpdate>;

/// Takes the changes of the next message off the front of `rest`, which must not be empty.
RisChanges take_ris_changes(std::span<const RouteUpdate>& rest);

/// True where RIS Live has a form for it.
bool is_ris_change(const RouteUpdate& update);

/// The attributes that its announcements share, but for the next hop; nullptr where there are none.
const std::vector<std::uint8_t>* ris_path(RisChanges changes);

/// One ASN of a path, or a set: its ASNs ascending, each once.
struct RisHop {
  bool set = false;
  std::vector<Asn> ases;
  friend bool operator==(const RisHop&, const RisHop&) = default;
};

std::vector<RisHop> ris_hops(AsPathView path);

/// {"type":"ris_message","data":{…}}, without an end of line.
void append_ris_message(std::string& out, RisChanges changes, std::string_view host);

/// {"type":"ris_error","data":{"message":…}}
std::string ris_error(std::string_view message);

}  // namespace lapwing::sinks
