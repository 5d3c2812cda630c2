#include "sinks/ris_subscriptions.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "sinks/text.h"

namespace lapwing::sinks {

namespace json = boost::json;

namespace {

std::string acknowledgement(const json::value& data) {
  return "{\"type\":\"ris_subscribe_ok\",\"data\":{\"subscription\":" +
         (data.is_null() ? "{}" : json::serialize(data)) +
         ",\"socketOptions\":{\"includeRaw\":false,\"acknowledge\":true}}}";
}

}  // namespace

std::string RisSubscriptions::take(std::string_view text) {
  boost::system::error_code error;
  const json::value message = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return ris_error("this is no JSON: " + error.message());
  const auto* members = message.if_object();
  const auto* type = members != nullptr ? members->if_contains("type") : nullptr;
  const auto* word = type != nullptr ? type->if_string() : nullptr;
  if (word == nullptr) return ris_error("a message is an object with a type and data");
  const auto* given = members->if_contains("data");
  const json::value data = given != nullptr ? *given : json::value();
  if (*word == "ris_subscribe") return subscribe(data);
  if (*word == "ris_unsubscribe") return unsubscribe(data);
  if (*word == "ping") return "{\"type\":\"pong\",\"data\":null}";
  if (*word == "request_rrc_list") {
    std::string out = "{\"type\":\"ris_rrc_list\",\"data\":[";
    append_json(out, host_);
    return out + "]}";
  }
  return ris_error(
      "unknown type of message; known: ris_subscribe, ris_unsubscribe, request_rrc_list, ping");
}

std::string RisSubscriptions::subscribe(const json::value& data) {
  RisFilter filter;
  if (const std::string wrong = filter.read(data); !wrong.empty()) return ris_error(wrong);
  const std::lock_guard lock(mutex_);
  const bool known = std::any_of(filters_.begin(), filters_.end(), [&](const RisFilter& other) {
    return other.same_as(filter);
  });
  if (!known) {
    if (filters_.size() == kMaxFilters)
      return ris_error("more than " + std::to_string(kMaxFilters) + " subscriptions");
    if (size_ + filter.size() > kMaxSize)
      return ris_error("more than " + std::to_string(kMaxSize) +
                       " prefixes and ASNs in all subscriptions");
    size_ += filter.size();
    filters_.push_back(filter);
  }
  return filter.acknowledge() ? acknowledgement(data) : std::string();
}

std::string RisSubscriptions::unsubscribe(const json::value& data) {
  RisFilter filter;
  if (const std::string wrong = filter.read(data); !wrong.empty()) return ris_error(wrong);
  const std::lock_guard lock(mutex_);
  if (data.is_null()) {
    filters_.clear();
    size_ = 0;
    return {};
  }
  const auto found = std::find_if(filters_.begin(), filters_.end(), [&](const RisFilter& other) {
    return other.same_as(filter);
  });
  if (found == filters_.end()) return ris_error("there is no such subscription");
  size_ -= found->size();
  filters_.erase(found);
  return {};
}

bool RisSubscriptions::empty() const {
  const std::lock_guard lock(mutex_);
  return filters_.empty();
}

bool RisSubscriptions::want(RisChanges changes) const {
  const RisCandidate candidate(changes);
  const std::lock_guard lock(mutex_);
  return std::any_of(filters_.begin(), filters_.end(), [&](const RisFilter& filter) {
    return filter.matches(candidate, host_);
  });
}

}  // namespace lapwing::sinks
