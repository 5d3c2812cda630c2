// Every attribute set that any neighbour announces, interned once: octets to PathId and back.
//
// A set takes its packed octets (rib/attribute_packer.h) and one more, 16 for its entry and about 7 for
// its slot of the index. Equal octets have equal ids; the codec's canonical form makes equal paths equal
// octets. Packing takes time: what comes in numbers and goes soon is kept as it is given, and packed
// later if it stays (`pack_some`).
// A reference is one route of one neighbour. Release and `drain` work as in PrefixTable, but that
// `drain` can keep the sets that went last: what went often comes back.
// Thread: engine; `octets` also from the store thread (see rib::Dictionary).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "lapwing/chunked_array.h"
#include "lapwing/detector.h"
#include "lapwing/path.h"
#include "lapwing/prefetch.h"
#include "rib/attribute_packer.h"
#include "rib/quarantine.h"

namespace lapwing::rib {

class PathTable {
 public:
  /// Ids are below it: what is above has other uses in tables of ids.
  static constexpr PathId kEndOfIds = 0xffffff00;

  enum class Form : std::uint8_t { kAsGiven, kPacked };
  PathTable();

  void prefetch(std::uint64_t hash) const {
    prefetch_line(&index_[static_cast<std::uint32_t>(hash) & mask_]);
  }
  /// The entry behind the first candidate slot: worth a prefetch once the slot has arrived.
  void prefetch_candidate(std::uint64_t hash) const {
    if (const PathId id = candidate(hash); id != kNoPath) prefetch_line(&entries_[id]);
  }

  /// The set behind the first candidate slot: this one, most often, where it is known at all.
  PathId candidate(std::uint64_t hash) const {
    return index_[static_cast<std::uint32_t>(hash) & mask_];
  }

  void prefetch_entry(PathId id) const { prefetch_line(&entries_[id]); }
  /// Reads the entry; of a set that is in use. [Threading] as `octets`.
  void prefetch_octets(PathId id) const;

  struct Interned {
    PathId id = kNoPath;
    bool added = false;  // not known before, nor waiting in quarantine
  };
  /// Finds it, or adds it in this form; without a reference. `hash` is hash_octets of `octets`. id is
  /// kNoPath only when no memory or id is left.
  Interned intern(Octets octets, std::uint64_t hash, Form form);
  /// Adds it under that id; for loading, before any `intern`. False when the id is in use.
  bool restore(PathId id, Octets octets, std::uint64_t hash);
  /// Frees what `restore` added and nothing references; ends loading.
  void finish_restore();

  /// Valid until `buffer` is used again or the set is freed. [Threading] as Dictionary::path_octets.
  Octets octets(PathId id, PathBuffer& buffer) const;
  /// It was given once, and may be in use: what can be told without reading its entry.
  bool numbered(PathId id) const { return id < next_; }
  bool contains(PathId id) const { return id < next_ && entries_[id].units != kUnused; }
  std::uint32_t references(PathId id) const { return entries_[id].references; }
  void acquire(PathId id) { ++entries_[id].references; }
  void release(PathId id, std::uint64_t commit);
  void drain(std::uint64_t durable, const std::function<void(PathId)>& fn,
             const std::function<void(PathId)>& ahead = {}, std::size_t keep = 0);
  /// Frees what waits for a commit and is not among `named` (ascending).
  void free_unnamed(std::span<const PathId> named, const std::function<void(PathId)>& fn);
  /// Octets that wait for a commit.
  std::uint64_t waiting() const { return waiting_; }
  /// Octets that it holds, about.
  std::uint64_t weight(PathId id) const;

  /// Who brought it in: a number of the caller's, for as long as the set is kept.
  static constexpr std::uint32_t kMaxOwner = (1u << 19) - 1;
  void set_owner(PathId id, std::uint32_t owner) { entries_[id].owner = owner & kMaxOwner; }
  std::uint32_t owner(PathId id) const { return entries_[id].owner; }

  /// Looks at the next `entries` ids, round and round, and packs up to `sets` of those that are in use
  /// and stand as they were given; `commit` is the one that is open. `fn(id, octets)` tells by how much
  /// less each weighs.
  void pack_some(std::size_t entries, std::size_t sets, std::uint64_t commit,
                 const std::function<void(PathId, std::uint64_t)>& fn);

  std::uint64_t size() const { return size_; }
  std::uint64_t footprint() const;

 private:
  // Blocks are measured in units of two octets, and begin with a varint: twice the size of what
  // follows, and one more where that is packed.
  using Unit = std::uint16_t;
  static constexpr std::uint32_t kSmallUnits = 512;  // larger blocks have memory of their own
  static constexpr std::uint32_t kMinUnits = 2;      // a free block holds the number of the next
  static constexpr unsigned kArenaBits = 20;
  static constexpr std::uint32_t kLarge = 1023;
  static constexpr std::uint32_t kLargeBlock = 0x80000000;  // in Entry::block
  static constexpr std::uint32_t kUnused = 0;
  static constexpr std::uint32_t kMany = 3;

  struct Entry {
    // First unit, or index into large_ and kLargeBlock; next free id while free.
    alignas(std::atomic_ref<std::uint32_t>::required_alignment) std::uint32_t block = 0;
    std::uint32_t references = 0;
    std::uint32_t hash = 0;
    std::uint32_t units : 10 = kUnused;  // of the block, or kLarge
    std::uint32_t quarantined : 2 = 0;   // times in quarantine_; kMany: see many_
    std::uint32_t as_given : 1 = 0;
    std::uint32_t owner : 19 = 0;
  };
  static_assert(sizeof(Entry) == 16);

  struct OldBlock {
    std::uint64_t commit = 0;
    std::uint32_t block = 0;
    std::uint32_t units = 0;
  };

  bool place(Entry& entry, Octets octets, Form form);
  bool holds(PathId id, Octets octets);
  void free_block(std::uint32_t block, std::uint32_t units);
  void free_entry(PathId id);
  void leave_quarantine(PathId id, const std::function<void(PathId)>& fn);
  void insert_slot(std::uint32_t hash, PathId id);
  void erase_slot(std::uint32_t hash, PathId id);
  void grow();
  /// The only thing of an entry that the store thread reads: `pack_some` may put another block in its
  /// place, and both hold the set.
  std::uint32_t block_of(PathId id) const;
  /// Where it begins.
  const std::uint8_t* block_at(std::uint32_t block) const;
  std::uint32_t next_free(std::uint32_t block) const;

  ChunkedArray<Entry, 17, 15> entries_;
  ChunkedArray<Unit, kArenaBits, 11> arena_;
  std::uint64_t arena_used_ = 0;
  std::vector<std::uint32_t> free_blocks_;  // by units: head of a list through the blocks
  ChunkedArray<std::vector<std::uint8_t>, 10, 14> large_;
  std::vector<std::uint32_t> free_large_;
  std::uint32_t large_used_ = 0;
  LargeVector<PathId> index_;
  std::uint64_t mask_ = 0;
  std::uint64_t size_ = 0;
  PathId next_ = 0;
  PathId free_ = kNoPath;
  std::uint64_t waiting_ = 0;
  Quarantine quarantine_;
  std::unordered_map<PathId, std::uint32_t> many_;  // times in quarantine_, from kMany on
  std::deque<OldBlock> old_blocks_;  // of sets that were packed; the store may still read them
  PathId pack_next_ = 0;
  AttributePacker packer_;
  PathBuffer scratch_;
};

}  // namespace lapwing::rib
