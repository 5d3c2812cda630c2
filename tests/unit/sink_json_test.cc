#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <chrono>
#include <ctime>

#include "sink_testing.h"
#include "sinks/event_json.h"
#include "sinks/event_text.h"
#include "sinks/json_object.h"
#include "sinks/text.h"

namespace lapwing::sinks {
namespace {

using testing::at;
using testing::prefix;
using testing::story;
namespace json = boost::json;

std::vector<std::string> names(const json::value& value) {
  std::vector<std::string> out;
  for (const auto& member : value.as_object()) out.emplace_back(member.key());
  return out;
}

TEST_CASE("event JSON: the story's event is this text, octet by octet") {
  CHECK(event_json(story()) ==
        R"({"id":"01010101010101010101010101010101","incident":"abababababababababababababababab",)"
        R"("type":"new-upstream","action":"raise","severity":"warning",)"
        R"("time":"2017-10-01T09:07:51.000000Z","origin_as":131279,"upstream_as":20485,)"
        R"("prefixes":["175.45.176.0/24"],"prefix_count":1,"origin_prefix_count":4,)"
        R"("peers":["rrc03-x"],"direct":false,"cause":"live","changed_between":null,)"
        R"("known_upstreams":[{"as":4837,"first_seen":"2014-05-01T00:00:00.000000Z",)"
        R"("last_seen":"2017-10-01T09:07:50.000000Z","active":true}],)"
        R"("evidence":[{"peer":"rrc03-x","peer_as":3333,"prefix":"175.45.176.0/24",)"
        R"("old_path":"3333 1103 4837 131279","new_path":"3333 1103 20485 131279",)"
        R"("time":"2017-10-01T09:07:51.000000Z"}],"rule":"adjacency never seen before",)"
        R"("summary":"AS131279 has a new upstream AS20485 for 175.45.176.0/24"})");
}

TEST_CASE("event JSON: what an event has not is left out, but changed_between is null") {
  Event e;
  e.type = "peer-down";
  CHECK(event_json(e) ==
        R"({"id":"00000000000000000000000000000000","incident":"00000000000000000000000000000000",)"
        R"("type":"peer-down","action":"raise","severity":"notice",)"
        R"("time":"1970-01-01T00:00:00.000000Z","prefixes":[],"prefix_count":0,"peers":[],)"
        R"("cause":"live","changed_between":null,"evidence":[],"rule":"","summary":""})");
}

TEST_CASE("event JSON: changed_between is two times, a missing path is null, an empty one is empty") {
  Event e = story();
  e.changed_between = TimeRange{at("2017-10-01T08:00:00Z"), at("2017-10-01T09:07:51.5Z")};
  e.evidence[0].old_path.reset();
  e.evidence[0].new_path = "";
  const std::string text = event_json(e);
  CHECK(text.find(R"("changed_between":["2017-10-01T08:00:00.000000Z","2017-10-01T09:07:51.500000Z"])") !=
        std::string::npos);
  CHECK(text.find(R"("old_path":null,"new_path":"","time")") != std::string::npos);
}

TEST_CASE("event JSON: a type's own fields stand in their order between evidence and rule") {
  Event e = story();
  e.fields = {{"zeta", std::int64_t{-5}},
              {"alpha", true},
              {"word", std::string("a\"b")},
              {"when", at("2017-10-01T09:07:51Z")},
              {"left_as", std::vector<Asn>{1, 4294967295}},
              {"names", std::vector<std::string>{"x", "y\n"}}};
  const std::string text = event_json(e);
  CHECK(text.find(R"("zeta":-5,"alpha":true,"word":"a\"b","when":"2017-10-01T09:07:51.000000Z",)"
                  R"("left_as":[1,4294967295],"names":["x","y\n"],"rule":)") != std::string::npos);
  const auto order = names(json::parse(text));
  const std::vector<std::string> wanted = {
      "id", "incident", "type", "action", "severity", "time", "origin_as", "upstream_as",
      "prefixes", "prefix_count", "origin_prefix_count", "peers", "direct", "cause",
      "changed_between", "known_upstreams", "evidence", "zeta", "alpha", "word", "when", "left_as",
      "names", "rule", "summary"};
  CHECK(order == wanted);
}

TEST_CASE("event JSON: the journal's number is the first member where asked for") {
  CHECK(event_json(story(), 42).starts_with(R"({"number":42,"id":"0101)"));
}

TEST_CASE("event JSON: every octet string gives one line of valid UTF-8 that parses back") {
  std::string hostile;
  for (int c = 0; c < 256; ++c) hostile += static_cast<char>(c);
  const std::vector<std::string> values = {
      hostile, "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "ok \xe2\x82\xac \xf0\x9f\x90\xa6",
      std::string("nul\0inside", 10), "\xc2\x85 next line", "\"},{\"x\":\"", "\x1b[31m"};
  for (const std::string& value : values) {
    Event e = story();
    e.type = value;
    e.summary = value;
    e.peers = {value};
    e.evidence[0].new_path = value;
    e.fields = {{value.substr(0, 8), value}};
    const std::string text = event_json(e);
    for (const char c : text) CHECK(static_cast<unsigned char>(c) >= 0x20);
    json::error_code error;
    const json::value parsed = json::parse(text, error);  // Boost.JSON refuses invalid UTF-8
    REQUIRE_MESSAGE(!error, error.message());
    std::string expected;
    append_utf8(expected, value);
    CHECK(std::string(parsed.at("summary").as_string()) == expected);
  }
}

TEST_CASE("JSON text: of every length, plain or with something to escape at every place") {
  for (const std::size_t size : {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257, 600}) {
    std::string plain;
    for (std::size_t i = 0; i < size; ++i) plain += static_cast<char>('!' + 2 + i % 40);  // no quote
    std::string out = "before";
    append_json(out, plain);
    CHECK(out == "before\"" + plain + '"');
    out.clear();
    append_json(out, plain, ':');
    CHECK(out == '"' + plain + "\":");
    std::size_t wrong = 0;
    for (std::size_t at = 0; at < size; ++at) {
      for (const char* special : {"\"", "\\", "\x1f", "\x7f", "\xc3\xa9", "\xff"}) {
        const std::string text = plain.substr(0, at) + special + plain.substr(at + 1);
        std::string whole;
        append_utf8(whole, text);
        out.clear();
        append_json(out, text);
        json::error_code error;
        const json::value parsed = json::parse(out, error);
        wrong += error || parsed.as_string() != whole ? 1 : 0;
        wrong += out.find('\x7f') != std::string::npos || out.find('\x1f') != std::string::npos ? 1 : 0;
      }
    }
    CHECK_MESSAGE(wrong == 0, "size ", size);
  }
}

TEST_CASE("JSON object: none, one and more members, with values that are written in pieces and not") {
  const auto made = [](auto&& fill) {
    std::string out = "before";
    {
      JsonObject object(out);
      fill(object);
    }
    return out;
  };
  CHECK(made([](JsonObject&) {}) == "before{}");
  CHECK(made([](JsonObject& object) { object.number("a", -7); }) == "before{\"a\":-7}");
  const std::string name = "q\"" + std::string(300, 'n');
  const std::string quoted = "q\\\"" + std::string(300, 'n');
  const std::string long_text(300, 'x');
  CHECK(made([&](JsonObject& object) {
          object.text(name, "v");
          object.text("b", long_text);
          object.text("c", "\"");
          object.null("d");
          object.list("e", std::vector<int>{1, 2}, [](int) {});
        }) == "before{\"" + quoted + "\":\"v\",\"b\":\"" + long_text +
                  "\",\"c\":\"\\\"\",\"d\":null,\"e\":[,]}");
  // A year of five digits is no RFC 3339, but is written whole.
  const Timestamp far = std::chrono::sys_days(std::chrono::year(12345) / 1 / 1);
  CHECK(made([&](JsonObject& object) { object.time("t", far); }) ==
        "before{\"t\":\"" + format_rfc3339(far) + "\"}");
}

TEST_CASE("text piece: pieces of all lengths, within its buffer and beyond, come out in order") {
  std::string out = "before", wanted = out;
  {
    TextPiece piece(out);
    for (std::size_t size = 0; size < 1200; ++size) {
      const std::string text(size, static_cast<char>('a' + size % 26));
      piece += text;
      piece += ';';
      append_number(piece, size);
      append_json(piece, size % 7 == 0 ? "\"" + text : text, ',');
      wanted += text + ';' + std::to_string(size);
      append_json(wanted, size % 7 == 0 ? "\"" + text : text, ',');
    }
    piece += "last";
    CHECK((out == wanted));
    CHECK((piece.flushed() == wanted + "last"));
    piece += std::string(10000, 'x');
    piece += '.';
  }
  CHECK((out == wanted + "last" + std::string(10000, 'x') + '.'));
}

TEST_CASE("event JSON: an event of many kilobytes is whole, and so is what needs an escape within it") {
  Event e = story();
  e.prefixes.assign(Event::kMaxPrefixes, prefix("2001:db8:1234:5678::/64"));
  e.evidence.assign(Event::kMaxEvidence, e.evidence.front());
  for (std::size_t i = 0; i < e.evidence.size(); ++i) {
    e.evidence[i].old_path = std::string(100 * i, '1');
    e.evidence[i].new_path = "\"" + std::string(100 * i, '2');
  }
  e.known_upstreams->assign(100, e.known_upstreams->front());
  e.fields.push_back({"texts", std::vector<std::string>(30, std::string(250, 't'))});
  const json::object parsed = json::parse(event_json(e)).as_object();
  CHECK(parsed.at("prefixes").as_array().size() == Event::kMaxPrefixes);
  CHECK(parsed.at("known_upstreams").as_array().size() == 100);
  const json::array& evidence = parsed.at("evidence").as_array();
  REQUIRE(evidence.size() == Event::kMaxEvidence);
  for (std::size_t i = 0; i < evidence.size(); ++i) {
    CHECK(evidence[i].at("old_path").as_string() == std::string(100 * i, '1'));
    CHECK(evidence[i].at("new_path").as_string() == "\"" + std::string(100 * i, '2'));
  }
  for (const json::value& text : parsed.at("texts").as_array())
    CHECK(text.as_string() == std::string(250, 't'));
  CHECK(parsed.at("summary").as_string() == e.summary);
}

TEST_CASE("event: cleared, it is as a new one") {
  Event e = story();
  e.action = Action::kClear;
  e.cause = Cause::kResync;
  e.direct = true;
  e.changed_between = TimeRange{};
  e.fields.push_back({"a", true});
  e.clear();
  CHECK(e == Event{});
}

TEST_CASE("UTF-8: one replacement for each maximal ill-formed part (Unicode 3.9, table 3-8)") {
  std::string out;
  append_utf8(out, "a\xf1\x80\x80\xe1\x80\xc2" "b\x80" "c\x80\xbf" "d");
  CHECK(out == "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "b\xef\xbf\xbd" "c\xef\xbf\xbd\xef\xbf\xbd" "d");
}

TEST_CASE("time: always six digits and Z") {
  const auto text = [](std::int64_t seconds, std::int64_t micros) {
    return format_rfc3339(from_unix_micros(seconds * 1000000 + micros));
  };
  CHECK(text(0, 0) == "1970-01-01T00:00:00.000000Z");
  CHECK(text(1506848871, 7) == "2017-10-01T09:07:51.000007Z");
  CHECK(text(951868799, 999999) == "2000-02-29T23:59:59.999999Z");
  CHECK(text(-1, 500000) == "1969-12-31T23:59:59.500000Z");
  CHECK(text(253402300799, 0) == "9999-12-31T23:59:59.000000Z");
  CHECK(text(253402300800, 0) == "10000-01-01T00:00:00.000000Z");
  CHECK(text(-62167219200, 0) == "0000-01-01T00:00:00.000000Z");
}

TEST_CASE("time: the remembered text is that of format_rfc3339") {
  for (const char* text : {"1970-01-01T00:00:00Z", "2000-02-29T23:59:59.999999Z", "1969-12-31T23:59:59.5Z",
                           "9999-12-31T23:59:59Z", "0001-01-01T00:00:00.000001Z"}) {
    std::string out;
    append_rfc3339(out, at(text));
    CHECK(out == format_rfc3339(at(text)));
  }
  // One after another, twice each, with years that have not four digits among them.
  const Timestamp late = at("9999-12-31T23:59:59Z") + std::chrono::hours(24 * 400);
  const Timestamp early = at("0001-01-01T00:00:00Z") - std::chrono::hours(24 * 800);
  for (const Timestamp time : {Timestamp{}, late, late, at("2017-10-01T09:07:51Z"), early, early,
                               at("2017-10-01T09:07:51Z"), at("2017-10-01T09:07:51.000001Z"),
                               Timestamp{}}) {
    std::string out;
    append_rfc3339(out, time);
    CHECK(out == format_rfc3339(time));
  }
}

TEST_CASE("prefix: the fast text is that of format_prefix") {
  for (const char* text : {"0.0.0.0/0", "255.255.255.255/32", "175.45.176.0/24", "2001:db8::/32", "::/0"}) {
    std::string out;
    append_prefix(out, prefix(text));
    CHECK(out == text);
  }
}

TEST_CASE("event text: one line for a person, and one for each sighting") {
  CHECK(event_text(story()) ==
        "2017-10-01 09:07:51.000 warning  new-upstream raise: "
        "AS131279 has a new upstream AS20485 for 175.45.176.0/24");
  CHECK(event_text(story(), true).ends_with(
      "\n    rrc03-x 175.45.176.0/24: 3333 1103 4837 131279 -> 3333 1103 20485 131279"));
  Event e = story();
  e.evidence[0].new_path.reset();
  e.evidence[0].old_path = "";
  CHECK(event_text(e, true).ends_with(": (empty path) -> no route"));
}

TEST_CASE("event text: nothing in an event drives the terminal") {
  Event e = story();
  e.summary = "\x1b]0;x\x07 \xc2\x9b" "31m \xe2\x80\xae" "abc\r\n\xff";
  const std::string text = event_text(e);
  CHECK(text.ends_with("?]0;x? ?31m ?abc??\xef\xbf\xbd"));
}

TEST_CASE("event JSON: a typical event takes well below a hundred microseconds even unoptimised") {
  const Event e = story();
  std::string out;
  constexpr int kTurns = 20000;
  const std::clock_t start = std::clock();  // of the processor: others may use the machine, too
  for (int i = 0; i < kTurns; ++i) {
    out.clear();
    append_event_json(out, e);
  }
  const double each = 1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / kTurns;
  MESSAGE("microseconds for one event: " << each);
  CHECK(each < 100);
}

}  // namespace
}  // namespace lapwing::sinks
