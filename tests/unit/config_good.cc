// What a good configuration gives.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "collector/config.h"
#include "tests/unit/config_testing.h"

using namespace lapwing;
using namespace lapwing::collector;
using lapwing::collector::test::kSpeaker;
using std::chrono::seconds;

namespace {

Config parse(const std::string& text) {
  std::vector<Diagnostic> diagnostics;
  auto config = parse_config(text, "t.toml", diagnostics);
  for (const Diagnostic& d : diagnostics)
    if (d.kind == DiagnosticKind::kError) FAIL_CHECK(format_diagnostic(d));
  REQUIRE(config);
  return *config;
}

constexpr const char* kDesign = R"(
[speaker]
local-as  = 64512
router-id = "192.0.2.10"
listen    = ["0.0.0.0:179", "[::]:179"]

[[neighbor]]
name     = "edge1"
address  = "192.0.2.1"          # or a prefix: dynamic neighbours
peer-as  = 64512

[storage]
path = "/var/lib/lapwing"

[watch]
origins  = [131279]
prefixes = ["203.0.113.0/24"]

[detector.new-upstream]
[detector.path-change]

[[sink.syslog]]
target   = "udp://127.0.0.1:514"   # udp, tcp, tls, unix:///dev/log
facility = "local7"

[[sink.jsonl]]
path = "/var/lib/lapwing/events.jsonl"

[http]
listen = ["127.0.0.1:8179", "unix:/run/lapwing/lapwing.sock"]
)";

bgp::NeighborConfig parse_neighbor(const std::string& keys) {
  return parse(std::string(kSpeaker) + "[[neighbor]]\nname = \"n\"\npeer-as = 64513\n" + keys)
      .neighbors.at(0);
}

}  // namespace

TEST_CASE("config: the example of the design is read whole, without a warning") {
  std::vector<Diagnostic> diagnostics;
  const auto config = parse_config(kDesign, "t.toml", diagnostics);
  CHECK(diagnostics.empty());
  REQUIRE(config);
  CHECK_EQ(config->speaker.local_as, 64512);
  CHECK_EQ(format_address(config->speaker.router_id), "192.0.2.10");
  REQUIRE(config->speaker.listen.size() == 2);
  CHECK((config->speaker.listen[0] == bgp::Endpoint{*parse_address("0.0.0.0"), 179, ""}));
  CHECK((config->speaker.listen[1] == bgp::Endpoint{*parse_address("::"), 179, ""}));
  REQUIRE(config->neighbors.size() == 1);
  bgp::NeighborConfig edge1;
  edge1.name = "edge1";
  edge1.address = *parse_address("192.0.2.1");
  edge1.peer_as = 64512;
  edge1.local_as = 64512;
  CHECK((config->neighbors[0] == edge1));
  CHECK_EQ(config->store.path.string(), "/var/lib/lapwing");
  CHECK((config->watch.origins == std::vector<Asn>{131279}));
  CHECK((config->watch.prefixes == std::vector<Prefix>{*parse_prefix("203.0.113.0/24")}));
  REQUIRE(config->detectors.size() == 2);
  CHECK_EQ(config->detectors[0].name, "new-upstream");
  CHECK_EQ(config->detectors[1].name, "path-change");
  REQUIRE(config->sinks.size() == 2);
  CHECK_EQ(config->sinks[0].name, "syslog");
  Settings syslog = config->sinks[0].settings;
  CHECK_EQ(syslog.text("target", ""), "udp://127.0.0.1:514");
  CHECK_EQ(syslog.text("facility", ""), "local7");
  CHECK(syslog.finish().empty());
  CHECK((config->sinks[0].positions.at("facility") == Position{24, 12}));
  CHECK_EQ(config->sinks[1].name, "jsonl");
  REQUIRE(config->http.listen.size() == 2);
  CHECK_EQ(format_http_listen(config->http.listen[0]), "127.0.0.1:8179");
  CHECK_EQ(format_http_listen(config->http.listen[1]), "unix:/run/lapwing/lapwing.sock");
  CHECK(config->http.token.empty());
}

TEST_CASE("config: the example that is installed is valid and has no warning") {
  std::vector<Diagnostic> diagnostics;
  const auto config = load_config(LAPWING_EXAMPLE_CONFIG, diagnostics);
  for (const Diagnostic& d : diagnostics) FAIL_CHECK(format_diagnostic(d));
  REQUIRE(config);
  CHECK_EQ(config->neighbors.size(), 2);
}

TEST_CASE("config: the example shows the defaults that the code has") {
  std::ifstream file(LAPWING_EXAMPLE_CONFIG);
  std::stringstream text;
  bool in_dynamic = false;
  for (std::string line; std::getline(file, line);) {
    in_dynamic = in_dynamic || line.starts_with("# [[neighbor]]");
    if (line.empty()) in_dynamic = false;
    const auto equals = line.find('=');
    const bool is_key = line.starts_with("# ") && equals != std::string::npos &&
                        line.find_first_not_of("abcdefghijklmnopqrstuvwxyz- ", 2) == equals;
    const bool special = line.starts_with("# role") || line.starts_with("# max-prefix") ||
                         line.starts_with("# token-file") || line.starts_with("# local-address") ||
                         line.starts_with("# tls-");
    if ((is_key && !special && !in_dynamic) || line == "# [record]" || line == "# [log]")
      line = line.substr(2);
    text << line << '\n';
  }
  std::vector<Diagnostic> diagnostics;
  const auto plain = load_config(LAPWING_EXAMPLE_CONFIG, diagnostics);
  const auto spelled = parse_config(text.str(), "example with its comments", diagnostics);
  for (const Diagnostic& d : diagnostics) FAIL_CHECK(format_diagnostic(d));
  REQUIRE(plain);
  REQUIRE(spelled);
  CHECK((plain->neighbors == spelled->neighbors));
  CHECK((plain->speaker == spelled->speaker));
  CHECK_EQ(plain->store.cache_bytes, spelled->store.cache_bytes);
  CHECK_EQ(plain->store.history_bytes, spelled->store.history_bytes);
  CHECK_EQ(plain->store.write_buffer_bytes, spelled->store.write_buffer_bytes);
  CHECK_EQ(plain->store.max_pending_bytes, spelled->store.max_pending_bytes);
  CHECK_EQ(plain->history_days, spelled->history_days);
  CHECK(plain->record.directory.empty());
  CHECK_EQ(spelled->record.directory, "/var/lib/lapwing/recording");
  CHECK(plain->record.rotate_every == spelled->record.rotate_every);
  CHECK_EQ(plain->record.rotate_size, spelled->record.rotate_size);
  CHECK_EQ(plain->record.queue_size, spelled->record.queue_size);
  CHECK_EQ(plain->record.gzip, spelled->record.gzip);
}

TEST_CASE("config: detector tables set or disable; `plugin` names one that is not built in") {
  LoadOptions options;
  options.detectors = {"new-upstream", "path-change"};
  std::vector<Diagnostic> diagnostics;
  const auto config = parse_config(std::string(kSpeaker) +
                                       "[detector.path-change]\nwindow = 3\n"
                                       "[detector.new-upstream]\nenabled = false\n"
                                       "[detector.mine]\nplugin = \"mine.so\"\n",
                                   "t.toml", diagnostics, options);
  REQUIRE(config);
  REQUIRE(config->detectors.size() == 2);
  CHECK_EQ(config->detectors[0].name, "path-change");
  CHECK_EQ(config->detectors[1].name, "mine");
  CHECK((config->disabled_detectors == std::vector<std::string>{"new-upstream"}));
}

TEST_CASE("config: where nothing is said the defaults hold") {
  const Config config = parse(kSpeaker);
  REQUIRE(config.speaker.listen.size() == 2);
  CHECK_EQ(config.speaker.listen[0].port, 179);
  CHECK((config.speaker.listen[1].address == *parse_address("::")));
  CHECK_EQ(config.store.path.string(), "/var/lib/lapwing");
  REQUIRE(config.http.listen.size() == 1);
  CHECK_EQ(config.http.listen[0].unix_path, "/run/lapwing/lapwing.sock");
  CHECK(parse(std::string(kSpeaker) + "listen = []\n").speaker.listen.empty());
  CHECK(parse(std::string(kSpeaker) + "[http]\nlisten = []\n").http.listen.empty());
}

TEST_CASE("config: every key of a neighbour reaches its place") {
  bgp::NeighborConfig wanted;
  wanted.name = "n";
  wanted.address = *parse_address("2001:db8::1");
  wanted.peer_as = 64513;
  wanted.local_as = 64999;
  wanted.port = 1179;
  wanted.local_address = *parse_address("2001:db8::2");
  wanted.passive = true;
  wanted.enabled = false;
  wanted.hold_time = 180;
  wanted.connect_retry = seconds(30);
  wanted.quiet_period = seconds(300);
  wanted.password = "s3cret";
  wanted.tcp_ao = bgp::TcpAo{bgp::TcpAo::Algorithm::kAes128Cmac, 7, 255};
  wanted.ttl_security = true;
  wanted.multihop = 3;
  wanted.families = {kIpv6Unicast, kIpv4Unicast};
  wanted.add_path = {kIpv6Unicast};
  wanted.extended_messages = false;
  wanted.role = bgp::Role::kRouteServerClient;
  wanted.max_prefix = bgp::MaxPrefix{1000, 75, true, {{kIpv6Unicast, 400}}};
  wanted.max_attributes = 3u << 20;
  wanted.description = "Zürich";
  const auto found = parse_neighbor(
      "address = \"2001:db8::1\"\nlocal-as = 64999\nport = 1179\n"
      "local-address = \"2001:db8::2\"\npassive = true\nenabled = false\nhold-time = \"3m\"\n"
      "connect-retry = 30\nquiet-period = \"5m\"\npassword = \"s3cret\"\nttl-security = true\n"
      "authentication = \"tcp-ao\"\nao-send-id = 7\nao-receive-id = 255\n"
      "ao-algorithm = \"aes-128-cmac-96\"\n"
      "multihop = 3\nfamilies = [\"ipv6-unicast\", \"ipv4-unicast\"]\n"
      "add-path = [\"ipv6-unicast\"]\nextended-messages = false\nrole = \"rs-client\"\n"
      "max-prefix = { limit = 1000, ipv6-unicast = 400, warn-percent = 75, "
      "action = \"shutdown\" }\n"
      "max-attributes = \"3MiB\"\ndescription = \"Zürich\"\n");
  CHECK((found == wanted));
}

TEST_CASE("config: an address can be a link-local one or a prefix") {
  const auto local = parse_neighbor("address = \"fe80::1%eth0\"");
  CHECK_EQ(format_address(local.address), "fe80::1");
  CHECK_EQ(local.scope, "eth0");
  const auto range =
      parse_neighbor("address = \"198.51.100.0/24\"\ndynamic-limit = 7\npassword = \"x\"");
  REQUIRE(range.range);
  CHECK_EQ(format_prefix(*range.range), "198.51.100.0/24");
  CHECK(range.passive);
  CHECK_EQ(range.dynamic_limit, 7);
}

TEST_CASE("config: short forms of max-prefix and add-path") {
  const auto n = parse_neighbor("address = \"192.0.2.1\"\nmax-prefix = 5\nadd-path = true");
  CHECK((n.max_prefix == bgp::MaxPrefix{5, 80, false, {}}));
  CHECK((n.add_path == n.families));
  CHECK(parse_neighbor("address = \"192.0.2.1\"\nadd-path = false").add_path.empty());
}

TEST_CASE("config: route servers, storage and token reach their place") {
  const Config config = parse(std::string(kSpeaker) +
                              "route-server-as = [6695, 24115]\n[storage]\ncache-size = \"64MiB\"\n"
                              "write-buffer = 4194304\nmax-pending = \"1GB\"\nhistory-days = 7\n"
                              "event-limit = 9\nevent-days = 8\nevent-budget = \"32MiB\"\n"
                              "sync-interval = \"30s\"\n"
                              "[http]\ntoken = \"t0ken\"\n");
  CHECK((config.route_server_ases == std::vector<Asn>{6695, 24115}));
  CHECK_EQ(config.store.cache_bytes, 64u << 20);
  CHECK_EQ(config.store.write_buffer_bytes, 4194304);
  CHECK_EQ(config.store.max_pending_bytes, 1000000000);
  CHECK_EQ(config.history_days, 7);
  CHECK_EQ(config.store.event_limit, 9);
  CHECK_EQ(config.store.event_days, 8);
  CHECK_EQ(config.store.event_budget, 32u << 20);
  CHECK_EQ(config.store.sync_interval, std::chrono::seconds(30));
  CHECK_EQ(config.http.token, "t0ken");
}

TEST_CASE("config: settings keep their types for the consumer that checks them") {
  const Config config = parse(
      std::string(kSpeaker) +
      "[detector.x]\nb = true\ni = 5\nd = 1.5\nt = \"a\"\nis = [1, 2]\nts "
      "= [\"a\"]\nnone = []\ngs = [[1, 2], [], [3]]\n[[sink.syslog]]\n[[sink.jsonl]]\nenabled = "
      "false\n[[sink.syslog]]\nq = 1\n");
  Settings s = config.detectors.at(0).settings;
  CHECK(s.boolean("b", false));
  CHECK_EQ(s.integer("i", 0, 0, 9), 5);
  CHECK_EQ(s.text("t", ""), "a");
  CHECK((s.integers("is", {}) == std::vector<std::int64_t>{1, 2}));
  CHECK((s.texts("ts", {}) == std::vector<std::string>{"a"}));
  CHECK(s.integers("none", {7}).empty());
  CHECK(s.groups("none", {{7}}).empty());
  CHECK((s.groups("gs", {}) == std::vector<std::vector<std::int64_t>>{{1, 2}, {}, {3}}));
  CHECK(s.has("d"));
  REQUIRE(config.sinks.size() == 2);
  CHECK((config.sinks[0].at < config.sinks[1].at));
  CHECK(config.sinks[1].settings.has("q"));
}

TEST_CASE("config: routes of removed neighbours are kept a day, or as long as one says") {
  CHECK_EQ(parse(kSpeaker).keep_removed, seconds(86400));
  CHECK_EQ(parse(std::string(kSpeaker) + "[storage]\nkeep-removed = \"2h\"\n").keep_removed,
           seconds(7200));
  CHECK_EQ(parse(std::string(kSpeaker) + "[storage]\nkeep-removed = 0\n").keep_removed, seconds(0));
}
