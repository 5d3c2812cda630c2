// Every NLRI that any neighbour announces, interned once: NLRI to PrefixId and back.
//
// An IPv4 or IPv6 unicast prefix of up to 64 bits without a path identifier takes 16 octets and 8
// for each slot of the index; any other NLRI 32 more. The index is an open-addressed table with
// linear probing, at most 70 % full.
// A reference is one route of one neighbour. An id without references stays valid until `drain`
// is told that the commit which released it is durable; announced again before, it is revived.
// Thread: engine; `key` also from the store thread (see rib::Dictionary).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "bgp/record.h"
#include "lapwing/chunked_array.h"
#include "lapwing/prefetch.h"
#include "rib/quarantine.h"

namespace lapwing::rib {

class PrefixTable {
 public:
  static constexpr PrefixId kNone = 0xffffffff;

  PrefixTable();

  static std::uint64_t hash(const bgp::NlriKey& key) { return bgp::hash_key(key); }
  void prefetch(std::uint64_t hash) const { prefetch_line(&index_[hash & mask_]); }
  void prefetch_key(PrefixId id) const { prefetch_line(&records_[id]); }
  /// The record behind the first candidate slot: worth a prefetch once the slot has arrived.
  void prefetch_record(std::uint64_t hash) const;

  /// kNone when it is not there.
  PrefixId find(const bgp::NlriKey& key, std::uint64_t hash) const;
  /// Finds or adds it, without a reference. kNone only when 2^32 - 1 ids are in use.
  PrefixId intern(const bgp::NlriKey& key, std::uint64_t hash);
  bgp::NlriKey key(PrefixId id) const;
  Prefix prefix(PrefixId id) const;
  Family family(PrefixId id) const;
  /// Sorts by NLRI. Ids are given again when the store is done with them: their own order is an
  /// accident of time, and must not be seen in any result.
  void sort(std::vector<PrefixId>& ids) const;
  bool has_path_id(PrefixId id) const {
    const Record& record = records_[id];
    return record.kind == Kind::kExtended && extended_[record.high].has_path_id != 0;
  }

  bool contains(PrefixId id) const { return id < next_ && records_[id].kind != Kind::kFree; }
  std::uint32_t references(PrefixId id) const { return records_[id].references; }
  void acquire(PrefixId id) { referred_ += records_[id].references++ == 0 ? 1 : 0; }
  /// `commit`: number of the commit being built.
  void release(PrefixId id, std::uint64_t commit);
  /// Frees what commits up to `durable` released, of that the `most` oldest; `fn(id)` before an id
  /// is free, and `ahead(id)`, where it is given, some ids earlier: to ask for memory.
  void drain(std::uint64_t durable, const std::function<void(PrefixId)>& fn,
             const std::function<void(PrefixId)>& ahead = {}, std::uint64_t most = UINT64_MAX);
  /// Frees what waits for a commit and is not among `named` (ascending).
  void free_unnamed(std::span<const PrefixId> named, const std::function<void(PrefixId)>& fn);
  /// Releases that wait to be drained: of an id that came back each one.
  std::uint64_t releases() const { return waiting_; }
  /// Octets of these.
  std::uint64_t waiting() const { return waiting_ * (sizeof(Record) + sizeof(Slot)); }
  /// Ids that are free, of those that were ever used.
  std::uint64_t unused() const { return next_ - size_; }

  /// Ids in use or waiting.
  std::uint64_t size() const { return size_; }
  /// Ids that are referred to.
  std::uint64_t referred() const { return referred_; }
  /// Of these, each prefix once, whatever path identifiers it has. Walks the table.
  std::uint64_t distinct_prefixes() const;
  std::uint64_t footprint() const;

 private:
  enum class Kind : std::uint8_t { kFree, kIpv4, kIpv6, kExtended };
  struct Record {
    std::uint64_t high = 0;        // address, or index into extended_
    std::uint32_t references = 0;  // next free id while free
    std::uint8_t length = 0;
    Kind kind = Kind::kFree;
    std::uint16_t quarantined = 0;  // as in PathTable
  };
  static_assert(sizeof(Record) == 16);
  struct Slot {
    PrefixId id = kNone;
    std::uint32_t tag = 0;  // low half of the hash
  };
  static_assert(sizeof(Slot) == 8);

  static constexpr std::uint16_t kMany = 0xffff;

  static Kind kind_of(const bgp::NlriKey& key);
  bool matches(const Record& record, const bgp::NlriKey& key, Kind kind) const;
  void grow();
  void erase_slot(std::uint64_t hash, PrefixId id);
  void leave_quarantine(PrefixId id, const std::function<void(PrefixId)>& fn);
  void free_record(PrefixId id, const std::function<void(PrefixId)>& fn);

  ChunkedArray<Record, 17, 15> records_;
  ChunkedArray<bgp::NlriKey, 14, 14> extended_;
  std::vector<std::uint32_t> free_extended_;
  std::uint32_t extended_used_ = 0;
  LargeVector<Slot> index_;
  std::uint64_t mask_ = 0;
  std::uint64_t size_ = 0;     // ids in use or in quarantine
  std::uint64_t referred_ = 0;
  PrefixId next_ = 0;          // first id never used
  PrefixId free_ = kNone;      // head of the list of free ids
  std::uint64_t waiting_ = 0;  // in quarantine_
  Quarantine quarantine_;
};

}  // namespace lapwing::rib
