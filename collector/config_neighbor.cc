// [[neighbor]]: each table for itself, then all of them against each other.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "collector/config_parts.h"
#include "collector/config_text.h"
#include "lapwing/units.h"

namespace lapwing::collector {
namespace {

using bgp::NeighborConfig;
using std::chrono::seconds;

constexpr std::size_t kMaxPassword = 80;  // TCP_MD5SIG_MAXKEYLEN
constexpr std::string_view kAddressWanted =
    "an address (link-local with its interface, \"fe80::1%eth0\"), or a prefix for dynamic "
    "neighbours";

/// A neighbour and where its keys stand, for the comparison with the others.
struct Placed {
  NeighborConfig neighbor;
  Position name_at;
  Position address_at;
  bool has_address = false;
};

bool is_internal(const NeighborConfig& neighbor) { return neighbor.peer_as == neighbor.local_as; }

void read_name(TableReader& reader, Placed& placed) {
  const Node* node = reader.require("name", "its identity over the years, such as \"edge1\"");
  if (node == nullptr) return;
  placed.name_at = node->at;
  constexpr std::string_view kWanted = "1 to 64 printable ASCII characters, no blank at either end";
  if (node->kind != Node::Kind::kText || !is_name(node->text))
    reader.notes().error(node->at, mismatch("name", kWanted, *node));
  else
    placed.neighbor.name = node->text;
}

void read_range(TableReader& reader, const Node& node, Placed& placed) {
  const auto range = parse_prefix(node.text);
  const auto masked = parse_prefix(node.text, true);
  if (!range && masked) {
    reader.notes().error(node.at,
                         fmt::format("\"{}\" has bits set beyond its length; the prefix is \"{}\"",
                                     node.text, format_prefix(*masked)));
  } else if (!range || is_multicast(range->address) ||
             (range->length > 0 && is_link_local_v6(range->address))) {
    reader.notes().error(node.at, mismatch("address", kAddressWanted, node));
  } else {
    placed.neighbor.range = range;
    placed.neighbor.passive = true;
    placed.has_address = true;
  }
}

void read_address(TableReader& reader, Placed& placed) {
  const Node* node = reader.require("address", kAddressWanted);
  if (node == nullptr) return;
  placed.address_at = node->at;
  if (node->kind == Node::Kind::kText && node->text.find('/') != std::string::npos)
    return read_range(reader, *node, placed);
  const auto address = parse_scoped_address(node->kind == Node::Kind::kText ? node->text : "");
  if (!address || !is_host_address(address->address)) {
    reader.notes().error(node->at, mismatch("address", kAddressWanted, *node));
    return;
  }
  placed.neighbor.address = address->address;
  placed.neighbor.scope = address->scope;
  placed.has_address = true;
}

void read_local_address(TableReader& reader, Placed& placed) {
  constexpr std::string_view kWanted = "an address of this host, of the neighbour's IP version";
  const Node* node = reader.find("local-address");
  if (node == nullptr) return;
  const auto local = parse_address(node->kind == Node::Kind::kText ? node->text : "");
  const NeighborConfig& n = placed.neighbor;
  const IpVersion version = n.range ? n.range->address.version : n.address.version;
  if (!local || !is_host_address(*local) || (placed.has_address && local->version != version))
    reader.notes().error(node->at, mismatch("local-address", kWanted, *node));
  else
    placed.neighbor.local_address = local;
}

void read_hold_time(TableReader& reader, NeighborConfig& n) {
  const Node* node = reader.find("hold-time");
  if (node == nullptr) return;
  const auto value = node->kind == Node::Kind::kInteger ? std::optional(seconds(node->integer))
                     : node->kind == Node::Kind::kText  ? parse_duration(node->text)
                                                        : std::nullopt;
  constexpr seconds kMax{std::numeric_limits<std::uint16_t>::max()};
  if (!value || *value < seconds(0) || *value == seconds(1) || *value == seconds(2) ||
      *value > kMax) {
    reader.notes().error(node->at,
                         mismatch("hold-time", "0, or 3 to 65535 seconds (RFC 4271 4.2)", *node));
    return;
  }
  n.hold_time = static_cast<std::uint16_t>(value->count());
  if (n.hold_time == 0)
    reader.notes().warning(node->at,
                           "hold-time 0 turns keepalives off: a dead neighbour goes unnoticed");
}

constexpr std::array<Family, 8> kFamilies{kIpv4Unicast,
                                          kIpv6Unicast,
                                          Family{kAfiIpv4, kSafiMulticast},
                                          Family{kAfiIpv6, kSafiMulticast},
                                          Family{kAfiIpv4, kSafiLabeled},
                                          Family{kAfiIpv6, kSafiLabeled},
                                          Family{kAfiIpv4, kSafiVpn},
                                          Family{kAfiIpv6, kSafiVpn}};

std::string family_names() {
  std::string names;
  for (const Family f : kFamilies) names += (names.empty() ? "" : ", ") + format_family(f);
  return names;
}

bool read_families(TableReader& reader, std::string_view key, std::vector<Family>& out) {
  const std::string wanted = "families, of " + family_names();
  std::vector<Family> families;
  const bool given = reader.texts(key, wanted, [&](const Node& item) {
    const auto family = parse_family(item.text);
    if (!family)
      reader.notes().error(item.at, mismatch(key, "an array of " + wanted, item));
    else if (std::find(families.begin(), families.end(), *family) != families.end())
      reader.notes().error(item.at, fmt::format("\"{}\" has {} twice", key, item.text));
    else
      families.push_back(*family);
  });
  if (given) out = std::move(families);
  return given;
}

void read_all_families(TableReader& reader, const Node& table, NeighborConfig& n) {
  if (read_families(reader, "families", n.families) && table.find("families")->items.empty())
    reader.notes().error(table.find("families")->at, "\"families\" must name at least one family");
  const Node* add_path = reader.find("add-path");
  if (add_path == nullptr) return;
  if (add_path->kind == Node::Kind::kBoolean) {
    if (add_path->boolean) n.add_path = n.families;
    return;
  }
  if (!add_path->is_array()) {
    reader.notes().error(add_path->at,
                         mismatch("add-path", "true, false or an array of families", *add_path));
    return;
  }
  if (!read_families(reader, "add-path", n.add_path)) return;
  for (const Node& item : add_path->items) {
    const auto family = parse_family(item.text);
    if (family && std::find(n.families.begin(), n.families.end(), *family) == n.families.end())
      reader.notes().error(
          item.at, fmt::format("\"add-path\" has {}, which \"families\" has not", item.text));
  }
}

void read_max_prefix(TableReader& reader, NeighborConfig& n) {
  constexpr std::int64_t kMax = std::int64_t{1} << 32;
  const Node* node = reader.find("max-prefix");
  if (node == nullptr) return;
  bgp::MaxPrefix result;
  if (!node->is_table()) {
    if (reader.number("max-prefix", 1, kMax, result.limit)) n.max_prefix = result;
    return;
  }
  TableReader table(*node, "max-prefix", reader.notes());
  if (table.require("limit", "a number of routes")) table.number("limit", 1, kMax, result.limit);
  for (const Family family : kFamilies) {
    std::uint64_t own = 0;
    if (table.number(format_family(family), 1, kMax, own)) result.families.push_back({family, own});
  }
  table.number("warn-percent", 1, 100, result.warn_percent);
  std::string action;
  if (table.text("action", action)) {
    result.shut_down = action == "shutdown";
    if (action != "warn" && action != "shutdown")
      reader.notes().error(node->find("action")->at,
                           mismatch("action", "\"warn\" or \"shutdown\"", *node->find("action")));
  }
  table.finish();
  n.max_prefix = result;
}

void read_role(TableReader& reader, NeighborConfig& n) {
  struct Name {
    std::string_view text;
    bgp::Role role;
  };
  constexpr std::array<Name, 7> kNames{{{"provider", bgp::Role::kProvider},
                                        {"route-server", bgp::Role::kRouteServer},
                                        {"rs", bgp::Role::kRouteServer},
                                        {"route-server-client", bgp::Role::kRouteServerClient},
                                        {"rs-client", bgp::Role::kRouteServerClient},
                                        {"customer", bgp::Role::kCustomer},
                                        {"peer", bgp::Role::kPeer}}};
  const Node* node = reader.find("role");
  if (node == nullptr) return;
  const auto it = std::find_if(kNames.begin(), kNames.end(), [node](const Name& name) {
    return node->kind == Node::Kind::kText && node->text == name.text;
  });
  if (it == kNames.end())
    reader.notes().error(node->at, mismatch("role",
                                            "our role: \"provider\", \"route-server\", "
                                            "\"route-server-client\", \"customer\" or \"peer\"",
                                            *node));
  else if (n.peer_as != 0 && is_internal(n))
    reader.notes().error(node->at, "\"role\" is for eBGP; this neighbour is iBGP (RFC 9234 4)");
  else
    n.role = it->role;
}

/// `authentication` and, where it is "tcp-ao", what that needs beside the password.
void read_authentication(TableReader& reader, bool has_key, NeighborConfig& n) {
  Notes& notes = reader.notes();
  bgp::TcpAo ao;
  bool has_numbers = reader.number("ao-send-id", 0, 255, ao.send_id);
  has_numbers |= reader.number("ao-receive-id", 0, 255, ao.receive_id);
  const Node* const algorithm = reader.find("ao-algorithm");
  if (algorithm != nullptr) {
    const bool text = algorithm->kind == Node::Kind::kText;
    if (text && algorithm->text == "aes-128-cmac-96")
      ao.algorithm = bgp::TcpAo::Algorithm::kAes128Cmac;
    else if (!text || algorithm->text != "hmac-sha-1-96")
      notes.error(algorithm->at,
                  mismatch("ao-algorithm", "\"hmac-sha-1-96\" or \"aes-128-cmac-96\" (RFC 5926)",
                           *algorithm));
  }
  const Node* const node = reader.find("authentication");
  const bool text = node != nullptr && node->kind == Node::Kind::kText;
  if (text && node->text == "tcp-ao") {
    n.tcp_ao = ao;
    if (!has_key) notes.error(node->at, "\"tcp-ao\" needs a key: password or password-file");
    return;
  }
  if (node != nullptr && !(text && node->text == "tcp-md5"))
    notes.error(node->at, mismatch("authentication", "\"tcp-md5\" or \"tcp-ao\"", *node));
  else if (node != nullptr && !has_key)
    notes.error(node->at, "\"tcp-md5\" needs a key: password or password-file");
  else if (has_numbers || algorithm != nullptr)
    notes.warning(reader.at(), "keys ao-… have no use without authentication = \"tcp-ao\"");
}

void read_transport(TableReader& reader, const Node& table, Placed& placed) {
  NeighborConfig& n = placed.neighbor;
  Notes& notes = reader.notes();
  reader.number("port", 1, 65535, n.port);
  if (n.range && table.find("port"))
    notes.warning(table.find("port")->at, "\"port\" has no use: dynamic neighbours connect to us");
  read_local_address(reader, placed);
  if (reader.boolean("passive", n.passive) && n.range && !n.passive) {
    notes.error(table.find("passive")->at,
                "dynamic neighbours are passive: a prefix has no host "
                "to connect to");
    n.passive = true;
  }
  reader.boolean("ttl-security", n.ttl_security);
  unsigned ttl = 0;
  if (reader.number("multihop", 1, 255, ttl)) n.multihop = ttl;
  const bool has_password = read_secret(reader, "password", kMaxPassword, n.password);
  const bool asks_password = table.find("password") || table.find("password-file");
  read_authentication(reader, asks_password, n);
  if (has_password || asks_password) return;
  if (n.multihop && *n.multihop > 1 && !n.ttl_security)
    notes.warning(table.find("multihop")->key_at,
                  "multihop without a password: the session can be disturbed from afar");
  else if (n.range)
    notes.warning(placed.address_at,
                  "dynamic neighbours without a password: every host of the prefix may connect");
}

Placed read_neighbor(const Node& table, Notes& notes, const Config& config) {
  Placed placed;
  NeighborConfig& n = placed.neighbor;
  TableReader reader(table, "[[neighbor]]", notes);
  n.local_as = config.speaker.local_as;
  read_name(reader, placed);
  read_address(reader, placed);
  if (reader.require("peer-as", "the neighbour's AS number")) reader.asn("peer-as", n.peer_as);
  reader.asn("local-as", n.local_as);
  read_transport(reader, table, placed);
  reader.boolean("enabled", n.enabled);
  read_hold_time(reader, n);
  reader.duration("connect-retry", seconds(1), seconds(3600), n.connect_retry);
  reader.duration("quiet-period", seconds(1), seconds(3600), n.quiet_period);
  reader.number("dynamic-limit", 1, 100000, n.dynamic_limit);
  if (!n.range && placed.has_address && table.find("dynamic-limit"))
    notes.error(table.find("dynamic-limit")->key_at,
                "\"dynamic-limit\" is for an \"address\" that is a prefix");
  read_all_families(reader, table, n);
  reader.boolean("extended-messages", n.extended_messages);
  read_role(reader, n);
  read_max_prefix(reader, n);
  reader.size("max-attributes", 1u << 20, std::uint64_t{1} << 40, n.max_attributes);
  if (reader.text("description", n.description) &&
      (n.description.size() > 255 || !is_one_line(n.description)))
    notes.error(table.find("description")->at,
                "\"description\" must be one line of at most 255 octets");
  reader.finish();
  return placed;
}

void compare(const Placed& earlier, const Placed& later, Notes& notes) {
  const NeighborConfig& a = earlier.neighbor;
  const NeighborConfig& b = later.neighbor;
  if (!a.name.empty() && a.name == b.name)
    notes.error(later.name_at, fmt::format("the name \"{}\" is taken already, in line {}", b.name,
                                           earlier.name_at.line));
  if (!earlier.has_address || !later.has_address || a.range.has_value() != b.range.has_value())
    return;
  if (a.range) {
    if (a.range->contains(*b.range) || b.range->contains(*a.range))
      notes.error(later.address_at,
                  fmt::format("{} overlaps {}, in line {}", format_prefix(*b.range),
                              format_prefix(*a.range), earlier.address_at.line));
  } else if (a.address == b.address && a.scope == b.scope) {
    notes.error(later.address_at, fmt::format("the address {} is taken already, in line {}",
                                              format_address(b.address), earlier.address_at.line));
  }
}

// A passive neighbour can only come in where somebody listens, on a socket of its IP version. An
// IPv6 socket takes IPv6 only.
void check_reachable(const Placed& placed, const Config& config, Notes& notes) {
  const NeighborConfig& n = placed.neighbor;
  if (!placed.has_address || !n.passive) return;
  const IpVersion version = n.range ? n.range->address.version : n.address.version;
  const auto& listen = config.speaker.listen;
  if (std::none_of(listen.begin(), listen.end(), [version](const bgp::Endpoint& endpoint) {
        return endpoint.address.version == version;
      }))
    notes.error(placed.address_at,
                fmt::format("this neighbour is to connect to us, but [speaker] \"listen\" has no "
                            "IPv{} address",
                            static_cast<int>(version)));
}

}  // namespace

void read_neighbors(const Node& value, Notes& notes, Config& config) {
  const bool tables =
      value.is_array() && std::all_of(value.items.begin(), value.items.end(),
                                      [](const Node& item) { return item.is_table(); });
  if (!tables) {
    notes.error(value.at, "a neighbour is a table of an array: write [[neighbor]]");
    return;
  }
  std::vector<Placed> all;
  for (const Node& item : value.items) {
    all.push_back(read_neighbor(item, notes, config));
    for (std::size_t i = 0; i + 1 < all.size(); ++i) compare(all[i], all.back(), notes);
    check_reachable(all.back(), config, notes);
  }
  for (Placed& placed : all) config.neighbors.push_back(std::move(placed.neighbor));
}

}  // namespace lapwing::collector
