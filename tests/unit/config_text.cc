// Values as people write them.
#include "collector/config_text.h"
#include "lapwing/units.h"
#include "tests/unit/repeat.h"

#include <doctest/doctest.h>

#include <string>

using namespace lapwing;
using namespace lapwing::collector;
using lapwing::parse_duration;
using lapwing::parse_size;

namespace {}  // namespace

TEST_CASE("duration: a number with descending units") {
  const auto count = [](std::string_view text) {
    const auto d = parse_duration(text);
    return d ? d->count() : -1;
  };
  CHECK_EQ(count("90"), 90);
  CHECK_EQ(count("0"), 0);
  CHECK_EQ(count("90s"), 90);
  CHECK_EQ(count("5m"), 300);
  CHECK_EQ(count("2h"), 7200);
  CHECK_EQ(count("1d"), 86400);
  CHECK_EQ(count("1w"), 604800);
  CHECK_EQ(count("1h30m"), 5400);
  CHECK_EQ(count("1d1s"), 86401);
  for (const char* bad : {"", "s", "-1s", "+1", "1.5h", "1x", "1 h", "30m1h", "1m1m", "1h30", "1hh",
                          "99999999999999999999s", "18446744073709551615w", "1099511627777"})
    CHECK_MESSAGE(count(bad) == -1, bad);
}

TEST_CASE("size: octets with a unit of two or of ten") {
  CHECK_EQ(parse_size("0").value_or(1), 0);
  CHECK_EQ(parse_size("4096").value_or(0), 4096);
  CHECK_EQ(parse_size("64KiB").value_or(0), 65536);
  CHECK_EQ(parse_size("16 MiB").value_or(0), 16777216);
  CHECK_EQ(parse_size("1GB").value_or(0), 1000000000);
  CHECK_EQ(parse_size("2G").value_or(0), std::uint64_t{2} << 30);
  for (const char* bad : {"", "MiB", "-1", "1.5M", "1 m", "1PiB", "16777216TiB", "1  M"})
    CHECK_MESSAGE(!parse_size(bad), bad);
}

TEST_CASE("endpoint: address, port and scope, or nothing") {
  const auto shown = [](std::string_view text, std::uint16_t port) {
    const auto e = parse_endpoint(text, port);
    return e ? endpoint_text(*e) : "none";
  };
  CHECK_EQ(shown("192.0.2.1:179", 0), "192.0.2.1:179");
  CHECK_EQ(shown("192.0.2.1", 179), "192.0.2.1:179");
  CHECK_EQ(shown("[2001:db8::1]:1179", 0), "[2001:db8::1]:1179");
  CHECK_EQ(shown("[2001:db8::1]", 179), "[2001:db8::1]:179");
  CHECK_EQ(shown("2001:db8::1", 179), "[2001:db8::1]:179");
  CHECK_EQ(shown("[fe80::1%eth0]:179", 0), "[fe80::1%eth0]:179");
  for (const char* bad :
       {"", ":", ":179", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:x", "192.0.2.1:65536",
        "192.0.2.1:179 ", "[::]", "[::", "[::]179", "[192.0.2.1]:179", "[]:179", "[fe80::1]:179",
        "[2001:db8::1%eth0]:179", "192.0.2.1%eth0:179"})
    CHECK_MESSAGE(shown(bad, 0) == "none", bad);
}

TEST_CASE("nearest: a typing error finds its name, another word does not") {
  const std::vector<std::string> known{"hold-time", "port", "peer-as", "passive", "password"};
  CHECK_EQ(nearest("hold-tme", known).value_or(""), "hold-time");
  CHECK_EQ(nearest("hold_time", known).value_or(""), "hold-time");
  CHECK_EQ(nearest("prot", known).value_or(""), "port");
  CHECK_EQ(nearest("pasword", known).value_or(""), "password");
  CHECK_FALSE(nearest("weight", known));
  CHECK_FALSE(nearest("", known));
  CHECK_FALSE(nearest(repeat(1000000, 'p'), known));
  CHECK_FALSE(nearest("port", {}));
}

TEST_CASE("one line: control characters of both sets are found") {
  CHECK(is_one_line("Z\xc3\xbcrich"));
  CHECK(is_one_line("caf\xc3\xa9 \xc2\xa9"));
  for (const char* bad : {"a\nb", "a\x1b[31m", "a\x7f",
                          "a\xc2\x9b"
                          "31m",
                          "a\xc2\x80"})
    CHECK_FALSE(is_one_line(bad));
}
