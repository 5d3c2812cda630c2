// The API beyond status and events: pages, bulk, filters, history, writes, and its own description.
#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "sink_http_bench.h"
#include "sinks/gzip.h"
#include "sinks/http_openapi.h"
#include "sinks/route_filter.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

std::string gunzip(const std::string& data) {
  z_stream z{};
  REQUIRE(::inflateInit2(&z, 15 + 16) == Z_OK);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  std::string out;
  char buffer[4096];
  int result = Z_OK;
  while (result == Z_OK) {
    z.next_out = reinterpret_cast<Bytef*>(buffer);
    z.avail_out = sizeof buffer;
    result = ::inflate(&z, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - z.avail_out);
  }
  ::inflateEnd(&z);
  CHECK(result == Z_STREAM_END);
  return out;
}

// The body of a chunked answer (RFC 9112 7.1), read to its last chunk.
std::string read_chunks(Client& client) {
  std::string body;
  for (;;) {
    if (!client.wait_for("\r\n")) return body + "(broken off)";
    const std::size_t line = client.input.find("\r\n");
    const std::size_t size = std::stoul(client.input.substr(0, line), nullptr, 16);
    client.input.erase(0, line + 2);
    while (client.input.size() < size + 2)
      if (!client.wait_more()) return body + "(broken off)";
    body += client.input.substr(0, size);
    client.input.erase(0, size + 2);
    if (size == 0) return body;
  }
}

std::string get_chunked(Bench& bench, const std::string& target, const std::string& more = "") {
  Client client(bench.endpoint);
  client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n");
  REQUIRE(client.wait_for("\r\n\r\n"));
  CHECK(client.input.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  client.input.erase(0, client.input.find("\r\n\r\n") + 4);
  std::string body = read_chunks(client);
  CHECK(client.get("/livez").status == 200);  // the connection goes on
  return body;
}

Answer post(const std::string& endpoint, const std::string& target, const std::string& body = "",
            const std::string& more = "") {
  Client client(endpoint);
  client.send("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n" + more + "\r\n" + body);
  return client.read();
}

struct UnixBench {
  UnixBench() {
    bench.emplace([this](HttpOptions& o) { o.listen = {"unix:" + folder.file("s")}; });
  }
  test::TempDir folder;
  std::optional<Bench> bench;
};

TEST_CASE("http: pages of routes follow one another by `after`") {
  Bench bench;
  bench.reader.table = 5;
  std::string after;
  std::size_t seen = 0;
  for (int page = 0; page < 3; ++page) {
    const auto v = bench.get("/api/v1/routes?limit=2" + after).json();
    seen += v.at("routes").as_array().size();
    CHECK(v.at("truncated").as_bool() == (page < 2));
    if (page == 2) CHECK(v.at("next").is_null());
    if (page < 2) after = "&after=" + std::string(v.at("next").as_string());
  }
  CHECK(seen == 5);
  CHECK(bench.get("/api/v1/routes?after=zz").status == 400);
}

TEST_CASE("http: NDJSON has no limit and comes in pieces; a JSON page may be long, too") {
  Bench bench;
  bench.reader.table = 45000;
  const std::string lines = get_chunked(bench, "/api/v1/routes?format=ndjson");
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 45000);
  CHECK(json::parse(lines.substr(0, lines.find('\n'))).at("peer").as_string() == "edge1");
  CHECK(get_chunked(bench, "/api/v1/routes", "Accept: application/x-ndjson\r\n") == lines);
  const auto page = json::parse(get_chunked(bench, "/api/v1/routes?limit=30000"));
  CHECK(page.at("routes").as_array().size() == 30000);
  CHECK(page.at("next").as_string() == "30000");
  const Answer count = bench.get("/api/v1/routes?count=true&limit=1000");
  CHECK(count.body == "{\"count\":1000}\n");
  Client old(bench.endpoint);  // HTTP/1.0 has no chunks: the end of the connection ends the body
  old.send("GET /api/v1/routes?format=ndjson HTTP/1.0\r\nHost: localhost\r\n\r\n");
  CHECK(old.closed());
  CHECK(old.input.find("chunked") == std::string::npos);
  CHECK(old.input.ends_with(lines));
}

TEST_CASE("http: a table with few wanted routes is looked through to its end") {
  Bench bench;
  bench.reader.table = 50000;
  CHECK(get_chunked(bench, "/api/v1/routes?origin=1&count=true") == "{\"count\":0}\n");
  CHECK(get_chunked(bench, "/api/v1/routes?origin=64497&count=true") == "{\"count\":50000}\n");
  const auto none = json::parse(get_chunked(bench, "/api/v1/routes?origin=1"));
  CHECK(none.at("routes").as_array().empty());
  CHECK_FALSE(none.at("truncated").as_bool());
}

TEST_CASE("http: a client that takes a long answer slowly is cut, and holds nobody up") {
  Bench bench([](HttpOptions& o) { o.write_timeout = milliseconds(300); });
  bench.reader.table = 1000000;
  Client slow(bench.endpoint);
  slow.send("GET /api/v1/routes?format=ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(slow.wait_for("\r\n\r\n"));
  for (int i = 0; i < 10; ++i) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(bench.get("/api/v1/routes?limit=1").status == 200);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  }
  std::this_thread::sleep_for(kUnread);
  CHECK(slow.closed());
  CHECK(slow.input.size() < 100u << 20);
}

TEST_CASE("http: gzip for those who take it, whole bodies and pieces") {
  Bench bench;
  bench.reader.table = 20;
  const Answer plain = bench.get("/api/v1/routes");
  const Answer small = bench.get("/api/v1/routes", "Accept-Encoding: br, gzip\r\n");
  CHECK(small.has("Content-Encoding: gzip\r\n"));
  CHECK(small.has("Vary: Accept-Encoding\r\n"));
  CHECK(gunzip(small.body) == plain.body);
  CHECK_FALSE(bench.get("/livez", "Accept-Encoding: gzip\r\n").has("Content-Encoding"));
  bench.reader.table = 5000;
  const std::string lines = get_chunked(bench, "/api/v1/routes?format=ndjson");
  const std::string packed =
      get_chunked(bench, "/api/v1/routes?format=ndjson", "Accept-Encoding: gzip\r\n");
  CHECK(packed.size() < lines.size() / 4);
  CHECK(gunzip(packed) == lines);
}

TEST_CASE("RFC 9110 12.5.3: gzip is taken when it is named or everything is, and not refused") {
  for (const char* yes : {"gzip", "deflate, GZIP;q=0.5", "*", "x-gzip", "br;q=1.0, gzip;q=0.001"})
    CHECK_MESSAGE(accepts_gzip(yes), yes);
  for (const char* no : {"", "deflate", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "gzipped"})
    CHECK_MESSAGE(!accepts_gzip(no), no);
}

TEST_CASE("route filter: origin, transit, any AS, communities, family") {
  const std::vector<std::uint8_t> octets = attributes();  // 3333 {64496,64497}
  const PathView path{octets};
  Nlri nlri;
  nlri.family = kIpv4Unicast;
  const auto matches = [&](const std::string& query) {
    RouteFilter filter;
    const auto match = match_route(http_routes(), "GET", "/api/v1/routes?" + query);
    const std::string wrong = filter.read(match.request);
    REQUIRE_MESSAGE(wrong.empty(), wrong);
    return filter.matches(nlri, path);
  };
  for (const char* yes : {"origin=64496", "origin=64497", "transit=3333", "as=3333", "as=64497",
                          "community=3333:1", "community=1:2:3", "community=3333:1&community=1:2:3",
                          "family=ipv4-unicast", "origin=64496&transit=3333&as=64497"})
    CHECK_MESSAGE(matches(yes), yes);
  for (const char* no :
       {"origin=3333", "origin=1", "transit=64496", "transit=1", "as=1", "community=3333:2",
        "community=1:2:4", "community=no-export", "community=3333:1&community=9:9",
        "family=ipv6-unicast", "origin=64496&transit=1"})
    CHECK_MESSAGE(!matches(no), no);
  Bench bench;
  for (const char* wrong :
       {"origin=x", "as=4294967296", "community=1", "community=70000:1", "community=1:2:3:4",
        "community=:1", "family=ipv4", "format=xml", "count=yes", "transit="})
    CHECK_MESSAGE(bench.get(std::string("/api/v1/routes?") + wrong).status == 400, wrong);
}

TEST_CASE("http: history of a prefix, newest first, with its bounds") {
  Bench bench;
  const Answer a = bench.get(
      "/api/v1/history?prefix=175.45.176.0%2F24&peer=edge1&limit=2"
      "&since=2017-10-01T00:00:00Z&until=2017-10-02T00:00:00Z");
  REQUIRE(a.status == 200);
  const auto v = a.json();
  const auto& rows = v.at("history").as_array();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].at("change").as_string() == "announce");
  CHECK(rows[0].at("before").is_null());
  CHECK(rows[0].at("after").at("as_path").as_string() == "3333 {64496,64497}");
  CHECK(rows[1].at("change").as_string() == "withdraw");
  CHECK(rows[1].at("after").is_null());
  CHECK(v.at("truncated").as_bool());
  CHECK(bench.reader.last_history.prefix == prefix("175.45.176.0/24"));
  CHECK(bench.reader.last_history.peer == "edge1");
  CHECK(bench.reader.last_history.from == testing::at("2017-10-01T00:00:00Z"));
  CHECK(bench.reader.last_history.to == testing::at("2017-10-02T00:00:00Z"));
  for (const char* wrong : {"", "prefix=x", "prefix=192.0.2.0/24&since=1", "prefix=::/0&until=x",
                            "prefix=::/0&limit=0", "prefix=::/0&x=1"})
    CHECK_MESSAGE(bench.get(std::string("/api/v1/history?") + wrong).status == 400, wrong);
}

TEST_CASE("http: blind intervals, of one neighbour, and at one moment") {
  Bench bench;
  const auto count = [&bench](const std::string& query) {
    return bench.get("/api/v1/blind" + query).json().at("blind").as_array().size();
  };
  CHECK(count("") == 2);
  CHECK(count("?peer=edge1") == 2);
  CHECK(count("?peer=edge2") == 0);
  CHECK(count("?at=2017-10-01T09:07:51Z") == 1);
  CHECK(count("?at=2017-10-01T10:00:00Z") == 0);
  CHECK(count("?at=2026-01-01T00:00:00Z") == 1);
  CHECK(bench.get("/api/v1/blind?at=now").status == 400);
  CHECK(bench.get("/api/v1/blind").json().at("blind").at(1).at("to").is_null());
}

TEST_CASE("http: sinks and detectors say how they are") {
  Bench bench;
  bench.journal.add_numbered(1, 5);
  const auto sink = bench.get("/api/v1/sinks").json().at("sinks").at(0);
  CHECK(sink.at("cursor").as_int64() == 3);
  CHECK(sink.at("waiting").as_int64() == 2);
  CHECK(sink.at("lag_seconds").as_int64() == 0);
  CHECK(sink.at("repeated").as_int64() == 0);
  CHECK(sink.at("lost").as_int64() == 0);
  const auto v = bench.get("/api/v1/detectors").json();
  CHECK(v.at("detectors").at(0).at("microseconds").as_int64() == 5000000);
  CHECK_FALSE(v.at("detectors").at(1).at("enabled").as_bool());
}

TEST_CASE("http: writes take the Unix socket or a token; loopback alone is not enough") {
  Bench open;
  const Answer refused = post(open.endpoint, "/api/v1/reload");
  CHECK(refused.status == 403);
  CHECK(refused.has("application/problem+json"));
  CHECK(post(open.endpoint, "/api/v1/peers/edge1/clear").status == 403);
  CHECK(open.control.asked.empty());
  Bench guarded([](HttpOptions& o) { o.token = "s3cret"; });
  CHECK(post(guarded.endpoint, "/api/v1/reload").status == 401);
  CHECK(post(guarded.endpoint, "/api/v1/reload", "", "Authorization: Bearer s3cret\r\n").status ==
        200);
  CHECK(guarded.control.asked == std::vector<std::string>{"reload"});
  UnixBench local;
  const Answer done = post(local.bench->endpoint, "/api/v1/peers/edge%201/disable",
                           "{\"text\":\"maintenance \\u00e9\"}");
  CHECK(done.status == 200);
  CHECK(done.json().at("detail").as_string() == "edge 1 is done");
  CHECK(post(local.bench->endpoint, "/api/v1/peers/a/clear").status == 200);
  CHECK(post(local.bench->endpoint, "/api/v1/peers/a/refresh").status == 200);
  CHECK(post(local.bench->endpoint, "/api/v1/peers/a/enable").status == 200);
  CHECK(local.bench->control.asked ==
        std::vector<std::string>{"edge 1 3 maintenance \xc3\xa9", "a 0 ", "a 1 ", "a 2 "});
  CHECK(Client(local.bench->endpoint).get("/api/v1/reload").status == 405);
}

TEST_CASE("http: what a write refuses is a problem that says why") {
  UnixBench local;
  const std::string& endpoint = local.bench->endpoint;
  CHECK(post(endpoint, "/api/v1/peers/nobody/clear").status == 404);
  const Answer conflict = post(endpoint, "/api/v1/peers/down/refresh");
  CHECK(conflict.status == 409);
  CHECK(conflict.json().at("detail").as_string() == "down is not established");
  for (const char* body : {"x", "[]", "{\"text\":1}", "{\"txt\":\"a\"}", "{\"text\":\"a\\nb\"}",
                           "{\"text\":\"\\u0007\"}"})
    CHECK_MESSAGE(post(endpoint, "/api/v1/peers/a/clear", body).status == 400, body);
  CHECK(post(endpoint, "/api/v1/peers/a/clear", "{\"text\":\"" + std::string(256, 'x') + "\"}")
            .status == 400);
  CHECK(post(endpoint, "/api/v1/peers/a/enable", "{\"text\":\"a\"}").status == 400);
  CHECK(post(endpoint, "/api/v1/reload?x=1").status == 400);
  local.bench->control.reloaded = {ControlResult::Kind::kRefused,
                                   "f.toml is not valid; nothing was changed",
                                   {"f.toml:3:1: error: unknown key"}};
  const Answer wrong = post(endpoint, "/api/v1/reload");
  CHECK(wrong.status == 422);
  CHECK(wrong.has("application/problem+json"));
  CHECK(wrong.json().at("errors").at(0).as_string() == "f.toml:3:1: error: unknown key");
}

TEST_CASE("SSE: updates as they happen, filtered, with a word about what was lost") {
  Bench bench;
  RouteUpdate update;
  update.time = testing::at("2017-10-01T09:07:51Z");
  update.peer = "edge1";
  update.peer_as = 3333;
  update.nlri.family = kIpv4Unicast;
  update.nlri.prefix = prefix("175.45.176.0/24");
  update.after = attributes();
  const auto follow = [](Client& client, const std::string& query) {
    client.send("GET /api/v1/updates/stream" + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    REQUIRE(client.wait_for("\r\n\r\n"));
    client.input.clear();
  };
  {
    Client all(bench.endpoint), other(bench.endpoint), inside(bench.endpoint);
    follow(all, "");
    follow(other, "?peer=edge2");
    follow(inside, "?prefix=175.45.0.0/16&origin=64496");
    std::this_thread::sleep_for(milliseconds(300));  // each has looked where the feed stands
    update.number = 1;
    bench.feed.add(update);
    update.number = 5;
    update.before = update.after;
    update.after.reset();
    bench.feed.add(update);
    REQUIRE(all.wait_for("id: 5\n"));
    REQUIRE(all.wait_for("\n\n"));
    CHECK(all.input.find("event: lost\ndata: {\"lost\":3}\n\n") != std::string::npos);
    CHECK(all.input.find("\"change\":\"announce\"") != std::string::npos);
    CHECK(inside.wait_for("\"change\":\"withdraw\""));
    CHECK(inside.input.find("id: 1\n") != std::string::npos);
    CHECK(other.input.find("data:") == std::string::npos);
    CHECK(bench.feed.watchers() == 3);
  }
  for (int i = 0; i < 100 && bench.feed.watchers() != 0; ++i)
    std::this_thread::sleep_for(milliseconds(50));
  CHECK(bench.feed.watchers() == 0);
  CHECK(bench.get("/api/v1/updates/stream?prefix=x").status == 400);
  CHECK(bench.get("/api/v1/updates/stream?limit=1").status == 400);
}

// --- The description --------------------------------------------------------------------------

class Schemas {
 public:
  explicit Schemas(const json::value& document) : document_(document) {}

  /// What is wrong with `value`; empty when it has the form of `schema`.
  std::string check(const json::value& schema, const json::value& value,
                    const std::string& where) const {
    const json::object& s = schema.as_object();
    if (const auto* ref = s.if_contains("$ref")) {
      const std::string target(ref->as_string());
      const std::string name = target.substr(target.rfind('/') + 1);
      return check(document_.at("components").at("schemas").at(name), value, where);
    }
    if (const auto* one = s.if_contains("oneOf")) {
      std::string last;
      for (const auto& option : one->as_array())
        if ((last = check(option, value, where)).empty()) return {};
      return last;
    }
    if (const auto* type = s.if_contains("type"); type && !has_type(*type, value))
      return where + " is " + json::serialize(value).substr(0, 40);
    if (const auto* object = value.if_object()) return check_object(s, *object, where);
    if (const auto* array = value.if_array(); array && s.contains("items"))
      for (const auto& item : *array)
        if (auto wrong = check(s.at("items"), item, where + "[]"); !wrong.empty()) return wrong;
    return {};
  }

 private:
  static bool has_type(const json::value& type, const json::value& value) {
    if (const auto* list = type.if_array())
      return std::any_of(list->begin(), list->end(),
                         [&](const json::value& t) { return has_type(t, value); });
    const auto& name = type.as_string();
    return (name == "object" && value.is_object()) || (name == "array" && value.is_array()) ||
           (name == "string" && value.is_string()) || (name == "boolean" && value.is_bool()) ||
           (name == "null" && value.is_null()) ||
           (name == "integer" && (value.is_int64() || value.is_uint64()));
  }

  std::string check_object(const json::object& schema, const json::object& object,
                           const std::string& where) const {
    if (const auto* required = schema.if_contains("required"))
      for (const auto& name : required->as_array())
        if (!object.contains(name.as_string()))
          return where + " lacks " + std::string(name.as_string());
    const auto* properties = schema.if_contains("properties");
    const bool closed = schema.contains("additionalProperties");
    for (const auto& [name, member] : object) {
      const auto* known = properties ? properties->as_object().if_contains(name) : nullptr;
      if (!known && closed)
        return where + " has a member that is not described: " + std::string(name);
      if (!known) continue;
      if (auto wrong = check(*known, member, where + "." + std::string(name)); !wrong.empty())
        return wrong;
    }
    return {};
  }

  const json::value& document_;
};

std::string example_of(std::string path) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"{name}", "edge%201%2Fa"}, {"{as}", "131279"}, {"{id}", "7e0d"}})
    if (const auto at = path.find(name); at != path.npos) path.replace(at, name.size(), value);
  return path;
}

TEST_CASE("API: what folded into an event, and what was suppressed, with the rule") {
  Bench bench;
  CHECK(bench.get("/api/v1/events/7e0d/children").status == 200);
  CHECK(bench.get("/api/v1/events/0000/children").status == 404);
  CHECK(bench.get("/api/v1/suppressed?rule=lab").body == "{\"rules\":[],\"events\":[]}\n");
  CHECK(bench.get("/api/v1/suppressed?rul=lab").status == 400);
}

TEST_CASE("OpenAPI: every path and method is described, and nothing else") {
  const json::value document = json::parse(kOpenApi);
  CHECK(document.at("openapi").as_string() == "3.1.0");
  std::set<std::string> described, served;
  for (const auto& [path, item] : document.at("paths").as_object()) {
    std::string pattern(path);
    const auto open = pattern.find('{');
    if (open != pattern.npos) pattern.replace(open, pattern.find('}') - open + 1, "{}");
    for (const auto& [method, operation] : item.as_object())
      described.insert((method == "get" ? "GET " : "POST ") + pattern);
  }
  for (const HttpRoute& route : http_routes())
    served.insert(std::string(route.method) + " " + std::string(route.pattern));
  CHECK(described == served);
}

TEST_CASE("OpenAPI: answers have the described form, and the described parameters are taken") {
  Bench bench;
  {
    const std::lock_guard lock(bench.reader.mutex);
    bench.reader.state.ready = true;
  }
  bench.journal.add_numbered(1, 2);
  const json::value document = json::parse(kOpenApi);
  const Schemas schemas(document);
  std::size_t checked = 0;
  for (const auto& [path, item] : document.at("paths").as_object()) {
    const auto* operation = item.as_object().if_contains("get");
    if (!operation) continue;
    const std::string target = example_of(std::string(path));
    const auto* ok = operation->at("responses").as_object().if_contains("200");
    if (!ok) continue;  // a WebSocket
    const auto& content = ok->at("content").as_object();
    if (content.contains("text/event-stream") || path == "/v1/stream/") continue;
    const Answer plain =
        bench.get(target + (path == "/api/v1/history" ? "?prefix=192.0.2.0/24" : ""));
    CAPTURE(target);
    CHECK(plain.status == 200);
    if (const auto* type = content.if_contains("application/json")) {
      CHECK(schemas.check(type->at("schema"), plain.json(), "answer") == "");
      ++checked;
    }
    for (const auto& parameter : operation->at("parameters").as_array()) {
      if (parameter.at("in").as_string() != "query") continue;
      // A value that no parameter takes: refused for its value, not for its name.
      const std::string name(parameter.at("name").as_string());
      const Answer a = bench.get(target + "?" + name + "=%01");
      CHECK_MESSAGE(a.body.find("unknown parameter") == std::string::npos, name);
    }
    if (path.starts_with("/api/v1/")) CHECK(bench.get(target + "?no-such=1").status == 400);
  }
  CHECK(checked >= 10);
  const Answer wrong = bench.get("/api/v1/routes?prefix=x");
  CHECK(schemas.check(document.at("components").at("schemas").at("Problem"), wrong.json(), "p") ==
        "");
  UnixBench local;
  const Answer done = post(local.bench->endpoint, "/api/v1/reload");
  CHECK(schemas.check(document.at("components").at("schemas").at("Done"), done.json(), "d") == "");
}

}  // namespace
}  // namespace lapwing::sinks
