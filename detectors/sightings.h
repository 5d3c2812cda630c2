// How many prefixes show each adjacency and each origin, counted exactly and without a copy of the
// table.
//
// For each prefix a short chain of nodes, one for each adjacency it is seen behind, with the number
// of routes that show it; each node also stands in the list of its adjacency, so that the prefixes
// behind an adjacency can be listed without a search. 4 octets a prefix and 16 a node.
//
// "Prefix" is family, route distinguisher and prefix. NLRI that differ only in the path identifier
// (RFC 7911) are one prefix: they share a chain through a group. Groups cost memory only where a
// neighbour uses ADD-PATH.
// Thread: engine. Owns: its nodes; names prefixes and adjacencies by number.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "detectors/id_table.h"
#include "lapwing/chunked_array.h"
#include "lapwing/detector.h"
#include "lapwing/large_allocator.h"
#include "lapwing/prefetch.h"

namespace lapwing::detectors {

class Sightings {
 public:
  using AdjacencyNumber = std::uint32_t;  // dense from 0, given by the caller
  using OriginNumber = std::uint32_t;
  static constexpr std::uint32_t kMaxAdjacencies = (1u << 22) - 1;

  void attach(const Host& host);

  /// Asks for the memory that a change of this prefix will need; the second once the first arrived.
  void prefetch(PrefixId prefix) const {
    if (prefix < slots_.size()) prefetch_line(&slots_[prefix]);
  }
  void prefetch(PrefixId prefix, AdjacencyNumber adjacency) const {
    prefetch_line(&adjacencies_[adjacency]);
    if (prefix < slots_.size() && is_node(slots_[prefix])) prefetch_line(&nodes_[slots_[prefix]]);
  }
  /// Reads the adjacency and the node: those beside it in the list of its adjacency change with it, or the first one of
  /// the list where it is new.
  void prefetch_neighbors(PrefixId prefix, AdjacencyNumber adjacency) const {
    prefetch_line(&origins_[adjacencies_[adjacency].origin]);
    if (const std::uint32_t head = adjacencies_[adjacency].head; head != kNil)
      prefetch_line(&nodes_[head]);
    if (prefix >= slots_.size() || !is_node(slots_[prefix])) return;
    const Node& node = nodes_[slots_[prefix]];
    if (node.previous != kNil) prefetch_line(&nodes_[node.previous]);
    if (node.next != kNil) prefetch_line(&nodes_[node.next]);
  }

  /// Adjacencies are numbered in the order of these calls.
  void add_adjacency(OriginNumber origin);

  /// One more route for the prefix shows the adjacency. True: the first one of this prefix.
  bool add(PrefixId prefix, AdjacencyNumber adjacency);
  /// One route less. True: that was the last one of this prefix.
  bool remove(PrefixId prefix, AdjacencyNumber adjacency);
  /// Forgets a prefix id; what it still shows is no longer counted.
  void release(PrefixId prefix);

  std::uint32_t prefixes(AdjacencyNumber a) const { return adjacencies_[a].prefixes; }
  std::uint32_t origin_prefixes(OriginNumber o) const { return origins_[o].prefixes; }
  /// Of its prefixes those that came, less those that went, without being news.
  std::int32_t origin_taught(OriginNumber o) const { return origins_[o].taught; }
  void add_taught(OriginNumber o, std::int32_t prefixes) { origins_[o].taught += prefixes; }

  /// Calls `fn(prefix ids)` for each prefix behind the adjacency, in no useful order: one id, or
  /// all ids of a group. `fn` returns false to end.
  template <typename Fn>
  void for_each_prefix(AdjacencyNumber a, Fn&& fn) const {
    for (std::uint32_t at = adjacencies_[a].head; at != kNil; at = nodes_[at].next) {
      const std::uint32_t owner = owner_of(at);
      const PrefixId plain = owner & kIndexMask;
      const bool more = (owner & kGroup) != 0
                            ? fn(std::span<const PrefixId>(groups_[owner & kIndexMask].members))
                            : fn(std::span<const PrefixId>(&plain, 1));
      if (!more) return;
    }
  }

  /// Nodes in use: 0 when no route shows any adjacency.
  std::size_t nodes() const { return nodes_used_; }
  std::size_t footprint() const;

 private:
  // A reference is a node's index, or the end of a chain, which names the owner of the chain.
  static constexpr std::uint32_t kEnd = 0x80000000;    // with a PrefixId
  static constexpr std::uint32_t kGroup = 0x40000000;  // and kEnd, with a group's index
  static constexpr std::uint32_t kIndexMask = 0x3fffffff;
  static constexpr std::uint32_t kUnresolved = 0xffffffff;  // slot of a PrefixId not in use
  static constexpr std::uint32_t kNil = 0xffffffff;
  static constexpr std::uint32_t kCountMax = (1u << 10) - 1;

  struct Node {
    std::uint32_t adjacency : 22;
    std::uint32_t routes : 10;  // kCountMax: more of them in `many_`
    std::uint32_t more;         // next in the chain of the prefix, or its end
    std::uint32_t previous;     // in the list of the adjacency
    std::uint32_t next;
  };
  static_assert(sizeof(Node) == 16);

  struct PerAdjacency {
    std::uint32_t head = kNil;
    std::uint32_t prefixes = 0;
    OriginNumber origin = 0;
  };

  struct PerOrigin {
    std::uint32_t prefixes = 0;  // distinct
    std::int32_t taught = 0;
  };

  struct Group {
    Nlri key;  // without path identifier
    std::uint32_t head = 0;
    std::vector<PrefixId> members;
  };

  static bool is_node(std::uint32_t reference) { return (reference & kEnd) == 0; }
  std::uint32_t owner_of(std::uint32_t node) const {
    std::uint32_t at = node;
    while (is_node(at)) at = nodes_[at].more;
    return at;
  }

  std::uint32_t& head_of(PrefixId prefix);
  void resolve(PrefixId prefix);
  std::uint32_t find_same_prefix(std::uint64_t hash, const Nlri& key) const;
  void index(std::uint32_t id, const Nlri& key);
  void reindex(std::size_t room);
  std::uint32_t make_group(const Nlri& key);
  void join(PrefixId prefix, std::uint32_t group);
  std::uint32_t turn_into_group(PrefixId prefix, const Nlri& key);
  std::uint32_t make_node(std::uint32_t adjacency, std::uint32_t more);
  void drop_node(std::uint32_t& link);
  void drop_chain(std::uint32_t& head);
  bool chain_has_origin(std::uint32_t head, OriginNumber origin) const;

  const Host* host_ = nullptr;
  std::uint64_t seed_ = 0;
  LargeVector<std::uint32_t> slots_;  // by PrefixId: chain, or kEnd | kGroup | group
  ChunkedArray<Node, 17, 14> nodes_;
  std::uint32_t next_node_ = 0;  // first one never used
  std::uint32_t free_node_ = kNil;  // chained through `more`
  std::size_t nodes_used_ = 0;
  std::map<std::uint32_t, std::uint32_t> many_;  // routes beyond kCountMax, by node
  LargeVector<PerAdjacency> adjacencies_;
  LargeVector<PerOrigin> origins_;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> free_groups_;
  // Once a path identifier was seen: finds a prefix among plain ids and groups. A plain id stays in
  // it after its release; every hit is verified against `slots_` and the host.
  bool indexed_ = false;
  IdTable index_;
};

}  // namespace lapwing::detectors
