// make_event_id: the first 128 bits of SHA-256 (FIPS 180-4) over the length of the domain, the
// domain and the parts. A cryptographic hash, because an id that is in the journal already is not
// stored again: nobody may be able to choose AS numbers whose alarm passes for another's.
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "detectors/event_text.h"
#include "lapwing/detector.h"

namespace lapwing {
namespace {

/// A thread's SHA-256; fetched once, which costs more than a thousand ids.
class Sha256 {
 public:
  Sha256() : method_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
    if (!method_ || !context_) fail();
  }

  std::array<std::uint8_t, 32> digest(std::string_view message) {
    std::array<std::uint8_t, 32> out;
    if (EVP_DigestInit_ex2(context_.get(), method_.get(), nullptr) != 1 ||
        EVP_DigestUpdate(context_.get(), message.data(), message.size()) != 1 ||
        EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) != 1)
      fail();
    return out;
  }

 private:
  struct Free {
    void operator()(EVP_MD* method) const { EVP_MD_free(method); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  [[noreturn]] static void fail() { throw std::runtime_error("OpenSSL has no SHA-256"); }

  std::unique_ptr<EVP_MD, Free> method_;
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace

EventId make_event_id(std::string_view domain, std::span<const std::uint64_t> parts) {
  static thread_local Sha256 sha256;
  static thread_local std::string message;
  message.clear();
  detectors::put_u64(message, domain.size());
  message += domain;
  for (const std::uint64_t part : parts) detectors::put_u64(message, part);
  const std::array<std::uint8_t, 32> digest = sha256.digest(message);
  EventId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace lapwing
