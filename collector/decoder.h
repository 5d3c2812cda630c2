// Decompression of one stream, step by step, over caller's buffers.
//
// `make_decoder` chooses by the first octets of the stream. `Decoder::step` moves octets from the
// input to the output until one of them is used up or something is wrong. Streams of the same kind
// that follow one another are decoded as one.
// Thread: any, one at a time. Owns: the library's state.
#pragma once

#include <cstdint>
#include <memory>

#include "lapwing/path.h"

namespace lapwing::collector {

struct DecoderBuffers {
  const std::uint8_t* in = nullptr;
  std::size_t in_left = 0;
  std::uint8_t* out = nullptr;
  std::size_t out_left = 0;
  bool last = false;  // no input follows what is in `in`
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  /// nullptr, or what is wrong in a text that lives for ever. What was decoded before it counts.
  /// All is done that can be once `in_left` is zero and `out_left` is not.
  [[nodiscard]] virtual const char* step(DecoderBuffers& b) = 0;
  /// True where the input may end: between streams.
  virtual bool complete() const = 0;
};

/// Octets of a stream that `make_decoder` wants to see, unless the stream is shorter.
inline constexpr std::size_t kMagicSize = 10;

/// nullptr when the octets begin no kind of compressed stream: plain.
std::unique_ptr<Decoder> make_decoder(Octets magic);

}  // namespace lapwing::collector
