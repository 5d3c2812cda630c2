// A file as a stream of blocks, decompressed where needed.
//
// What a file is (plain, gzip, bzip2, zstd, xz) is told by its first octets, never by its name.
// Streams that follow one another in one file are joined. "-" is standard input. A stream that is
// cut off or damaged gives all that can be decoded, then the end, and `error` says what was wrong.
//
//     InputFile file;
//     if (!file.open(path)) … file.error() …
//     while (!(block = file.next_block()).empty()) …
//     if (!file.error().empty()) …
//
// Thread: its owner's. A file that is not compressed is read there; all else (compressed, standard
// input, a pipe) on a thread of its own, which fills a ring of at most `kBlocks` blocks ahead.
// Owns: the descriptor, the reader thread, the blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lapwing/path.h"

namespace lapwing::collector {

class InputFile {
 public:
  static constexpr std::size_t kBlockSize = 64 * 1024;  // octets
  static constexpr std::size_t kBlocks = 4;

  InputFile();
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  /// False with `error` set when it cannot be opened or read at all. Call once.
  bool open(const std::string& path);

  /// Waits for the next block; empty at the end. The block lives until the next call.
  Octets next_block();

  /// Octets of the file itself, as they are stored, that have been read so far.
  std::uint64_t consumed() const;

  /// Why the stream ended early; empty when it did not. Complete once `next_block` gave the end.
  const std::string& error() const { return error_; }

 private:
  class Source;
  class Plain;
  class Reader;
  std::unique_ptr<Source> source_;
  std::string error_;
};

}  // namespace lapwing::collector
