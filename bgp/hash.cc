#include "bgp/hash.h"

#include <random>

namespace lapwing::bgp {

std::uint64_t hash_seed() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return static_cast<std::uint64_t>(device()) << 32 | device();
  }();
  return seed;
}

std::uint64_t hash_octets(std::uint64_t seed, Octets octets) {
  const std::uint8_t* p = octets.data();
  std::size_t left = octets.size();
  std::uint64_t h = fold_multiply(seed ^ left, 0xa0761d6478bd642f);
  const auto word = [](const std::uint8_t* at) {
    std::uint64_t w;
    std::memcpy(&w, at, sizeof w);
    return w;
  };
  for (; left > 16; p += 16, left -= 16)
    h = fold_multiply(word(p) ^ h, word(p + 8) ^ 0xe7037ed1a0b428db);
  std::uint64_t tail[2] = {};
  if (left != 0) std::memcpy(tail, p, left);
  return fold_multiply(tail[0] ^ h, tail[1] ^ 0x8ebc6af09c88c6e3);
}

}  // namespace lapwing::bgp
