// The message header: finding whole messages in a stream, and the messages Lapwing may send.
//
// `frame_message` is asked again and again with what a connection has received. There is no
// function here, or elsewhere, that could encode an announcement: Lapwing sends OPEN (open.h),
// KEEPALIVE, NOTIFICATION (notification.h), ROUTE-REFRESH and End-of-RIB, and nothing else.
// Thread: any. Owns: nothing.
// Implements RFC 4271 4.1, 4.4 and 6.1, RFC 8654 (extended messages), RFC 2918 3 and RFC 7313 3 and
// 5 (ROUTE-REFRESH), RFC 4724 2 (End-of-RIB). Deviation: a NOTIFICATION of less than 21 octets is
// an error that is not answered (RFC 4271 6.4: a NOTIFICATION is never answered by one).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/notification.h"
#include "lapwing/path.h"
#include "lapwing/prefix.h"

namespace lapwing::bgp {

enum class MessageType : std::uint8_t {
  kOpen = 1,
  kUpdate = 2,
  kNotification = 3,
  kKeepalive = 4,
  kRouteRefresh = 5,
};

inline constexpr std::size_t kHeaderSize = 19;
inline constexpr std::size_t kMaxMessageSize = 4096;
inline constexpr std::size_t kMaxExtendedMessageSize = 65535;  // RFC 8654

struct Frame {
  enum class State : std::uint8_t { kNeedMore, kMessage, kError };

  State state = State::kNeedMore;
  MessageType type = MessageType::kKeepalive;
  /// kMessage: octets to consume. kNeedMore: octets the message has altogether as far as is known
  /// (at least `kHeaderSize`).
  std::size_t size = kHeaderSize;
  Octets body;          // kMessage: what follows the header; a view into the input
  Notification error;   // kError: to be sent, `data` is a view into the input
  bool silent = false;  // kError: close without sending `error`
};

/// Looks at the first message in `input`. `max_size` is `kMaxMessageSize`, or
/// `kMaxExtendedMessageSize` once both sides have announced extended messages; OPEN and KEEPALIVE
/// stay bound by the former. Errors are found as soon as the header is there.
/// A ROUTE-REFRESH of wrong length is an error only when it has arrived whole, because the message
/// is the data of the NOTIFICATION (RFC 7313 5).
Frame frame_message(Octets input, std::size_t max_size);

/// RFC 7313 3.2.
enum class RefreshKind : std::uint8_t { kRequest = 0, kBegin = 1, kEnd = 2 };

struct RouteRefresh {
  Family family;
  RefreshKind kind = RefreshKind::kRequest;
};

/// Reads the body of a ROUTE-REFRESH. nullopt for a subtype other than 0, 1 and 2: such a message
/// is ignored (RFC 7313 5), as is a request with ORF entries (RFC 5291), which we never offered.
std::optional<RouteRefresh> decode_route_refresh(Octets body);

/// Each appends one whole message.
void encode_keepalive(std::vector<std::uint8_t>& out);
void encode_route_refresh(const RouteRefresh& refresh, std::vector<std::uint8_t>& out);
void encode_end_of_rib(Family family, std::vector<std::uint8_t>& out);

/// Appends marker, a length to be set and the type; returns where the message begins.
std::size_t begin_message(MessageType type, std::vector<std::uint8_t>& out);
/// Sets the length of the message that begins at `start`.
void end_message(std::size_t start, std::vector<std::uint8_t>& out);

}  // namespace lapwing::bgp
