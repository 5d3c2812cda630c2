#include "sinks/syslog_format.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>
#include <type_traits>

#include "sinks/event_json.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",     "user",   "mail",   "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",     "cron",   "authpriv", "ftp",  "ntp",    "audit",  "alert",  "clock",
    "local0",   "local1", "local2", "local3", "local4", "local5", "local6", "local7"};

// PRINTUSASCII of RFC 5424 6, cut to the field's limit; "-" where nothing is left.
std::string header_field(std::string_view text, std::size_t limit) {
  std::string field;
  for (const char c : text.substr(0, limit))
    field += c > 0x20 && c < 0x7f ? c : '_';
  return field.empty() ? "-" : field;
}

// SD-NAME (RFC 5424 6.3): PRINTUSASCII without '=', ']' and '"', at most 32.
void append_sd_name(std::string& out, std::string_view name) {
  for (const char c : name.substr(0, 32))
    out += c > 0x20 && c < 0x7f && c != '=' && c != ']' && c != '"' ? c : '_';
  if (name.empty()) out += '_';
}

void append_sd_text(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\\' || c == ']') {
      out += '\\';
      out += c;
      ++i;
      continue;
    }
    const std::size_t size = decode_utf8(text, i).size;
    append_printable(out, text.substr(i, size));
    i += size;
  }
}

template <typename List, typename Fn>
void append_words(std::string& out, const List& list, Fn&& append) {
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ' ';
    first = false;
    append(item);
  }
}

void append_sd_value(std::string& out, const FieldValue& value) {
  std::visit(
      [&out](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::int64_t>)
          append_number(out, v);
        else if constexpr (std::is_same_v<T, bool>)
          out += v ? "true" : "false";
        else if constexpr (std::is_same_v<T, std::string>)
          append_sd_text(out, v);
        else if constexpr (std::is_same_v<T, Timestamp>)
          append_rfc3339(out, v);
        else if constexpr (std::is_same_v<T, std::vector<Asn>>)
          append_words(out, v, [&out](Asn as) { append_number(out, as); });
        else
          append_words(out, v, [&out](const std::string& text) { append_sd_text(out, text); });
      },
      value);
}

// Structured data that grows by whole parameters up to a limit.
class StructuredData {
 public:
  StructuredData(std::string& out, std::size_t limit) : out_(out), limit_(limit) {}

  template <typename Fn>
  void add(std::string_view name, Fn&& append_value) {
    if (full_) return;
    const std::size_t mark = out_.size();
    out_ += ' ';
    append_sd_name(out_, name);
    out_ += "=\"";
    append_value();
    out_ += '"';
    if (out_.size() + 1 <= limit_) return;
    out_.resize(mark);
    full_ = true;
  }
  void add_text(std::string_view name, std::string_view text) {
    add(name, [&] { append_sd_text(out_, text); });
  }
  template <typename T>
  void add_number(std::string_view name, T value) {
    add(name, [&] { append_number(out_, value); });
  }

 private:
  std::string& out_;
  std::size_t limit_;
  bool full_ = false;
};

void append_params(StructuredData& data, std::string& out, const Event& event) {
  data.add("id", [&] { append_event_id(out, event.id); });
  data.add("incident", [&] { append_event_id(out, event.incident); });
  data.add_text("action", to_string(event.action));
  if (event.origin_as) data.add_number("origin_as", *event.origin_as);
  if (event.upstream_as) data.add_number("upstream_as", *event.upstream_as);
  const Evidence* shown = shown_evidence(event);
  if (shown != nullptr || !event.prefixes.empty())
    data.add("prefix", [&] {
      append_prefix(out, shown != nullptr ? shown->prefix : event.prefixes.front());
    });
  data.add_number("prefixes", event.prefix_count);
  if (shown != nullptr)
    data.add_text("peer", shown->peer);
  else if (!event.peers.empty())
    data.add_text("peer", event.peers.front());
  if (shown != nullptr && shown->old_path) data.add_text("old_path", *shown->old_path);
  if (shown != nullptr && shown->new_path) data.add_text("new_path", *shown->new_path);
  for (const Field& field : event.fields)
    data.add(field.name, [&] { append_sd_value(out, field.value); });
}

void append_priority(std::string& out, const Event& event, const SyslogOptions& options) {
  out += '<';
  append_number(out, options.facility * 8 + static_cast<unsigned>(event.severity));
  out += '>';
}

void append_header(std::string& out, const Event& event, const SyslogOptions& options) {
  append_priority(out, event, options);
  out += "1 ";
  append_rfc3339(out, event.time);
  out += ' ';
  out += header_field(options.hostname, 255);
  out += ' ';
  out += header_field(options.app_name, 48);
  out += ' ';
  out += header_field(options.process_id, 128);
  out += ' ';
  out += message_id(event.type);
  out += ' ';
}

std::string message_text(const Event& event, const SyslogOptions& options) {
  std::string text = "%" + message_id(options.program.name) + "-";
  append_number(text, static_cast<unsigned>(event.severity));
  text += '-';
  text += message_id(event.type);
  text += ": ";
  append_printable(text, event.summary);
  return text;
}

// RFC 5424 6.4: a MSG in UTF-8 starts with the BOM; pure ASCII needs none.
void append_message(std::string& out, std::string_view text, std::size_t limit) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
  const std::string_view bom = ascii ? "" : "\xef\xbb\xbf";
  if (out.size() + 1 + bom.size() >= limit) return;
  out += ' ';
  out += bom;
  out += cut_utf8(text, limit - out.size());
}

std::string format_rfc5424(const Event& event, const SyslogOptions& options) {
  std::string out;
  out.reserve(640);
  append_header(out, event, options);
  out += '[';
  append_sd_name(out, std::string_view(options.program.name).substr(0, 20));
  out += '@';
  append_number(out, options.enterprise_number);
  StructuredData data(out, options.max_size);
  append_params(data, out, event);
  out += ']';
  append_message(out, message_text(event, options), options.max_size);
  return out;
}

// Takes a piece away that the counts still speak of, the least needed first; false: none is left.
bool drop_sample(Event& event) {
  if (!event.evidence.empty())
    event.evidence.pop_back();
  else if (!event.prefixes.empty())
    event.prefixes.pop_back();
  else if (!event.peers.empty())
    event.peers.resize(event.peers.size() / 2);
  else if (event.known_upstreams && !event.known_upstreams->empty())
    event.known_upstreams->resize(event.known_upstreams->size() / 2);
  else if (!event.fields.empty())
    event.fields.pop_back();
  else if (!event.rule.empty())
    event.rule.resize(event.rule.size() / 2);
  else if (!event.summary.empty())
    event.summary.resize(event.summary.size() / 2);
  else
    return false;
  return true;
}

// A JSON text cannot be cut, so one that is too long loses samples.
std::string format_json(const Event& event, const SyslogOptions& options) {
  std::string head;
  append_header(head, event, options);
  head += "- ";
  std::string out = head;
  append_event_json(out, event);
  if (out.size() <= options.max_size) return out;
  Event less = event;
  while (out.size() > options.max_size && drop_sample(less)) {
    out = head;
    append_event_json(out, less);
  }
  return out;
}

void append_legacy_header(std::string& out, const Event& event, const SyslogOptions& options) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  append_priority(out, event, options);
  const auto seconds = static_cast<std::time_t>(
      std::chrono::floor<std::chrono::seconds>(event.time).time_since_epoch().count());
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) local = std::tm{};
  const auto two = [&out](int value, char pad) {
    out += value < 10 ? pad : static_cast<char>('0' + value / 10);
    out += static_cast<char>('0' + value % 10);
  };
  out += kMonths.substr(static_cast<std::size_t>(local.tm_mon) * 3, 3);
  out += ' ';
  two(local.tm_mday, ' ');
  out += ' ';
  two(local.tm_hour, '0');
  out += ':';
  two(local.tm_min, '0');
  out += ':';
  two(local.tm_sec, '0');
  out += ' ';
  out += header_field(options.hostname, 255);
  out += ' ';
}

std::string format_rfc3164(const Event& event, const SyslogOptions& options) {
  std::string out;
  append_legacy_header(out, event, options);
  for (const char c : std::string_view(options.app_name).substr(0, 32)) {
    const bool fits = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    out += fits || c == '-' || c == '_' || c == '.' || c == '/' ? c : '_';
  }
  out += '[';
  out += header_field(options.process_id, 128);
  out += "]: ";
  out += message_text(event, options);
  out.resize(cut_utf8(out, options.max_size).size());
  return out;
}

std::string local_hostname() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

const Evidence* shown_evidence(const Event& event) {
  if (event.evidence.empty()) return nullptr;
  if (!event.prefixes.empty() && !event.peers.empty())
    for (const Evidence& e : event.evidence)
      if (e.prefix == event.prefixes.front() && e.peer == event.peers.front()) return &e;
  return &event.evidence.front();
}

std::string format_syslog(const Event& event, const SyslogOptions& options) {
  switch (options.format) {
    case SyslogFormat::kRfc5424: return format_rfc5424(event, options);
    case SyslogFormat::kRfc3164: return format_rfc3164(event, options);
    case SyslogFormat::kJson: return format_json(event, options);
    case SyslogFormat::kCef: break;
  }
  std::string out;
  append_legacy_header(out, event, options);
  append_cef(out, event, options);
  return out;
}

std::optional<unsigned> parse_facility(std::string_view text) {
  const auto it = std::find(kFacilities.begin(), kFacilities.end(), text);
  if (it == kFacilities.end()) return std::nullopt;
  return static_cast<unsigned>(it - kFacilities.begin());
}

SyslogOptions SyslogOptions::from_settings(Settings& settings, const Program& program,
                                           std::size_t default_size) {
  SyslogOptions options;
  options.program = program;
  const std::string format = settings.text("format", "rfc5424");
  if (format == "rfc3164")
    options.format = SyslogFormat::kRfc3164;
  else if (format == "json")
    options.format = SyslogFormat::kJson;
  else if (format == "cef")
    options.format = SyslogFormat::kCef;
  else if (format != "rfc5424")
    settings.error("format", "must be rfc5424, rfc3164, json or cef");
  if (const auto facility = parse_facility(settings.text("facility", "local7")))
    options.facility = *facility;
  else
    settings.error("facility", "must be a syslog facility: kern, user, daemon … local0 to local7");
  options.app_name = settings.text("app-name", program.name);
  options.hostname = settings.text("hostname", local_hostname());
  options.process_id = std::to_string(::getpid());
  options.enterprise_number =
      static_cast<std::uint32_t>(settings.integer("enterprise-number", 32473, 1, 0xffffffff));
  options.max_size = static_cast<std::size_t>(
      settings.integer("max-size", static_cast<std::int64_t>(default_size), kMinSize, 65000));
  return options;
}

}  // namespace lapwing::sinks
