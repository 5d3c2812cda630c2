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
constexpr char kCountKey = 'c', kListKey = 'l', kHiddenKey = 'h', kQuietKey = 'q', kHeldKey = 'e',
               kStormKey = 's';
constexpr std::uint8_t kCounted = 1, kLimited = 2;

/// kind | incident | type
std::string matter_key(char kind, const std::pair<EventId, std::string>& of) {
  std::string key(1, kind);
  put_octets(key, of.first.bytes);
  return key += of.second;
}

EventId read_id(StateReader& in) {
  EventId id;
  in.octets(id.bytes);
  return id;
}

/// The type is missing where an older version wrote the key.
std::pair<EventId, std::string> read_matter(StateReader& in, std::string_view key) {
  const EventId incident = read_id(in);
  return {incident, std::string(key.substr(std::min<std::size_t>(17, key.size())))};
}

}  // namespace

std::unique_ptr<Detector> make_suppression(std::vector<SuppressionRule> rules,
                                           std::uint32_t storm_limit) {
  return std::make_unique<Suppression>(std::move(rules), storm_limit);
}

Suppression::Suppression(std::vector<SuppressionRule> rules, std::uint32_t storm_limit)
    : rules_(std::move(rules)), storm_limit_(storm_limit) {
  for (const SuppressionRule& rule : rules_) counts_.emplace(rule.name, 0);
}

bool Suppression::admit(std::string_view detector, Event& event) {
  if (event.type == "detector-failed") return true;
  if (event.action == Action::kClear && ends_untold(event)) return false;
  if (event.action == Action::kRaise && !event.ends.empty()) replace_held(event);
  if (event.action == Action::kUpdate && (joins_held(event) || !opens_or_follows(event))) return false;
  const SuppressionRule* rule = rule_for(event);
  const bool limited = detector != "new-upstream";
  if (rule != nullptr && event.action == Action::kRaise) {
    keep_back(*rule, std::move(event), limited);
    return false;
  }
  if (rule != nullptr || (limited && !within_storm_limit(event))) {
    suppress(rule != nullptr ? rule->name : std::string(kStormRule), event);
    if (event.action == Action::kRaise) hide(event);
    return false;
  }
  note_admitted(event);
  return true;
}

/// What it is an update of: of its own type, or, where it tells that a part has ended, of those.
std::vector<Suppression::Matter> Suppression::matters_of(const Event& update) {
  std::vector<Matter> out;
  for (const std::string_view type : ended_types(update)) out.emplace_back(update.incident, type);
  return out;
}

/// Of what is held back an update is, too: the last ones are told with it.
bool Suppression::joins_held(Event& update) {
  if (held_.empty()) return false;
  const SuppressionRule* const rule = rule_for(update);
  if (rule != nullptr && !rule->conditional()) return false;
  for (const Matter& matter : matters_of(update)) {
    const auto at = held_.find(matter);
    if (at == held_.end()) continue;
    Held& held = at->second;
    if (held.updates.size() == kMaxUpdates) {
      suppress(held.rule, held.updates.front());
      held.updates.erase(held.updates.begin());
    }
    const std::vector<std::string> peers = update.peers;
    held.updates.push_back(std::move(update));
    store_held(matter, held);
    if (held.updates.back().ends.empty())
      for (const std::string& peer : peers) add_witness(matter.first, matter.second, peer);
    return true;
  }
  return false;
}

/// The first that is told of what was suppressed is its raise, and is judged as one; but not that a part
/// of it has ended.
bool Suppression::opens_or_follows(Event& update) {
  if (hidden_.empty()) return true;
  const auto matters = matters_of(update);
  const bool untold = std::all_of(matters.begin(), matters.end(),
                                  [&](const Matter& m) { return hidden_.contains(m); });
  if (!untold) return true;
  if (!update.ends.empty()) {
    suppress(std::string(kEndRule), update);
    return false;
  }
  update.action = Action::kRaise;
  for (const Matter& m : matters) update.severity = std::min(update.severity, hidden_.at(m));
  return true;
}

/// Of what the clear ends nothing was told: then it is not told either. What was held back until now
/// did not last long enough, and is nothing.
bool Suppression::ends_untold(const Event& clear) {
  if ((hidden_.empty() && held_.empty()) || clear.ends == Event::kEndsNothing) return false;
  bool untold = true;
  std::string rule(kEndRule);
  for (const std::string_view type : ended_types(clear)) {
    const Matter raise(clear.incident, type);
    if (const auto held = held_.find(raise); held != held_.end()) {
      rule = held->second.rule;
      count_held(held->second);
      drop_held(held);
    } else if (hidden_.contains(raise)) {
      forget_hidden(raise);
    } else {
      untold = false;
    }
  }
  if (untold) suppress(rule, clear);
  return untold;
}

/// By the rule that keeps it back now.
bool Suppression::has_to_last(const Held& held) const {
  return std::any_of(rules_.begin(), rules_.end(), [&held](const SuppressionRule& rule) {
    return rule.name == held.rule && rule.min_duration.count() != 0;
  });
}

/// What had to last did not; its end is told by the end of this. What waits for something else still stands.
void Suppression::replace_held(const Event& raise) {
  for (const std::string_view type : ended_types(raise)) {
    const auto held = held_.find(Matter(raise.incident, type));
    if (held == held_.end() || !has_to_last(held->second)) continue;
    give_up(held);
  }
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

void Suppression::hide(const Event& raise) {
  const Matter matter(raise.incident, raise.type);
  if (hidden_.size() == kMaxIncidents && !hidden_.contains(matter)) return;
  hidden_.insert_or_assign(matter, raise.severity);
  std::string value;
  put_u8(value, static_cast<std::uint8_t>(raise.severity));
  host_->put_state(matter_key(kHiddenKey, matter), value);
}

void Suppression::forget_hidden(const Matter& raise) {
  if (hidden_.erase(raise) != 0) host_->erase_state(matter_key(kHiddenKey, raise));
}

/// Remembered only where a rule has a quiet time that this event could begin.
void Suppression::note_admitted(const Event& event) {
  if (event.action == Action::kRaise) {
    const Matter matter(event.incident, event.type);
    forget_hidden(matter);
    // Raised anew, and not kept back this time.
    if (const auto held = held_.find(matter); held != held_.end()) {
      count_held(held->second);
      drop_held(held);
    }
  }
  std::chrono::seconds quiet{0};
  for (const SuppressionRule& rule : rules_)
    if (rule.quiet.count() != 0 && fits(rule, event)) quiet = std::max(quiet, rule.quiet);
  if (quiet.count() == 0) return;
  const Matter id(event.incident, event.type);
  const auto [it, fresh] = admitted_.try_emplace(id);
  if (!fresh) admitted_by_age_.erase({it->second, id});
  it->second = host_->now();
  admitted_by_age_.emplace(host_->now(), id);
  std::string value;
  put_time(value, host_->now());
  host_->put_state(matter_key(kQuietKey, id), value);
  // What no rule can ask for any more, and beyond the bound the oldest, is forgotten.
  std::chrono::seconds longest{0};
  for (const SuppressionRule& rule : rules_) longest = std::max(longest, rule.quiet);
  while (!admitted_by_age_.empty() && (admitted_by_age_.size() > kMaxIncidents ||
                                       host_->now() - admitted_by_age_.begin()->first >= longest)) {
    const auto oldest = admitted_by_age_.begin()->second;
    admitted_.erase(oldest);
    host_->erase_state(matter_key(kQuietKey, oldest));
    admitted_by_age_.erase(admitted_by_age_.begin());
  }
}

/// What goes by time, or by neighbours, is held back; the rest stays suppressed until an update says more.
void Suppression::keep_back(const SuppressionRule& rule, Event&& raise, bool limited) {
  const Matter matter(raise.incident, raise.type);
  const auto end = end_of(rule, raise);
  const bool room = end ? held_.size() < kMaxIncidents : waiting_ < kMaxWaiting;
  if ((end || waits_for_peers(rule)) && room && !held_.contains(matter))
    return hold(rule, end.value_or(kNever), std::move(raise), limited);
  suppress(rule.name, raise);
  if (!held_.contains(matter)) hide(raise);
}

void Suppression::hold(const SuppressionRule& rule, Timestamp due, Event&& raise, bool limited) {
  const Matter matter(raise.incident, raise.type);
  forget_hidden(matter);
  // What lasts is told, and was not suppressed: where that is the condition, it is counted when it ends.
  const bool counted = rule.min_duration.count() == 0;
  if (counted) suppress(rule.name, raise);
  Held held{std::move(raise), {}, rule.name, due, limited, counted, next_timer_++};
  store_held(matter, held);
  held_by_timer_[held.timer] = matter;
  note_due(held);
  held_.emplace(matter, std::move(held));
}

void Suppression::note_due(const Held& held) {
  if (held.due == kNever)
    ++waiting_;
  else
    host_->set_timer(held.timer, held.due);
}

void Suppression::add_witness(const EventId& incident, std::string_view type,
                              const std::string& peer) {
  const auto it = held_.find(Matter(incident, type));
  if (it == held_.end()) return;
  if (!insert_bounded(it->second.event.peers, peer, kMaxEventPeers)) return;
  release(it);
}

/// due | rule | event | flags (1) | its updates. Older versions stored the first three.
void Suppression::store_held(const Matter& raise, const Held& held) {
  std::string value;
  put_time(value, held.due);
  put_text(value, held.rule);
  put_text(value, encode_event_state(held.event));
  put_u8(value, static_cast<std::uint8_t>((held.counted ? kCounted : 0) | (held.limited ? kLimited : 0)));
  for (const Event& update : held.updates) put_text(value, encode_event_state(update));
  host_->put_state(matter_key(kHeldKey, raise), value);
}

void Suppression::count_held(const Held& held) {
  if (!held.counted) suppress(held.rule, held.event);
  for (const Event& update : held.updates) suppress(held.rule, update);
}

void Suppression::drop_held(std::map<Matter, Held>::iterator it) {
  if (it->second.due == kNever) --waiting_;
  host_->cancel_timer(it->second.timer);
  held_by_timer_.erase(it->second.timer);
  host_->erase_state(matter_key(kHeldKey, it->first));
  held_.erase(it);
}

/// It is not told, nor is its end.
void Suppression::give_up(std::map<Matter, Held>::iterator it) {
  count_held(it->second);
  const Event raise = std::move(it->second.event);
  drop_held(it);
  hide(raise);
}

void Suppression::on_timer(std::uint64_t key) {
  if (key == kStormTimer) return end_storm_minute();
  const auto named = held_by_timer_.find(key);
  if (named != held_by_timer_.end()) release(held_.find(named->second));
}

/// It is never told, by this rule: that counts, whatever kept it back before.
void Suppression::ignore_held(std::map<Matter, Held>::iterator it, std::string_view rule) {
  Held& held = it->second;
  if (held.rule != rule) held.counted = false;
  held.rule = rule;
  give_up(it);
}

/// Another rule, or the same one by another condition, may keep it back still.
void Suppression::release(std::map<Matter, Held>::iterator it) {
  Held& held = it->second;
  if (const SuppressionRule* const rule = rule_for(held.event)) {
    const auto end = end_of(*rule, held.event);
    if (end || waits_for_peers(*rule)) {
      if (held.due == kNever) --waiting_;
      held.due = end.value_or(kNever);
      held.rule = rule->name;
      store_held(it->first, held);
      return note_due(held);
    }
    return ignore_held(it, rule->name);
  }
  if (held.limited && !within_storm_limit(held.event)) return ignore_held(it, kStormRule);
  Event raise = std::move(held.event);
  std::vector<Event> updates = std::move(held.updates);
  drop_held(it);
  note_admitted(raise);
  host_->emit(std::move(raise));
  for (Event& update : updates) host_->emit(std::move(update));
}

bool Suppression::within_storm_limit(const Event& event) {
  if (storm_limit_ == 0 || event.action == Action::kClear) return true;
  const Timestamp now = host_->now();
  if (!minute_ || (folded_.empty() && now - *minute_ >= std::chrono::minutes(1))) {
    minute_ = now;
    in_minute_.clear();
  }
  const bool within = in_minute_[event.type] < storm_limit_;
  if (within) {
    ++in_minute_[event.type];
  } else {
    if (folded_.empty()) host_->set_timer(kStormTimer, *minute_ + std::chrono::minutes(1));
    ++folded_[event.type];
  }
  store_storm();
  return within;
}

/// When the minute began | each: type, told in it, folded. Absent: none was folded, or
/// told, yet.
void Suppression::store_storm() {
  if (!host_->keeps_state()) return;
  const std::string key(1, kStormKey);
  if (!minute_) return host_->erase_state(key);
  std::string value;
  put_time(value, *minute_);
  for (const auto& [type, count] : in_minute_) {
    put_text(value, type);
    put_u32(value, count);
    const auto folded = folded_.find(type);
    put_u32(value, folded == folded_.end() ? 0 : folded->second);
  }
  host_->put_state(key, value);
}

void Suppression::end_storm_minute() {
  if (folded_.empty()) return;
  const auto folded = std::exchange(folded_, {});
  const Timestamp began = *minute_;
  minute_.reset();
  store_storm();
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

/// What is held back when the records end was not told.
void Suppression::finish() {
  end_storm_minute();
  for (const auto& [matter, held] : held_) count_held(held);
}

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
    case kHiddenKey: {
      const Matter raise = read_matter(k, key);
      // Older versions did not store the severity.
      const auto severity = v.at_end() ? Severity::kDebug : static_cast<Severity>(v.u8());
      if (!raise.second.empty())
        hidden_.emplace(raise, severity);
      else
        untyped_.emplace_back(key);
      break;
    }
    case kQuietKey: {
      const Matter id = read_matter(k, key);
      const Timestamp time = v.time();
      admitted_[id] = time;
      admitted_by_age_.emplace(time, id);
      break;
    }
    case kHeldKey: {
      Matter raise = read_matter(k, key);
      const Timestamp due = v.time();
      Held held{{}, {}, v.text(), due, false, false, next_timer_++};
      auto event = decode_event_state(v.text());
      good = event.has_value();
      if (!good) break;
      held.event = std::move(*event);
      if (!v.at_end()) {
        const std::uint8_t flags = v.u8();
        held.counted = (flags & kCounted) != 0;
        held.limited = (flags & kLimited) != 0;
        while (v.ok() && !v.at_end())
          if (auto update = decode_event_state(v.text())) held.updates.push_back(std::move(*update));
      }
      if (raise.second.empty()) untyped_.emplace_back(key);
      raise.second = held.event.type;
      held_by_timer_[held.timer] = raise;
      held_.emplace(raise, std::move(held));
      break;
    }
    case kStormKey:
      minute_ = v.time();
      while (v.ok() && !v.at_end()) {
        const std::string type(v.text());
        in_minute_[type] = v.u32();
        if (const std::uint32_t folded = v.u32(); folded != 0) folded_[type] = folded;
      }
      break;
    default:
      good = false;
  }
  if (!good || !v.at_end())
    throw std::runtime_error("suppression: stored state is damaged or of a newer format");
}

/// What was stored without a type: what is held back gets that of its event. Of what was hidden the type
/// is not known, and its end is told: once too often is better than never.
void Suppression::start_up() {
  if (!folded_.empty()) host_->set_timer(kStormTimer, *minute_ + std::chrono::minutes(1));
  for (const std::string& key : untyped_) host_->erase_state(key);
  for (auto& [raise, held] : held_) {
    if (!untyped_.empty()) store_held(raise, held);
    // A rule that is gone, or changed, keeps nothing back.
    const SuppressionRule* const rule = rule_for(held.event);
    const auto end = rule != nullptr ? end_of(*rule, held.event) : std::nullopt;
    const bool for_peers = rule != nullptr && waits_for_peers(*rule);
    held.due = end.value_or(for_peers ? kNever : host_->now());
    if ((end || for_peers) && std::exchange(held.rule, rule->name) != rule->name)
      store_held(raise, held);
    note_due(held);
  }
  untyped_.clear();
}

std::optional<std::string> Suppression::query(std::string_view what, std::string_view argument) {
  if (what != "suppressed") return std::nullopt;
  const bool known = argument == kStormRule || argument == kEndRule ||
                     counts_.contains(std::string(argument));
  if (!argument.empty() && !known) return std::nullopt;
  return listed_as_json(argument);
}

/// Counts of all rules, and the last suppressed events, oldest first; both of one rule if it is named.
std::string Suppression::listed_as_json(std::string_view rule) const {
  std::string json = "{\"rules\":[";
  std::string comma;
  for (const auto& [name, count] : counts_) {
    if (!rule.empty() && name != rule) continue;
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
