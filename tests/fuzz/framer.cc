#include <cstddef>
#include <cstdint>

#include "bgp/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lapwing::bgp;
  for (const std::size_t max : {kMaxMessageSize, kMaxExtendedMessageSize}) {
    lapwing::Octets input(data, size);
    for (;;) {
      const Frame frame = frame_message(input, max);
      if (frame.state != Frame::State::kMessage) break;
      if (frame.size > input.size() || frame.size < 19) __builtin_trap();
      input = input.subspan(frame.size);
    }
  }
  return 0;
}
