// One file of a recording, plain or gzip, that can be read at any time up to the last `flush`.
//
// Thread: one at a time. Owns: the descriptor and the compressor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "lapwing/path.h"

namespace lapwing::collector {

class RecordFile {
 public:
  /// Creates `path`, which must not exist; nullptr and the reason in `error` where that fails.
  static std::unique_ptr<RecordFile> create(const std::filesystem::path& path, bool gzip,
                                            std::string& error);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  /// Each returns an empty text, or the reason why what was given is not (wholly) in the file.
  std::string write(Octets octets);
  /// All that was written is with the kernel and can be decompressed.
  std::string flush();
  std::string close();

  const std::filesystem::path& path() const { return path_; }
  /// Octets given to `write`.
  std::uint64_t size() const { return size_; }

 private:
  class Deflater;

  RecordFile(std::filesystem::path path, int fd);
  std::string put(Octets octets);

  const std::filesystem::path path_;
  int fd_;
  std::uint64_t size_ = 0;
  std::unique_ptr<Deflater> deflater_;  // none: plain
  std::vector<std::uint8_t> buffer_;    // plain octets that are not written yet
};

}  // namespace lapwing::collector
