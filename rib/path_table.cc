#include "rib/path_table.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lapwing::rib {

namespace {

constexpr std::uint32_t kNoBlock = 0xffffffff;

}  // namespace

PathTable::PathTable(Form form)
    : free_blocks_(kSmallUnits + 1, kNoBlock),
      index_(1024, kNoPath),
      mask_(index_.size() - 1),
      form_(form) {}

Octets PathTable::block(const Entry& entry) const {
  if (entry.units == kLarge) return large_[entry.block];
  return {reinterpret_cast<const std::uint8_t*>(&arena_[entry.block]),
          entry.units * sizeof(Unit)};
}

void PathTable::prefetch_octets(PathId id) const {
  const Entry& entry = entries_[id];
  if (entry.units != kLarge && entry.units != kUnused) prefetch_line(&arena_[entry.block]);
}

Octets PathTable::octets(PathId id, PathBuffer& buffer) const {
  const Octets block = this->block(entries_[id]);
  if (form_ == Form::kPacked) return packer_.unpack(block, buffer);
  const std::uint8_t* p = block.data();
  const std::uint32_t size = read_varint(p, p + block.size());
  return {p, size};
}

bool PathTable::holds(const Entry& entry, Octets kept) const {
  Octets known = block(entry);
  if (form_ == Form::kAsGiven) {
    const std::uint8_t* p = known.data();
    const std::uint32_t size = read_varint(p, p + known.size());
    known = {p, size};
    if (size != kept.size()) return false;
  }
  // Of packed sets none is the beginning of another.
  return known.size() >= kept.size() &&
         (kept.empty() || std::memcmp(known.data(), kept.data(), kept.size()) == 0);
}

PathTable::Interned PathTable::intern(Octets octets, std::uint64_t hash) {
  const auto short_hash = static_cast<std::uint32_t>(hash);
  const Octets kept = form_ == Form::kPacked ? packer_.pack(octets) : octets;
  for (std::uint64_t at = short_hash & mask_; index_[at] != kNoPath; at = (at + 1) & mask_) {
    const Entry& entry = entries_[index_[at]];
    if (entry.hash == short_hash && holds(entry, kept)) return {index_[at], false};
  }

  PathId id = free_;
  if (id == kNoPath) {
    if (next_ == kEndOfIds || !entries_.grow_to(next_)) return {};
    id = next_;
  }
  Entry entry;
  entry.hash = short_hash;
  if (!place(entry, kept)) return {};
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
  if (!place(entry, form_ == Form::kPacked ? packer_.pack(octets) : octets)) return false;
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

bool PathTable::place(Entry& entry, Octets kept) {
  const std::size_t prologue = form_ == Form::kAsGiven ? varint_size(kept.size()) : 0;
  const std::size_t total = prologue + kept.size();
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
  if (prologue != 0) p = write_varint(p, kept.size());
  if (!kept.empty()) std::memcpy(p, kept.data(), kept.size());
  return true;
}

std::uint32_t PathTable::next_free(std::uint32_t block) const {
  std::uint32_t next = 0;
  std::memcpy(&next, &arena_[block], sizeof next);
  return next;
}

void PathTable::free_block(const Entry& entry) {
  if (entry.units == kLarge) {
    std::vector<std::uint8_t>().swap(large_[entry.block]);
    free_large_.push_back(entry.block);
  } else {
    std::memcpy(&arena_[entry.block], &free_blocks_[entry.units], sizeof free_blocks_[0]);
    free_blocks_[entry.units] = entry.block;
  }
}

void PathTable::free_entry(PathId id) {
  Entry& entry = entries_[id];
  erase_slot(entry.hash, id);
  free_block(entry);
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
  return sizeof(Entry) + block(entry).size();
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
