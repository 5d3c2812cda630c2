#include "sinks/event_json.h"

#include <type_traits>

#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

template <typename List, typename Fn>
void append_list(std::string& out, const List& list, Fn&& append) {
  out += '[';
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ',';
    first = false;
    append(item);
  }
  out += ']';
}

void append_bool(std::string& out, bool value) { out += value ? "true" : "false"; }

void append_path(std::string& out, const std::optional<std::string>& path) {
  if (path)
    append_json(out, *path);
  else
    out += "null";
}

void append_evidence(std::string& out, const Evidence& evidence) {
  out += "{\"peer\":";
  append_json(out, evidence.peer);
  out += ",\"peer_as\":";
  append_number(out, evidence.peer_as);
  out += ",\"prefix\":\"";
  append_prefix(out, evidence.prefix);
  out += "\",\"old_path\":";
  append_path(out, evidence.old_path);
  out += ",\"new_path\":";
  append_path(out, evidence.new_path);
  out += ",\"time\":";
  append_json_time(out, evidence.time);
  out += '}';
}

void append_known_upstream(std::string& out, const KnownUpstream& known) {
  out += "{\"as\":";
  append_number(out, known.as);
  out += ",\"first_seen\":";
  append_json_time(out, known.first_seen);
  out += ",\"last_seen\":";
  append_json_time(out, known.last_seen);
  out += ",\"active\":";
  append_bool(out, known.active);
  out += '}';
}

void append_field_value(std::string& out, const FieldValue& value) {
  std::visit(
      [&out](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::int64_t>)
          append_number(out, v);
        else if constexpr (std::is_same_v<T, bool>)
          append_bool(out, v);
        else if constexpr (std::is_same_v<T, std::string>)
          append_json(out, v);
        else if constexpr (std::is_same_v<T, Timestamp>)
          append_json_time(out, v);
        else if constexpr (std::is_same_v<T, std::vector<Asn>>)
          append_list(out, v, [&out](Asn as) { append_number(out, as); });
        else
          append_list(out, v, [&out](const std::string& text) { append_json(out, text); });
      },
      value);
}

void append_head(std::string& out, const Event& event) {
  out += "\"id\":\"";
  append_event_id(out, event.id);
  out += "\",\"incident\":\"";
  append_event_id(out, event.incident);
  out += "\",\"type\":";
  append_json(out, event.type);
  out += ",\"action\":\"";
  out += to_string(event.action);
  out += "\",\"severity\":\"";
  out += to_string(event.severity);
  out += "\",\"time\":";
  append_json_time(out, event.time);
}

void append_subject(std::string& out, const Event& event) {
  if (event.origin_as) {
    out += ",\"origin_as\":";
    append_number(out, *event.origin_as);
  }
  if (event.upstream_as) {
    out += ",\"upstream_as\":";
    append_number(out, *event.upstream_as);
  }
  out += ",\"prefixes\":";
  append_list(out, event.prefixes, [&out](const Prefix& prefix) {
    out += '"';
    append_prefix(out, prefix);
    out += '"';
  });
  out += ",\"prefix_count\":";
  append_number(out, event.prefix_count);
  if (event.origin_prefix_count) {
    out += ",\"origin_prefix_count\":";
    append_number(out, *event.origin_prefix_count);
  }
  out += ",\"peers\":";
  append_list(out, event.peers, [&out](const std::string& peer) { append_json(out, peer); });
  if (event.direct) {
    out += ",\"direct\":";
    append_bool(out, *event.direct);
  }
}

void append_proof(std::string& out, const Event& event) {
  out += ",\"cause\":\"";
  out += to_string(event.cause);
  out += "\",\"changed_between\":";
  if (event.changed_between) {
    out += '[';
    append_json_time(out, event.changed_between->from);
    out += ',';
    append_json_time(out, event.changed_between->to);
    out += ']';
  } else {
    out += "null";
  }
  if (event.known_upstreams) {
    out += ",\"known_upstreams\":";
    append_list(out, *event.known_upstreams,
                [&out](const KnownUpstream& known) { append_known_upstream(out, known); });
  }
  out += ",\"evidence\":";
  append_list(out, event.evidence,
              [&out](const Evidence& evidence) { append_evidence(out, evidence); });
}

}  // namespace

void append_event_json(std::string& out, const Event& event,
                       std::optional<std::uint64_t> number) {
  out += '{';
  if (number) {
    out += "\"number\":";
    append_number(out, *number);
    out += ',';
  }
  append_head(out, event);
  append_subject(out, event);
  append_proof(out, event);
  for (const Field& field : event.fields) {
    out += ',';
    append_json(out, field.name);
    out += ':';
    append_field_value(out, field.value);
  }
  out += ",\"rule\":";
  append_json(out, event.rule);
  out += ",\"summary\":";
  append_json(out, event.summary);
  out += '}';
}

}  // namespace lapwing::sinks
