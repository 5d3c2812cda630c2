// Compresses a body for the API (RFC 1952), piece by piece.
// Thread: one at a time. Owns: zlib's state.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace lapwing::sinks {

class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  /// The compressed form of `data`, complete as far as `data` goes; `last` ends the stream.
  std::string add(std::string_view data, bool last);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// True where an Accept-Encoding (RFC 9110 12.5.3) takes gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace lapwing::sinks
