#include "detectors/suppression.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "detectors/event_state.h"
#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

// Keys are told apart by their first octet.
constexpr char kCountKey = 'c', kListKey = 'l', kHiddenKey = 'h', kQuietKey = 'q', kHeldKey = 'e';
constexpr std::string_view kStormRule = "storm-limit";
constexpr std::string_view kEndRule = "its raise was suppressed";

std::string id_key(char kind, const EventId& id) {
  std::string key(1, kind);
  put_octets(key, id.bytes);
  return key;
}

EventId read_id(StateReader& in) {
  EventId id;
  in.octets(id.bytes);
  return id;
}

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
  r.min_peers = size_setting(settings, "min-peers", 0, 0, 1000);
  r.min_prefixes = static_cast<std::uint32_t>(settings.integer("min-prefixes", 0, 0, 1000000));
  r.quiet = seconds_setting(settings, "quiet", r.quiet, 0, 30 * 86400);
  r.min_duration = seconds_setting(settings, "min-duration", r.min_duration, 0, 86400);
  const bool selects = !r.types.empty() || !r.peers.empty() || !r.origins.empty() ||
                       !r.ases.empty() || !r.prefixes.empty();
  if (!selects && !r.conditional())
    settings.error("name",
                   "names a rule that would suppress everything; add a selector or a condition");
  return r;
}

std::unique_ptr<Detector> make_suppression(std::vector<SuppressionRule> rules,
                                           std::uint32_t storm_limit) {
  return std::make_unique<Suppression>(std::move(rules), storm_limit);
}

Suppression::Suppression(std::vector<SuppressionRule> rules, std::uint32_t storm_limit)
    : rules_(std::move(rules)), storm_limit_(storm_limit) {}

bool Suppression::admit(std::string_view detector, Event& event) {
  if (event.type == "detector-failed") return true;
  if (event.action == Action::kClear) {
    if (drop_held(event)) return false;
    if (hidden_.contains(event.incident)) {
      mark_hidden(event.incident, false);
      suppress(std::string(kEndRule), event);
      return false;
    }
  }
  const SuppressionRule* rule = rule_for(event);
  if (rule != nullptr && rule->min_duration.count() != 0) {
    hold(*rule, std::move(event));
    return false;
  }
  if (rule != nullptr || (detector != "new-upstream" && !within_storm_limit(event))) {
    suppress(rule != nullptr ? rule->name : std::string(kStormRule), event);
    if (event.action == Action::kRaise) mark_hidden(event.incident, true);
    return false;
  }
  note_admitted(event);
  return true;
}

/// The first rule that suppresses the event. The end of something that was told is told, too: only
/// a rule without conditions hides it.
const SuppressionRule* Suppression::rule_for(const Event& event) const {
  for (const SuppressionRule& rule : rules_) {
    if (event.action == Action::kClear && rule.conditional()) continue;
    if (rule.min_duration.count() != 0 && event.action != Action::kRaise) continue;
    if (fits(rule, event) && holds(rule, event)) return &rule;
  }
  return nullptr;
}

bool Suppression::fits(const SuppressionRule& rule, const Event& e) const {
  if (!rule.types.empty() && !holds_value(rule.types, e.type)) return false;
  if (!rule.origins.empty() && (!e.origin_as || !holds_value(rule.origins, *e.origin_as)))
    return false;
  if (!rule.ases.empty() && !names_one_of(e, rule.ases)) return false;
  if (!rule.peers.empty() &&
      (e.peers.empty() || !std::all_of(e.peers.begin(), e.peers.end(), [&](const std::string& p) {
         return holds_value(rule.peers, p);
       })))
    return false;
  if (rule.prefixes.empty()) return true;
  return !e.prefixes.empty() &&
         std::all_of(e.prefixes.begin(), e.prefixes.end(), [&](const Prefix& p) {
           return std::any_of(rule.prefixes.begin(), rule.prefixes.end(),
                              [&](const Prefix& of_rule) { return of_rule.contains(p); });
         });
}

bool Suppression::holds(const SuppressionRule& rule, const Event& e) const {
  const Timestamp now = host_->now();
  if (rule.from && now < *rule.from) return false;
  if (rule.until && now >= *rule.until) return false;
  if (rule.min_peers != 0 && e.peers.size() >= rule.min_peers) return false;
  if (rule.min_prefixes != 0 && e.prefix_count >= rule.min_prefixes) return false;
  if (rule.quiet.count() == 0) return true;
  const auto last = admitted_.find({e.incident, e.type});
  return last != admitted_.end() && now - last->second < rule.quiet;
}

void Suppression::suppress(const std::string& rule, const Event& event) {
  std::string key(1, kCountKey), value;
  key += rule;
  put_u64(value, ++counts_[rule]);
  host_->put_state(key, value);
  Listed& l = listed_.emplace_back();
  l.number = next_number_++;
  l.time = event.time;
  l.rule = rule;
  l.type = event.type;
  l.summary = event.summary;
  l.id = event.id;
  const auto key_of = [](std::uint64_t number) {
    std::string text(1, kListKey);
    put_u64(text, number);
    return text;
  };
  value.clear();
  put_time(value, l.time);
  for (const std::string* text : {&l.rule, &l.type, &l.summary}) put_text(value, *text);
  put_octets(value, l.id.bytes);
  host_->put_state(key_of(l.number), value);
  if (listed_.size() <= kMaxListed) return;
  host_->erase_state(key_of(listed_.front().number));
  listed_.pop_front();
}

void Suppression::mark_hidden(const EventId& incident, bool hidden) {
  if (!hidden) {
    if (hidden_.erase(incident) != 0) host_->erase_state(id_key(kHiddenKey, incident));
  } else if (hidden_.size() < kMaxIncidents && hidden_.insert(incident).second) {
    host_->put_state(id_key(kHiddenKey, incident), "");
  }
}

/// Remembered only where a rule has a quiet time that this event could begin.
void Suppression::note_admitted(const Event& event) {
  if (event.action == Action::kRaise) mark_hidden(event.incident, false);
  std::chrono::seconds quiet{0};
  for (const SuppressionRule& rule : rules_)
    if (rule.quiet.count() != 0 && fits(rule, event)) quiet = std::max(quiet, rule.quiet);
  if (quiet.count() == 0) return;
  const std::pair id(event.incident, event.type);
  const auto state_key = [](const std::pair<EventId, std::string>& of) {
    return id_key(kQuietKey, of.first) + of.second;
  };
  const auto [it, fresh] = admitted_.try_emplace(id);
  if (!fresh) admitted_by_age_.erase({it->second, id});
  it->second = host_->now();
  admitted_by_age_.emplace(host_->now(), id);
  std::string value;
  put_time(value, host_->now());
  host_->put_state(state_key(id), value);
  // What no rule can ask for any more, and beyond the bound the oldest, is forgotten.
  std::chrono::seconds longest{0};
  for (const SuppressionRule& rule : rules_) longest = std::max(longest, rule.quiet);
  while (!admitted_by_age_.empty() && (admitted_by_age_.size() > kMaxIncidents ||
                                       host_->now() - admitted_by_age_.begin()->first >= longest)) {
    const auto oldest = admitted_by_age_.begin()->second;
    admitted_.erase(oldest);
    host_->erase_state(state_key(oldest));
    admitted_by_age_.erase(admitted_by_age_.begin());
  }
}

void Suppression::hold(const SuppressionRule& rule, Event&& event) {
  const EventId incident = event.incident;
  if (held_.size() >= kMaxIncidents || held_.contains(incident)) return suppress(rule.name, event);
  const Timestamp due = host_->now() + rule.min_duration;
  Held held{std::move(event), rule.name, next_timer_++};
  std::string value;
  put_time(value, due);
  put_text(value, held.rule);
  put_text(value, encode_event_state(held.event));
  host_->put_state(id_key(kHeldKey, incident), value);
  held_by_timer_[held.timer] = incident;
  host_->set_timer(held.timer, due);
  held_.emplace(incident, std::move(held));
}

/// What ended before it had lasted long enough was nothing, nor was its end.
bool Suppression::drop_held(const Event& event) {
  const auto it = held_.find(event.incident);
  if (it == held_.end()) return false;
  suppress(it->second.rule, it->second.event);
  suppress(it->second.rule, event);
  host_->cancel_timer(it->second.timer);
  held_by_timer_.erase(it->second.timer);
  host_->erase_state(id_key(kHeldKey, event.incident));
  held_.erase(it);
  return true;
}

void Suppression::on_timer(std::uint64_t key) {
  if (key == kStormTimer) return end_storm_minute();
  const auto named = held_by_timer_.find(key);
  if (named == held_by_timer_.end()) return;
  const auto it = held_.find(named->second);
  Event event = std::move(it->second.event);
  host_->erase_state(id_key(kHeldKey, it->first));
  held_by_timer_.erase(named);
  held_.erase(it);
  note_admitted(event);
  host_->emit(std::move(event));
}

bool Suppression::within_storm_limit(const Event& event) {
  if (storm_limit_ == 0 || event.action == Action::kClear) return true;
  const Timestamp now = host_->now();
  if (!minute_ || (folded_.empty() && now - *minute_ >= std::chrono::minutes(1))) {
    minute_ = now;
    in_minute_.clear();
  }
  if (in_minute_[event.type] < storm_limit_) {
    ++in_minute_[event.type];
    return true;
  }
  if (folded_.empty()) host_->set_timer(kStormTimer, *minute_ + std::chrono::minutes(1));
  ++folded_[event.type];
  return false;
}

void Suppression::end_storm_minute() {
  if (folded_.empty()) return;
  const auto folded = std::exchange(folded_, {});
  const Timestamp began = *minute_;
  minute_.reset();
  host_->cancel_timer(kStormTimer);
  Event e;
  const std::uint64_t parts[] = {id_part(began)};
  e.id = e.incident = make_event_id("event-storm", parts);
  e.type = "event-storm";
  e.action = Action::kUpdate;
  e.severity = Severity::kWarning;
  e.time = host_->now();
  e.fields.push_back({"since", began});
  std::uint64_t total = 0;
  std::string list;
  for (const auto& [type, count] : folded) {
    total += count;
    std::string name = type;
    std::replace(name.begin(), name.end(), '-', '_');
    e.fields.push_back({name, std::int64_t{count}});
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, type);
  }
  e.fields.insert(e.fields.begin() + 1, {"folded", static_cast<std::int64_t>(total)});
  e.rule = fmt::format("more than {} events of one type within a minute", storm_limit_);
  e.summary = fmt::format("{} folded since {}: {}", count_of(total, "event", "events"),
                          format_rfc3339(began), list);
  host_->emit(std::move(e));
}

void Suppression::finish() { end_storm_minute(); }

void Suppression::restore_state(std::string_view key, std::string_view value) {
  StateReader k(key.empty() ? key : key.substr(1)), v(value);
  bool good = !key.empty();
  switch (good ? key[0] : '\0') {
    case kCountKey:
      counts_[std::string(key.substr(1))] = v.u64();
      break;
    case kListKey: {
      Listed& l = listed_.emplace_back();
      l.number = k.u64();
      l.time = v.time();
      for (std::string* text : {&l.rule, &l.type, &l.summary}) *text = v.text();
      l.id = read_id(v);
      next_number_ = std::max(next_number_, l.number + 1);
      break;
    }
    case kHiddenKey:
      hidden_.insert(read_id(k));
      break;
    case kQuietKey: {
      const std::pair id(read_id(k),
                         std::string(key.substr(std::min<std::size_t>(17, key.size()))));
      const Timestamp time = v.time();
      admitted_[id] = time;
      admitted_by_age_.emplace(time, id);
      break;
    }
    case kHeldKey: {
      const EventId incident = read_id(k);
      const Timestamp due = v.time();
      Held held{{}, v.text(), next_timer_++};
      auto event = decode_event_state(v.text());
      good = event.has_value();
      if (!good) break;
      held.event = std::move(*event);
      held_by_timer_[held.timer] = incident;
      host_->set_timer(held.timer, due);
      held_.emplace(incident, std::move(held));
      break;
    }
    default:
      good = false;
  }
  if (!good || !v.at_end())
    throw std::runtime_error("suppression: stored state is damaged or of a newer format");
}

std::optional<std::string> Suppression::query(std::string_view what, std::string_view argument) {
  if (what != "suppressed") return std::nullopt;
  return listed_as_json(argument);
}

/// Counts of all rules, and the last suppressed events, oldest first; of one rule if it is named.
std::string Suppression::listed_as_json(std::string_view rule) const {
  std::string json = "{\"rules\":[";
  std::string comma;
  for (const auto& [name, count] : counts_) {
    json += fmt::format(R"({}{{"rule":{},"count":{}}})", comma, json_string(name), count);
    comma = ",";
  }
  json += "],\"events\":[";
  comma.clear();
  for (const Listed& l : listed_) {
    if (!rule.empty() && l.rule != rule) continue;
    json += fmt::format(R"({}{{"time":"{}","rule":{},"type":{},"id":"{}","summary":{}}})", comma,
                        format_rfc3339(l.time), json_string(l.rule), json_string(l.type),
                        format_event_id(l.id), json_string(l.summary));
    comma = ",";
  }
  return json + "]}";
}

}  // namespace lapwing::detectors
