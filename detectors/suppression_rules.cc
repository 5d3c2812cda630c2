// Suppression: the rules of [[suppress]], which events they fit, and for how long.
#include <algorithm>

#include "detectors/event_text.h"
#include "detectors/evidence.h"
#include "detectors/suppression.h"

namespace lapwing::detectors {
namespace {

template <typename T>
bool holds_value(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

bool names_one_of(const Event& e, const std::vector<Asn>& ases) {
  const auto in = [&](Asn as) { return holds_value(ases, as); };
  if ((e.origin_as && in(*e.origin_as)) || (e.upstream_as && in(*e.upstream_as))) return true;
  return std::any_of(e.fields.begin(), e.fields.end(), [&](const Field& f) {
    const bool names_as = f.name.ends_with("_as") || f.name.starts_with("as_") ||
                          f.name == "old_origin" || f.name == "lost_upstream";
    if (const auto* list = std::get_if<std::vector<Asn>>(&f.value))
      return std::any_of(list->begin(), list->end(), in);
    const auto* number = std::get_if<std::int64_t>(&f.value);
    return names_as && number != nullptr && *number > 0 && in(static_cast<Asn>(*number));
  });
}

std::optional<Timestamp> time_setting(Settings& settings, std::string_view key) {
  const std::string text = settings.text(key, "");
  if (text.empty()) return std::nullopt;
  const auto time = parse_rfc3339(text);
  if (!time) settings.error(key, "must be a time such as \"2026-01-31T22:00:00Z\"");
  return time;
}

}  // namespace

SuppressionRule read_suppression_rule(Settings& settings) {
  SuppressionRule r;
  r.name = settings.text("name", "");
  if (r.name.empty() || r.name.size() > 100)
    settings.error("name",
                   "must be a text of 1 to 100 octets: it is shown with what it suppressed");
  if (r.name == kStormRule || r.name == kEndRule)
    settings.error("name", "is the name under which something else is counted");
  r.types = settings.texts("types", {});
  r.peers = settings.texts("peers", {});
  r.origins = as_setting(settings, "origins", {});
  r.ases = as_setting(settings, "ases", {});
  for (const std::string& text : settings.texts("prefixes", {})) {
    const auto prefix = parse_prefix(text);
    if (prefix)
      r.prefixes.push_back(*prefix);
    else
      settings.error("prefixes",
                     "must be prefixes such as \"203.0.113.0/24\", not \"" + text + '"');
  }
  r.from = time_setting(settings, "from");
  r.until = time_setting(settings, "until");
  if (r.from && r.until && *r.until <= *r.from)
    settings.error("until", "must be later than \"from\"");
  r.min_peers = size_setting(settings, "min-peers", 0, 0, kMaxEventPeers);
  r.min_prefixes = static_cast<std::uint32_t>(settings.integer("min-prefixes", 0, 0, 1000000));
  r.quiet = settings.duration("quiet", r.quiet, 0, 30 * 86400);
  r.min_duration = settings.duration("min-duration", r.min_duration, 0, 86400);
  const bool selects = !r.types.empty() || !r.peers.empty() || !r.origins.empty() ||
                       !r.ases.empty() || !r.prefixes.empty();
  if (!selects && !r.conditional() && !settings.failed())
    settings.error("name",
                   "names a rule that would suppress everything; add a selector or a condition");
  return r;
}

/// The types of raise that a clear ends, or an update in part.
std::vector<std::string_view> Suppression::ended_types(const Event& clear) {
  if (clear.ends.empty()) return {clear.type};
  std::vector<std::string_view> types;
  for (std::string_view rest = clear.ends; !rest.empty();) {
    const std::size_t size = std::min(rest.find(' '), rest.size());
    if (size != 0) types.push_back(rest.substr(0, size));
    rest.remove_prefix(std::min(size + 1, rest.size()));
  }
  return types;
}

/// The first rule that suppresses the event.
const SuppressionRule* Suppression::rule_for(const Event& event) const {
  const bool ends = event.action == Action::kClear && event.ends != Event::kEndsNothing;
  for (const SuppressionRule& rule : rules_) {
    if (ends && !hides_ends(rule, event)) continue;
    if (rule.min_duration.count() != 0 && event.action != Action::kRaise) continue;
    if (fits(rule, event) && holds(rule, event)) return &rule;
  }
  return nullptr;
}

/// The end of something that was told is told, too. Only an ignore list hides it, and not because fewer
/// neighbours or prefixes were left at the end than the raise had, or other ASes named: unless it names
/// the clear's type and not the raise's.
bool Suppression::hides_ends(const SuppressionRule& rule, const Event& clear) {
  if (rule.conditional()) return false;
  if (rule.peers.empty() && rule.prefixes.empty() && rule.ases.empty()) return true;
  const auto names = [&](std::string_view type) {
    return std::find(rule.types.begin(), rule.types.end(), type) != rule.types.end();
  };
  const auto ended = ended_types(clear);
  return !rule.types.empty() && std::none_of(ended.begin(), ended.end(), names);
}

bool Suppression::fits(const SuppressionRule& rule, const Event& e) const {
  if (!rule.types.empty() && !holds_value(rule.types, e.type)) return false;
  if (!rule.origins.empty() && (!e.origin_as || !holds_value(rule.origins, *e.origin_as)))
    return false;
  if (!rule.ases.empty() && !names_one_of(e, rule.ases)) return false;
  // Of a list that is cut nobody knows whether the rest would fit.
  if (!rule.peers.empty() &&
      (e.peers.empty() || e.peers.size() >= kMaxEventPeers ||
       !std::all_of(e.peers.begin(), e.peers.end(),
                    [&](const std::string& p) { return holds_value(rule.peers, p); })))
    return false;
  if (rule.prefixes.empty()) return true;
  return !e.prefixes.empty() && e.prefixes.size() >= e.prefix_count &&
         std::all_of(e.prefixes.begin(), e.prefixes.end(), [&](const Prefix& p) {
           return std::any_of(rule.prefixes.begin(), rule.prefixes.end(),
                              [&](const Prefix& of_rule) { return of_rule.contains(p); });
         });
}

bool Suppression::holds(const SuppressionRule& rule, const Event& e) const {
  const Timestamp now = host_->now();
  // When it happened: what a detector folds is told later. A raise may stand when the window is over.
  const Timestamp when = e.action == Action::kRaise ? now : e.time;
  if (rule.from && when < *rule.from) return false;
  if (rule.until && when >= *rule.until) return false;
  if (rule.min_peers != 0 && e.peers.size() >= rule.min_peers) return false;
  if (rule.min_prefixes != 0 && e.prefix_count >= rule.min_prefixes) return false;
  if (rule.min_duration.count() != 0 && now - e.time >= rule.min_duration) return false;
  if (rule.quiet.count() == 0) return true;
  const auto last = admitted_.find({e.incident, e.type});
  return last != admitted_.end() && now - last->second < rule.quiet;
}

/// When the first of the rule's conditions that go by time is over; nullopt: it has none.
std::optional<Timestamp> Suppression::end_of(const SuppressionRule& rule,
                                             const Event& raise) const {
  std::optional<Timestamp> end = rule.until;
  const auto sooner = [&end](Timestamp time) { end = std::min(end.value_or(time), time); };
  if (rule.min_duration.count() != 0) sooner(raise.time + rule.min_duration);
  if (rule.quiet.count() != 0) sooner(admitted_.at({raise.incident, raise.type}) + rule.quiet);
  return end;
}

bool Suppression::waits_for_peers(const SuppressionRule& rule) {
  return rule.min_peers != 0 || !rule.peers.empty();
}

}  // namespace lapwing::detectors
