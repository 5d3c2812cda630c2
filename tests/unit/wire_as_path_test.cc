// AS_PATH: summaries and the canonical encoding. The merge has its tests in tests/rfc.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "bgp/as_path.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

std::string canonical(const Buffer& path, unsigned width) {
  Buffer out(as_path_bound(path.size(), 0));
  const std::uint8_t* end = write_as_path(path, width, out.data());
  const auto size = static_cast<std::size_t>(end - out.data());
  REQUIRE(size <= out.size());
  return format_as_path(AsPathView(Octets(out.data(), size)));
}

}  // namespace

TEST_CASE("hops: a set counts as one, confederations do not count") {
  const Buffer path =
      segment(3, {64512, 64513}) + segment(2, {1, 2, 3}) + segment(1, {4, 5}) + segment(4, {64514});
  const AsPathSummary summary = check_as_path(path, 4, 2);
  CHECK(summary.error == nullptr);
  CHECK(summary.asns == 8);
  CHECK(summary.hops == 4);
  CHECK(summary.first == 64512);
  CHECK(summary.set);
  CHECK(summary.confederation);
  CHECK(summary.loop);
  CHECK_FALSE(check_as_path(path, 4, 0).loop);
  CHECK_FALSE(check_as_path(path, 4, 77).loop);
}

TEST_CASE("the canonical path keeps segments apart, except sequences side by side") {
  CHECK(canonical({}, 4).empty());
  CHECK(canonical(segment(2, {1, 2}) + segment(2, {3}), 4) == "1 2 3");
  CHECK(canonical(segment(1, {1, 2}) + segment(1, {3}), 4) == "{1,2} {3}");
  CHECK(canonical(segment(3, {1}) + segment(3, {2}) + segment(2, {3}), 4) == "(1 2) 3");
  CHECK(canonical(segment(2, {1}) + segment(1, {2}) + segment(2, {3}), 4) == "1 {2} 3");
  CHECK(canonical(segment(2, {65535, 1}, 2), 2) == "65535 1");
  CHECK(canonical(segment(2, {4294967295, 128, 127}), 4) == "4294967295 128 127");
}

TEST_CASE("the bound holds for the widest ASNs") {
  Buffer path;
  for (int i = 0; i < 15; ++i)
    path = path + segment(i % 2 == 0 ? 1 : 2, std::vector<Asn>(255, 0xffffffff));
  CHECK(canonical(path, 4).size() > 4000);
  Buffer narrow;
  for (int i = 0; i < 15; ++i) narrow = narrow + segment(1, {65535}, 2);
  CHECK(canonical(narrow, 2).starts_with("{65535} {65535}"));
}

TEST_CASE("a merge takes as many leading hops as AS4_PATH lacks, none of a longer AS4_PATH") {
  const auto merged = [](const Buffer& path, const Buffer& as4) {
    Buffer out(as_path_bound(path.size(), as4.size()));
    const std::uint8_t* end = write_merged_as_path(path, check_as_path(path, 2, 0).hops, as4,
                                                   check_as_path(as4, 4, 0).hops, out.data());
    const auto size = static_cast<std::size_t>(end - out.data());
    return format_as_path(AsPathView(Octets(out.data(), size)));
  };
  const Buffer path = segment(2, {1, 2, 23456}, 2);
  CHECK(merged(path, segment(2, {70000})) == "1 2 70000");
  CHECK(merged(path, segment(2, {7, 8, 70000})) == "7 8 70000");
  CHECK(merged(path, segment(2, {6, 7, 8, 70000})) == "1 2 23456");
}

TEST_CASE("a varint reads as it was written, whatever follows, and ends where octets end") {
  for (const std::uint64_t value : {0ull, 1ull, 127ull, 128ull, 16383ull, 16384ull, 65535ull, 2097151ull,
                                    2097152ull, 268435455ull, 268435456ull, 4294967295ull}) {
    std::array<std::uint8_t, 16> octets{};
    const std::uint8_t* const written = write_varint(octets.data(), value);
    CHECK_EQ(static_cast<std::size_t>(written - octets.data()), varint_size(value));
    for (std::ptrdiff_t more = 0; more < 5; ++more) {
      const std::uint8_t* p = octets.data();
      CHECK_EQ(read_varint(p, written + more), value);
      CHECK_EQ(p, written);
    }
    for (const std::uint8_t* end = octets.data(); end != written; ++end) {
      const std::uint8_t* p = octets.data();
      read_varint(p, end);
      CHECK_EQ(p, end);
    }
  }
}

TEST_CASE("the text of a path: the largest numbers fit, and one that says more ASNs than it has ends") {
  std::string wanted;
  for (int i = 0; i < 255; ++i) wanted += (i == 0 ? "" : " ") + std::to_string(4294967295u);
  CHECK_EQ(canonical(segment(2, std::vector<std::uint32_t>(255, 4294967295u)), 4), wanted);
  CHECK_EQ(canonical(segment(1, {4294967295u}) + segment(3, {127}) + segment(4, {127}), 4),
           "{4294967295} (127) [127]");
  const std::array<std::uint8_t, 4> damaged{2, 0xff, 0x7f, 5};  // 16383 ASNs, of which one is there
  const std::string text = format_as_path(AsPathView(Octets(damaged)));
  CHECK_EQ(text.substr(0, 3), "5 0");
  CHECK_LT(text.size(), 64);
}
