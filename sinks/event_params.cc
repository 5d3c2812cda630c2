#include "sinks/event_params.h"

#include <concepts>
#include <type_traits>
#include <utility>

#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

template <typename List, typename Fn>
std::string join(const List& list, Fn&& append) {
  std::string out;
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ' ';
    first = false;
    append(out, item);
  }
  return out;
}

std::string number(std::integral auto value) {
  std::string out;
  append_number(out, value);
  return out;
}

std::string text_of(const FieldValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) {
          return v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          return number(v);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return v;
        } else if constexpr (std::is_same_v<T, Timestamp>) {
          std::string out;
          append_rfc3339(out, v);
          return out;
        } else if constexpr (std::is_same_v<T, std::vector<Asn>>) {
          return join(v, [](std::string& out, Asn as) { append_number(out, as); });
        } else {
          return join(v, [](std::string& out, const std::string& text) { out += text; });
        }
      },
      value);
}

}  // namespace

const Evidence* shown_evidence(const Event& event) {
  if (event.evidence.empty()) return nullptr;
  if (!event.prefixes.empty() && !event.peers.empty())
    for (const Evidence& e : event.evidence)
      if (e.prefix == event.prefixes.front() && e.peer == event.peers.front()) return &e;
  return &event.evidence.front();
}

std::vector<EventParam> event_params(const Event& event) {
  std::vector<EventParam> params;
  params.reserve(10 + event.fields.size());
  const auto add = [&params](std::string_view name, std::string value) {
    params.push_back({name, std::move(value)});
  };
  add("id", format_event_id(event.id));
  add("incident", format_event_id(event.incident));
  add("action", std::string(to_string(event.action)));
  if (event.origin_as) add("origin_as", number(*event.origin_as));
  if (event.upstream_as) add("upstream_as", number(*event.upstream_as));
  const Evidence* shown = shown_evidence(event);
  if (shown != nullptr || !event.prefixes.empty()) {
    std::string prefix;
    append_prefix(prefix, shown != nullptr ? shown->prefix : event.prefixes.front());
    add("prefix", std::move(prefix));
  }
  add("prefixes", number(event.prefix_count));
  if (shown != nullptr)
    add("peer", std::string(shown->peer.view()));
  else if (!event.peers.empty())
    add("peer", event.peers.front());
  if (shown != nullptr && shown->old_path) add("old_path", std::string(shown->old_path->view()));
  if (shown != nullptr && shown->new_path) add("new_path", std::string(shown->new_path->view()));
  for (const Field& field : event.fields) add(field.name, text_of(field.value));
  return params;
}

}  // namespace lapwing::sinks
