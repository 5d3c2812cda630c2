#include "collector/collector_reader.h"

#include <algorithm>
#include <utility>

namespace lapwing::collector {

CollectorReader::CollectorReader(const rib::Engine& engine, const EngineThread& engine_thread,
                                 const RecordQueue& queue, rib::Store& store, std::string version)
    : engine_(engine),
      engine_thread_(engine_thread),
      queue_(queue),
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
  status.routes = counters.routes;
  status.prefixes = counters.prefixes;
  status.paths = counters.paths;
  // After the routes: the engine hands over what it did before it counts it, so 0 says of the
  // routes counted here that they are on disk.
  status.store_pending = store_.pending();
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

std::vector<DetectorStatus> CollectorReader::detectors() const {
  std::vector<DetectorStatus> list;
  engine_thread_.run(
      [&list](rib::Engine& engine) {
        for (rib::DetectorSummary& detector : engine.detector_summaries())
          list.push_back({std::move(detector.name), detector.enabled, detector.calls,
                          detector.microseconds});
      },
      kEngineWait);
  return list;
}

Measures CollectorReader::measures() const {
  Measures out;
  Measures::Engine engine;
  const bool answered = engine_thread_.run(
      [&engine](rib::Engine& e) {
        const rib::Engine::Footprint bytes = e.footprint();
        engine.prefix_bytes = bytes.prefixes;
        engine.path_bytes = bytes.paths;
        engine.route_bytes = bytes.routes;
        for (rib::PeerSummary& peer : e.peer_summaries())
          engine.routes.emplace_back(std::move(peer.name), std::move(peer.routes));
      },
      kEngineWait);
  if (answered) out.engine = std::move(engine);
  const rib::EngineCounters& counters = engine_.counters();
  out.announcements = counters.announcements;
  out.withdrawals = counters.withdrawals;
  out.duplicates = counters.duplicates;
  out.changes = counters.changes;
  out.events = counters.events;
  out.queue_bytes = queue_.octets();
  out.queue_limit_bytes = queue_.max_octets();
  out.queue_refusals = queue_.refusals();
  out.event_seconds = event_seconds_.value();
  out.store = store_.measures();
  return out;
}

std::optional<std::string> CollectorReader::detector_query(std::string_view what,
                                                           std::string_view argument) const {
  std::optional<std::string> answer;
  engine_thread_.run([&](rib::Engine& engine) { answer = engine.query(what, argument); },
                     kEngineWait);
  return answer;
}

}  // namespace lapwing::collector
