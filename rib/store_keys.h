// The keys of the store's column families: their octets sort as their values do.
//
// Thread: any. Owns: nothing. Formats are in docs/FORMATS.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bgp/record.h"
#include "lapwing/detector.h"
#include "lapwing/event.h"
#include "lapwing/time.h"

namespace lapwing::rib {

/// RFC 4364 and RFC 6514: the NLRI begins with a route distinguisher.
inline constexpr bool has_rd(std::uint8_t safi) { return safi == kSafiVpn || safi == 129; }

inline constexpr std::size_t kMaxNlriKey = 1 + 1 + 8 + 16 + 1 + 4;
inline constexpr std::size_t kMaxRouteKey = 4 + kMaxNlriKey;
inline constexpr std::size_t kMaxHistoryKey = 4 + kMaxNlriKey + 8 + 5;
inline constexpr std::uint64_t kMicrosPerHour = 3'600'000'000;
inline constexpr std::uint64_t kMicrosPerDay = 24 * kMicrosPerHour;

/// afi | safi | rd (VPN only) | address (4 or 16) | length | path id BE32 (only where there is
/// one). Returns the end. `out` has room for kMaxNlriKey octets.
char* write_nlri(char* out, const bgp::NlriKey& nlri, bool with_path_id);
/// Octets of the NLRI that begins here, path identifier not counted; 0 where there is none.
std::size_t nlri_size(std::string_view octets);
/// Reads all of `octets` as one NLRI.
bool read_nlri(std::string_view octets, bgp::NlriKey& out);

/// peer BE32 | NLRI
std::string route_key(PeerId peer, const bgp::NlriKey& nlri);
bool read_route_key(std::string_view key, PeerId& peer, bgp::NlriKey& nlri);
/// The first key after all keys that begin with `prefix`; empty where there is none.
std::string key_after(std::string_view prefix);

std::string be32_key(std::uint32_t value);
bool read_be32_key(std::string_view key, std::uint32_t& out);

/// detector | 0x00 | key, as StateWrites makes them
bool read_state_key(std::string_view octets, std::string_view& detector, std::string_view& key);

/// peer BE32 | from BE64
std::string blind_key(PeerId peer, Timestamp from);
bool read_blind_key(std::string_view key, PeerId& peer, Timestamp& from);

/// 'e' | number BE64
std::string event_key(std::uint64_t number);
bool read_event_key(std::string_view key, std::uint64_t& number);
/// 'i' | id
std::string event_id_key(const EventId& id);

/// hour BE32 | NLRI without path identifier | time BE64 | row BE40
std::string history_prefix(std::uint32_t hour, const bgp::NlriKey& nlri);
inline std::uint32_t history_hour(std::uint64_t micros) {
  return static_cast<std::uint32_t>(micros / kMicrosPerHour);
}
/// Returns the end. `out` has room for kMaxHistoryKey octets.
char* write_history_tail(char* out, std::uint64_t micros, std::uint64_t row);
struct HistoryKey {
  std::uint32_t hour = 0;
  bgp::NlriKey nlri;  // path identifier is in the value
  std::uint64_t micros = 0;
  std::uint64_t row = 0;
};
bool read_history_key(std::string_view key, HistoryKey& out);

}  // namespace lapwing::rib
