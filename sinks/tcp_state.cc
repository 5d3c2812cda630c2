#include "sinks/tcp_state.h"

// Not <netinet/tcp.h>: its tcp_info ends before the window.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstddef>

namespace lapwing::sinks {

namespace {
constexpr std::uint8_t kEstablished = 1;  // of the kernel's enum, which no header for us has
constexpr std::uint8_t kCloseWait = 8;
}  // namespace

std::optional<TcpState> tcp_state(int socket) {
  int queued = 0;
  if (::ioctl(socket, SIOCOUTQ, &queued) != 0 || queued < 0) return std::nullopt;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (info.tcpi_state != kEstablished && info.tcpi_state != kCloseWait) return std::nullopt;
  TcpState state;
  state.unacknowledged = static_cast<std::size_t>(queued);
  if (size >= offsetof(tcp_info, tcpi_snd_wnd) + sizeof info.tcpi_snd_wnd)
    state.window = info.tcpi_snd_wnd;  // Linux 5.4
  return state;
}

}  // namespace lapwing::sinks
