// The console: how it is served, and that it asks for nothing that the API has not.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <set>

#include "sink_http_bench.h"
#include "sinks/http_console.h"
#include "sinks/http_openapi.h"

namespace lapwing::sinks {
namespace {

TEST_CASE("console: one page that loads nothing, runs its own script only, and needs no token") {
  Bench bench([](HttpOptions& o) { o.token = "s3cret"; });
  const Answer page = bench.get("/");
  CHECK(page.status == 200);
  CHECK(page.body == kConsole);
  CHECK(page.has("Content-Type: text/html; charset=utf-8\r\n"));
  CHECK(page.has("X-Content-Type-Options: nosniff\r\n"));
  CHECK(page.has("Referrer-Policy: no-referrer\r\n"));
  const std::size_t at = page.head.find("Content-Security-Policy: ");
  REQUIRE(at != std::string::npos);
  const std::string policy = page.head.substr(at, page.head.find("\r\n", at) - at);
  for (const char* part : {"default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'",
                           "base-uri 'none'", "form-action 'none'"})
    CHECK_MESSAGE(policy.find(part) != std::string::npos, part);
  CHECK(policy.find("unsafe") == std::string::npos);
  for (const std::string name : {"script", "style"}) {
    const std::string open = "<" + name + ">";
    const std::size_t begin = page.body.find(open) + open.size();
    const std::string text = page.body.substr(begin, page.body.find("</" + name + ">") - begin);
    unsigned char digest[32], base64[48];
    ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
    ::EVP_EncodeBlock(base64, digest, sizeof digest);
    const std::string hash(reinterpret_cast<const char*>(base64));
    CHECK_MESSAGE(policy.find(name + "-src 'sha256-" + hash + "'") != std::string::npos, name);
    CHECK(page.body.find("<" + name, begin) == std::string::npos);  // there is no second one
  }
  // Values never become markup, and nothing comes from elsewhere.
  for (const char* never : {"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(",
                            "src=", "href=", "@import", "url(", "http:", "https:", " style=", " onclick"})
    CHECK_MESSAGE(page.body.find(never) == std::string::npos, never);
}

TEST_CASE("console: every path that it calls is in the description") {
  const json::value document = json::parse(kOpenApi);
  const auto& paths = document.at("paths").as_object();
  const std::string page(kConsole);
  std::set<std::string> called;
  for (std::size_t at = page.find("/api/"); at != page.npos; at = page.find("/api/", at + 1))
    called.insert(page.substr(at, page.find_first_of("?\"`$ ", at) - at));
  CHECK(called == std::set<std::string>{"/api/v1/status", "/api/v1/peers", "/api/v1/sinks",
                                        "/api/v1/events", "/api/v1/events/stream"});
  for (const std::string& path : called) CHECK_MESSAGE(paths.contains(path), path);
}

}  // namespace
}  // namespace lapwing::sinks
