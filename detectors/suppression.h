// What the operator does not want to be told: ignore lists, thresholds, quiet times, maintenance
// windows ([[suppress]] in the configuration), and a bound on the number of events.
//
// It is a detector without routes and judges the events of all others. Everything goes by event time
// and by what the events say, so the same records give the same events. What is suppressed is counted
// for each rule, and the last ones can be listed: query "suppressed". Rules: docs/DETECTORS.md.
// Thread: engine. Owns: rules, counts, what is held back.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/detector.h"
#include "lapwing/event_filter.h"

namespace lapwing::detectors {

struct SuppressionRule {
  std::string name;
  // Selectors; an empty one fits everything.
  std::vector<std::string> types;
  std::vector<std::string> peers;  // fits if all neighbours of the event are among them
  std::vector<Asn> origins;
  std::vector<Asn> ases;           // origin, upstream or any other AS that the event names
  std::vector<Prefix> prefixes;    // fits if all prefixes of the event are within
  // Conditions; without one the rule ignores what fits.
  std::optional<Timestamp> from, until;
  std::size_t min_peers = 0;
  std::uint32_t min_prefixes = 0;
  std::chrono::seconds quiet{0};
  std::chrono::seconds min_duration{0};

  bool conditional() const {
    return from || until || min_peers != 0 || min_prefixes != 0 || quiet.count() != 0 ||
           min_duration.count() != 0;
  }
};

/// Its durable state stands under it: no plugin may be called so.
inline constexpr std::string_view kSuppressionName = "suppression";

// What is suppressed by no rule is counted under these names.
inline constexpr std::string_view kStormRule = "storm-limit";
inline constexpr std::string_view kEndRule = "its raise was suppressed";

/// Reads one [[suppress]] table; its errors are noted in `settings`.
SuppressionRule read_suppression_rule(Settings& settings);

/// At most `storm_limit` events of one type within a minute; 0: no bound.
std::unique_ptr<Detector> make_suppression(std::vector<SuppressionRule> rules,
                                           std::uint32_t storm_limit = 600);

class Suppression final : public Detector, public EventFilter {
 public:
  Suppression(std::vector<SuppressionRule> rules, std::uint32_t storm_limit);

  std::string_view name() const override { return kSuppressionName; }
  void attach(Host& host) override { host_ = &host; }
  RouteInterest route_interest() const override { return RouteInterest::kNone; }
  void restore_state(std::string_view key, std::string_view value) override;
  void on_route_change(const RouteChange&) override {}
  void on_timer(std::uint64_t key) override;
  void start_up() override;
  void finish() override;
  std::optional<std::string> query(std::string_view what, std::string_view argument) override;

  bool admit(std::string_view detector, Event& event) override;
  bool counts_witnesses() const override { return !held_.empty(); }
  void add_witness(const EventId& incident, std::string_view type,
                   const std::string& peer) override;

 private:
  /// A suppressed event, as it is listed.
  struct Listed {
    std::uint64_t number = 0;
    Timestamp time;
    std::string rule, type, summary;
    EventId id;
  };
  using Matter = std::pair<EventId, std::string>;  // incident and type of a raise
  /// A raise that is told once no rule keeps it back any more, unless it has ended by then.
  struct Held {
    Event event;
    std::vector<Event> updates;  // the last ones that came meanwhile
    std::string rule;
    Timestamp due;         // kNever: it waits for neighbours
    bool limited = false;  // by the storm limit, when it is told
    bool counted = false;  // as suppressed, when it was held back
    std::uint64_t timer = 0;
  };

  // suppression_rules.cc
  const SuppressionRule* rule_for(const Event& event) const;
  bool fits(const SuppressionRule& rule, const Event& event) const;
  bool holds(const SuppressionRule& rule, const Event& event) const;
  std::optional<Timestamp> end_of(const SuppressionRule& rule, const Event& raise) const;
  static bool hides_ends(const SuppressionRule& rule, const Event& clear);
  static bool waits_for_peers(const SuppressionRule& rule);
  static std::vector<std::string_view> ended_types(const Event& clear);

  // suppression.cc
  void suppress(const std::string& rule, const Event& event);
  void keep_back(const SuppressionRule& rule, Event&& raise, bool limited);
  void hold(const SuppressionRule& rule, Timestamp due, Event&& raise, bool limited);
  void note_due(const Held& held);
  static std::vector<Matter> matters_of(const Event& update);
  bool joins_held(Event& update);
  bool opens_or_follows(Event& update);
  void ignore_held(std::map<Matter, Held>::iterator held, std::string_view rule);
  void release(std::map<Matter, Held>::iterator it);
  void give_up(std::map<Matter, Held>::iterator it);
  void store_held(const Matter& raise, const Held& held);
  void count_held(const Held& held);
  void drop_held(std::map<Matter, Held>::iterator it);
  bool ends_untold(const Event& clear);
  bool has_to_last(const Held& held) const;
  void replace_held(const Event& raise);
  void note_admitted(const Event& event);
  bool within_storm_limit(const Event& event);
  void store_storm();
  void end_storm_minute();
  std::string listed_as_json(std::string_view rule) const;
  void hide(const Event& raise);
  void forget_hidden(const Matter& raise);

  static constexpr std::size_t kMaxListed = 500;
  static constexpr std::size_t kMaxIncidents = 65536;
  static constexpr std::size_t kMaxWaiting = 4096;  // for neighbours
  static constexpr std::size_t kMaxUpdates = 16;  // of one that is held back
  static constexpr std::uint64_t kStormTimer = 0;
  static constexpr Timestamp kNever = Timestamp::max();

  const std::vector<SuppressionRule> rules_;
  const std::uint32_t storm_limit_;
  Host* host_ = nullptr;
  std::map<std::string, std::uint64_t> counts_;  // by rule
  std::deque<Listed> listed_;                    // oldest first
  std::uint64_t next_number_ = 1;
  std::map<Matter, Severity> hidden_;  // suppressed raises; their end is suppressed, too
  // When an event of this incident and type was last admitted, where a rule has a quiet time.
  std::map<Matter, Timestamp> admitted_;
  std::set<std::pair<Timestamp, Matter>> admitted_by_age_;
  std::map<Matter, Held> held_;
  std::size_t waiting_ = 0;  // of these, those that wait for neighbours only
  std::map<std::uint64_t, Matter> held_by_timer_;
  std::uint64_t next_timer_ = 1;
  std::vector<std::string> untyped_;  // keys of an older version, between restore and `start_up`
  // The present minute of event time.
  std::optional<Timestamp> minute_;
  std::map<std::string, std::uint32_t> in_minute_, folded_;
};

}  // namespace lapwing::detectors
