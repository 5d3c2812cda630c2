#include "collector/config_text.h"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace lapwing::collector {

std::optional<ScopedAddress> parse_scoped_address(std::string_view text) {
  ScopedAddress result;
  const auto percent = text.find('%');
  const auto address = parse_address(text.substr(0, percent));
  if (!address) return std::nullopt;
  result.address = *address;
  if (percent != std::string_view::npos) {
    const std::string_view scope = text.substr(percent + 1);
    if (scope.empty() || scope.size() >= IFNAMSIZ || !is_name(scope) ||
        scope.find_first_of(" /%]") != std::string_view::npos)
      return std::nullopt;
    result.scope = scope;
  }
  if (is_link_local_v6(result.address) == result.scope.empty()) return std::nullopt;
  return result;
}

std::optional<bgp::Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text;
  std::optional<std::string_view> port;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return std::nullopt;
      port = rest.substr(1);
    }
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto address = parse_scoped_address(host);
  if (!address) return std::nullopt;
  bgp::Endpoint endpoint{address->address, default_port, address->scope};
  if (port) {
    const auto [end, error] =
        std::from_chars(port->data(), port->data() + port->size(), endpoint.port);
    if (error != std::errc{} || end != port->data() + port->size()) return std::nullopt;
  }
  if (endpoint.port == 0) return std::nullopt;
  return endpoint;
}

std::string endpoint_text(const bgp::Endpoint& endpoint) {
  std::string host = format_address(endpoint.address);
  if (!endpoint.scope.empty()) host += '%' + endpoint.scope;
  if (endpoint.address.version == IpVersion::kV6) host = '[' + host + ']';
  return host + ':' + std::to_string(endpoint.port);
}

bool is_unspecified(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(),
                     [](std::uint8_t b) { return b == 0; });
}

bool is_multicast(const IpAddress& address) {
  return address.version == IpVersion::kV4 ? (address.bytes[0] & 0xf0) == 0xe0
                                           : address.bytes[0] == 0xff;
}

bool is_link_local_v6(const IpAddress& address) {
  return address.version == IpVersion::kV6 && address.bytes[0] == 0xfe &&
         (address.bytes[1] & 0xc0) == 0x80;
}

bool is_host_address(const IpAddress& address) {
  if (is_unspecified(address) || is_multicast(address)) return false;
  if (address.version == IpVersion::kV4) return address.bytes[0] != 0 && address.bytes[0] < 0xf0;
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return !std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin());
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_one_line(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0)
      return false;
  }
  return true;
}

namespace {

// Damerau-Levenshtein with adjacent transpositions.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::string> nearest(std::string_view text, const std::vector<std::string>& known) {
  constexpr std::size_t kLongest = 64;
  if (text.size() > kLongest) return std::nullopt;
  const std::string* best = nullptr;
  std::size_t best_distance = 0;
  for (const std::string& name : known) {
    const std::size_t distance = edit_distance(text, name);
    if (best == nullptr || distance < best_distance) {
      best = &name;
      best_distance = distance;
    }
  }
  if (best == nullptr || best_distance > std::max<std::size_t>(1, best->size() / 3))
    return std::nullopt;
  return *best;
}

}  // namespace lapwing::collector
