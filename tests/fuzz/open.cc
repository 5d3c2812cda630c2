#include <cstddef>
#include <cstdint>
#include <vector>

#include "bgp/config.h"
#include "bgp/message.h"
#include "bgp/open.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lapwing::bgp;
  Open theirs;
  if (decode_open({data, size}, theirs)) return 0;
  NeighborConfig neighbor;
  neighbor.local_as = 64512;
  lapwing::IpAddress router_id;
  router_id.bytes = {192, 0, 2, 10};
  describe_capabilities(theirs.capabilities);
  if (check_open(theirs, {64512, 0, router_id, std::nullopt})) return 0;
  negotiate(make_open(neighbor, router_id, false), theirs);
  // What was accepted survives encoding: decoded again it says the same.
  std::vector<std::uint8_t> again;
  encode_open(theirs, again);
  if (again.size() > kMaxMessageSize) return 0;
  Open copy;
  if (decode_open(lapwing::Octets(again).subspan(kHeaderSize), copy)) __builtin_trap();
  if (copy.as != theirs.as || copy.hold_time != theirs.hold_time) __builtin_trap();
  return 0;
}
