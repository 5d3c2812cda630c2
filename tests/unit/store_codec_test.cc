#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "rib/store_codec.h"
#include "rib/store_event_codec.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

namespace {

using Random = std::mt19937_64;

std::string random_text(Random& random, std::size_t max) {
  std::string text(random() % (max + 1), '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

Timestamp random_time(Random& random) {
  return from_unix_micros(static_cast<std::int64_t>(random() >> (random() % 60)) -
                          (random() % 2 == 0 ? 0 : 1'000'000));
}

Prefix random_prefix(Random& random) {
  IpAddress address;
  address.version = random() % 2 == 0 ? IpVersion::kV4 : IpVersion::kV6;
  for (std::size_t i = 0; i < address.size(); ++i)
    address.bytes[i] = static_cast<std::uint8_t>(random());
  const unsigned max = address.version == IpVersion::kV4 ? 32 : 128;
  return Prefix::make(address, static_cast<std::uint8_t>(random() % (max + 1)));
}

FieldValue random_value(Random& random) {
  switch (random() % 6) {
    case 0:
      return static_cast<std::int64_t>(random());
    case 1:
      return random() % 2 == 0;
    case 2:
      return random_text(random, 40);
    case 3:
      return random_time(random);
    case 4: {
      std::vector<Asn> list(random() % 4);
      for (Asn& asn : list) asn = static_cast<Asn>(random());
      return list;
    }
    default: {
      std::vector<std::string> list(random() % 4);
      for (std::string& text : list) text = random_text(random, 9);
      return list;
    }
  }
}

template <typename T, typename Fn>
std::optional<T> maybe(Random& random, Fn&& make) {
  return random() % 2 == 0 ? std::nullopt : std::optional<T>(make());
}

Event random_event(Random& random) {
  const auto number = [&] { return static_cast<std::uint32_t>(random()); };
  const auto text = [&] { return random_text(random, 30); };
  Event e;
  for (auto& b : e.id.bytes) b = static_cast<std::uint8_t>(random());
  for (auto& b : e.incident.bytes) b = static_cast<std::uint8_t>(random());
  e.type = text();
  e.action = static_cast<Action>(random() % 3);
  e.severity = static_cast<Severity>(random() % 8);
  e.time = random_time(random);
  e.cause = static_cast<Cause>(random() % 3);
  e.origin_as = maybe<Asn>(random, number);
  e.upstream_as = maybe<Asn>(random, number);
  for (std::uint64_t n = random() % 4; n != 0; --n) e.prefixes.push_back(random_prefix(random));
  e.prefix_count = number() % 3;
  e.origin_prefix_count = maybe<std::uint32_t>(random, number);
  for (std::uint64_t n = random() % 4; n != 0; --n) e.peers.push_back(text());
  e.direct = maybe<bool>(random, [&] { return random() % 2 == 0; });
  e.changed_between = maybe<TimeRange>(random, [&] {
    return TimeRange{random_time(random), random_time(random)};
  });
  e.known_upstreams = maybe<std::vector<KnownUpstream>>(random, [&] {
    std::vector<KnownUpstream> list(random() % 3);
    for (auto& u : list)
      u = {number(), random_time(random), random_time(random), number() % 2 == 0};
    return list;
  });
  for (std::uint64_t n = random() % 3; n != 0; --n)
    e.evidence.push_back({text(), number(), random_prefix(random), maybe<std::string>(random, text),
                          maybe<std::string>(random, text), random_time(random)});
  for (std::uint64_t n = random() % 5; n != 0; --n)
    e.fields.push_back({text(), random_value(random)});
  e.rule = text();
  e.summary = text();
  return e;
}

bgp::NlriKey random_nlri(Random& random) {
  Nlri nlri;
  nlri.prefix = random_prefix(random);
  // Few values, so that neighbours in order differ late.
  for (auto& b : nlri.prefix.address.bytes) b &= 0x81;
  static constexpr std::uint8_t kSafis[] = {kSafiUnicast, kSafiMulticast, kSafiLabeled, kSafiVpn};
  nlri.family = {nlri.prefix.address.version == IpVersion::kV4 ? kAfiIpv4 : kAfiIpv6,
                 kSafis[random() % 4]};
  if (nlri.family.safi == kSafiVpn) nlri.rd = random() % 3 == 0 ? random() : random() % 3;
  nlri.has_path_id = random() % 2 == 0;
  nlri.path_id = nlri.has_path_id ? static_cast<std::uint32_t>(random() % 300) : 0;
  return bgp::to_key(nlri);
}

}  // namespace

TEST_CASE("CRC-32C gives the values of RFC 3720 B.4") {
  CHECK(crc32c("123456789") == 0xe3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
}

TEST_CASE("varints: every width round-trips, a truncated or overlong one is refused") {
  for (unsigned bits = 0; bits < 64; ++bits) {
    const std::uint64_t value = (std::uint64_t{1} << bits) | bits;
    std::string octets;
    append_varint(octets, value);
    std::uint64_t back = 0;
    CHECK(read_number(octets, back));
    CHECK(back == value);
    CHECK_FALSE(read_number(octets.substr(0, octets.size() - 1), back));
  }
  std::uint64_t out = 0;
  CHECK_FALSE(read_number(std::string(9, '\xff') + '\x02', out));
  CHECK_FALSE(read_number(std::string(11, '\x80'), out));
  std::uint32_t narrow = 0;
  std::string wide;
  append_varint(wide, 0x100000000);
  CHECK_FALSE(read_number32(wide, narrow));
}

TEST_CASE("route keys round-trip and sort by peer, then NLRI") {
  Random random(1);
  std::vector<std::pair<std::string, std::pair<PeerId, Nlri>>> keys;
  for (int i = 0; i < 3000; ++i) {
    const bgp::NlriKey nlri = random_nlri(random);
    const auto peer = static_cast<PeerId>(random() % 3);
    const std::string key = route_key(peer, nlri);
    PeerId peer_back = 99;
    bgp::NlriKey nlri_back;
    REQUIRE(read_route_key(key, peer_back, nlri_back));
    CHECK(peer_back == peer);
    CHECK(nlri_back == nlri);
    keys.push_back({key, {peer, bgp::to_nlri(nlri)}});
  }
  std::sort(keys.begin(), keys.end());
  CHECK(std::is_sorted(keys.begin(), keys.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; }));
}

TEST_CASE("keys that are cut short, too long or out of range are refused") {
  PeerId peer = 0;
  bgp::NlriKey nlri;
  const std::string key =
      route_key(1, bgp::to_key({kIpv4Unicast, 0, *parse_prefix("192.0.2.0/24"), true, 7}));
  for (std::size_t n = 0; n < key.size(); ++n) {
    const bool whole = n == key.size() - 4;  // the same prefix without its path identifier
    CHECK(read_route_key(std::string_view(key).substr(0, n), peer, nlri) == whole);
  }
  CHECK_FALSE(read_route_key(key + 'x', peer, nlri));
  std::string bad = key;
  bad[10] = 33;
  CHECK_FALSE(read_route_key(bad, peer, nlri));
  bad = key;
  bad[4] = 3;
  CHECK_FALSE(read_route_key(bad, peer, nlri));
  HistoryKey history;
  CHECK_FALSE(read_history_key(key, history));
}

TEST_CASE("history keys sort by hour, NLRI and time") {
  const bgp::NlriKey nlri =
      bgp::to_key({kIpv6Unicast, 0, *parse_prefix("2001:db8::/32"), false, 0});
  char buffer[kMaxHistoryKey];
  const std::string start = history_prefix(history_hour(3 * kMicrosPerHour + 5), nlri);
  std::copy(start.begin(), start.end(), buffer);
  const char* end = write_history_tail(buffer + start.size(), 3 * kMicrosPerHour + 5, 0x1234567890);
  HistoryKey key;
  REQUIRE(read_history_key({buffer, static_cast<std::size_t>(end - buffer)}, key));
  CHECK(key.hour == 3);
  CHECK(key.nlri == nlri);
  CHECK(key.micros == 3 * kMicrosPerHour + 5);
  CHECK(key.row == 0x1234567890);
}

TEST_CASE("a stored path whose octets have changed is refused") {
  std::string value;
  append_path_value(value, as_octets("some attributes"));
  REQUIRE(read_path_value(value));
  CHECK(as_text(*read_path_value(value)) == "some attributes");
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::string bad = value;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    CHECK_FALSE(read_path_value(bad));
  }
  CHECK_FALSE(read_path_value("abc"));
}

TEST_CASE("peers and blind intervals round-trip; unknown tags are skipped") {
  PeerRecord peer;
  peer.id = 7;
  peer.name = "edge1";
  peer.address = *parse_address("2001:db8::1");
  peer.as = 4'200'000'000;
  peer.local_as = 64512;
  peer.up = true;
  peer.last_change = from_unix_micros(1'700'000'000'123'456);
  peer.blind_reason = "hold timer expired";
  peer.families = {{kIpv4Unicast, true}, {kIpv6Unicast, false}};
  std::string octets = encode_peer(peer);
  CHECK(decode_peer(octets) == peer);
  FieldWriter(octets).text(4000, "of a later version");
  CHECK(decode_peer(octets) == peer);
  for (std::size_t n = 0; n < 20; ++n) decode_peer(std::string_view(octets).substr(0, n));
  CHECK_FALSE(decode_peer("\x02"));
  CHECK_FALSE(decode_peer(""));

  const BlindInterval interval{3, {from_unix_micros(5), from_unix_micros(9)}, "hold timer expired"};
  BlindInterval back;
  REQUIRE(read_blind_key(blind_key(3, from_unix_micros(5)), back.peer, back.range.from));
  REQUIRE(decode_blind(encode_blind(interval), back));
  CHECK(back == interval);
}

TEST_CASE("every event round-trips") {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const Event event = random_event(random);
    const auto back = decode_event(encode_event(event));
    REQUIRE(back.has_value());
    CHECK(*back == event);
    CHECK(decode_event_id(encode_event(event)) == event.id);
    const auto moment = decode_event_moment(encode_event(event));
    REQUIRE(moment.has_value());
    CHECK(moment->time == event.time);
    CHECK(moment->cause == event.cause);
  }
}

TEST_CASE("an event of a later minor version is read without what is new in it") {
  Random random(3);
  const Event event = random_event(random);
  std::string octets = encode_event(event);
  FieldWriter(octets).text(77, "new");
  CHECK(decode_event(octets) == event);
  octets[0] = 2;
  CHECK_FALSE(decode_event(octets));
}

TEST_CASE("malformed event octets are a value, never a crash") {
  Random random(4);
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string octets = encode_event(random_event(random));
    for (std::uint64_t n = 1 + random() % 4; n != 0; --n) {
      const std::size_t at = random() % octets.size();
      switch (random() % 3) {
        case 0:
          octets[at] = static_cast<char>(random());
          break;
        case 1:
          octets.resize(at + 1);
          break;
        default:
          octets.insert(at, random_text(random, 5));
          break;
      }
    }
    refused += decode_event(octets) ? 0 : 1;
  }
  CHECK(refused > 1000);
  for (int i = 0; i < 20000; ++i) decode_event('\x01' + random_text(random, 120));
}

}  // namespace lapwing::rib
