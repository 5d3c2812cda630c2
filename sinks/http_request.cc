#include "sinks/http_request.h"

#include <algorithm>
#include <charconv>

#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Takes the text before the next `mark` off `rest`.
std::string_view take_until(std::string_view& rest, char mark) {
  const std::size_t at = rest.find(mark);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return part;
}

bool parse_query(std::string_view text, HttpRequest& request) {
  while (!text.empty()) {
    std::string_view value = take_until(text, '&');
    if (value.empty()) continue;
    const std::string_view name = take_until(value, '=');
    const auto decoded_name = percent_decode(name, true);
    const auto decoded_value = percent_decode(value, true);
    if (!decoded_name || !decoded_value) return false;
    request.query.emplace_back(*decoded_name, *decoded_value);
  }
  return true;
}

// True when `path` has the form of `pattern`; its {} parts go to `captures` as they stand.
bool path_matches(std::string_view pattern, std::string_view path,
                  std::vector<std::string_view>& captures) {
  captures.clear();
  while (!pattern.empty() && !path.empty()) {
    const std::string_view wanted = take_until(pattern, '/');
    const std::string_view part = take_until(path, '/');
    if (wanted == "{}" && !part.empty())
      captures.push_back(part);
    else if (wanted != part)
      return false;
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::optional<std::string> HttpRequest::parameter(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return std::nullopt;
}

std::vector<std::string> HttpRequest::parameters(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : query)
    if (key == name) values.push_back(value);
  return values;
}

std::optional<std::string> HttpRequest::unknown_parameter(
    std::span<const std::string_view> known) const {
  for (const auto& [key, value] : query) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string text = "unknown parameter '" + key + "'";
    for (std::size_t i = 0; i < known.size(); ++i)
      (text += i == 0 ? "; known: " : ", ") += known[i];
    return known.empty() ? text + "; this path takes none" : text;
  }
  return std::nullopt;
}

std::optional<std::string> HttpRequest::number_parameter(std::string_view name, std::uint64_t min,
                                                         std::uint64_t max,
                                                         std::uint64_t& out) const {
  const auto text = parameter(name);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc{} || rest != end || value < min || value > max)
    return std::string(name) + " must be a number from " + std::to_string(min) + " to " +
           std::to_string(max);
  out = value;
  return std::nullopt;
}

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    default: return "Internal Server Error";
  }
}

HttpResponse problem(unsigned status, std::string_view detail) {
  HttpResponse response{status, "application/problem+json", {}};
  response.body = "{\"type\":\"about:blank\",\"title\":";
  append_json(response.body, reason_phrase(status));
  response.body += ",\"status\":";
  append_number(response.body, status);
  response.body += ",\"detail\":";
  append_json(response.body, detail);
  response.body += "}\n";
  return response;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0 || (high | low) == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

RouteMatch match_route(std::span<const HttpRoute> routes, std::string_view method,
                       std::string_view target) {
  RouteMatch match;
  match.request.method = method;
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  match.malformed = !path.starts_with('/') || !parse_query(query, match.request);
  if (match.malformed) return match;
  std::vector<std::string_view> captures;
  for (const HttpRoute& route : routes) {
    if (!path_matches(route.pattern, path, captures)) continue;
    if (route.method != method && !(method == "HEAD" && route.method == "GET")) {
      match.allow += (match.allow.empty() ? "" : ", ") + std::string(route.method);
      if (route.method == "GET") match.allow += ", HEAD";
      continue;
    }
    for (const std::string_view part : captures) {
      auto decoded = percent_decode(part, false);
      match.malformed = match.malformed || !decoded;
      match.request.captures.push_back(decoded ? std::move(*decoded) : std::string());
    }
    match.route = &route;
    return match;
  }
  return match;
}

}  // namespace lapwing::sinks
