// TLS of a sink that connects (RFC 5425): settings, context, the receiver's fingerprint, errors.
//
// Settings: ca-file, fingerprint, certificate, key and server-name.
// Thread: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lapwing/settings.h"

struct ssl_st;  // OpenSSL's SSL
namespace boost::asio::ssl {
class context;
}

namespace lapwing::sinks {

struct TlsOptions {
  std::string ca_file;      // empty: the system's authorities
  std::string server_name;  // empty: the target's host
  std::string fingerprint;  // "sha-256:AB:CD:…" (RFC 5425 4.2.2): replaces the authorities
  std::string certificate;  // own, PEM, chain
  std::string key;

  static TlsOptions from_settings(Settings& settings);
};

/// A client's context as `options` says, TLS 1.2 at least; throws boost::system::system_error.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const TlsOptions& options);

/// RFC 5425 4.2.2: the peer's certificate has this fingerprint.
bool fingerprint_matches(ssl_st* tls, std::string_view wanted);

/// "TLS handshake failed", and why the peer's certificate was refused where it was.
std::string tls_failure(ssl_st* tls);

}  // namespace lapwing::sinks
