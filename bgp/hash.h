// A fast hash with a seed, for tables whose keys a neighbour chooses.
//
// 64 octets to 64 bits by folded 128-bit products. Not cryptographic; the seed is drawn once for
// each process, so that a neighbour cannot prepare keys that collide. Nothing that leaves the
// process may depend on it.
// Thread: any.
#pragma once

#include <cstdint>
#include <cstring>

#include "lapwing/path.h"

namespace lapwing::bgp {

/// Drawn at first use, the same for the life of the process.
std::uint64_t hash_seed();

__extension__ using Uint128 = unsigned __int128;

inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<Uint128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_words(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
  return fold_multiply(a ^ seed ^ 0x9e3779b97f4a7c15, b ^ fold_multiply(seed, 0xd6e8feb86659fd93));
}

std::uint64_t hash_octets(std::uint64_t seed, Octets octets);

}  // namespace lapwing::bgp
