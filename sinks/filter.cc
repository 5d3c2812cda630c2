#include "sinks/filter.h"

#include <algorithm>
#include <charconv>

namespace lapwing::sinks {

namespace {

template <typename T, typename Item>
bool has(const std::vector<T>& list, const Item& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool type_matches(std::string_view wanted, std::string_view type) {
  if (!wanted.ends_with('*')) return type == wanted;
  wanted.remove_suffix(1);
  return type.starts_with(wanted);
}

bool path_has(const std::vector<Asn>& ases, std::string_view path) {
  const char* at = path.data();
  const char* const end = at + path.size();
  while (at != end) {
    Asn as = 0;
    const auto [rest, error] = std::from_chars(at, end, as);
    if (rest == at) {
      ++at;
      continue;
    }
    if (error == std::errc{} && has(ases, as)) return true;
    at = rest;
  }
  return false;
}

bool as_matches(const std::vector<Asn>& ases, const Event& event) {
  if (event.origin_as && has(ases, *event.origin_as)) return true;
  if (event.upstream_as && has(ases, *event.upstream_as)) return true;
  return std::any_of(event.evidence.begin(), event.evidence.end(), [&ases](const Evidence& e) {
    return (e.old_path && path_has(ases, *e.old_path)) ||
           (e.new_path && path_has(ases, *e.new_path));
  });
}

bool prefix_matches(const std::vector<Prefix>& wanted, const Event& event) {
  if (event.prefix_count > event.prefixes.size()) return true;
  const auto covered = [&wanted](const Prefix& prefix) {
    return std::any_of(wanted.begin(), wanted.end(),
                       [&prefix](const Prefix& w) { return w.contains(prefix); });
  };
  return std::any_of(event.prefixes.begin(), event.prefixes.end(), covered) ||
         std::any_of(event.evidence.begin(), event.evidence.end(),
                     [&covered](const Evidence& e) { return covered(e.prefix); });
}

bool peer_matches(const std::vector<std::string>& wanted, const Event& event) {
  return std::any_of(event.peers.begin(), event.peers.end(),
                     [&wanted](const std::string& peer) { return has(wanted, peer); }) ||
         std::any_of(event.evidence.begin(), event.evidence.end(),
                     [&wanted](const Evidence& e) { return has(wanted, e.peer); });
}

}  // namespace

bool EventFilter::matches(const Event& event) const {
  Event scratch;
  return shown(event, scratch) != nullptr;
}

const Event* EventFilter::shown(const Event& event, Event& scratch) const {
  const auto found = std::find_if(severities.begin(), severities.end(), [&event](const auto& entry) {
    return type_matches(entry.first, event.type);
  });
  const Severity severity = found == severities.end() ? event.severity : found->second;
  if (severity > min_severity || !concerns(event)) return nullptr;
  if (severity == event.severity) return &event;
  scratch = event;
  scratch.severity = severity;
  return &scratch;
}

bool EventFilter::concerns(const Event& event) const {
  if (!types.empty() && std::none_of(types.begin(), types.end(), [&event](const auto& wanted) {
        return type_matches(wanted, event.type);
      }))
    return false;
  if (!ases.empty() && !as_matches(ases, event)) return false;
  if (!prefixes.empty() && !prefix_matches(prefixes, event)) return false;
  return peers.empty() || peer_matches(peers, event);
}

void EventFilter::read_severities(Settings& settings) {
  for (const std::string& text : settings.texts("severities", {})) {
    const std::size_t equals = text.find('=');
    const auto severity =
        equals == std::string::npos ? std::nullopt : parse_severity(text.substr(equals + 1));
    if (severity && equals != 0)
      severities.emplace_back(text.substr(0, equals), *severity);
    else
      settings.error("severities", "'" + text + "' is no pair such as upstream-gone=warning");
  }
}

EventFilter EventFilter::from_settings(Settings& settings) {
  EventFilter filter;
  filter.read_severities(settings);
  const std::string severity = settings.text("min-severity", "debug");
  if (const auto parsed = parse_severity(severity))
    filter.min_severity = *parsed;
  else
    settings.error("min-severity",
                   "must be emergency, alert, critical, error, warning, notice, info or debug");
  filter.types = settings.texts("types", {});
  for (const std::int64_t as : settings.integers("ases", {})) {
    if (as < 0 || as > 0xffffffff)
      settings.error("ases", "must be AS numbers from 0 to 4294967295");
    else
      filter.ases.push_back(static_cast<Asn>(as));
  }
  for (const std::string& text : settings.texts("prefixes", {})) {
    if (const auto prefix = parse_prefix(text))
      filter.prefixes.push_back(*prefix);
    else
      settings.error("prefixes", "'" + text + "' is no prefix such as 203.0.113.0/24");
  }
  filter.peers = settings.texts("peers", {});
  return filter;
}

}  // namespace lapwing::sinks
