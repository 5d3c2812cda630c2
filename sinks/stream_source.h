// What a stream of the API sends, without the connection that carries it.
//
// Thread: construction and destruction the server's; `begin` and `read` the server's worker, one
// call at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lapwing::sinks {

class StreamSource {
 public:
  enum class Next : std::uint8_t {
    kWait,  // nothing more for now
    kMore,  // there may be more at once
    kEnd,   // the stream ends when this was sent
  };

  virtual ~StreamSource() = default;
  /// The number after which the stream begins.
  virtual std::uint64_t begin() const = 0;
  /// Appends what is wanted after `number` and moves `number`. May throw: the stream then ends.
  virtual Next read(std::uint64_t& number, std::string& out) const = 0;
  virtual std::string_view content_type() const { return "text/event-stream"; }
  /// Sent where there was nothing else for a while; empty: silence, and TCP looks for the peer.
  virtual std::string_view heartbeat() const { return ":\n\n"; }
};

}  // namespace lapwing::sinks
