// Changes of routes and sessions for the tests of RIS Live.
#pragma once

#include <utility>
#include <vector>

#include "sink_http_bench.h"

namespace lapwing::sinks {

inline RouteUpdate announced(std::uint64_t number, const char* text,
                      std::vector<std::uint8_t> path = attributes()) {
  RouteUpdate update;
  update.number = number;
  update.time = testing::at("2017-10-01T09:07:51Z") + std::chrono::microseconds(1250);
  update.peer = "edge1";
  update.peer_address = parse_address("192.0.2.7").value();
  update.peer_as = 3333;
  update.nlri.prefix = prefix(text);
  update.nlri.family =
      update.nlri.prefix.address.version == IpVersion::kV4 ? kIpv4Unicast : kIpv6Unicast;
  update.after = std::move(path);
  return update;
}

inline RouteUpdate withdrawn(std::uint64_t number, const char* text) {
  RouteUpdate update = announced(number, text);
  update.before = std::exchange(update.after, std::nullopt);
  return update;
}

inline RouteUpdate session(std::uint64_t number, SessionNews news) {
  RouteUpdate update = announced(number, "0.0.0.0/0");
  update.nlri = {};
  update.after.reset();
  update.session = news;
  return update;
}

}  // namespace lapwing::sinks
