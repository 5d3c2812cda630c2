// A server of one canned answer for the tests of the client: TCP on loopback, or a Unix socket.
//
// Thread: serves on its own thread, one connection after the other, until destroyed.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "tests/unit/temp_dir.h"

namespace lapwing::collector {

class CannedServer {
 public:
  /// `answer(request)` gives the octets to send back; the connection is then closed.
  using Answer = std::function<std::string(const std::string& request)>;

  explicit CannedServer(Answer answer, bool unix_socket = false) : answer_(std::move(answer)) {
    if (unix_socket)
      bind_unix();
    else
      bind_tcp();
    ::listen(fd_, 8);
    thread_ = std::thread([this] { serve(); });
  }
  CannedServer(const CannedServer&) = delete;
  CannedServer& operator=(const CannedServer&) = delete;
  ~CannedServer() {
    stopping_ = true;
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }

  const std::string& url() const { return url_; }
  std::string last_request() const {
    const std::lock_guard lock(mutex_);
    return request_;
  }

  static std::string reply(const std::string& status, const std::string& type,
                           const std::string& body) {
    return "HTTP/1.1 " + status + "\r\nContent-Type: " + type +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string json(const std::string& body) {
    return reply("200 OK", "application/json", body);
  }

 private:
  void bind_tcp() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  void bind_unix() {
    const std::string path = directory_.emplace().file("api.sock");
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    url_ = "unix:" + path;
  }

  void serve() {
    while (!stopping_) {
      const int client = ::accept(fd_, nullptr, nullptr);
      if (client < 0) continue;
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = ::recv(client, buffer, sizeof buffer, 0);
        if (n <= 0) break;
        request.append(buffer, static_cast<std::size_t>(n));
      }
      {
        const std::lock_guard lock(mutex_);
        request_ = request;
      }
      const std::string answer = answer_(request);
      ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::shutdown(client, SHUT_WR);
      while (::recv(client, buffer, sizeof buffer, 0) > 0) {
      }
      ::close(client);
    }
  }

  Answer answer_;
  int fd_ = -1;
  std::string url_;
  std::optional<lapwing::test::TempDir> directory_;
  mutable std::mutex mutex_;
  std::string request_;  // guarded by mutex_
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace lapwing::collector
