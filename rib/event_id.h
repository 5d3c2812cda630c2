// Ids of the engine's own events. Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "bgp/hash.h"
#include "lapwing/event.h"

namespace lapwing::rib {

/// Derived from `octets`: each half with its seed.
inline EventId event_id_of(std::string_view octets, std::array<std::uint64_t, 2> seeds = {0, 1}) {
  EventId id;
  for (std::size_t half = 0; half < seeds.size(); ++half) {
    const std::uint64_t digest = bgp::hash_octets(
        seeds[half], {reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()});
    for (std::size_t i = 0; i < 8; ++i)
      id.bytes[half * 8 + i] = static_cast<std::uint8_t>(digest >> 8 * i);
  }
  return id;
}

}  // namespace lapwing::rib
