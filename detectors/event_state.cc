#include "detectors/event_state.h"

#include <variant>

#include "detectors/event_text.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kEventFormat = 1;
constexpr std::size_t kMaxItems = 1 << 20;

/// One order of members for both directions: the writer appends what the reader takes.
class Writer {
 public:
  void operator()(std::uint8_t v) { put_u8(out, v); }
  void operator()(std::uint32_t v) { put_u32(out, v); }
  void operator()(std::int64_t v) { put_u64(out, static_cast<std::uint64_t>(v)); }
  void operator()(bool v) { put_u8(out, v ? 1 : 0); }
  void operator()(const std::string& v) { put_text(out, v); }
  void operator()(const SharedText& v) { put_text(out, v); }
  void operator()(Timestamp v) { put_time(out, v); }
  void operator()(const Prefix& v) { put_nlri(out, Nlri{{}, 0, v, false, 0}); }
  void operator()(const EventId& v) { put_octets(out, v.bytes); }
  template <typename T>
  void operator()(const std::optional<T>& v) {
    (*this)(v.has_value());
    if (v) (*this)(*v);
  }
  template <typename T>
  void operator()(const std::vector<T>& v) {
    (*this)(static_cast<std::uint32_t>(v.size()));
    for (const T& item : v) (*this)(item);
  }
  void operator()(const FieldValue& v) {
    (*this)(static_cast<std::uint8_t>(v.index()));
    std::visit([this](const auto& value) { (*this)(value); }, v);
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(Enum v) { (*this)(static_cast<std::uint8_t>(v)); }
  void operator()(const Evidence& v) { members(*this, v); }
  void operator()(const KnownUpstream& v) { members(*this, v); }
  void operator()(const TimeRange& v) { members(*this, v); }
  void operator()(const Field& v) { members(*this, v); }

  template <typename Io, typename T>
  static void members(Io& io, T& v) {
    if constexpr (std::is_same_v<std::remove_const_t<T>, Evidence>)
      io(v.peer), io(v.peer_as), io(v.prefix), io(v.old_path), io(v.new_path), io(v.time);
    else if constexpr (std::is_same_v<std::remove_const_t<T>, KnownUpstream>)
      io(v.as), io(v.first_seen), io(v.last_seen), io(v.active);
    else if constexpr (std::is_same_v<std::remove_const_t<T>, TimeRange>)
      io(v.from), io(v.to);
    else if constexpr (std::is_same_v<std::remove_const_t<T>, Field>)
      io(v.name), io(v.value);
    else {
      io(v.id), io(v.incident), io(v.type), io(v.action), io(v.severity), io(v.time), io(v.cause);
      io(v.origin_as), io(v.upstream_as), io(v.prefixes), io(v.prefix_count);
      io(v.origin_prefix_count), io(v.peers), io(v.direct), io(v.changed_between);
      io(v.known_upstreams), io(v.evidence), io(v.fields), io(v.rule), io(v.summary);
    }
  }

  std::string out;
};

class Reader {
 public:
  explicit Reader(std::string_view octets) : in(octets) {}
  void operator()(std::uint8_t& v) { v = in.u8(); }
  void operator()(std::uint32_t& v) { v = in.u32(); }
  void operator()(std::int64_t& v) { v = static_cast<std::int64_t>(in.u64()); }
  void operator()(bool& v) { v = in.u8() != 0; }
  void operator()(std::string& v) { v = in.text(); }
  void operator()(SharedText& v) { v = in.text(); }
  void operator()(Timestamp& v) { v = in.time(); }
  void operator()(Prefix& v) { v = in.nlri().prefix; }
  void operator()(EventId& v) { in.octets(v.bytes); }
  template <typename T>
  void operator()(std::optional<T>& v) {
    if (in.u8() != 0) (*this)(v.emplace());
  }
  template <typename T>
  void operator()(std::vector<T>& v) {
    const std::uint32_t size = in.u32();
    for (std::uint32_t i = 0; i < size && i < kMaxItems && in.ok(); ++i) (*this)(v.emplace_back());
  }
  void operator()(FieldValue& v) {
    switch (in.u8()) {
      case 0:
        return take<std::int64_t>(v);
      case 1:
        return take<bool>(v);
      case 2:
        return take<std::string>(v);
      case 3:
        return take<Timestamp>(v);
      case 4:
        return take<std::vector<Asn>>(v);
      case 5:
        return take<std::vector<std::string>>(v);
      default:
        good = false;
    }
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(Enum& v) { v = static_cast<Enum>(in.u8()); }
  void operator()(Evidence& v) { Writer::members(*this, v); }
  void operator()(KnownUpstream& v) { Writer::members(*this, v); }
  void operator()(TimeRange& v) { Writer::members(*this, v); }
  void operator()(Field& v) { Writer::members(*this, v); }

  StateReader in;
  bool good = true;

 private:
  template <typename T>
  void take(FieldValue& v) {
    T value{};
    (*this)(value);
    v = std::move(value);
  }
};

}  // namespace

std::string encode_event_state(const Event& event) {
  Writer writer;
  writer(kEventFormat);
  Writer::members(writer, event);
  return std::move(writer.out);
}

std::optional<Event> decode_event_state(std::string_view octets) {
  Reader reader(octets);
  Event event;
  if (reader.in.u8() != kEventFormat) return std::nullopt;
  Writer::members(reader, event);
  const bool enums = event.action <= Action::kClear && event.severity <= Severity::kDebug &&
                     event.cause <= Cause::kReplay;
  if (!reader.good || !reader.in.at_end() || !enums) return std::nullopt;
  return event;
}

}  // namespace lapwing::detectors
