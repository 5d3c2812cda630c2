// make_event_id: the first 128 bits of SHA-256 (FIPS 180-4) over the length of the domain, the
// domain and the parts. A cryptographic hash, because an id that is in the journal already is not
// stored again: nobody may be able to choose AS numbers whose alarm passes for another's.
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "detectors/event_text.h"
#include "lapwing/detector.h"

namespace lapwing {
namespace {

// OpenSSL 3 deprecates these three in favour of EVP. But EVP reads openssl.cnf, looks for providers and
// fetches the method before the first id, which takes longer than a thousand ids, and prepares a
// context for each.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
std::array<std::uint8_t, SHA256_DIGEST_LENGTH> sha256(std::string_view message) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256_CTX context;
  if (SHA256_Init(&context) != 1 || SHA256_Update(&context, message.data(), message.size()) != 1 ||
      SHA256_Final(digest.data(), &context) != 1)
    throw std::runtime_error("OpenSSL has no SHA-256");
  return digest;
}
#pragma GCC diagnostic pop

}  // namespace

EventId make_event_id(std::string_view domain, std::span<const std::uint64_t> parts) {
  static thread_local std::string message;
  message.clear();
  detectors::put_u64(message, domain.size());
  message += domain;
  for (const std::uint64_t part : parts) detectors::put_u64(message, part);
  const auto digest = sha256(message);
  EventId id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace lapwing
