#include "collector/check_machine.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "bgp/socket_options.h"

namespace lapwing::collector {

namespace {

namespace fs = std::filesystem;

class MachineCheck {
 public:
  MachineCheck(const Config& config, std::vector<Diagnostic>& out) : config_(config), out_(out) {}

  void run() {
    check_addresses();
    check_store();
    check_sockets();
    check_secrets();
    check_authentication();
  }

 private:
  void note(DiagnosticKind kind, std::string text) {
    out_.push_back({config_.file, {}, kind, std::move(text)});
  }

  // Bound to any port, so that a collector that runs already does not matter.
  static bool is_ours(const IpAddress& address) {
    const bool v4 = address.version == IpVersion::kV4;
    const int fd = ::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    sockaddr_in6 six{};
    sockaddr_in four{};
    six.sin6_family = AF_INET6;
    four.sin_family = AF_INET;
    std::memcpy(&six.sin6_addr, address.bytes.data(), 16);
    std::memcpy(&four.sin_addr, address.bytes.data(), 4);
    const auto* where =
        v4 ? reinterpret_cast<const sockaddr*>(&four) : reinterpret_cast<const sockaddr*>(&six);
    const bool bound = ::bind(fd, where, v4 ? sizeof four : sizeof six) == 0;
    ::close(fd);
    return bound;
  }

  void check_address(const IpAddress& address, const std::string& scope, DiagnosticKind kind,
                     const std::string& what) {
    if (!scope.empty() || !seen_.insert(address).second || is_ours(address)) return;
    note(kind, fmt::format("{}: {} is no address of this machine", what, format_address(address)));
  }

  void check_addresses() {
    for (const bgp::Endpoint& endpoint : config_.speaker.listen)
      check_address(endpoint.address, endpoint.scope, DiagnosticKind::kError, "[speaker] listen");
    for (const HttpListen& listen : config_.http.listen)
      if (listen.unix_path.empty())
        check_address(listen.endpoint.address, listen.endpoint.scope, DiagnosticKind::kError,
                      "[http] listen");
    for (const bgp::NeighborConfig& neighbor : config_.neighbors)
      if (neighbor.local_address)
        check_address(*neighbor.local_address, neighbor.scope, DiagnosticKind::kWarning,
                      fmt::format("neighbour {}: local-address", neighbor.name));
  }

  void check_store() {
    const fs::path& path = config_.store.path;
    std::error_code ignored;
    if (fs::exists(path, ignored) && !fs::is_directory(path, ignored))
      return note(DiagnosticKind::kError,
                  fmt::format("[storage] path: {} is no directory", path.string()));
    fs::path place = path;
    while (!place.empty() && !fs::exists(place, ignored) && place != place.parent_path())
      place = place.parent_path();
    if (place.empty()) place = ".";
    if (::access(place.c_str(), W_OK) != 0 && errno != ENOENT)
      note(DiagnosticKind::kWarning,
           fmt::format("[storage] path: {} is not writable for the user who checks",
                       place.string()));
  }

  // Below /run the service manager makes the directory.
  void check_sockets() {
    std::error_code ignored;
    for (const HttpListen& listen : config_.http.listen) {
      const fs::path folder = fs::path(listen.unix_path).parent_path();
      if (listen.unix_path.empty() || listen.unix_path.starts_with("/run/") ||
          fs::is_directory(folder, ignored))
        continue;
      note(DiagnosticKind::kError,
           fmt::format("[http] listen: there is no directory {}", folder.string()));
    }
  }

  void check_secrets() {
    const bool secrets =
        !config_.http.token.empty() ||
        std::any_of(config_.neighbors.begin(), config_.neighbors.end(),
                    [](const bgp::NeighborConfig& n) { return !n.password.empty(); });
    struct stat status {};
    if (secrets && ::stat(config_.file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0)
      note(DiagnosticKind::kWarning,
           "everyone may read this file, and secrets may stand in it; chmod 0640 is enough");
  }

  void check_authentication() {
    for (const bgp::NeighborConfig& neighbor : config_.neighbors) {
      if (!neighbor.tcp_ao) continue;
      if (const auto error = bgp::probe_ao())
        note(DiagnosticKind::kError,
             fmt::format("neighbour {}: authentication: this machine's kernel has no TCP-AO ({}); "
                         "Linux has it from 6.7 on, where it was built with CONFIG_TCP_AO",
                         neighbor.name, *error));
    }
  }

  const Config& config_;
  std::vector<Diagnostic>& out_;
  std::set<IpAddress> seen_;
};

}  // namespace

void check_machine(const Config& config, std::vector<Diagnostic>& diagnostics) {
  MachineCheck(config, diagnostics).run();
}

}  // namespace lapwing::collector
