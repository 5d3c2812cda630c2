#include "bgp/message.h"

#include <algorithm>

#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

constexpr std::size_t kMarkerSize = 16;

Frame frame_error(std::uint8_t subcode, Octets data) {
  Frame frame;
  frame.state = Frame::State::kError;
  frame.error = {error::kHeader, subcode, data};
  return frame;
}

/// RFC 4271 6.1, RFC 8654 4: lengths that a type may have, the header included.
bool right_length(MessageType type, std::size_t size) {
  switch (type) {
    case MessageType::kOpen:
      return size >= kHeaderSize + 10 && size <= kMaxMessageSize;
    case MessageType::kUpdate:
      return size >= kHeaderSize + 4;
    case MessageType::kNotification:
      return size >= kHeaderSize + 2;
    case MessageType::kKeepalive:
      return size == kHeaderSize;
    case MessageType::kRouteRefresh:
      return size >= kHeaderSize + 4;
  }
  return false;
}

}  // namespace

Frame frame_message(Octets input, std::size_t max_size) {
  // The marker is judged as far as it has come: a stream that is no BGP is seen at once.
  const std::size_t marker = std::min(input.size(), kMarkerSize);
  for (std::size_t i = 0; i < marker; ++i)
    if (input[i] != 0xff) return frame_error(error::kNotSynchronized, {});
  Frame frame;
  if (input.size() < kHeaderSize) return frame;

  const std::size_t size = read_u16(input.data() + kMarkerSize);
  const Octets length_field = input.subspan(kMarkerSize, 2);
  const std::uint8_t type = input[kMarkerSize + 2];
  if (size < kHeaderSize || size > max_size) return frame_error(error::kBadLength, length_field);
  if (type < 1 || type > 5) return frame_error(error::kBadType, input.subspan(kMarkerSize + 2, 1));
  frame.type = static_cast<MessageType>(type);
  frame.size = size;
  const bool refresh = frame.type == MessageType::kRouteRefresh;
  if (!right_length(frame.type, size) && !refresh) {
    frame = frame_error(error::kBadLength, length_field);
    frame.silent = type == static_cast<std::uint8_t>(MessageType::kNotification);
    return frame;
  }
  if (input.size() < size) return frame;
  frame.body = input.subspan(kHeaderSize, size - kHeaderSize);
  // RFC 7313 5: BoRR and EoRR have four octets; a request may go on (with ORF, RFC 5291).
  const auto is_mark = [](std::uint8_t subtype) { return subtype == 1 || subtype == 2; };
  if (refresh && (frame.body.size() < 4 || (frame.body.size() > 4 && is_mark(frame.body[2])))) {
    frame.state = Frame::State::kError;
    frame.error = {error::kRouteRefresh, error::kInvalidRefreshLength, input.first(size)};
    return frame;
  }
  frame.state = Frame::State::kMessage;
  return frame;
}

std::optional<RouteRefresh> decode_route_refresh(Octets body) {
  if (body.size() != 4 || body[2] > static_cast<std::uint8_t>(RefreshKind::kEnd))
    return std::nullopt;
  return RouteRefresh{{read_u16(body.data()), body[3]}, static_cast<RefreshKind>(body[2])};
}

std::size_t begin_message(MessageType type, std::vector<std::uint8_t>& out) {
  const std::size_t start = out.size();
  out.insert(out.end(), kMarkerSize, 0xff);
  put_u16(out, 0);
  put_u8(out, static_cast<std::uint8_t>(type));
  return start;
}

void end_message(std::size_t start, std::vector<std::uint8_t>& out) {
  const std::size_t size = out.size() - start;
  out[start + kMarkerSize] = static_cast<std::uint8_t>(size >> 8);
  out[start + kMarkerSize + 1] = static_cast<std::uint8_t>(size);
}

void encode_keepalive(std::vector<std::uint8_t>& out) {
  end_message(begin_message(MessageType::kKeepalive, out), out);
}

void encode_route_refresh(const RouteRefresh& refresh, std::vector<std::uint8_t>& out) {
  const std::size_t start = begin_message(MessageType::kRouteRefresh, out);
  put_u16(out, refresh.family.afi);
  put_u8(out, static_cast<std::uint8_t>(refresh.kind));
  put_u8(out, refresh.family.safi);
  end_message(start, out);
}

void encode_end_of_rib(Family family, std::vector<std::uint8_t>& out) {
  const std::size_t start = begin_message(MessageType::kUpdate, out);
  put_u16(out, 0);  // withdrawn routes
  if (family == kIpv4Unicast) {
    put_u16(out, 0);
  } else {
    put_u16(out, 6);
    put_u8(out, 0x80);  // optional
    put_u8(out, attribute::kMpUnreachNlri);
    put_u8(out, 3);
    put_u16(out, family.afi);
    put_u8(out, family.safi);
  }
  end_message(start, out);
}

}  // namespace lapwing::bgp
