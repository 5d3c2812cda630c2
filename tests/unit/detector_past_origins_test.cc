#include <doctest/doctest.h>

#include <map>
#include <string>

#include "detectors/past_origins.h"
#include "lapwing/large_allocator.h"

namespace {

using lapwing::Asn;
using lapwing::Nlri;
using lapwing::detectors::PastOrigins;

Nlri prefix(unsigned n) {
  Nlri nlri;
  nlri.family = lapwing::kIpv4Unicast;
  nlri.prefix.length = 24;
  for (unsigned i = 0; i < 3; ++i)
    nlri.prefix.address.bytes[i] = static_cast<std::uint8_t>(n >> (16 - 8 * i));
  return nlri;
}

lapwing::Timestamp at(int seconds) { return lapwing::Timestamp(std::chrono::seconds(seconds)); }

}  // namespace

TEST_CASE("past origins: the newest entry of a prefix and origin counts, and is taken once") {
  PastOrigins past(8);
  CHECK_FALSE(past.take(prefix(1), 100));
  past.remember(prefix(1), 100, {at(1), 0, false});
  past.remember(prefix(2), 100, {at(2), 0, false});
  past.remember(prefix(1), 100, {at(3), 2, true});
  CHECK_FALSE(past.take(prefix(1), 101));
  const auto newest = past.take(prefix(1), 100);
  REQUIRE(newest);
  CHECK(newest->left == at(3));
  CHECK(newest->times == 2);
  CHECK(newest->raised);
  CHECK_FALSE(past.take(prefix(1), 100));
  CHECK(past.take(prefix(2), 100));
}

TEST_CASE("past origins: the one that left last, of two at one moment the smaller") {
  PastOrigins past(8);
  CHECK_FALSE(past.last_origin(prefix(1)));
  past.remember(prefix(1), 300, {at(1), 0, false});
  past.remember(prefix(1), 200, {at(1), 0, false});
  CHECK(past.last_origin(prefix(1)) == Asn{200});
  past.remember(prefix(1), 400, {at(2), 0, false});
  CHECK(past.last_origin(prefix(1)) == Asn{400});
  CHECK(past.take(prefix(1), 400));
  CHECK(past.last_origin(prefix(1)) == Asn{200});
}

TEST_CASE("past origins: beyond the limit the oldest go, those that came back first") {
  constexpr unsigned kLimit = 100;
  PastOrigins past(kLimit);
  for (unsigned n = 0; n < 2 * kLimit; ++n)
    past.remember(prefix(n), n, {at(static_cast<int>(n)), 0, false});
  CHECK(past.take(prefix(kLimit + 5), kLimit + 5));
  past.remember(prefix(1000), 1000, {at(1000), 0, false});  // makes room
  CHECK(past.take(prefix(1000), 1000));
  CHECK_FALSE(past.take(prefix(kLimit + 5), kLimit + 5));
  CHECK_FALSE(past.take(prefix(kLimit - 2), kLimit - 2));
  for (unsigned n = kLimit - 1; n < 2 * kLimit; ++n)
    if (n != kLimit + 5) CHECK(past.take(prefix(n), n).has_value());
}

TEST_CASE("past origins: what is stored and restored in pieces is the same memory") {
  constexpr unsigned kLimit = 64;
  PastOrigins past(kLimit);
  past.keep_track();
  std::map<std::uint32_t, std::string> stored;
  std::size_t writes = 0;
  const auto store = [&] {
    past.store_changed([&](std::uint32_t piece, const std::string& value) {
      ++writes;
      if (value.empty())
        stored.erase(piece);
      else
        stored[piece] = value;
    });
  };
  for (unsigned n = 0; n < 5 * kLimit; ++n) {
    past.remember(prefix(n), n + 1, {at(static_cast<int>(n)), n, n % 2 == 0});
    if (n % 3 == 0) CHECK(past.take(prefix(n), n + 1));
    if (n % 7 == 0) past.remember(prefix(n), 9, {at(static_cast<int>(n)), 0, false});
    store();
    if (n % 50 != 0) continue;
    PastOrigins again(kLimit);
    again.keep_track();
    for (const auto& [piece, value] : stored) REQUIRE(again.restore(piece, value));
    past = std::move(again);
  }
  CHECK(writes < 600);  // a piece for a change, and all of them where room is made
  for (unsigned n = 5 * kLimit - 60; n < 5 * kLimit; ++n) {
    const auto entry = past.take(prefix(n), n + 1);
    CHECK(entry.has_value() == (n % 3 != 0));
    if (entry) CHECK(entry->left == at(static_cast<int>(n)));
    if (entry) CHECK(entry->times == n);
    if (entry) CHECK(entry->raised == (n % 2 == 0));
  }
  store();
  PastOrigins other(kLimit);
  CHECK_FALSE(other.restore(0, "\x02"));
  CHECK_FALSE(other.restore(2 * kLimit, "\x01"));
  CHECK_FALSE(other.restore(1, std::string("\x01\0\0", 3)));
}

TEST_CASE("large allocator: blocks of all sizes, aligned where they are large") {
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, lapwing::kHugePage - 1,
                                 lapwing::kHugePage, 3 * lapwing::kHugePage + 17}) {
    lapwing::LargeVector<unsigned char> block(size, 7);
    block.push_back(9);
    CHECK(block.front() == 7);
    CHECK(block[size - 1] == 7);
    CHECK(block[size] == 9);
    if (lapwing::detail::kMapLarge && block.capacity() >= lapwing::kHugePage)
      CHECK(reinterpret_cast<std::uintptr_t>(block.data()) % lapwing::kHugePage == 0);
  }
}
