#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "sink_testing.h"
#include "sinks/syslog_format.h"
#include "sinks/text.h"

namespace lapwing::sinks {
namespace {

using testing::prefix;
using testing::story;

constexpr std::size_t kMarkRoom = 32;  // what every message leaves free

SyslogOptions options() {
  SyslogOptions o;
  o.program = {"lapwing", "0.1.0"};
  o.hostname = "bgp1.example.net";
  o.process_id = "4711";
  o.alarm = false;  // on where a test is about it
  return o;
}

/// A strict reader of RFC 5424 6, written from its ABNF.
struct Parsed {
  unsigned priority = 0;
  using Params = std::vector<std::pair<std::string, std::string>>;
  std::string time, host, app, process, id, sd_id, message;
  Params params;  // of the first element, whose name is sd_id
  std::vector<std::pair<std::string, Params>> more;  // further elements

  std::optional<std::string> param(std::string_view name) const {
    for (const auto& [key, value] : params)
      if (key == name) return value;
    return std::nullopt;
  }
};

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 32) return false;
  for (const char c : text)
    if (c <= 0x20 || c >= 0x7f || c == '=' || c == ']' || c == '"') return false;
  return true;
}

bool parse_element(std::string_view& rest, std::string& id, Parsed::Params& params) {
  if (!rest.starts_with('[')) return false;
  std::size_t i = 1;
  while (i < rest.size() && rest[i] != ' ' && rest[i] != ']') id += rest[i++];
  if (!is_name(id)) return false;
  while (i < rest.size() && rest[i] == ' ') {
    std::string name, value;
    for (++i; i < rest.size() && rest[i] != '='; ++i) name += rest[i];
    if (!is_name(name) || rest.substr(i, 2) != "=\"") return false;
    for (i += 2; i < rest.size() && rest[i] != '"'; ++i) {
      if (rest[i] == ']') return false;
      if (rest[i] == '\\') ++i;
      if (i < rest.size()) value += rest[i];
    }
    if (i >= rest.size()) return false;
    ++i;
    params.emplace_back(name, value);
  }
  if (i >= rest.size() || rest[i] != ']') return false;
  rest.remove_prefix(i + 1);
  return true;
}

bool parse_structured_data(std::string_view& rest, Parsed& out) {
  if (rest.starts_with("- ") || rest == "-") {
    rest.remove_prefix(1);
    return true;
  }
  if (!parse_element(rest, out.sd_id, out.params)) return false;
  while (rest.starts_with('[')) {
    out.more.emplace_back();
    if (!parse_element(rest, out.more.back().first, out.more.back().second)) return false;
  }
  return true;
}

std::optional<Parsed> parse(std::string_view line) {
  Parsed out;
  if (!line.starts_with('<')) return std::nullopt;
  const std::size_t end = line.find('>');
  if (end == std::string_view::npos || end < 2 || end > 4) return std::nullopt;
  out.priority = static_cast<unsigned>(std::atoi(std::string(line.substr(1, end - 1)).c_str()));
  std::string_view rest = line.substr(end + 1);
  if (!rest.starts_with("1 ")) return std::nullopt;
  rest.remove_prefix(2);
  std::string* const fields[] = {&out.time, &out.host, &out.app, &out.process, &out.id};
  const std::size_t limits[] = {32, 255, 48, 128, 32};
  for (std::size_t f = 0; f < 5; ++f) {
    const std::size_t blank = rest.find(' ');
    if (blank == std::string_view::npos || blank == 0 || blank > limits[f]) return std::nullopt;
    *fields[f] = rest.substr(0, blank);
    for (const char c : *fields[f])
      if (c <= 0x20 || c >= 0x7f) return std::nullopt;
    rest.remove_prefix(blank + 1);
  }
  if (!parse_structured_data(rest, out)) return std::nullopt;
  if (rest.empty()) return out;
  if (!rest.starts_with(' ')) return std::nullopt;
  out.message = rest.substr(1);
  return out;
}

bool valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    if (!point.valid) return false;
    i += point.size;
  }
  return true;
}

TEST_CASE("RFC 5424 6: the story's event is this line, octet by octet") {
  CHECK(format_syslog(story(), options()) ==
        "<188>1 2017-10-01T09:07:51.000000Z bgp1.example.net lapwing 4711 NEW_UPSTREAM "
        "[lapwing@32473 id=\"01010101010101010101010101010101\" "
        "incident=\"abababababababababababababababab\" action=\"raise\" origin_as=\"131279\" "
        "upstream_as=\"20485\" prefix=\"175.45.176.0/24\" prefixes=\"1\" peer=\"rrc03-x\" "
        "old_path=\"3333 1103 4837 131279\" new_path=\"3333 1103 20485 131279\"] "
        "%LAPWING-4-NEW_UPSTREAM: AS131279 has a new upstream AS20485 for 175.45.176.0/24");
}

TEST_CASE("RFC 5424 6.2.1: PRI is eight times the facility plus the severity") {
  for (unsigned s = 0; s < 8; ++s) {
    Event e = story();
    e.severity = static_cast<Severity>(s);
    SyslogOptions o = options();
    o.facility = 3;
    CHECK(parse(format_syslog(e, o)).value().priority == 24 + s);
    o.facility = 0;
    CHECK(format_syslog(e, o).starts_with("<" + std::to_string(s) + ">1 "));
  }
}

TEST_CASE("RFC 5424 6.3: what an event has not is left out of the structured data") {
  Event e;
  e.type = "peer-down";
  e.summary = "neighbour edge1 is down";
  CHECK(format_syslog(e, options()) ==
        "<189>1 1970-01-01T00:00:00.000000Z bgp1.example.net lapwing 4711 PEER_DOWN "
        "[lapwing@32473 id=\"00000000000000000000000000000000\" "
        "incident=\"00000000000000000000000000000000\" action=\"raise\" prefixes=\"0\"] "
        "%LAPWING-5-PEER_DOWN: neighbour edge1 is down");
}

TEST_CASE("syslog: no route leaves a path out, an empty path is an empty value") {
  Event e = story();
  e.evidence[0].old_path.reset();
  e.evidence[0].new_path = "";
  const Parsed p = parse(format_syslog(e, options())).value();
  CHECK_FALSE(p.param("old_path").has_value());
  CHECK(p.param("new_path") == "");
}

TEST_CASE("syslog: prefix, peer and paths are one sighting") {
  Event e = story();
  e.prefixes.push_back(prefix("175.45.177.0/24"));
  e.peers = {"a", "rrc03-x"};
  Evidence other = e.evidence[0];
  other.peer = "a";
  other.new_path = "1 2";
  SUBCASE("that of the first prefix at the first neighbour") {
    e.evidence.push_back(other);
    const Parsed p = parse(format_syslog(e, options())).value();
    CHECK(p.param("peer") == "a");
    CHECK(p.param("new_path") == "1 2");
  }
  SUBCASE("or else the first one in the evidence") {
    const Parsed p = parse(format_syslog(e, options())).value();
    CHECK(p.param("peer") == "rrc03-x");
    CHECK(p.param("new_path") == "3333 1103 20485 131279");
  }
}

TEST_CASE("RFC 5424 6.3.3: a type's own fields are further parameters, lists parted by blanks") {
  Event e = story();
  e.fields = {{"times", std::int64_t{3}},
              {"again", false},
              {"left_as", std::vector<Asn>{4837, 1103}},
              {"words", std::vector<std::string>{"x", "y"}},
              {"gone_at", testing::at("2017-10-01T09:00:00Z")},
              {"bad name=\"]", std::string("v")}};
  const Parsed p = parse(format_syslog(e, options())).value();
  CHECK(p.param("times") == "3");
  CHECK(p.param("again") == "false");
  CHECK(p.param("left_as") == "4837 1103");
  CHECK(p.param("words") == "x y");
  CHECK(p.param("gone_at") == "2017-10-01T09:00:00.000000Z");
  CHECK(p.param("bad_name___") == "v");
}

TEST_CASE("RFC 5424 6.3.3: quote, backslash and bracket are escaped, and nothing else") {
  Event e = story();
  e.evidence[0].new_path = R"(a"b\c]d[e'f)";
  const std::string line = format_syslog(e, options());
  CHECK(line.find(R"(new_path="a\"b\\c\]d[e'f")") != std::string::npos);
  CHECK(parse(line).value().param("new_path") == R"(a"b\c]d[e'f)");
}

TEST_CASE("RFC 5424: hostile values never leave their field") {
  std::string hostile;
  for (int c = 0; c < 256; ++c) hostile += static_cast<char>(c);
  for (const std::string& value :
       {hostile, std::string("\"] %LAPWING-0-X: fake\n<0>1 - - - - - -"), std::string("\\"),
        std::string("\xe2\x82"), std::string("\r\n"), std::string(3000, 'x')}) {
    Event e = story();
    e.type = value;
    e.evidence[0].peer = value;
    e.evidence[0].new_path = value;
    e.summary = value;
    e.fields = {{value, value}};
    SyslogOptions o = options();
    o.hostname = value;
    o.app_name = value;
    const std::string line = format_syslog(e, o);
    const auto p = parse(line);
    REQUIRE(p.has_value());
    CHECK(valid_utf8(line));
    CHECK(line.size() <= o.max_size);
    for (const char c : line) {
      CHECK(static_cast<unsigned char>(c) >= 0x20);
      CHECK(c != 0x7f);
    }
    std::string expected;
    append_printable(expected, value);
    if (value.size() < 1000) CHECK(p->param("new_path") == expected);
  }
}

TEST_CASE("RFC 5424 6.4: the BOM stands before a message that is not ASCII, and only there") {
  Event e = story();
  CHECK(format_syslog(e, options()).find("\xef\xbb\xbf") == std::string::npos);
  e.summary = "caf\xc3\xa9";
  CHECK(parse(format_syslog(e, options())).value().message ==
        "\xef\xbb\xbf%LAPWING-4-NEW_UPSTREAM: caf\xc3\xa9");
}

TEST_CASE("syslog: the size limit cuts the message, then whole parameters, never a code point") {
  Event e = story();
  e.summary.clear();
  for (int i = 0; i < 300; ++i) e.summary += "\xe2\x82\xac";
  e.fields = {{"one", std::string(100, '1')}, {"two", std::string(100, '2')}};
  const std::string whole = format_syslog(e, options());
  const auto all = parse(whole).value().params;
  for (std::size_t limit = 100; limit <= whole.size() + 2; ++limit) {
    SyslogOptions o = options();
    o.max_size = limit;
    const std::string line = format_syslog(e, o);
    const auto p = parse(line);
    REQUIRE(p.has_value());
    CHECK(line.size() <= limit);
    CHECK(valid_utf8(line));
    if (p->params.size() < all.size()) {  // the next one would not have fitted
      const auto& [name, value] = all[p->params.size()];
      CHECK(line.find(']') + 1 + name.size() + value.size() + 4 > limit - kMarkRoom);
    }
    if (limit >= whole.size() + kMarkRoom) CHECK(line == whole);
  }
}

TEST_CASE("syslog: no size cuts an element, and a repetition is marked within the size") {
  Event e = story();
  e.summary = std::string(300, 's');
  e.fields = {{"quoted", "\"]\\" + std::string(100, ']')}};
  for (const auto format : {SyslogFormat::kRfc5424, SyslogFormat::kRfc3164, SyslogFormat::kJson,
                            SyslogFormat::kCef}) {
    const bool json = format == SyslogFormat::kJson;
    for (std::size_t limit = json ? SyslogOptions::kMinJsonSize : SyslogOptions::kMinSize;
         limit < 1500; limit += 7) {
      SyslogOptions o = options();
      o.format = format;
      o.alarm = true;
      o.max_size = limit;
      std::string line = format_syslog(e, o, 2147483647);
      mark_repeated(line, o);
      CHECK(line.size() <= limit);
      CHECK(line.find("repeat") != std::string::npos);
      if (json)
        CHECK(boost::json::parse(line.substr(line.find('{'))).at("repeat").as_bool());
      if (format != SyslogFormat::kRfc5424) continue;
      const auto p = parse(line);
      REQUIRE(p.has_value());
      CHECK(p->sd_id == "lapwing@32473");
      CHECK(p->params.back() == std::pair<std::string, std::string>("repeat", "true"));
      REQUIRE(p->more.size() == (limit < 520 ? p->more.size() : 2));
      for (const auto& [id, params] : p->more) CHECK((id == "alarm" || id == "meta"));
    }
  }
}

TEST_CASE("RFC 5674 3: raise and clear are alarms of one resource, an update is none") {
  SyslogOptions o = options();
  o.alarm = true;
  Event e = story();
  const auto alarm = [&o](const Event& event) {
    const Parsed p = parse(format_syslog(event, o)).value();
    return p.more.empty() ? Parsed::Params{} : p.more[0].second;
  };
  CHECK(alarm(e) == Parsed::Params{{"resource", "AS131279 upstream AS20485"},
                                   {"probableCause", "unexpectedInformation"},
                                   {"perceivedSeverity", "warning"},
                                   {"eventType", "integrityViolation"},
                                   {"trendIndication", "moreSevere"}});
  e.action = Action::kClear;
  CHECK(alarm(e)[0].second == "AS131279 upstream AS20485");
  CHECK(alarm(e)[2].second == "cleared");
  CHECK(alarm(e)[4].second == "lessSevere");
  e.action = Action::kUpdate;
  CHECK(alarm(e).empty());
  e.action = Action::kRaise;
  e.severity = Severity::kAlert;
  CHECK(alarm(e)[2].second == "critical");
  e.severity = Severity::kNotice;
  CHECK(alarm(e)[2].second == "indeterminate");
  e.type = "peer-down";
  e.origin_as = e.upstream_as = std::nullopt;
  e.prefixes.clear();
  e.peers = {"edge\"1\xff"};
  CHECK(alarm(e)[0].second == "edge\"1\xef\xbf\xbd");
  CHECK(alarm(e)[1].second == "communicationsSubsystemFailure");
}

TEST_CASE("RFC 5424 7.3.1: the sequence is an element of its own, and can be left out") {
  SyslogOptions o = options();
  const Parsed p = parse(format_syslog(story(), o, 7)).value();
  REQUIRE(p.more.size() == 1);
  CHECK(p.more[0].first == "meta");
  CHECK(p.more[0].second == Parsed::Params{{"sequenceId", "7"}});
  o.sequence_id = false;
  CHECK(parse(format_syslog(story(), o, 7)).value().more.empty());
}

TEST_CASE("syslog: a mark of repetition stands in its place and changes nothing else") {
  SyslogOptions o = options();
  Event e = story();
  e.fields = {{"text", "a]\"\\b"}};
  std::string line = format_syslog(e, o, 1);
  const Parsed before = parse(line).value();
  mark_repeated(line, o);
  const Parsed after = parse(line).value();
  CHECK(after.params.size() == before.params.size() + 1);
  CHECK(after.param("repeat") == "true");
  CHECK(after.param("text") == "a]\"\\b");
  CHECK(after.more == before.more);
  CHECK(after.message == before.message);
  o.format = SyslogFormat::kCef;
  line = format_syslog(e, o);
  mark_repeated(line, o);
  CHECK(line.ends_with(" cs6Label=repeat cs6=true"));
  o.format = SyslogFormat::kRfc3164;
  line = format_syslog(e, o);
  mark_repeated(line, o);
  CHECK(line.ends_with("175.45.176.0/24 (repeat)"));
}

TEST_CASE("RFC 5424 6.2.4: the header of an empty configuration has nil values") {
  SyslogOptions o = options();
  o.hostname = "";
  o.app_name = "";
  o.process_id = "";
  CHECK(format_syslog(story(), o).find("Z - - - NEW_UPSTREAM [") != std::string::npos);
}

TEST_CASE("RFC 3164 4.1: local time without a year, tag with process id") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  SyslogOptions o = options();
  o.format = SyslogFormat::kRfc3164;
  CHECK(format_syslog(story(), o) ==
        "<188>Oct  1 09:07:51 bgp1.example.net lapwing[4711]: "
        "%LAPWING-4-NEW_UPSTREAM: AS131279 has a new upstream AS20485 for 175.45.176.0/24");
  o.max_size = 60;
  CHECK(format_syslog(story(), o).size() == 60 - kMarkRoom);
}

TEST_CASE("syslog json: the message is the event's JSON, and stays JSON under the size limit") {
  SyslogOptions o = options();
  o.format = SyslogFormat::kJson;
  Event e = story();
  const std::string head = "<188>1 2017-10-01T09:07:51.000000Z bgp1.example.net lapwing 4711 NEW_UPSTREAM - ";
  const std::string whole = format_syslog(e, o);
  REQUIRE(whole.starts_with(head + "{\"id\""));
  e.evidence.resize(10, e.evidence[0]);
  e.summary = std::string(1000, 's');
  o.max_size = 900;
  const std::string line = format_syslog(e, o);
  CHECK(line.size() <= 900);
  const auto value = boost::json::parse(line.substr(head.size()));
  CHECK(value.at("prefix_count").as_int64() == 1);
}

TEST_CASE("CEF: seven header fields, escaped; extension values escaped") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  SyslogOptions o = options();
  o.format = SyslogFormat::kCef;
  Event e = story();
  e.evidence[0].new_path = "a=b\\c|d";
  const std::string line = format_syslog(e, o);
  CHECK(line.starts_with("<188>Oct  1 09:07:51 bgp1.example.net "
                         "CEF:0|lapwing|lapwing|0.1.0|new-upstream|NEW_UPSTREAM|6|rt=1506848871000 "
                         "externalId=01010101010101010101010101010101 act=raise cat=new-upstream "));
  CHECK(line.find(" cn1Label=originAs cn1=131279 ") != std::string::npos);
  CHECK(line.find(R"(cs5=a\=b\\c|d )") != std::string::npos);
  CHECK(line.ends_with(" msg=AS131279 has a new upstream AS20485 for 175.45.176.0/24"));
  e.type = "a|b\\c";
  CHECK(format_syslog(e, o).find("|a\\|b\\\\c|A_B_C|") != std::string::npos);
}

TEST_CASE("syslog settings: wrong ones are noted with their key, right ones are taken") {
  Settings wrong;
  wrong.set("format", "rfc1");
  wrong.set("facility", "local8");
  wrong.set("max-size", std::int64_t{100});
  wrong.set("enterprise-number", std::int64_t{0});
  SyslogOptions::from_settings(wrong, {"lapwing", "1"}, 2048);
  CHECK(wrong.finish().size() == 4);
  Settings small;
  small.set("format", "json");
  small.set("max-size", std::int64_t{600});
  SyslogOptions::from_settings(small, {"lapwing", "1"}, 2048);
  REQUIRE(small.finish().size() == 1);
  CHECK(small.finish()[0].key == "max-size");
  Settings right;
  right.set("format", "cef");
  right.set("facility", "daemon");
  const SyslogOptions o = SyslogOptions::from_settings(right, {"lapwing", "1"}, 2048);
  CHECK(right.finish().empty());
  CHECK(o.format == SyslogFormat::kCef);
  CHECK(o.facility == 3);
  CHECK(o.app_name == "lapwing");
  CHECK(o.max_size == 2048);
}

}  // namespace
}  // namespace lapwing::sinks
