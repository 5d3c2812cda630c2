// The certificate and the key that the API shows to its clients, as they stand in their files now.
//
// Thread: any.
#pragma once

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace lapwing::sinks {

/// A context for TLS 1.2 and later; nullptr where a file cannot be used, and `wrong` says why.
std::unique_ptr<boost::asio::ssl::context> load_certificate(const std::string& certificate,
                                                            const std::string& key,
                                                            std::string& wrong);

/// True where both show the same certificate, and the same ones of authorities with it.
bool same_certificate(boost::asio::ssl::context& a, boost::asio::ssl::context& b);

/// What speaks against taking this certificate today: it has expired, or is not valid yet. Empty
/// where nothing does.
std::string certificate_fault(boost::asio::ssl::context& tls);

/// "valid until 2027-01-31T00:00:00Z"
std::string certificate_end(boost::asio::ssl::context& tls);

}  // namespace lapwing::sinks
