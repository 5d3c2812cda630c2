// AS_PATH: summaries and the canonical encoding. The merge has its tests in tests/rfc.
#include <doctest/doctest.h>

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
