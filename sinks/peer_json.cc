#include "sinks/peer_json.h"

#include "sinks/json_object.h"

namespace lapwing::sinks {

void append_peer_json(std::string& out, const PeerStatus& peer) {
  JsonObject object(out);
  object.text("name", peer.name);
  object.text("address", format_address(peer.address));
  object.number("port", peer.port);
  object.number("as", peer.as);
  object.number("local_as", peer.local_as);
  object.text("description", peer.description);
  object.text("state", peer.state);
  object.time_or_null("since", peer.since);
  object.time_or_null("last_heard", peer.last_heard);
  object.text_or_null("router_id", peer.router_id);
  object.number("hold_time", peer.hold_time);
  object.list("families", peer.families,
              [&out](Family family) { append_json(out, format_family(family)); });
  object.list("capabilities", peer.capabilities,
              [&out](const std::string& text) { append_json(out, text); });
  object.number("routes", peer.routes);
  object.number("stale", peer.stale);
  object.number("updates_received", peer.updates_received);
  object.number("messages_received", peer.messages_received);
  object.number("messages_sent", peer.messages_sent);
  object.number("malformed", peer.malformed);
  object.number("established", peer.established);
  object.text("last_error", peer.last_error);
  object.boolean("enabled", peer.enabled);
}

void append_sinks_member(std::string& out, JsonObject& object, std::span<const SinkStatus> sinks,
                         std::uint64_t last) {
  object.list("sinks", sinks, [&](const SinkStatus& sink) {
    JsonObject entry(out);
    entry.text("name", sink.name);
    entry.text("state", sink.state);
    entry.number("cursor", sink.cursor);
    entry.number("waiting", last > sink.cursor ? last - sink.cursor : 0);
    entry.number("delivered", sink.delivered);
    entry.number("retries", sink.retries);
    entry.number("repeated", sink.repeated);
    entry.number("lost", sink.lost);
    entry.number("lag_seconds", static_cast<std::uint64_t>(sink.lag_seconds));
    entry.text("last_error", sink.last_error);
  });
}

void append_status_json(std::string& out, const Program& program, const Status& status,
                        std::span<const SinkStatus> sinks) {
  JsonObject object(out);
  object.text("name", program.name);
  object.text("version", status.version.empty() ? program.version : status.version);
  object.number("uptime_seconds", status.uptime_seconds);
  object.boolean("ready", status.ready);
  object.number("peers_configured", status.peers_configured);
  object.number("peers_up", status.peers_up);
  object.number("routes", status.routes);
  object.number("prefixes", status.prefixes);
  object.number("paths", status.paths);
  object.number("store_pending", status.store_pending);
  object.number("store_errors", status.store_errors);
  object.text("store_error", status.store_error);
  object.number("events", status.events);
  append_sinks_member(out, object, sinks, status.events);
}

}  // namespace lapwing::sinks
