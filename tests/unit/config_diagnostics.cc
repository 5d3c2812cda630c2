// Every fault of a configuration is named with its exact place and with what was expected.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "collector/config.h"
#include "tests/unit/config_testing.h"
#include "tests/unit/repeat.h"
#include "tests/unit/temp_dir.h"

using namespace lapwing;
using namespace lapwing::collector;
using lapwing::collector::test::kSpeaker;

namespace {

using Lines = std::vector<std::string>;

// What comes before and after the table under test, so that it stands alone in the diagnostics.
constexpr const char* kRest = "\n[[sink.syslog]]\n";

Lines diagnose(const std::string& text, const LoadOptions& options = {}) {
  std::vector<Diagnostic> diagnostics;
  const auto config = parse_config(text, "t.toml", diagnostics, options);
  CHECK(config.has_value() != has_errors(diagnostics));
  Lines lines;
  for (const Diagnostic& d : diagnostics) lines.push_back(format_diagnostic(d));
  return lines;
}

// Of `keys` in a [[neighbor]] whose first key is in line 5; name, address and peer-as are given.
Lines diagnose_neighbor(const std::string& keys) {
  return diagnose(std::string(kSpeaker) + "[[neighbor]]\n" + keys +
                  "\nname = \"n\"\naddress = \"192.0.2.1\"\npeer-as = 64513" + kRest);
}

// Of an address, in line 7.
Lines diagnose_address(const std::string& address, const std::string& more = "") {
  return diagnose(std::string(kSpeaker) +
                  "[[neighbor]]\nname = \"n\"\npeer-as = 64513\naddress = " + address + "\n" +
                  more + kRest);
}

// Of [storage], [watch] and the like, whose first key is in line 8.
Lines diagnose_table(const std::string& table) {
  return diagnose("[[neighbor]]\nname=\"n\"\naddress=\"192.0.2.1\"\npeer-as=1\n" +
                  std::string(kSpeaker).insert(9, " ") + table + "\n" + kRest);
}

void check(const Lines& found, const Lines& wanted) {
  CHECK(found.size() == wanted.size());
  for (std::size_t i = 0; i < std::max(found.size(), wanted.size()); ++i)
    CHECK_EQ(i < found.size() ? found[i] : "nothing", i < wanted.size() ? wanted[i] : "nothing");
}

/// A directory with one file in it, gone afterwards.
class SecretFile {
 public:
  SecretFile(const std::string& text, mode_t mode) {
    std::ofstream(path()) << text;
    ::chmod(path().c_str(), mode);
  }
  std::string path() const { return directory_.file("key"); }
  std::string config() const { return directory_.file("t.toml"); }
  std::string directory() const { return directory_.path(); }

 private:
  lapwing::test::TempDir directory_;
};

}  // namespace

TEST_CASE("config: text that is not TOML is named with its place") {
  check(diagnose("[speaker\n"),
        {"t.toml:1:9: error: not valid TOML: Error while parsing table header: expected ']', saw "
         "'\\n'"});
  check(diagnose("[a]\nx = 1\nx = 2\n"),
        {"t.toml:3:5: error: not valid TOML: Error while parsing key-value pair: cannot redefine "
         "existing integer 'x'"});
  check(diagnose("\xff\xfe"),
        {"t.toml:1:1: error: not valid TOML: Encountered invalid utf-8 sequence"});
}

TEST_CASE("config: a syntax error in a line with a secret does not show the line") {
  check(diagnose("password = hunter2secret\n"),
        {"t.toml:1:12: error: not valid TOML: the value cannot be read; a string stands in quotes "
         "(not shown: it may be secret)"});
}

TEST_CASE("config: a file that cannot be read is named with the reason") {
  std::vector<Diagnostic> diagnostics;
  CHECK_FALSE(load_config("/nonexistent/lapwing.toml", diagnostics));
  REQUIRE(diagnostics.size() == 1);
  CHECK_EQ(format_diagnostic(diagnostics[0]),
           "/nonexistent/lapwing.toml: error: cannot read: No such file or directory");
}

TEST_CASE("config: top-level tables of the wrong kind") {
  check(diagnose("neighbor = 3\nspeaker = 3\nsink = []\ndetector = 3\nstorage = 1\n"),
        {"t.toml:1:12: error: a neighbour is a table of an array: write [[neighbor]]",
         "t.toml:2:11: error: \"speaker\" must be one table: write [speaker]",
         "t.toml:3:8: error: \"sink\" must be one table: write [sink]",
         "t.toml:4:12: error: \"detector\" must be one table: write [detector]",
         "t.toml:5:11: error: \"storage\" must be one table: write [storage]"});
  check(diagnose(std::string(kSpeaker) + "[neighbor]\nname = \"n\"" + kRest),
        {"t.toml:4:1: error: a neighbour is a table of an array: write [[neighbor]]"});
}

TEST_CASE("config: an unknown table gets the nearest known one, or all of them") {
  check(diagnose_table("[htp]"),
        {"t.toml:8:2: error: unknown key \"htp\"; did you mean \"http\"?"});
  check(diagnose_table("[kafka-things]"),
        {"t.toml:8:2: error: unknown key \"kafka-things\"; known here: detector, http, log, "
         "neighbor, record, sink, speaker, storage, suppress, watch"});
}

TEST_CASE("config: [[suppress]] is an array of tables with names of their own") {
  check(diagnose_table("[suppress]\nname = \"a\""),
        {"t.toml:8:1: error: a rule is a table: write [[suppress]]"});
  check(diagnose_table("[[suppress]]\nname = \"a\"\n[[suppress]]\nname = \"a\""),
        {"t.toml:10:1: error: two [[suppress]] rules have the same \"name\""});
}

TEST_CASE("config: an unknown key of any table gets the nearest known one") {
  check(diagnose_neighbor("hold-tme = 90"),
        {"t.toml:5:1: error: unknown key \"hold-tme\"; did you mean \"hold-time\"?"});
  check(diagnose_neighbor("max-prefix = { limit = 5, warn-percnt = 5 }"),
        {"t.toml:5:27: error: unknown key \"warn-percnt\"; did you mean \"warn-percent\"?"});
  check(diagnose_table("[storage]\ncachesize = 1"),
        {"t.toml:9:1: error: unknown key \"cachesize\"; did you mean \"cache-size\"?"});
  check(diagnose_table("[watch]\n  orgins = [1]"),
        {"t.toml:9:3: error: unknown key \"orgins\"; did you mean \"origins\"?"});
  check(diagnose_table("[http]\nlisen = []"),
        {"t.toml:9:1: error: unknown key \"lisen\"; did you mean \"listen\"?"});
  check(diagnose("[[neighbor]]\nname=\"n\"\naddress=\"192.0.2.1\"\npeer-as=1\n[speaker]\nlocal-as "
                 "= 1\nrouter-id = \"192.0.2.1\"\nlcoal-as = 5" +
                 std::string(kRest)),
        {"t.toml:8:1: error: unknown key \"lcoal-as\"; did you mean \"local-as\"?"});
}

TEST_CASE("config: [speaker] needs its keys, and they must make sense") {
  check(diagnose("[[neighbor]]\nname=\"n\"\naddress=\"192.0.2.1\"\npeer-as=1" + std::string(kRest)),
        {"t.toml:1:1: error: needs a table [speaker] with local-as and router-id"});
  check(diagnose("[[neighbor]]\nname=\"n\"\naddress=\"192.0.2.1\"\npeer-as=1\n[speaker]" +
                 std::string(kRest)),
        {"t.toml:5:1: error: [speaker] needs \"local-as\": the AS number of this collector",
         "t.toml:5:1: error: [speaker] needs \"router-id\": an IPv4 address other than 0.0.0.0 "
         "(RFC 6286)"});
  check(diagnose("[[neighbor]]\nname=\"n\"\naddress=\"192.0.2.1\"\npeer-as=1\n[speaker]\nlocal-as "
                 "= 0\nrouter-id = \"0.0.0.0\"" +
                 std::string(kRest)),
        {"t.toml:6:12: error: \"local-as\" must be an AS number from 1 to 4294967295, not 0",
         "t.toml:7:13: error: \"router-id\" must be an IPv4 address other than 0.0.0.0 (RFC 6286), "
         "not \"0.0.0.0\""});
  check(diagnose("[[neighbor]]\nname=\"n\"\naddress=\"192.0.2.1\"\npeer-as=1\n[speaker]\nlocal-as "
                 "= \"64512\"\nrouter-id = \"2001:db8::1\"" +
                 std::string(kRest)),
        {"t.toml:6:12: error: \"local-as\" must be an AS number from 1 to 4294967295, not "
         "\"64512\"",
         "t.toml:7:13: error: \"router-id\" must be an IPv4 address other than 0.0.0.0 (RFC 6286), "
         "not \"2001:db8::1\""});
}

TEST_CASE("config: listen takes usable addresses only, each once") {
  const std::string wanted =
      "error: \"listen\" must be an array of addresses with their ports such as "
      "\"0.0.0.0:179\" or \"[::]:179\", not ";
  const auto listen = [](const std::string& value) {
    return diagnose(kSpeaker + ("listen = " + value) +
                    "\n[[neighbor]]\nname=\"n\"\naddress=\"192.0.2.1\"\npeer-as=1" + kRest);
  };
  check(listen("[\"0.0.0.0:0\"]"), {"t.toml:4:11: " + wanted + "\"0.0.0.0:0\""});
  check(listen("[\"localhost:179\"]"), {"t.toml:4:11: " + wanted + "\"localhost:179\""});
  check(listen("[\":179\"]"), {"t.toml:4:11: " + wanted + "\":179\""});
  check(listen("[\"224.0.0.1:179\"]"), {"t.toml:4:11: " + wanted + "\"224.0.0.1:179\""});
  check(listen("[\"[fe80::1]:179\"]"), {"t.toml:4:11: " + wanted + "\"[fe80::1]:179\""});
  check(listen("[7]"), {"t.toml:4:11: " + wanted + "7"});
  check(listen("\"0.0.0.0:179\""), {"t.toml:4:10: " + wanted + "\"0.0.0.0:179\""});
  check(listen("[\"[::]:179\", \"[::]:179\"]"),
        {"t.toml:4:23: error: \"listen\" has [::]:179 twice"});
}

TEST_CASE("config: a neighbour needs name, address and peer-as") {
  check(diagnose(std::string(kSpeaker) + "[[neighbor]]" + kRest),
        {"t.toml:4:1: error: [[neighbor]] needs \"name\": its identity over the years, such as "
         "\"edge1\"",
         "t.toml:4:1: error: [[neighbor]] needs \"address\": an address (link-local with its "
         "interface, \"fe80::1%eth0\"), or a prefix for dynamic neighbours",
         "t.toml:4:1: error: [[neighbor]] needs \"peer-as\": the neighbour's AS number"});
}

TEST_CASE("config: a neighbour's name is printable, not empty, and its own") {
  const auto name = [](const std::string& value) {
    return diagnose(std::string(kSpeaker) +
                    "[[neighbor]]\naddress = \"192.0.2.1\"\npeer-as = 1\nname = " + value + kRest);
  };
  const std::string wanted =
      "t.toml:7:8: error: \"name\" must be 1 to 64 printable ASCII characters, no blank at either "
      "end, not ";
  check(name("\"\""), {wanted + "\"\""});
  check(name("\" a\""), {wanted + "\" a\""});
  check(name("\"a\\tb\""), {wanted + "a string"});
  check(name("\"a\\u0007\""), {wanted + "a string"});
  check(name("\"a\\u009b31m\""), {wanted + "a string"});
  check(name("\"z\xc3\xbcrich\""), {wanted + "\"z\xc3\xbcrich\""});
  check(name("\"" + repeat(65, 'x') + "\""), {wanted + "a string"});
  check(name("5"), {wanted + "5"});
  check(diagnose(std::string(kSpeaker) +
                 "[[neighbor]]\nname = \"a\"\naddress = \"192.0.2.1\"\npeer-as = 1\n"
                 "[[neighbor]]\nname = \"a\"\naddress = \"192.0.2.2\"\npeer-as = 1" +
                 kRest),
        {"t.toml:9:8: error: the name \"a\" is taken already, in line 5"});
}

TEST_CASE("config: a neighbour's address is that of one host, and its own") {
  const std::string wanted =
      "t.toml:7:11: error: \"address\" must be an address (link-local with its interface, "
      "\"fe80::1%eth0\"), or a prefix for dynamic neighbours, not ";
  for (const std::string bad :
       {"\"\"", "\"0.0.0.0\"", "\"::\"", "\"224.0.0.1\"", "\"ff02::1\"", "\"255.255.255.255\"",
        "\"::ffff:192.0.2.1\"", "\"fe80::1\"", "\"2001:db8::1%eth0\"", "\"fe80::1%\"",
        "\"fe80::1%interface-name-too-long\"", "\"edge1.example.net\"", "\"192.0.2.0/33\"",
        "\"192.0.2.0/\"", "\"fe80::/64\"", "5"}) {
    CAPTURE(bad);
    check(diagnose_address(bad), {wanted + bad});
  }
  check(diagnose_address("\"192.0.2.1/24\"", "password = \"x\""),
        {"t.toml:7:11: error: \"192.0.2.1/24\" has bits set beyond its length; the prefix is "
         "\"192.0.2.0/24\""});
  check(diagnose_address("\"192.0.2.1\"",
                         "[[neighbor]]\nname = \"b\"\naddress = \"192.0.2.1\"\npeer-as = 1"),
        {"t.toml:10:11: error: the address 192.0.2.1 is taken already, in line 7"});
  check(diagnose_address("\"fe80::1%eth0\"",
                         "[[neighbor]]\nname = \"b\"\naddress = \"fe80::1%eth1\"\npeer-as = 1"),
        {});
}

TEST_CASE("config: ranges of dynamic neighbours do not overlap; a host within one is fine") {
  const auto second = [](const std::string& address) {
    return diagnose_address("\"10.0.0.0/8\"",
                            "password = \"x\"\n[[neighbor]]\nname = \"b\"\npassword = "
                            "\"y\"\npeer-as = 1\naddress = " +
                                address);
  };
  check(second("\"10.1.0.0/16\""),
        {"t.toml:13:11: error: 10.1.0.0/16 overlaps 10.0.0.0/8, in line 7"});
  check(second("\"0.0.0.0/0\""), {"t.toml:13:11: error: 0.0.0.0/0 overlaps 10.0.0.0/8, in line 7"});
  check(second("\"11.0.0.0/8\""), {});
  check(second("\"10.0.0.1\""), {});
}

TEST_CASE("config: who is to connect to us finds a listener of its IP version") {
  const auto with_listen = [](const std::string& listen, const std::string& keys) {
    return diagnose(kSpeaker + ("listen = " + listen) +
                    "\n[[neighbor]]\nname = \"n\"\npeer-as = 1\npassword = \"x\"\n" + keys + kRest);
  };
  check(with_listen("[]", "address = \"192.0.2.1\"\npassive = true"),
        {"t.toml:9:11: error: this neighbour is to connect to us, but [speaker] \"listen\" has no "
         "IPv4 address"});
  check(with_listen("[\"0.0.0.0:179\"]", "address = \"2001:db8::/64\""),
        {"t.toml:9:11: error: this neighbour is to connect to us, but [speaker] \"listen\" has no "
         "IPv6 address"});
  check(with_listen("[]", "address = \"192.0.2.1\""), {});
}

TEST_CASE("config: AS numbers are 1 to 2^32-1 and real") {
  const auto peer_as = [](const std::string& value) {
    return diagnose(std::string(kSpeaker) +
                    "[[neighbor]]\nname = \"n\"\naddress = \"192.0.2.1\"\npeer-as = " + value +
                    kRest);
  };
  const std::string wanted =
      "t.toml:7:11: error: \"peer-as\" must be an AS number from 1 to 4294967295, not ";
  check(peer_as("0"), {wanted + "0"});
  check(peer_as("-1"), {wanted + "-1"});
  check(peer_as("4294967296"), {wanted + "4294967296"});
  check(peer_as("1.5"), {wanted + "a number with a fraction"});
  check(peer_as("true"), {wanted + "a boolean"});
  check(peer_as("23456"),
        {"t.toml:7:11: error: \"peer-as\" must be a real AS number; 23456 is AS_TRANS, which "
         "stands for 4-octet ones (RFC 6793)"});
  check(peer_as("65535"), {"t.toml:7:11: warning: AS65535 is reserved (RFC 7300)"});
  check(peer_as("4294967295"), {"t.toml:7:11: warning: AS4294967295 is reserved (RFC 7300)"});
  check(diagnose_neighbor("local-as = 0"),
        {"t.toml:5:12: error: \"local-as\" must be an AS number from 1 to 4294967295, not 0"});
}

TEST_CASE("config: numbers of a neighbour are in range") {
  for (const std::string bad : {"1", "2", "-3", "65536", "\"2s\"", "\"never\"", "true"}) {
    CAPTURE(bad);
    const std::string shown = bad == "true" ? "a boolean" : bad;
    check(diagnose_neighbor("hold-time = " + bad),
          {"t.toml:5:13: error: \"hold-time\" must be 0, or 3 to 65535 seconds (RFC 4271 4.2), "
           "not " +
           shown});
  }
  check(diagnose_neighbor("hold-time = 0"),
        {"t.toml:5:13: warning: hold-time 0 turns keepalives off: a dead neighbour goes "
         "unnoticed"});
  check(diagnose_neighbor("port = 0"),
        {"t.toml:5:8: error: \"port\" must be an integer from 1 to 65535, not 0"});
  check(diagnose_neighbor("port = 65536"),
        {"t.toml:5:8: error: \"port\" must be an integer from 1 to 65535, not 65536"});
  check(diagnose_neighbor("password = \"x\"\nmultihop = 256"),
        {"t.toml:6:12: error: \"multihop\" must be an integer from 1 to 255, not 256"});
  const std::string duration =
      "must be a duration (seconds, or a text such as \"90s\", \"5m\", \"2h\", \"1d\") from 1 to "
      "3600 seconds, not ";
  check(diagnose_neighbor("connect-retry = 0"),
        {"t.toml:5:17: error: \"connect-retry\" " + duration + "0"});
  check(diagnose_neighbor("quiet-period = \"2 h\""),
        {"t.toml:5:16: error: \"quiet-period\" " + duration + "\"2 h\""});
  check(diagnose_neighbor("dynamic-limit = 5"),
        {"t.toml:5:1: error: \"dynamic-limit\" is for an \"address\" that is a prefix"});
}

TEST_CASE("config: authentication is one of two, and needs a key") {
  check(diagnose_neighbor("authentication = \"ao\""),
        {"t.toml:5:18: error: \"authentication\" must be \"tcp-md5\" or \"tcp-ao\", not \"ao\""});
  check(diagnose_neighbor("authentication = 1"),
        {"t.toml:5:18: error: \"authentication\" must be \"tcp-md5\" or \"tcp-ao\", not 1"});
  for (const std::string kind : {"\"tcp-md5\"", "\"tcp-ao\""})
    check(diagnose_neighbor("authentication = " + kind),
          {"t.toml:5:18: error: " + kind + " needs a key: password or password-file"});
  check(diagnose_neighbor("password = \"x\"\nauthentication = \"tcp-md5\""), {});
  const std::string ao = "password = \"x\"\nauthentication = \"tcp-ao\"\n";
  check(diagnose_neighbor(ao), {});
  check(diagnose_neighbor(ao + "ao-send-id = 256"),
        {"t.toml:7:14: error: \"ao-send-id\" must be an integer from 0 to 255, not 256"});
  check(diagnose_neighbor(ao + "ao-receive-id = -1"),
        {"t.toml:7:17: error: \"ao-receive-id\" must be an integer from 0 to 255, not -1"});
  check(diagnose_neighbor(ao + "ao-algorithm = \"md5\""),
        {"t.toml:7:16: error: \"ao-algorithm\" must be \"hmac-sha-1-96\" or \"aes-128-cmac-96\" "
         "(RFC 5926), not \"md5\""});
  check(diagnose_neighbor("password = \"x\"\nao-send-id = 1"),
        {"t.toml:4:1: warning: keys ao-… have no use without authentication = \"tcp-ao\""});
}

TEST_CASE("config: booleans and texts of a neighbour have their type") {
  for (const std::string key : {"passive", "enabled", "ttl-security", "extended-messages"}) {
    CAPTURE(key);
    check(diagnose_neighbor(key + " = 1"),
          {"t.toml:5:" + std::to_string(key.size() + 4) + ": error: \"" + key +
           "\" must be true or false, not 1"});
  }
  check(diagnose_neighbor("description = 1"),
        {"t.toml:5:15: error: \"description\" must be a string, not 1"});
  check(diagnose_neighbor("description = \"a\\nb\""),
        {"t.toml:5:15: error: \"description\" must be one line of at most 255 octets"});
  check(diagnose_neighbor("local-address = \"2001:db8::1\""),
        {"t.toml:5:17: error: \"local-address\" must be an address of this host, of the "
         "neighbour's IP version, not \"2001:db8::1\""});
}

TEST_CASE("config: families and add-path name families, each once, add-path no other") {
  check(diagnose_neighbor("families = []"),
        {"t.toml:5:12: error: \"families\" must name at least one family"});
  check(diagnose_neighbor("families = [\"ipv4-unicast\", \"ipv4-unicast\"]"),
        {"t.toml:5:29: error: \"families\" has ipv4-unicast twice"});
  check(diagnose_neighbor("families = [\"ipv4\"]"),
        {"t.toml:5:13: error: \"families\" must be an array of families, of ipv4-unicast, "
         "ipv6-unicast, ipv4-multicast, ipv6-multicast, ipv4-labeled-unicast, "
         "ipv6-labeled-unicast, ipv4-vpn, ipv6-vpn, not \"ipv4\""});
  check(diagnose_neighbor("add-path = [\"ipv4-vpn\"]"),
        {"t.toml:5:13: error: \"add-path\" has ipv4-vpn, which \"families\" has not"});
  check(diagnose_neighbor("add-path = 1"),
        {"t.toml:5:12: error: \"add-path\" must be true, false or an array of families, not 1"});
}

TEST_CASE("config: max-prefix is a number or a table of known keys") {
  check(diagnose_neighbor("max-prefix = 0"),
        {"t.toml:5:14: error: \"max-prefix\" must be an integer from 1 to 4294967296, not 0"});
  check(diagnose_neighbor("max-prefix = \"many\""),
        {"t.toml:5:14: error: \"max-prefix\" must be an integer from 1 to 4294967296, not "
         "\"many\""});
  check(diagnose_neighbor("max-prefix = { action = \"die\", warn-percent = 101 }"),
        {"t.toml:5:14: error: max-prefix needs \"limit\": a number of routes",
         "t.toml:5:25: error: \"action\" must be \"warn\" or \"shutdown\", not \"die\"",
         "t.toml:5:47: error: \"warn-percent\" must be an integer from 1 to 100, not 101"});
}

TEST_CASE("config: a role is one of RFC 9234, and for eBGP") {
  check(diagnose_neighbor("role = \"boss\""),
        {"t.toml:5:8: error: \"role\" must be our role: \"provider\", \"route-server\", "
         "\"route-server-client\", \"customer\" or \"peer\", not \"boss\""});
  check(diagnose(std::string(kSpeaker) +
                 "[[neighbor]]\nname = \"n\"\naddress = \"192.0.2.1\"\npeer-as = 64512\nrole = "
                 "\"peer\"" +
                 kRest),
        {"t.toml:8:8: error: \"role\" is for eBGP; this neighbour is iBGP (RFC 9234 4)"});
}

TEST_CASE("config: what is legal but unwise is a warning") {
  check(diagnose_neighbor("multihop = 8"),
        {"t.toml:5:1: warning: multihop without a password: the session can be disturbed from "
         "afar"});
  check(diagnose_neighbor("multihop = 8\nttl-security = true"), {});
  check(diagnose_neighbor("multihop = 8\npassword = \"x\""), {});
  check(diagnose_address("\"192.0.2.0/24\""),
        {"t.toml:7:11: warning: dynamic neighbours without a password: every host of the prefix "
         "may connect"});
  check(diagnose_address("\"192.0.2.0/24\"", "password = \"x\"\nport = 1179"),
        {"t.toml:9:8: warning: \"port\" has no use: dynamic neighbours connect to us"});
  check(diagnose_address("\"192.0.2.0/24\"", "password = \"x\"\npassive = false"),
        {"t.toml:9:11: error: dynamic neighbours are passive: a prefix has no host to connect to"});
  check(diagnose(std::string(kSpeaker)),
        {"t.toml:1:1: warning: no neighbours: nothing will be heard; add a [[neighbor]]",
         "t.toml:1:1: warning: no sinks: events reach the journal and the API only; add a "
         "[[sink.syslog]]"});
}

TEST_CASE("config: a replay's file may be without speaker, neighbours and sinks") {
  LoadOptions options;
  options.live = false;
  check(diagnose("[watch]\norigins = [131279]\n", options), {});
  check(diagnose("[speaker]\nlocal-as = 0\nrouter-id = \"192.0.2.1\"\n", options),
        {"t.toml:2:12: error: \"local-as\" must be an AS number from 1 to 4294967295, not 0"});
}

TEST_CASE("config: no diagnostic shows a password or a token") {
  const std::string wanted =
      "error: \"password\" must hold 1 to 80 octets without control characters";
  check(diagnose_neighbor("password = \"\""), {"t.toml:5:12: " + wanted});
  check(diagnose_neighbor("password = \"" + repeat(81, 'x') + "\""), {"t.toml:5:12: " + wanted});
  check(diagnose_neighbor("password = \"secret\\n\""), {"t.toml:5:12: " + wanted});
  check(diagnose_neighbor("password = 1234567"),
        {"t.toml:5:12: error: \"password\" must be a string, not an integer"});
  check(diagnose_neighbor("password = \"secret\"\npassword-file = \"x\""),
        {"t.toml:6:1: error: \"password\" and \"password-file\" exclude each other"});
  check(diagnose_table("[http]\ntoken = [\"secret\"]"),
        {"t.toml:9:9: error: \"token\" must be a string, not an array"});
}

TEST_CASE("config: a password file is read beside the configuration, first line only") {
  const SecretFile secret("hunter2\r\nsecond line\n", 0600);
  std::vector<Diagnostic> diagnostics;
  const auto config = parse_config(std::string(kSpeaker) +
                                       "[[neighbor]]\nname = \"n\"\naddress = "
                                       "\"192.0.2.1\"\npeer-as = 1\npassword-file = \"key\"" +
                                       kRest,
                                   secret.config(), diagnostics);
  CHECK(diagnostics.empty());
  REQUIRE(config);
  CHECK_EQ(config->neighbors[0].password, "hunter2");
}

TEST_CASE("config: a password file that is missing, empty, no file or open to all is named") {
  const auto first = [](const SecretFile& secret, const std::string& file) {
    std::vector<Diagnostic> diagnostics;
    parse_config(std::string(kSpeaker) +
                     "[[neighbor]]\nname = \"n\"\naddress = \"192.0.2.1\"\npeer-as = "
                     "1\npassword-file = \"" +
                     file + "\"" + kRest,
                 secret.config(), diagnostics);
    REQUIRE(diagnostics.size() == 1);
    diagnostics[0].file = "t.toml";
    return format_diagnostic(diagnostics[0]);
  };
  const SecretFile open("hunter2\n", 0644);
  CHECK_EQ(first(open, "key"), "t.toml:8:17: warning: \"password-file\": everyone may read " +
                                   open.path() + "; chmod 0640 is enough");
  CHECK_EQ(first(open, "none"), "t.toml:8:17: error: \"password-file\": " + open.directory() +
                                    "/none cannot be read: No such file or directory");
  CHECK_EQ(first(open, "."), "t.toml:8:17: error: \"password-file\": " + open.directory() +
                                 "/. is not a regular file");
  const SecretFile empty("\n", 0600);
  CHECK_EQ(first(empty, "key"),
           "t.toml:8:17: error: \"password-file\" must hold 1 to 80 octets without control "
           "characters");
}

TEST_CASE("config: [storage] names a directory and sizes in range") {
  check(diagnose_table("[storage]\npath = \"\""),
        {"t.toml:9:8: error: \"path\" must name a directory"});
  check(diagnose_table("[storage]\npath = 7"),
        {"t.toml:9:8: error: \"path\" must be a string, not 7"});
  check(diagnose_table("[storage]\ncache-size = \"lots\""),
        {"t.toml:9:14: error: \"cache-size\" must be a size (octets, or a text such as \"64MiB\") "
         "from 1048576 to 1099511627776 octets, not \"lots\""});
  check(diagnose_table("[storage]\nhistory-days = -1"),
        {"t.toml:9:16: error: \"history-days\" must be an integer from 0 to 36500, not -1"});
}

TEST_CASE("config: [watch] takes AS numbers and canonical prefixes, each once") {
  check(diagnose_table("[watch]\norigins = [131279, 131279, -1, \"x\"]"),
        {"t.toml:9:20: error: AS131279 stands in \"origins\" twice",
         "t.toml:9:28: error: \"origins\" must be an AS number from 1 to 4294967295, not -1",
         "t.toml:9:32: error: \"origins\" must be an AS number from 1 to 4294967295, not \"x\""});
  check(diagnose_table("[watch]\nprefixes = [\"203.0.113.1/24\", \"x\", \"10.0.0.0/8\", "
                       "\"10.0.0.0/8\"]"),
        {"t.toml:9:13: error: \"203.0.113.1/24\" has bits set beyond its length; the prefix is "
         "\"203.0.113.0/24\"",
         "t.toml:9:31: error: \"prefixes\" must be an array of prefixes such as "
         "\"203.0.113.0/24\", not \"x\"",
         "t.toml:9:50: error: \"prefixes\" has 10.0.0.0/8 twice"});
  check(diagnose_table("[watch]\nases = 5"),
        {"t.toml:9:8: error: \"ases\" must be an array of AS numbers, not 5"});
}

TEST_CASE("config: [http] listens on loopback and sockets without a word, elsewhere with one") {
  const std::string wanted =
      "error: \"listen\" must be an array of addresses such as \"127.0.0.1:8179\" or "
      "\"unix:/run/lapwing/lapwing.sock\", not ";
  check(diagnose_table("[http]\nlisten = [\"127.0.0.1:8179\", \"[::1]:8179\", \"unix:/run/x\"]"),
        {});
  check(diagnose_table("[http]\nlisten = [\"unix:x\", \"127.0.0.1\", 5]"),
        {"t.toml:9:11: " + wanted + "\"unix:x\"", "t.toml:9:21: " + wanted + "\"127.0.0.1\"",
         "t.toml:9:34: " + wanted + "5"});
  check(diagnose_table("[http]\nlisten = [\"unix:/" + repeat(107, 'x') + "\"]"),
        {"t.toml:9:11: " + wanted + "a string"});
  check(diagnose_table("[http]\nlisten = [\"0.0.0.0:8179\"]"),
        {"t.toml:9:11: error: the API would be open to everyone who reaches this address; set a "
         "token, or listen on loopback"});
  check(diagnose_table("[http]\nlisten = [\"0.0.0.0:8179\"]\ntoken = \"x\""),
        {"t.toml:9:11: warning: the API, its token included, crosses the network in clear; write "
         "tls: before the address, or listen on loopback"});
  check(diagnose_table("[http]\nlisten = [\"tls:0.0.0.0:8179\"]\ntoken = \"x\""),
        {"t.toml:9:11: error: an endpoint with tls: needs tls-certificate and tls-key"});
  check(diagnose_table("[http]\ntls-key = \"nowhere.pem\""),
        {"t.toml:9:11: error: \"tls-key\": nowhere.pem cannot be read"});
  check(diagnose_table("[http]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:1\"]"),
        {"t.toml:9:26: error: \"listen\" has 127.0.0.1:1 twice"});
  check(diagnose_table("[http]\nlisten = []"),
        {"t.toml:9:10: warning: no API: `lapwing show` will not work"});
}

TEST_CASE("config: [log] has one level") {
  check(diagnose_table("[log]\nlevel = \"debug\""), {});
  check(diagnose_table("[log]\nlevel = \"loud\""),
        {"t.toml:9:9: error: \"level\" must be \"error\", \"warning\", \"notice\", \"info\" or "
         "\"debug\", not \"loud\""});
}

TEST_CASE("config: detectors and sinks are known tables of plain values") {
  LoadOptions options;
  options.detectors = {"new-upstream", "path-change"};
  options.sinks = {"syslog", "jsonl"};
  const std::string base =
      std::string(kSpeaker) + "[[neighbor]]\nname = \"n\"\naddress = \"192.0.2.1\"\npeer-as = 1\n";
  check(diagnose(base + "[detector.new-upsteam]\n[[sink.sylog]]\n", options),
        {"t.toml:8:11: error: unknown detector \"new-upsteam\"; did you mean \"new-upstream\"?",
         "t.toml:9:8: error: unknown sink \"sylog\"; did you mean \"syslog\"?"});
  check(diagnose(base + "[detector.new-upstream]\nx = { y = 1 }\nz = [1, \"a\"]\n"
                        "g = [[1], [\"a\"]]\nenabled = 1\n[[sink.jsonl]]\n",
                 options),
        {"t.toml:9:5: error: \"x\" must be a boolean, a number, a string, or an array of "
         "integers, of strings or of arrays of integers, not a table",
         "t.toml:10:5: error: \"z\" must be a boolean, a number, a string, or an array of "
         "integers, of strings or of arrays of integers, not a mixed array",
         "t.toml:11:5: error: \"g\" must be a boolean, a number, a string, or an array of "
         "integers, of strings or of arrays of integers, not a mixed array",
         "t.toml:12:11: error: \"enabled\" must be true or false, not 1"});
  check(diagnose(base + "[sink]\nsyslog = 5\n[detector]\nnew-upstream = true\n", options),
        {"t.toml:9:10: error: a sink is a table: write [[sink.syslog]]",
         "t.toml:11:16: error: a detector is a table: write [detector.new-upstream]"});
}

TEST_CASE("config: what a detector finds wrong in its table gets file, line and column") {
  std::vector<Diagnostic> diagnostics;
  const auto config = parse_config(std::string(kSpeaker) +
                                       "[detector.new-upstream]\nhold = 0\n  flap-limt = 3\n"
                                       "[[sink.syslog]]\n",
                                   "t.toml", diagnostics);
  REQUIRE(config);
  diagnostics.clear();
  Settings settings = config->detectors.at(0).settings;
  settings.integer("hold", 5, 1, 10);
  settings.integer("flap-limit", 5, 1, 10);
  settings.error("window", "must be set");
  note_setting_errors(*config, config->detectors[0], settings.finish(), diagnostics);
  REQUIRE(diagnostics.size() == 3);
  CHECK_EQ(format_diagnostic(diagnostics[0]),
           "t.toml:5:8: error: \"hold\" must be an integer from 1 to 10");
  CHECK_EQ(format_diagnostic(diagnostics[1]), "t.toml:4:1: error: \"window\" must be set");
  CHECK_EQ(format_diagnostic(diagnostics[2]),
           "t.toml:6:3: error: unknown key \"flap-limt\"; did you mean \"flap-limit\"?");
}

TEST_CASE("config: all errors of a file are reported, in the order of the file") {
  check(diagnose("[storage]\nhistory-days = -1\n" + std::string(kSpeaker) +
                 "listen = [\"x\"]\n[[neighbor]]\nname = \"\"\naddress = \"x\"\npeer-as = "
                 "0\n[[sink.syslog]]\n"),
        {"t.toml:2:16: error: \"history-days\" must be an integer from 0 to 36500, not -1",
         "t.toml:6:11: error: \"listen\" must be an array of addresses with their ports such as "
         "\"0.0.0.0:179\" or \"[::]:179\", not \"x\"",
         "t.toml:8:8: error: \"name\" must be 1 to 64 printable ASCII characters, no blank at "
         "either end, not \"\"",
         "t.toml:9:11: error: \"address\" must be an address (link-local with its interface, "
         "\"fe80::1%eth0\"), or a prefix for dynamic neighbours, not \"x\"",
         "t.toml:10:11: error: \"peer-as\" must be an AS number from 1 to 4294967295, not 0"});
}
