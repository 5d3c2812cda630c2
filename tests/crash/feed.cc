#include "tests/crash/feed.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "bgp/hash.h"

namespace lapwing::crash {

namespace {

using std::chrono::microseconds;

constexpr std::uint32_t kFirstTableStep = 480;  // routes in one batch of a first table
constexpr std::uint32_t kBurst = 6200;  // changes: enough for tables and history of their own

void put_varint(std::vector<std::uint8_t>& out, std::uint32_t value) {
  std::uint8_t octets[5];
  out.insert(out.end(), octets, write_varint(octets, value));
}

}  // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  return bgp::hash_words(bgp::fold_multiply(c + 0x632be59bd9b4e019, 0xff51afd7ed558ccd), a, b) >> 8;
}

Feed::Feed(std::uint64_t seed) : seed_(seed) {
  for (std::uint32_t peer = 0; peer < kPeers; ++peer)
    for (std::uint32_t p = 0; p < kPrefixes; ++p)
      table_[peer][p] = mix(seed_, peer, p) % 10 == 0 ? 0 : 1;
}

Feed::Change Feed::step() {
  const std::uint64_t n = ++changes_;
  Change change;
  change.peer = static_cast<std::uint32_t>(mix(seed_, n, 1) % kPeers);
  change.prefix = static_cast<std::uint32_t>(mix(seed_, n, 2) % kPrefixes);
  const std::uint64_t what = mix(seed_, n, 3);
  if (what % 8 != 0) change.variant = static_cast<Variant>(1 + what / 8 % 6);  // another transit
  if (what % 200 == 1) change.variant = static_cast<Variant>(100 + what / 256 % 100);  // upstream
  table_[change.peer][change.prefix] = change.variant;
  return change;
}

bgp::NlriKey Feed::key(std::uint32_t prefix) {
  bgp::NlriKey key;
  key.safi = kSafiUnicast;
  if (prefix % 5 == 4) {
    key.afi = kAfiIpv6;
    key.length = 32;
    key.high = static_cast<std::uint64_t>(0x2a000000u + prefix) << 32;
  } else {
    key.afi = kAfiIpv4;
    key.length = 24;
    key.high = static_cast<std::uint64_t>(20u << 24 | prefix << 8) << 32;
  }
  return key;
}

std::vector<std::uint8_t> Feed::path(std::uint32_t peer, std::uint32_t prefix, Variant variant) {
  constexpr std::array<std::uint32_t, 6> kTransits{1299, 2914, 3257, 3491, 5511, 6453};
  const std::uint32_t origin = 30000 + prefix / 4;
  const std::uint32_t upstream =
      variant >= 100 ? 8000u + variant : 9000 + static_cast<std::uint32_t>(mix(origin) % 40);
  std::vector<std::uint8_t> segment{2, 4};
  put_varint(segment, peer == 0 ? 3333 : 6939);
  put_varint(segment, kTransits[(variant + origin) % kTransits.size()]);
  put_varint(segment, upstream);
  put_varint(segment, origin);
  std::vector<std::uint8_t> set{attribute::kOrigin, 1, 0, attribute::kAsPath,
                                static_cast<std::uint8_t>(segment.size())};
  set.insert(set.end(), segment.begin(), segment.end());
  const bool ipv6 = prefix % 5 == 4;
  set.insert(set.end(), {attribute::kNextHop, static_cast<std::uint8_t>(ipv6 ? 16 : 4)});
  set.insert(set.end(), ipv6 ? 12 : 0, 0x20);
  set.insert(set.end(), {192, 0, 2, static_cast<std::uint8_t>(peer + 1)});
  set.insert(set.end(), {attribute::kMultiExitDisc, 4, 0, 0, 0, variant});
  return set;
}

Session::Session(Feed feed, std::uint64_t seed, Timestamp now)
    : feed_(std::move(feed)), seed_(seed), now_(now) {}

bgp::RecordBatch Session::next() {
  bgp::RecordBatch batch;
  const std::uint64_t chance = mix(seed_, number_, 4);
  now_ += microseconds(1000 + chance % 20000);
  if (at_ == kChurn && chance % 150 == 0) now_ += std::chrono::seconds(70);  // timers are due
  if (number_ == 0)
    begin(batch);
  else if (at_ != kChurn)
    announce_some(batch);
  else
    churn(batch);
  batch.add_tick(now_);
  ++number_;
  return batch;
}

void Session::begin(bgp::RecordBatch& batch) {
  for (std::uint32_t peer = 0; peer < Feed::kPeers; ++peer) {
    bgp::PeerDetail detail;
    detail.name = Feed::peer_name(peer);
    detail.address = *parse_address(peer == 0 ? "192.0.2.1" : "192.0.2.2");
    detail.as = peer == 0 ? 3333 : 6939;
    detail.local_as = 64512;
    batch.add_peer(now_, peer, std::move(detail));
  }
  for (std::uint32_t peer = 0; peer < Feed::kPeers; ++peer) {
    bgp::SessionDetail session;
    session.families = {kIpv4Unicast, kIpv6Unicast};
    batch.add_session(now_, peer, bgp::RecordKind::kPeerUp, std::move(session));
    up_[peer] = true;
  }
}

void Session::announce_some(bgp::RecordBatch& batch) {
  const std::uint32_t peer = at_ / Feed::kPrefixes;
  const std::uint32_t from = at_ % Feed::kPrefixes;
  const std::uint32_t to = std::min(from + kFirstTableStep, Feed::kPrefixes);
  announce_table(batch, peer, from, to);
  at_ += to - from;
}

void Session::announce_table(bgp::RecordBatch& batch, std::uint32_t peer, std::uint32_t from,
                             std::uint32_t to) {
  for (std::uint32_t p = from; p < to; ++p)
    if (const Feed::Variant v = feed_.variant(peer, p)) add(batch, {peer, p, v});
  if (to != Feed::kPrefixes) return;
  for (const Family family : {kIpv4Unicast, kIpv6Unicast})
    batch.add_mark(now_, peer, bgp::RecordKind::kEndOfRib, family);
}

void Session::churn(bgp::RecordBatch& batch) {
  const std::uint64_t chance = mix(seed_, number_, 5);
  if (chance % 40 == 1) return lose_or_find(batch);
  const std::uint64_t count = chance % 80 == 2 ? kBurst : 1 + chance / 128 % 20;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Feed::Change change = feed_.step();
    if (up_[change.peer]) add(batch, change);
  }
}

void Session::lose_or_find(bgp::RecordBatch& batch) {
  const auto peer = static_cast<std::uint32_t>(mix(seed_, number_, 6) % Feed::kPeers);
  bgp::SessionDetail detail;
  up_[peer] = !up_[peer];
  if (up_[peer]) {
    detail.families = {kIpv4Unicast, kIpv6Unicast};
    batch.add_session(now_, peer, bgp::RecordKind::kPeerUp, std::move(detail));
    announce_table(batch, peer, 0, Feed::kPrefixes);
  } else {
    detail.reason = "the hold timer expired";
    batch.add_session(now_, peer, bgp::RecordKind::kPeerDown, std::move(detail));
  }
}

void Session::add(bgp::RecordBatch& batch, const Feed::Change& change) {
  bgp::Record record;
  record.time = now_;
  record.peer = change.peer;
  record.kind = bgp::RecordKind::kUpdate;
  record.nlri_at = static_cast<std::uint32_t>(batch.nlri.size());
  batch.nlri.push_back(Feed::key(change.prefix));
  if (change.variant == 0) {
    record.withdrawn = 1;
  } else {
    record.announced = 1;
    const std::vector<std::uint8_t> set = Feed::path(change.peer, change.prefix, change.variant);
    record.attributes_at = static_cast<std::uint32_t>(batch.octets.size());
    record.attributes_size = static_cast<std::uint32_t>(set.size());
    batch.octets.insert(batch.octets.end(), set.begin(), set.end());
    record.attributes_hash = bgp::hash_octets(bgp::hash_seed(), set);
  }
  batch.records.push_back(record);
}

}  // namespace lapwing::crash
