#include <array>
#include <string_view>

#include "sinks/event_params.h"
#include "sinks/syslog_format.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

// CEF's scale is 0 to 10, the worst highest.
constexpr std::array<unsigned, 8> kCefSeverity = {10, 9, 8, 7, 6, 4, 2, 0};

void append_escaped(std::string& out, std::string_view text, char special) {
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '\\' || text[i] == special) out += '\\';
    const std::size_t size = decode_utf8(text, i).size;
    append_printable(out, text.substr(i, size));
    i += size;
  }
}

void append_pair(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty()) out += ' ';
  out += key;
  out += '=';
  append_escaped(out, value, '=');
}

void append_labelled(std::string& out, const std::string& key, std::string_view label,
                     std::string_view value) {
  append_pair(out, key + "Label", label);
  append_pair(out, key, value);
}

std::string extension(const Event& event) {
  std::string out;
  append_pair(out, "rt", std::to_string(unix_micros(event.time) / 1000));
  append_pair(out, "externalId", format_event_id(event.id));
  append_pair(out, "act", to_string(event.action));
  append_pair(out, "cat", event.type);
  append_labelled(out, "cs1", "incident", format_event_id(event.incident));
  if (event.origin_as) append_labelled(out, "cn1", "originAs", std::to_string(*event.origin_as));
  if (event.upstream_as)
    append_labelled(out, "cn2", "upstreamAs", std::to_string(*event.upstream_as));
  append_labelled(out, "cn3", "prefixes", std::to_string(event.prefix_count));
  const Evidence* shown = shown_evidence(event);
  if (shown != nullptr || !event.prefixes.empty())
    append_labelled(out, "cs2", "prefix",
                    format_prefix(shown != nullptr ? shown->prefix : event.prefixes.front()));
  if (shown != nullptr || !event.peers.empty())
    append_labelled(out, "cs3", "peer", shown != nullptr ? shown->peer : event.peers.front());
  if (shown != nullptr && shown->old_path)
    append_labelled(out, "cs4", "oldPath", *shown->old_path);
  if (shown != nullptr && shown->new_path)
    append_labelled(out, "cs5", "newPath", *shown->new_path);
  append_pair(out, "msg", event.summary);
  return out;
}

}  // namespace

void append_cef(std::string& out, const Event& event, const SyslogOptions& options,
                std::size_t limit) {
  out += "CEF:0|";
  append_escaped(out, options.program.name, '|');
  out += '|';
  append_escaped(out, options.program.name, '|');
  out += '|';
  append_escaped(out, options.program.version, '|');
  out += '|';
  append_escaped(out, event.type, '|');
  out += '|';
  append_escaped(out, message_id(event.type), '|');
  out += '|';
  append_number(out, kCefSeverity[static_cast<std::size_t>(event.severity) & 7]);
  out += '|';
  out += extension(event);
  out.resize(cut_utf8(out, limit).size());
}

}  // namespace lapwing::sinks
