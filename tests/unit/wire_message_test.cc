// The header: framing, and the messages that we may send.
#include <doctest/doctest.h>

#include "bgp/message.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

Buffer message(unsigned type, std::size_t size, std::optional<unsigned> claimed = {}) {
  Buffer out(16, 0xff);
  out = out + u16(claimed.value_or(static_cast<unsigned>(size))) +
        Buffer{static_cast<std::uint8_t>(type)};
  out.resize(size);
  return out;
}

/// "1/2 0013", "message", "more", "silent".
std::string outcome(const Buffer& input, std::size_t max = kMaxMessageSize) {
  const Frame frame = frame_message(input, max);
  if (frame.state == Frame::State::kNeedMore) return "more";
  if (frame.state == Frame::State::kMessage) return "message";
  if (frame.silent) return "silent";
  std::string text = std::to_string(frame.error.code) + '/' + std::to_string(frame.error.subcode);
  if (frame.error.data.size() > 2) return text + " message";
  for (const std::uint8_t octet : frame.error.data) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += text.find(' ') == std::string::npos ? " " : "";
    text += kDigits[octet >> 4];
    text += kDigits[octet & 15];
  }
  return text;
}

}  // namespace

TEST_CASE("RFC 4271 6.1: a marker that is not all ones is 1/1, at any octet and at once") {
  for (std::size_t at = 0; at < 16; ++at) {
    Buffer m = message(4, 19);
    m[at] = 0xfe;
    CHECK(outcome(m) == "1/1");
    CHECK(outcome(Buffer(m.begin(), m.begin() + static_cast<std::ptrdiff_t>(at) + 1)) == "1/1");
  }
}

TEST_CASE("RFC 4271 6.1: lengths that no message has are 1/2 with the length as data") {
  for (const unsigned claimed : {0u, 1u, 18u, 4097u, 65535u}) {
    CAPTURE(claimed);
    const Buffer input = message(2, 19, claimed);
    const Frame frame = frame_message(input, kMaxMessageSize);
    REQUIRE(frame.state == Frame::State::kError);
    CHECK(frame.error.code == 1);
    CHECK(frame.error.subcode == 2);
    CHECK(Buffer(frame.error.data.begin(), frame.error.data.end()) == u16(claimed));
  }
}

TEST_CASE("RFC 4271 6.1: each type has its shortest length") {
  CHECK(outcome(message(1, 28)) == "1/2 001c");
  CHECK(outcome(message(1, 29)) == "message");
  CHECK(outcome(message(2, 22)) == "1/2 0016");
  CHECK(outcome(message(2, 23)) == "message");
  CHECK(outcome(message(3, 20)) == "silent");
  CHECK(outcome(message(3, 21)) == "message");
  CHECK(outcome(message(4, 19)) == "message");
  CHECK(outcome(message(4, 20)) == "1/2 0014");
}

TEST_CASE("RFC 4271 6.1: types that we do not know are 1/3 with the type as data") {
  CHECK(outcome(message(0, 19)) == "1/3 00");
  CHECK(outcome(message(6, 19)) == "1/3 06");
  CHECK(outcome(message(255, 19)) == "1/3 ff");
}

TEST_CASE("RFC 7313 5: a ROUTE-REFRESH of wrong length is 7/1 with the message as data") {
  CHECK(outcome(message(5, 23)) == "message");
  CHECK(outcome(message(5, 22)) == "7/1 message");
  CHECK(outcome(message(5, 19)) == "7/1 message");
  Buffer begin = message(5, 24);
  begin[21] = 1;
  CHECK(outcome(begin) == "7/1 message");
  CHECK(frame_message(begin, kMaxMessageSize).error.data.size() == 24);
  CHECK(outcome(message(5, 30)) == "message");  // a request with ORF entries
}

TEST_CASE("RFC 8654 4: long messages where negotiated, but never OPEN and KEEPALIVE") {
  CHECK(outcome(message(2, 65535)) == "1/2 ffff");
  CHECK(outcome(message(2, 65535), kMaxExtendedMessageSize) == "message");
  CHECK(outcome(message(3, 5000), kMaxExtendedMessageSize) == "message");
  CHECK(outcome(message(1, 4097), kMaxExtendedMessageSize) == "1/2 1001");
  CHECK(outcome(message(4, 4097), kMaxExtendedMessageSize) == "1/2 1001");
}

TEST_CASE("a message is found octet by octet, and many in one buffer") {
  const Buffer one = message(2, 23);
  for (std::size_t size = 0; size < one.size(); ++size)
    CHECK(outcome(Buffer(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(size))) == "more");
  Buffer many;
  for (int i = 0; i < 1000; ++i) many = std::move(many) + one;
  Octets rest(many);
  int found = 0;
  for (; !rest.empty(); ++found) {
    const Frame frame = frame_message(rest, kMaxMessageSize);
    REQUIRE(frame.state == Frame::State::kMessage);
    REQUIRE(frame.body.size() == 4);
    rest = rest.subspan(frame.size);
  }
  CHECK(found == 1000);
}

TEST_CASE("RFC 2918 3, RFC 7313 3.2: ROUTE-REFRESH there and back") {
  for (const RefreshKind kind : {RefreshKind::kRequest, RefreshKind::kBegin, RefreshKind::kEnd}) {
    Buffer out;
    encode_route_refresh({kIpv6Unicast, kind}, out);
    const Frame frame = frame_message(out, kMaxMessageSize);
    REQUIRE(frame.state == Frame::State::kMessage);
    const auto refresh = decode_route_refresh(frame.body);
    REQUIRE(refresh);
    CHECK(refresh->family == kIpv6Unicast);
    CHECK(refresh->kind == kind);
  }
  CHECK_FALSE(decode_route_refresh(hex("00010301")));
  CHECK_FALSE(decode_route_refresh(hex("0001000101 80 0000")));
  CHECK_FALSE(decode_route_refresh(hex("0001")));
}

TEST_CASE("what we send: KEEPALIVE and End-of-RIB, exactly") {
  const Buffer marker(16, 0xff);
  Buffer out;
  encode_keepalive(out);
  CHECK(out == marker + hex("0013 04"));
  out.clear();
  encode_end_of_rib(kIpv4Unicast, out);
  CHECK(out == marker + hex("0017 02 0000 0000"));
  out.clear();
  encode_end_of_rib(kIpv6Unicast, out);
  CHECK(out == marker + hex("001d 02 0000 0006 80 0f 03 0002 01"));
  const Parsed parsed(Buffer(out.begin() + 19, out.end()), external_session());
  CHECK(parsed.update.end_of_rib());
}
