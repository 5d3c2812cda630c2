#include "rib/prefix_table.h"

#include <algorithm>
#include <boost/unordered/unordered_flat_set.hpp>
#include <tuple>
#include <utility>

namespace lapwing::rib {

PrefixTable::PrefixTable() : index_(1024), mask_(index_.size() - 1) {}

PrefixTable::Kind PrefixTable::kind_of(const bgp::NlriKey& key) {
  if (key.safi != kSafiUnicast || key.has_path_id != 0 || key.low != 0 || key.length > 64)
    return Kind::kExtended;
  return key.afi == kAfiIpv4 ? Kind::kIpv4 : Kind::kIpv6;
}

bool PrefixTable::matches(const Record& record, const bgp::NlriKey& key, Kind kind) const {
  if (record.kind != kind) return false;
  if (kind == Kind::kExtended) return extended_[record.high] == key;
  return record.high == key.high && record.length == key.length;
}

void PrefixTable::prefetch_record(std::uint64_t hash) const {
  const PrefixId id = index_[hash & mask_].id;
  if (id != kNone) prefetch_line(&records_[id]);
}

PrefixId PrefixTable::find(const bgp::NlriKey& key, std::uint64_t hash) const {
  const Kind kind = kind_of(key);
  const auto tag = static_cast<std::uint32_t>(hash);
  for (std::uint64_t at = hash & mask_; index_[at].id != kNone; at = (at + 1) & mask_)
    if (index_[at].tag == tag && matches(records_[index_[at].id], key, kind)) return index_[at].id;
  return kNone;
}

PrefixId PrefixTable::intern(const bgp::NlriKey& key, std::uint64_t hash) {
  const PrefixId found = find(key, hash);
  if (found != kNone) return found;
  if ((size_ + 1) * 10 > index_.size() * 7) grow();

  const Kind kind = kind_of(key);
  if (kind == Kind::kExtended && free_extended_.empty() && !extended_.grow_to(extended_used_))
    return kNone;
  PrefixId id = free_;
  if (id != kNone) {
    free_ = records_[id].references;
  } else {
    if (!records_.grow_to(next_) || next_ == kNone) return kNone;
    id = next_++;
  }
  Record& record = records_[id];
  record.kind = kind;
  record.length = key.length;
  record.references = 0;
  record.quarantined = 0;
  if (record.kind == Kind::kExtended) {
    std::uint32_t slot = extended_used_;
    if (free_extended_.empty()) {
      ++extended_used_;
    } else {
      slot = free_extended_.back();
      free_extended_.pop_back();
    }
    extended_[slot] = key;
    record.high = slot;
  } else {
    record.high = key.high;
  }
  std::uint64_t at = hash & mask_;
  while (index_[at].id != kNone) at = (at + 1) & mask_;
  index_[at] = {id, static_cast<std::uint32_t>(hash)};
  ++size_;
  return id;
}

bgp::NlriKey PrefixTable::key(PrefixId id) const {
  const Record& record = records_[id];
  if (record.kind == Kind::kExtended) return extended_[record.high];
  bgp::NlriKey key;
  key.high = record.high;
  key.afi = static_cast<std::uint8_t>(record.kind == Kind::kIpv4 ? kAfiIpv4 : kAfiIpv6);
  key.safi = kSafiUnicast;
  key.length = record.length;
  return key;
}

Prefix PrefixTable::prefix(PrefixId id) const {
  const Record& record = records_[id];
  if (record.kind == Kind::kExtended) return bgp::to_nlri(extended_[record.high]).prefix;
  Prefix prefix;
  prefix.address = bgp::to_address(record.kind == Kind::kIpv4 ? IpVersion::kV4 : IpVersion::kV6,
                                   record.high, 0);
  prefix.length = record.length;
  return prefix;
}

Family PrefixTable::family(PrefixId id) const {
  const Record& record = records_[id];
  if (record.kind == Kind::kIpv4) return kIpv4Unicast;
  if (record.kind == Kind::kIpv6) return kIpv6Unicast;
  return extended_[record.high].family();
}

void PrefixTable::sort(std::vector<PrefixId>& ids) const {
  struct Item {
    std::uint64_t high;
    PrefixId id;
    std::uint8_t afi, safi, length;
  };
  static_assert(sizeof(Item) == 16);
  std::vector<Item> items;
  items.reserve(ids.size());
  for (const PrefixId id : ids) {
    const bgp::NlriKey k = key(id);
    items.push_back({k.high, id, k.afi, k.safi, k.length});
  }
  std::sort(items.begin(), items.end(), [this](const Item& a, const Item& b) {
    const auto first = [](const Item& i) { return std::tie(i.afi, i.safi, i.high, i.length); };
    if (first(a) != first(b)) return first(a) < first(b);
    const bgp::NlriKey x = key(a.id), y = key(b.id);
    return std::tie(x.low, x.rd, x.path_id, x.has_path_id) <
           std::tie(y.low, y.rd, y.path_id, y.has_path_id);
  });
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = items[i].id;
}

void PrefixTable::release(PrefixId id, std::uint64_t commit) {
  Record& record = records_[id];
  if (--record.references != 0) return;
  --referred_;
  if (record.quarantined != kMany) ++record.quarantined;
  ++waiting_;
  quarantine_.add(commit, id);
}

void PrefixTable::leave_quarantine(PrefixId id, const std::function<void(PrefixId)>& fn) {
  Record& record = records_[id];
  --waiting_;
  if (record.quarantined == kMany || --record.quarantined != 0 || record.references != 0) return;
  free_record(id, fn);
}

void PrefixTable::free_record(PrefixId id, const std::function<void(PrefixId)>& fn) {
  Record& record = records_[id];
  fn(id);
  erase_slot(hash(key(id)), id);
  if (record.kind == Kind::kExtended)
    free_extended_.push_back(static_cast<std::uint32_t>(record.high));
  record.kind = Kind::kFree;
  record.references = free_;
  free_ = id;
  --size_;
}

void PrefixTable::drain(std::uint64_t durable, const std::function<void(PrefixId)>& fn,
                        const std::function<void(PrefixId)>& ahead, std::uint64_t most) {
  const auto prefetch = [&](PrefixId id, int step) {
    if (step == 0 && ahead) ahead(id);
    if (step == 0)
      prefetch_key(id);
    else
      this->prefetch(hash(key(id)));
  };
  const std::uint64_t keep = waiting_ - std::min(waiting_, most);
  quarantine_.drain(durable, keep, prefetch, [&](PrefixId id) { leave_quarantine(id, fn); });
}

void PrefixTable::free_unnamed(std::span<const PrefixId> named,
                               const std::function<void(PrefixId)>& fn) {
  waiting_ = 0;
  quarantine_.reduce([&](PrefixId id) {
    Record& record = records_[id];
    record.quarantined = 0;
    if (record.references != 0) return false;
    if (std::binary_search(named.begin(), named.end(), id)) {
      record.quarantined = 1;
      ++waiting_;
      return true;
    }
    free_record(id, fn);
    return false;
  });
}

void PrefixTable::grow() {
  LargeVector<Slot> old(index_.size() * 2);
  old.swap(index_);
  mask_ = index_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id == kNone) continue;
    std::uint64_t at = slot.tag & mask_;
    while (index_[at].id != kNone) at = (at + 1) & mask_;
    index_[at] = slot;
  }
}

// Linear probing without tombstones: later entries of the run move up into the hole.
void PrefixTable::erase_slot(std::uint64_t hash, PrefixId id) {
  std::uint64_t hole = hash & mask_;
  while (index_[hole].id != id) hole = (hole + 1) & mask_;
  for (std::uint64_t at = (hole + 1) & mask_; index_[at].id != kNone; at = (at + 1) & mask_) {
    const std::uint64_t home = index_[at].tag & mask_;
    if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
    index_[hole] = index_[at];
    hole = at;
  }
  index_[hole] = Slot{};
}

std::uint64_t PrefixTable::distinct_prefixes() const {
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(const bgp::NlriKey& key) const { return hash(key); }
  };
  boost::unordered_flat_set<bgp::NlriKey, Hash> with_path_ids;
  std::uint64_t others = 0;
  for (PrefixId id = 0; id < next_; ++id) {
    if (records_[id].kind == Kind::kFree || records_[id].references == 0) continue;
    if (!has_path_id(id)) {
      ++others;
      continue;
    }
    bgp::NlriKey key = this->key(id);
    key.path_id = 0;
    key.has_path_id = 0;
    with_path_ids.insert(key);
  }
  return others + static_cast<std::uint64_t>(std::ranges::count_if(
                      with_path_ids, [this](const bgp::NlriKey& key) {
                        const PrefixId id = find(key, hash(key));
                        return id == kNone || records_[id].references == 0;
                      }));
}

std::uint64_t PrefixTable::footprint() const {
  return records_.footprint() + extended_.footprint() + index_.capacity() * sizeof(Slot);
}

}  // namespace lapwing::rib
