#include "sinks/http_updates.h"

#include <array>
#include <utility>

#include "sinks/json_object.h"
#include "sinks/route_json.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::size_t kUpdatesAtOnce = 256;

std::string read_parameters(const HttpRequest& request, RouteFilter& filter,
                            std::optional<Prefix>& prefix) {
  static constexpr std::string_view kKnown[] = {"prefix",  "peer", "origin",    "transit",
                                                "as",      "family", "community"};
  if (auto wrong = request.unknown_parameter(kKnown)) return *wrong;
  if (const auto text = request.parameter("prefix")) {
    prefix = prefix_or_address(*text);
    if (!prefix) return "prefix must be one such as 203.0.113.0/24, or an address";
  }
  return filter.read(request);
}

bool passes(const RouteFilter& filter, const Nlri& nlri,
            const std::optional<std::vector<std::uint8_t>>& path) {
  return path && filter.matches(nlri, PathView(*path));
}

void append_update(std::string& out, const RouteUpdate& update) {
  out += "id: ";
  append_number(out, update.number);
  out += "\nevent: update\ndata: ";
  {
    JsonObject object(out);
    object.number("number", update.number);
    object.time_or_null("time", update.time);
    object.text("peer", update.peer);
    object.number("peer_as", update.peer_as);
    object.text("change", update.after ? (update.before ? "replace" : "announce") : "withdraw");
    object.text("cause", to_string(update.cause));
    object.boolean("baseline", update.baseline);
    append_nlri_members(object, update.nlri);
    object.key("before");
    append_path_json(out, update.before);
    object.key("after");
    append_path_json(out, update.after);
  }
  out += "\n\n";
}

}  // namespace

HttpResponse check_updates(const HttpContext& context, const HttpRequest& request) {
  RouteFilter filter;
  std::optional<Prefix> prefix;
  if (const std::string wrong = read_parameters(request, filter, prefix); !wrong.empty())
    return problem(400, wrong);
  if (context.updates == nullptr) return problem(503, "updates cannot be followed here");
  return {};
}

UpdateReader::UpdateReader(UpdateFeed& feed, const HttpRequest& request, std::function<void()> wake)
    : feed_(feed), peer_(request.parameter("peer")) {
  read_parameters(request, filter_, prefix_);
  subscription_ = feed_.subscribe(std::move(wake));
}

UpdateReader::~UpdateReader() { feed_.unsubscribe(subscription_); }

StreamSource::Next UpdateReader::read(std::uint64_t& number, std::string& out) const {
  const std::vector<RouteUpdate> updates = feed_.read_after(number, kUpdatesAtOnce);
  for (const RouteUpdate& update : updates) {
    if (update.number > number + 1) {
      out += "event: lost\ndata: {\"lost\":";
      append_number(out, update.number - number - 1);
      out += "}\n\n";
    }
    number = update.number;
    if (update.session != SessionNews::kNone) continue;
    if (peer_ && *peer_ != update.peer) continue;
    if (prefix_ && !prefix_->contains(update.nlri.prefix)) continue;
    if (filter_.empty() || passes(filter_, update.nlri, update.before) ||
        passes(filter_, update.nlri, update.after))
      append_update(out, update);
  }
  return updates.size() == kUpdatesAtOnce ? Next::kMore : Next::kWait;
}

}  // namespace lapwing::sinks
