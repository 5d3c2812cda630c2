// What `show` and `monitor` ask the API for: the words of the command line as a target.
//
// Each function throws CLI::ValidationError with a sentence where the words make no sense.
// Thread: main.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lapwing::collector {

/// "show route …" and "monitor updates …": words after the subject, and options.
struct RouteArguments {
  std::vector<std::string> words;
  bool longer = false;
  bool shorter = false;
  bool longest = false;
  bool lines = false;  // NDJSON
  std::string peer;
  std::string after;
  unsigned limit = 0;
};

struct EventArguments {
  std::string since;
  std::string until;
  std::string type;
  std::string origin;
  std::string upstream;
  std::string peer;
  std::string severity;
  unsigned limit = 0;
};

std::string route_target(const RouteArguments& route);
std::string updates_target(const RouteArguments& route);
std::string event_target(const std::string& path, const EventArguments& events);
/// "131279" or "AS131279".
std::string upstreams_target(std::string_view as);
std::string history_target(const std::string& prefix, const std::string& peer,
                           const EventArguments& times);
std::string suppressed_target(const std::string& rule);
std::string blind_target(const std::string& peer, const std::string& at);

}  // namespace lapwing::collector
