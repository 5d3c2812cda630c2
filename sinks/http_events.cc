#include "sinks/http_events.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "sinks/event_json.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::size_t kDefaultLimit = 100;
constexpr std::size_t kMostEvents = 10000;
constexpr std::size_t kChunk = 512;
constexpr std::size_t kEventsAtOnce = 64;  // of a stream
// A type that never occurs must not read the whole journal in one request.
constexpr std::size_t kMostScanned = 100000;

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct Page {
  std::vector<JournalEntry> entries;
  std::uint64_t last = 0;  // the highest number that was looked at
};

Page read_forward(const Journal& journal, const Since& since,
                  const EventSelector& selector, std::size_t limit) {
  Page page;
  page.last = number_before(journal, since);
  for (std::size_t scanned = 0; page.entries.size() < limit && scanned < kMostScanned;) {
    auto chunk = journal.read_after(page.last, selector.empty() ? std::min(kChunk, limit) : kChunk);
    if (chunk.empty()) break;
    scanned += chunk.size();
    for (JournalEntry& entry : chunk) {
      if (page.entries.size() == limit) break;
      page.last = entry.number;
      if (selector.matches(entry.event)) page.entries.push_back(std::move(entry));
    }
  }
  return page;
}

// The youngest `limit` events, oldest first.
Page read_newest(const Journal& journal, const EventSelector& selector,
                 std::size_t limit) {
  Page page;
  page.last = journal.last();
  const std::uint64_t first = journal.first();
  std::uint64_t end = page.last;
  for (std::size_t scanned = 0;
       end >= first && end > 0 && page.entries.size() < limit && scanned < kMostScanned;) {
    const std::uint64_t size = std::min<std::uint64_t>({kChunk, end - first + 1, end});
    auto chunk = journal.read_after(end - size, static_cast<std::size_t>(size));
    for (auto it = chunk.rbegin(); it != chunk.rend() && page.entries.size() < limit; ++it)
      if (it->number <= end && selector.matches(it->event)) page.entries.push_back(std::move(*it));
    scanned += static_cast<std::size_t>(size);
    end -= size;
  }
  std::reverse(page.entries.begin(), page.entries.end());
  return page;
}

void append_event(std::string& out, const JournalEntry& entry) {
  out += "id: ";
  append_number(out, entry.number);
  out += "\nevent: ";
  append_printable(out, entry.event.type);
  out += "\ndata: ";
  append_event_json(out, entry.event, entry.number);
  out += "\n\n";
}

}  // namespace

std::optional<Since> parse_since(std::string_view text) {
  if (const auto number = parse_number<std::uint64_t>(text)) return Since{*number, std::nullopt};
  if (const auto time = parse_rfc3339(text)) return Since{0, *time};
  return std::nullopt;
}

std::uint64_t number_before(const Journal& journal, const Since& since) {
  if (!since.time) return since.number;
  std::uint64_t low = journal.first(), high = journal.last() + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto entry = journal.read_after(middle - 1, 1);
    if (entry.empty() || entry.front().event.time >= *since.time)
      high = middle;
    else
      low = middle + 1;
  }
  return low == 0 ? 0 : low - 1;
}

std::string EventSelector::read(const HttpRequest& request) {
  type_ = request.parameter("type");
  peer_ = request.parameter("peer");
  incident_ = request.parameter("incident");
  for (const auto& [name, out] : {std::pair("origin", &origin_), std::pair("upstream", &upstream_)}) {
    std::uint64_t as = 0;
    if (auto wrong = request.number_parameter(name, 0, 0xffffffff, as)) return *wrong;
    if (request.parameter(name)) *out = static_cast<Asn>(as);
  }
  if (const auto text = request.parameter("severity")) {
    severity_ = parse_severity(*text);
    if (!severity_) return "severity must be one of emergency to debug, such as warning";
  }
  return {};
}

bool EventSelector::matches(const Event& event) const {
  return (!type_ || event.type == *type_) && (!origin_ || event.origin_as == *origin_) &&
         (!upstream_ || event.upstream_as == *upstream_) &&
         (!severity_ || event.severity <= *severity_) &&
         (!incident_ || format_event_id(event.incident) == *incident_) &&
         (!peer_ ||
          std::find(event.peers.begin(), event.peers.end(), *peer_) != event.peers.end());
}

HttpResponse get_events(const HttpContext& context, const HttpRequest& request) {
  static constexpr std::string_view kKnown[] = {"since", "type",     "origin",   "upstream",
                                                "peer",  "incident", "severity", "limit"};
  if (const auto wrong = request.unknown_parameter(kKnown)) return problem(400, *wrong);
  std::uint64_t limit = kDefaultLimit;
  if (const auto wrong = request.number_parameter("limit", 1, kMostEvents, limit))
    return problem(400, *wrong);
  EventSelector selector;
  if (const std::string wrong = selector.read(request); !wrong.empty()) return problem(400, wrong);
  Page page;
  if (const auto text = request.parameter("since")) {
    const auto since = parse_since(*text);
    if (!since) return problem(400, "since must be an event's number or a time (RFC 3339)");
    page = read_forward(context.journal, *since, selector, limit);
  } else {
    page = read_newest(context.journal, selector, limit);
  }
  HttpResponse response;
  response.body = "{\"events\":[";
  for (const JournalEntry& entry : page.entries) {
    if (response.body.back() != '[') response.body += ',';
    append_event_json(response.body, entry.event, entry.number);
  }
  response.body += "],\"last\":";
  append_number(response.body, page.last);
  response.body += "}\n";
  return response;
}

HttpResponse check_stream(const HttpContext&, const HttpRequest& request) {
  static constexpr std::string_view kKnown[] = {"since", "type",     "origin",  "upstream",
                                                "peer",  "incident", "severity"};
  if (const auto wrong = request.unknown_parameter(kKnown)) return problem(400, *wrong);
  EventSelector selector;
  if (const std::string wrong = selector.read(request); !wrong.empty()) return problem(400, wrong);
  if (const auto text = request.parameter("since"); text && !parse_since(*text))
    return problem(400, "since must be an event's number or a time (RFC 3339)");
  return {};
}

EventReader::EventReader(const Journal& journal, const HttpRequest& request)
    : journal_(journal), request_(request) {
  selector_.read(request);
}

// Reconnecting clients say what they have seen; that is newer than what their address says.
std::uint64_t EventReader::begin() const {
  if (const auto seen = parse_number<std::uint64_t>(request_.last_event_id)) return *seen;
  const auto text = request_.parameter("since");
  const auto since = text ? parse_since(*text) : std::nullopt;
  return since ? number_before(journal_, *since) : journal_.last();
}

StreamSource::Next EventReader::read(std::uint64_t& number, std::string& out) const {
  const auto entries = journal_.read_after(number, kEventsAtOnce);
  for (const JournalEntry& entry : entries) {
    number = entry.number;
    if (selector_.matches(entry.event)) append_event(out, entry);
  }
  return entries.size() == kEventsAtOnce ? Next::kMore : Next::kWait;
}

}  // namespace lapwing::sinks
