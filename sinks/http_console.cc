#include "sinks/http_console.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <string>

namespace lapwing::sinks {

namespace {

// 'sha256-…' of what stands between <NAME> and </NAME>.
std::string hash_of(std::string_view name) {
  const std::string open = fmt::format("<{}>", name), close = fmt::format("</{}>", name);
  const std::size_t begin = kConsole.find(open) + open.size();
  const std::string_view text = kConsole.substr(begin, kConsole.find(close, begin) - begin);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 48> base64{};
  const int size = ::EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest.size()));
  return "'sha256-" +
         std::string(reinterpret_cast<const char*>(base64.data()), static_cast<std::size_t>(size)) +
         "'";
}

}  // namespace

HttpResponse get_console(const HttpContext&, const HttpRequest&) {
  static const std::string policy = "default-src 'none'; script-src " + hash_of("script") +
                                    "; style-src " + hash_of("style") +
                                    "; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                    "frame-ancestors 'none'";
  HttpResponse response{200, "text/html; charset=utf-8", std::string(kConsole)};
  response.security_policy = policy;
  return response;
}

}  // namespace lapwing::sinks
