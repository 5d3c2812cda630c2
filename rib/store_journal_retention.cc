#include "rib/store_journal_retention.h"

#include <algorithm>

namespace lapwing::rib {

namespace {

// Beyond the budget a tenth of it goes at once: one report for many events, not one for each.
constexpr std::uint64_t kTenths = 9;

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// Derived from what is said: the same loss has the same id when it is found again after a crash.
EventId id_of(std::string_view sink, std::uint64_t first, std::uint64_t last) {
  const std::string text = "events-lost " + std::to_string(first) + ' ' + std::to_string(last) + ' ' +
                           std::string(sink);
  const std::uint64_t halves[] = {mix(0xcbf29ce484222325, text), mix(0x9e3779b97f4a7c15, text)};
  EventId id;
  for (std::size_t i = 0; i < 16; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(halves[i / 8] >> (8 * (i % 8)));
  return id;
}

}  // namespace

Retention::Retention(const RetentionLimits& limits, const RetentionView& view,
                     const std::vector<HeldCursor>& cursors)
    : limits_(limits), view_(view), octets_(view.octets) {
  for (const HeldCursor& cursor : cursors) slowest_ = std::min(slowest_, cursor.number);
  if (limits.octets != 0 && view.octets > limits.octets) target_ = limits.octets / 10 * kTenths;
}

bool Retention::over_age(Timestamp time) const {
  return limits_.days != 0 && time < view_.newest - std::chrono::days(limits_.days);
}

bool Retention::over_count(std::uint64_t number) const {
  return limits_.events != 0 && view_.last - number >= limits_.events;
}

bool Retention::takes(std::uint64_t number, Timestamp time, std::uint64_t octets) {
  if (number > view_.durable) return false;
  const bool over_budget = target_ != 0 && octets_ > target_;
  if (!over_budget && (number > slowest_ || (!over_count(number) && !over_age(time)))) return false;
  octets_ -= std::min(octets, octets_);
  return true;
}

std::vector<Event> lost_events(const std::vector<HeldCursor>& cursors, std::uint64_t keep_from,
                               Timestamp time, std::uint64_t budget) {
  std::vector<Event> events;
  for (const HeldCursor& cursor : cursors) {
    const std::uint64_t first = cursor.number + 1;
    if (first >= keep_from) continue;
    const std::uint64_t last = keep_from - 1;
    Event event;
    event.id = event.incident = id_of(cursor.sink, first, last);
    event.type = "events-lost";
    event.action = Action::kUpdate;
    event.severity = Severity::kError;
    event.time = time;
    event.fields = {{"sink", cursor.sink},
                    {"lost", static_cast<std::int64_t>(last - first + 1)},
                    {"first_number", static_cast<std::int64_t>(first)},
                    {"last_number", static_cast<std::int64_t>(last)},
                    {"budget", static_cast<std::int64_t>(budget)}};
    event.rule = "the journal was larger than its disk budget before the sink had taken the events";
    event.summary = std::to_string(last - first + 1) + " events left the journal before sink " +
                    cursor.sink + " had them (budget: " + std::to_string(budget) + " octets)";
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace lapwing::rib
