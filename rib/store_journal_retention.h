// Which events leave the journal: by number and by age once every sink has them, by the disk budget
// in any case.
//
// A cursor holds the journal if its sink has asked for it since the start and was not removed since;
// cursors that nobody has asked for yet hold it for the first ten minutes, so that a sink removed
// from the configuration does not fill the disk. An event that leaves before a sink had it is
// counted, and told of by an event of its own, `events-lost`, which is committed with the removal.
// Thread: store.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "lapwing/event.h"

namespace lapwing::rib {

struct RetentionLimits {
  std::uint64_t events = 0;        // 0: no limit
  unsigned days = 0;               // in event time, by the newest event; 0: no limit
  std::uint64_t octets = 0;        // the budget; 0: no limit
};

/// What is known of the journal when a group is about to be written.
struct RetentionView {
  std::uint64_t last = 0;          // newest one, those of the group included
  std::uint64_t durable = 0;       // newest one on disk: what is behind it cannot go yet
  std::uint64_t octets = 0;        // of all of them
  Timestamp newest;                // time of the newest one
};

struct HeldCursor {
  std::string sink;
  std::uint64_t number = 0;        // last entry delivered
};

/// Decides, one kept event after the other, oldest first, whether it may leave.
class Retention {
 public:
  Retention(const RetentionLimits& limits, const RetentionView& view,
            const std::vector<HeldCursor>& cursors);

  /// The event may go; asked in order, it ends at the first one that stays.
  bool takes(std::uint64_t number, Timestamp time, std::uint64_t octets);

 private:
  bool over_age(Timestamp time) const;
  bool over_count(std::uint64_t number) const;

  const RetentionLimits limits_;
  const RetentionView view_;
  std::uint64_t slowest_ = UINT64_MAX;  // last entry that every sink has
  std::uint64_t target_ = 0;            // octets at which a cut for the budget ends
  std::uint64_t octets_ = 0;
};

/// One event for each cursor that stands before `keep_from - 1`: what its sink will not get.
std::vector<Event> lost_events(const std::vector<HeldCursor>& cursors, std::uint64_t keep_from,
                               Timestamp time, std::uint64_t budget);

}  // namespace lapwing::rib
