#include "sinks/http_metrics.h"

#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

class Metrics {
 public:
  explicit Metrics(std::string& out) : out_(out) {}

  // Begins a family; its samples follow.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_ += "# HELP ";
    out_ += name;
    out_ += ' ';
    out_ += help;
    out_ += "\n# TYPE ";
    out_ += name;
    out_ += ' ';
    out_ += type;
    out_ += '\n';
  }
  template <typename T>
  void sample(T value) {
    out_ += name_;
    end(value);
  }
  template <typename T>
  void sample(std::string_view label, std::string_view text, T value) {
    out_ += name_;
    out_ += '{';
    out_ += label;
    out_ += "=\"";
    append_label(text);
    out_ += "\"}";
    end(value);
  }
  template <typename T>
  void single(std::string_view name, std::string_view type, std::string_view help, T value) {
    family(name, type, help);
    sample(value);
  }

 private:
  template <typename T>
  void end(T value) {
    out_ += ' ';
    append_number(out_, value);
    out_ += '\n';
  }
  void append_label(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t size = decode_utf8(text, i).size;
      if (text[i] == '\n')
        out_ += "\\n";
      else if (text[i] == '"' || text[i] == '\\')
        (out_ += '\\') += text[i];
      else
        append_utf8(out_, text.substr(i, size));
      i += size;
    }
  }

  std::string& out_;
  std::string name_;
};

void add_status(Metrics& m, const HttpContext& context, const Status& status) {
  m.family("lapwing_build_info", "gauge", "Always 1; the version is the label.");
  m.sample("version", status.version.empty() ? context.program.version : status.version, 1);
  m.single("lapwing_uptime_seconds", "gauge", "Seconds since the start.", status.uptime_seconds);
  m.single("lapwing_ready", "gauge", "1 when stored tables are loaded and listeners are bound.",
           status.ready ? 1 : 0);
  m.single("lapwing_peers_configured", "gauge", "Neighbours in the configuration.",
           status.peers_configured);
  m.single("lapwing_peers_up", "gauge", "Neighbours whose session is established.",
           status.peers_up);
  m.single("lapwing_routes", "gauge", "Routes in all Adj-RIB-Ins.", status.routes);
  m.single("lapwing_prefixes", "gauge", "Distinct prefixes.", status.prefixes);
  m.single("lapwing_paths", "gauge", "Distinct attribute sets.", status.paths);
  m.single("lapwing_store_pending", "gauge", "Route changes that are not yet durable.",
           status.store_pending);
  m.single("lapwing_store_errors_total", "counter", "Failed operations of the store.",
           status.store_errors);
  m.single("lapwing_events_total", "counter", "Highest number in the event journal.",
           status.events);
}

void add_peers(Metrics& m, const std::vector<PeerStatus>& peers) {
  struct Family {
    const char* name;
    const char* type;
    const char* help;
    std::uint64_t (*value)(const PeerStatus&);
  };
  static constexpr Family kFamilies[] = {
      {"lapwing_peer_up", "gauge", "1 when the session is established.",
       [](const PeerStatus& p) -> std::uint64_t { return p.state == "Established" ? 1 : 0; }},
      {"lapwing_peer_routes", "gauge", "Routes in the Adj-RIB-In, stale ones included.",
       [](const PeerStatus& p) { return p.routes; }},
      {"lapwing_peer_stale_routes", "gauge", "Routes kept from a session that was lost.",
       [](const PeerStatus& p) { return p.stale; }},
      {"lapwing_peer_updates_received_total", "counter", "UPDATE messages received.",
       [](const PeerStatus& p) { return p.updates_received; }},
      {"lapwing_peer_messages_received_total", "counter", "Messages received.",
       [](const PeerStatus& p) { return p.messages_received; }},
      {"lapwing_peer_messages_sent_total", "counter", "Messages sent.",
       [](const PeerStatus& p) { return p.messages_sent; }},
      {"lapwing_peer_malformed_total", "counter", "UPDATE messages with an RFC 7606 finding.",
       [](const PeerStatus& p) { return p.malformed; }},
      {"lapwing_peer_established_total", "counter", "Times the session was established.",
       [](const PeerStatus& p) { return p.established; }},
  };
  for (const Family& family : kFamilies) {
    m.family(family.name, family.type, family.help);
    for (const PeerStatus& peer : peers) m.sample("peer", peer.name, family.value(peer));
  }
  m.family("lapwing_peer_last_heard_timestamp_seconds", "gauge",
           "When the neighbour was last heard, as a Unix time.");
  for (const PeerStatus& peer : peers)
    if (peer.last_heard) m.sample("peer", peer.name, unix_micros(*peer.last_heard) / 1000000);
}

void add_sinks(Metrics& m, const std::vector<SinkStatus>& sinks, std::uint64_t events) {
  m.family("lapwing_sink_up", "gauge", "1 when the sink's transport is up.");
  for (const SinkStatus& s : sinks) m.sample("sink", s.name, s.state == "up" ? 1 : 0);
  m.family("lapwing_sink_cursor", "gauge", "Number of the last event that was delivered.");
  for (const SinkStatus& s : sinks) m.sample("sink", s.name, s.cursor);
  m.family("lapwing_sink_waiting_events", "gauge", "Events that wait for delivery.");
  for (const SinkStatus& s : sinks)
    m.sample("sink", s.name, events > s.cursor ? events - s.cursor : 0);
  m.family("lapwing_sink_delivered_total", "counter", "Events delivered since the start.");
  for (const SinkStatus& s : sinks) m.sample("sink", s.name, s.delivered);
  m.family("lapwing_sink_retries_total", "counter", "Deliveries that had to be tried again.");
  for (const SinkStatus& s : sinks) m.sample("sink", s.name, s.retries);
}

}  // namespace

HttpResponse get_metrics(const HttpContext& context, const HttpRequest&) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  Metrics metrics(response.body);
  const Status status = context.reader.status();
  add_status(metrics, context, status);
  add_peers(metrics, context.reader.peers());
  if (context.sinks) add_sinks(metrics, context.sinks(), status.events);
  if (context.more_metrics) response.body += context.more_metrics();
  return response;
}

}  // namespace lapwing::sinks
