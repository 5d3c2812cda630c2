#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "sink_sockets.h"
#include "sink_testing.h"
#include "sinks/registry.h"
#include "sinks/runner.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::sinks {
namespace {

namespace asio = boost::asio;
using testing::MemoryJournal;
using testing::run_until;

/// A self-signed certificate for `name` in two PEM files; it ends `lifetime` seconds from now.
struct Certificate {
  Certificate(const std::string& folder, const std::string& name, long lifetime = 3600)
      : file(folder + "/" + name + ".pem"), key_file(folder + "/" + name + ".key") {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), lifetime);
    X509_set_pubkey(x, key);
    X509_NAME* subject = X509_get_subject_name(x);
    // An authority of its own, so that a renewed certificate does not hide the old one.
    const std::string common = name + (lifetime < 0 ? ", old" : "");
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common.c_str()), -1, -1, 0);
    X509_set_issuer_name(x, subject);
    X509_EXTENSION* alt =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
    X509_add_ext(x, alt, -1);
    X509_EXTENSION_free(alt);
    X509_sign(x, key, EVP_sha256());
    std::FILE* f = std::fopen(file.c_str(), "w");
    PEM_write_X509(f, x);
    std::fclose(f);
    f = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(f, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(f);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509_digest(x, EVP_sha256(), digest, &size);
    fingerprint = "sha-256";
    for (unsigned i = 0; i < size; ++i) {
      char pair[4];
      std::snprintf(pair, sizeof pair, ":%02X", digest[i]);
      fingerprint += pair;
    }
    X509_free(x);
    EVP_PKEY_free(key);
  }
  std::string file, key_file, fingerprint;
};

/// A TLS receiver on a thread of its own; one connection after the other.
class TlsReceiver {
 public:
  explicit TlsReceiver(const Certificate& own, std::uint16_t port = 0,
                       const Certificate* client = nullptr, int newest = TLS1_3_VERSION)
      : acceptor_(io_, {asio::ip::address_v4::loopback(), port}) {
    context_.use_certificate_chain_file(own.file);
    context_.use_private_key_file(own.key_file, asio::ssl::context::pem);
    SSL_CTX_set_max_proto_version(context_.native_handle(), newest);
    SSL_CTX_set_security_level(context_.native_handle(), 0);
    if (client != nullptr) {
      context_.load_verify_file(client->file);
      context_.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~TlsReceiver() {
    io_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::vector<std::string> messages() {
    const std::lock_guard lock(mutex_);
    for (std::string& m : testing::take_counted(input_)) messages_.push_back(std::move(m));
    return messages_;
  }
  std::atomic<unsigned> handshakes{0};

 private:
  using Stream = asio::ssl::stream<asio::ip::tcp::socket>;
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, asio::ip::tcp::socket socket) {
      if (error) return;
      stream_ = std::make_shared<Stream>(std::move(socket), context_);
      stream_->async_handshake(Stream::server,
                               [this, s = stream_](boost::system::error_code failed) {
                                 if (failed) return;
                                 ++handshakes;
                                 read();
                               });
      accept();
    });
  }
  void read() {
    stream_->async_read_some(asio::buffer(buffer_),
                             [this, s = stream_](boost::system::error_code error, std::size_t n) {
                               if (error) return;
                               {
                                 const std::lock_guard lock(mutex_);
                                 input_.append(buffer_.data(), n);
                               }
                               read();
                             });
  }
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_server};
  asio::ip::tcp::acceptor acceptor_;
  std::shared_ptr<Stream> stream_;
  std::array<char, 16384> buffer_{};
  std::mutex mutex_;
  std::string input_;                  // guarded by mutex_
  std::vector<std::string> messages_;  // guarded by mutex_
  std::thread thread_;
};

struct TlsBench {
  TlsBench(std::uint16_t port, std::vector<std::pair<std::string, std::string>> more) {
    Settings settings;
    settings.set("target", "tls://127.0.0.1:" + std::to_string(port));
    for (auto& [key, value] : more) settings.set(key, value);
    auto sink = make_sink("syslog", settings, io, {"lapwing", "1"});
    REQUIRE(settings.finish().empty());
    journal.set_cursor(sink->name(), 0);
    runner.emplace(io, journal, std::move(sink));
    journal.add_numbered(1, 500);
    runner->start();
  }
  bool arrives() {
    return run_until(io, [this] { return runner->status().cursor == 500; });
  }
  bool fails_with(const std::string& text) {
    return run_until(io,
                     [&] { return runner->status().last_error.find(text) != std::string::npos; }) &&
           runner->status().cursor == 0;
  }
  asio::io_context io;
  MemoryJournal journal;
  std::optional<SinkRunner> runner;
};

bool complete(TlsReceiver& receiver) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (receiver.messages().size() < 500 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto messages = receiver.messages();
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (!messages[i].ends_with(" event " + std::to_string(i + 1))) return false;
  return messages.size() == 500;
}

TEST_CASE("RFC 5425: over TLS all messages arrive, the receiver known by its authority and name") {
  test::TempDir folder;
  const Certificate own(folder.path(), "log.example.net");
  TlsReceiver receiver(own);
  TlsBench bench(receiver.port(), {{"ca-file", own.file}, {"server-name", "log.example.net"}});
  CHECK(bench.arrives());
  CHECK(complete(receiver));
}

TEST_CASE("RFC 5425 5.2: another name than that of the certificate is refused") {
  test::TempDir folder;
  const Certificate own(folder.path(), "log.example.net");
  TlsReceiver receiver(own);
  TlsBench bench(receiver.port(), {{"ca-file", own.file}, {"server-name", "other.example.net"}});
  CHECK(bench.fails_with("for another name"));
  CHECK(receiver.messages().empty());
}

TEST_CASE("RFC 5425 5.1: a certificate of no known authority is refused") {
  test::TempDir folder;
  const Certificate own(folder.path(), "log.example.net");
  const Certificate other(folder.path(), "ca.example.net");
  TlsReceiver receiver(own);
  TlsBench bench(receiver.port(), {{"ca-file", other.file}, {"server-name", "log.example.net"}});
  CHECK(bench.fails_with("certificate verify failed"));
  CHECK(receiver.messages().empty());
}

TEST_CASE("syslog over TLS: an expired certificate is said to be so; renewed, it gets everything") {
  test::TempDir folder;
  std::uint16_t port = 0;
  const Certificate expired(folder.path(), "log.example.net", -60);
  std::optional<TlsReceiver> receiver(std::in_place, expired);
  port = receiver->port();
  // One file for the authority, which the receiver's new certificate will be found in as well.
  const std::string authorities = folder.file("authorities.pem");
  std::filesystem::copy(expired.file, authorities);
  const Certificate renewed(folder.path(), "log.example.net");
  std::ofstream(authorities, std::ios::app) << std::ifstream(renewed.file).rdbuf();
  TlsBench bench(port, {{"ca-file", authorities}, {"server-name", "log.example.net"}});
  CHECK(bench.fails_with("certificate has expired"));
  CHECK(run_until(bench.io, [&] { return bench.runner->status().retries >= 2; }));
  CHECK(receiver->messages().empty());
  receiver.reset();
  receiver.emplace(renewed, port);
  CHECK(bench.arrives());
  CHECK(complete(*receiver));
}

TEST_CASE("RFC 5425 4.2.2: the right fingerprint is enough, another one is refused") {
  test::TempDir folder;
  const Certificate own(folder.path(), "log.example.net");
  const Certificate other(folder.path(), "other.example.net");
  TlsReceiver receiver(own);
  {
    TlsBench bench(receiver.port(), {{"fingerprint", other.fingerprint}});
    CHECK(bench.fails_with("fingerprint"));
    CHECK(receiver.messages().empty());
  }
  TlsBench bench(receiver.port(), {{"fingerprint", own.fingerprint}});
  CHECK(bench.arrives());
  CHECK(complete(receiver));
}

TEST_CASE("RFC 5425 4.2.1: a receiver that asks for a client certificate gets it") {
  test::TempDir folder;
  const Certificate own(folder.path(), "log.example.net");
  const Certificate client(folder.path(), "collector.example.net");
  TlsReceiver receiver(own, 0, &client);
  TlsBench bench(
      receiver.port(),
      {{"fingerprint", own.fingerprint}, {"certificate", client.file}, {"key", client.key_file}});
  CHECK(bench.arrives());
  CHECK(complete(receiver));
}

TEST_CASE("syslog over TLS: nothing older than TLS 1.2 is spoken") {
  test::TempDir folder;
  const Certificate own(folder.path(), "log.example.net");
  TlsReceiver receiver(own, 0, nullptr, TLS1_1_VERSION);
  TlsBench bench(receiver.port(), {{"fingerprint", own.fingerprint}});
  CHECK(bench.fails_with("handshake failed"));
  CHECK(receiver.handshakes == 0);
}

TEST_CASE("syslog over TLS: a receiver that dies and comes back misses nothing") {
  test::TempDir folder;
  const Certificate own(folder.path(), "log.example.net");
  std::optional<TlsReceiver> receiver(std::in_place, own);
  const std::uint16_t port = receiver->port();
  TlsBench bench(port, {{"fingerprint", own.fingerprint}});
  CHECK(bench.arrives());
  receiver.reset();
  bench.journal.add_numbered(501, 600);
  run_until(
      bench.io, [] { return false; }, std::chrono::milliseconds(500));
  CHECK(bench.runner->status().cursor == 500);
  receiver.emplace(own, port);
  CHECK(run_until(bench.io, [&] { return bench.runner->status().cursor == 600; }));
  std::vector<std::string> messages;
  CHECK(run_until(bench.io, [&] {
    messages = receiver->messages();
    return !messages.empty() && messages.back().ends_with(" event 600");
  }));
  CHECK(messages.size() >= 100);
}

}  // namespace
}  // namespace lapwing::sinks
