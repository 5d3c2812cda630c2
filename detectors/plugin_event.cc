#include "detectors/plugin_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "detectors/event_text.h"
#include "detectors/evidence.h"
#include "lapwing/utf8.h"

namespace lapwing::detectors {
namespace {

constexpr std::size_t kMaxText = 4096;  // of a rule, a summary or a field
constexpr std::size_t kMaxName = 64;    // of a type or a field
constexpr std::size_t kMaxFields = 64;

/// In lower snake case, and none that every event has, in JSON or as a syslog parameter.
bool is_field_name(std::string_view name) {
  static constexpr std::string_view kOfAll[] = {
      "number",          "id",       "incident",     "type",
      "action",          "severity", "time",         "origin_as",
      "upstream_as",     "prefixes", "prefix_count", "origin_prefix_count",
      "peers",           "direct",   "cause",        "changed_between",
      "known_upstreams", "evidence", "rule",         "summary",
      "prefix",          "peer",     "old_path",     "new_path",
      "repeat"};
  return !name.empty() && name.size() <= kMaxName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos &&
         std::ranges::count(kOfAll, name) == 0;
}

/// Of a year with four digits: others have no RFC 3339 text.
bool is_tellable(std::int64_t time) {
  using std::chrono::sys_days;
  constexpr Timestamp kFirst = sys_days(std::chrono::year(0) / 1 / 1);
  constexpr Timestamp kEnd = sys_days(std::chrono::year(10000) / 1 / 1);
  return kFirst <= from_unix_micros(time) && from_unix_micros(time) < kEnd;
}

bool has_last_known(const lapwing_event& e) {
  return e.last_known != LAPWING_NO_TIME && e.last_known != 0;
}

std::string fault_of_arrays(const lapwing_event& e) {
  const struct {
    const char* name;
    const void* data;
    std::size_t count;
  } arrays[] = {{"id_parts", e.id_parts, e.id_part_count},
                {"incident_parts", e.incident_parts, e.incident_part_count},
                {"prefixes", e.prefixes, e.prefix_count},
                {"peers", e.peers, e.peer_count},
                {"evidence", e.evidence, e.evidence_count},
                {"fields", e.fields, e.field_count}};
  for (const auto& array : arrays)
    if (array.data == nullptr && array.count != 0)
      return fmt::format("`{}` is NULL, and its count is {}", array.name, array.count);
  if (e.id_part_count == 0) return "an event needs parts of an id";
  if (!is_whole(e.rule) || !is_whole(e.summary)) return "a text is NULL, and its size is not 0";
  return "";
}

std::string fault_of_head(const lapwing_event& e, Timestamp now) {
  if (std::string fault = fault_of_type(e.type); !fault.empty()) return fault;
  if (e.action > LAPWING_CLEAR) return fmt::format("there is no action {}", e.action);
  if (e.severity > 7) return fmt::format("there is no severity {}", e.severity);
  if (e.cause > LAPWING_REPLAY) return fmt::format("there is no cause {}", e.cause);
  if (has_last_known(e) && (!is_tellable(e.last_known) || from_unix_micros(e.last_known) > now))
    return "`last_known` is later than now, or no time";
  return "";
}

/// Types parted by single blanks, or that nothing ends.
bool is_ends(std::string_view ends) {
  if (ends == Event::kEndsNothing || ends.empty()) return true;
  if (ends.size() > kMaxText) return false;
  for (std::size_t at = 0; at <= ends.size();) {
    const std::size_t end = std::min(ends.find(' ', at), ends.size());
    if (!is_hyphenated(ends.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

std::string fault_of_ids(const lapwing_event& e, const Host& host) {
  const auto no_peer = [&](PeerId id) {
    return host.has_peer(id) ? "" : fmt::format("no neighbour has the id {}", id);
  };
  const auto no_path = [&](PathId id) {
    return id == kNoPath || host.has_path(id) ? "" : fmt::format("no path has the id {}", id);
  };
  for (const std::uint32_t peer : std::span(e.peers, e.peer_count))
    if (std::string fault = no_peer(peer); !fault.empty()) return fault;
  for (const lapwing_evidence& seen : std::span(e.evidence, e.evidence_count)) {
    if (std::string fault = no_peer(seen.peer); !fault.empty()) return fault;
    if (!host.has_prefix(seen.prefix)) return fmt::format("no prefix has the id {}", seen.prefix);
    for (const PathId path : {seen.before, seen.after})
      if (std::string fault = no_path(path); !fault.empty()) return fault;
  }
  return "";
}

std::string fault_of_fields(std::span<const lapwing_field> fields) {
  if (fields.size() > kMaxFields) return fmt::format("more than {} fields", kMaxFields);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const lapwing_field& f = fields[i];
    const std::string_view name = f.name == nullptr ? std::string_view() : f.name;
    if (!is_field_name(name))
      return "a member of an event needs a name in lower snake case that not every event has";
    const auto is_same = [name](const lapwing_field& other) { return other.name == name; };
    if (std::ranges::any_of(fields.first(i), is_same))
      return fmt::format("two fields are called `{}`", name);
    if (f.kind > LAPWING_TIME) return fmt::format("field `{}`: there is no kind {}", name, f.kind);
    if (f.kind == LAPWING_TEXT && !is_whole(f.text))
      return fmt::format("field `{}`: a text is NULL, and its size is not 0", name);
    if (f.kind == LAPWING_TIME && !is_tellable(f.number))
      return fmt::format("field `{}`: its time is beyond years of four digits", name);
  }
  return "";
}

FieldValue to_value(const lapwing_field& f) {
  switch (f.kind) {
    case LAPWING_BOOLEAN:
      return f.number != 0;
    case LAPWING_TEXT:
      return bounded_text(from_c(f.text));
    case LAPWING_TIME:
      return from_unix_micros(f.number);
    default:
      return f.number;
  }
}

}  // namespace

bool is_hyphenated(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kAll = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && kLetters.find(name.front()) != kLetters.npos && name.back() != '-' &&
         name.find_first_not_of(kAll) == name.npos && name.find("--") == name.npos;
}

bool is_prefix(const lapwing_prefix& p) {
  return (p.version == 4 && p.length <= 32) || (p.version == 6 && p.length <= 128);
}

Prefix from_c(const lapwing_prefix& p) {
  IpAddress address;
  address.version = p.version == 6 ? IpVersion::kV6 : IpVersion::kV4;
  std::memcpy(address.bytes.data(), p.address, address.size());
  return Prefix::make(address, p.length);
}

std::string bounded_text(std::string_view text) {
  // A code point that this divides lies beyond what is kept: what is replaced does not shrink.
  constexpr std::size_t kLongest = 4;
  std::string out;
  append_utf8(out, text.substr(0, kMaxText + kLongest));
  out.resize(cut_utf8(out, kMaxText).size());
  return out;
}

std::string fault_of_type(const char* type) {
  if (type == nullptr || std::strlen(type) > kMaxName || !is_hyphenated(type))
    return fmt::format("a type is lower-case words joined by hyphens, at most {} octets", kMaxName);
  if (is_built_in_event_type(type)) return fmt::format("type `{}` is one of Lapwing's own", type);
  return "";
}

std::string fault_of(const lapwing_event& e, const Host& host) {
  if (std::string fault = fault_of_arrays(e); !fault.empty()) return fault;
  if (std::string fault = fault_of_head(e, host.now()); !fault.empty()) return fault;
  if (e.ends != nullptr && !is_ends(e.ends)) return "`ends` is not types parted by blanks, nor `-`";
  for (const lapwing_prefix& p : std::span(e.prefixes, e.prefix_count))
    if (!is_prefix(p))
      return fmt::format("a prefix of version {} and length {} is none", p.version, p.length);
  if (std::string fault = fault_of_ids(e, host); !fault.empty()) return fault;
  return fault_of_fields({e.fields, e.field_count});
}

EventId incident_of(std::string_view detector, std::span<const std::uint64_t> parts) {
  return make_event_id(fmt::format("{} incident", detector), parts);
}

Event to_event(const lapwing_event& c, std::string_view detector, const Host& host) {
  Event e;
  e.id = make_event_id(fmt::format("{} {}", detector, c.type), {c.id_parts, c.id_part_count});
  e.incident = c.incident_part_count == 0
                   ? e.id
                   : incident_of(detector, {c.incident_parts, c.incident_part_count});
  e.type = c.type;
  e.action = c.action == LAPWING_RAISE    ? Action::kRaise
             : c.action == LAPWING_UPDATE ? Action::kUpdate
                                          : Action::kClear;
  e.severity = static_cast<Severity>(c.severity);
  e.time = host.now();
  e.cause = static_cast<Cause>(c.cause);
  if (c.has_origin != 0) e.origin_as = c.origin_as;
  if (c.has_upstream != 0) e.upstream_as = c.upstream_as;
  if (has_last_known(c)) e.changed_between = TimeRange{from_unix_micros(c.last_known), e.time};
  for (const lapwing_prefix& prefix : std::span(c.prefixes, c.prefix_count))
    insert_bounded(e.prefixes, from_c(prefix), Event::kMaxPrefixes);
  e.prefix_count = static_cast<std::uint32_t>(c.prefix_count);
  for (const std::uint32_t peer : std::span(c.peers, c.peer_count))
    insert_bounded(e.peers, host.peer(peer).name, kMaxEventPeers);
  for (std::size_t i = 0; i < std::min(c.evidence_count, Event::kMaxEvidence); ++i) {
    RouteChange change;
    change.peer = c.evidence[i].peer;
    change.prefix = c.evidence[i].prefix;
    change.before = c.evidence[i].before;
    change.after = c.evidence[i].after;
    e.evidence.push_back(make_evidence(host, change));
  }
  for (const lapwing_field& f : std::span(c.fields, c.field_count))
    e.fields.push_back({f.name, to_value(f)});
  if (c.ends != nullptr) e.ends = c.ends;
  e.rule = bounded_text(from_c(c.rule));
  e.summary = bounded_text(from_c(c.summary));
  return e;
}

}  // namespace lapwing::detectors
