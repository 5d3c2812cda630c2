#include "sinks/http_control.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "sinks/json_object.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

namespace json = boost::json;

constexpr std::size_t kMostText = 255;  // RFC 9003 2

// The member "text" of the body; what is wrong goes to `wrong`.
std::string read_text(const std::string& body, std::string& wrong) {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  const json::object* object = error ? nullptr : value.if_object();
  if (object == nullptr) {
    wrong = "the body must be empty or an object such as {\"text\":\"maintenance\"}";
    return {};
  }
  std::string text;
  for (const auto& [name, member] : *object) {
    if (name != "text" || !member.is_string()) {
      wrong = "the body may have one member, \"text\", which is a string";
      return {};
    }
    text.assign(member.as_string().data(), member.as_string().size());
  }
  if (text.size() > kMostText) wrong = "text must be at most 255 octets of UTF-8 (RFC 9003)";
  for (std::size_t at = 0; wrong.empty() && at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid || is_control(point.code)) wrong = "text must be one line of UTF-8";
    at += point.size;
  }
  return text;
}

HttpResponse to_response(const ControlResult& result) {
  const bool done = result.kind == ControlResult::Kind::kDone;
  if (!done && result.lines.empty())
    return problem(result.kind == ControlResult::Kind::kUnknown ? 404 : 409, result.detail);
  HttpResponse response;
  if (!done) {
    response.status = 422;
    response.content_type = "application/problem+json";
  }
  {
    JsonObject object(response.body);
    if (!done) {
      object.text("type", "about:blank");
      object.text("title", reason_phrase(response.status));
      object.number("status", response.status);
    }
    object.text("detail", result.detail);
    object.list(done ? JsonName("changes") : JsonName("errors"), result.lines,
                [&](const std::string& line) { append_json(response.body, line); });
  }
  response.body += '\n';
  return response;
}

HttpResponse post_peer(const HttpContext& context, const HttpRequest& request, PeerAction action,
                       bool takes_text) {
  if (const auto wrong = request.unknown_parameter({})) return problem(400, *wrong);
  if (context.control == nullptr) return problem(503, "nothing can be changed here");
  std::string wrong;
  const std::string text = read_text(request.body, wrong);
  if (wrong.empty() && !takes_text && !text.empty()) wrong = "this takes no text";
  if (!wrong.empty()) return problem(400, wrong);
  return to_response(context.control->peer(request.captures.at(0), action, text));
}

}  // namespace

HttpResponse post_peer_clear(const HttpContext& context, const HttpRequest& request) {
  return post_peer(context, request, PeerAction::kClear, true);
}
HttpResponse post_peer_refresh(const HttpContext& context, const HttpRequest& request) {
  return post_peer(context, request, PeerAction::kRefresh, false);
}
HttpResponse post_peer_enable(const HttpContext& context, const HttpRequest& request) {
  return post_peer(context, request, PeerAction::kEnable, false);
}
HttpResponse post_peer_disable(const HttpContext& context, const HttpRequest& request) {
  return post_peer(context, request, PeerAction::kDisable, true);
}

HttpResponse post_reload(const HttpContext& context, const HttpRequest& request) {
  if (const auto wrong = request.unknown_parameter({})) return problem(400, *wrong);
  if (context.control == nullptr) return problem(503, "nothing can be changed here");
  return to_response(context.control->reload());
}

}  // namespace lapwing::sinks
