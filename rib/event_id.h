// Ids of the engine's own events. Thread: any.
#pragma once

#include <string_view>

#include "bgp/hash.h"
#include "lapwing/event.h"

namespace lapwing::rib {

/// Derived from `octets`; another one for each `variant`.
inline EventId event_id_of(std::string_view octets, std::uint64_t variant = 0) {
  EventId id;
  for (std::size_t half = 0; half < id.bytes.size(); half += 8) {
    const std::uint64_t digest =
        bgp::hash_octets(half / 8 + variant,
                         {reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()});
    for (std::size_t i = 0; i < 8; ++i)
      id.bytes[half + i] = static_cast<std::uint8_t>(digest >> 8 * i);
  }
  return id;
}

}  // namespace lapwing::rib
