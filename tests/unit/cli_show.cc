// Tables, as they stand on the terminal.
#include "collector/show.h"

#include <doctest/doctest.h>

#include <string>

#include "collector/show_table.h"
#include "tests/unit/repeat.h"

using namespace lapwing;
using namespace lapwing::collector;

namespace {

Screen screen(unsigned width = 0) { return {width, *parse_rfc3339("2017-10-01T12:00:00Z")}; }

constexpr const char* kPeer =
    R"({"name":"edge1","address":"192.0.2.1","port":179,"as":64512,"local_as":64513,)"
    R"("description":"Frankfurt, first router","state":"Established",)"
    R"("since":"2017-10-01T09:07:51.000000Z","last_heard":"2017-10-01T11:59:58.000000Z",)"
    R"("router_id":"192.0.2.1","hold_time":90,"families":["ipv4-unicast","ipv6-unicast"],)"
    R"("capabilities":["4-octet AS","route refresh"],"routes":1200000,"stale":0,)"
    R"("updates_received":275068,"messages_received":275090,"messages_sent":122,"malformed":3,)"
    R"("established":2,"last_error":"hold timer expired","enabled":true})";

constexpr const char* kIdle =
    R"({"name":"e2","address":"2001:db8::1","as":4200000000,"state":"Idle","since":null,)"
    R"("routes":0,"stale":0,"updates_received":0,"description":"","enabled":false})";

std::string peers() { return std::string("{\"peers\":[") + kPeer + ',' + kIdle + "]}"; }

}  // namespace

TEST_CASE("show peers: one line each, numbers to the right, the description last") {
  CHECK_EQ(show_peers(peers(), screen()).value_or(""),
           "Neighbour  Address              AS  State          For   Routes  Stale  Updates  "
           "Description\n"
           "edge1      192.0.2.1         64512  Established  2h52m  1200000      0   275068  "
           "Frankfurt, first router\n"
           "e2         2001:db8::1  4200000000  disabled         -        0      0        0  -\n");
}

TEST_CASE("show peers: the description gives way on a narrow terminal, nothing else does") {
  CHECK_EQ(show_peers(peers(), screen(95)).value_or(""),
           "Neighbour  Address              AS  State          For   Routes  Stale  Updates  "
           "Description\n"
           "edge1      192.0.2.1         64512  Established  2h52m  1200000      0   275068  "
           "Frankfurt, fi…\n"
           "e2         2001:db8::1  4200000000  disabled         -        0      0        0  -\n");
}

TEST_CASE("show peer: everything that is known of one neighbour") {
  CHECK_EQ(show_peer(kPeer, screen()).value_or(""),
           "Neighbour          edge1\n"
           "Description        Frankfurt, first router\n"
           "Address            192.0.2.1 port 179\n"
           "AS                 64512, ours 64513\n"
           "State              Established for 2h52m\n"
           "Since              2017-10-01 09:07:51Z\n"
           "Last heard         2017-10-01 11:59:58Z\n"
           "Router ID          192.0.2.1\n"
           "Hold time          90 s\n"
           "Families           ipv4-unicast ipv6-unicast\n"
           "Capabilities       4-octet AS\n"
           "                   route refresh\n"
           "Routes             1200000, stale 0\n"
           "Messages           275090 received, 122 sent\n"
           "Updates            275068 received, 3 malformed\n"
           "Established        2 times\n"
           "Last error         hold timer expired\n");
}

TEST_CASE("show status: the collector in a few lines") {
  CHECK_EQ(
      show_status(R"({"version":"0.1.0","uptime_seconds":93784,"ready":true,"peers_up":2,)"
                  R"("peers_configured":3,"routes":1200000,"prefixes":900000,"paths":227428,)"
                  R"("store_pending":0,"events":7,"store_errors":1,)"
                  R"("store_error":"No space left on device","sinks":[{"name":"syslog:udp://h",)"
                  R"("state":"up","cursor":7}]})")
          .value_or(""),
      "Version            0.1.0\n"
      "Uptime             1d02h\n"
      "Ready              yes\n"
      "Neighbours up      2 of 3\n"
      "Routes             1200000\n"
      "Prefixes           900000\n"
      "Paths              227428\n"
      "Not yet on disk    0\n"
      "Events             7\n"
      "Storage errors     1\n"
      "Last storage error No space left on device\n"
      "Sink               syslog:udp://h, up, at event 7\n");
}

TEST_CASE("show sinks: cursor, lag, retries, losses and the last error fit a terminal") {
  const std::string body =
      R"({"sinks":[{"name":"syslog:udp://127.0.0.1:514","state":"up","cursor":1234567,)"
      R"("waiting":0,"delivered":3,"retries":0,"repeated":0,"lost":0,"lag_seconds":0,)"
      R"("last_error":""},{"name":"syslog:tls://a.very.long.name.of.a.receiver.example.net:6514",)"
      R"("state":"failed: certificate has expired","cursor":1230000,"waiting":4567,"delivered":0,)"
      R"("retries":17,"repeated":0,"lost":12,"lag_seconds":125,)"
      R"("last_error":"certificate has expired\u001b[2J"}]})";
  CHECK_EQ(show_sinks(body, {80, {}}).value_or(""),
           "Sink                             State   At event  Waiting    For  Retries  Lost\n"
           "syslog:udp://127.0.0.1:514       up       1234567        0      -        0     0\n"
           "syslog:tls://a.very.long.name.…  failed   1230000     4567  2m05s       17    12\n"
           "  last error: certificate has expired?[2J\n");
  CHECK_EQ(show_sinks(R"({"sinks":[{"name":"old"}]})", screen()).value_or(""),
           "Sink  State  At event  Waiting  For  Retries  Lost\n"
           "old   -             -        -    -        -     -\n");
}

TEST_CASE("show route: prefix, path identifier and RD, stale routes marked") {
  CHECK_EQ(show_routes(
               R"({"routes":[{"prefix":"175.45.176.0/24","peer":"rrc03-x","next_hop":"192.0.2.1",)"
               R"("as_path":"3333 1103 20485 131279","since":"2017-10-01T09:07:51.000000Z",)"
               R"("stale":false},{"prefix":"10.0.0.0/8","rd":"64512:1","path_id":7,"peer":"e",)"
               R"("next_hop":"192.0.2.2","as_path":"","since":"2017-10-01T11:59:00.000000Z",)"
               R"("stale":true}],"truncated":true})",
               screen())
               .value_or(""),
           "Prefix                 Neighbour    Age         Next hop   AS path\n"
           "175.45.176.0/24        rrc03-x    2h52m         192.0.2.1  3333 1103 20485 131279\n"
           "64512:1 10.0.0.0/8 #7  e          1m00s  stale  192.0.2.2  (empty)\n"
           "There are more routes; see --limit.\n");
}

TEST_CASE("show upstreams: when each was active, and who shows it") {
  CHECK_EQ(
      show_upstreams(
          R"([{"as":4837,"first_seen":"2010-12-01T00:00:00Z","last_seen":)"
          R"("2017-10-01T11:00:00Z","active":true,"prefixes":4,"peers":["edge1","edge2"],)"
          R"("activations":1,"intervals":[{"from":"2010-12-01T00:00:00Z","to":null}]},)"
          R"({"as":20485,"first_seen":"2017-10-01T09:07:51Z","last_seen":)"
          R"("2017-10-02T07:56:39Z","active":false,"prefixes":0,"peers":[],"activations":2,)"
          R"("intervals":[{"from":"2017-10-01T09:07:51Z","to":"2017-10-01T10:14:45Z"},)"
          R"({"from":"2017-10-01T12:21:55Z","to":"2017-10-02T07:56:39Z","gaps":3}]}])",
          screen())
          .value_or(""),
      "Upstream  Active  Prefixes  Times  First seen            Last seen             Neighbours\n"
      "  AS4837  yes            4      1  2010-12-01 00:00:00Z  2017-10-01 11:00:00Z  edge1 edge2\n"
      " AS20485  no             0      2  2017-10-01 09:07:51Z  2017-10-02 07:56:39Z  -\n"
      "\n"
      "Upstream  Active from           To                       For  Gaps\n"
      "  AS4837  2010-12-01 00:00:00Z  still                  2496d     -\n"
      " AS20485  2017-10-01 09:07:51Z  2017-10-01 10:14:45Z   1h06m     -\n"
      " AS20485  2017-10-01 12:21:55Z  2017-10-02 07:56:39Z  19h34m     3\n");
}

TEST_CASE("show upstreams: what nobody who is heard shows is unobserved, not gone") {
  const std::string text = *show_upstreams(
      R"([{"as":4837,"first_seen":"2010-12-01T00:00:00Z","last_seen":"2017-10-01T11:00:00Z",)"
      R"("active":true,"unobserved":true,"prefixes":4,"peers":["edge1"],"activations":1,)"
      R"("intervals":[{"from":"2010-12-01T00:00:00Z","to":null}]}])",
      screen());
  CHECK(text.find("  AS4837  unobserved         4 ") != std::string::npos);
}

TEST_CASE("show upstreams: prefixes as a number or as a list") {
  CHECK_EQ(
      show_upstreams(
          R"({"origin":131279,"upstreams":[{"as":4837,"first_seen":"2010-12-01T00:00:00Z",)"
          R"("last_seen":"2017-10-01T11:00:00Z","active":true,"prefixes":4,"activations":1},)"
          R"({"as":20485,"first_seen":"2017-10-01T09:07:51Z","last_seen":)"
          R"("2017-10-01T10:14:45Z","active":false,"prefixes":["a","b","c"]}]})",
          screen())
          .value_or(""),
      "Upstream  Active  Prefixes  Times  First seen            Last seen             Neighbours\n"
      "  AS4837  yes            4      1  2010-12-01 00:00:00Z  2017-10-01 11:00:00Z  -\n"
      " AS20485  no             3      -  2017-10-01 09:07:51Z  2017-10-01 10:14:45Z  -\n");
}

TEST_CASE("show upstreams: a bare list, as the detector gives it, is read too") {
  CHECK_EQ(show_upstreams(R"([{"as":4837,"active":true,"prefixes":4}])", screen()).value_or(""),
           "Upstream  Active  Prefixes  Times  First seen  Last seen  Neighbours\n"
           "  AS4837  yes            4      -  -           -          -\n");
  CHECK(is_empty_answer("[]", "upstreams"));
  CHECK(is_empty_answer("{\"upstreams\":[]}", "upstreams"));
  CHECK_FALSE(is_empty_answer("{\"upstreams\":[1]}", "upstreams"));
  CHECK_FALSE(is_empty_answer("{}", "upstreams"));
}

TEST_CASE("show events: number, time, what and about whom") {
  CHECK_EQ(
      show_events(R"({"events":[{"number":12,"time":"2017-10-01T09:07:51.000000Z",)"
                  R"("severity":"warning","type":"new-upstream","action":"raise",)"
                  R"("origin_as":131279,"upstream_as":20485,"summary":"AS131279 has a new one"},)"
                  R"({"number":13,"time":"2017-10-01T09:08:00.000000Z","severity":"notice",)"
                  R"("type":"peer-down","action":"raise","summary":"edge1 is down"}],"last":13})",
                  screen(100))
          .value_or(""),
      "Number  Time                  Severity  Type          Action  Subject             Summary\n"
      "    12  2017-10-01 09:07:51Z  warning   new-upstream  raise   AS131279 < AS20485  AS131279 "
      "has a ne…\n"
      "    13  2017-10-01 09:08:00Z  notice    peer-down     raise   -                   edge1 is "
      "down\n");
}

TEST_CASE("show suppressed: how many by rule, and the last ones") {
  const char* body = R"({"rules":[{"rule":"core upgrade","count":12},{"rule":"storm-limit","count":3}],
    "events":[{"time":"2017-10-01T09:07:51.000000Z","rule":"core upgrade","type":"new-upstream",
      "id":"00","summary":"AS131279 has a new upstream AS20485"}]})";
  CHECK_EQ(*show_suppressed(body, screen()),
           "Rule          Suppressed\n"
           "core upgrade          12\n"
           "storm-limit            3\n"
           "\n"
           "Time                  Rule          Type          Summary\n"
           "2017-10-01 09:07:51Z  core upgrade  new-upstream  AS131279 has a new upstream AS20485\n");
  CHECK(show_suppressed(R"({"rules":[]})", screen()) == std::nullopt);
}

TEST_CASE("show: what came from the network cannot drive the terminal") {
  const auto text = show_peers(
      "{\"peers\":[{\"name\":\"a\",\"description\":\"\\u001b[2Jx\\u009b31m\\u202ey\\n\"}]}",
      screen());
  REQUIRE(text);
  CHECK(text->find("?[2Jx?31m?y?") != std::string::npos);
  CHECK(text->find('\x1b') == std::string::npos);
  CHECK_EQ(show_event_line("{\"type\":\"x\",\"summary\":\"a\\nb\"}").value_or(""),
           "- -         x -: a?b\n");
}

TEST_CASE("show: members that are missing or of another type are shown, not trusted") {
  CHECK(show_peers("{\"peers\":[{}]}", screen()));
  CHECK(show_peers("{\"peers\":[{\"name\":5,\"as\":\"x\",\"since\":7,\"enabled\":\"no\"}]}",
                   screen()));
  CHECK(show_status("{\"uptime_seconds\":1e300}"));
  CHECK_FALSE(show_peer("{}", screen()));
  CHECK_FALSE(show_routes("{\"routes\":{}}", screen()));
  CHECK_FALSE(show_events("{\"events\":[[]]}", screen()));
  CHECK_FALSE(show_status("[]"));
  CHECK_FALSE(show_status(repeat(100000, '[')));
  CHECK_FALSE(show_event_line("5"));
}

TEST_CASE("age: two units at most, and never negative") {
  using std::chrono::seconds;
  CHECK_EQ(format_age(seconds(0)), "0s");
  CHECK_EQ(format_age(seconds(59)), "59s");
  CHECK_EQ(format_age(seconds(725)), "12m05s");
  CHECK_EQ(format_age(seconds(3600)), "1h00m");
  CHECK_EQ(format_age(seconds(86399)), "23h59m");
  CHECK_EQ(format_age(seconds(2 * 86400 + 4 * 3600)), "2d04h");
  CHECK_EQ(format_age(seconds(412 * 86400)), "412d");
  CHECK_EQ(format_age(seconds(-5)), "0s");
}

TEST_CASE("table: width counts characters, and a cut never divides one") {
  Table table;
  table.add_column("Name", Table::Align::kLeft, true);
  table.add_column("N", Table::Align::kRight);
  table.add_row({"ZürichZürichZürich", "7"});
  CHECK_EQ(table.render(0), "Name                N\nZürichZürichZürich  7\n");
  CHECK_EQ(table.render(13), "Name        N\nZürichZür…  7\n");
  CHECK_EQ(table.render(1), "Name      N\nZürichZ…  7\n");
}
