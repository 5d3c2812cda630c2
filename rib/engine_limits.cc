// Engine: how many routes a neighbour announces, against its limit (max-prefix), and how many
// octets of attribute sets it brings in (max-attributes).
//
// Counted are the routes of a family that the present session announced. What is kept from a lost
// session counts only beyond twice the limit, so that a neighbour that comes and goes cannot pile
// routes up either.
#include <string>
#include <utility>

#include "rib/detector_host.h"
#include "rib/engine.h"
#include "rib/event_id.h"

namespace lapwing::rib {

void Engine::set_limit(const Peer& peer, FamilyState& family) {
  family.limit = peer.max_prefix ? peer.max_prefix->limit_of(family.family) : 0;
  const std::uint64_t percent = peer.max_prefix ? peer.max_prefix->warn_percent : 100;
  // Without overflow for any limit.
  family.near = family.limit / 100 * percent + family.limit % 100 * percent / 100;
  family.level = LimitLevel::kFine;
}

bool Engine::admit(Peer& peer, FamilyState& family) {
  if (family.limit != 0) {
    const bool too_many = family.announced() >= family.limit || family.routes >= 2 * family.limit;
    if (too_many && family.level != LimitLevel::kExceeded)
      report_limit(peer, family, LimitLevel::kExceeded);
    else if (family.announced() + 1 >= family.near && family.level == LimitLevel::kFine)
      report_limit(peer, family, LimitLevel::kNear);
    if (peer.over_limit) return false;
  }
  ++family.routes;
  return true;
}

void Engine::note_fewer(Peer& peer, FamilyState& family) {
  // Ten percent of distance, so that a route that comes and goes is not reported for ever.
  if (family.announced() >= family.near - family.near / 10) return;
  family.level = LimitLevel::kFine;
  emit_limit(peer, family, LimitLevel::kFine, false);
}

void Engine::report_limit(Peer& peer, FamilyState& family, LimitLevel level) {
  family.level = level;
  peer.over_limit = level == LimitLevel::kExceeded && peer.max_prefix->shut_down;
  emit_limit(peer, family, level, peer.over_limit);
  if (!options_.on_limit) return;
  LimitReport report;
  report.what = peer.over_limit                  ? LimitReport::What::kStop
                : level == LimitLevel::kExceeded ? LimitReport::What::kExceeded
                                                 : LimitReport::What::kNear;
  report.peer = peer.info.name;
  report.family = family.family;
  report.routes = family.announced();
  report.limit = family.limit;
  options_.on_limit(report);
}

void Engine::emit_limit(const Peer& peer, const FamilyState& family, LimitLevel level, bool stop) {
  const std::string name = format_family(family.family);
  const std::string limit = std::to_string(family.limit);
  Event event;
  event.type = "max-prefix";
  event.action = level == LimitLevel::kFine ? lapwing::Action::kClear : lapwing::Action::kRaise;
  event.severity = stop                         ? Severity::kError
                   : level == LimitLevel::kFine ? Severity::kNotice
                                                : Severity::kWarning;
  event.peers = {peer.info.name};
  event.fields.push_back({"family", name});
  event.fields.push_back({"routes", static_cast<std::int64_t>(family.announced())});
  event.fields.push_back({"limit", static_cast<std::int64_t>(family.limit)});
  event.fields.push_back({"stopped", stop});
  const std::string who = peer.info.name + ", " + name + ": ";
  switch (level) {
    case LimitLevel::kFine:
      event.rule = "fewer routes than nine tenths of what was warned of";
      event.summary = who + std::to_string(family.announced()) + " routes, the limit is " + limit;
      break;
    case LimitLevel::kNear:
      event.rule = "the part of max-prefix that warn-percent names is reached";
      event.summary = who + "close to its limit of " + limit + " routes";
      break;
    case LimitLevel::kExceeded:
      event.rule = "more routes than max-prefix allows";
      event.summary = who + "more than " + limit + " routes" +
                      (stop ? "; the session is ended until an operator clears it" : "");
      break;
  }
  event.incident = event_id_of("max-prefix " + who);
  tell_limit(std::move(event));
}

void Engine::tell_limit(Event&& event) {
  event.time = now_;
  event.cause = options_.replay ? Cause::kReplay : Cause::kLive;
  event.id = event_id_of(event.summary + std::to_string(unix_micros(now_)));
  commit_.events.push_back(std::move(event));
  counters_.events.fetch_add(1, std::memory_order_relaxed);
}

void Engine::bring_in(Peer& peer, PathId path) {
  paths_.set_owner(path, peer.info.id);
  peer.attributes += paths_.weight(path);
  const auto too_many = [&peer] {
    return peer.max_attributes != 0 && peer.attributes > peer.attributes_allowed && peer.up;
  };
  if (too_many()) recycle_paths(0);  // what is only kept does not count
  if (too_many()) exceed_attributes(peer);
}

void Engine::exceed_attributes(Peer& peer) {
  peer.over_limit = true;
  peer.attributes_exceeded = true;
  emit_attributes(peer, Action::kRaise);
  if (!options_.on_limit) return;
  LimitReport report;
  report.what = LimitReport::What::kAttributes;
  report.peer = peer.info.name;
  report.limit = peer.max_attributes;
  options_.on_limit(report);
}

void Engine::note_fewer_attributes(Peer& peer) {
  if (!peer.attributes_exceeded || peer.over_limit) return;
  peer.attributes_exceeded = false;
  emit_attributes(peer, Action::kClear);
}

void Engine::emit_attributes(const Peer& peer, Action action) {
  const bool raise = action == Action::kRaise;
  Event event;
  event.type = "max-attributes";
  event.action = action;
  event.severity = raise ? Severity::kError : Severity::kNotice;
  event.peers = {peer.info.name};
  event.fields.push_back({"octets", static_cast<std::int64_t>(peer.attributes)});
  event.fields.push_back({"limit", static_cast<std::int64_t>(peer.max_attributes)});
  event.fields.push_back({"stopped", raise});
  event.rule = raise ? "more octets of attribute sets than max-attributes, or memory, allows"
                     : "a table was complete within the limit";
  event.summary =
      peer.info.name + ": " +
      (raise ? (peer.attributes > peer.attributes_allowed
                    ? "more than " + std::to_string(peer.max_attributes) + " octets of attributes"
                    : std::string("no room for more attributes")) +
                   "; the session is ended until an operator clears it"
             : std::to_string(peer.attributes) + " octets of attributes, the limit is " +
                   std::to_string(peer.max_attributes));
  event.incident = event_id_of("max-attributes " + peer.info.name);
  tell_limit(std::move(event));
}

}  // namespace lapwing::rib
