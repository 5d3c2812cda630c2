#include "rib/store_codec.h"

#include <array>
#include <cstring>

namespace lapwing::rib {

namespace {

constexpr std::uint8_t kRecordVersion = 1;

namespace peer_tag {
enum : std::uint32_t {
  kId = 1,
  kName,
  kAddress,
  kAs,
  kLocalAs,
  kUp,
  kLastChange,
  kFamily,
  kBlindReason
};
}
namespace blind_tag {
enum : std::uint32_t { kTo = 1, kReason };
}

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    tables[0][i] = crc;
  }
  for (std::uint32_t i = 0; i < 256; ++i)
    for (std::size_t t = 1; t < 8; ++t)
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
  return tables;
}

constexpr CrcTables kCrcTables = make_crc_tables();

}  // namespace

void append_varint(std::string& out, std::uint64_t value) {
  char buffer[10];
  const char* end = write_varint64(buffer, value);
  out.append(buffer, static_cast<std::size_t>(end - buffer));
}

bool OctetReader::octet(std::uint8_t& out) {
  if (left_.empty()) return false;
  out = static_cast<std::uint8_t>(left_.front());
  left_.remove_prefix(1);
  return true;
}

bool OctetReader::varint(std::uint64_t& out) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    std::uint8_t octet_read = 0;
    if (!octet(octet_read)) return false;
    if (shift == 63 && octet_read > 1) return false;
    value |= static_cast<std::uint64_t>(octet_read & 0x7f) << shift;
    if ((octet_read & 0x80) == 0) {
      out = value;
      return true;
    }
  }
  return false;
}

bool OctetReader::varint32(std::uint32_t& out) {
  std::uint64_t value = 0;
  if (!varint(value) || value > 0xffffffff) return false;
  out = static_cast<std::uint32_t>(value);
  return true;
}

bool OctetReader::octets(std::size_t size, std::string_view& out) {
  if (size > left_.size()) return false;
  out = left_.substr(0, size);
  left_.remove_prefix(size);
  return true;
}

bool OctetReader::text(std::string_view& out) {
  std::uint64_t size = 0;
  return varint(size) && size <= left_.size() && octets(static_cast<std::size_t>(size), out);
}

void FieldWriter::text(std::uint32_t tag, std::string_view value) {
  append_varint(out_, tag);
  append_varint(out_, value.size());
  out_.append(value);
}

void FieldWriter::number(std::uint32_t tag, std::uint64_t value) {
  char buffer[10];
  const char* end = write_varint64(buffer, value);
  text(tag, {buffer, static_cast<std::size_t>(end - buffer)});
}

bool read_number(std::string_view value, std::uint64_t& out) {
  OctetReader reader(value);
  return reader.varint(out) && reader.empty();
}

bool read_number32(std::string_view value, std::uint32_t& out) {
  OctetReader reader(value);
  return reader.varint32(out) && reader.empty();
}

bool read_integer(std::string_view value, std::int64_t& out) {
  std::uint64_t number = 0;
  if (!read_number(value, number)) return false;
  out = unzigzag(number);
  return true;
}

bool read_time(std::string_view value, Timestamp& out) {
  std::int64_t us = 0;
  if (!read_integer(value, us)) return false;
  out = from_unix_micros(us);
  return true;
}

bool read_bool(std::string_view value, bool& out) {
  std::uint64_t number = 0;
  if (!read_number(value, number) || number > 1) return false;
  out = number == 1;
  return true;
}

void append_address(std::string& out, const IpAddress& address) {
  out += static_cast<char>(address.version);
  out.append(as_text({address.bytes.data(), address.size()}));
}

bool read_address(std::string_view value, IpAddress& out) {
  OctetReader reader(value);
  std::uint8_t version = 0;
  if (!reader.octet(version) || (version != 4 && version != 6)) return false;
  IpAddress address;
  address.version = static_cast<IpVersion>(version);
  std::string_view octets;
  if (!reader.octets(address.size(), octets) || !reader.empty()) return false;
  std::memcpy(address.bytes.data(), octets.data(), octets.size());
  out = address;
  return true;
}

void append_prefix(std::string& out, const Prefix& prefix) {
  append_address(out, prefix.address);
  out += static_cast<char>(prefix.length);
}

bool read_prefix(std::string_view value, Prefix& out) {
  if (value.empty()) return false;
  const auto length = static_cast<std::uint8_t>(value.back());
  IpAddress address;
  if (!read_address(value.substr(0, value.size() - 1), address)) return false;
  if (length > (address.version == IpVersion::kV4 ? 32 : 128)) return false;
  out = Prefix::make(address, length);
  return true;
}

std::uint32_t crc32c(std::string_view octets) {
  const auto* p = reinterpret_cast<const std::uint8_t*>(octets.data());
  std::size_t left = octets.size();
  std::uint32_t crc = 0xffffffff;
  const CrcTables& t = kCrcTables;
  for (; left >= 8; p += 8, left -= 8) {
    const std::uint32_t low =
        crc ^ (static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
               static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24);
    crc = t[7][low & 0xff] ^ t[6][low >> 8 & 0xff] ^ t[5][low >> 16 & 0xff] ^ t[4][low >> 24] ^
          t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
  }
  for (; left != 0; ++p, --left) crc = (crc >> 8) ^ t[0][(crc ^ *p) & 0xff];
  return ~crc;
}

void append_path_value(std::string& out, Octets path) {
  char sum[4];
  write_be32(sum, crc32c(as_text(path)));
  out.append(sum, sizeof sum);
  out.append(as_text(path));
}

std::optional<Octets> read_path_value(std::string_view value) {
  if (value.size() < 4) return std::nullopt;
  const std::string_view octets = value.substr(4);
  if (read_u32(as_octets(value).data()) != crc32c(octets)) return std::nullopt;
  return as_octets(octets);
}

std::string encode_peer(const PeerRecord& peer) {
  std::string out(1, static_cast<char>(kRecordVersion));
  FieldWriter fields(out);
  fields.number(peer_tag::kId, peer.id);
  fields.text(peer_tag::kName, peer.name);
  std::string address;
  append_address(address, peer.address);
  fields.text(peer_tag::kAddress, address);
  fields.number(peer_tag::kAs, peer.as);
  fields.number(peer_tag::kLocalAs, peer.local_as);
  fields.number(peer_tag::kUp, peer.up ? 1 : 0);
  fields.time(peer_tag::kLastChange, peer.last_change);
  if (!peer.blind_reason.empty()) fields.text(peer_tag::kBlindReason, peer.blind_reason);
  for (const PeerFamilyRecord& family : peer.families) {
    std::string value;
    append_varint(value, family.family.afi);
    value += static_cast<char>(family.family.safi);
    value += static_cast<char>(family.baseline_done ? 1 : 0);
    fields.text(peer_tag::kFamily, value);
  }
  return out;
}

namespace {

bool read_family(std::string_view value, PeerFamilyRecord& out) {
  OctetReader reader(value);
  std::uint32_t afi = 0;
  std::uint8_t safi = 0, flags = 0;
  if (!reader.varint32(afi) || afi > 0xffff || !reader.octet(safi) || !reader.octet(flags))
    return false;
  out.family = {static_cast<std::uint16_t>(afi), safi};
  out.baseline_done = (flags & 1) != 0;
  return true;
}

bool read_peer_field(std::uint32_t tag, std::string_view value, PeerRecord& out) {
  switch (tag) {
    case peer_tag::kId:
      return read_number32(value, out.id);
    case peer_tag::kName:
      out.name = value;
      return true;
    case peer_tag::kAddress:
      return read_address(value, out.address);
    case peer_tag::kAs:
      return read_number32(value, out.as);
    case peer_tag::kLocalAs:
      return read_number32(value, out.local_as);
    case peer_tag::kUp:
      return read_bool(value, out.up);
    case peer_tag::kLastChange:
      return read_time(value, out.last_change);
    case peer_tag::kFamily:
      return read_family(value, out.families.emplace_back());
    case peer_tag::kBlindReason:
      out.blind_reason = value;
      return true;
    default:
      return true;
  }
}

}  // namespace

std::optional<PeerRecord> decode_peer(std::string_view value) {
  if (value.empty() || static_cast<std::uint8_t>(value[0]) != kRecordVersion) return std::nullopt;
  PeerRecord peer;
  FieldReader fields(value.substr(1));
  while (!fields.at_end()) {
    std::uint32_t tag = 0;
    std::string_view field;
    if (!fields.next(tag, field) || !read_peer_field(tag, field, peer)) return std::nullopt;
  }
  return peer;
}

std::string encode_blind(const BlindInterval& interval) {
  std::string out(1, static_cast<char>(kRecordVersion));
  FieldWriter fields(out);
  fields.time(blind_tag::kTo, interval.range.to);
  fields.text(blind_tag::kReason, interval.reason);
  return out;
}

bool decode_blind(std::string_view value, BlindInterval& out) {
  if (value.empty() || static_cast<std::uint8_t>(value[0]) != kRecordVersion) return false;
  FieldReader fields(value.substr(1));
  while (!fields.at_end()) {
    std::uint32_t tag = 0;
    std::string_view field;
    if (!fields.next(tag, field)) return false;
    if (tag == blind_tag::kTo && !read_time(field, out.range.to)) return false;
    if (tag == blind_tag::kReason) out.reason = field;
  }
  return true;
}

}  // namespace lapwing::rib
