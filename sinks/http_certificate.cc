#include "sinks/http_certificate.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <ctime>

namespace lapwing::sinks {

namespace ssl = boost::asio::ssl;

namespace {

X509* certificate_of(ssl::context& tls) {
  return ::SSL_CTX_get0_certificate(tls.native_handle());
}

std::string text_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (::ASN1_TIME_to_tm(time, &parts) != 1) return "a time that cannot be read";
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

std::unique_ptr<ssl::context> load_certificate(const std::string& certificate,
                                               const std::string& key, std::string& wrong) {
  auto tls = std::make_unique<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  tls->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1 | ssl::context::no_sslv3,
                   error);
  tls->use_certificate_chain_file(certificate, error);
  if (error) {
    wrong = "cannot use the certificate " + certificate + ": " + error.message();
    return nullptr;
  }
  tls->use_private_key_file(key, ssl::context::pem, error);
  if (error) {
    wrong = "cannot use the key " + key + ": " + error.message();
    return nullptr;
  }
  return tls;
}

bool same_certificate(ssl::context& a, ssl::context& b) {
  if (::X509_cmp(certificate_of(a), certificate_of(b)) != 0) return false;
  STACK_OF(X509)* one = nullptr;
  STACK_OF(X509)* two = nullptr;
  ::SSL_CTX_get_extra_chain_certs(a.native_handle(), &one);
  ::SSL_CTX_get_extra_chain_certs(b.native_handle(), &two);
  const int size = one != nullptr ? sk_X509_num(one) : 0;
  if (size != (two != nullptr ? sk_X509_num(two) : 0)) return false;
  for (int i = 0; i < size; ++i)
    if (::X509_cmp(sk_X509_value(one, i), sk_X509_value(two, i)) != 0) return false;
  return true;
}

std::string certificate_fault(ssl::context& tls) {
  const ASN1_TIME* begin = ::X509_get0_notBefore(certificate_of(tls));
  const ASN1_TIME* end = ::X509_get0_notAfter(certificate_of(tls));
  if (::X509_cmp_current_time(begin) > 0) return "it is not valid before " + text_of(begin);
  if (::X509_cmp_current_time(end) < 0) return "it has expired at " + text_of(end);
  return {};
}

std::string certificate_end(ssl::context& tls) {
  return "valid until " + text_of(::X509_get0_notAfter(certificate_of(tls)));
}

}  // namespace lapwing::sinks
