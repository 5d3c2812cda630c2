#include "bgp/nlri.h"

#include "bgp/open.h"

namespace lapwing::bgp {

namespace {

/// The first octets of an address as a big-endian number, zero where there are fewer than eight.
std::uint64_t read_partial(const std::uint8_t* p, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= static_cast<std::uint64_t>(p[i]) << (56 - 8 * i);
  return value;
}

/// Ones in the upper `bits` bits.
std::uint64_t upper_ones(unsigned bits) { return bits == 0 ? 0 : ~std::uint64_t{0} << (64 - bits); }

void set_address(Octets octets, unsigned length, NlriKey& key) {
  if (length <= 64) {
    key.high = read_partial(octets.data(), octets.size()) & upper_ones(length);
    key.low = 0;
    return;
  }
  key.high = read_partial(octets.data(), 8);
  key.low = read_partial(octets.data() + 8, octets.size() - 8) & upper_ones(length - 64);
}

bool read_labeled(Cursor& in, Family family, unsigned bits, NlriKey& key) {
  const bool vpn = family.safi == kSafiVpn;
  const unsigned max = family.afi == kAfiIpv4 ? 32 : 128;
  Cursor part = in.cut((bits + 7) / 8);
  // RFC 8277 2.2: one label, whatever its S bit says. Where that leaves more than an address, the
  // sender has a stack (RFC 3107 3): up to the bottom.
  std::uint32_t label = 0;
  do {
    if (bits < 24) return false;
    label = part.u24();
    bits -= 24;
  } while (part.ok() && bits > max + (vpn ? 64 : 0) && (label & 1) == 0);
  if (vpn) {
    if (bits < 64) return false;
    key.rd = part.u64();
    bits -= 64;
  }
  if (!in.ok() || !part.ok() || bits > max) return false;
  key.length = static_cast<std::uint8_t>(bits);
  set_address(part.rest(), bits, key);
  return true;
}

}  // namespace

bool read_nlri(Cursor& in, Family family, bool path_ids, NlriKey& key) {
  NlriKey k;
  k.afi = static_cast<std::uint8_t>(family.afi);
  k.safi = family.safi;
  if (path_ids) {
    k.path_id = in.u32();
    k.has_path_id = 1;
  }
  const unsigned bits = in.u8();
  if (!in.ok()) return false;
  if (family.safi == kSafiLabeled || family.safi == kSafiVpn) {
    if (!read_labeled(in, family, bits, k)) return false;
  } else {
    if (bits > (family.afi == kAfiIpv4 ? 32u : 128u)) return false;
    const Octets address = in.take((bits + 7) / 8);
    if (!in.ok()) return false;
    k.length = static_cast<std::uint8_t>(bits);
    set_address(address, bits, k);
  }
  key = k;
  return true;
}

bool check_nlri(NlriRange& range) {
  range.count = 0;
  Cursor in(range.octets);
  const bool plain = range.family.safi == kSafiUnicast || range.family.safi == kSafiMulticast;
  if (plain && !range.path_ids) {
    const unsigned max = range.family.afi == kAfiIpv4 ? 32 : 128;
    while (!in.empty()) {
      const unsigned bits = in.u8();
      if (bits > max) return false;
      in.take((bits + 7) / 8);
      if (!in.ok()) return false;
      ++range.count;
    }
    return true;
  }
  NlriKey key;
  for (; !in.empty(); ++range.count)
    if (!read_nlri(in, range.family, range.path_ids, key)) return false;
  return true;
}

void append_nlri(const NlriRange& range, std::vector<NlriKey>& out) {
  if (range.count == 0) return;
  const std::size_t first = out.size();
  out.resize(first + range.count);
  NlriKey* key = out.data() + first;
  if (range.family == kIpv4Unicast && !range.path_ids) {  // most NLRI are of this kind
    const std::uint8_t* p = range.octets.data();
    for (std::uint32_t i = 0; i < range.count; ++i, ++key) {
      const unsigned length = *p++;
      const std::size_t size = (length + 7) / 8;
      key->high = read_partial(p, size) & upper_ones(length);
      key->afi = kAfiIpv4;
      key->safi = kSafiUnicast;
      key->length = static_cast<std::uint8_t>(length);
      p += size;
    }
    return;
  }
  Cursor in(range.octets);
  for (std::uint32_t i = 0; i < range.count; ++i)
    if (!read_nlri(in, range.family, range.path_ids, *key++)) break;
}

}  // namespace lapwing::bgp
