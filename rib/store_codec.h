// Octets of the store's values: varints, tagged fields, and the records made of them.
//
// A tagged record is a version octet and fields `tag varint | length varint | octets`; a reader
// skips tags it does not know. Decoding trusts nothing: every length is checked, a malformed record
// is `false` or nullopt. Formats are in docs/FORMATS.md.
// Thread: any. Owns: nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lapwing/path.h"
#include "rib/commit.h"

namespace lapwing::rib {

inline std::string_view as_text(Octets octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}
inline Octets as_octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// At most ten octets; returns the end of what was written.
inline char* write_varint64(char* out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<char>(value | 0x80);
  *out++ = static_cast<char>(value);
  return out;
}
inline char* write_be32(char* out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
  return out;
}
inline char* write_be64(char* out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
  return out;
}
inline std::uint64_t read_be64(const char* p) {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(p);
  return static_cast<std::uint64_t>(read_u32(octets)) << 32 | read_u32(octets + 4);
}

void append_varint(std::string& out, std::uint64_t value);
inline std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}
/// Times before 1970 are kept as 1970: nothing that Lapwing hears is older.
inline std::uint64_t stored_micros(Timestamp t) {
  const std::int64_t us = unix_micros(t);
  return us < 0 ? 0 : static_cast<std::uint64_t>(us);
}

/// A cursor that can only fail: each read checks what is left and moves past what it read.
class OctetReader {
 public:
  explicit OctetReader(std::string_view octets) : left_(octets) {}

  bool empty() const { return left_.empty(); }
  std::string_view rest() const { return left_; }
  bool octet(std::uint8_t& out);
  /// False also where the value does not fit 64 bits.
  bool varint(std::uint64_t& out);
  /// False also where the value does not fit 32 bits.
  bool varint32(std::uint32_t& out);
  bool octets(std::size_t size, std::string_view& out);
  /// A varint length and that many octets.
  bool text(std::string_view& out);

 private:
  std::string_view left_;
};

/// Appends fields to a record.
class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}
  void text(std::uint32_t tag, std::string_view value);
  void number(std::uint32_t tag, std::uint64_t value);
  void integer(std::uint32_t tag, std::int64_t value) { number(tag, zigzag(value)); }
  void time(std::uint32_t tag, Timestamp value) { integer(tag, unix_micros(value)); }

 private:
  std::string& out_;
};

/// Reads the next field; `number`, `time` and so on read the value of a field.
class FieldReader {
 public:
  explicit FieldReader(std::string_view octets) : reader_(octets) {}
  bool at_end() const { return reader_.empty(); }
  bool next(std::uint32_t& tag, std::string_view& value) {
    return reader_.varint32(tag) && reader_.text(value);
  }

 private:
  OctetReader reader_;
};

/// The value must be exactly one number (`bool`: 0 or 1).
bool read_number(std::string_view value, std::uint64_t& out);
bool read_number32(std::string_view value, std::uint32_t& out);
bool read_integer(std::string_view value, std::int64_t& out);
bool read_time(std::string_view value, Timestamp& out);
bool read_bool(std::string_view value, bool& out);

/// version (4 or 6), then the 4 or 16 octets.
void append_address(std::string& out, const IpAddress& address);
bool read_address(std::string_view value, IpAddress& out);
/// An address, then the length in bits.
void append_prefix(std::string& out, const Prefix& prefix);
bool read_prefix(std::string_view value, Prefix& out);

/// CRC-32C (Castagnoli), as RFC 3720 appendix B.4 has it.
std::uint32_t crc32c(std::string_view octets);

/// Value of column family `paths`: CRC-32C BE32 of the octets, then the octets.
void append_path_value(std::string& out, Octets path);
/// nullopt where the checksum is wrong.
std::optional<Octets> read_path_value(std::string_view value);

std::string encode_peer(const PeerRecord& peer);
std::optional<PeerRecord> decode_peer(std::string_view value);

/// The value; peer and `from` stand in the key.
std::string encode_blind(const BlindInterval& interval);
bool decode_blind(std::string_view value, BlindInterval& out);

}  // namespace lapwing::rib
