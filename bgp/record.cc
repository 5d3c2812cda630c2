#include "bgp/record.h"

#include <bit>
#include <cstring>
#include <utility>

#include "bgp/hash.h"

namespace lapwing::bgp {

namespace {

std::uint64_t read_word(const std::uint8_t* p) {
  return static_cast<std::uint64_t>(read_u32(p)) << 32 | read_u32(p + 4);
}

void write_word(std::uint8_t* p, std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  std::memcpy(p, &word, sizeof word);
}

}  // namespace

std::uint64_t hash_key(const NlriKey& key) {
  const std::uint64_t meta = static_cast<std::uint64_t>(key.path_id) << 32 |
                             static_cast<std::uint64_t>(key.afi) << 24 |
                             static_cast<std::uint64_t>(key.safi) << 16 |
                             static_cast<std::uint64_t>(key.length) << 8 | key.has_path_id;
  static const std::uint64_t seed = hash_seed();
  const std::uint64_t h = hash_words(seed, key.high, meta);
  if ((key.low | key.rd) == 0) return h;
  return hash_words(h, key.low, key.rd);
}

NlriKey to_key(const Nlri& nlri) {
  NlriKey key;
  key.high = read_word(nlri.prefix.address.bytes.data());
  key.low = read_word(nlri.prefix.address.bytes.data() + 8);
  key.rd = nlri.rd;
  key.path_id = nlri.has_path_id ? nlri.path_id : 0;
  key.afi = static_cast<std::uint8_t>(nlri.family.afi);
  key.safi = nlri.family.safi;
  key.length = nlri.prefix.length;
  key.has_path_id = nlri.has_path_id ? 1 : 0;
  return key;
}

IpAddress to_address(IpVersion version, std::uint64_t high, std::uint64_t low) {
  IpAddress address;
  address.version = version;
  write_word(address.bytes.data(), high);
  write_word(address.bytes.data() + 8, low);
  return address;
}

Nlri to_nlri(const NlriKey& key) {
  Nlri nlri;
  nlri.family = key.family();
  nlri.rd = key.rd;
  nlri.prefix.address =
      to_address(key.afi == kAfiIpv4 ? IpVersion::kV4 : IpVersion::kV6, key.high, key.low);
  nlri.prefix.length = key.length;
  nlri.has_path_id = key.has_path_id != 0;
  nlri.path_id = key.path_id;
  return nlri;
}

void RecordBatch::clear() {
  records.clear();
  octets.clear();
  nlri.clear();
  hashes.clear();
  peer_details.clear();
  session_details.clear();
  recording.clear();
}

void RecordBatch::hash_nlri() {
  hashes.reserve(nlri.size());
  while (hashes.size() < nlri.size()) hashes.push_back(hash_key(nlri[hashes.size()]));
}

void RecordBatch::add_peer(Timestamp time, std::uint32_t peer, PeerDetail detail) {
  Record r;
  r.time = time;
  r.peer = peer;
  r.kind = RecordKind::kPeerDeclare;
  r.detail = static_cast<std::uint32_t>(peer_details.size());
  peer_details.push_back(std::move(detail));
  records.push_back(r);
}

void RecordBatch::add_session(Timestamp time, std::uint32_t peer, RecordKind kind,
                              SessionDetail detail) {
  Record r;
  r.time = time;
  r.peer = peer;
  r.kind = kind;
  r.detail = static_cast<std::uint32_t>(session_details.size());
  session_details.push_back(std::move(detail));
  records.push_back(r);
}

void RecordBatch::add_mark(Timestamp time, std::uint32_t peer, RecordKind kind, Family family) {
  Record r;
  r.time = time;
  r.peer = peer;
  r.kind = kind;
  r.family = family;
  records.push_back(r);
}

void RecordBatch::add_tick(Timestamp time) {
  Record r;
  r.time = time;
  records.push_back(r);
}

}  // namespace lapwing::bgp
