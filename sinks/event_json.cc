#include "sinks/event_json.h"

#include <type_traits>

#include "sinks/json_object.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::size_t kPrefixRoom = kMaxPrefixText + 2;

char* write_json_prefix(char* to, const Prefix& prefix) {
  *to++ = '"';
  to = write_prefix(to, prefix);
  *to++ = '"';
  return to;
}

using Object = BasicJsonObject<TextPiece>;

void append_json_prefix(TextPiece& out, const Prefix& prefix) {
  out.keep(write_json_prefix(out.room(kPrefixRoom), prefix));
}

void append_evidence(TextPiece& out, const Evidence& evidence) {
  Object object(out);
  object.text("peer", evidence.peer);
  object.number("peer_as", evidence.peer_as);
  object.write<kPrefixRoom>(
      "prefix", [&evidence](char* to) { return write_json_prefix(to, evidence.prefix); });
  object.text_or_null("old_path", evidence.old_path);
  object.text_or_null("new_path", evidence.new_path);
  object.time_or_null("time", evidence.time);
}

void append_known_upstream(TextPiece& out, const KnownUpstream& known) {
  Object object(out);
  object.number("as", known.as);
  object.time_or_null("first_seen", known.first_seen);
  object.time_or_null("last_seen", known.last_seen);
  object.boolean("active", known.active);
}

void append_field(TextPiece& out, Object& object, const Field& field) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::int64_t>)
          object.number(field.name, v);
        else if constexpr (std::is_same_v<T, bool>)
          object.boolean(field.name, v);
        else if constexpr (std::is_same_v<T, std::string>)
          object.text(field.name, v);
        else if constexpr (std::is_same_v<T, Timestamp>)
          object.time_or_null(field.name, v);
        else if constexpr (std::is_same_v<T, std::vector<Asn>>)
          object.list(field.name, v, [&out](Asn as) { append_number(out, as); });
        else
          object.list(field.name, v, [&out](const std::string& text) { append_json(out, text); });
      },
      field.value);
}

void append_id(Object& object, const JsonName& name, const EventId& id) {
  object.write<2 * sizeof id.bytes + 2>(name, [&id](char* to) {
    *to++ = '"';
    to = write_event_id(to, id);
    *to++ = '"';
    return to;
  });
}

void append_head(Object& object, const Event& event) {
  append_id(object, "id", event.id);
  append_id(object, "incident", event.incident);
  object.text("type", event.type);
  object.text("action", to_string(event.action));
  object.text("severity", to_string(event.severity));
  object.time_or_null("time", event.time);
}

void append_subject(TextPiece& out, Object& object, const Event& event) {
  if (event.origin_as) object.number("origin_as", *event.origin_as);
  if (event.upstream_as) object.number("upstream_as", *event.upstream_as);
  object.list("prefixes", event.prefixes,
              [&out](const Prefix& prefix) { append_json_prefix(out, prefix); });
  object.number("prefix_count", event.prefix_count);
  if (event.origin_prefix_count) object.number("origin_prefix_count", *event.origin_prefix_count);
  object.list("peers", event.peers,
              [&out](const std::string& peer) { append_json(out, peer); });
  if (event.direct) object.boolean("direct", *event.direct);
}

void append_proof(TextPiece& out, Object& object, const Event& event) {
  object.text("cause", to_string(event.cause));
  object.key("changed_between");
  if (event.changed_between) {
    out += '[';
    append_json_time(out, event.changed_between->from);
    out += ',';
    append_json_time(out, event.changed_between->to);
    out += ']';
  } else {
    out += "null";
  }
  if (event.known_upstreams)
    object.list("known_upstreams", *event.known_upstreams,
                [&out](const KnownUpstream& known) { append_known_upstream(out, known); });
  object.list("evidence", event.evidence,
              [&out](const Evidence& evidence) { append_evidence(out, evidence); });
}

}  // namespace

void append_event_json(std::string& text, const Event& event,
                       std::optional<std::uint64_t> number) {
  TextPiece out(text);
  Object object(out);
  if (number) object.number("number", *number);
  append_head(object, event);
  append_subject(out, object, event);
  append_proof(out, object, event);
  for (const Field& field : event.fields) append_field(out, object, field);
  object.text("rule", event.rule);
  object.text("summary", event.summary);
}

}  // namespace lapwing::sinks
