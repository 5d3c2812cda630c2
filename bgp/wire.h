// A cursor over octets from a neighbour, and an appender for octets to it.
//
// The cursor can only fail: a read beyond its end gives zero (or an empty span), and from there on
// `ok()` is false and every further read fails too. It is cut to the part that is being read before
// that part is read, so nothing reads past it.
// Thread: any. Owns: nothing; the octets outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lapwing/path.h"

namespace lapwing::bgp {

class Cursor {
 public:
  Cursor() = default;
  explicit Cursor(Octets octets) : at_(octets.data()), end_(octets.data() + octets.size()) {}

  bool ok() const { return ok_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool empty() const { return at_ == end_; }
  const std::uint8_t* at() const { return at_; }
  Octets rest() const { return {at_, end_}; }

  std::uint8_t u8() { return has(1) ? *advance(1) : std::uint8_t{0}; }
  std::uint16_t u16() { return has(2) ? read_u16(advance(2)) : std::uint16_t{0}; }
  std::uint32_t u24() {
    if (!has(3)) return 0;
    const std::uint8_t* p = advance(3);
    return static_cast<std::uint32_t>(p[0]) << 16 | static_cast<std::uint32_t>(p[1]) << 8 | p[2];
  }
  std::uint32_t u32() { return has(4) ? read_u32(advance(4)) : 0; }
  std::uint64_t u64() {
    if (!has(8)) return 0;
    const std::uint8_t* p = advance(8);
    return static_cast<std::uint64_t>(read_u32(p)) << 32 | read_u32(p + 4);
  }
  /// The next `size` octets; empty and failed when there are fewer.
  Octets take(std::size_t size) { return has(size) ? Octets(advance(size), size) : Octets(); }
  /// A cursor over the next `size` octets; failed when there are fewer.
  Cursor cut(std::size_t size) {
    Cursor part(take(size));
    part.ok_ = ok_;
    return part;
  }

 private:
  bool has(std::size_t size) {
    if (ok_ && size <= left()) return true;
    ok_ = false;
    at_ = end_;
    return false;
  }
  const std::uint8_t* advance(std::size_t size) {
    const std::uint8_t* p = at_;
    at_ += size;
    return p;
  }

  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  bool ok_ = true;
};

inline void put_u8(std::vector<std::uint8_t>& out, unsigned value) {
  out.push_back(static_cast<std::uint8_t>(value));
}
inline void put_u16(std::vector<std::uint8_t>& out, unsigned value) {
  put_u8(out, value >> 8 & 0xff);
  put_u8(out, value & 0xff);
}
inline void put_u32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  put_u16(out, value >> 16);
  put_u16(out, value & 0xffff);
}
inline void put_octets(std::vector<std::uint8_t>& out, Octets octets) {
  out.insert(out.end(), octets.begin(), octets.end());
}

}  // namespace lapwing::bgp
