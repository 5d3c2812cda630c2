// What the kernel knows of a TCP connection that only sends.
//
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace lapwing::sinks {

struct TcpState {
  std::size_t unacknowledged = 0;  // octets written that the peer's TCP does not have yet
  std::size_t window = 0;          // octets that the peer says it can take now; 0: not known
};

/// nullopt: the connection has ended. The count is taken before the state, so it is that of a living
/// connection: one that has ended has an empty queue too.
std::optional<TcpState> tcp_state(int socket);

}  // namespace lapwing::sinks
