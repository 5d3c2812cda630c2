#include <doctest/doctest.h>

#include "detectors/adjacency.h"
#include "detectors/path_compare.h"
#include "tests/unit/fake_host.h"

namespace lapwing::detectors {
namespace {

Adjacency judge(std::string_view path, Asn peer_as, Asn local_as = 64512,
                std::vector<Asn> route_servers = {}) {
  const auto octets = test::as_path_octets(path);
  PeerInfo peer;
  peer.as = peer_as;
  peer.local_as = local_as;
  peer.internal = peer_as == local_as;
  return extract_adjacency(AsPathView(octets), peer, route_servers);
}

Adjacency link(Asn origin, Asn upstream, bool direct = false, bool poisoned = false) {
  return {AdjacencyKind::kAdjacency, origin, upstream, direct, poisoned};
}

}  // namespace

TEST_CASE("the upstream is the AS before the origin") {
  CHECK(judge("3333 1103 20485 131279", 3333) == link(131279, 20485));
}

TEST_CASE("an upstream that is itself the neighbour is seen, and direct") {
  CHECK(judge("20485 131279", 20485) == link(131279, 20485, true));
  CHECK(judge("20485 131279", 64512) == link(131279, 20485));
}

TEST_CASE("iBGP: a one-hop path shows the local AS as direct upstream") {
  CHECK(judge("131279", 64512) == link(131279, 64512, true));
}

TEST_CASE("eBGP: an origin that peers with us has the local AS as direct upstream") {
  CHECK(judge("131279", 131279) == link(131279, 64512, true));
}

TEST_CASE("an empty path is the own route on iBGP and nothing on eBGP") {
  CHECK(judge("", 64512).kind == AdjacencyKind::kOwn);
  CHECK(judge("", 64512).origin == 64512);
  CHECK(judge("", 3333).kind == AdjacencyKind::kNone);
  CHECK(judge("64512", 64512).kind == AdjacencyKind::kOwn);
}

TEST_CASE("without a known local AS a one-hop path shows nothing") {
  CHECK(judge("131279", 131279, 0).kind == AdjacencyKind::kNone);
}

TEST_CASE("prepending is collapsed, at the origin and at the upstream") {
  CHECK(judge("3333 20485 20485 131279 131279 131279", 3333) == link(131279, 20485));
  CHECK(judge("131279 131279", 131279) == link(131279, 64512, true));
  CHECK(judge("20485 20485 131279 131279", 20485) == link(131279, 20485, true));
}

TEST_CASE("one path is read with route servers and without, in any order") {
  const std::vector<Asn> route_servers{6777};
  for (int i = 0; i < 2; ++i) {
    CHECK(judge("3333 6777 131279", 3333) == link(131279, 6777));
    CHECK(judge("3333 6777 131279", 3333, 64512, route_servers) == link(131279, 3333, true));
  }
}

TEST_CASE("paths that begin alike, of one length and of several, are told apart") {
  for (int i = 0; i < 2; ++i) {
    CHECK(judge("3333 1103 20485 131279", 3333) == link(131279, 20485));
    CHECK(judge("3333 1103 20485 131280", 3333) == link(131280, 20485));
    CHECK(judge("3333 1103 20485", 3333) == link(20485, 1103));
    CHECK(judge("{3333} 1103 20485", 3333) == link(20485, 1103));
  }
}

TEST_CASE("confederation segments are dropped (RFC 5065)") {
  CHECK(judge("(65001 65002) 20485 131279", 64512) == link(131279, 20485));
  CHECK(judge("(65001) 131279", 64512) == link(131279, 64512, true));
  CHECK(judge("(65001) [65002,65003]", 64512).kind == AdjacencyKind::kOwn);
}

TEST_CASE("route-server ASNs are dropped") {
  CHECK(judge("6777 20485 131279", 6777, 64512, {6777}) == link(131279, 20485));
  CHECK(judge("20485 6777 131279", 20485, 64512, {6777}) == link(131279, 20485, true));
}

TEST_CASE("an AS_SET at the end or before the origin is ambiguous, elsewhere it is not") {
  CHECK(judge("3333 20485 {131279,64496}", 3333).kind == AdjacencyKind::kAmbiguous);
  CHECK(judge("3333 {20485,4837} 131279", 3333).kind == AdjacencyKind::kAmbiguous);
  CHECK(judge("3333 {20485,4837} 131279 131279", 3333).kind == AdjacencyKind::kAmbiguous);
  CHECK(judge("3333 {1,2} 20485 131279", 3333) == link(131279, 20485));
}

TEST_CASE("AS_TRANS hides the AS: ambiguous") {
  CHECK(judge("3333 23456 131279", 3333).kind == AdjacencyKind::kAmbiguous);
  CHECK(judge("3333 20485 23456", 3333).kind == AdjacencyKind::kAmbiguous);
  CHECK(judge("3333 23456 20485 131279", 3333) == link(131279, 20485));
}

TEST_CASE("an origin that stands earlier too is poisoned, and its adjacency stands") {
  CHECK(judge("3333 131279 20485 131279", 3333) == link(131279, 20485, false, true));
  CHECK(judge("3333 {131279,5} 20485 131279", 3333) == link(131279, 20485, false, true));
  CHECK(judge("3333 131279 131279", 3333) == link(131279, 3333, true));
}

TEST_CASE("private and reserved ASNs are told apart") {
  for (const Asn as :
       {0u, 23456u, 64512u, 65534u, 65535u, 65536u, 131071u, 4200000000u, 4294967295u})
    CHECK(is_reserved_as(as));
  for (const Asn as : {1u, 64495u, 131072u, 131279u, 4199999999u}) CHECK_FALSE(is_reserved_as(as));
}

TEST_CASE("paths differ by origin, upstream, transit, length or prepending, in this order") {
  const auto compare = [](std::string_view before, std::string_view after) {
    const auto a = test::as_path_octets(before), b = test::as_path_octets(after);
    const std::vector<Asn> route_servers{6777};
    return compare_paths(AsPathView(a), AsPathView(b), route_servers);
  };
  const auto same = compare("1 2 3", "1 2 3");
  CHECK_FALSE(same.has_value());
  CHECK_FALSE(compare("(65001) 1 2 3", "1 2 3").has_value());
  CHECK_FALSE(compare("6777 1 2 3", "1 2 3").has_value());
  CHECK(compare("1 2 3", "1 2 4") == PathDifference{PathClass::kOrigin, 3, 4, 0, 3, 3});
  CHECK(compare("1 2 3", "1 5 3") == PathDifference{PathClass::kUpstream, 2, 5, 3, 3, 3});
  CHECK(compare("1 2 9 3", "1 5 9 3") == PathDifference{PathClass::kTransit, 2, 5, 9, 4, 4});
  CHECK(compare("1 9 3", "1 5 9 3") == PathDifference{PathClass::kTransit, 0, 5, 9, 3, 4});
  CHECK(compare("1 5 9 3", "1 9 3") == PathDifference{PathClass::kTransit, 5, 0, 9, 4, 3});
  CHECK(compare("1 2 8 9 3", "2 1 8 9 3") == PathDifference{PathClass::kLength, 0, 0, 0, 5, 5});
  CHECK(compare("1 2 3", "1 2 3 3") == PathDifference{PathClass::kPrepending, 0, 0, 0, 3, 4});
  CHECK(compare("1 2 {3,4}", "1 2 {4,3}") == std::nullopt);
  CHECK(compare("1 2 {3,4}", "1 2 {3,5}")->kind == PathClass::kOrigin);
  CHECK(compare("3", "2 3") == PathDifference{PathClass::kUpstream, 0, 2, 3, 1, 2});
}

}  // namespace lapwing::detectors
