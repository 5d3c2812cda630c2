// Records: what every source (live session, MRT file) gives to the engine, in batches.
//
// A batch is an ordered list of records and the storage that they share. Decoding writes straight
// into a batch on the io thread; the engine reads it once. One UPDATE becomes one record for each
// attribute set in it (two when IPv4 NLRI and MP_REACH_NLRI differ in next hop); the last one has
// `last_of_message`. Within a record withdrawn NLRI come first.
//
// A source declares a peer (kPeerDeclare) before it names it in any other record. Peer numbers are
// the source's, dense from 0; the engine maps them by name.
// Thread: one at a time; moved between threads through a queue.
// Owns: all octets and NLRI of its records.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bgp/config.h"
#include "lapwing/detector.h"
#include "lapwing/path.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::bgp {

/// An NLRI in 32 octets, for tables and queues. Canonical: host bits zero, `path_id` zero where
/// there is none. IPv4 stands in the upper 32 bits of `high`.
struct NlriKey {
  std::uint64_t high = 0;  // first eight octets of the address, as a big-endian number
  std::uint64_t low = 0;
  std::uint64_t rd = 0;
  std::uint32_t path_id = 0;
  std::uint8_t afi = 0;  // kAfiIpv4 or kAfiIpv6
  std::uint8_t safi = 0;
  std::uint8_t length = 0;
  std::uint8_t has_path_id = 0;

  Family family() const { return {afi, safi}; }
  friend bool operator==(const NlriKey&, const NlriKey&) = default;
};
static_assert(sizeof(NlriKey) == 32);

/// Of all its octets, seeded for this process (bgp/hash.h).
std::uint64_t hash_key(const NlriKey& key);
NlriKey to_key(const Nlri& nlri);
Nlri to_nlri(const NlriKey& key);
/// Of the numbers of a key.
IpAddress to_address(IpVersion version, std::uint64_t high, std::uint64_t low);

enum class RecordKind : std::uint8_t {
  kPeerDeclare,   // detail: PeerDetail
  kPeerUp,        // detail: SessionDetail
  kPeerDown,      // detail: SessionDetail
  kUpdate,
  kEndOfRib,      // family (RFC 4724 2)
  kRefreshBegin,  // family; BoRR (RFC 7313), or a table dump that begins
  kRefreshEnd,    // family; EoRR, or a table dump that ends
  kTick,          // time passes; no peer
};

/// What a source knows of a peer.
struct PeerDetail {
  std::string name;
  IpAddress address;
  Asn as = 0;
  Asn local_as = 0;
  /// The stream may begin in the middle of a session (MRT updates without a table): the first
  /// route that it shows for a prefix then teaches and does not alarm.
  bool joined_midway = false;
  std::optional<MaxPrefix> max_prefix;  // none: no limit
  std::uint64_t max_attributes = 0;     // octets of the sets that it brings in; 0: no limit
};

struct SessionDetail {
  // kPeerUp
  std::vector<Family> families;   // negotiated
  IpAddress router_id;
  bool expects_end_of_rib = false;  // the neighbour announced graceful restart (RFC 4724)
  // kPeerDown
  std::string reason;
};

struct Record {
  Timestamp time;
  std::uint32_t peer = 0;
  RecordKind kind = RecordKind::kTick;
  bool last_of_message = true;
  Family family;                     // kEndOfRib, kRefreshBegin, kRefreshEnd
  std::uint32_t attributes_at = 0;   // kUpdate with announcements: canonical attribute set
  std::uint32_t attributes_size = 0;
  std::uint64_t attributes_hash = 0; // hash_octets(hash_seed(), attributes)
  std::uint32_t nlri_at = 0;
  std::uint32_t withdrawn = 0;       // count
  std::uint32_t announced = 0;       // count, after the withdrawn ones
  std::uint32_t detail = 0;          // index into peer_details or session_details
};

struct RecordBatch {
  std::vector<Record> records;
  std::vector<std::uint8_t> octets;
  std::vector<NlriKey> nlri;
  std::vector<std::uint64_t> hashes;  // of `nlri`, as far as `hash_nlri` came
  std::vector<PeerDetail> peer_details;
  std::vector<SessionDetail> session_details;
  /// What the neighbour sent, as MRT records in the order of the above; empty unless it is recorded.
  std::vector<std::uint8_t> recording;

  Octets attributes(const Record& r) const {
    return {octets.data() + r.attributes_at, r.attributes_size};
  }
  std::span<const NlriKey> withdrawn(const Record& r) const {
    return {nlri.data() + r.nlri_at, r.withdrawn};
  }
  std::span<const NlriKey> announced(const Record& r) const {
    return {nlri.data() + r.nlri_at + r.withdrawn, r.announced};
  }
  bool empty() const { return records.empty() && recording.empty(); }
  /// Octets held, for bounded queues.
  std::size_t footprint() const {
    return records.capacity() * sizeof(Record) + octets.capacity() +
           nlri.capacity() * sizeof(NlriKey) + hashes.capacity() * sizeof(std::uint64_t) +
           recording.capacity();
  }
  void clear();
  /// Hashes what was not hashed yet. The thread that made the batch has the time; the engine has not.
  void hash_nlri();

  void add_peer(Timestamp time, std::uint32_t peer, PeerDetail detail);
  void add_session(Timestamp time, std::uint32_t peer, RecordKind kind, SessionDetail detail);
  void add_mark(Timestamp time, std::uint32_t peer, RecordKind kind, Family family);
  void add_tick(Timestamp time);
};

/// Where a source puts its batches.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  /// Takes the batch if there is room; otherwise leaves it untouched and returns false.
  virtual bool try_push(RecordBatch& batch) = 0;
  /// Calls `fn` once, from another thread (it must only post), when there is room again.
  virtual void when_room(std::function<void()> fn) = 0;
};

}  // namespace lapwing::bgp
