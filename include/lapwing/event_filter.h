// Decides which events of the detectors reach the journal.
//
// A detector that is an EventFilter, too, is asked about every event that another one emits. It keeps
// its own state and timers like any detector, so that what it decides commits together with what it
// judged, and depends on the records alone.
// Thread: engine.
#pragma once

#include <string>
#include <string_view>

#include "lapwing/event.h"

namespace lapwing {

class EventFilter {
 public:
  virtual ~EventFilter() = default;
  /// False: the event does not reach the journal; the filter has counted it and may have moved it
  /// away. `detector` is the name of the one that emits it.
  virtual bool admit(std::string_view detector, Event& event) = 0;
  /// It keeps back events that wait for further neighbours.
  virtual bool counts_witnesses() const { return false; }
  /// `peer`, the name of a neighbour, shows what an event of this incident and type raised.
  virtual void add_witness(const EventId& incident, std::string_view type,
                           const std::string& peer) {
    (void)incident, (void)type, (void)peer;
  }
};

}  // namespace lapwing
