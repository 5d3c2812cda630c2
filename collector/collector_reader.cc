#include "collector/collector_reader.h"

#include <algorithm>
#include <map>
#include <utility>

namespace lapwing::collector {

namespace {

constexpr std::chrono::milliseconds kEngineWait{2000};

}  // namespace

CollectorReader::CollectorReader(const rib::Engine& engine, const EngineThread& engine_thread,
                                 rib::Store& store, std::string version)
    : engine_(engine),
      engine_thread_(engine_thread),
      store_(store),
      version_(std::move(version)),
      start_(std::chrono::steady_clock::now()) {}

Status CollectorReader::status() const {
  Status status;
  status.version = version_;
  status.uptime_seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start_)
          .count());
  if (const bgp::Speaker* speaker = speaker_) {
    for (const PeerStatus& peer : speaker->statuses()) {
      ++status.peers_configured;
      if (peer.state == "Established") ++status.peers_up;
    }
  }
  const rib::EngineCounters& counters = engine_.counters();
  // Pending first: what it then counts as durable is among the routes read after it.
  status.store_pending = store_.pending();
  status.routes = counters.routes;
  status.prefixes = counters.prefixes;
  status.paths = counters.paths;
  status.events = store_.journal().last();
  status.store_errors = store_.error_count();
  if (status.store_errors != 0) status.store_error = store_.error();
  status.ready = ready_;
  return status;
}

std::vector<PeerStatus> CollectorReader::peers() const {
  std::vector<PeerStatus> list;
  if (const bgp::Speaker* speaker = speaker_) list = speaker->statuses();
  for (const rib::PeerCounters* counters : engine_.peer_counters()) {
    const auto it = std::find_if(list.begin(), list.end(), [&](const PeerStatus& peer) {
      return peer.name == counters->name;
    });
    if (it == list.end()) continue;
    it->routes = counters->routes;
    it->stale = counters->stale;
  }
  return list;
}

bool CollectorReader::routes(const RouteQuery& query,
                             const std::function<void(const StoredRoute&)>& fn) const {
  std::map<PeerId, const PeerStatus*> known;
  std::map<PeerId, std::string> names;
  std::vector<PeerId> ids;
  const std::vector<PeerStatus> statuses = peers();
  for (const rib::PeerCounters* counters : engine_.peer_counters()) {
    if (query.peer && counters->name != *query.peer) continue;
    const auto it = std::find_if(statuses.begin(), statuses.end(), [&](const PeerStatus& peer) {
      return peer.name == counters->name;
    });
    known[counters->id] = it == statuses.end() ? nullptr : &*it;
    names[counters->id] = counters->name;
    ids.push_back(counters->id);
  }
  constexpr std::size_t kRowsAtOnce = 1000;
  std::vector<Row> rows;
  std::size_t count = 0;
  bool truncated = false;
  store_.routes(query.prefix, query.match, ids,
                [&](PeerId peer, const bgp::NlriKey& key, Octets path, Timestamp since) {
                  if (count == query.limit) {
                    truncated = true;
                    return false;
                  }
                  ++count;
                  Row& row = rows.emplace_back();
                  row.peer = peer;
                  row.key = key;
                  row.route.peer = names[peer];
                  if (const PeerStatus* status = known[peer]) row.route.peer_as = status->as;
                  row.route.nlri = bgp::to_nlri(key);
                  row.route.path.assign(path.begin(), path.end());
                  row.route.since = since;
                  return rows.size() < kRowsAtOnce || give(rows, fn);
                });
  give(rows, fn);
  return truncated;
}

// Stale marks are the engine's; it is asked once for many rows.
bool CollectorReader::give(std::vector<Row>& rows,
                           const std::function<void(const StoredRoute&)>& fn) const {
  if (rows.empty()) return true;
  engine_thread_.run(
      [&rows](rib::Engine& engine) {
        for (Row& row : rows) row.route.stale = engine.is_stale(row.peer, row.key);
      },
      kEngineWait);
  for (const Row& row : rows) fn(row.route);
  rows.clear();
  return true;
}

std::optional<std::string> CollectorReader::detector_query(std::string_view what,
                                                           std::string_view argument) const {
  std::optional<std::string> answer;
  engine_thread_.run([&](rib::Engine& engine) { answer = engine.query(what, argument); },
                     kEngineWait);
  return answer;
}

}  // namespace lapwing::collector
