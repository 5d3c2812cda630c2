#include "sinks/ris_filter.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <utility>

#include "lapwing/sort_unique.h"

namespace lapwing::sinks {

namespace json = boost::json;

namespace {

constexpr std::size_t kMaxHops = 255;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

bool parse_as(std::string_view& rest, Asn& out) {
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
  if (error != std::errc{}) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return true;
}

bool take(std::string_view& rest, char c) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

constexpr std::string_view kTypes[] = {"UPDATE",    "OPEN",           "NOTIFICATION",
                                       "KEEPALIVE", "RIS_PEER_STATE", "STATE"};
constexpr std::string_view kMembers[] = {
    "announcements", "withdrawals", "path", "community", "large_community", "extended_community",
    "origin",        "med",         "aggregator", "path_id", "state", "raw"};

bool has_withdrawals(RisChanges changes) {
  return std::any_of(changes.begin(), changes.end(),
                     [](const RouteUpdate& u) { return !u.after; });
}

// Of the members that a message may lack.
bool has_member(RisChanges changes, std::string_view name) {
  if (changes.front().session != SessionNews::kNone) return name == "state";
  if (name == "withdrawals") return has_withdrawals(changes);
  if (name == "path_id") return changes.front().nlri.has_path_id;
  const auto* octets = ris_path(changes);
  if (octets == nullptr) return false;
  const PathView path(*octets);
  const auto has = [&path](std::uint8_t type) { return path.find(type).has_value(); };
  if (name == "announcements" || name == "path" || name == "community") return true;
  if (name == "origin") return has(attribute::kOrigin);
  if (name == "med") return has(attribute::kMultiExitDisc);
  if (name == "aggregator") return has(attribute::kAggregator);
  if (name == "large_community") return has(attribute::kLargeCommunity);
  return name == "extended_community" &&
         (has(attribute::kExtendedCommunities) || has(attribute::kIpv6ExtendedCommunities));
}

// One of `words`; what is wrong otherwise.
std::string read_word(std::string_view name, const json::value& value,
                      std::span<const std::string_view> words, std::optional<std::string>& out) {
  if (const auto* text = value.if_string())
    if (std::find(words.begin(), words.end(), view(*text)) != words.end()) {
      out = std::string(view(*text));
      return {};
    }
  std::string wrong = std::string(name) + " must be one of";
  for (const std::string_view word : words) (wrong += ' ') += word;
  return wrong;
}

std::string read_bool(std::string_view name, const json::value& value, bool& out) {
  if (!value.is_bool()) return std::string(name) + " must be true or false";
  out = value.get_bool();
  return {};
}

std::string refuse_raw(const json::value& value) {
  bool raw = false;
  if (std::string wrong = read_bool("includeRaw", value, raw); !wrong.empty()) return wrong;
  return raw ? "includeRaw cannot be true: the octets of messages are not kept" : "";
}

}  // namespace

bool RisPathPattern::parse_hop(std::string_view& rest, RisHop& out) {
  out.set = take(rest, '[');
  Asn as = 0;
  if (!out.set) {
    out.ases.resize(1);
    return parse_as(rest, out.ases.front());
  }
  do {
    if (out.ases.size() == kMaxHops || !parse_as(rest, as)) return false;
    out.ases.push_back(as);
  } while (take(rest, ','));
  sort_unique(out.ases);
  return take(rest, ']');
}

std::optional<RisPathPattern> RisPathPattern::parse(std::string_view text) {
  RisPathPattern pattern;
  pattern.inverted_ = take(text, '!');
  pattern.at_begin_ = take(text, '^');
  do {
    if (pattern.hops_.size() == kMaxHops) return std::nullopt;
    if (!parse_hop(text, pattern.hops_.emplace_back())) return std::nullopt;
  } while (take(text, ','));
  pattern.at_end_ = take(text, '$');
  return text.empty() ? std::optional(std::move(pattern)) : std::nullopt;
}

bool RisPathPattern::matches(const std::vector<RisHop>& path) const {
  bool found = false;
  for (std::size_t at = 0; !found && at + hops_.size() <= path.size(); ++at) {
    if (at_begin_ && at != 0) break;
    if (at_end_ && at + hops_.size() != path.size()) continue;
    found = std::equal(hops_.begin(), hops_.end(), path.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return found != inverted_;
}

RisCandidate::RisCandidate(RisChanges all) : changes(all) {
  if (const auto* octets = ris_path(changes)) path = ris_hops(PathView(*octets).as_path());
}

std::string RisFilter::read(const json::value& data) {
  if (data.is_null()) return {};
  const auto* members = data.if_object();
  if (members == nullptr) return "data must be an object, or null";
  for (const auto& [name, value] : *members) {
    if (value.is_null()) continue;
    if (std::string wrong = read_member({name.data(), name.size()}, value); !wrong.empty())
      return wrong;
  }
  return {};
}

std::string RisFilter::read_member(std::string_view name, const json::value& value) {
  if (name == "host") {
    const auto* text = value.if_string();
    if (text == nullptr) return "host must be a text, such as one of the ris_rrc_list";
    host_ = std::string(view(*text));
    return {};
  }
  if (name == "type") return read_word(name, value, kTypes, type_);
  if (name == "require") return read_word(name, value, kMembers, require_);
  if (name == "peer") {
    const auto* text = value.if_string();
    peer_ = text != nullptr ? parse_address(view(*text)) : std::nullopt;
    return peer_ ? "" : "peer must be an address";
  }
  if (name == "path") {
    if (const auto* text = value.if_string()) path_ = RisPathPattern::parse(view(*text));
    if (value.is_int64()) path_ = RisPathPattern::parse(std::to_string(value.get_int64()));
    return path_ ? "" : "path must be an ASN, or ASNs such as \"^3333,1103,[64496,64497]$\"";
  }
  if (name == "prefix") return read_prefixes(value);
  if (name == "moreSpecific") return read_bool(name, value, more_specific_);
  if (name == "lessSpecific") return read_bool(name, value, less_specific_);
  if (name == "includeRaw") return refuse_raw(value);
  if (name == "socketOptions") return read_options(value);
  return "unknown member '" + std::string(name.substr(0, 64)) +
         "'; known: host, type, require, peer, path, prefix, moreSpecific, lessSpecific, "
         "socketOptions";
}

std::string RisFilter::read_prefixes(const json::value& value) {
  const auto add = [this](const json::value& item) {
    const auto* text = item.if_string();
    const auto prefix = text != nullptr ? parse_prefix(view(*text)) : std::nullopt;
    if (prefix) prefixes_.push_back(*prefix);
    return prefix.has_value();
  };
  const std::string wrong = "prefix must be one such as \"203.0.113.0/24\", or an array of them";
  const auto* list = value.if_array();
  if (list == nullptr) return add(value) ? "" : wrong;
  if (list->empty()) return "prefix is an empty array";
  if (list->size() > kMaxPrefixes)
    return "more than " + std::to_string(kMaxPrefixes) + " prefixes in one subscription";
  return std::all_of(list->begin(), list->end(), add) ? "" : wrong;
}

std::string RisFilter::read_options(const json::value& value) {
  const auto* options = value.if_object();
  if (options == nullptr) return "socketOptions must be an object";
  for (const auto& [key, option] : *options) {
    const std::string_view name(key.data(), key.size());
    if (option.is_null()) continue;
    std::string wrong = name == "acknowledge"  ? read_bool(name, option, acknowledge_)
                        : name == "includeRaw" ? refuse_raw(option)
                                               : "unknown member of socketOptions; known: "
                                                 "acknowledge, includeRaw";
    if (!wrong.empty()) return wrong;
  }
  return {};
}

std::size_t RisFilter::size() const { return 1 + prefixes_.size() + (path_ ? path_->size() : 0); }

bool RisFilter::same_as(const RisFilter& other) const {
  return host_ == other.host_ && type_ == other.type_ && require_ == other.require_ &&
         peer_ == other.peer_ && path_ == other.path_ && prefixes_ == other.prefixes_ &&
         more_specific_ == other.more_specific_ && less_specific_ == other.less_specific_;
}

bool RisFilter::matches_prefix(RisChanges changes) const {
  for (const RouteUpdate& update : changes)
    for (const Prefix& wanted : prefixes_) {
      const Prefix& prefix = update.nlri.prefix;
      if (prefix == wanted || (more_specific_ && wanted.contains(prefix)) ||
          (less_specific_ && prefix.contains(wanted)))
        return true;
    }
  return false;
}

bool RisFilter::matches(const RisCandidate& candidate, std::string_view host) const {
  const RouteUpdate& first = candidate.changes.front();
  const bool session = first.session != SessionNews::kNone;
  if (host_ && *host_ != host) return false;
  if (type_ && (session ? *type_ != "RIS_PEER_STATE" && *type_ != "STATE" : *type_ != "UPDATE"))
    return false;
  if (peer_ && *peer_ != first.peer_address) return false;
  if (require_ && !has_member(candidate.changes, *require_)) return false;
  if (path_ && (!candidate.path || !path_->matches(*candidate.path))) return false;
  return prefixes_.empty() || (!session && matches_prefix(candidate.changes));
}

}  // namespace lapwing::sinks
