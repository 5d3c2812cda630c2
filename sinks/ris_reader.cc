#include "sinks/ris_reader.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <utility>
#include <vector>

#include "sinks/host_port.h"

namespace lapwing::sinks {

namespace json = boost::json;

namespace {

constexpr std::size_t kUpdatesAtOnce = 256;

std::string read_filter(const HttpRequest& request, RisFilter& filter) {
  const auto given = request.parameter("subscribe");
  const std::string& text = given ? *given : request.ris_subscribe;
  if (text.empty()) return {};
  boost::system::error_code error;
  const json::value data = json::parse(text, error);
  if (error) return "the subscription is no JSON: " + error.message();
  return filter.read(data);
}

}  // namespace

HttpResponse check_ris_stream(const HttpContext& context, const HttpRequest& request) {
  if (request.parameter("format").value_or("json") != "json")
    return problem(400, "format must be json");
  RisFilter filter;
  if (const std::string wrong = read_filter(request, filter); !wrong.empty())
    return problem(400, wrong);
  return check_ris_socket(context, request);
}

HttpResponse check_ris_socket(const HttpContext& context, const HttpRequest&) {
  if (context.updates == nullptr) return problem(503, "updates cannot be followed here");
  return {};
}

RisReader::RisReader(UpdateFeed& feed, std::function<void()> wake)
    : feed_(feed), subscription_(feed.subscribe(std::move(wake))), begin_(feed.last()) {}
RisReader::~RisReader() { feed_.unsubscribe(subscription_); }

StreamSource::Next RisReader::read(std::uint64_t& number,
                                   const std::function<void(RisChanges)>& fn,
                                   std::string& lost) const {
  std::vector<RouteUpdate> updates = feed_.read_after(number, kUpdatesAtOnce);
  const bool full = updates.size() == kUpdatesAtOnce;
  for (const RouteUpdate& update : updates) {
    if (update.number > number + 1) {
      lost = std::to_string(update.number - number - 1) +
             " changes were lost: the client is too slow";
      return StreamSource::Next::kEnd;
    }
    number = update.number;
  }
  std::erase_if(updates, [](const RouteUpdate& update) { return !is_ris_change(update); });
  for (std::span<const RouteUpdate> rest(updates); !rest.empty();) fn(take_ris_changes(rest));
  return full ? StreamSource::Next::kMore : StreamSource::Next::kWait;
}

RisLines::RisLines(UpdateFeed& feed, const HttpRequest& request, std::function<void()> wake)
    : reader_(feed, std::move(wake)), host_(local_hostname()) {
  read_filter(request, filter_);
}

StreamSource::Next RisLines::read(std::uint64_t& number, std::string& out) const {
  std::string lost;
  const Next next = reader_.read(
      number,
      [&](RisChanges changes) {
        if (!filter_.matches(RisCandidate(changes), host_)) return;
        append_ris_message(out, changes, host_);
        out += '\n';
      },
      lost);
  if (next == Next::kEnd) out += ris_error(lost) + "\n";
  return next;
}

}  // namespace lapwing::sinks
