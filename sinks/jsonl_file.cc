#include "sinks/jsonl_file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace lapwing::sinks {

namespace {

constexpr std::size_t kPipeChunk = 4096;  // PIPE_BUF: a pipe that is ready takes it without a wait

std::string error_text(std::string_view what, const std::string& path) {
  return std::string(what) + ' ' + path + ": " + std::generic_category().message(errno);
}

std::chrono::system_clock::time_point birth(int fd) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &info) == 0 && (info.stx_mask & STATX_BTIME) != 0)
    return std::chrono::system_clock::from_time_t(info.stx_btime.tv_sec);
  return std::chrono::system_clock::now();
}

ssize_t write_once(int fd, std::string_view text) {
  ssize_t n = 0;
  do n = ::write(fd, text.data(), text.size());
  while (n < 0 && errno == EINTR);
  return n;
}

}  // namespace

JsonlFile::JsonlFile(JsonlOptions options, const std::atomic<bool>& stopping)
    : options_(std::move(options)), stopping_(stopping) {}

JsonlFile::~JsonlFile() { close(); }

void JsonlFile::close() {
  if (fd_ > STDERR_FILENO || (fd_ >= 0 && options_.path != "-")) ::close(fd_);
  fd_ = -1;
}

std::string JsonlFile::open() {
  if (options_.path == "-") {
    fd_ = STDOUT_FILENO;
  } else {
    // Non-blocking so that a FIFO without a reader is an error to be tried again, not a hang.
    fd_ = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd_ < 0) return error_text("cannot open", options_.path);
  }
  struct stat info {};
  regular_ = ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode) && options_.path != "-";
  if (!regular_) return {};
  size_ = static_cast<std::uint64_t>(info.st_size);
  born_ = birth(fd_);
  char last = '\n';
  if (size_ > 0 && ::pread(fd_, &last, 1, info.st_size - 1) == 1 && last != '\n') {
    if (write_once(fd_, "\n") != 1) {
      std::string text = error_text("cannot write", options_.path);
      close();
      return text;
    }
    ++size_;
  }
  return {};
}

std::string JsonlFile::write(std::string_view lines) {
  if (fd_ >= 0 && regular_ && moved_away()) close();
  if (fd_ < 0)
    if (std::string error = open(); !error.empty()) return error;
  if (regular_ && due_for_rotation(lines.size()))
    if (std::string error = rotate(); !error.empty()) return error;
  return regular_ ? write_file(lines) : write_pipe(lines);
}

std::string JsonlFile::write_file(std::string_view lines) {
  const ssize_t n = write_once(fd_, lines);
  if (n == static_cast<ssize_t>(lines.size()) && (!options_.sync || ::fdatasync(fd_) == 0)) {
    size_ += lines.size();
    return {};
  }
  if (n >= 0 && n < static_cast<ssize_t>(lines.size())) errno = ENOSPC;
  std::string text = error_text("cannot write", options_.path);
  struct stat info {};
  const auto expected = static_cast<off_t>(size_ + static_cast<std::uint64_t>(n > 0 ? n : 0));
  if (n > 0 && ::fstat(fd_, &info) == 0 && info.st_size == expected &&
      ::ftruncate(fd_, static_cast<off_t>(size_)) != 0)
    text += " (and cannot take back what was written)";
  close();
  return text;
}

std::string JsonlFile::write_pipe(std::string_view lines) {
  sigset_t broken_pipe;  // a reader that leaves is an error of the write, no reason to die
  ::sigemptyset(&broken_pipe);
  ::sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  pipe_written_ = std::min(pipe_written_, lines.size());
  while (pipe_written_ < lines.size()) {
    pollfd ready{fd_, POLLOUT, 0};
    const int n = ::poll(&ready, 1, 100);
    if (stopping_) return "stopped";
    if (n <= 0) continue;
    const ssize_t taken = write_once(fd_, lines.substr(pipe_written_, kPipeChunk));
    if (taken < 0 && errno == EAGAIN) continue;
    if (taken < 0) {
      std::string text = error_text("cannot write", options_.path);
      close();
      return text;
    }
    pipe_written_ += static_cast<std::size_t>(taken);
  }
  pipe_written_ = 0;
  return {};
}

bool JsonlFile::moved_away() const {
  struct stat ours {}, theirs {};
  if (::fstat(fd_, &ours) != 0 || ::stat(options_.path.c_str(), &theirs) != 0) return true;
  return ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev;
}

bool JsonlFile::due_for_rotation(std::size_t more) const {
  if (size_ == 0) return false;
  if (options_.rotate_size != 0 && size_ + more > options_.rotate_size) return true;
  return options_.rotate_age.count() != 0 &&
         std::chrono::system_clock::now() - born_ >= options_.rotate_age;
}

std::string JsonlFile::rotate() {
  const auto numbered = [this](unsigned n) { return options_.path + '.' + std::to_string(n); };
  for (unsigned n = options_.rotate_keep; n > 1; --n)
    if (::rename(numbered(n - 1).c_str(), numbered(n).c_str()) != 0 && errno != ENOENT)
      return error_text("cannot rotate", numbered(n - 1));
  if (::rename(options_.path.c_str(), numbered(1).c_str()) != 0)
    return error_text("cannot rotate", options_.path);
  close();
  return open();
}

}  // namespace lapwing::sinks
