// NLRI ranges: checked once, then appended.
#include <doctest/doctest.h>

#include <array>

#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

TEST_CASE("addresses are in the order of their octets, IPv4 before IPv6") {
  for (const IpVersion version : {IpVersion::kV4, IpVersion::kV6})
    for (std::size_t at = 0; at < 16; ++at)
      for (const std::uint8_t high : std::array<std::uint8_t, 3>{0x01, 0x80, 0xff}) {
        IpAddress low, up;
        low.version = up.version = version;
        low.bytes.fill(0x7f);
        up.bytes = low.bytes;
        low.bytes[at] = 0x00;
        up.bytes[at] = high;
        // What comes later counts less, however much it is.
        for (std::size_t later = at + 1; later < 16; ++later) low.bytes[later] = 0xff;
        CHECK(low < up);
        CHECK(up > low);
        CHECK(low != up);
        CHECK((low <=> low) == 0);
      }
  IpAddress four, six;
  four.bytes.fill(0xff);
  four.version = IpVersion::kV4;
  six.version = IpVersion::kV6;
  CHECK(four < six);
}

TEST_CASE("keys are what to_key makes of the same prefix, at every length") {
  for (const std::string_view address :
       {"203.0.113.255", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    const auto parsed = parse_address(address);
    REQUIRE(parsed);
    const bool v4 = parsed->version == IpVersion::kV4;
    for (unsigned length = 0; length <= (v4 ? 32 : 128); ++length) {
      const Buffer octets = nlri(std::string(address) + "/" + std::to_string(length));
      NlriRange range{v4 ? kIpv4Unicast : kIpv6Unicast, false, octets, 0};
      REQUIRE(check_nlri(range));
      REQUIRE(range.count == 1);
      std::vector<NlriKey> keys;
      append_nlri(range, keys);
      Nlri expected;
      expected.family = range.family;
      expected.prefix = Prefix::make(*parsed, static_cast<std::uint8_t>(length));
      CHECK(keys[0] == to_key(expected));
    }
  }
}

TEST_CASE("a range with an NLRI that does not fit is refused") {
  for (const Buffer& octets :
       {Buffer{33, 1, 2, 3, 4, 5}, Buffer{24, 1, 2}, Buffer{8}, Buffer{0, 1}}) {
    NlriRange range{kIpv4Unicast, false, octets, 0};
    CHECK_FALSE(check_nlri(range));
  }
  NlriRange empty{kIpv4Unicast, true, {}, 5};
  CHECK(check_nlri(empty));
  CHECK(empty.count == 0);
}

TEST_CASE("read_nlri leaves the key alone when it fails") {
  const Buffer octets{24, 1};
  Cursor in{octets};
  NlriKey key;
  key.path_id = 77;
  CHECK_FALSE(read_nlri(in, kIpv4Unicast, false, key));
  CHECK(key.path_id == 77);
}
