#include "bgp/mrt_encode.h"

#include <algorithm>
#include <charconv>

#include "bgp/attribute_table.h"
#include "bgp/open.h"
#include "bgp/wire.h"

namespace lapwing::bgp::mrt {

namespace {

constexpr std::string_view kMarkPrefix = "lapwing/1 ";
constexpr std::size_t kMaxReason = 4096;

void put_address(std::vector<std::uint8_t>& out, const IpAddress& a) {
  put_octets(out, {a.bytes.data(), a.size()});
}

void put_asn(std::vector<std::uint8_t>& out, Asn as, bool four_octets) {
  if (four_octets)
    put_u32(out, as);
  else
    put_u16(out, as > 0xffff ? kAsTrans : as);
}

void set_u16(std::vector<std::uint8_t>& out, std::size_t at, std::size_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}

std::int64_t whole_seconds(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// Appends the header with a length to be set and, of BGP4MP_ET, the microseconds.
std::size_t begin_record(Timestamp time, std::uint16_t type, std::uint16_t subtype,
                         std::vector<std::uint8_t>& out) {
  const std::size_t start = out.size();
  const std::int64_t seconds = whole_seconds(time);
  put_u32(out, static_cast<std::uint32_t>(seconds));
  put_u16(out, type);
  put_u16(out, subtype);
  put_u32(out, 0);
  if (type == type::kBgp4mpEt)
    put_u32(out, static_cast<std::uint32_t>(unix_micros(time) - seconds * 1'000'000));
  return start;
}

void end_record(std::size_t start, std::vector<std::uint8_t>& out) {
  const std::size_t length = out.size() - start - kHeaderSize;
  set_u16(out, start + 8, length >> 16);
  set_u16(out, start + 10, length);
}

void put_ends(const SessionEnds& ends, bool four_octet_as, std::vector<std::uint8_t>& out) {
  put_asn(out, ends.peer_as, four_octet_as);
  put_asn(out, ends.local_as, four_octet_as);
  put_u16(out, 0);  // interface index: not known
  put_u16(out, ends.peer.version == IpVersion::kV4 ? kAfiIpv4 : kAfiIpv6);
  put_address(out, ends.peer);
  put_address(out, ends.local);
}

std::uint16_t subtype_of(MessageForm form) {
  if (form.add_path) {
    if (form.from_local)
      return form.four_octet_as ? bgp4mp::kMessageAs4LocalAddPath : bgp4mp::kMessageLocalAddPath;
    return form.four_octet_as ? bgp4mp::kMessageAs4AddPath : bgp4mp::kMessageAddPath;
  }
  if (form.from_local)
    return form.four_octet_as ? bgp4mp::kMessageAs4Local : bgp4mp::kMessageLocal;
  return form.four_octet_as ? bgp4mp::kMessageAs4 : bgp4mp::kMessage;
}

/// 0: the family has no subtype of its own.
std::uint16_t rib_subtype(Family family, bool add_path) {
  const bool known = (family.afi == kAfiIpv4 || family.afi == kAfiIpv6) &&
                     (family.safi == kSafiUnicast || family.safi == kSafiMulticast);
  if (!known) return 0;
  const unsigned kind = (family.afi == kAfiIpv6 ? 2u : 0u) + (family.safi == kSafiMulticast ? 1 : 0);
  const unsigned first =
      add_path ? table_dump_v2::kRibIpv4UnicastAddPath : table_dump_v2::kRibIpv4Unicast;
  return static_cast<std::uint16_t>(first + kind);
}

/// RFC 4271 4.3, RFC 8277 2, RFC 4364 4.3.4.
void put_nlri(const NlriKey& key, std::vector<std::uint8_t>& out) {
  const Prefix prefix = to_nlri(key).prefix;
  const bool vpn = key.safi == kSafiVpn;
  const bool labelled = vpn || key.safi == kSafiLabeled;
  put_u8(out, prefix.length + (labelled ? 24u : 0u) + (vpn ? 64u : 0u));
  if (labelled) put_octets(out, std::vector<std::uint8_t>{0, 0, 1});
  if (vpn) {
    put_u32(out, static_cast<std::uint32_t>(key.rd >> 32));
    put_u32(out, static_cast<std::uint32_t>(key.rd));
  }
  put_octets(out, {prefix.address.bytes.data(), (prefix.length + 7u) / 8});
}

void put_attribute(std::uint8_t type, std::uint8_t flags, Octets value,
                   std::vector<std::uint8_t>& out) {
  const bool extended = value.size() > 0xff;
  put_u8(out, flags | (extended ? kExtendedLength : 0u));
  put_u8(out, type);
  if (extended)
    put_u16(out, static_cast<unsigned>(value.size() & 0xffff));
  else
    put_u8(out, static_cast<unsigned>(value.size()));
  put_octets(out, value);
}

void put_as_path(AsPathView path, std::vector<std::uint8_t>& out) {
  constexpr std::uint32_t kMaxSegment = 255;
  std::vector<std::uint8_t> value;
  for (AsPathSegment segment; path.next(segment);) {
    for (std::uint32_t left = segment.size; left > 0;) {
      const std::uint32_t count = std::min(left, kMaxSegment);
      put_u8(value, static_cast<unsigned>(segment.type));
      put_u8(value, count);
      Asn as = 0;
      for (std::uint32_t i = 0; i < count && segment.next(as); ++i) put_u32(value, as);
      left -= count;
    }
  }
  put_attribute(attribute::kAsPath, kTransitive, value, out);
}

void put_next_hop(Octets next_hop, std::vector<std::uint8_t>& out) {
  if (next_hop.size() == 4) {
    put_attribute(attribute::kNextHop, kTransitive, next_hop, out);
    return;
  }
  std::vector<std::uint8_t> value;
  put_u8(value, static_cast<unsigned>(next_hop.size()));
  put_octets(value, next_hop);
  put_attribute(attribute::kMpReachNlri, kOptional, value, out);
}

}  // namespace

void append_message(const SessionEnds& ends, Timestamp time, MessageForm form, MessageType type,
                    Octets body, std::vector<std::uint8_t>& out) {
  const std::size_t start = begin_record(time, type::kBgp4mpEt, subtype_of(form), out);
  put_ends(ends, form.four_octet_as, out);
  const std::size_t message = begin_message(type, out);
  put_octets(out, body);
  end_message(message, out);
  end_record(start, out);
}

void append_state_change(const SessionEnds& ends, Timestamp time, std::uint16_t old_state,
                         std::uint16_t new_state, std::vector<std::uint8_t>& out) {
  const std::size_t start = begin_record(time, type::kBgp4mpEt, bgp4mp::kStateChangeAs4, out);
  put_ends(ends, true, out);
  put_u16(out, old_state);
  put_u16(out, new_state);
  end_record(start, out);
}

void append_peer_index_table(Timestamp time, const IpAddress& collector_id, std::string_view view,
                             std::span<const PeerEntry> peers, std::vector<std::uint8_t>& out) {
  const std::size_t start =
      begin_record(time, type::kTableDumpV2, table_dump_v2::kPeerIndexTable, out);
  put_address(out, collector_id);
  put_u16(out, static_cast<unsigned>(view.size()));
  out.insert(out.end(), view.begin(), view.end());
  put_u16(out, static_cast<unsigned>(peers.size()));
  for (const PeerEntry& peer : peers) {
    put_u8(out, (peer.address.version == IpVersion::kV6 ? 1u : 0u) | 2u);
    put_address(out, peer.router_id);
    put_address(out, peer.address);
    put_u32(out, peer.as);
  }
  end_record(start, out);
}

void append_mark(const Mark& mark, Timestamp time, const IpAddress& collector_id,
                 std::vector<std::uint8_t>& out) {
  std::string view(kMarkPrefix);
  switch (mark.kind) {
    case Mark::Kind::kStart:
      view += "start";
      break;
    case Mark::Kind::kPeer:
      view += "peer " + mark.text;
      break;
    case Mark::Kind::kDown:
      view += "down " + mark.text.substr(0, kMaxReason);
      break;
    case Mark::Kind::kGap:
      view += "gap " + std::to_string(mark.lost);
      break;
  }
  append_peer_index_table(time, collector_id, view, mark.peers, out);
}

std::optional<Mark> read_mark(const PeerIndexTable& table) {
  constexpr std::string_view kPeer = "peer ";
  constexpr std::string_view kDown = "down ";
  constexpr std::string_view kGap = "gap ";
  std::string_view text = table.view;
  if (!text.starts_with(kMarkPrefix)) return std::nullopt;
  text.remove_prefix(kMarkPrefix.size());
  Mark mark;
  mark.peers = table.peers;
  if (text == "start") return mark;
  if (text.starts_with(kPeer) && table.peers.size() == 2) {
    mark.kind = Mark::Kind::kPeer;
    mark.text = text.substr(kPeer.size());
    return mark;
  }
  if (text.starts_with(kDown) && table.peers.size() == 1) {
    mark.kind = Mark::Kind::kDown;
    mark.text = text.substr(kDown.size());
    return mark;
  }
  if (!text.starts_with(kGap)) return std::nullopt;
  mark.kind = Mark::Kind::kGap;
  text.remove_prefix(kGap.size());
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), mark.lost);
  if (bad != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return mark;
}

RibEncoder::RibEncoder(Timestamp time, std::uint32_t sequence, const NlriKey& nlri, bool add_path,
                       std::vector<std::uint8_t>& out)
    : out_(out), start_(out.size()), add_path_(add_path) {
  const std::uint16_t own = rib_subtype(nlri.family(), add_path);
  const std::uint16_t generic =
      add_path ? table_dump_v2::kRibGenericAddPath : table_dump_v2::kRibGeneric;
  begin_record(time, type::kTableDumpV2, own != 0 ? own : generic, out_);
  put_u32(out_, sequence);
  if (own == 0) {
    put_u16(out_, nlri.afi);
    put_u8(out_, nlri.safi);
  }
  put_nlri(nlri, out_);
  count_at_ = out_.size();
  put_u16(out_, 0);
}

void RibEncoder::add(std::uint16_t peer_index, Timestamp originated, std::uint32_t path_id,
                     Octets attributes) {
  put_u16(out_, peer_index);
  put_u32(out_, static_cast<std::uint32_t>(whole_seconds(originated)));
  if (add_path_) put_u32(out_, path_id);
  put_u16(out_, static_cast<unsigned>(attributes.size()));
  put_octets(out_, attributes);
  ++count_;
}

void RibEncoder::end() {
  set_u16(out_, count_at_, count_);
  end_record(start_, out_);
}

bool append_wire_attributes(Octets canonical, std::vector<std::uint8_t>& out) {
  const std::size_t start = out.size();
  PathView(canonical).for_each([&out](std::uint8_t type, Octets value) {
    if (type == attribute::kAsPath)
      put_as_path(AsPathView(value), out);
    else if (type == attribute::kNextHop)
      put_next_hop(value, out);
    else if (has_bare_value(type))
      put_attribute(type, attribute_rule(type)->flags, value, out);
    else
      put_attribute(type, value[0], value.subspan(1), out);
  });
  if (out.size() - start <= 0xffff) return true;
  out.resize(start);
  return false;
}

}  // namespace lapwing::bgp::mrt
