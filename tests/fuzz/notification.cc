#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bgp/message.h"
#include "bgp/notification.h"

namespace {

/// Text for a log: one line, and no control character that could leave it.
void check_text(const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lapwing::bgp;
  const lapwing::Octets body(data, size);
  const Notification n = decode_notification(body);
  check_text(describe_notification(n));
  check_text(shutdown_communication(n));
  if (size < 2) return 0;
  // Decode, encode, decode: the same, but for what exceeds a message.
  std::vector<std::uint8_t> message;
  encode_notification(n, message);
  if (message.size() > kMaxMessageSize) __builtin_trap();
  const Notification again = decode_notification(lapwing::Octets(message).subspan(kHeaderSize));
  if (again.code != n.code || again.subcode != n.subcode) __builtin_trap();
  if (!std::equal(again.data.begin(), again.data.end(), n.data.begin())) __builtin_trap();
  // A text of ours is a text again, whatever it was made of.
  std::vector<std::uint8_t> text;
  encode_shutdown_communication({reinterpret_cast<const char*>(data), size}, text);
  if (text.empty() || text.size() > 256 || text[0] != text.size() - 1) __builtin_trap();
  return 0;
}
