#include "bgp/open.h"

#include <algorithm>
#include <cstring>

#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

constexpr std::uint8_t kVersion = 4;
constexpr std::uint8_t kCapabilitiesParameter = 2;  // RFC 5492 4
constexpr std::uint8_t kExtendedParameters = 255;   // RFC 9072 2
constexpr std::size_t kMinOrfSize = 5;              // RFC 5291 5: one entry without types
constexpr std::uint8_t kForwarding = 0x80;
constexpr std::uint16_t kRestarting = 0x8000;
constexpr std::uint16_t kNotificationBit = 0x4000;
constexpr std::uint16_t kRestartTimeMask = 0x0fff;
/// How long a neighbour should wait for us after a restart. We have no routes to lose.
constexpr std::uint16_t kRestartTime = 120;

constexpr std::uint8_t kSupportedVersion[] = {0, kVersion};

Notification open_error(std::uint8_t subcode, Octets data = {}) {
  return {error::kOpen, subcode, data};
}

void decode_graceful_restart(Cursor in, Capabilities& out) {
  const std::uint16_t flags = in.u16();
  if (!out.graceful_restart) {
    out.graceful_restart.emplace();
    out.graceful_restart->restarting = (flags & kRestarting) != 0;
    out.graceful_restart->notification = (flags & kNotificationBit) != 0;
    out.graceful_restart->time = flags & kRestartTimeMask;
  }
  while (in.left() >= 4) {
    GracefulRestartFamily f;
    f.family.afi = in.u16();
    f.family.safi = in.u8();
    f.forwarding = (in.u8() & kForwarding) != 0;
    out.graceful_restart->families.push_back(f);
  }
}

/// False when a length inside is not right.
bool decode_text(Cursor& in, std::string& out) {
  const Octets text = in.take(in.u8());
  if (!in.ok()) return false;
  if (out.empty()) out.assign(text.begin(), text.end());
  return true;
}

void decode_fqdn(Cursor in, Capabilities& out) {
  std::string host;
  std::string domain;
  if (!decode_text(in, host) || (!in.empty() && !decode_text(in, domain))) return;
  if (out.host_name.empty()) {
    out.host_name = std::move(host);
    out.domain_name = std::move(domain);
  }
}

void decode_add_path(Cursor in, Capabilities& out) {
  if (in.left() % 4 != 0) return;
  while (!in.empty()) {
    AddPathFamily f;
    f.family.afi = in.u16();
    f.family.safi = in.u8();
    const std::uint8_t mode = in.u8();
    if (mode < 1 || mode > 3) continue;  // RFC 7911 4: ignored
    f.receive = (mode & 1) != 0;
    f.send = (mode & 2) != 0;
    out.add_path.push_back(f);
  }
}

void decode_extended_next_hop(Cursor in, Capabilities& out) {
  if (in.left() % 6 != 0) return;
  while (!in.empty()) {
    ExtendedNextHop e;
    e.family.afi = in.u16();
    e.family.safi = static_cast<std::uint8_t>(in.u16());
    e.next_hop_afi = in.u16();
    out.extended_next_hop.push_back(e);
  }
}

void decode_long_lived(Cursor in, Capabilities& out) {
  if (in.left() % 7 != 0) return;
  while (!in.empty()) {
    LongLivedFamily f;
    f.family.afi = in.u16();
    f.family.safi = in.u8();
    f.forwarding = (in.u8() & kForwarding) != 0;
    f.stale_time = in.u24();
    out.long_lived.push_back(f);
  }
}

/// False when the length of a capability that we must understand cannot be right (2/0).
bool decode_capability(std::uint8_t code, Cursor in, Capabilities& out) {
  const std::size_t size = in.left();
  switch (code) {
    case capability::kMultiprotocol: {
      if (size != 4) return false;
      Family family;
      family.afi = in.u16();
      in.u8();  // reserved
      family.safi = in.u8();
      if (std::find(out.families.begin(), out.families.end(), family) == out.families.end())
        out.families.push_back(family);
      return true;
    }
    case capability::kRouteRefresh:
      out.route_refresh = true;
      return true;
    case capability::kExtendedNextHop:
      decode_extended_next_hop(in, out);
      return true;
    case capability::kExtendedMessage:
      out.extended_message = true;
      return true;
    case capability::kRole:
      if (size != 1) return false;
      if (!out.role) out.role = in.u8();
      return true;
    case capability::kGracefulRestart:
      if (size < 2 || (size - 2) % 4 != 0) return false;
      decode_graceful_restart(in, out);
      return true;
    case capability::kFourOctetAs:
      if (size != 4) return false;
      if (!out.four_octet_as) out.four_octet_as = in.u32();
      return true;
    case capability::kAddPath:
      decode_add_path(in, out);
      return true;
    case capability::kEnhancedRouteRefresh:
      out.enhanced_route_refresh = true;
      return true;
    case capability::kLongLivedGracefulRestart:
      decode_long_lived(in, out);
      return true;
    case capability::kFqdn:
      decode_fqdn(in, out);
      return true;
    case capability::kSoftwareVersion:
      decode_text(in, out.software_version);
      return true;
    default:
      break;
  }
  if (code == capability::kOutboundRouteFiltering && size < kMinOrfSize) return false;
  const Octets value = in.rest();
  out.unknown.push_back({code, {value.begin(), value.end()}});
  return true;
}

std::optional<Notification> decode_parameters(Cursor in, bool extended, Capabilities& out) {
  while (!in.empty()) {
    const std::uint8_t type = in.u8();
    Cursor parameter = in.cut(extended ? in.u16() : in.u8());
    if (!in.ok()) return open_error(error::kOpenUnspecific);
    if (type != kCapabilitiesParameter) return open_error(error::kUnsupportedParameter);
    while (!parameter.empty()) {
      const std::uint8_t code = parameter.u8();
      const Cursor value = parameter.cut(parameter.u8());
      if (!parameter.ok() || !decode_capability(code, value, out))
        return open_error(error::kOpenUnspecific);
    }
  }
  return std::nullopt;
}

void put_family(Family family, std::vector<std::uint8_t>& out) {
  put_u16(out, family.afi);
  put_u8(out, family.safi);
}

/// Appends code, length and what `fill` appends.
template <typename Fill>
void put_capability(std::uint8_t code, std::vector<std::uint8_t>& out, Fill fill) {
  put_u8(out, code);
  const std::size_t length_at = out.size();
  put_u8(out, 0);
  fill();
  const std::size_t size = out.size() - length_at - 1;
  out[length_at] = static_cast<std::uint8_t>(std::min<std::size_t>(size, 255));
  out.resize(length_at + 1 + out[length_at]);
}

void put_text(const std::string& text, std::vector<std::uint8_t>& out) {
  constexpr std::size_t kMax = 126;  // so that host and domain name fit into one capability
  const std::size_t size = std::min(text.size(), kMax);
  put_u8(out, static_cast<unsigned>(size));
  out.insert(out.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
}

void put_graceful_restart(const GracefulRestart& restart, std::vector<std::uint8_t>& out) {
  put_u16(out, (restart.restarting ? kRestarting : 0u) |
                   (restart.notification ? kNotificationBit : 0u) |
                   (restart.time & kRestartTimeMask));
  for (const GracefulRestartFamily& f : restart.families) {
    put_family(f.family, out);
    put_u8(out, f.forwarding ? kForwarding : 0);
  }
}

std::vector<std::uint8_t> encode_capabilities(const Capabilities& c) {
  std::vector<std::uint8_t> out;
  const auto nothing = [] {};
  for (const Family family : c.families)
    put_capability(capability::kMultiprotocol, out, [&] {
      put_u16(out, family.afi);
      put_u16(out, family.safi);
    });
  if (c.route_refresh) put_capability(capability::kRouteRefresh, out, nothing);
  if (!c.extended_next_hop.empty())
    put_capability(capability::kExtendedNextHop, out, [&] {
      for (const ExtendedNextHop& e : c.extended_next_hop) {
        put_u16(out, e.family.afi);
        put_u16(out, e.family.safi);
        put_u16(out, e.next_hop_afi);
      }
    });
  if (c.extended_message) put_capability(capability::kExtendedMessage, out, nothing);
  if (c.role) put_capability(capability::kRole, out, [&] { put_u8(out, *c.role); });
  if (c.graceful_restart)
    put_capability(capability::kGracefulRestart, out,
                   [&] { put_graceful_restart(*c.graceful_restart, out); });
  if (c.four_octet_as)
    put_capability(capability::kFourOctetAs, out, [&] { put_u32(out, *c.four_octet_as); });
  if (!c.add_path.empty())
    put_capability(capability::kAddPath, out, [&] {
      for (const AddPathFamily& f : c.add_path) {
        put_family(f.family, out);
        put_u8(out, (f.receive ? 1u : 0u) | (f.send ? 2u : 0u));
      }
    });
  if (c.enhanced_route_refresh) put_capability(capability::kEnhancedRouteRefresh, out, nothing);
  if (!c.long_lived.empty())
    put_capability(capability::kLongLivedGracefulRestart, out, [&] {
      for (const LongLivedFamily& f : c.long_lived) {
        put_family(f.family, out);
        put_u32(out, (f.forwarding ? 0x80000000u : 0u) | (f.stale_time & 0xffffff));
      }
    });
  if (!c.host_name.empty())
    put_capability(capability::kFqdn, out, [&] {
      put_text(c.host_name, out);
      put_text(c.domain_name, out);
    });
  if (!c.software_version.empty())
    put_capability(capability::kSoftwareVersion, out, [&] { put_text(c.software_version, out); });
  for (const UnknownCapability& u : c.unknown)
    put_capability(u.code, out, [&] { put_octets(out, u.value); });
  return out;
}

bool roles_match(Role ours, std::uint8_t theirs) {
  const auto is = [theirs](Role role) { return theirs == static_cast<std::uint8_t>(role); };
  switch (ours) {
    case Role::kProvider:
      return is(Role::kCustomer);
    case Role::kCustomer:
      return is(Role::kProvider);
    case Role::kRouteServer:
      return is(Role::kRouteServerClient);
    case Role::kRouteServerClient:
      return is(Role::kRouteServer);
    case Role::kPeer:
      return is(Role::kPeer);
  }
  return false;
}

FamilySet announced_families(const Capabilities& c) {
  FamilySet set;
  for (const Family family : c.families) set.insert(family);
  if (c.families.empty()) set.insert(kIpv4Unicast);  // RFC 4760 8
  return set;
}

FamilySet add_path_families(const Capabilities& c, bool AddPathFamily::*direction) {
  FamilySet set;
  for (const AddPathFamily& f : c.add_path)
    if (f.*direction) set.insert(f.family);
  return set;
}

FamilySet ipv6_next_hop_families(const Capabilities& c) {
  FamilySet set;
  for (const ExtendedNextHop& e : c.extended_next_hop)
    if (e.family.afi == kAfiIpv4 && e.next_hop_afi == kAfiIpv6) set.insert(e.family);
  return set;
}

}  // namespace

Open make_open(const NeighborConfig& neighbor, const IpAddress& router_id, bool restarting) {
  Open open;
  open.as = neighbor.local_as;
  open.hold_time = neighbor.hold_time;
  open.router_id = router_id;
  Capabilities& c = open.capabilities;
  c.families = neighbor.families;
  c.route_refresh = true;
  c.enhanced_route_refresh = true;
  c.extended_message = neighbor.extended_messages;
  c.four_octet_as = neighbor.local_as;
  if (neighbor.role) c.role = static_cast<std::uint8_t>(*neighbor.role);
  c.graceful_restart = GracefulRestart{restarting, true, kRestartTime, {}};
  for (const Family family : neighbor.families) {
    c.graceful_restart->families.push_back({family, false});
    // Harmless for a neighbour that has no use for it; needed where the session runs over IPv6.
    if (family.afi == kAfiIpv4) c.extended_next_hop.push_back({family, kAfiIpv6});
  }
  for (const Family family : neighbor.add_path) c.add_path.push_back({family, true, false});
  return open;
}

void encode_open(const Open& open, std::vector<std::uint8_t>& out) {
  const std::size_t start = begin_message(MessageType::kOpen, out);
  put_u8(out, open.version);
  put_u16(out, open.as > 0xffff ? kAsTrans : open.as);
  put_u16(out, open.hold_time);
  put_octets(out, Octets(open.router_id.bytes).first(4));
  const std::vector<std::uint8_t> capabilities = encode_capabilities(open.capabilities);
  constexpr std::size_t kMaxShort = 255 - 2;
  if (capabilities.empty()) {
    put_u8(out, 0);
  } else if (capabilities.size() <= kMaxShort) {
    put_u8(out, static_cast<unsigned>(capabilities.size() + 2));
    put_u8(out, kCapabilitiesParameter);
    put_u8(out, static_cast<unsigned>(capabilities.size()));
  } else {
    put_u8(out, kExtendedParameters);
    put_u8(out, kExtendedParameters);
    put_u16(out, static_cast<unsigned>(capabilities.size() + 3));
    put_u8(out, kCapabilitiesParameter);
    put_u16(out, static_cast<unsigned>(capabilities.size()));
  }
  put_octets(out, capabilities);
  end_message(start, out);
}

std::optional<Notification> decode_open(Octets body, Open& out) {
  out = Open();
  Cursor in(body);
  out.version = in.u8();
  if (in.ok() && out.version != kVersion)
    return open_error(error::kUnsupportedVersion, kSupportedVersion);
  out.as_field = in.u16();
  out.as = out.as_field;
  out.hold_time = in.u16();
  const Octets router_id = in.take(4);
  std::size_t size = in.u8();
  if (!in.ok()) return open_error(error::kOpenUnspecific);
  std::memcpy(out.router_id.bytes.data(), router_id.data(), router_id.size());
  // RFC 9072 2: the first type says so; the length before it is then without meaning, but not 0.
  const bool extended = size != 0 && !in.empty() && *in.at() == kExtendedParameters;
  if (extended) {
    in.u8();
    size = in.u16();
  }
  if (!in.ok() || size != in.left()) return open_error(error::kOpenUnspecific);
  if (const auto error = decode_parameters(in, extended, out.capabilities)) return error;
  if (out.capabilities.four_octet_as) out.as = *out.capabilities.four_octet_as;
  return std::nullopt;
}

std::optional<Notification> check_open(const Open& theirs, const OpenExpectation& expected) {
  const bool as_contradicts = theirs.as != theirs.as_field && theirs.as_field != kAsTrans;
  if (theirs.as == 0 || theirs.as_field == 0 || as_contradicts ||
      (expected.peer_as != 0 && theirs.as != expected.peer_as))
    return open_error(error::kBadPeerAs);
  // RFC 6286 2.2: any other identifier than zero; unique within an AS.
  const bool internal = theirs.as == expected.local_as;
  if (theirs.router_id == IpAddress() || (internal && theirs.router_id == expected.router_id))
    return open_error(error::kBadIdentifier);
  if (theirs.hold_time == 1 || theirs.hold_time == 2)
    return open_error(error::kUnacceptableHoldTime);
  // RFC 9234 4.2: of eBGP sessions only, and only when both sides have said their role.
  if (!internal && expected.role && theirs.capabilities.role &&
      !roles_match(*expected.role, *theirs.capabilities.role))
    return open_error(error::kRoleMismatch);
  return std::nullopt;
}

SessionParameters negotiate(const Open& ours, const Open& theirs) {
  const Capabilities& we = ours.capabilities;
  const Capabilities& they = theirs.capabilities;
  SessionParameters p;
  p.kind = ours.as == theirs.as ? PeerKind::kInternal : PeerKind::kExternal;
  p.local_as = ours.as;
  p.peer_as = theirs.as;
  p.local_router_id = ours.router_id;
  p.peer_router_id = theirs.router_id;
  p.families = announced_families(we) & announced_families(they);
  p.add_path = p.families & add_path_families(we, &AddPathFamily::receive) &
               add_path_families(they, &AddPathFamily::send);
  p.extended_next_hop = p.families & ipv6_next_hop_families(we) & ipv6_next_hop_families(they);
  p.four_octet_as = we.four_octet_as && they.four_octet_as;
  p.extended_messages = we.extended_message && they.extended_message;
  p.route_refresh = we.route_refresh && they.route_refresh;
  p.enhanced_route_refresh = we.enhanced_route_refresh && they.enhanced_route_refresh;
  if (they.graceful_restart) {
    const GracefulRestart& restart = *they.graceful_restart;
    p.graceful_restart = true;
    p.peer_restarting = restart.restarting;
    p.graceful_notification =
        restart.notification && we.graceful_restart && we.graceful_restart->notification;
    p.restart_time = restart.time;
    for (const GracefulRestartFamily& f : restart.families) {
      if (!p.families.contains(f.family)) continue;
      p.restart_families.insert(f.family);
      if (f.forwarding) p.forwarding_families.insert(f.family);
    }
  }
  for (const LongLivedFamily& f : they.long_lived)
    if (p.families.contains(f.family))
      p.long_lived_time[static_cast<std::size_t>(FamilySet::index(f.family))] = f.stale_time;
  p.hold_time = std::min(ours.hold_time, theirs.hold_time);
  p.keepalive_interval = static_cast<std::uint16_t>(p.hold_time / 3);
  return p;
}

}  // namespace lapwing::bgp
