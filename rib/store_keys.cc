#include "rib/store_keys.h"

#include "rib/store_codec.h"

namespace lapwing::rib {

namespace {

std::size_t address_size(std::uint8_t afi) { return afi == kAfiIpv4 ? 4 : 16; }

}  // namespace

char* write_nlri(char* out, const bgp::NlriKey& nlri, bool with_path_id) {
  *out++ = static_cast<char>(nlri.afi);
  *out++ = static_cast<char>(nlri.safi);
  if (has_rd(nlri.safi)) out = write_be64(out, nlri.rd);
  if (nlri.afi == kAfiIpv4) {
    out = write_be32(out, static_cast<std::uint32_t>(nlri.high >> 32));
  } else {
    out = write_be64(out, nlri.high);
    out = write_be64(out, nlri.low);
  }
  *out++ = static_cast<char>(nlri.length);
  if (with_path_id && nlri.has_path_id != 0) out = write_be32(out, nlri.path_id);
  return out;
}

std::size_t nlri_size(std::string_view octets) {
  if (octets.size() < 2) return 0;
  const auto afi = static_cast<std::uint8_t>(octets[0]);
  if (afi != kAfiIpv4 && afi != kAfiIpv6) return 0;
  const std::size_t size =
      2 + (has_rd(static_cast<std::uint8_t>(octets[1])) ? 8u : 0u) + address_size(afi) + 1;
  return octets.size() < size ? 0 : size;
}

bool read_nlri(std::string_view octets, bgp::NlriKey& out) {
  const std::size_t size = nlri_size(octets);
  if (size == 0 || (octets.size() != size && octets.size() != size + 4)) return false;
  bgp::NlriKey key;
  const char* p = octets.data();
  key.afi = static_cast<std::uint8_t>(*p++);
  key.safi = static_cast<std::uint8_t>(*p++);
  if (has_rd(key.safi)) {
    key.rd = read_be64(p);
    p += 8;
  }
  if (key.afi == kAfiIpv4) {
    key.high = static_cast<std::uint64_t>(read_u32(reinterpret_cast<const std::uint8_t*>(p))) << 32;
    p += 4;
  } else {
    key.high = read_be64(p);
    key.low = read_be64(p + 8);
    p += 16;
  }
  key.length = static_cast<std::uint8_t>(*p++);
  if (key.length > address_size(key.afi) * 8) return false;
  if (octets.size() != size) {
    key.has_path_id = 1;
    key.path_id = read_u32(reinterpret_cast<const std::uint8_t*>(p));
  }
  out = key;
  return true;
}

std::string route_key(PeerId peer, const bgp::NlriKey& nlri) {
  char buffer[kMaxRouteKey];
  const char* end = write_nlri(write_be32(buffer, peer), nlri, true);
  return {buffer, static_cast<std::size_t>(end - buffer)};
}

bool read_route_key(std::string_view key, PeerId& peer, bgp::NlriKey& nlri) {
  if (key.size() < 4) return false;
  peer = read_u32(as_octets(key).data());
  return read_nlri(key.substr(4), nlri);
}

std::string key_after(std::string_view prefix) {
  std::string key(prefix);
  while (!key.empty() && key.back() == '\xff') key.pop_back();
  if (!key.empty()) key.back() = static_cast<char>(key.back() + 1);
  return key;
}

std::string be32_key(std::uint32_t value) {
  char buffer[4];
  write_be32(buffer, value);
  return {buffer, sizeof buffer};
}

bool read_be32_key(std::string_view key, std::uint32_t& out) {
  if (key.size() != 4) return false;
  out = read_u32(as_octets(key).data());
  return true;
}

bool read_state_key(std::string_view octets, std::string_view& detector, std::string_view& key) {
  const std::size_t at = octets.find('\0');
  if (at == std::string_view::npos) return false;
  detector = octets.substr(0, at);
  key = octets.substr(at + 1);
  return true;
}

std::string blind_key(PeerId peer, Timestamp from) {
  char buffer[12];
  write_be64(write_be32(buffer, peer), stored_micros(from));
  return {buffer, sizeof buffer};
}

bool read_blind_key(std::string_view key, PeerId& peer, Timestamp& from) {
  if (key.size() != 12) return false;
  peer = read_u32(as_octets(key).data());
  from = from_unix_micros(static_cast<std::int64_t>(read_be64(key.data() + 4)));
  return true;
}

std::string event_key(std::uint64_t number) {
  char buffer[9] = {'e'};
  write_be64(buffer + 1, number);
  return {buffer, sizeof buffer};
}

bool read_event_key(std::string_view key, std::uint64_t& number) {
  if (key.size() != 9 || key[0] != 'e') return false;
  number = read_be64(key.data() + 1);
  return true;
}

std::string event_id_key(const EventId& id) {
  std::string key(1, 'i');
  key.append(as_text(id.bytes));
  return key;
}

std::string history_prefix(std::uint32_t hour, const bgp::NlriKey& nlri) {
  char buffer[kMaxHistoryKey];
  const char* end = write_nlri(write_be32(buffer, hour), nlri, false);
  return {buffer, static_cast<std::size_t>(end - buffer)};
}

char* write_history_tail(char* out, std::uint64_t micros, std::uint64_t row) {
  out = write_be64(out, micros);
  *out++ = static_cast<char>(row >> 32);
  return write_be32(out, static_cast<std::uint32_t>(row));
}

bool read_history_key(std::string_view key, HistoryKey& out) {
  if (key.size() < 4) return false;
  const std::string_view rest = key.substr(4);
  const std::size_t size = nlri_size(rest);
  if (size == 0 || rest.size() != size + 13 || !read_nlri(rest.substr(0, size), out.nlri))
    return false;
  out.hour = read_u32(as_octets(key).data());
  const std::string_view tail = rest.substr(size);
  out.micros = read_be64(tail.data());
  const auto* row = as_octets(tail).data() + 8;
  out.row = static_cast<std::uint64_t>(row[0]) << 32 | read_u32(row + 1);
  return true;
}

}  // namespace lapwing::rib
