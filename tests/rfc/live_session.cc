#include "tests/rfc/live_session.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "bgp/nlri.h"
#include "tests/rfc/wire_builder.h"

namespace lapwing::bgp::testing {

namespace {

bool has(const std::vector<Family>& families, Family family) {
  return std::find(families.begin(), families.end(), family) != families.end();
}

void read_keys(Octets octets, Family family, const Terms& terms, std::vector<NlriKey>& out) {
  if (!has(terms.families, family)) return;
  Cursor in(octets);
  NlriKey key;
  while (!in.empty() && read_nlri(in, family, has(terms.add_path, family), key)) out.push_back(key);
}

Bytes whole(const Bytes& body) {
  Bytes out;
  const std::size_t start = begin_message(MessageType::kUpdate, out);
  put_octets(out, body);
  end_message(start, out);
  return out;
}

/// An NLRI as it stands on the wire.
Bytes wire(const NlriKey& key) {
  Bytes out;
  if (key.has_path_id != 0) put_u32(out, key.path_id);
  unsigned bits = key.length;
  if (key.safi == kSafiLabeled) bits += 24;
  if (key.safi == kSafiVpn) bits += 88;
  put_u8(out, bits);
  if (key.safi == kSafiLabeled || key.safi == kSafiVpn) put_octets(out, Bytes{0, 0, 0x11});
  if (key.safi == kSafiVpn) {
    put_u32(out, static_cast<std::uint32_t>(key.rd >> 32));
    put_u32(out, static_cast<std::uint32_t>(key.rd));
  }
  const Nlri nlri = to_nlri(key);
  put_octets(out, Octets(nlri.prefix.address.bytes).first((key.length + 7u) / 8));
  return out;
}

}  // namespace

std::vector<NlriKey> announced_keys(const Bytes& message, const Terms& terms) {
  std::vector<NlriKey> keys;
  if (message.size() < kHeaderSize + 4) return keys;
  Cursor in(Octets(message).subspan(kHeaderSize));
  in.take(in.u16());
  Cursor attributes = in.cut(in.u16());
  if (!in.ok()) return keys;
  read_keys(in.rest(), kIpv4Unicast, terms, keys);
  while (!attributes.empty()) {
    const unsigned flags = attributes.u8();
    const unsigned type = attributes.u8();
    Cursor value = attributes.cut((flags & 0x10) != 0 ? attributes.u16() : attributes.u8());
    if (!attributes.ok()) break;
    if (type != 14) continue;
    Family family;
    family.afi = value.u16();
    family.safi = value.u8();
    value.take(value.u8());
    value.u8();
    if (value.ok()) read_keys(value.rest(), family, terms, keys);
  }
  return keys;
}

std::string Outcome::text() const {
  constexpr const char* kNames[] = {"accepted", "withdrawn", "kept old",
                                    "mixed",    "nothing",   "reset"};
  std::string text = kNames[static_cast<int>(what)];
  if (!notification.empty()) text += " " + notification;
  return text;
}

LiveSession::LiveSession(Terms terms) : terms_(std::move(terms)) {
  if (!has(terms_.families, kIpv4Unicast)) terms_.families.push_back(kIpv4Unicast);
  NeighborConfig config = neighbor_config();
  config.local_as = terms_.local_as;
  config.peer_as = terms_.peer_as;
  config.families = terms_.families;
  config.add_path = terms_.add_path;
  config.extended_messages = terms_.extended_messages;
  SpeakerOptions options = quick_options();
  options.retry = milliseconds(0);  // no back-off after errors
  options.retry_limit = milliseconds(0);
  bench_ = std::make_unique<Bench>(std::vector{config}, options);
  bench_->sink().keep_routes();
}

void LiveSession::establish() {
  Open open = peer_open();
  open.as = terms_.peer_as;
  open.capabilities.families = terms_.families;
  open.capabilities.four_octet_as.reset();
  if (terms_.four_octet_as) open.capabilities.four_octet_as = terms_.peer_as;
  open.capabilities.extended_message = terms_.extended_messages;
  for (const Family family : terms_.add_path)
    open.capabilities.add_path.push_back({family, false, true});
  REQUIRE(bench_->wait_state("Active"));
  peer_.emplace(bench_->connect());
  REQUIRE(peer_->establish(open));
  REQUIRE(bench_->wait_state("Established"));
  ++sessions_;
}

Bytes LiveSession::clean(const NlriKey& key) const {
  using test::attr;
  using test::operator+;
  const unsigned width = terms_.four_octet_as ? 4 : 2;
  Bytes attributes = test::origin() +
                     test::as_path(terms_.internal() ? std::vector<Asn>{64999}
                                                     : std::vector<Asn>{terms_.peer_as, 64999},
                                   width) +
                     attr(0x80, 4, test::u32(0xc1ea0000));
  const Bytes nlri = wire(key);
  if (key.family() == kIpv4Unicast)
    return whole(test::update(attributes + test::next_hop(), nlri));
  Bytes hop = key.afi == kAfiIpv4 ? Bytes{192, 0, 2, 1} : test::hex("20010db8000000000000000000000001");
  if (key.safi == kSafiVpn) hop = Bytes(8, 0) + hop;
  return whole(test::update(test::mp_reach(key.family(), hop, nlri) + attributes));
}

Bytes LiveSession::sentinel() {
  NlriKey key;
  key.afi = kAfiIpv4;
  key.safi = kSafiUnicast;
  key.length = 32;
  key.high = (0xf0000000ull + ++number_) << 32;  // 240.0.0.0/4 is in no vector
  key.has_path_id = has(terms_.add_path, kIpv4Unicast) ? 1 : 0;
  sentinel_ = TestSink::route_key(key);
  return clean(key);
}

Outcome LiveSession::outcome(const std::vector<NlriKey>& keys) const {
  Outcome outcome;
  std::size_t present = 0;
  for (const NlriKey& key : keys) {
    const auto route = bench_->sink().route(TestSink::route_key(key));
    if (!route) continue;
    ++present;
    const PathView path(*route);
    const auto med = path.multi_exit_disc();
    if (med && *med == 0xc1ea0000) {
      outcome.what = Outcome::What::kKept;
      return outcome;
    }
  }
  if (!keys.empty())
    outcome.what = present == 0             ? Outcome::What::kWithdrawn
                   : present == keys.size() ? Outcome::What::kAccepted
                                            : Outcome::What::kMixed;
  return outcome;
}

Outcome LiveSession::reset() {
  Outcome outcome;
  outcome.what = Outcome::What::kReset;
  outcome.notification = peer_->notification();
  peer_.reset();
  return outcome;
}

Outcome LiveSession::play(const Bytes& message) {
  if (!peer_) establish();
  const auto keys = announced_keys(message, terms_);
  first_ = keys.empty() ? std::string() : TestSink::route_key(keys.front());
  Bytes out;
  for (const NlriKey& key : keys) put_octets(out, clean(key));
  put_octets(out, message);
  put_octets(out, sentinel());
  const std::size_t downs = bench_->sink().count("down");
  peer_->send(out);
  const bool passed = eventually([&] {
    return bench_->sink().route(sentinel_).has_value() || bench_->sink().count("down") > downs;
  });
  REQUIRE(passed);
  return bench_->sink().count("down") > downs ? reset() : outcome(keys);
}

std::vector<Outcome> LiveSession::play_all(const std::vector<Bytes>& messages) {
  if (!peer_) establish();
  const std::size_t downs = bench_->sink().count("down");
  for (const Bytes& message : messages) {
    Bytes out;
    for (const NlriKey& key : announced_keys(message, terms_)) put_octets(out, clean(key));
    put_octets(out, message);
    peer_->send(out);
  }
  peer_->send(sentinel());
  REQUIRE(eventually(
      [&] {
        return bench_->sink().route(sentinel_).has_value() || bench_->sink().count("down") > downs;
      },
      milliseconds(20000)));
  if (bench_->sink().count("down") > downs) return {reset()};
  std::vector<Outcome> outcomes;
  for (const Bytes& message : messages) outcomes.push_back(outcome(announced_keys(message, terms_)));
  return outcomes;
}

std::optional<Bytes> LiveSession::route() const { return bench_->sink().route(first_); }

}  // namespace lapwing::bgp::testing
