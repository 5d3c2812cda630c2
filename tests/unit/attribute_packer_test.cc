// What is packed comes back octet for octet, whatever it is, and takes less room.
#include "rib/attribute_packer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace lapwing::rib {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes copy_of(Octets octets) { return {octets.begin(), octets.end()}; }

void put_number(Bytes& out, std::uint32_t value) {
  std::array<std::uint8_t, 5> octets;
  out.insert(out.end(), octets.data(), write_varint(octets.data(), value));
}
void put_wide(Bytes& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}
void put_entry(Bytes& out, std::uint8_t type, const Bytes& value) {
  out.push_back(type);
  put_number(out, static_cast<std::uint32_t>(value.size()));
  out.insert(out.end(), value.begin(), value.end());
}
Bytes sequence(const std::vector<Asn>& asns) {
  Bytes value{2};
  put_number(value, static_cast<std::uint32_t>(asns.size()));
  for (const Asn as : asns) put_number(value, as);
  return value;
}

/// The set goes in and comes back; and what follows it in its block does not matter.
void check_both_ways(AttributePacker& packer, const Bytes& set) {
  Bytes packed = copy_of(packer.pack(set));
  packed.push_back(0xff);
  PathBuffer buffer;
  REQUIRE(copy_of(packer.unpack(packed, buffer)) == set);
}

/// Sets as a codec could write them, with everything that is rare made frequent.
class Sets {
 public:
  Bytes next() {
    Bytes set;
    std::vector<Asn> path;
    for (std::uint32_t n = below(9); n != 0; --n)
      path.push_back(below(4) == 0 && !path.empty() ? path.back() : asn());
    if (below(9) == 0) put_entry(set, 0, octets(below(5)));
    if (below(9) != 0) put_entry(set, 1, {static_cast<std::uint8_t>(below(4))});
    if (below(9) != 0) put_entry(set, 2, as_path(path));
    if (below(9) != 0) put_entry(set, 3, next_hop());
    if (below(2) == 0) put_entry(set, 4, number());
    if (below(3) == 0) put_entry(set, 5, number());
    if (below(3) == 0) put_entry(set, 6, {});
    if (below(3) == 0) put_entry(set, 7, octets(8));
    if (below(4) != 0) put_entry(set, 8, communities(path));
    if (below(9) == 0) put_entry(set, 9, octets(4));
    if (below(9) == 0) put_entry(set, 16, octets(8 * below(3)));
    if (below(3) == 0) put_entry(set, 32, large_communities(path));
    if (below(9) == 0) put_entry(set, 35, octets(4));
    for (const std::uint8_t type : Bytes{100, 101, 255})
      if (below(9) == 0) put_entry(set, type, octets(1 + below(300)));
    return set;
  }
  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
  Asn asn() {
    const std::array<Asn, 8> some{0, 1, 127, 128, 65000, 0x1fde8, 3356, 0xffffffff};
    return below(2) == 0 ? some[below(some.size())] : static_cast<Asn>(random_());
  }

 private:
  Bytes octets(std::size_t size) {
    Bytes out(size);
    for (std::uint8_t& octet : out) octet = static_cast<std::uint8_t>(random_());
    return out;
  }
  Bytes number() {
    Bytes value;
    put_wide(value, below(2) == 0 ? below(300) : static_cast<std::uint32_t>(random_()));
    return value;
  }
  Bytes as_path(const std::vector<Asn>& path) {
    if (path.empty()) return {};
    Bytes value = sequence(path);
    if (below(9) == 0) value[0] = static_cast<std::uint8_t>(1 + below(4));
    if (below(9) == 0) {
      const Bytes second = sequence({asn(), asn()});
      value.insert(value.end(), second.begin(), second.end());
    }
    return value;
  }
  Bytes next_hop() {
    const std::array<std::size_t, 3> sizes{4, 16, 32};
    const std::size_t size = sizes[below(3)];
    return below(2) == 0 ? Bytes(size, static_cast<std::uint8_t>(below(5))) : octets(size);
  }
  Asn of_path_or_not(const std::vector<Asn>& path) {
    return path.empty() || below(3) == 0 ? asn() : path[below(static_cast<std::uint32_t>(path.size()))];
  }
  Bytes communities(const std::vector<Asn>& path) {
    Bytes value;
    for (std::uint32_t n = below(12); n != 0; --n) {
      const std::array<std::uint32_t, 6> low{0, 255, 7935, 7936, 8191, 65535};
      put_wide(value, of_path_or_not(path) << 16 | (below(2) == 0 ? low[below(6)] : below(65536)));
    }
    if (below(20) == 0) value.push_back(1);
    return value;
  }
  Bytes large_communities(const std::vector<Asn>& path) {
    Bytes value;
    for (std::uint32_t n = below(4); n != 0; --n) {
      put_wide(value, of_path_or_not(path));
      put_wide(value, asn());
      put_wide(value, below(1000));
    }
    if (below(20) == 0) value.push_back(1);
    return value;
  }

  std::mt19937_64 random_{1};
};

TEST_CASE("AttributePacker: sets of every kind come back, and equal ones are equal packed") {
  AttributePacker packer;
  Sets sets;
  std::map<Bytes, Bytes> packed;
  for (int i = 0; i < 20000; ++i) {
    const Bytes set = sets.next();
    check_both_ways(packer, set);
    packed.emplace(set, copy_of(packer.pack(set)));
  }
  std::map<Bytes, Bytes> unpacked;
  for (const auto& [set, octets] : packed) {
    REQUIRE(copy_of(packer.pack(set)) == octets);
    REQUIRE(unpacked.emplace(octets, set).second);
  }
}

TEST_CASE("AttributePacker: octets that are no canonical set come back, too") {
  AttributePacker packer;
  Sets sets;
  for (int i = 0; i < 20000; ++i) {
    Bytes set = sets.next();
    if (set.empty()) continue;
    for (std::uint32_t n = 1 + sets.below(3); n != 0; --n)
      set[sets.below(static_cast<std::uint32_t>(set.size()))] =
          static_cast<std::uint8_t>(sets.below(256));
    if (sets.below(3) == 0) set.resize(sets.below(static_cast<std::uint32_t>(set.size()) + 1));
    check_both_ways(packer, set);
  }
  for (const Bytes& set : {Bytes{}, Bytes{0}, Bytes{1, 0x80}, Bytes{2, 0x80, 0x00},
                           Bytes{2, 5, 2, 1, 0xff, 0xff, 0xff}, Bytes{3, 1, 7, 1, 1, 0}})
    check_both_ways(packer, set);
}

TEST_CASE("AttributePacker: a set of a full table takes half of what it took") {
  Bytes set;
  put_entry(set, 1, {0});
  put_entry(set, 2, sequence({64601, 3356, 6453, 131279}));
  put_entry(set, 3, {192, 0, 2, 1});
  Bytes communities;
  for (const std::uint32_t community : {0xfc59u << 16 | 100, 0xfc59u << 16 | 2010, 3356u << 16 | 3,
                                        3356u << 16 | 2066, 6453u << 16 | 3000, 6453u << 16 | 86})
    put_wide(communities, community);
  put_entry(set, 8, communities);
  AttributePacker packer;
  check_both_ways(packer, set);
  // One octet each for shape, next hop with first AS, and number of hops; 2 + 2 + 3 of the ASNs;
  // one for the number of communities, two for each.
  CHECK(packer.pack(set).size() == 3 + 7 + 1 + 6 * 2);
  CHECK(set.size() == 3 + 2 + 2 + 10 + 6 + 2 + 24);
}

TEST_CASE("AttributePacker: more next hops than are numbered") {
  AttributePacker packer;
  const auto set_of = [](std::uint32_t n) {
    Bytes next_hop, set;
    put_wide(next_hop, n);
    put_entry(set, 2, sequence({n + 1, 3356}));
    put_entry(set, 3, next_hop);
    return set;
  };
  const Bytes first = copy_of(packer.pack(set_of(0)));
  for (std::uint32_t n = 0; n < 20000; ++n) check_both_ways(packer, set_of(n));
  CHECK(copy_of(packer.pack(set_of(0))) == first);
  CHECK(packer.pack(set_of(20001)).size() > first.size());
}

}  // namespace
}  // namespace lapwing::rib
