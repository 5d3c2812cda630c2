#include "rib/store_event_codec.h"

#include <cstring>

#include "rib/store_codec.h"

namespace lapwing::rib {

namespace {

constexpr std::uint8_t kEventVersion = 1;
constexpr std::size_t kHeader = 1 + 16;

namespace tag {
enum : std::uint32_t {
  kIncident = 1,
  kType = 2,
  kAction = 3,
  kSeverity = 4,
  kTime = 5,
  kCause = 6,
  kOriginAs = 7,
  kUpstreamAs = 8,
  kPrefix = 9,  // repeated
  kPrefixCount = 10,
  kOriginPrefixCount = 11,
  kPeer = 12,  // repeated
  kDirect = 13,
  kChangedFrom = 14,
  kChangedTo = 15,
  kKnownUpstreams = 16,  // present, perhaps with nothing in it
  kEvidence = 17,        // repeated
  kField = 18,           // repeated
  kRule = 19,
  kSummary = 20,
};
}
namespace upstream_tag {
enum : std::uint32_t { kAs = 1, kFirstSeen, kLastSeen, kActive };
}
namespace evidence_tag {
enum : std::uint32_t { kPeer = 1, kPeerAs, kPrefix, kOldPath, kNewPath, kTime };
}
namespace field_tag {
enum : std::uint32_t {
  kName = 1,
  kInteger,
  kBool,
  kText,
  kTime,
  kAsns,   // varints
  kTexts,  // length-prefixed texts
};
}

std::string encode_prefix(const Prefix& prefix) {
  std::string value;
  append_prefix(value, prefix);
  return value;
}

std::string encode_upstreams(const std::vector<KnownUpstream>& upstreams) {
  std::string list;
  for (const KnownUpstream& upstream : upstreams) {
    std::string item;
    FieldWriter fields(item);
    fields.number(upstream_tag::kAs, upstream.as);
    fields.time(upstream_tag::kFirstSeen, upstream.first_seen);
    fields.time(upstream_tag::kLastSeen, upstream.last_seen);
    fields.number(upstream_tag::kActive, upstream.active ? 1 : 0);
    append_varint(list, item.size());
    list += item;
  }
  return list;
}

std::string encode_evidence(const Evidence& evidence) {
  std::string item;
  FieldWriter fields(item);
  fields.text(evidence_tag::kPeer, evidence.peer);
  fields.number(evidence_tag::kPeerAs, evidence.peer_as);
  fields.text(evidence_tag::kPrefix, encode_prefix(evidence.prefix));
  if (evidence.old_path) fields.text(evidence_tag::kOldPath, *evidence.old_path);
  if (evidence.new_path) fields.text(evidence_tag::kNewPath, *evidence.new_path);
  fields.time(evidence_tag::kTime, evidence.time);
  return item;
}

struct FieldValueEncoder {
  FieldWriter& fields;

  void operator()(std::int64_t value) const { fields.integer(field_tag::kInteger, value); }
  void operator()(bool value) const { fields.number(field_tag::kBool, value ? 1 : 0); }
  void operator()(const std::string& value) const { fields.text(field_tag::kText, value); }
  void operator()(Timestamp value) const { fields.time(field_tag::kTime, value); }
  void operator()(const std::vector<Asn>& value) const {
    std::string list;
    for (const Asn asn : value) append_varint(list, asn);
    fields.text(field_tag::kAsns, list);
  }
  void operator()(const std::vector<std::string>& value) const {
    std::string list;
    for (const std::string& text : value) {
      append_varint(list, text.size());
      list += text;
    }
    fields.text(field_tag::kTexts, list);
  }
};

std::string encode_field(const Field& field) {
  std::string item;
  FieldWriter fields(item);
  fields.text(field_tag::kName, field.name);
  std::visit(FieldValueEncoder{fields}, field.value);
  return item;
}

bool decode_upstream(std::string_view octets, KnownUpstream& out) {
  FieldReader fields(octets);
  while (!fields.at_end()) {
    std::uint32_t t = 0;
    std::string_view value;
    if (!fields.next(t, value)) return false;
    bool ok = true;
    switch (t) {
      case upstream_tag::kAs:
        ok = read_number32(value, out.as);
        break;
      case upstream_tag::kFirstSeen:
        ok = read_time(value, out.first_seen);
        break;
      case upstream_tag::kLastSeen:
        ok = read_time(value, out.last_seen);
        break;
      case upstream_tag::kActive:
        ok = read_bool(value, out.active);
        break;
      default:
        break;
    }
    if (!ok) return false;
  }
  return true;
}

bool decode_upstreams(std::string_view octets, std::vector<KnownUpstream>& out) {
  OctetReader reader(octets);
  while (!reader.empty()) {
    std::string_view item;
    if (!reader.text(item) || !decode_upstream(item, out.emplace_back())) return false;
  }
  return true;
}

bool decode_evidence(std::string_view octets, Evidence& out) {
  FieldReader fields(octets);
  while (!fields.at_end()) {
    std::uint32_t t = 0;
    std::string_view value;
    if (!fields.next(t, value)) return false;
    bool ok = true;
    switch (t) {
      case evidence_tag::kPeer:
        out.peer = value;
        break;
      case evidence_tag::kPeerAs:
        ok = read_number32(value, out.peer_as);
        break;
      case evidence_tag::kPrefix:
        ok = read_prefix(value, out.prefix);
        break;
      case evidence_tag::kOldPath:
        out.old_path = value;
        break;
      case evidence_tag::kNewPath:
        out.new_path = value;
        break;
      case evidence_tag::kTime:
        ok = read_time(value, out.time);
        break;
      default:
        break;
    }
    if (!ok) return false;
  }
  return true;
}

bool decode_asns(std::string_view octets, FieldValue& out) {
  std::vector<Asn> list;
  OctetReader reader(octets);
  while (!reader.empty())
    if (!reader.varint32(list.emplace_back())) return false;
  out = std::move(list);
  return true;
}

bool decode_texts(std::string_view octets, FieldValue& out) {
  std::vector<std::string> list;
  OctetReader reader(octets);
  while (!reader.empty()) {
    std::string_view text;
    if (!reader.text(text)) return false;
    list.emplace_back(text);
  }
  out = std::move(list);
  return true;
}

template <typename T>
bool decode_value(bool (*read)(std::string_view, T&), std::string_view octets, FieldValue& out) {
  T value{};
  if (!read(octets, value)) return false;
  out = value;
  return true;
}

bool decode_field(std::string_view octets, Field& out) {
  FieldReader fields(octets);
  while (!fields.at_end()) {
    std::uint32_t t = 0;
    std::string_view value;
    if (!fields.next(t, value)) return false;
    bool ok = true;
    switch (t) {
      case field_tag::kName:
        out.name = value;
        break;
      case field_tag::kInteger:
        ok = decode_value<std::int64_t>(read_integer, value, out.value);
        break;
      case field_tag::kBool:
        ok = decode_value<bool>(read_bool, value, out.value);
        break;
      case field_tag::kText:
        out.value = std::string(value);
        break;
      case field_tag::kTime:
        ok = decode_value<Timestamp>(read_time, value, out.value);
        break;
      case field_tag::kAsns:
        ok = decode_asns(value, out.value);
        break;
      case field_tag::kTexts:
        ok = decode_texts(value, out.value);
        break;
      default:
        break;
    }
    if (!ok) return false;
  }
  return true;
}

bool read_id(std::string_view value, EventId& out) {
  if (value.size() != out.bytes.size()) return false;
  std::memcpy(out.bytes.data(), value.data(), value.size());
  return true;
}

template <typename Enum>
bool read_enum(std::string_view value, Enum last, Enum& out) {
  std::uint64_t number = 0;
  if (!read_number(value, number) || number > static_cast<std::uint64_t>(last)) return false;
  out = static_cast<Enum>(number);
  return true;
}

template <typename T>
bool read_optional(bool (*read)(std::string_view, T&), std::string_view value,
                   std::optional<T>& out) {
  return read(value, out.emplace());
}

TimeRange& changed_between(Event& event) {
  return event.changed_between ? *event.changed_between : event.changed_between.emplace();
}

bool decode_member(std::uint32_t t, std::string_view value, Event& out) {
  switch (t) {
    case tag::kIncident:
      return read_id(value, out.incident);
    case tag::kType:
      out.type = value;
      return true;
    case tag::kAction:
      return read_enum(value, Action::kClear, out.action);
    case tag::kSeverity:
      return read_enum(value, Severity::kDebug, out.severity);
    case tag::kTime:
      return read_time(value, out.time);
    case tag::kCause:
      return read_enum(value, Cause::kReplay, out.cause);
    case tag::kOriginAs:
      return read_optional(read_number32, value, out.origin_as);
    case tag::kUpstreamAs:
      return read_optional(read_number32, value, out.upstream_as);
    case tag::kPrefix:
      return read_prefix(value, out.prefixes.emplace_back());
    case tag::kPrefixCount:
      return read_number32(value, out.prefix_count);
    case tag::kOriginPrefixCount:
      return read_optional(read_number32, value, out.origin_prefix_count);
    case tag::kPeer:
      out.peers.emplace_back(value);
      return true;
    case tag::kDirect:
      return read_optional(read_bool, value, out.direct);
    case tag::kChangedFrom:
      return read_time(value, changed_between(out).from);
    case tag::kChangedTo:
      return read_time(value, changed_between(out).to);
    case tag::kKnownUpstreams:
      return decode_upstreams(value, out.known_upstreams.emplace());
    case tag::kEvidence:
      return decode_evidence(value, out.evidence.emplace_back());
    case tag::kField:
      return decode_field(value, out.fields.emplace_back());
    case tag::kRule:
      out.rule = value;
      return true;
    case tag::kSummary:
      out.summary = value;
      return true;
    default:
      return true;
  }
}

}  // namespace

std::string encode_event(const Event& event) {
  std::string out(1, static_cast<char>(kEventVersion));
  out.append(as_text(event.id.bytes));
  FieldWriter fields(out);
  fields.text(tag::kIncident, as_text(event.incident.bytes));
  fields.text(tag::kType, event.type);
  fields.number(tag::kAction, static_cast<std::uint64_t>(event.action));
  fields.number(tag::kSeverity, static_cast<std::uint64_t>(event.severity));
  fields.time(tag::kTime, event.time);
  fields.number(tag::kCause, static_cast<std::uint64_t>(event.cause));
  if (event.origin_as) fields.number(tag::kOriginAs, *event.origin_as);
  if (event.upstream_as) fields.number(tag::kUpstreamAs, *event.upstream_as);
  for (const Prefix& prefix : event.prefixes) fields.text(tag::kPrefix, encode_prefix(prefix));
  if (event.prefix_count != 0) fields.number(tag::kPrefixCount, event.prefix_count);
  if (event.origin_prefix_count) fields.number(tag::kOriginPrefixCount, *event.origin_prefix_count);
  for (const std::string& peer : event.peers) fields.text(tag::kPeer, peer);
  if (event.direct) fields.number(tag::kDirect, *event.direct ? 1 : 0);
  if (event.changed_between) {
    fields.time(tag::kChangedFrom, event.changed_between->from);
    fields.time(tag::kChangedTo, event.changed_between->to);
  }
  if (event.known_upstreams)
    fields.text(tag::kKnownUpstreams, encode_upstreams(*event.known_upstreams));
  for (const Evidence& e : event.evidence) fields.text(tag::kEvidence, encode_evidence(e));
  for (const Field& f : event.fields) fields.text(tag::kField, encode_field(f));
  if (!event.rule.empty()) fields.text(tag::kRule, event.rule);
  if (!event.summary.empty()) fields.text(tag::kSummary, event.summary);
  return out;
}

std::optional<EventId> decode_event_id(std::string_view octets) {
  EventId id;
  if (octets.size() < kHeader || static_cast<std::uint8_t>(octets[0]) != kEventVersion ||
      !read_id(octets.substr(1, 16), id))
    return std::nullopt;
  return id;
}

std::optional<EventMoment> decode_event_moment(std::string_view octets) {
  if (!decode_event_id(octets)) return std::nullopt;
  Event event;
  FieldReader fields(octets.substr(kHeader));
  while (!fields.at_end()) {
    std::uint32_t t = 0;
    std::string_view value;
    if (!fields.next(t, value)) return std::nullopt;
    if (t > tag::kCause) break;
    if ((t == tag::kTime || t == tag::kCause) && !decode_member(t, value, event))
      return std::nullopt;
  }
  return EventMoment{0, event.time, event.cause};
}

std::optional<Event> decode_event(std::string_view octets) {
  const auto id = decode_event_id(octets);
  if (!id) return std::nullopt;
  Event event;
  event.id = *id;
  FieldReader fields(octets.substr(kHeader));
  while (!fields.at_end()) {
    std::uint32_t t = 0;
    std::string_view value;
    if (!fields.next(t, value) || !decode_member(t, value, event)) return std::nullopt;
  }
  return event;
}

}  // namespace lapwing::rib
