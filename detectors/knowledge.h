// What is known of every (origin, upstream): since when, how often, and whether it is active.
//
// Origins and adjacencies are numbered densely in the order in which they were first named, and
// stay for the life of the process. One record is durable as one value: see `Knowledge::encode` for
// its format. Which prefixes show an adjacency now is not here but in `Sightings`. Thread: engine.
// Owns: its records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detectors/key_index.h"
#include "lapwing/event.h"
#include "lapwing/large_allocator.h"
#include "lapwing/prefetch.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::detectors {

inline constexpr std::uint32_t kNoNumber = KeyIndex::kNone;
// Of an adjacency's closed intervals. Of the kRecentIntervals youngest each is kept as it was,
// which the judging of flaps needs; beyond kMaxIntervals the shortest gap among the older ones is
// closed.
inline constexpr std::size_t kMaxIntervals = 64;
inline constexpr std::size_t kRecentIntervals = 16;

struct Interval {
  Timestamp from;
  Timestamp to;
  std::uint32_t gaps = 0;  // how many shorter absences it holds that were closed
  friend bool operator==(const Interval&, const Interval&) = default;
};

enum class RaiseOf : std::uint8_t { kNothing, kNew, kReturned };

struct AdjacencyRecord {
  Asn origin = 0;
  Asn upstream = 0;
  std::uint32_t origin_number = 0;
  std::uint32_t next_of_origin = kNoNumber;
  std::uint32_t touch = 0;           // hint: where the present UPDATE keeps its notes of it
  std::uint32_t window = kNoNumber;  // its open share window, by number
  std::uint32_t past = kNoNumber;    // its closed intervals, in Knowledge
  std::uint32_t activations = 0;     // 0: never seen; otherwise also the ordinal of its events
  std::uint32_t folded = 0;          // transitions since it was damped
  bool open = false;                 // seen, and not seen to go; its routes may be unobserved
  bool raised = false;               // a new-upstream event was raised for it
  bool damped = false;               // it comes and goes too quickly to be reported
  bool flap_reported = false;        // …and an upstream-flap event said so
  RaiseOf stands = RaiseOf::kNothing;  // what was raised, and no event has ended yet
  Timestamp first_seen;
  Timestamp last_seen;  // when `open` changed last
  Timestamp opened;     // start of the present interval, where open
  Timestamp damped_since;

  bool known() const { return activations != 0; }
};

/// The type of event that stands.
inline std::string_view what_stands(const AdjacencyRecord& r) {
  if (r.stands == RaiseOf::kNothing) return Event::kEndsNothing;
  return r.stands == RaiseOf::kNew ? "new-upstream" : "upstream-returned";
}

/// An AS as an origin, and, where it is one, as an upstream of others.
struct OriginRecord {
  Asn as = 0;
  std::uint32_t first_adjacency = kNoNumber;  // list through `next_of_origin`, newest first
  std::uint32_t known = 0;                    // adjacencies ever seen
  std::uint32_t open = 0;                     // adjacencies that are open
  std::uint32_t touch = 0;  // hint: the first note that the present UPDATE keeps of one of them
  // Set while a single-homed event stands: the upstream that went, and the ordinal of its going.
  std::optional<Asn> single_homed_after;
  std::uint32_t single_homed_ordinal = 0;
  // Since when it is known as an upstream; the beginning of time if a first table showed it so.
  std::optional<Timestamp> transit_since;
};

class Knowledge {
 public:
  /// `seed` comes from this process, so that nobody can choose ASNs that collide in the index.
  void set_seed(std::uint64_t seed) {
    index_.set_seed(seed);
    origin_index_.set_seed(seed);
  }

  /// kNoNumber where it was never named.
  std::uint32_t find(Asn origin, Asn upstream) const;
  std::uint32_t find_origin(Asn origin) const;
  /// Finds or adds. A new one has `activations` 0.
  std::uint32_t name(Asn origin, Asn upstream);
  std::uint32_t name_origin(Asn origin);

  std::size_t size() const { return records_.size(); }
  void prefetch(std::uint32_t number) const {
    const AdjacencyRecord* const record = &records_[number];
    prefetch_line(record);
    prefetch_line(&record->first_seen);
  }
  AdjacencyRecord& operator[](std::uint32_t number) { return records_[number]; }
  const AdjacencyRecord& operator[](std::uint32_t number) const { return records_[number]; }
  OriginRecord& origin(std::uint32_t number) { return origins_[number]; }
  const OriginRecord& origin(std::uint32_t number) const { return origins_[number]; }

  /// Closed intervals, oldest first, at most kMaxIntervals; from the first sight on, however long
  /// ago.
  const std::vector<Interval>& intervals(std::uint32_t number) const;
  void open(std::uint32_t number, Timestamp now);
  /// Its upstream carries others' routes: since `first_seen` if `raised`, else since ever.
  void note_transit(std::uint32_t number);
  void close(std::uint32_t number, Timestamp now, Timestamp last_seen);
  /// Times at which it came back or went, later than `after`; its first appearance does not count.
  std::size_t transitions_after(std::uint32_t number, Timestamp after) const;

  /// `value` becomes its stored record.
  void encode(std::uint32_t number, std::string& value) const;
  /// Takes over a stored record. False: the value is of another format or damaged.
  bool restore(Asn origin, Asn upstream, std::string_view value);

  std::size_t footprint() const;

 private:
  std::vector<Interval>& past_of(AdjacencyRecord& record);
  static std::uint64_t key_of(Asn origin, Asn upstream) {
    return static_cast<std::uint64_t>(origin) << 32 | upstream;
  }

  LargeVector<AdjacencyRecord> records_;
  LargeVector<OriginRecord> origins_;
  KeyIndex index_;         // by origin and upstream
  KeyIndex origin_index_;  // by AS
  std::vector<std::vector<Interval>> intervals_;  // by AdjacencyRecord::past
};

/// The durable key of an adjacency: origin and upstream, big-endian, eight octets.
std::string adjacency_key(Asn origin, Asn upstream);

}  // namespace lapwing::detectors
