#include "collector/cli_words.h"

#include <algorithm>

namespace lapwing::collector {
namespace {

constexpr Word kCommands[] = {{"run", "run"},   {"check", "check"},   {"replay", "replay"},
                              {"dump", "dump"}, {"db", "db"},         {"show", "show"},     {"monitor", "monitor"},
                              {"peer", "peer"}, {"neighbor", "peer"}, {"reload", "reload"}};
constexpr Word kShow[] = {
    {"peers", "peers"},         {"peer", "peer"},     {"neighbors", "peers"},
    {"neighbor", "peer"},       {"route", "route"},   {"routes", "route"},
    {"upstreams", "upstreams"}, {"events", "events"}, {"status", "status"},
    {"history", "history"},     {"sinks", "sinks"},   {"blind", "blind"},
    {"detectors", "detectors"}, {"suppressed", "suppressed"},
};
constexpr Word kMonitor[] = {{"events", "events"}, {"updates", "updates"}};
constexpr Word kDb[] = {{"check", "check"}};
constexpr Word kPeer[] = {
    {"clear", "clear"}, {"refresh", "refresh"}, {"enable", "enable"}, {"disable", "disable"}};
constexpr Word kRoute[] = {
    {"for", "for"},
    {"exact", "exact"},
    {"longer-prefixes", "longer-prefixes"},
    {"or-longer", "longer-prefixes"},
    {"or-shorter", "or-shorter"},
    {"source-as", "source-as"},
    {"origin", "source-as"},
    {"transit-as", "transit-as"},
    {"as", "as"},
    {"community", "community"},
    {"family", "family"},
    {"neighbor", "neighbor"},
    {"peer", "neighbor"},
    {"count", "count"},
    {"all", "all"},
};

// Options that take the next argument.
bool takes_value(const std::string& word) {
  static constexpr std::string_view kOptions[] = {"--api",  "-c",      "--config", "--since",
                                                  "--type", "--until", "--limit",  "--at",
                                                  "--peer", "--text",  "--after",
                                                  "--origin", "--upstream", "--severity"};
  return std::find(std::begin(kOptions), std::end(kOptions), word) != std::end(kOptions);
}

bool is_option(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

// Indices of the arguments that are neither options nor their values.
std::vector<std::size_t> plain_words(const std::vector<std::string>& arguments) {
  std::vector<std::size_t> plain;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (takes_value(arguments[i]))
      ++i;
    else if (!is_option(arguments[i]))
      plain.push_back(i);
  }
  return plain;
}

}  // namespace

std::span<const Word> command_words() { return kCommands; }
std::span<const Word> show_words() { return kShow; }
std::span<const Word> monitor_words() { return kMonitor; }
std::span<const Word> db_words() { return kDb; }
std::span<const Word> peer_words() { return kPeer; }
std::span<const Word> route_words() { return kRoute; }

std::string full_word(std::span<const Word> words, const std::string& word) {
  std::string_view found;
  for (const Word& known : words) {
    if (word == known.text) return std::string(known.meaning);
    if (word.empty() || !known.text.starts_with(word)) continue;
    if (!found.empty() && found != known.meaning) return word;
    found = known.meaning;
  }
  return found.empty() ? word : std::string(found);
}

std::vector<std::string> complete_words(std::vector<std::string> arguments) {
  const std::vector<std::size_t> plain = plain_words(arguments);
  if (plain.empty() || plain[0] != 0) return arguments;
  std::string& command = arguments[0];
  command = full_word(kCommands, command);
  if (command == "show" && plain.size() > 1)
    arguments[plain[1]] = full_word(kShow, arguments[plain[1]]);
  if (command == "monitor" && plain.size() > 1)
    arguments[plain[1]] = full_word(kMonitor, arguments[plain[1]]);
  if (command == "db" && plain.size() > 1)
    arguments[plain[1]] = full_word(kDb, arguments[plain[1]]);
  if (command == "peer" && plain.size() > 2)
    arguments[plain[2]] = full_word(kPeer, arguments[plain[2]]);
  return arguments;
}

Place place_after(const std::vector<std::string>& given) {
  const std::vector<std::string> arguments = complete_words(given);
  if (arguments.empty()) return Place::kCommand;
  if (takes_value(arguments.back()))
    return arguments.back() == "--peer" ? Place::kName : Place::kOther;
  const std::vector<std::size_t> plain = plain_words(arguments);
  const auto word = [&](std::size_t i) {
    return i < plain.size() ? arguments[plain[i]] : std::string();
  };
  if (word(0) == "show") {
    if (plain.size() == 1) return Place::kShow;
    if (plain.size() == 2 && (word(1) == "peer" || word(1) == "blind")) return Place::kName;
    if (word(1) != "route") return Place::kOther;
    const std::string last = full_word(kRoute, arguments.back());
    if (last == "neighbor") return Place::kName;
    const bool wants_value = last == "for" || last == "source-as" || last == "transit-as" ||
                             last == "as" || last == "community" || last == "family";
    return wants_value ? Place::kOther : Place::kRoute;
  }
  if (word(0) == "monitor" && plain.size() == 1) return Place::kMonitor;
  if (word(0) == "db" && plain.size() == 1) return Place::kDb;
  if (word(0) == "peer" && plain.size() == 1) return Place::kName;
  if (word(0) == "peer" && plain.size() == 2) return Place::kPeerAction;
  return Place::kOther;
}

std::span<const Word> words_of(Place place) {
  switch (place) {
    case Place::kCommand:
      return kCommands;
    case Place::kShow:
      return kShow;
    case Place::kMonitor:
      return kMonitor;
    case Place::kDb:
      return kDb;
    case Place::kPeerAction:
      return kPeer;
    case Place::kRoute:
      return kRoute;
    case Place::kName:
    case Place::kOther:
      return {};
  }
  return {};
}

}  // namespace lapwing::collector
