#include "collector/cli_query.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <utility>

#include "collector/cli_words.h"
#include "collector/client.h"
#include "lapwing/prefix.h"

namespace lapwing::collector {
namespace {

constexpr const char* kUsage =
    "`show route` takes PREFIX, `for` and an address, `all`, or words such as longer-prefixes, "
    "or-shorter, neighbor NAME, source-as AS, transit-as AS, as AS, community C, family F, count";

class Query {
 public:
  explicit Query(std::string target) : target_(std::move(target)) {}
  void add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    target_ += first_ ? '?' : '&';
    first_ = false;
    target_ += fmt::format("{}={}", name, percent_encode(value));
  }
  std::string take() { return std::move(target_); }

 private:
  std::string target_;
  bool first_ = true;
};

std::string read_as(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with("AS") || digits.starts_with("as")) digits.remove_prefix(2);
  Asn as = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), as);
  if (error != std::errc{} || end != digits.data() + digits.size() || as == 0)
    throw CLI::ValidationError(fmt::format("\"{}\" is no AS number", text));
  return std::to_string(as);
}

std::string read_prefix(const std::string& text) {
  if (const auto prefix = parse_prefix(text)) return format_prefix(*prefix);
  if (const auto masked = parse_prefix(text, true))
    throw CLI::ValidationError(fmt::format("{} has bits set beyond its length; the prefix is {}",
                                           text, format_prefix(*masked)));
  throw CLI::ValidationError(fmt::format("\"{}\" is no prefix such as 203.0.113.0/24", text));
}

// What the words of `show route` say.
struct RouteWords {
  std::string prefix;  // with its length
  std::string match;   // empty: not said
  std::string peer;
  std::vector<std::pair<std::string, std::string>> filters;
  bool count = false;
  bool all = false;
};

class RouteWordReader {
 public:
  explicit RouteWordReader(const std::vector<std::string>& words) : words_(words) {}

  RouteWords read() {
    while (at_ < words_.size()) read_word(words_[at_++]);
    return std::move(out_);
  }

 private:
  void read_word(const std::string& text) {
    if (text.find_first_of("/.:") != std::string::npos) return take_prefix(text, false);
    const std::string word = full_word(route_words(), text);
    if (word == "for")
      take_prefix(value(word), true);
    else if (word == "exact")
      take_match("exact");
    else if (word == "longer-prefixes")
      take_match("longer");
    else if (word == "or-shorter")
      take_match("shorter");
    else if (word == "source-as" || word == "transit-as" || word == "as")
      out_.filters.emplace_back(word == "source-as"    ? "origin"
                                : word == "transit-as" ? "transit"
                                                       : "as",
                                read_as(value(word)));
    else if (word == "community" || word == "family")
      out_.filters.emplace_back(word, value(word));
    else if (word == "neighbor")
      out_.peer = value(word);
    else if (word == "count")
      out_.count = true;
    else if (word == "all")
      out_.all = true;
    else
      throw CLI::ValidationError(fmt::format("\"{}\": {}", text, kUsage));
  }

  std::string value(const std::string& word) {
    if (at_ == words_.size())
      throw CLI::ValidationError(fmt::format("`{}` wants a value after it", word));
    return words_[at_++];
  }

  void take_match(const char* match) {
    if (!out_.match.empty() && out_.match != match)
      throw CLI::ValidationError(
          fmt::format("`{}` and `{}` exclude each other", out_.match, match));
    out_.match = match;
  }

  void take_prefix(const std::string& text, bool longest) {
    if (!out_.prefix.empty())
      throw CLI::ValidationError(fmt::format("\"{}\": one prefix only; {}", text, kUsage));
    if (text.find('/') != std::string::npos) {
      out_.prefix = read_prefix(text);
      if (longest) take_match("longest");
      return;
    }
    const auto address = parse_address(text);
    if (!address) throw CLI::ValidationError(fmt::format("\"{}\": {}", text, kUsage));
    out_.prefix =
        format_prefix(Prefix::make(*address, address->version == IpVersion::kV4 ? 32 : 128));
    if (longest) take_match("longest");
    if (out_.match.empty()) out_.match = "longest";
  }

  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
  RouteWords out_;
};

RouteWords read_route(const RouteArguments& route) {
  // An option says the same as a word; an address alone means the longest match.
  std::vector<std::string> words = route.words;
  if (route.longer) words.insert(words.begin(), "longer-prefixes");
  if (route.shorter) words.insert(words.begin(), "or-shorter");
  RouteWords out = RouteWordReader(words).read();
  if (route.longest) out.match = "longest";
  if (!route.peer.empty()) out.peer = route.peer;
  return out;
}

}  // namespace

std::string route_target(const RouteArguments& route) {
  RouteWords words = read_route(route);
  const bool anything = !words.filters.empty() || words.count || words.all || !words.peer.empty();
  if (words.prefix.empty() && (!anything || !words.match.empty()))
    throw CLI::ValidationError(kUsage);
  Query query("/api/v1/routes");
  query.add("prefix", words.prefix);
  if (!words.prefix.empty()) query.add("match", words.match.empty() ? "exact" : words.match);
  query.add("peer", words.peer);
  for (const auto& [name, value] : words.filters) query.add(name, value);
  if (words.count) query.add("count", "true");
  if (route.lines) query.add("format", "ndjson");
  if (route.limit > 0) query.add("limit", std::to_string(route.limit));
  query.add("after", route.after);
  return query.take();
}

std::string updates_target(const RouteArguments& route) {
  const RouteWords words = read_route(route);
  if (words.count || words.match == "shorter" || words.match == "exact")
    throw CLI::ValidationError(
        "`monitor updates` takes PREFIX, with its more-specifics, and words such as neighbor NAME, "
        "source-as AS, transit-as AS, as AS, community C, family F");
  Query query("/api/v1/updates/stream");
  query.add("prefix", words.prefix);
  query.add("peer", words.peer);
  for (const auto& [name, value] : words.filters) query.add(name, value);
  return query.take();
}

std::string event_target(const std::string& path, const EventArguments& events) {
  Query query(path);
  query.add("since", events.since);
  query.add("type", events.type);
  if (!events.origin.empty()) query.add("origin", read_as(events.origin));
  if (!events.upstream.empty()) query.add("upstream", read_as(events.upstream));
  query.add("peer", events.peer);
  query.add("severity", events.severity);
  if (events.limit > 0) query.add("limit", std::to_string(events.limit));
  return query.take();
}

std::string upstreams_target(std::string_view as) {
  return fmt::format("/api/v1/origins/{}/upstreams", read_as(as));
}

std::string history_target(const std::string& prefix, const std::string& peer,
                           const EventArguments& times) {
  const auto address = parse_address(prefix);
  Query query("/api/v1/history");
  query.add("prefix", address ? format_address(*address) : read_prefix(prefix));
  query.add("peer", peer);
  query.add("since", times.since);
  query.add("until", times.until);
  if (times.limit > 0) query.add("limit", std::to_string(times.limit));
  return query.take();
}

std::string suppressed_target(const std::string& rule) {
  Query query("/api/v1/suppressed");
  query.add("rule", rule);
  return query.take();
}

std::string blind_target(const std::string& peer, const std::string& at) {
  Query query("/api/v1/blind");
  query.add("peer", peer);
  query.add("at", at);
  return query.take();
}

}  // namespace lapwing::collector
