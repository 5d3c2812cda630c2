#include "sinks/syslog_format.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

#include "sinks/event_json.h"
#include "sinks/event_params.h"
#include "sinks/host_port.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};

// How a repetition is marked, and the octets that every message leaves for it.
constexpr std::string_view kSdMark = " repeat=\"true\"";
constexpr std::string_view kJsonMark = ",\"repeat\":true";
constexpr std::string_view kTextMark = " (repeat)";
constexpr std::string_view kCefMark = " cs6Label=repeat cs6=true";
constexpr std::size_t kMarkRoom = 32;
static_assert(std::max({kSdMark.size(), kJsonMark.size(), kTextMark.size(), kCefMark.size()}) <=
              kMarkRoom);

// PRINTUSASCII of RFC 5424 6, cut to the field's limit; "-" where nothing is left.
std::string header_field(std::string_view text, std::size_t limit) {
  std::string field;
  for (const char c : text.substr(0, limit)) field += c > 0x20 && c < 0x7f ? c : '_';
  return field.empty() ? "-" : field;
}

// SD-NAME (RFC 5424 6.3): PRINTUSASCII without '=', ']' and '"', at most 32.
void append_sd_name(std::string& out, std::string_view name) {
  for (const char c : name.substr(0, 32))
    out += c > 0x20 && c < 0x7f && c != '=' && c != ']' && c != '"' ? c : '_';
  if (name.empty()) out += '_';
}

// Whole parameters up to a limit, then none any more.
void append_params(std::string& out, const Event& event, std::size_t limit) {
  for (const EventParam& param : event_params(event)) {
    const std::size_t mark = out.size();
    out += ' ';
    append_sd_name(out, param.name);
    out += "=\"";
    append_sd_text(out, param.value);
    out += '"';
    if (out.size() + 1 <= limit) continue;
    out.resize(mark);
    return;
  }
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
  std::string text(1, '%');
  text += message_id(options.program.name);
  text += '-';
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

std::string format_rfc5424(const Event& event, const SyslogOptions& options, std::size_t limit,
                           std::uint64_t sequence) {
  std::string more = options.alarm ? alarm_element(event) : "";
  if (more.size() > limit / 2) more.clear();
  if (options.sequence_id && sequence != 0)
    more += "[meta sequenceId=\"" + std::to_string(sequence) + "\"]";
  std::string out;
  out.reserve(800);
  append_header(out, event, options);
  out += '[';
  append_sd_name(out, std::string_view(options.program.name).substr(0, 20));
  out += '@';
  append_number(out, options.enterprise_number);
  append_params(out, event, limit - more.size());
  out += ']';
  out += more;
  append_message(out, message_text(event, options), limit);
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
std::string format_json(const Event& event, const SyslogOptions& options, std::size_t limit) {
  std::string head;
  append_header(head, event, options);
  head += "- ";
  std::string out = head;
  append_event_json(out, event);
  if (out.size() <= limit) return out;
  Event less = event;
  while (out.size() > limit && drop_sample(less)) {
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

std::string format_rfc3164(const Event& event, const SyslogOptions& options, std::size_t limit) {
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
  out.resize(cut_utf8(out, limit).size());
  return out;
}

// The end of the first element of structured data: where its ']' stands.
std::size_t element_end(std::string_view message) {
  bool quoted = false;
  for (std::size_t i = message.find('['); i < message.size(); ++i) {
    if (quoted && message[i] == '\\')
      ++i;
    else if (message[i] == '"')
      quoted = !quoted;
    else if (!quoted && message[i] == ']')
      return i;
  }
  return message.size();
}

}  // namespace

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

std::string format_syslog(const Event& event, const SyslogOptions& options,
                          std::uint64_t sequence) {
  const std::size_t limit = options.max_size - kMarkRoom;
  switch (options.format) {
    case SyslogFormat::kRfc5424:
      return format_rfc5424(event, options, limit, sequence);
    case SyslogFormat::kRfc3164:
      return format_rfc3164(event, options, limit);
    case SyslogFormat::kJson:
      return format_json(event, options, limit);
    case SyslogFormat::kCef:
      break;
  }
  std::string out;
  append_legacy_header(out, event, options);
  append_cef(out, event, options, limit);
  return out;
}

void mark_repeated(std::string& message, const SyslogOptions& options) {
  switch (options.format) {
    case SyslogFormat::kRfc5424:
      message.insert(element_end(message), kSdMark);
      return;
    case SyslogFormat::kRfc3164:
      message += kTextMark;
      return;
    case SyslogFormat::kJson:
      message.insert(message.size() - 1, kJsonMark);
      return;
    case SyslogFormat::kCef:
      message += kCefMark;
      return;
  }
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
      settings.octets("max-size", static_cast<std::int64_t>(default_size), kMinSize, 65000));
  if (options.format == SyslogFormat::kJson && options.max_size < kMinJsonSize)
    settings.error("max-size", "must be at least 1024 where the format is json");
  options.alarm = settings.boolean("alarm", true);
  options.sequence_id = settings.boolean("sequence-id", true);
  return options;
}

}  // namespace lapwing::sinks
