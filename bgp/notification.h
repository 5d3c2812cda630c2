// NOTIFICATION: codes, their names, the shutdown text, encoding and decoding.
//
// RFC 4271 4.5 and 6, RFC 4486 (Cease), RFC 6608 (FSM), RFC 7313 5 (ROUTE-REFRESH), RFC 8203 and
// RFC 9003 (shutdown communication), RFC 8538 (hard reset), RFC 9234 (role), RFC 9384 (BFD down),
// RFC 9687 (send hold).
// Thread: any. Owns: nothing but what `encode_notification` appends and the texts it returns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/path.h"

namespace lapwing::bgp {

namespace error {
inline constexpr std::uint8_t kHeader = 1;
inline constexpr std::uint8_t kNotSynchronized = 1;
inline constexpr std::uint8_t kBadLength = 2;
inline constexpr std::uint8_t kBadType = 3;

inline constexpr std::uint8_t kOpen = 2;
inline constexpr std::uint8_t kOpenUnspecific = 0;
inline constexpr std::uint8_t kUnsupportedVersion = 1;
inline constexpr std::uint8_t kBadPeerAs = 2;
inline constexpr std::uint8_t kBadIdentifier = 3;
inline constexpr std::uint8_t kUnsupportedParameter = 4;
inline constexpr std::uint8_t kUnacceptableHoldTime = 6;
inline constexpr std::uint8_t kUnsupportedCapability = 7;
inline constexpr std::uint8_t kRoleMismatch = 11;

inline constexpr std::uint8_t kUpdate = 3;
inline constexpr std::uint8_t kMalformedAttributeList = 1;
inline constexpr std::uint8_t kUnrecognizedWellKnown = 2;
inline constexpr std::uint8_t kMissingWellKnown = 3;
inline constexpr std::uint8_t kAttributeFlags = 4;
inline constexpr std::uint8_t kAttributeLength = 5;
inline constexpr std::uint8_t kInvalidOrigin = 6;
inline constexpr std::uint8_t kInvalidNextHop = 8;
inline constexpr std::uint8_t kOptionalAttribute = 9;
inline constexpr std::uint8_t kInvalidNetwork = 10;
inline constexpr std::uint8_t kMalformedAsPath = 11;

inline constexpr std::uint8_t kHoldTimer = 4;
inline constexpr std::uint8_t kFsm = 5;
inline constexpr std::uint8_t kUnexpectedInOpenSent = 1;
inline constexpr std::uint8_t kUnexpectedInOpenConfirm = 2;
inline constexpr std::uint8_t kUnexpectedInEstablished = 3;

inline constexpr std::uint8_t kCease = 6;
inline constexpr std::uint8_t kMaxPrefixes = 1;
inline constexpr std::uint8_t kAdministrativeShutdown = 2;
inline constexpr std::uint8_t kPeerDeconfigured = 3;
inline constexpr std::uint8_t kAdministrativeReset = 4;
inline constexpr std::uint8_t kConnectionRejected = 5;
inline constexpr std::uint8_t kConfigurationChange = 6;
inline constexpr std::uint8_t kCollision = 7;
inline constexpr std::uint8_t kOutOfResources = 8;
inline constexpr std::uint8_t kHardReset = 9;

inline constexpr std::uint8_t kRouteRefresh = 7;
inline constexpr std::uint8_t kInvalidRefreshLength = 1;
inline constexpr std::uint8_t kSendHoldTimer = 8;
}  // namespace error

/// What is to be sent, or what was received. `data` is a view: into the message that caused or
/// carried it, or of static octets; it lives as long as that message.
struct Notification {
  std::uint8_t code = 0;
  std::uint8_t subcode = 0;
  Octets data;
};

/// Reads the body of a NOTIFICATION (two octets and data). A shorter body gives code 0.
Notification decode_notification(Octets body);
/// Appends one whole message; data that does not fit into 4,096 octets is cut.
void encode_notification(const Notification& notification, std::vector<std::uint8_t>& out);

/// "Cease", "UPDATE Message Error", "code 42".
std::string notification_code_name(std::uint8_t code);
/// "Cease: Administrative Shutdown"; the subcode as a number where it has no name.
std::string notification_name(std::uint8_t code, std::uint8_t subcode);
/// The name, and the shutdown communication or the data in words: for a log. Escaped, one line.
std::string describe_notification(const Notification& notification);

/// The text of an Administrative Shutdown or Reset, escaped; "" where there is none or its length
/// does not fit its data (RFC 9003 2).
std::string shutdown_communication(const Notification& notification);
/// The data of an Administrative Shutdown or Reset with this text, cut to 255 octets at a
/// character's border; appended to `out`.
void encode_shutdown_communication(std::string_view text, std::vector<std::uint8_t>& out);

/// Valid UTF-8 is kept; control characters, backslashes and octets that are no UTF-8 are
/// written as \xNN. One line, never longer than four times the input.
std::string escape_text(Octets text);

}  // namespace lapwing::bgp
