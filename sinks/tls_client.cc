#include "sinks/tls_client.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <utility>

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;

std::string hex_digits(std::string_view text) {
  std::string hex;
  for (const char c : text)
    if (c != ':') hex += static_cast<char>(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
  return hex;
}

// The algorithm's name and digest of "sha-256:AB:CD:…".
std::pair<std::string_view, std::string> split_fingerprint(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {};
  return {text.substr(0, colon), hex_digits(text.substr(colon + 1))};
}

const EVP_MD* digest_of(std::string_view name) {
  return name == "sha-256" ? EVP_sha256() : name == "sha-1" ? EVP_sha1() : nullptr;
}

bool is_fingerprint(std::string_view text) {
  const auto [name, hex] = split_fingerprint(text);
  const std::size_t size = name == "sha-256" ? 64 : name == "sha-1" ? 40 : 0;
  return size != 0 && hex.size() == size &&
         hex.find_first_not_of("0123456789ABCDEF") == std::string::npos;
}

}  // namespace

TlsOptions TlsOptions::from_settings(Settings& settings) {
  TlsOptions options;
  options.ca_file = settings.text("ca-file", "");
  options.server_name = settings.text("server-name", "");
  options.fingerprint = settings.text("fingerprint", "");
  options.certificate = settings.text("certificate", "");
  options.key = settings.text("key", "");
  if (options.certificate.empty() != options.key.empty())
    settings.error(options.key.empty() ? "key" : "certificate",
                   "certificate and key are set together");
  if (!options.fingerprint.empty() && !is_fingerprint(options.fingerprint))
    settings.error("fingerprint", "must be sha-256: or sha-1: and the digest in hexadecimal");
  return options;
}

bool fingerprint_matches(SSL* tls, std::string_view wanted) {
  const auto [name, hex] = split_fingerprint(wanted);
  const EVP_MD* algorithm = digest_of(name);
  X509* certificate = SSL_get1_peer_certificate(tls);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const bool known = certificate != nullptr && algorithm != nullptr &&
                     X509_digest(certificate, algorithm, digest.data(), &size) == 1;
  X509_free(certificate);
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string found;
  for (unsigned i = 0; i < size; ++i) {
    found += kDigits[digest[i] >> 4];
    found += kDigits[digest[i] & 15];
  }
  return known && found == hex;
}

std::string tls_failure(SSL* tls) {
  std::string text = "TLS handshake failed";
  const long result = SSL_get_verify_result(tls);
  // Unspecified: OpenSSL found nothing, and then the comparison of the name refused it.
  const char* why = result == X509_V_ERR_UNSPECIFIED ? "it is for another name"
                                                     : X509_verify_cert_error_string(result);
  if (result != X509_V_OK) text += std::string(" (the receiver's certificate: ") + why + ")";
  return text;
}

std::shared_ptr<asio::ssl::context> make_tls_context(const TlsOptions& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  if (options.ca_file.empty())
    context->set_default_verify_paths();
  else
    context->load_verify_file(options.ca_file);
  if (!options.certificate.empty()) {
    context->use_certificate_chain_file(options.certificate);
    context->use_private_key_file(options.key, asio::ssl::context::pem);
  }
  return context;
}

}  // namespace lapwing::sinks
