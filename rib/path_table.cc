#include "rib/path_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lapwing::rib {

namespace {

constexpr std::uint32_t kNoBlock = 0xffffffff;
constexpr std::size_t kMaxPrologue = 5;

}  // namespace

PathTable::PathTable()
    : free_blocks_(kSmallUnits + 1, kNoBlock), index_(1024, kNoPath), mask_(index_.size() - 1) {}

const std::uint8_t* PathTable::block_at(std::uint32_t block) const {
  if ((block & kLargeBlock) != 0) return large_[block & ~kLargeBlock].data();
  return reinterpret_cast<const std::uint8_t*>(&arena_[block]);
}

std::uint32_t PathTable::block_of(PathId id) const {
  auto& block = const_cast<std::uint32_t&>(entries_[id].block);
  return std::atomic_ref(block).load(std::memory_order_acquire);
}

void PathTable::prefetch_octets(PathId id) const {
  if (const std::uint32_t block = block_of(id); (block & kLargeBlock) == 0)
    prefetch_line(&arena_[block]);
}

Octets PathTable::octets(PathId id, PathBuffer& buffer) const {
  const std::uint8_t* p = block_at(block_of(id));
  const std::uint32_t prologue = read_varint(p, p + kMaxPrologue);
  const Octets kept(p, prologue / 2);
  return prologue % 2 == 0 ? kept : packer_.unpack(kept, buffer);
}

bool PathTable::holds(PathId id, Octets octets) {
  const Octets known = this->octets(id, scratch_);
  return known.size() == octets.size() &&
         (octets.empty() || std::memcmp(known.data(), octets.data(), octets.size()) == 0);
}

PathTable::Interned PathTable::intern(Octets octets, std::uint64_t hash, Form form) {
  const auto short_hash = static_cast<std::uint32_t>(hash);
  for (std::uint64_t at = short_hash & mask_; index_[at] != kNoPath; at = (at + 1) & mask_)
    if (entries_[index_[at]].hash == short_hash && holds(index_[at], octets))
      return {index_[at], false};

  PathId id = free_;
  if (id == kNoPath) {
    if (next_ == kEndOfIds || !entries_.grow_to(next_)) return {};
    id = next_;
  }
  Entry entry;
  entry.hash = short_hash;
  if (!place(entry, octets, form)) return {};
  if (id == free_)
    free_ = entries_[id].block;
  else
    ++next_;
  entries_[id] = entry;
  insert_slot(short_hash, id);
  return {id, true};
}

bool PathTable::restore(PathId id, Octets octets, std::uint64_t hash) {
  if (id >= kEndOfIds || !entries_.grow_to(id) || entries_[id].units != kUnused) return false;
  Entry entry;
  entry.hash = static_cast<std::uint32_t>(hash);
  if (!place(entry, octets, Form::kPacked)) return false;
  entries_[id] = entry;
  next_ = std::max(next_, id + 1);
  insert_slot(entry.hash, id);
  return true;
}

void PathTable::finish_restore() {
  for (PathId id = next_; id-- > 0;) {
    if (entries_[id].units == kUnused) {
      entries_[id].block = free_;
      free_ = id;
    } else if (entries_[id].references == 0) {
      free_entry(id);
    }
  }
}

bool PathTable::place(Entry& entry, Octets octets, Form form) {
  const Octets kept = form == Form::kPacked ? packer_.pack(octets) : octets;
  const std::size_t prologue = 2 * kept.size() + (form == Form::kPacked ? 1 : 0);
  const std::size_t total = varint_size(prologue) + kept.size();
  entry.as_given = form == Form::kAsGiven ? 1 : 0;
  const auto units =
      std::max(kMinUnits, static_cast<std::uint32_t>((total + sizeof(Unit) - 1) / sizeof(Unit)));
  std::uint8_t* p = nullptr;
  if (units > kSmallUnits) {
    if (!free_large_.empty()) {
      entry.block = free_large_.back();
      free_large_.pop_back();
    } else {
      if (!large_.grow_to(large_used_)) return false;
      entry.block = large_used_++;
    }
    entry.units = kLarge;
    large_[entry.block].resize(total);
    p = large_[entry.block].data();
    entry.block |= kLargeBlock;
  } else {
    entry.units = units & kLarge;
    if (free_blocks_[units] != kNoBlock) {
      entry.block = free_blocks_[units];
      free_blocks_[units] = next_free(entry.block);
      if (free_blocks_[units] != kNoBlock) prefetch_line(&arena_[free_blocks_[units]]);
    } else {
      // A block does not cross chunks: reads take a plain pointer.
      constexpr std::uint64_t kChunkUnits = std::uint64_t{1} << kArenaBits;
      if (arena_used_ / kChunkUnits != (arena_used_ + units - 1) / kChunkUnits)
        arena_used_ = (arena_used_ / kChunkUnits + 1) * kChunkUnits;
      if (!arena_.grow_to(arena_used_ + units - 1)) return false;
      entry.block = static_cast<std::uint32_t>(arena_used_);
      arena_used_ += units;
    }
    p = reinterpret_cast<std::uint8_t*>(&arena_[entry.block]);
  }
  p = write_varint(p, prologue);
  if (!kept.empty()) std::memcpy(p, kept.data(), kept.size());
  return true;
}

std::uint32_t PathTable::next_free(std::uint32_t block) const {
  std::uint32_t next = 0;
  std::memcpy(&next, &arena_[block], sizeof next);
  return next;
}

void PathTable::free_block(std::uint32_t block, std::uint32_t units) {
  if (units == kLarge) {
    block &= ~kLargeBlock;
    std::vector<std::uint8_t>().swap(large_[block]);
    free_large_.push_back(block);
  } else {
    std::memcpy(&arena_[block], &free_blocks_[units], sizeof free_blocks_[0]);
    free_blocks_[units] = block;
  }
}

void PathTable::pack_some(std::size_t entries, std::size_t sets, std::uint64_t commit,
                          const std::function<void(PathId, std::uint64_t)>& fn) {
  for (std::size_t n = std::min<std::size_t>(entries, next_); n != 0 && sets != 0; --n) {
    const PathId id = pack_next_ < next_ ? pack_next_ : 0;
    pack_next_ = id + 1;
    Entry& entry = entries_[id];
    if (entry.units == kUnused || entry.as_given == 0 || entry.references == 0 ||
        entry.quarantined != 0)
      continue;
    --sets;
    const std::uint64_t before = weight(id);
    Entry packed = entry;
    if (!place(packed, octets(id, scratch_), Form::kPacked)) return;
    old_blocks_.push_back({commit, entry.block, entry.units});
    entry.as_given = 0;
    entry.units = packed.units;
    std::atomic_ref(entry.block).store(packed.block, std::memory_order_release);
    fn(id, before - weight(id));
  }
}

void PathTable::free_entry(PathId id) {
  Entry& entry = entries_[id];
  erase_slot(entry.hash, id);
  free_block(entry.block, entry.units);
  entry = Entry{};
  entry.block = free_;
  free_ = id;
}

void PathTable::release(PathId id, std::uint64_t commit) {
  Entry& entry = entries_[id];
  if (--entry.references != 0) return;
  if (entry.quarantined != kMany)
    ++entry.quarantined;
  else
    ++many_.try_emplace(id, kMany).first->second;
  waiting_ += weight(id);
  quarantine_.add(commit, id);
}

std::uint64_t PathTable::weight(PathId id) const {
  const Entry& entry = entries_[id];
  return sizeof(Entry) +
         (entry.units == kLarge ? large_[entry.block & ~kLargeBlock].size()
                                : entry.units * sizeof(Unit));
}

void PathTable::leave_quarantine(PathId id, const std::function<void(PathId)>& fn) {
  Entry& entry = entries_[id];
  waiting_ -= weight(id);
  if (entry.quarantined == kMany) {
    const auto times = many_.find(id);
    if (times != many_.end()) {
      if (--times->second == kMany) many_.erase(times);
      return;
    }
  }
  if (--entry.quarantined != 0 || entry.references != 0) return;
  fn(id);
  free_entry(id);
}

void PathTable::drain(std::uint64_t durable, const std::function<void(PathId)>& fn,
                      const std::function<void(PathId)>& ahead, std::size_t keep) {
  for (; !old_blocks_.empty() && old_blocks_.front().commit <= durable; old_blocks_.pop_front())
    free_block(old_blocks_.front().block, old_blocks_.front().units);
  const auto prefetch = [&](PathId id, int step) {
    if (step == 0 && ahead) ahead(id);
    if (step == 0)
      prefetch_entry(id);
    else
      this->prefetch(entries_[id].hash);
  };
  quarantine_.drain(durable, keep, prefetch, [&](PathId id) { leave_quarantine(id, fn); });
}

void PathTable::free_unnamed(std::span<const PathId> named, const std::function<void(PathId)>& fn) {
  waiting_ = 0;
  quarantine_.reduce([&](PathId id) {
    Entry& entry = entries_[id];
    if (entry.quarantined == kMany) many_.erase(id);
    entry.quarantined = 0;
    if (entry.references != 0) return false;
    if (std::binary_search(named.begin(), named.end(), id)) {
      entry.quarantined = 1;
      waiting_ += weight(id);
      return true;
    }
    fn(id);
    free_entry(id);
    return false;
  });
}

void PathTable::insert_slot(std::uint32_t hash, PathId id) {
  if ((size_ + 1) * 10 > index_.size() * 7) grow();
  std::uint64_t at = hash & mask_;
  while (index_[at] != kNoPath) at = (at + 1) & mask_;
  index_[at] = id;
  ++size_;
}

void PathTable::erase_slot(std::uint32_t hash, PathId id) {
  std::uint64_t hole = hash & mask_;
  while (index_[hole] != id) hole = (hole + 1) & mask_;
  for (std::uint64_t at = (hole + 1) & mask_; index_[at] != kNoPath; at = (at + 1) & mask_) {
    const std::uint64_t home = entries_[index_[at]].hash & mask_;
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    index_[hole] = index_[at];
    hole = at;
  }
  index_[hole] = kNoPath;
  --size_;
}

void PathTable::grow() {
  LargeVector<PathId> old(index_.size() * 2, kNoPath);
  old.swap(index_);
  mask_ = index_.size() - 1;
  for (const PathId id : old) {
    if (id == kNoPath) continue;
    std::uint64_t at = entries_[id].hash & mask_;
    while (index_[at] != kNoPath) at = (at + 1) & mask_;
    index_[at] = id;
  }
}

std::uint64_t PathTable::footprint() const {
  return entries_.footprint() + arena_.footprint() + packer_.footprint() + index_.capacity() * sizeof(PathId);
}

}  // namespace lapwing::rib
