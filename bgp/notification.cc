#include "bgp/notification.h"

#include <algorithm>

#include "bgp/message.h"
#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

struct SubcodeName {
  std::uint8_t code;
  std::uint8_t subcode;
  const char* name;
};

constexpr SubcodeName kSubcodes[] = {
    {1, 1, "Connection Not Synchronized"},
    {1, 2, "Bad Message Length"},
    {1, 3, "Bad Message Type"},
    {2, 1, "Unsupported Version Number"},
    {2, 2, "Bad Peer AS"},
    {2, 3, "Bad BGP Identifier"},
    {2, 4, "Unsupported Optional Parameter"},
    {2, 6, "Unacceptable Hold Time"},
    {2, 7, "Unsupported Capability"},
    {2, 11, "Role Mismatch"},
    {3, 1, "Malformed Attribute List"},
    {3, 2, "Unrecognized Well-known Attribute"},
    {3, 3, "Missing Well-known Attribute"},
    {3, 4, "Attribute Flags Error"},
    {3, 5, "Attribute Length Error"},
    {3, 6, "Invalid ORIGIN Attribute"},
    {3, 8, "Invalid NEXT_HOP Attribute"},
    {3, 9, "Optional Attribute Error"},
    {3, 10, "Invalid Network Field"},
    {3, 11, "Malformed AS_PATH"},
    {5, 1, "Unexpected Message in OpenSent"},
    {5, 2, "Unexpected Message in OpenConfirm"},
    {5, 3, "Unexpected Message in Established"},
    {6, 1, "Maximum Number of Prefixes Reached"},
    {6, 2, "Administrative Shutdown"},
    {6, 3, "Peer De-configured"},
    {6, 4, "Administrative Reset"},
    {6, 5, "Connection Rejected"},
    {6, 6, "Other Configuration Change"},
    {6, 7, "Connection Collision Resolution"},
    {6, 8, "Out of Resources"},
    {6, 9, "Hard Reset"},
    {6, 10, "BFD Down"},
    {7, 1, "Invalid Message Length"},
};

constexpr char kHex[] = "0123456789abcdef";

void append_hex(std::uint8_t octet, std::string& text) {
  text += kHex[octet >> 4];
  text += kHex[octet & 15];
}

/// Octets of the UTF-8 character at the front (RFC 3629 4), 0 when there is none.
std::size_t utf8_size(Octets text) {
  const std::uint8_t first = text[0];
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                           : first >= 0xe0 && first <= 0xef ? 3
                           : first >= 0xf0 && first <= 0xf4 ? 4
                                                            : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((text[i] & 0xc0) != 0x80) return 0;
  const std::uint8_t second = text[1];
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
    return 0;
  return size;
}

bool is_control(Octets character) {
  if (character.size() == 1) return character[0] < 0x20 || character[0] == 0x7f;
  // C1 controls, and the line and paragraph separators.
  if (character.size() == 2) return character[0] == 0xc2 && character[1] < 0xa0;
  return character.size() == 3 && character[0] == 0xe2 && character[1] == 0x80 &&
         (character[2] == 0xa8 || character[2] == 0xa9);
}

}  // namespace

Notification decode_notification(Octets body) {
  if (body.size() < 2) return {};
  return {body[0], body[1], body.subspan(2)};
}

void encode_notification(const Notification& notification, std::vector<std::uint8_t>& out) {
  const std::size_t start = begin_message(MessageType::kNotification, out);
  put_u8(out, notification.code);
  put_u8(out, notification.subcode);
  const std::size_t room = kMaxMessageSize - kHeaderSize - 2;
  put_octets(out, notification.data.first(std::min(notification.data.size(), room)));
  end_message(start, out);
}

std::string notification_code_name(std::uint8_t code) {
  static constexpr const char* kNames[] = {
      nullptr,
      "Message Header Error",
      "OPEN Message Error",
      "UPDATE Message Error",
      "Hold Timer Expired",
      "Finite State Machine Error",
      "Cease",
      "ROUTE-REFRESH Message Error",
      "Send Hold Timer Expired",
      "Loss of LSDB Synchronization",
  };
  if (code >= 1 && code < std::size(kNames)) return kNames[code];
  return "code " + std::to_string(code);
}

std::string notification_name(std::uint8_t code, std::uint8_t subcode) {
  std::string name = notification_code_name(code);
  for (const SubcodeName& s : kSubcodes)
    if (s.code == code && s.subcode == subcode) return name + ": " + s.name;
  if (subcode != 0) name += ": subcode " + std::to_string(subcode);
  return name;
}

std::string describe_notification(const Notification& notification) {
  std::string text = notification_name(notification.code, notification.subcode);
  if (notification.code == error::kCease && notification.subcode == error::kHardReset &&
      notification.data.size() >= 2) {
    // RFC 8538 3.1: the data are the code, subcode and data of the real cause.
    const Notification cause = decode_notification(notification.data);
    const bool nested = cause.code == error::kCease && cause.subcode == error::kHardReset;
    return text + (nested ? std::string() : " (" + describe_notification(cause) + ")");
  }
  const std::string said = shutdown_communication(notification);
  if (!said.empty()) return text + ": \"" + said + '"';
  if (notification.data.empty()) return text;
  constexpr std::size_t kShown = 32;
  text += " (data ";
  for (std::size_t i = 0; i < std::min(notification.data.size(), kShown); ++i)
    append_hex(notification.data[i], text);
  return text + (notification.data.size() > kShown ? "…)" : ")");
}

std::string shutdown_communication(const Notification& notification) {
  if (notification.code != error::kCease) return {};
  if (notification.subcode != error::kAdministrativeShutdown &&
      notification.subcode != error::kAdministrativeReset)
    return {};
  Cursor in(notification.data);
  const Octets text = in.take(in.u8());
  return in.ok() ? escape_text(text) : std::string();
}

void encode_shutdown_communication(std::string_view text, std::vector<std::uint8_t>& out) {
  constexpr std::size_t kMax = 255;
  std::size_t size = std::min(text.size(), kMax);
  // Not in the middle of a character: back over continuation octets.
  while (size > 0 && size < text.size() && (static_cast<std::uint8_t>(text[size]) & 0xc0) == 0x80)
    --size;
  put_u8(out, static_cast<unsigned>(size));
  out.insert(out.end(), text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
}

std::string escape_text(Octets text) {
  std::string escaped;
  escaped.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    const Octets character = text.first(std::max<std::size_t>(size, 1));
    if (size == 0 || is_control(character) || character[0] == '\\') {
      for (const std::uint8_t octet : character) {
        escaped += "\\x";
        append_hex(octet, escaped);
      }
    } else {
      escaped.append(character.begin(), character.end());
    }
    text = text.subspan(character.size());
  }
  return escaped;
}

}  // namespace lapwing::bgp
