// What the store holds, for the API: pages of routes, history, blind intervals.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "collector/collector_reader.h"

namespace lapwing::collector {

namespace {

constexpr std::size_t kRowsAtOnce = 1000;  // of one question to the engine

// A position as hexadecimal digits: peer, then the members of the key, big-endian.
struct PositionText {
  static constexpr std::size_t kOctets = 4 + 4 + 4 + 8 + 8 + 8;

  static std::string write(const rib::Store::RoutePosition& position) {
    const bgp::NlriKey& key = position.nlri;
    std::string text;
    add(text, position.peer, 4);
    for (const std::uint8_t octet : {key.afi, key.safi, key.length, key.has_path_id})
      add(text, octet, 1);
    add(text, key.path_id, 4);
    for (const std::uint64_t value : {key.rd, key.high, key.low}) add(text, value, 8);
    return text;
  }

  static std::optional<rib::Store::RoutePosition> read(std::string_view text) {
    if (text.size() != 2 * kOctets ||
        text.find_first_not_of("0123456789abcdef") != std::string_view::npos)
      return std::nullopt;
    rib::Store::RoutePosition position;
    bgp::NlriKey& key = position.nlri;
    position.peer = static_cast<PeerId>(take(text, 4));
    for (std::uint8_t* octet : {&key.afi, &key.safi, &key.length, &key.has_path_id})
      *octet = static_cast<std::uint8_t>(take(text, 1));
    key.path_id = static_cast<std::uint32_t>(take(text, 4));
    for (std::uint64_t* value : {&key.rd, &key.high, &key.low}) *value = take(text, 8);
    const unsigned most = key.afi == kAfiIpv4 ? 32 : 128;
    if ((key.afi != kAfiIpv4 && key.afi != kAfiIpv6) || key.length > most || key.has_path_id > 1)
      return std::nullopt;
    return position;
  }

 private:
  static void add(std::string& out, std::uint64_t value, unsigned octets) {
    for (unsigned shift = octets * 8; shift != 0;) {
      shift -= 4;
      out += "0123456789abcdef"[value >> shift & 15];
    }
  }
  static std::uint64_t take(std::string_view& text, unsigned octets) {
    std::uint64_t value = 0;
    for (const char c : text.substr(0, octets * 2))
      value = value << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    text.remove_prefix(octets * 2);
    return value;
  }
};

}  // namespace

// What all routes of a neighbour have in common, for each that has some.
std::map<PeerId, StoredRoute> CollectorReader::templates(
    const std::optional<std::string>& peer) const {
  std::map<PeerId, StoredRoute> known;
  const std::vector<PeerStatus> statuses = peers();
  for (const rib::PeerCounters* counters : engine_.peer_counters()) {
    if (peer && counters->name != *peer) continue;
    StoredRoute& route = known[counters->id];
    route.peer = counters->name;
    const auto it = std::find_if(statuses.begin(), statuses.end(), [&](const PeerStatus& status) {
      return status.name == counters->name;
    });
    if (it != statuses.end()) route.peer_as = it->as;
  }
  return known;
}

std::optional<RoutePage> CollectorReader::routes(
    const RouteQuery& query, const std::function<void(const StoredRoute&)>& fn) const {
  std::optional<rib::Store::RoutePosition> position;
  if (!query.after.empty() && !(position = PositionText::read(query.after))) return std::nullopt;
  const std::map<PeerId, StoredRoute> known = templates(query.peer);
  std::vector<PeerId> ids;
  for (const auto& [id, route] : known) ids.push_back(id);
  RoutePage page;
  std::vector<Row> rows;
  std::size_t scanned = 0;
  store_.routes(
      query.prefix, query.match, ids,
      [&](PeerId peer, const bgp::NlriKey& key, Octets path, Timestamp since) {
        if (page.given == query.limit || scanned == query.scan) {
          page.more = true;
          return false;
        }
        ++scanned;
        position = rib::Store::RoutePosition{key, peer};
        const Nlri nlri = bgp::to_nlri(key);
        if (query.wanted && !query.wanted(nlri, PathView(path))) return true;
        ++page.given;
        Row& row = rows.emplace_back(Row{peer, key, known.at(peer)});
        row.route.nlri = nlri;
        row.route.path.assign(path.begin(), path.end());
        row.route.since = since;
        if (rows.size() == kRowsAtOnce) give(rows, fn);
        return true;
      },
      position);
  give(rows, fn);
  if (page.more && position) page.next = PositionText::write(*position);
  return page;
}

// Stale marks are the engine's; it is asked once for many rows.
void CollectorReader::give(std::vector<Row>& rows,
                           const std::function<void(const StoredRoute&)>& fn) const {
  if (rows.empty()) return;
  engine_thread_.run(
      [&rows](rib::Engine& engine) {
        for (Row& row : rows) row.route.stale = engine.is_stale(row.peer, row.key);
      },
      kEngineWait);
  for (const Row& row : rows) fn(row.route);
  rows.clear();
}

bool CollectorReader::history(const HistoryQuery& query,
                              const std::function<void(const RouteHistory&)>& fn) const {
  const std::map<PeerId, StoredRoute> known = templates(query.peer);
  const auto copy = [](const std::optional<Octets>& octets) {
    std::optional<std::vector<std::uint8_t>> out;
    if (octets) out.emplace(octets->begin(), octets->end());
    return out;
  };
  std::size_t given = 0;
  bool truncated = false;
  store_.history(query.prefix, query.from, query.to, [&](const rib::HistoryRow& row) {
    const auto peer = known.find(row.peer);
    if (peer == known.end() && query.peer) return true;
    if (given == query.limit) {
      truncated = true;
      return false;
    }
    ++given;
    RouteHistory out;
    out.time = row.time;
    // Of a neighbour that is no longer kept, its number is all that is left.
    out.peer = peer == known.end() ? fmt::format("#{}", row.peer) : peer->second.peer;
    out.nlri = bgp::to_nlri(row.nlri);
    out.before = copy(row.before);
    out.after = copy(row.after);
    fn(out);
    return true;
  });
  return truncated;
}

std::vector<Blind> CollectorReader::blind(const std::optional<std::string>& peer) const {
  std::vector<rib::PeerSummary> peers;
  engine_thread_.run([&peers](rib::Engine& engine) { peers = engine.peer_summaries(); },
                     kEngineWait);
  std::vector<Blind> out;
  for (const rib::PeerSummary& summary : peers) {
    if (peer && summary.name != *peer) continue;
    for (const rib::BlindInterval& interval : store_.blind_intervals(summary.id))
      out.push_back({summary.name, interval.range.from, interval.range.to, interval.reason});
    if (summary.blind_since && !summary.up)
      out.push_back({summary.name, *summary.blind_since, std::nullopt, summary.blind_reason});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Blind& a, const Blind& b) { return a.from < b.from; });
  return out;
}

}  // namespace lapwing::collector
