#include "bgp/as_path.h"

#include <algorithm>

#include "bgp/wire.h"

namespace lapwing::bgp {

namespace {

constexpr auto kSet = static_cast<std::uint8_t>(SegmentType::kAsSet);
constexpr auto kSequence = static_cast<std::uint8_t>(SegmentType::kAsSequence);
constexpr auto kConfedSequence = static_cast<std::uint8_t>(SegmentType::kAsConfedSequence);
constexpr auto kConfedSet = static_cast<std::uint8_t>(SegmentType::kAsConfedSet);

bool is_sequence(std::uint8_t type) { return type == kSequence || type == kConfedSequence; }
bool is_confederation(std::uint8_t type) { return type == kConfedSequence || type == kConfedSet; }

Asn read_asn(const std::uint8_t* p, unsigned width) {
  return width == 4 ? read_u32(p) : read_u16(p);
}

/// Some ASNs of one segment.
struct Piece {
  std::uint8_t type = 0;
  const std::uint8_t* asns = nullptr;
  std::uint32_t count = 0;
  unsigned width = 0;
};

/// Walks the pieces of an AS_PATH (its leading hops only) and then those of an AS4_PATH.
class PieceWalk {
 public:
  PieceWalk(Octets path, unsigned width) : in_(path), width_(width) {}
  PieceWalk(Octets path, std::uint32_t leading, Octets as4_path)
      : in_(path), as4_(as4_path), width_(2), leading_(leading), merged_(true) {}

  bool next(Piece& piece) {
    if (in_first_) {
      if (next_of_path(piece)) return true;
      in_first_ = false;
    }
    if (!merged_) return false;
    // RFC 6793 6: confederation segments in AS4_PATH are left out.
    while (!as4_.empty()) {
      piece = take(as4_, 4);
      if (!is_confederation(piece.type)) return true;
    }
    return false;
  }

 private:
  static Piece take(Cursor& in, unsigned width) {
    Piece piece;
    piece.type = in.u8();
    piece.count = in.u8();
    piece.width = width;
    piece.asns = in.take(std::size_t{piece.count} * width).data();
    return piece;
  }

  bool next_of_path(Piece& piece) {
    if (in_.empty()) return false;
    if (!merged_) {
      piece = take(in_, width_);
      return true;
    }
    Cursor ahead = in_;
    piece = take(ahead, width_);
    // RFC 6793 4.2.3: a confederation segment is prepended when it leads or follows one that is.
    if (!is_confederation(piece.type)) {
      if (leading_ == 0) return false;
      if (piece.type == kSet) {
        --leading_;
      } else if (piece.count > leading_) {
        piece.count = leading_;
        leading_ = 0;
        in_ = Cursor();
        return true;
      } else {
        leading_ -= piece.count;
      }
    }
    in_ = ahead;
    return true;
  }

  Cursor in_;
  Cursor as4_;
  unsigned width_;
  std::uint32_t leading_ = 0;
  bool merged_ = false;
  bool in_first_ = true;
};

std::uint8_t* write_pieces(PieceWalk walk, std::uint8_t* out) {
  Piece piece;
  bool more = walk.next(piece);
  while (more) {
    // Sum up the run of sequences of one type, then write its ASNs by a second walk over it.
    PieceWalk run = walk;
    Piece current = piece;
    std::uint32_t count = piece.count;
    std::uint32_t pieces = 1;
    for (more = walk.next(piece); more && piece.type == current.type && is_sequence(piece.type);
         more = walk.next(piece)) {
      count += piece.count;
      ++pieces;
    }
    *out++ = current.type;
    out = write_varint(out, count);
    for (;;) {
      for (std::uint32_t i = 0; i < current.count; ++i)
        out =
            write_varint(out, read_asn(current.asns + std::size_t{i} * current.width, current.width));
      if (--pieces == 0) break;
      run.next(current);
    }
  }
  return out;
}

}  // namespace

AsPathSummary check_as_path(Octets path, unsigned width, Asn local_as) {
  AsPathSummary summary;
  Cursor in(path);
  while (!in.empty()) {
    const std::uint8_t type = in.u8();
    const std::uint32_t count = in.u8();
    const Octets asns = in.take(std::size_t{count} * width);
    if (!in.ok()) {
      summary.error = "a segment is longer than the attribute";
      return summary;
    }
    if (type < kSet || type > kConfedSet) {
      summary.error = "unknown segment type";
      return summary;
    }
    if (count == 0) {
      summary.error = "segment without ASNs";
      return summary;
    }
    if (summary.asns == 0) summary.first = read_asn(asns.data(), width);
    summary.asns += count;
    if (type == kSequence) summary.hops += count;
    if (type == kSet) ++summary.hops;
    summary.set = summary.set || type == kSet || type == kConfedSet;
    summary.confederation = summary.confederation || is_confederation(type);
    for (const std::uint8_t* p = asns.data(); p != asns.data() + asns.size(); p += width) {
      const Asn asn = read_asn(p, width);
      summary.as_zero = summary.as_zero || asn == 0;
      summary.loop = summary.loop || (asn == local_as && local_as != 0);
    }
  }
  if (summary.as_zero) summary.error = "AS 0 in the path";
  if (summary.asns > kMaxHops) summary.error = "more hops than Lapwing takes";
  return summary;
}

std::uint8_t* write_as_path(Octets path, unsigned width, std::uint8_t* out) {
  if (path.size() >= 2 && path.size() == 2 + std::size_t{path[1]} * width) {  // one segment
    *out++ = path[0];
    out = write_varint(out, path[1]);
    for (const std::uint8_t* p = path.data() + 2; p != path.data() + path.size(); p += width)
      out = write_varint(out, read_asn(p, width));
    return out;
  }
  return write_pieces(PieceWalk(path, width), out);
}

std::uint8_t* write_merged_as_path(Octets path, std::uint32_t hops, Octets as4_path,
                                   std::uint32_t as4_hops, std::uint8_t* out) {
  if (as4_hops > hops) return write_as_path(path, 2, out);
  return write_pieces(PieceWalk(path, hops - as4_hops, as4_path), out);
}

}  // namespace lapwing::bgp
