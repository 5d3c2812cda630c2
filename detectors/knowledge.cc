#include "detectors/knowledge.h"

#include "detectors/event_text.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kKnowledgeFormat = 2;  // 1: without gaps
constexpr std::uint8_t kOpen = 1, kRaised = 2, kDamped = 4, kFlapReported = 8, kNothingStands = 16,
                       kNewStands = 32;

/// Makes one interval of two: those with the shortest absence between them, of several the oldest.
void close_shortest_gap(std::vector<Interval>& past) {
  const std::size_t older = past.size() - kRecentIntervals;
  std::size_t at = 1;
  for (std::size_t i = 2; i < older; ++i)
    if (past[i].from - past[i - 1].to < past[at].from - past[at - 1].to) at = i;
  past[at - 1].to = past[at].to;
  past[at - 1].gaps += past[at].gaps + 1;
  past.erase(past.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

std::string adjacency_key(Asn origin, Asn upstream) {
  std::string key;
  put_u32(key, origin);
  put_u32(key, upstream);
  return key;
}

std::uint32_t Knowledge::find(Asn origin, Asn upstream) const {
  return index_.find(key_of(origin, upstream));
}

std::uint32_t Knowledge::find_origin(Asn origin) const { return origin_index_.find(origin); }

std::uint32_t Knowledge::name_origin(Asn origin) {
  if (const std::uint32_t found = find_origin(origin); found != kNoNumber) return found;
  const auto number = static_cast<std::uint32_t>(origins_.size());
  origins_.emplace_back().as = origin;
  origin_index_.insert(origin, number);
  return number;
}

std::uint32_t Knowledge::name(Asn origin, Asn upstream) {
  if (const std::uint32_t found = find(origin, upstream); found != kNoNumber) return found;
  const auto number = static_cast<std::uint32_t>(records_.size());
  AdjacencyRecord& r = records_.emplace_back();
  r.origin = origin;
  r.upstream = upstream;
  r.origin_number = name_origin(origin);
  r.next_of_origin = origins_[r.origin_number].first_adjacency;
  origins_[r.origin_number].first_adjacency = number;
  index_.insert(key_of(origin, upstream), number);
  return number;
}

const std::vector<Interval>& Knowledge::intervals(std::uint32_t number) const {
  static const std::vector<Interval> kNone;
  const std::uint32_t at = records_[number].past;
  return at == kNoNumber ? kNone : intervals_[at];
}

std::vector<Interval>& Knowledge::past_of(AdjacencyRecord& record) {
  if (record.past == kNoNumber) {
    record.past = static_cast<std::uint32_t>(intervals_.size());
    intervals_.emplace_back();
  }
  return intervals_[record.past];
}

void Knowledge::open(std::uint32_t number, Timestamp now) {
  AdjacencyRecord& r = records_[number];
  if (!r.known()) {
    r.first_seen = now;
    ++origins_[r.origin_number].known;
  }
  ++r.activations;
  r.open = true;
  r.opened = now;
  r.last_seen = now;
  ++origins_[r.origin_number].open;
}

void Knowledge::note_transit(std::uint32_t number) {
  const AdjacencyRecord& r = records_[number];
  const Timestamp since = r.raised ? r.first_seen : Timestamp::min();
  std::optional<Timestamp>& known = origins_[name_origin(r.upstream)].transit_since;
  if (!known || since < *known) known = since;
}

void Knowledge::close(std::uint32_t number, Timestamp now, Timestamp last_seen) {
  AdjacencyRecord& r = records_[number];
  r.open = false;
  r.last_seen = last_seen;
  std::vector<Interval>& past = past_of(r);
  if (past.size() == kMaxIntervals) close_shortest_gap(past);
  past.push_back({r.opened, now});
  --origins_[r.origin_number].open;
}

std::size_t Knowledge::transitions_after(std::uint32_t number, Timestamp after) const {
  const AdjacencyRecord& r = records_[number];
  std::size_t n = r.open && r.activations > 1 && r.opened > after ? 1 : 0;
  const std::vector<Interval>& past = intervals(number);
  for (const Interval& i : past) {
    const bool first_sight = &i == past.data() && i.from == r.first_seen;  // not a return
    if (i.to > after) ++n;
    if (i.from > after && !first_sight) ++n;
  }
  return n;
}

/// format (1 octet) | flags (1) | activations (4) | folded (4) | first seen, last seen, opened,
/// damped since (8 each, microseconds) | number of intervals (1) | from, to (8 each), gaps (4) for
/// each. All big-endian.
void Knowledge::encode(std::uint32_t number, std::string& value) const {
  const AdjacencyRecord& r = records_[number];
  const std::vector<Interval>& past = intervals(number);
  value.clear();
  put_u8(value, kKnowledgeFormat);
  put_u8(value, static_cast<std::uint8_t>((r.open ? kOpen : 0) | (r.raised ? kRaised : 0) |
                                          (r.damped ? kDamped : 0) |
                                          (r.flap_reported ? kFlapReported : 0) |
                                          (r.stands == RaiseOf::kNothing ? kNothingStands : 0) |
                                          (r.stands == RaiseOf::kNew ? kNewStands : 0)));
  put_u32(value, r.activations);
  put_u32(value, r.folded);
  for (const Timestamp t : {r.first_seen, r.last_seen, r.opened, r.damped_since})
    put_time(value, t);
  put_u8(value, static_cast<std::uint8_t>(past.size()));
  for (const Interval& i : past) {
    put_time(value, i.from);
    put_time(value, i.to);
    put_u32(value, i.gaps);
  }
}

bool Knowledge::restore(Asn origin, Asn upstream, std::string_view value) {
  StateReader in(value);
  const std::uint8_t format = in.u8();
  if (format == 0 || format > kKnowledgeFormat) return false;
  const std::uint8_t flags = in.u8();
  AdjacencyRecord stored;
  stored.activations = in.u32();
  stored.folded = in.u32();
  stored.first_seen = in.time();
  stored.last_seen = in.time();
  stored.opened = in.time();
  stored.damped_since = in.time();
  std::vector<Interval> past(in.u8());
  if (past.size() > kMaxIntervals) return false;
  for (Interval& i : past) {
    i.from = in.time();
    i.to = in.time();
    if (format > 1) i.gaps = in.u32();
  }
  if (!in.at_end() || stored.activations == 0) return false;
  if ((flags & kOpen) == 0 && past.empty()) return false;

  const std::uint32_t number = name(origin, upstream);
  AdjacencyRecord& r = records_[number];
  ++origins_[r.origin_number].known;
  r.activations = stored.activations;
  r.folded = stored.folded;
  r.first_seen = stored.first_seen;
  r.last_seen = stored.last_seen;
  r.opened = stored.opened;
  r.damped_since = stored.damped_since;
  r.open = (flags & kOpen) != 0;
  r.raised = (flags & kRaised) != 0;
  r.damped = (flags & kDamped) != 0;
  r.flap_reported = (flags & kFlapReported) != 0;
  // As older versions stored it: of what went nothing stands, of what came once its new-upstream.
  if ((flags & kNothingStands) == 0 && (r.open || r.damped))
    r.stands = (flags & kNewStands) != 0 || r.activations == 1 ? RaiseOf::kNew : RaiseOf::kReturned;
  if (r.open) ++origins_[r.origin_number].open;
  note_transit(number);
  if (!past.empty()) past_of(r) = std::move(past);
  return true;
}

std::size_t Knowledge::footprint() const {
  return records_.capacity() * sizeof(AdjacencyRecord) +
         origins_.capacity() * sizeof(OriginRecord) +
         intervals_.size() * (8 * sizeof(Interval) + 64);
}

}  // namespace lapwing::detectors
