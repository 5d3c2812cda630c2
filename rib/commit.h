// What the engine hands to the store: one commit is one step in time, applied whole or not at all.
//
// Commits are numbered from 1 and are applied in order; the store may join consecutive ones into
// one atomic write. Route writes name prefixes and paths by id; the octets behind an id do not
// change until the store has made the commit durable that released it, so the store reads them
// through `Dictionary` on its own thread without a lock.
// Thread: built on the engine thread, then moved to the store thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bgp/record.h"
#include "lapwing/detector.h"
#include "lapwing/event.h"
#include "rib/attribute_packer.h"
#include "rib/state_writes.h"

namespace lapwing::rib {

/// One change of one neighbour's Adj-RIB-In.
struct RouteWrite {
  PeerId peer = 0;
  PrefixId prefix = 0;
  PathId before = kNoPath;
  PathId after = kNoPath;             // kNoPath: withdrawn
  std::uint32_t time_offset_us = 0;   // from Commit::base
};
static_assert(sizeof(RouteWrite) == 20);

/// What is kept of a family of a neighbour.
struct PeerFamilyRecord {
  Family family;
  bool baseline_done = false;  // its first table has been complete once
  friend bool operator==(const PeerFamilyRecord&, const PeerFamilyRecord&) = default;
};

/// What is kept of a neighbour over restarts. Identity: `name`; `id` is given once, never reused.
struct PeerRecord {
  PeerId id = 0;
  std::string name;
  IpAddress address;
  Asn as = 0;
  Asn local_as = 0;
  bool up = false;             // a session was established when this was written
  Timestamp last_change;       // of `up`
  std::string blind_reason;    // where it is not up: why, or empty
  std::vector<PeerFamilyRecord> families;
  friend bool operator==(const PeerRecord&, const PeerRecord&) = default;
};

/// A time in which a neighbour was not heard.
struct BlindInterval {
  PeerId peer = 0;
  TimeRange range;
  std::string reason;
  friend bool operator==(const BlindInterval&, const BlindInterval&) = default;
};

struct Commit {
  std::uint64_t sequence = 0;
  Timestamp base;                    // of the first record in it
  Timestamp alive_until;             // all neighbours that are up were heard until then
  std::vector<RouteWrite> routes;    // in order; the last one of a (peer, prefix) wins
  bool record_history = true;        // false: nothing but first tables in `routes`
  std::vector<PathId> new_paths;     // ids given to a path in this commit
  std::size_t path_octets = 0;       // what the sets behind these hold in memory
  StateWrites states;                // in order
  std::vector<PeerRecord> peers;
  std::vector<BlindInterval> blind;
  std::vector<PeerId> removed_peers; // drop all their routes
  std::vector<Event> events;         // in order; synced before any sink sees them

  bool empty() const {
    return routes.empty() && new_paths.empty() && states.empty() && peers.empty() &&
           blind.empty() && removed_peers.empty() && events.empty();
  }
};

/// Ids that commits name, each list ascending, without repetition.
struct CommitNames {
  std::vector<PathId> paths;
  std::vector<PrefixId> prefixes;
};

/// Where commits go. The engine calls from its own thread.
class CommitSink {
 public:
  virtual ~CommitSink() = default;
  virtual void submit(Commit&& commit) = 0;
  /// Events of an earlier commit that are done with; none when it has no more. The next ones are made
  /// of their memory.
  virtual std::vector<Event> spent() { return {}; }
  /// All commits up to this number are durable: their released ids may be used again.
  virtual std::uint64_t durable_sequence() const = 0;
  /// While nothing can be made durable, makes what waits as small as it can be and says what it
  /// still names: any other id that is released may be used again. None: there is no need.
  virtual std::optional<CommitNames> squeeze() { return std::nullopt; }
};

/// Reads what ids stand for. [Threading] may be called from the store thread while the engine runs,
/// for ids named by a commit that is not yet reported durable.
class Dictionary {
 public:
  virtual ~Dictionary() = default;
  virtual bgp::NlriKey nlri_key(PrefixId) const = 0;
  /// Valid until `buffer` is used again. Which of both holds them is not told.
  virtual Octets path_octets(PathId, PathBuffer& buffer) const = 0;
  /// Hints that these will be read soon; of a path step 0 first, step 1 some reads later.
  virtual void prefetch_nlri(PrefixId) const {}
  virtual void prefetch_path(PathId, int /*step*/) const {}
};

}  // namespace lapwing::rib
