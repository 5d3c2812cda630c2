// Detector `new-upstream`: durable state, restart, and what the API may ask.
//
// Keys are told apart by their length, all numbers are big-endian:
//   8  origin, upstream          knowledge: `Knowledge::encode`
//   9  origin, upstream, 's'     a share window that is open
//   9  origin, upstream, 'd'     its routes were dropped: tables that are due
//   4  origin                    a single-homed event that stands
//   5  "storm"                   events folded in the present minute
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "detectors/event_text.h"
#include "detectors/new_upstream.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kStateFormat = 1;
constexpr std::string_view kStormKey = "storm";

/// A detector that throws is disabled, loudly: better than one that forgot what it knew and calls
/// every upstream new.
[[noreturn]] void refuse(std::string_view what) {
  throw std::runtime_error(fmt::format(
      "new-upstream: stored {} is damaged or of a newer format; run the version that wrote it",
      what));
}

}  // namespace

void NewUpstream::store(std::uint32_t adjacency) {
  if (!host_->keeps_state()) return;
  const AdjacencyRecord& r = knowledge_[adjacency];
  knowledge_.encode(adjacency, value_scratch_);
  host_->put_state(adjacency_key(r.origin, r.upstream), value_scratch_);
}

/// format | opened | due | old count (4) | old origin count (4). What changed since is compared by
/// count after a restart, so that a window costs one write and not one for each change.
void NewUpstream::store_window(std::uint32_t adjacency, const ShareWindow& w) {
  if (!host_->keeps_state()) return;
  std::string& value = value_scratch_;
  value.clear();
  put_u8(value, kStateFormat);
  put_time(value, w.opened);
  put_time(value, w.due);
  put_u32(value, w.old_count);
  const AdjacencyRecord& r = knowledge_[adjacency];
  put_u32(value, static_cast<std::uint32_t>(old_origin_count(r, w)));
  host_->put_state(adjacency_key(r.origin, r.upstream) + 's', value);
}

/// format | peer (4) | when dropped | AFI (4), SAFI (1) of each table that is due.
void NewUpstream::store_dropped(const AdjacencyRecord& r, Dropped* dropped) {
  if (!host_->keeps_state()) return;
  const std::string key = adjacency_key(r.origin, r.upstream) + 'd';
  if (dropped == nullptr) return host_->erase_state(key);
  dropped->stored = true;
  std::string& value = value_scratch_;
  value.clear();
  put_u8(value, kStateFormat);
  put_u32(value, dropped->peer);
  put_time(value, dropped->at);
  for (const Family& family : dropped->tables) {
    put_u32(value, family.afi);
    put_u8(value, family.safi);
  }
  host_->put_state(key, value);
}

void NewUpstream::store_single_homed(std::uint32_t number) {
  const OriginRecord& origin = knowledge_.origin(number);
  std::string key;
  put_u32(key, origin.as);
  if (!origin.single_homed_after) return host_->erase_state(key);
  std::string value;
  put_u8(value, kStateFormat);
  put_u32(value, *origin.single_homed_after);
  put_u32(value, origin.single_homed_ordinal);
  host_->put_state(key, value);
}

void NewUpstream::store_storm() {
  if (storm_.stored) return;
  storm_.stored = true;
  if (!storm_.running) return host_->erase_state(kStormKey);
  std::string value;
  put_u8(value, kStateFormat);
  put_time(value, storm_.began);
  put_u32(value, storm_.emitted);
  for (const std::uint32_t n : storm_.folded) put_u32(value, n);
  put_u32(value, storm_.emitted_followed);
  host_->put_state(kStormKey, value);
}

void NewUpstream::restore_state(std::string_view key, std::string_view value) {
  StateReader in(key);
  if (key == kStormKey) return restore_storm(value);
  if (key.size() == 4) return restore_single_homed(in.u32(), value);
  if (key.size() != 8 && key.size() != 9) refuse("key");
  const Asn origin = in.u32(), upstream = in.u32();
  if (key.ends_with('d') && key.size() == 9) return restore_dropped(origin, upstream, value);
  if (key.size() == 9) return restore_window(origin, upstream, value);
  const std::uint32_t number = number_of(origin, upstream);
  if (number == kNothing) return;
  if (!knowledge_.restore(origin, upstream, value)) refuse("knowledge");
}

void NewUpstream::restore_window(Asn origin, Asn upstream, std::string_view value) {
  const std::uint32_t number = number_of(origin, upstream);
  if (number == kNothing) return;
  StateReader in(value);
  ShareWindow& w = add_window(number);
  if (in.u8() != kStateFormat) refuse("share window");
  w.opened = w.last = in.time();
  w.due = in.time();
  w.old_count = in.u32();
  w.old_origin_count = static_cast<std::int32_t>(in.u32());
  w.restored = true;
  if (!in.at_end()) refuse("share window");
}

void NewUpstream::restore_dropped(Asn origin, Asn upstream, std::string_view value) {
  if (number_of(origin, upstream) == kNothing) return;
  Dropped& dropped = dropped_[{origin, upstream}];
  StateReader in(value);
  if (in.u8() != kStateFormat) refuse("dropped routes");
  dropped.peer = in.u32();
  dropped.at = in.time();
  dropped.stored = true;
  while (in.ok() && !in.at_end()) {
    Family family;
    family.afi = static_cast<std::uint16_t>(in.u32());
    family.safi = in.u8();
    dropped.tables.insert(family);
  }
  if (!in.ok()) refuse("dropped routes");
}

void NewUpstream::restore_single_homed(Asn as, std::string_view value) {
  StateReader in(value);
  if (in.u8() != kStateFormat) refuse("single-homed state");
  const Asn after = in.u32();
  const std::uint32_t ordinal = in.u32();
  if (!in.at_end()) refuse("single-homed state");
  OriginRecord& origin = knowledge_.origin(knowledge_.name_origin(as));
  origin.single_homed_after = after;
  origin.single_homed_ordinal = ordinal;
}

void NewUpstream::restore_storm(std::string_view value) {
  StateReader in(value);
  if (in.u8() != kStateFormat) refuse("storm state");
  storm_.began = in.time();
  storm_.emitted = in.u32();
  for (std::uint32_t& n : storm_.folded) n = in.u32();
  if (!in.at_end()) storm_.emitted_followed = in.u32();
  if (!in.at_end()) refuse("storm state");
  storm_.running = true;
}

void NewUpstream::restore_route(const RouteView& route) {
  const std::uint32_t adjacency = adjacency_of(route.path, route.peer, kNoNumber);
  if (adjacency != kNoNumber) sightings_.add(route.prefix, adjacency);
}

void NewUpstream::start_up() {
  // Routes without knowledge: this detector was switched on after they were stored. They teach.
  std::map<Asn, std::uint32_t> back;  // by origin: one that this shows to have several
  for (std::uint32_t n = 0; n < knowledge_.size(); ++n) {
    if (knowledge_[n].open || sightings_.prefixes(n) == 0) continue;
    knowledge_.open(n, host_->now());
    knowledge_.note_transit(n);
    store(n);
    if (!knowledge_[n].damped) back.emplace(knowledge_[n].origin, n);
  }
  for (const auto& [as, n] : back) {
    const std::uint32_t number = knowledge_[n].origin_number;
    const OriginRecord& origin = knowledge_.origin(number);
    if (origin.open >= 2 && origin.single_homed_after) clear_single_homed(number, n, nullptr);
  }
  // Timers of one time fire in the order in which they are set; this order is that of the keys.
  std::vector<std::uint32_t> order(knowledge_.size());
  for (std::uint32_t n = 0; n < order.size(); ++n) order[n] = n;
  std::erase_if(order, [&](std::uint32_t n) {
    return !knowledge_[n].damped && knowledge_[n].window == kNoNumber;
  });
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const AdjacencyRecord &x = knowledge_[a], &y = knowledge_[b];
    return std::pair(x.origin, x.upstream) < std::pair(y.origin, y.upstream);
  });
  for (const std::uint32_t n : order) {
    if (const ShareWindow* const w = window_of(n)) host_->set_timer(kShareTimer | n, w->due);
    const AdjacencyRecord& r = knowledge_[n];
    if (!r.damped) continue;
    const Timestamp changed = r.open ? r.opened : knowledge_.intervals(n).back().to;
    host_->set_timer(kFlapTimer | n, changed + settings_.flap_quiet);
  }
  if (storm_.folded_total() != 0)
    host_->set_timer(kStormTimer, storm_.began + std::chrono::minutes(1));
}

std::string NewUpstream::upstreams_as_json(Asn as) const {
  std::vector<std::uint32_t> numbers;
  const std::uint32_t origin = knowledge_.find_origin(as);
  if (origin != kNoNumber)
    for (std::uint32_t n = knowledge_.origin(origin).first_adjacency; n != kNoNumber;
         n = knowledge_[n].next_of_origin)
      if (knowledge_[n].known()) numbers.push_back(n);
  std::sort(numbers.begin(), numbers.end(), [&](std::uint32_t a, std::uint32_t b) {
    return knowledge_[a].upstream < knowledge_[b].upstream;
  });
  std::string json = "[";
  std::vector<Prefix> prefixes;
  std::vector<std::string> peers;
  for (const std::uint32_t n : numbers) {
    const AdjacencyRecord& r = knowledge_[n];
    const LastSeen last = last_seen(n, sightings_.prefixes(n));
    json += fmt::format(
        R"({}{{"as":{},"first_seen":"{}","last_seen":"{}","active":{},{}"prefixes":{},"peers":[)",
        json.size() == 1 ? "" : ",", r.upstream, format_rfc3339(r.first_seen),
        format_rfc3339(last.at), r.open, last.unobserved ? "\"unobserved\":true," : "",
        sightings_.prefixes(n));
    if (sightings_.prefixes(n) != 0) {
      bool first = true;
      show(n, prefixes, peers);
      for (const std::string& peer : peers) {
        if (!std::exchange(first, false)) json += ',';
        json += json_string(peer);
      }
    }
    json += fmt::format(R"(],"activations":{},"intervals":[)", r.activations);
    std::string_view separator;
    for (const Interval& i : knowledge_.intervals(n)) {
      json += fmt::format(R"({}{{"from":"{}","to":"{}")", separator, format_rfc3339(i.from),
                          format_rfc3339(i.to));
      if (i.gaps != 0) json += fmt::format(R"(,"gaps":{})", i.gaps);
      json += '}';
      separator = ",";
    }
    if (r.open)
      json += fmt::format(R"({}{{"from":"{}","to":null}})", separator, format_rfc3339(r.opened));
    json += "]}";
  }
  json += ']';
  return json;
}

std::string NewUpstream::statistics_as_json() const {
  std::uint32_t open = 0;
  for (std::uint32_t n = 0; n < knowledge_.size(); ++n) open += knowledge_[n].open;
  return fmt::format(
      R"({{"adjacencies":{},"active":{},"sightings":{},"own_paths":{},"ambiguous_paths":{},)"
      R"("paths_without_adjacency":{},"beyond_limit":{},"share_windows":{},)"
      R"("share_windows_refused":{},"memory":{}}})",
      knowledge_.size(), open, sightings_.nodes(), counters_.own, counters_.ambiguous,
      counters_.none, counters_.beyond_limit, windows_.size() - free_windows_.size(),
      windows_refused_,
      sightings_.footprint() + knowledge_.footprint() + by_path_.footprint());
}

}  // namespace lapwing::detectors
