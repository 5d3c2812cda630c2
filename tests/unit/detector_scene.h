// Two neighbours that have shown their first tables, as several detectors' tests begin.
#pragma once

#include <string_view>
#include <utility>

#include "tests/unit/fake_host.h"

namespace lapwing::test {

/// Origin 100 with two prefixes: a sees it behind 10, b behind 20.
struct TwoNeighbours {
  FakeHost host;
  PeerId a = host.add_peer("a", 1), b = host.add_peer("b", 2);
  explicit TwoNeighbours(std::string_view detector, Watch watch = {}) : host(detector) {
    host.watched = std::move(watch);
    host.at("2024-01-01T00:00:00Z");
    host.table(a, {"10.0.0.0/24", "10.0.1.0/24"}, "1 10 100");
    host.table(b, {"10.0.0.0/24", "10.0.1.0/24"}, "2 20 100");
    host.at("2024-01-02T00:00:00Z");
  }
};

inline Watch watch_prefixes(const FakeHost::Texts& texts) {
  Watch w;
  for (const auto& t : texts) w.prefixes.push_back(prefix_of(t));
  return w;
}

inline Watch watch_origin(Asn as) {
  Watch w;
  w.origins = {as};
  return w;
}

}  // namespace lapwing::test
