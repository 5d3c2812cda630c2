#include "rib/attribute_packer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "bgp/hash.h"

namespace lapwing::rib {

namespace {

// Bits of the shape. ORIGIN is its value, or kOriginInRest.
constexpr std::uint32_t kOriginInRest = 3;
constexpr std::uint32_t kHasHead = 1 << 2;
constexpr std::uint32_t kHasSequence = 1 << 3;  // AS_PATH is one AS_SEQUENCE
constexpr std::uint32_t kHasCommunities = 1 << 4;
constexpr std::uint32_t kHasMultiExitDisc = 1 << 5;
constexpr std::uint32_t kHasLocalPref = 1 << 6;
constexpr std::uint32_t kHasAtomicAggregate = 1 << 7;
constexpr std::uint32_t kHasLargeCommunities = 1 << 8;
constexpr std::uint32_t kHasRest = 1 << 9;

constexpr std::size_t kMaxNextHop = 32;
constexpr std::uint32_t kHeadTold = 0;  // where a number would stand, less one

constexpr std::size_t kPlaces = 6;
constexpr std::uint32_t kAsBefore = 6;
constexpr std::uint32_t kTold = 7;
constexpr unsigned kLowBits = 5;  // beside the code, of the low half of a community
constexpr std::uint32_t kLongLow = (1 << kLowBits) - 1;
constexpr std::size_t kCommunity = 4, kLargeCommunity = 12;  // octets

std::uint8_t* write_be16(std::uint8_t* out, std::uint32_t value) {
  out[0] = static_cast<std::uint8_t>(value >> 8);
  out[1] = static_cast<std::uint8_t>(value);
  return out + 2;
}
std::uint8_t* write_be32(std::uint8_t* out, std::uint32_t value) {
  return write_be16(write_be16(out, value >> 16), value);
}
std::uint8_t* write_octets(std::uint8_t* out, Octets octets) {
  if (!octets.empty()) std::memcpy(out, octets.data(), octets.size());
  return out + octets.size();
}
std::uint8_t* write_entry(std::uint8_t* out, std::uint8_t type, Octets value) {
  *out++ = type;
  return write_octets(write_varint(out, value.size()), value);
}

/// The first ASNs of a path, which communities can name by their place.
class Places {
 public:
  bool full() const { return size_ == kPlaces; }
  void add(Asn as) {
    if (size_ < kPlaces && (size_ == 0 || ases_[size_ - 1] != as)) ases_[size_++] = as;
  }
  /// Once all are added, before `code_of_low_half`.
  void settle() {
    // An empty place is as the first one: it is never the one that is found.
    const std::uint64_t first = ases_[0] & 0xffff;
    low_ = {first * kOnes, first * kOnes};
    for (std::uint32_t i = 1; i < size_; ++i)
      low_[i / 4] ^= (first ^ (ases_[i] & 0xffff)) << i % 4 * 16;
  }
  /// Of a community that tells the low half of an AS, four places at a time.
  std::uint32_t code_of_low_half(std::uint32_t half, std::uint32_t before) const {
    constexpr std::uint64_t kTops = 0x8000800080008000;
    for (std::uint32_t word = 0; word < 2 && size_ != 0; ++word) {
      const std::uint64_t differs = low_[word] ^ half * kOnes;
      // The lowest bit of it belongs to the first place without a difference.
      if (const std::uint64_t same = (differs - kOnes) & ~differs & kTops; same != 0)
        return word * 4 + static_cast<std::uint32_t>(std::countr_zero(same)) / 16;
    }
    return half == before ? kAsBefore : kTold;
  }
  std::uint32_t code_of(Asn as, Asn before) const {
    for (std::uint32_t i = 0; i < size_; ++i)
      if (ases_[i] == as) return i;
    return as == before ? kAsBefore : kTold;
  }
  /// What either has told; kTold is not asked for.
  Asn as_of(std::uint32_t code, Asn before) const { return code < size_ ? ases_[code] : before; }

 private:
  static constexpr std::uint64_t kOnes = 0x0001000100010001;
  std::array<Asn, kPlaces> ases_{};
  std::array<std::uint64_t, 2> low_;  // of four places each
  std::uint32_t size_ = 0;
};

std::uint8_t* pack_communities(std::uint8_t* out, Octets value, const Places& places) {
  out = write_varint(out, value.size() / kCommunity);
  Asn before = 0;
  for (std::size_t at = 0; at < value.size(); at += kCommunity) {
    const Asn as = read_u16(&value[at]);
    const std::uint32_t code = places.code_of_low_half(as, before);
    const std::uint32_t low = read_u16(&value[at + 2]);
    *out++ = static_cast<std::uint8_t>(code << kLowBits | std::min(low >> 8, kLongLow));
    if (low >> 8 >= kLongLow) *out++ = static_cast<std::uint8_t>(low >> 8);
    *out++ = static_cast<std::uint8_t>(low);
    if (code == kTold) out = write_be16(out, as);
    before = as;
  }
  return out;
}

std::uint8_t* pack_large_communities(std::uint8_t* out, Octets value, const Places& places) {
  out = write_varint(out, value.size() / kLargeCommunity);
  Asn before = 0;
  for (std::size_t at = 0; at < value.size(); at += kLargeCommunity) {
    const Asn as = read_u32(&value[at]);
    const std::uint32_t code = places.code_of(as, before);
    *out++ = static_cast<std::uint8_t>(code);
    if (code == kTold) out = write_be32(out, as);
    out = write_varint(write_varint(out, read_u32(&value[at + 4])), read_u32(&value[at + 8]));
    before = as;
  }
  return out;
}

std::uint8_t* unpack_communities(std::uint8_t* out, const std::uint8_t*& p, const std::uint8_t* end,
                                 const Places& places) {
  const std::uint32_t count = read_varint(p, end);
  *out++ = attribute::kCommunities;
  out = write_varint(out, count * kCommunity);
  Asn before = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t code = *p >> kLowBits;
    std::uint32_t high = *p++ & kLongLow;
    if (high == kLongLow) high = *p++;
    const std::uint32_t low = high << 8 | *p++;
    Asn as = places.as_of(code, before) & 0xffff;
    if (code == kTold) as = read_u16(p), p += 2;
    out = write_be16(write_be16(out, as), low);
    before = as;
  }
  return out;
}

std::uint8_t* unpack_large_communities(std::uint8_t* out, const std::uint8_t*& p,
                                       const std::uint8_t* end, const Places& places) {
  const std::uint32_t count = read_varint(p, end);
  *out++ = attribute::kLargeCommunity;
  out = write_varint(out, count * kLargeCommunity);
  Asn before = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t code = *p++;
    Asn as = places.as_of(code, before);
    if (code == kTold) as = read_u32(p), p += 4;
    out = write_be32(out, as);
    for (int half = 0; half < 2; ++half) out = write_be32(out, read_varint(p, end));
    before = as;
  }
  return out;
}

/// Moves `p` past a varint; false where `write_varint` would not have written it so.
bool read_exact_varint(const std::uint8_t*& p, const std::uint8_t* end, std::uint32_t& value) {
  if (p != end && *p < 0x80) [[likely]] {
    value = *p++;
    return true;
  }
  const std::uint8_t* const begin = p;
  value = read_varint(p, end);
  const auto size = static_cast<std::size_t>(p - begin);
  return size == varint_size(value) && p[-1] <= (size == 5 ? 0x0f : 0x7f);
}

constexpr std::uint64_t kTopBits = 0x8080808080808080;

std::uint64_t load_word(const std::uint8_t* p) {
  std::uint64_t value = 0;
  std::memcpy(&value, p, sizeof value);
  return value;
}

/// How many varints end in these eight octets.
std::uint32_t ends_in(std::uint64_t word) {
  return static_cast<std::uint32_t>(std::popcount(~word & kTopBits));
}

std::size_t count_varints(const std::uint8_t* p, const std::uint8_t* end) {
  std::size_t count = 0;
  for (; end - p >= 8; p += 8) count += ends_in(load_word(p));
  for (; p != end; ++p) count += *p < 0x80 ? 1 : 0;
  return count;
}

/// Moves past so many varints; there are as many.
const std::uint8_t* skip_varints(const std::uint8_t* p, const std::uint8_t* end,
                                 std::uint32_t count) {
  for (; end - p >= 8; p += 8) {
    const std::uint32_t ends = ends_in(load_word(p));
    if (ends >= count) break;
    count -= ends;
  }
  while (count != 0) count -= *p++ < 0x80 ? 1 : 0;
  return p;
}

/// What of a canonical set is packed; the rest is written as it stands.
struct Parts {
  /// Not cleared: the shape tells which are set.
  struct Value {
    const std::uint8_t* at;
    std::size_t size;

    operator Octets() const { return {at, size}; }
    Value& operator=(Octets value) {
      at = value.data();
      size = value.size();
      return *this;
    }
  };

  std::uint32_t shape = kOriginInRest;
  std::uint32_t hops;
  Value asns;  // of an AS_PATH that is one AS_SEQUENCE
  Value next_hop, multi_exit_disc, local_pref, communities, large_communities;

  /// False: it belongs to the rest.
  bool take(std::uint8_t type, Octets value);
  bool take_sequence(Octets value);
  bool note(bool fits, std::uint32_t bit) {
    if (fits) shape |= bit;
    return fits;
  }
};

bool Parts::take_sequence(Octets value) {
  const std::uint8_t* p = value.data();
  const std::uint8_t* const end = p + value.size();
  if (value.empty() || *p++ != static_cast<std::uint8_t>(SegmentType::kAsSequence)) return false;
  if (!read_exact_varint(p, end, hops) || hops == 0) return false;
  const Octets all(p, end);
  Asn first = 0;  // is written anew
  if (all.empty() || all.back() >= 0x80 || count_varints(p, end) != hops ||
      !read_exact_varint(p, end, first))
    return false;
  asns = all;
  return true;
}

bool Parts::take(std::uint8_t type, Octets value) {
  switch (type) {
    case attribute::kOrigin:
      if (value.size() != 1 || value[0] >= kOriginInRest) return false;
      shape = (shape & ~kOriginInRest) | value[0];
      return true;
    case attribute::kAsPath: return note(take_sequence(value), kHasSequence);
    case attribute::kNextHop:
      next_hop = value;
      return note(!value.empty() && value.size() <= kMaxNextHop, kHasHead);
    case attribute::kMultiExitDisc:
      multi_exit_disc = value;
      return note(value.size() == 4, kHasMultiExitDisc);
    case attribute::kLocalPref:
      local_pref = value;
      return note(value.size() == 4, kHasLocalPref);
    case attribute::kAtomicAggregate: return note(value.empty(), kHasAtomicAggregate);
    case attribute::kCommunities:
      communities = value;
      return note(value.size() % kCommunity == 0, kHasCommunities);
    case attribute::kLargeCommunity:
      large_communities = value;
      return note(value.size() % kLargeCommunity == 0, kHasLargeCommunities);
    default: return false;
  }
}

/// Writes what belongs to the rest and moves `out` behind it. False where it is no canonical set.
bool split(Octets canonical, Parts& parts, std::uint8_t*& out) {
  const std::uint8_t* p = canonical.data();
  const std::uint8_t* const end = p + canonical.size();
  for (int before = -1; p != end;) {
    const std::uint8_t* const begin = p;
    const std::uint8_t type = *p++;
    std::uint32_t size = 0;
    if (type <= before || !read_exact_varint(p, end, size) ||
        size > static_cast<std::size_t>(end - p))
      return false;
    before = type;
    const Octets value(p, size);
    p += size;
    if (!parts.take(type, value)) out = write_octets(out, {begin, p});
  }
  return true;
}

}  // namespace

std::size_t AttributePacker::HeadHash::operator()(const Head& head) const {
  const std::uint8_t* p = head.next_hop.data();
  const std::uint64_t half = bgp::hash_words(bgp::hash_seed(), load_word(p), load_word(p + 8));
  const std::uint64_t hash = bgp::hash_words(half, load_word(p + 16), load_word(p + 24));
  return bgp::hash_words(hash, head.as, head.size * 2u + (head.has_as ? 1u : 0u));
}

std::uint32_t AttributePacker::number_of(const Head& head) {
  if (latest_ != kNoHead && heads_[latest_] == head) return latest_;
  if (const auto known = numbers_.find(head); known != numbers_.end())
    return latest_ = known->second;
  const auto number = static_cast<std::uint32_t>(numbers_.size());
  if (number == kMaxHeads || !heads_.grow_to(number)) return kNoHead;
  heads_[number] = head;
  numbers_.emplace(head, number);
  return latest_ = number;
}

Octets AttributePacker::pack(Octets canonical) {
  // A list of communities can get longer, by a quarter; sizes are told besides.
  constexpr std::size_t kSlack = 64;
  constexpr std::size_t kMaxPrologue = 2 + 5;  // shape, and the size of the rest
  if (const std::size_t room = 2 * canonical.size() + kSlack; scratch_.size() < room)
    scratch_.resize(room);
  std::uint8_t* const rest = scratch_.data() + kMaxPrologue;
  std::uint8_t* out = rest;
  Parts parts;
  if (!split(canonical, parts, out)) {
    parts.shape = kOriginInRest;
    out = write_octets(rest, canonical);
  }
  const auto rest_size = static_cast<std::size_t>(out - rest);
  if (rest_size != 0) parts.shape |= kHasRest;
  std::uint8_t* const begin =
      rest - varint_size(parts.shape) - (rest_size != 0 ? varint_size(rest_size) : 0);
  std::uint8_t* const size_at = write_varint(begin, parts.shape);
  if (rest_size != 0) write_varint(size_at, rest_size);

  const bool has_sequence = (parts.shape & kHasSequence) != 0;
  const std::uint8_t* asn = has_sequence ? parts.asns.at : nullptr;
  const std::uint8_t* const end = has_sequence ? asn + parts.asns.size : nullptr;
  Places places;
  if ((parts.shape & kHasHead) != 0) {
    const std::uint8_t* second = asn;
    Head head;
    head.size = static_cast<std::uint8_t>(parts.next_hop.size);
    write_octets(head.next_hop.data(), parts.next_hop);
    head.has_as = has_sequence;
    if (has_sequence) head.as = read_varint(second, end);
    if (const std::uint32_t number = number_of(head); number != kNoHead) {
      out = write_varint(out, number + 1);
      if (has_sequence) places.add(head.as);
      asn = second;
    } else {
      out = write_varint(out, kHeadTold);
      *out++ = head.size;
      out = write_octets(out, parts.next_hop);
    }
  }
  if (has_sequence) {
    out = write_varint(out, parts.hops);
    out = write_octets(out, {asn, end});
  }
  if ((parts.shape & kHasMultiExitDisc) != 0)
    out = write_varint(out, read_u32(parts.multi_exit_disc.at));
  if ((parts.shape & kHasLocalPref) != 0)
    out = write_varint(out, read_u32(parts.local_pref.at));
  if ((parts.shape & (kHasCommunities | kHasLargeCommunities)) != 0) {
    while (asn != end && !places.full()) places.add(read_varint(asn, end));
    places.settle();
  }
  if ((parts.shape & kHasCommunities) != 0) out = pack_communities(out, parts.communities, places);
  if ((parts.shape & kHasLargeCommunities) != 0)
    out = pack_large_communities(out, parts.large_communities, places);
  return {begin, out};
}

Octets AttributePacker::unpack(Octets packed, PathBuffer& buffer) const {
  // One octet of a list is at most four; what else there is takes few.
  constexpr std::size_t kGrowth = 4, kSlack = 96;
  if (const std::size_t room = kGrowth * packed.size() + kSlack; buffer.size() < room)
    buffer.resize(room);
  std::uint8_t* out = buffer.data();
  const std::uint8_t* p = packed.data();
  const std::uint8_t* const end = p + packed.size();

  const std::uint32_t shape = read_varint(p, end);
  const std::uint8_t* rest = p;
  if ((shape & kHasRest) != 0) {
    const std::uint32_t size = read_varint(p, end);
    rest = p;
    p += size;
  }
  const std::uint8_t* const rest_end = p;
  // Entries are in ascending order: those of the rest that stand before this type.
  const auto write_rest_below = [&](std::uint8_t type) {
    const std::uint8_t* from = rest;
    while (rest != rest_end && *rest < type) {
      const std::uint32_t size = read_varint(++rest, rest_end);
      rest += size;
    }
    out = write_octets(out, {from, rest});
  };

  if ((shape & kOriginInRest) != kOriginInRest) {
    write_rest_below(attribute::kOrigin);
    const std::uint8_t origin = shape & kOriginInRest;
    out = write_entry(out, attribute::kOrigin, {&origin, 1});
  }
  Places places;
  Octets next_hop;
  const Head* head = nullptr;
  if ((shape & kHasHead) != 0) {
    if (const std::uint32_t number = read_varint(p, end); number != kHeadTold) {
      head = &heads_[number - 1];
      next_hop = {head->next_hop.data(), head->size};
    } else {
      next_hop = {p + 1, *p};
      p += 1 + next_hop.size();
    }
  }
  if ((shape & kHasSequence) != 0) {
    write_rest_below(attribute::kAsPath);
    const std::uint32_t hops = read_varint(p, end);
    const bool first_in_head = head != nullptr && head->has_as;
    if (first_in_head) places.add(head->as);
    const std::uint8_t* const asns = p;
    p = skip_varints(p, end, hops - (first_in_head ? 1 : 0));
    const auto others = static_cast<std::size_t>(p - asns);
    if ((shape & (kHasCommunities | kHasLargeCommunities)) != 0)
      for (const std::uint8_t* asn = asns; asn != p && !places.full();)
        places.add(read_varint(asn, p));
    *out++ = attribute::kAsPath;
    out = write_varint(out, 1 + varint_size(hops) + others +
                                (first_in_head ? varint_size(head->as) : 0));
    *out++ = static_cast<std::uint8_t>(SegmentType::kAsSequence);
    out = write_varint(out, hops);
    if (first_in_head) out = write_varint(out, head->as);
    out = write_octets(out, {asns, others});
  }
  if (!next_hop.empty()) {
    write_rest_below(attribute::kNextHop);
    out = write_entry(out, attribute::kNextHop, next_hop);
  }
  const auto unpack_number = [&](std::uint8_t type) {
    write_rest_below(type);
    std::array<std::uint8_t, 4> value;
    write_be32(value.data(), read_varint(p, end));
    out = write_entry(out, type, value);
  };
  if ((shape & kHasMultiExitDisc) != 0) unpack_number(attribute::kMultiExitDisc);
  if ((shape & kHasLocalPref) != 0) unpack_number(attribute::kLocalPref);
  if ((shape & kHasAtomicAggregate) != 0) {
    write_rest_below(attribute::kAtomicAggregate);
    out = write_entry(out, attribute::kAtomicAggregate, {});
  }
  if ((shape & kHasCommunities) != 0) {
    write_rest_below(attribute::kCommunities);
    out = unpack_communities(out, p, end, places);
  }
  if ((shape & kHasLargeCommunities) != 0) {
    write_rest_below(attribute::kLargeCommunity);
    out = unpack_large_communities(out, p, end, places);
  }
  out = write_octets(out, {rest, rest_end});
  return {buffer.data(), out};
}

}  // namespace lapwing::rib
