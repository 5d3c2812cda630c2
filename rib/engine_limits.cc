// Engine: how many routes a neighbour announces, against its limit (max-prefix).
//
// Counted are the routes of a family that the present session announced. What is kept from a lost
// session counts only beyond twice the limit, so that a neighbour that comes and goes cannot pile
// routes up either.
#include <string>
#include <utility>

#include "bgp/hash.h"
#include "rib/detector_host.h"
#include "rib/engine.h"

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
    const bool too_many =
        family.announced() >= family.limit || family.routes >= 2 * family.limit;
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
  event.severity = stop                        ? Severity::kError
                   : level == LimitLevel::kFine ? Severity::kNotice
                                                : Severity::kWarning;
  event.time = now_;
  event.cause = options_.replay ? Cause::kReplay : Cause::kLive;
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
  const auto digest = [](std::uint64_t seed, const std::string& text) {
    return bgp::hash_octets(seed, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  const auto make_id = [&](const std::string& text) {
    EventId id;
    for (std::size_t half = 0; half < 2; ++half)
      for (std::size_t i = 0; i < 8; ++i)
        id.bytes[half * 8 + i] = static_cast<std::uint8_t>(digest(half, text) >> 8 * i);
    return id;
  };
  event.incident = make_id("max-prefix " + who);
  event.id = make_id(event.summary + std::to_string(unix_micros(now_)));
  commit_.events.push_back(std::move(event));
  counters_.events.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace lapwing::rib
