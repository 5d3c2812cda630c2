#include "sinks/http_routes.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "sinks/route_filter.h"
#include "sinks/route_json.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

constexpr std::uint64_t kMostRoutes = 50000;  // of a JSON page; NDJSON has no end
constexpr std::size_t kRowsAtOnce = 1000;     // of one piece of the answer
constexpr std::size_t kScanAtOnce = 20000;    // looked at for it

enum class Form : std::uint8_t { kJson, kNdjson, kCount };

struct Wish {
  RouteQuery query;
  RouteFilter filter;
  std::uint64_t limit = 0;
  Form form = Form::kJson;
};

std::optional<Match> parse_match(std::string_view text) {
  if (text == "exact") return Match::kExact;
  if (text == "longest") return Match::kLongest;
  if (text == "longer") return Match::kLonger;
  if (text == "shorter") return Match::kShorter;
  return std::nullopt;
}

std::string read_form(const HttpRequest& request, Form& form) {
  const auto text = request.parameter("format");
  const bool asked = request.accept.find("application/x-ndjson") != std::string::npos;
  if (text ? *text == "ndjson" : asked) form = Form::kNdjson;
  if (text && *text != "json" && *text != "ndjson") return "format must be json or ndjson";
  if (const auto count = request.parameter("count")) {
    if (*count != "true" && *count != "false") return "count must be true or false";
    if (*count == "true") form = Form::kCount;
  }
  return {};
}

// What is wrong with the parameters; empty when `wish` is set.
std::string read_wish(const HttpRequest& request, Wish& wish) {
  static constexpr std::string_view kKnown[] = {"prefix",  "match",     "peer",   "origin",
                                                "transit", "as",        "family", "community",
                                                "limit",   "after",     "format", "count"};
  if (auto wrong = request.unknown_parameter(kKnown)) return *wrong;
  RouteQuery& query = wish.query;
  if (const auto prefix = request.parameter("prefix")) {
    query.prefix = prefix_or_address(*prefix);
    if (!query.prefix) return "prefix must be one such as 203.0.113.0/24, or an address";
    query.match = prefix->find('/') == std::string::npos ? Match::kLongest : Match::kExact;
  }
  if (const auto text = request.parameter("match")) {
    const auto match = parse_match(*text);
    if (!match) return "match must be exact, longest, longer or shorter";
    query.match = *match;
  }
  query.peer = request.parameter("peer");
  query.after = request.parameter("after").value_or("");
  if (std::string wrong = wish.filter.read(request); !wrong.empty()) return wrong;
  if (std::string wrong = read_form(request, wish.form); !wrong.empty()) return wrong;
  constexpr std::uint64_t kAll = static_cast<std::size_t>(-1);
  wish.limit = wish.form == Form::kJson ? 1000 : kAll;
  const std::uint64_t most = wish.form == Form::kJson ? kMostRoutes : kAll;
  return request.number_parameter("limit", 1, most, wish.limit).value_or("");
}

// Reads the table piece by piece, so that no piece holds up other requests or the engine.
class RouteBody {
 public:
  RouteBody(const HttpContext& context, Wish wish) : context_(context), wish_(std::move(wish)) {
    if (wish_.filter.empty()) return;
    wish_.query.wanted = [filter = wish_.filter](const Nlri& nlri, const PathView& path) {
      return filter.matches(nlri, path);
    };
  }

  /// nullopt: `after` is no position. Otherwise whether more is to come.
  std::optional<bool> next(std::string& out) {
    if (wish_.form == Form::kJson && !std::exchange(begun_, true)) out += "{\"routes\":[";
    RouteQuery& query = wish_.query;
    query.limit = static_cast<std::size_t>(std::min<std::uint64_t>(kRowsAtOnce, left()));
    query.scan = kScanAtOnce;
    const auto page = context_.reader.routes(query, [&](const StoredRoute& route) {
      give(out, route);
    });
    if (!page) return std::nullopt;
    query.after = page->next;
    if (page->more && left() > 0) return true;
    end(out, *page);
    return false;
  }

 private:
  std::uint64_t left() const { return wish_.limit - given_; }

  void give(std::string& out, const StoredRoute& route) {
    ++given_;
    if (wish_.form == Form::kCount) return;
    if (wish_.form == Form::kJson && given_ > 1) out += ',';
    append_route_json(out, route);
    if (wish_.form == Form::kNdjson) out += '\n';
  }

  void end(std::string& out, const RoutePage& page) const {
    if (wish_.form == Form::kNdjson) return;
    if (wish_.form == Form::kCount) {
      out += "{\"count\":";
      append_number(out, given_);
      out += "}\n";
      return;
    }
    out += page.more ? "],\"truncated\":true,\"next\":\"" + page.next + "\"}\n"
                     : "],\"truncated\":false,\"next\":null}\n";
  }

  const HttpContext& context_;
  Wish wish_;
  std::uint64_t given_ = 0;
  bool begun_ = false;
};

}  // namespace

HttpResponse get_routes(const HttpContext& context, const HttpRequest& request) {
  Wish wish;
  if (const std::string wrong = read_wish(request, wish); !wrong.empty())
    return problem(400, wrong);
  HttpResponse response;
  if (wish.form == Form::kNdjson) response.content_type = "application/x-ndjson";
  const auto body = std::make_shared<RouteBody>(context, std::move(wish));
  const auto more = body->next(response.body);
  if (!more) return problem(400, "after must be what an earlier page gave as next");
  if (*more)
    response.more = [body](std::string& out) { return body->next(out).value_or(false); };
  return response;
}

}  // namespace lapwing::sinks
