#include "sinks/event_template.h"

#include <algorithm>

#include "sinks/event_params.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::string_view kRaw = "|raw";

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string value_of(const Event& event, const std::vector<EventParam>& params,
                     std::string_view name) {
  if (name == "type") return event.type;
  if (name == "severity") return std::string(to_string(event.severity));
  if (name == "cause") return std::string(to_string(event.cause));
  if (name == "rule") return event.rule;
  if (name == "summary") return event.summary;
  if (name == "time") return format_rfc3339(event.time);
  const auto it = std::find_if(params.begin(), params.end(),
                               [name](const EventParam& param) { return param.name == name; });
  return it == params.end() ? "" : it->value;
}

}  // namespace

std::optional<EventTemplate> EventTemplate::parse(std::string_view text, std::string& error) {
  EventTemplate out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find("{{", at);
    if (open != at) out.parts_.push_back({std::string(text.substr(at, open - at)), false, false});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find("}}", open);
    std::string_view name =
        text.substr(open + 2, close == std::string_view::npos ? 0 : close - open - 2);
    const bool raw = name.ends_with(kRaw);
    if (raw) name.remove_suffix(kRaw.size());
    if (!is_name(name)) {
      error = "has no name between {{ and }} at octet " + std::to_string(open + 1);
      return std::nullopt;
    }
    out.parts_.push_back({std::string(name), true, raw});
    at = close + 2;
  }
  return out;
}

std::string EventTemplate::fill(const Event& event) const {
  const std::vector<EventParam> params = event_params(event);
  std::string out;
  for (const Part& part : parts_) {
    if (!part.place) {
      out += part.text;
      continue;
    }
    const std::string value = value_of(event, params, part.text);
    if (part.raw) {
      append_utf8(out, value);
    } else {
      std::string quoted;
      append_json(quoted, value);
      out.append(quoted, 1, quoted.size() - 2);
    }
  }
  return out;
}

}  // namespace lapwing::sinks
