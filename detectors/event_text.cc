#include "detectors/event_text.h"

#include <algorithm>

#include "lapwing/utf8.h"

namespace lapwing::detectors {
namespace {

template <typename Append>
ShortText join(std::size_t have, std::size_t count, std::size_t show, Append&& append) {
  const std::size_t shown = std::min(have, show);
  ShortText out;
  for (std::size_t i = 0; i < shown; ++i) {
    if (i != 0) out += i + 1 == shown && shown == count ? " and " : ", ";
    append(out, i);
  }
  if (count > shown)
    out.add(FMT_COMPILE("{}{} more"), shown == 0 ? "" : " and ", count - shown);
  return out;
}

}  // namespace

void write_bounded_path(std::string& text, AsPathView path) {
  text.clear();
  append_as_path(text, path);
  if (text.size() <= kMaxPathText) return;
  std::size_t hops = 0;
  AsPathSegment segment;
  while (path.next(segment)) hops += segment.type == SegmentType::kAsSequence ? segment.size : 1;
  text.resize(kMaxPathText);
  const std::size_t cut = text.find_last_of(" ,");
  if (cut != std::string::npos) text.resize(cut);
  text += fmt::format("… ({} hops)", hops);
}

std::int64_t whole_seconds(microseconds d) {
  return std::chrono::duration_cast<std::chrono::seconds>(d).count();
}

ShortText format_duration(microseconds d) {
  const std::int64_t s = std::max<std::int64_t>(whole_seconds(d), 0);
  const std::int64_t minutes = s / 60, hours = minutes / 60, days = hours / 24;
  ShortText out;
  if (days != 0)
    out.add(FMT_COMPILE("{} d {:02} h {:02} min {:02} s"), days, hours % 24, minutes % 60, s % 60);
  else if (hours != 0)
    out.add(FMT_COMPILE("{} h {:02} min {:02} s"), hours, minutes % 60, s % 60);
  else if (minutes != 0)
    out.add(FMT_COMPILE("{} min {:02} s"), minutes, s % 60);
  else
    out.add(FMT_COMPILE("{} s"), s);
  return out;
}

ShortText join_names(std::span<const std::string> names, std::size_t count, std::size_t show) {
  return join(names.size(), count, show, [&](ShortText& out, std::size_t i) { out += names[i]; });
}

ShortText join_prefixes(std::span<const Prefix> prefixes, std::size_t count, std::size_t show) {
  return join(prefixes.size(), count, show, [&](ShortText& out, std::size_t i) {
    char text[kMaxPrefixText];
    out += std::string_view(text, write_prefix(text, prefixes[i]));
  });
}

ShortText count_of(std::uint64_t n, std::string_view one, std::string_view many) {
  ShortText out;
  out.add(FMT_COMPILE("{} {}"), n, n == 1 ? one : many);
  return out;
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    if (point.code == '"' || point.code == '\\')
      out += '\\', out += text[i];
    else if (is_control(point.code))
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(point.code));
    else
      out += point.valid ? text.substr(i, point.size) : kReplacementText;
    i += point.size;
  }
  return out + '"';
}

void put_u8(std::string& to, std::uint8_t v) { to += static_cast<char>(v); }

void put_u32(std::string& to, std::uint32_t v) {
  const char octets[] = {static_cast<char>(v >> 24), static_cast<char>(v >> 16),
                         static_cast<char>(v >> 8), static_cast<char>(v)};
  to.append(octets, sizeof octets);
}

void put_u64(std::string& to, std::uint64_t v) {
  char octets[8];
  for (std::size_t i = sizeof octets; i-- > 0; v >>= 8) octets[i] = static_cast<char>(v);
  to.append(octets, sizeof octets);
}

void put_nlri(std::string& to, const Nlri& nlri) {
  put_u32(to, nlri.family.afi);
  put_u8(to, nlri.family.safi);
  put_u64(to, nlri.rd);
  put_u8(to, static_cast<std::uint8_t>(nlri.prefix.address.version));
  put_octets(to, nlri.prefix.address.bytes);
  put_u8(to, nlri.prefix.length);
  put_u8(to, 0);
}

Nlri StateReader::nlri() {
  Nlri n;
  n.family.afi = static_cast<std::uint16_t>(u32());
  n.family.safi = u8();
  n.rd = u64();
  n.prefix.address.version = static_cast<IpVersion>(u8());
  for (std::uint8_t& octet : n.prefix.address.bytes) octet = u8();
  n.prefix.length = u8();
  u8();
  return n;
}

}  // namespace lapwing::detectors
