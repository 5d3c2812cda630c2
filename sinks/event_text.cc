#include "sinks/event_text.h"

#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr bool turns_direction(char32_t c) {
  return c == 0x200e || c == 0x200f || c == 0x061c || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069);
}

void append_safe(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    if (point.valid && (is_control(point.code) || turns_direction(point.code)))
      out += '?';
    else
      append_utf8(out, text.substr(i, point.size));
    i += point.size;
  }
}

void append_path_text(std::string& out, const std::optional<SharedText>& path) {
  if (!path)
    out += "no route";
  else if (path->empty())
    out += "(empty path)";
  else
    append_safe(out, *path);
}

}  // namespace

std::string event_text(const Event& event, bool evidence) {
  std::string out;
  append_rfc3339(out, event.time);
  out[10] = ' ';
  out.resize(out.size() - 4);  // milliseconds are enough for a person
  out += ' ';
  const std::string_view severity = to_string(event.severity);
  out += severity;
  out.append(severity.size() < 9 ? 9 - severity.size() : 1, ' ');
  append_safe(out, event.type);
  out += ' ';
  out += to_string(event.action);
  out += ": ";
  append_safe(out, event.summary);
  if (!evidence) return out;
  for (const Evidence& sighting : event.evidence) {
    out += "\n    ";
    append_safe(out, sighting.peer);
    out += ' ';
    append_prefix(out, sighting.prefix);
    out += ": ";
    append_path_text(out, sighting.old_path);
    out += " -> ";
    append_path_text(out, sighting.new_path);
  }
  return out;
}

}  // namespace lapwing::sinks
