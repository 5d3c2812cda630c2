// A file of lines that is only appended to, with rotation; blocking, for the sink's own thread.
//
// Thread: one. Owns: the descriptor, except standard output's.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace lapwing::sinks {

struct JsonlOptions {
  std::string path;                  // "-": standard output
  bool sync = false;
  std::uint64_t rotate_size = 0;     // octets; 0: never
  std::chrono::seconds rotate_age{0};  // 0: never
  unsigned rotate_keep = 10;
};

class JsonlFile {
 public:
  /// `stopping`: set by another thread, makes a `write` that waits for a pipe give up.
  JsonlFile(JsonlOptions options, const std::atomic<bool>& stopping);
  ~JsonlFile();
  JsonlFile(const JsonlFile&) = delete;
  JsonlFile& operator=(const JsonlFile&) = delete;

  /// Appends whole lines; empty text on success, else what went wrong. After an error the same
  /// text is to be given again: what had been written of it is taken back or, where that is not
  /// possible, stands there twice.
  std::string write(std::string_view lines);
  void close();

 private:
  std::string open();
  std::string write_file(std::string_view lines);
  std::string write_pipe(std::string_view lines);
  bool moved_away() const;
  bool due_for_rotation(std::size_t more) const;
  std::string rotate();

  const JsonlOptions options_;
  const std::atomic<bool>& stopping_;
  int fd_ = -1;
  bool regular_ = false;
  std::uint64_t size_ = 0;
  std::size_t pipe_written_ = 0;  // octets of the present batch that a pipe has taken already
  std::chrono::system_clock::time_point born_;
};

}  // namespace lapwing::sinks
