// NOTIFICATION: names, shutdown texts, escaping.
#include <doctest/doctest.h>

#include "bgp/message.h"
#include "tests/rfc/wire_builder.h"

using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

std::string escaped(std::string_view text) {
  return escape_text({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

Notification shutdown(const Buffer& data, std::uint8_t subcode = error::kAdministrativeShutdown) {
  return {error::kCease, subcode, data};
}

}  // namespace

TEST_CASE("RFC 4271 4.5: a NOTIFICATION is encoded and decoded with all of its data") {
  const Buffer data{9, 8, 7};
  Buffer message;
  encode_notification({error::kUpdate, error::kAttributeFlags, data}, message);
  const Frame frame = frame_message(message, kMaxMessageSize);
  REQUIRE(frame.state == Frame::State::kMessage);
  CHECK(frame.type == MessageType::kNotification);
  const Notification decoded = decode_notification(frame.body);
  CHECK(decoded.code == 3);
  CHECK(decoded.subcode == 4);
  CHECK(Buffer(decoded.data.begin(), decoded.data.end()) == data);
  CHECK(decode_notification(Octets(data).first(1)).code == 0);
}

TEST_CASE("a NOTIFICATION never exceeds 4,096 octets") {
  const Buffer data(60000, 1);
  Buffer message;
  encode_notification({error::kUpdate, error::kAttributeLength, data}, message);
  CHECK(message.size() == kMaxMessageSize);
  CHECK(frame_message(message, kMaxMessageSize).state == Frame::State::kMessage);
}

TEST_CASE("names of codes and subcodes") {
  CHECK(notification_name(6, 2) == "Cease: Administrative Shutdown");
  CHECK(notification_name(4, 0) == "Hold Timer Expired");
  CHECK(notification_name(2, 11) == "OPEN Message Error: Role Mismatch");
  CHECK(notification_name(7, 1) == "ROUTE-REFRESH Message Error: Invalid Message Length");
  CHECK(notification_name(5, 1) ==
        "Finite State Machine Error: Unexpected Message in OpenSent");  // RFC 6608
  CHECK(notification_name(6, 10) == "Cease: BFD Down");                 // RFC 9384
  CHECK(notification_name(8, 0) == "Send Hold Timer Expired");          // RFC 9687
  CHECK(notification_name(6, 77) == "Cease: subcode 77");
  CHECK(notification_name(99, 0) == "code 99");
}

TEST_CASE("RFC 9003 2: the shutdown communication, and what is none (CVE-2019-16159)") {
  const Buffer text{5, 'h', 'e', 'l', 'l', 'o'};
  CHECK(shutdown_communication(shutdown(text)) == "hello");
  CHECK(shutdown_communication(shutdown(text, error::kAdministrativeReset)) == "hello");
  CHECK(shutdown_communication(shutdown(text, error::kPeerDeconfigured)).empty());
  CHECK(shutdown_communication({error::kUpdate, 2, text}).empty());
  CHECK(shutdown_communication(shutdown({})).empty());
  CHECK(shutdown_communication(shutdown({0})).empty());
  CHECK(shutdown_communication(shutdown({6, 'h', 'e'})).empty());
  CHECK(shutdown_communication(shutdown({255})).empty());
  const Buffer longest = Buffer{255} + Buffer(255, 'x');
  CHECK(shutdown_communication(shutdown(longest)).size() == 255);
  const Buffer hostile{4, '\n', 0xff, 0x1b, 'a'};
  CHECK(shutdown_communication(shutdown(hostile)) == "\\x0a\\xff\\x1ba");
}

TEST_CASE("RFC 9003 2: our own text is cut at a character's border") {
  std::string text(254, 'x');
  text += "\xc3\xa9";  // é, whose second octet would be the 256th
  Buffer data;
  encode_shutdown_communication(text, data);
  CHECK(data[0] == 254);
  CHECK(data.size() == 255);
  data.clear();
  encode_shutdown_communication("bye", data);
  CHECK(shutdown_communication(shutdown(data)) == "bye");
}

TEST_CASE("descriptions name the cause, and the cause within a hard reset (RFC 8538)") {
  CHECK(describe_notification(shutdown({3, 'b', 'y', 'e'})) ==
        "Cease: Administrative Shutdown: \"bye\"");
  const Buffer version{0, 4};
  CHECK(describe_notification({2, 1, version}) ==
        "OPEN Message Error: Unsupported Version Number (data 0004)");
  const Buffer inner{6, 2, 3, 'b', 'y', 'e'};
  CHECK(describe_notification({6, 9, inner}) ==
        "Cease: Hard Reset (Cease: Administrative Shutdown: \"bye\")");
  Buffer nested;
  for (int i = 0; i < 1000; ++i) nested = nested + Buffer{6, 9};
  CHECK(describe_notification({6, 9, nested}) == "Cease: Hard Reset");
}

TEST_CASE("escape_text keeps UTF-8 and nothing that could leave its line") {
  CHECK(escaped("plain text: ünïcödé 漢字") == "plain text: ünïcödé 漢字");
  CHECK(escaped("a\r\nb\tc") == "a\\x0d\\x0ab\\x09c");
  CHECK(escaped("\\x41") == "\\x5cx41");
  CHECK(escaped("\x7f\x1b[31m") == "\\x7f\\x1b[31m");
  CHECK(escaped("\xc2\x85") == "\\xc2\\x85");           // C1 control
  CHECK(escaped("\xe2\x80\xa8") == "\\xe2\\x80\\xa8");  // line separator
  CHECK(escaped("\xc0\xaf") == "\\xc0\\xaf");           // overlong
  CHECK(escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // surrogate
  CHECK(escaped("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(escaped("\xe6\xbc") == "\\xe6\\xbc");  // cut
  CHECK(escaped("\xff") == "\\xff");
}
