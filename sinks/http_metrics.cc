#include "sinks/http_metrics.h"

#include <array>

#include "sinks/metrics_text.h"
#include "sinks/process_figures.h"

namespace lapwing::sinks {

namespace {

using Kind = MetricsText::Kind;

void add_status(MetricsText& m, const HttpContext& context, const Status& status) {
  m.family("lapwing_build_info", Kind::kGauge, "Always 1; the version is the label.");
  m.sample({{"version", status.version.empty() ? context.program.version : status.version}}, 1);
  m.single("lapwing_uptime_seconds", Kind::kGauge, "Seconds since the start.",
           status.uptime_seconds);
  m.single("lapwing_ready", Kind::kGauge,
           "1 when stored tables are loaded and listeners are bound.", status.ready ? 1 : 0);
  m.single("lapwing_peers_configured", Kind::kGauge, "Neighbours in the configuration.",
           status.peers_configured);
  m.single("lapwing_peers_up", Kind::kGauge, "Neighbours whose session is established.",
           status.peers_up);
  m.single("lapwing_routes", Kind::kGauge, "Routes in all Adj-RIB-Ins.", status.routes);
  m.single("lapwing_prefixes", Kind::kGauge,
           "Distinct prefixes, with ADD-PATH each path identifier of them.", status.prefixes);
  m.single("lapwing_paths", Kind::kGauge, "Distinct attribute sets.", status.paths);
  m.single("lapwing_store_pending", Kind::kGauge, "Route changes that are not yet durable.",
           status.store_pending);
  m.single("lapwing_store_errors", Kind::kCounter, "Failed operations of the store.",
           status.store_errors);
  m.single("lapwing_events", Kind::kCounter, "Highest number in the event journal.",
           status.events);
}

struct PeerFamily {
  const char* name;
  Kind kind;
  const char* help;
  std::uint64_t (*value)(const PeerStatus&);
};
constexpr PeerFamily kPeerFamilies[] = {
    {"lapwing_peer_up", Kind::kGauge, "1 when the session is established.",
     [](const PeerStatus& p) -> std::uint64_t { return p.state == "Established" ? 1 : 0; }},
    {"lapwing_peer_enabled", Kind::kGauge, "0 when an operator or the configuration disabled it.",
     [](const PeerStatus& p) -> std::uint64_t { return p.enabled ? 1 : 0; }},
    {"lapwing_peer_stale_routes", Kind::kGauge, "Routes kept from a session that was lost.",
     [](const PeerStatus& p) { return p.stale; }},
    {"lapwing_peer_updates_received", Kind::kCounter, "UPDATE messages received.",
     [](const PeerStatus& p) { return p.updates_received; }},
    {"lapwing_peer_established", Kind::kCounter,
     "Times the session was established; each beyond the first is a flap.",
     [](const PeerStatus& p) { return p.established; }},
};

constexpr std::array<std::string_view, 6> kStates{"Idle",     "Connect",     "Active",
                                                  "OpenSent", "OpenConfirm", "Established"};
constexpr std::array<std::string_view, 6> kMessages{"",          "open",         "update",
                                                    "notification", "keepalive", "route_refresh"};
constexpr std::array<std::string_view, 3> kActions{"attribute_discard", "treat_as_withdraw",
                                                   "session_reset"};

void add_peer_counts(MetricsText& m, const std::vector<PeerStatus>& peers) {
  m.family("lapwing_peer_messages_received", Kind::kCounter, "Messages received, by type.");
  for (const PeerStatus& peer : peers)
    for (std::size_t i = 1; i < kMessages.size(); ++i)
      m.sample({{"peer", peer.name}, {"type", kMessages[i]}}, peer.received_by_type[i]);
  m.family("lapwing_peer_messages_sent", Kind::kCounter, "Messages sent, by type.");
  for (const PeerStatus& peer : peers)
    for (std::size_t i = 1; i < kMessages.size(); ++i)
      m.sample({{"peer", peer.name}, {"type", kMessages[i]}}, peer.sent_by_type[i]);
  m.family("lapwing_peer_malformed", Kind::kCounter,
           "UPDATE messages with an RFC 7606 finding, by what was done.");
  for (const PeerStatus& peer : peers)
    for (std::size_t i = 0; i < kActions.size(); ++i)
      m.sample({{"peer", peer.name}, {"action", kActions[i]}}, peer.malformed_by_action[i]);
}

void add_peers(MetricsText& m, const std::vector<PeerStatus>& peers) {
  m.family("lapwing_peer_info", Kind::kGauge, "Always 1; address and AS are labels.");
  for (const PeerStatus& peer : peers)
    m.sample({{"peer", peer.name},
              {"address", format_address(peer.address)},
              {"as", std::to_string(peer.as)}},
             1);
  m.family("lapwing_peer_state", Kind::kGauge, "1 for the state of RFC 4271 8.2.2 that holds.");
  for (const PeerStatus& peer : peers)
    for (const std::string_view state : kStates)
      m.sample({{"peer", peer.name}, {"state", state}}, peer.state == state ? 1 : 0);
  for (const PeerFamily& family : kPeerFamilies) {
    m.family(family.name, family.kind, family.help);
    for (const PeerStatus& peer : peers) m.sample({{"peer", peer.name}}, family.value(peer));
  }
  add_peer_counts(m, peers);
  m.family("lapwing_peer_last_heard_timestamp_seconds", Kind::kGauge,
           "When the neighbour was last heard, as a Unix time.");
  for (const PeerStatus& peer : peers)
    if (peer.last_heard)
      m.sample({{"peer", peer.name}},
               static_cast<double>(unix_micros(*peer.last_heard)) / 1000000);
  m.family("lapwing_peer_hold_time_seconds", Kind::kGauge, "The negotiated hold time.");
  for (const PeerStatus& peer : peers)
    if (peer.hold_time != 0) m.sample({{"peer", peer.name}}, peer.hold_time);
  m.family("lapwing_peer_hold_time_left_seconds", Kind::kGauge, "Until the hold timer expires.");
  for (const PeerStatus& peer : peers)
    if (peer.hold_left)
      m.sample({{"peer", peer.name}}, static_cast<double>(peer.hold_left->count()) / 1000);
}

void add_engine(MetricsText& m, const Measures& measures) {
  if (measures.engine) {
    m.family("lapwing_peer_routes", Kind::kGauge,
             "Routes in the Adj-RIB-In by family, stale ones included.");
    for (const auto& [peer, families] : measures.engine->routes)
      for (const auto& [family, count] : families)
        m.sample({{"peer", peer}, {"family", format_family(family)}}, count);
    m.family("lapwing_rib_bytes", Kind::kGauge, "Memory of the tables, by part.");
    m.sample({{"part", "prefixes"}}, measures.engine->prefix_bytes);
    m.sample({{"part", "paths"}}, measures.engine->path_bytes);
    m.sample({{"part", "routes"}}, measures.engine->route_bytes);
  }
  m.family("lapwing_rib_nlri", Kind::kCounter, "NLRI that the engine was given, by what they were.");
  m.sample({{"kind", "announcement"}}, measures.announcements);
  m.sample({{"kind", "withdrawal"}}, measures.withdrawals);
  m.single("lapwing_rib_duplicates", Kind::kCounter, "Announcements of what was known already.",
           measures.duplicates);
  m.single("lapwing_rib_changes", Kind::kCounter, "Changes of routes.", measures.changes);
  m.single("lapwing_detector_events", Kind::kCounter, "Events raised since the start.",
           measures.events);
  m.single("lapwing_queue_bytes", Kind::kGauge, "Octets on their way to the engine.",
           measures.queue_bytes);
  m.single("lapwing_queue_limit_bytes", Kind::kGauge, "At so many reading pauses.",
           measures.queue_limit_bytes);
  m.single("lapwing_queue_pauses", Kind::kCounter, "Times a source found no room and paused.",
           measures.queue_refusals);
  m.family("lapwing_event_seconds", Kind::kHistogram,
           "From the arrival of an UPDATE to its event on disk.");
  m.histogram(measures.event_seconds);
}

void add_store(MetricsText& m, const StoreMeasures& store) {
  m.family("lapwing_store_write_seconds", Kind::kHistogram, "Duration of an atomic write.");
  m.histogram(store.write_seconds);
  m.family("lapwing_store_batch_changes", Kind::kHistogram, "Route changes in an atomic write.");
  m.histogram(store.batch_changes);
  m.single("lapwing_store_pending_bytes", Kind::kGauge, "Commits that wait for the disk.",
           store.pending_bytes);
  m.family("lapwing_store_bytes", Kind::kGauge, "Size of the store, by part.");
  m.sample({{"part", "memtables"}}, store.memtable_bytes);
  m.sample({{"part", "tables"}}, store.table_bytes);
  m.sample({{"part", "wal"}}, store.wal_bytes);
  m.sample({{"part", "history"}}, store.history_bytes);
  m.single("lapwing_store_compaction_pending_bytes", Kind::kGauge,
           "Octets that compaction still has to rewrite.", store.compaction_pending_bytes);
  m.single("lapwing_store_compactions_running", Kind::kGauge, "Compactions that run now.",
           store.compactions_running);
  m.single("lapwing_store_stalled", Kind::kGauge, "1 while the database slows writing down.",
           store.writes_stalled ? 1 : 0);
}

void add_detectors(MetricsText& m, const std::vector<DetectorStatus>& detectors) {
  m.family("lapwing_detector_enabled", Kind::kGauge, "0 when the detector failed.");
  for (const DetectorStatus& d : detectors) m.sample({{"detector", d.name}}, d.enabled ? 1 : 0);
  m.family("lapwing_detector_calls", Kind::kCounter, "Calls of the detector.");
  for (const DetectorStatus& d : detectors) m.sample({{"detector", d.name}}, d.calls);
  m.family("lapwing_detector_seconds", Kind::kCounter,
           "Time spent in the detector, estimated from a sample of its calls.");
  for (const DetectorStatus& d : detectors)
    m.sample({{"detector", d.name}}, static_cast<double>(d.microseconds) / 1000000);
}

void add_sinks(MetricsText& m, const std::vector<SinkStatus>& sinks, std::uint64_t events) {
  m.family("lapwing_sink_up", Kind::kGauge, "1 when the sink's transport is up.");
  for (const SinkStatus& s : sinks) m.sample({{"sink", s.name}}, s.state == "up" ? 1 : 0);
  m.family("lapwing_sink_cursor", Kind::kGauge, "Number of the last event that was delivered.");
  for (const SinkStatus& s : sinks) m.sample({{"sink", s.name}}, s.cursor);
  m.family("lapwing_sink_waiting_events", Kind::kGauge, "Events that wait for delivery.");
  for (const SinkStatus& s : sinks)
    m.sample({{"sink", s.name}}, events > s.cursor ? events - s.cursor : 0);
  m.family("lapwing_sink_delivered", Kind::kCounter, "Events delivered since the start.");
  for (const SinkStatus& s : sinks) m.sample({{"sink", s.name}}, s.delivered);
  m.family("lapwing_sink_retries", Kind::kCounter, "Deliveries that had to be tried again.");
  for (const SinkStatus& s : sinks) m.sample({{"sink", s.name}}, s.retries);
  m.family("lapwing_sink_lag_seconds", Kind::kGauge, "Since the oldest event that waits.");
  for (const SinkStatus& s : sinks) m.sample({{"sink", s.name}}, s.lag_seconds);
  m.family("lapwing_sink_repeated", Kind::kCounter, "Messages sent again after a break.");
  for (const SinkStatus& s : sinks) m.sample({{"sink", s.name}}, s.repeated);
  m.family("lapwing_sink_lost", Kind::kCounter, "Events that a sink could not be given.");
  for (const SinkStatus& s : sinks) m.sample({{"sink", s.name}}, s.lost);
}

// The names of the Prometheus client libraries.
void add_process(MetricsText& m) {
  const ProcessFigures process = read_process_figures();
  m.single("process_cpu_seconds", Kind::kCounter, "CPU time of all threads.", process.cpu_seconds);
  m.single("process_resident_memory_bytes", Kind::kGauge, "Resident memory.",
           process.resident_bytes);
  m.single("process_virtual_memory_bytes", Kind::kGauge, "Virtual memory.", process.virtual_bytes);
  m.single("process_open_fds", Kind::kGauge, "Open file descriptors.", process.open_files);
  m.single("process_max_fds", Kind::kGauge, "Limit of file descriptors.", process.max_files);
  m.single("process_start_time_seconds", Kind::kGauge, "Start, as a Unix time.",
           process.start_seconds);
  m.single("process_threads", Kind::kGauge, "Threads.", process.threads);
}

}  // namespace

HttpResponse get_metrics(const HttpContext& context, const HttpRequest& request) {
  const bool open = request.accept.find("application/openmetrics-text") != std::string::npos;
  HttpResponse response;
  response.content_type = open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                               : "text/plain; version=0.0.4; charset=utf-8";
  MetricsText metrics(response.body, open ? MetricsText::Format::kOpenMetrics
                                          : MetricsText::Format::kPrometheus);
  const Status status = context.reader.status();
  add_status(metrics, context, status);
  add_peers(metrics, context.reader.peers());
  const Measures measures = context.reader.measures();
  add_engine(metrics, measures);
  add_store(metrics, measures.store);
  add_detectors(metrics, context.reader.detectors());
  if (context.sinks) add_sinks(metrics, context.sinks(), status.events);
  add_process(metrics);
  metrics.end();
  return response;
}

}  // namespace lapwing::sinks
