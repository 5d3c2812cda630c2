// Messages with their expected action, recorded and written by others; see the data's README.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/json/src.hpp>

#include "bgp/message.h"
#include "tests/rfc/vector_rows.h"
#include "tests/rfc/wire_builder.h"

namespace json = boost::json;
using namespace lapwing;
using namespace lapwing::bgp;
using namespace lapwing::bgp::test;

namespace {

SessionParameters context_of(const Row& row) {
  SessionParameters p = external_session();
  const json::value* value = row.if_contains("context");
  if (value == nullptr || !value->as_object().contains("as4")) return p;
  const Row& context = value->as_object();
  p.four_octet_as = context.at("as4").as_bool();
  if (text_of(context, "peer") == "ibgp") p = internal_session();
  p.four_octet_as = context.at("as4").as_bool();
  p.extended_messages = context.at("ext_msg").as_bool();
  p.families = {};
  for (const json::value& family : context.at("families").as_array()) {
    const std::string_view name = family.as_string();
    if (name == "vpnv4")
      p.families.insert({kAfiIpv4, kSafiVpn});
    else if (name == "vpnv6")
      p.families.insert({kAfiIpv6, kSafiVpn});
    else if (const auto f = parse_family(name))
      p.families.insert(*f);
  }
  return p;
}

bool allowed(const json::value& list, const Notification& n) {
  for (const json::value& pair : list.as_array())
    if (pair.as_array()[0].as_int64() == n.code && pair.as_array()[1].as_int64() == n.subcode)
      return true;
  return false;
}

/// True when the action is what the row expects. `soft` rows leave the choice, but never a reset.
bool is_right(const Row& row, const Parsed& parsed) {
  const std::string expect = text_of(row, "expect");
  const ErrorAction action = parsed.action();
  if (expect == "session-reset" || expect == "error") {
    if (action != ErrorAction::kSessionReset) return false;
    const json::value* pair = row.if_contains("notification");
    if (pair == nullptr || !pair->is_array()) return true;
    const json::array only{*pair};
    return allowed(json::value(only), parsed.update.notification());
  }
  if (action == ErrorAction::kSessionReset) return false;
  if (row.contains("soft")) return true;
  const bool withdrawn = action == ErrorAction::kTreatAsWithdraw;
  return withdrawn == (expect == "treat-as-withdraw");
}

Octets body_of(const Buffer& message) {
  return message.size() < kHeaderSize ? Octets() : Octets(message).subspan(kHeaderSize);
}

}  // namespace

TEST_CASE("vectors: every UPDATE of updates.jsonl gets its action") {
  const auto directory = vectors_directory();
  if (!directory) return;
  const std::size_t rows = for_each_row(*directory + "updates.jsonl", [](const Row& row) {
    const Buffer message = hex(text_of(row, "hex"));
    CAPTURE(text_of(row, "id"));
    const Frame frame = frame_message(message, kMaxExtendedMessageSize);
    REQUIRE(frame.state == Frame::State::kMessage);
    const Parsed parsed(Buffer(frame.body.begin(), frame.body.end()), context_of(row));
    CAPTURE(to_string(parsed.action()));
    CAPTURE(parsed.update.findings().strongest().reason);
    CHECK(is_right(row, parsed));
  });
  CHECK(rows == 159);
}

TEST_CASE("vectors: no row of the attribute matrix resets, and none keeps a broken route") {
  const auto directory = vectors_directory();
  if (!directory) return;
  std::size_t withdrawn = 0;
  std::size_t kept = 0;
  const std::size_t rows =
      for_each_row(*directory + "attribute-matrix.jsonl.gz", [&](const Row& row) {
        CAPTURE(text_of(row, "id"));
        const Buffer message = hex(text_of(row, "hex"));
        const Octets body = body_of(message);
        const Parsed parsed(Buffer(body.begin(), body.end()), external_session());
        REQUIRE(parsed.action() != ErrorAction::kSessionReset);
        REQUIRE(parsed.records == 1);
        const std::string prefix = text_of(row, "prefix");
        const auto& record = parsed.batch.records[0];
        REQUIRE(record.withdrawn + record.announced == 1);
        const auto texts = record.withdrawn != 0 ? parsed.withdrawn() : parsed.announced();
        REQUIRE(texts[0] == prefix);
        ++(record.withdrawn != 0 ? withdrawn : kept);
      });
  CHECK(rows == 5264);
  CHECK(withdrawn > 1000);
  CHECK(kept > 1000);
}

TEST_CASE("vectors: AS_PATH texts and hop counts of as-path.jsonl") {
  const auto directory = vectors_directory();
  if (!directory) return;
  const std::size_t rows = for_each_row(*directory + "as-path.jsonl", [](const Row& row) {
    const std::string id = text_of(row, "id");
    CAPTURE(id);
    const Buffer message = hex(text_of(row, "hex"));
    const Octets body = body_of(message);
    const Parsed parsed(Buffer(body.begin(), body.end()), context_of(row));
    CHECK(is_right(row, parsed));
    if (text_of(row, "expect") != "accept") return;
    REQUIRE(parsed.records == 1);
    // The row tells what is in AS4_PATH; RFC 6793 6 strips its confederation segments.
    const std::string expected =
        id == "frr-aspath-attr45" ? "8466 3 52737 4096" : normal_path(text_of(row, "as_path"));
    CHECK(normal_path(parsed.path_text()) == expected);
  });
  CHECK(rows == 52);
}

TEST_CASE("vectors: framing, OPEN and UPDATE errors of session.jsonl") {
  const auto directory = vectors_directory();
  if (!directory) return;
  std::optional<Parsed> parsed;
  const auto notification_of = [&](const Row& row,
                                   const Buffer& message) -> std::optional<Notification> {
    const Frame frame = frame_message(message, kMaxMessageSize);
    if (frame.state == Frame::State::kError && !frame.silent) return frame.error;
    if (frame.state != Frame::State::kMessage) return std::nullopt;
    if (frame.type == MessageType::kOpen && text_of(row, "state") == "opensent") {
      Open open;
      if (const auto error = decode_open(frame.body, open)) return error;
      return check_open(open, {65000, 65001, *parse_address("10.0.0.1"), std::nullopt});
    }
    if (frame.type == MessageType::kUpdate && text_of(row, "state") == "established") {
      parsed.emplace(Buffer(frame.body.begin(), frame.body.end()), external_session());
      if (parsed->action() == ErrorAction::kSessionReset) return parsed->update.notification();
    }
    return std::nullopt;
  };
  std::size_t judged = 0;
  const std::size_t rows = for_each_row(*directory + "session.jsonl", [&](const Row& row) {
    CAPTURE(text_of(row, "id"));
    CAPTURE(text_of(row, "desc"));
    const Buffer message = hex(text_of(row, "hex"));
    const auto notification = notification_of(row, message);
    if (notification) CAPTURE(notification_name(notification->code, notification->subcode));
    const json::value* allow = row.if_contains("allow");
    const bool must_not = allow == nullptr || allow->is_null();
    if (must_not) {
      CHECK_FALSE(notification);
    } else if (notification) {
      CHECK(allowed(*allow, *notification));
      ++judged;
    }
  });
  CHECK(rows == 54);
  CHECK(judged >= 35);
}

TEST_CASE("vectors: OPENs of open-capabilities.jsonl parse or do not") {
  const auto directory = vectors_directory();
  if (!directory) return;
  const std::size_t rows = for_each_row(*directory + "open-capabilities.jsonl", [](const Row& row) {
    CAPTURE(text_of(row, "id"));
    const Buffer message = hex(text_of(row, "hex"));
    const Frame frame = frame_message(message, kMaxMessageSize);
    const std::string expect = text_of(row, "expect");
    if (expect == "notification") {  // messages of type 6, the dynamic capability draft
      CHECK(frame.state == Frame::State::kError);
      return;
    }
    REQUIRE(frame.state == Frame::State::kMessage);
    Open open;
    const auto error = decode_open(frame.body, open);
    CHECK(error.has_value() == (expect == "open-error"));
    if (error) CHECK(error->subcode == error::kOpenUnspecific);
  });
  CHECK(rows == 47);
}

TEST_CASE("vectors: IPv4 and IPv6 unicast UPDATEs of ExaBGP mean what ExaBGP says") {
  const auto directory = vectors_directory();
  if (!directory) return;
  std::size_t compared = 0;
  const std::size_t rows = for_each_row(*directory + "exabgp-updates.jsonl", [&](const Row& row) {
    const std::string id = text_of(row, "id");
    CAPTURE(id);
    const Buffer message = hex(text_of(row, "hex"));
    const Row& context = row.at("context").as_object();
    SessionParameters p = SessionParameters::of_file(context.at("as4").as_bool(), false);
    Frame frame = frame_message(message, kMaxExtendedMessageSize);
    if (frame.state != Frame::State::kMessage || frame.type != MessageType::kUpdate) return;
    const json::value* addpath = context.if_contains("addpath");
    if (addpath != nullptr && addpath->is_string() && !addpath->as_string().empty() &&
        addpath->as_string() != "disable")
      p.add_path = FamilySet::all();
    const Parsed parsed(Buffer(frame.body.begin(), frame.body.end()), p);
    const json::value* used = row.if_contains("families_used");
    if (used == nullptr) return;
    for (const json::value& family : used->as_array())
      if (family.as_string() != "ipv4 unicast" && family.as_string() != "ipv6 unicast") return;
    CAPTURE(parsed.update.findings().strongest().reason);
    if (parsed.action() >= ErrorAction::kTreatAsWithdraw || parsed.records == 0) return;
    const json::value* decoded = row.if_contains("json");
    if (decoded == nullptr || !decoded->is_object()) return;
    const json::value* update = decoded->as_object().if_contains("neighbor");
    if (update == nullptr) return;
    const auto& body = update->at("message").as_object();
    if (!body.contains("update")) return;
    const auto& content = body.at("update").as_object();
    if (!content.contains("announce")) return;
    std::vector<std::string> expected;
    for (const auto& family : content.at("announce").as_object())
      for (const auto& hop : family.value().as_object())
        for (const json::value& route : hop.value().as_array())
          expected.emplace_back(route.is_string() ? std::string(route.as_string())
                                                  : text_of(route.as_object(), "nlri"));
    std::vector<std::string> got;
    for (std::size_t r = 0; r < parsed.records; ++r)
      for (const auto& text : parsed.announced(r)) got.push_back(text);
    std::sort(expected.begin(), expected.end());
    std::sort(got.begin(), got.end());
    CHECK(got == expected);
    ++compared;
  });
  CHECK(rows == 359);
  CHECK(compared >= 100);
}

TEST_CASE(
    "vectors: whole messages of other speakers never reset where a family was not negotiated") {
  const auto directory = vectors_directory();
  if (!directory) return;
  SessionParameters session = external_session();
  SessionParameters old_session = session;
  old_session.four_octet_as = false;
  for (const char* name :
       {"routecore.jsonl", "holo.jsonl", "opendaylight.jsonl", "exabgp-updates.jsonl"}) {
    for_each_row(*directory + name, [&](const Row& row) {
      CAPTURE(text_of(row, "id"));
      const Buffer message = hex(text_of(row, "hex"));
      const Frame frame = frame_message(message, kMaxExtendedMessageSize);
      if (frame.state != Frame::State::kMessage) return;
      if (frame.type == MessageType::kOpen) {
        Open open;
        decode_open(frame.body, open);
        return;
      }
      // Octets that are no single message are noise, which RFC 7606 5.2 may well reset.
      const json::value* single = row.if_contains("one_message");
      if (frame.type != MessageType::kUpdate || (single != nullptr && !single->as_bool())) return;
      for (const SessionParameters& p : {session, old_session}) {
        const Parsed parsed(Buffer(frame.body.begin(), frame.body.end()), p);
        const MpAttribute& reach = parsed.update.attributes().reach();
        const MpAttribute& unreach = parsed.update.attributes().unreach();
        if (!reach.ignored && !unreach.ignored) continue;
        CAPTURE(parsed.update.findings().strongest().reason);
        CHECK(parsed.action() != ErrorAction::kSessionReset);
      }
    });
  }
}
