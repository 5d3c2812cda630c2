#include "detectors/sightings.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "detectors/evidence.h"

namespace lapwing::detectors {

void Sightings::attach(const Host& host) {
  host_ = &host;
  seed_ = seed_of(&host);
}

void Sightings::add_adjacency(OriginNumber origin) {
  if (origin >= origins_.size()) origins_.resize(origin + 1);
  adjacencies_.push_back({kNil, 0, origin});
}

bool Sightings::add(PrefixId prefix, AdjacencyNumber adjacency) {
  std::uint32_t& head = head_of(prefix);
  const OriginNumber origin = adjacencies_[adjacency].origin;
  bool origin_known = false;
  for (std::uint32_t at = head; is_node(at); at = nodes_[at].more) {
    Node& node = nodes_[at];
    if (node.adjacency == adjacency) {
      if (node.routes < kCountMax)
        ++node.routes;
      else
        ++many_[at];
      return false;
    }
    origin_known = origin_known || adjacencies_[node.adjacency].origin == origin;
  }
  head = make_node(adjacency, head);
  if (!origin_known) ++origins_[origin].prefixes;
  return true;
}

bool Sightings::remove(PrefixId prefix, AdjacencyNumber adjacency) {
  std::uint32_t& head = head_of(prefix);
  std::uint32_t* link = &head;
  while (is_node(*link) && nodes_[*link].adjacency != adjacency) link = &nodes_[*link].more;
  assert(is_node(*link));
  if (!is_node(*link)) return false;
  Node& node = nodes_[*link];
  if (node.routes == kCountMax) {
    if (const auto it = many_.find(*link); it != many_.end()) {
      if (--it->second == 0) many_.erase(it);
      return false;
    }
  }
  if (--node.routes != 0) return false;
  const OriginNumber origin = adjacencies_[adjacency].origin;
  drop_node(*link);
  if (!chain_has_origin(head, origin)) --origins_[origin].prefixes;
  return true;
}

void Sightings::release(PrefixId prefix) {
  if (prefix >= slots_.size() || slots_[prefix] == kUnresolved) return;
  const std::uint32_t slot = slots_[prefix];
  if (!is_node(slot) && (slot & kGroup) != 0) {
    Group& group = groups_[slot & kIndexMask];
    std::erase(group.members, prefix);
    if (group.members.empty()) {
      drop_chain(group.head);
      free_groups_.push_back(slot & kIndexMask);
    }
  } else {
    drop_chain(slots_[prefix]);
  }
  slots_[prefix] = kUnresolved;
}

std::size_t Sightings::footprint() const {
  return slots_.capacity() * sizeof(std::uint32_t) + nodes_.footprint() +
         adjacencies_.capacity() * sizeof(PerAdjacency) +
         origins_.capacity() * sizeof(PerOrigin) + groups_.capacity() * sizeof(Group);
}

std::uint32_t& Sightings::head_of(PrefixId prefix) {
  if (prefix >= slots_.size()) slots_.resize(prefix + 1, kUnresolved);
  if (slots_[prefix] == kUnresolved) resolve(prefix);
  std::uint32_t& slot = slots_[prefix];
  if (!is_node(slot) && (slot & kGroup) != 0) return groups_[slot & kIndexMask].head;
  return slot;
}

void Sightings::resolve(PrefixId prefix) {
  const bool has_path_id = host_->has_path_id(prefix);
  if (!has_path_id && !indexed_) {
    slots_[prefix] = kEnd | prefix;
    return;
  }
  if (!indexed_) {
    indexed_ = true;
    reindex(slots_.size());
  }
  const Nlri key = without_path_id(host_->nlri(prefix));
  const std::uint32_t same = find_same_prefix(hash_nlri(seed_, key), key);
  if (same == IdTable::kNone && !has_path_id) {
    slots_[prefix] = kEnd | prefix;
    index(kEnd | prefix, key);
    return;
  }
  join(prefix, same == IdTable::kNone ? make_group(key)
               : (same & kGroup) != 0 ? same & kIndexMask
                                      : turn_into_group(same & kIndexMask, key));
}

std::uint32_t Sightings::find_same_prefix(std::uint64_t hash, const Nlri& key) const {
  return index_.find(hash, [&](std::uint32_t id) {
    const std::uint32_t at = id & kIndexMask;
    if ((id & kGroup) != 0) return !groups_[at].members.empty() && groups_[at].key == key;
    const std::uint32_t slot = slots_[at];
    if (slot == kUnresolved || (!is_node(slot) && (slot & kGroup) != 0)) return false;
    return host_->nlri(at) == key;
  });
}

void Sightings::index(std::uint32_t id, const Nlri& key) {
  if (index_.full()) reindex(slots_.size());  // drops what has been released
  index_.insert(hash_nlri(seed_, key), id);       // a second time at worst, which harms nothing
}

void Sightings::reindex(std::size_t room) {
  index_.clear(room + groups_.size());
  for (PrefixId p = 0; p < slots_.size(); ++p) {
    const std::uint32_t slot = slots_[p];
    if (slot == kUnresolved || (!is_node(slot) && (slot & kGroup) != 0)) continue;
    index_.insert(hash_nlri(seed_, host_->nlri(p)), kEnd | p);
  }
  for (std::uint32_t g = 0; g < groups_.size(); ++g)
    if (!groups_[g].members.empty()) index_.insert(hash_nlri(seed_, groups_[g].key), kEnd | kGroup | g);
}

std::uint32_t Sightings::make_group(const Nlri& key) {
  std::uint32_t group = static_cast<std::uint32_t>(groups_.size());
  if (free_groups_.empty()) {
    groups_.emplace_back();
  } else {
    group = free_groups_.back();
    free_groups_.pop_back();
  }
  groups_[group].key = key;
  groups_[group].head = kEnd | kGroup | group;
  index(kEnd | kGroup | group, key);
  return group;
}

void Sightings::join(PrefixId prefix, std::uint32_t group) {
  groups_[group].members.push_back(prefix);
  slots_[prefix] = kEnd | kGroup | group;
}

std::uint32_t Sightings::turn_into_group(PrefixId prefix, const Nlri& key) {
  const std::uint32_t group = make_group(key);
  const std::uint32_t head = slots_[prefix];
  if (is_node(head)) {
    std::uint32_t last = head;
    while (is_node(nodes_[last].more)) last = nodes_[last].more;
    nodes_[last].more = kEnd | kGroup | group;
    groups_[group].head = head;
  }
  join(prefix, group);
  return group;
}

std::uint32_t Sightings::make_node(std::uint32_t adjacency, std::uint32_t more) {
  std::uint32_t at = free_node_;
  if (at == kNil) {
    at = next_node_++;
    nodes_.grow_to(at);
  } else {
    free_node_ = nodes_[at].more;
  }
  PerAdjacency& list = adjacencies_[adjacency];
  Node& node = nodes_[at];
  node.adjacency = adjacency & ((1u << 22) - 1);
  node.routes = 1;
  node.more = more;
  node.previous = kNil;
  node.next = list.head;
  if (list.head != kNil) nodes_[list.head].previous = at;
  list.head = at;
  ++list.prefixes;
  ++nodes_used_;
  return at;
}

/// Takes the node out of its chain (where `link` names it) and out of its list.
void Sightings::drop_node(std::uint32_t& link) {
  const std::uint32_t at = link;
  Node& node = nodes_[at];
  PerAdjacency& list = adjacencies_[node.adjacency];
  if (node.previous == kNil)
    list.head = node.next;
  else
    nodes_[node.previous].next = node.next;
  if (node.next != kNil) nodes_[node.next].previous = node.previous;
  --list.prefixes;
  link = node.more;
  node.more = free_node_;
  free_node_ = at;
  --nodes_used_;
}

void Sightings::drop_chain(std::uint32_t& head) {
  while (is_node(head)) {
    const OriginNumber origin = adjacencies_[nodes_[head].adjacency].origin;
    many_.erase(head);
    drop_node(head);
    if (!chain_has_origin(head, origin)) --origins_[origin].prefixes;
  }
}

bool Sightings::chain_has_origin(std::uint32_t head, OriginNumber origin) const {
  for (std::uint32_t at = head; is_node(at); at = nodes_[at].more)
    if (adjacencies_[nodes_[at].adjacency].origin == origin) return true;
  return false;
}

}  // namespace lapwing::detectors
