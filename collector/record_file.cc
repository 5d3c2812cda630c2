#include "collector/record_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace lapwing::collector {

namespace {

constexpr std::size_t kBuffer = 64 * 1024;

}  // namespace

class RecordFile::Deflater {
 public:
  // Level 1: the writer must keep up with a full table; levels above gain a tenth at thrice the time.
  Deflater() { ready_ = deflateInit2(&z_, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK; }
  ~Deflater() { deflateEnd(&z_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  bool ready() const { return ready_; }

  /// Calls `put(Octets)` with what comes out, until it returns an error.
  template <typename Put>
  std::string run(Octets in, int flush, Put&& put) {
    z_.next_in = const_cast<Bytef*>(in.data());
    z_.avail_in = static_cast<unsigned>(in.size());
    do {
      z_.next_out = out_.data();
      z_.avail_out = static_cast<unsigned>(out_.size());
      if (deflate(&z_, flush) == Z_STREAM_ERROR) return "gzip: the compressor is in disorder";
      const std::size_t n = out_.size() - z_.avail_out;
      if (n != 0)
        if (std::string error = put(Octets(out_.data(), n)); !error.empty()) return error;
    } while (z_.avail_out == 0);
    return {};
  }

 private:
  z_stream z_{};
  std::array<std::uint8_t, kBuffer> out_{};
  bool ready_ = false;
};

RecordFile::RecordFile(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}

RecordFile::~RecordFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::unique_ptr<RecordFile> RecordFile::create(const std::filesystem::path& path, bool gzip,
                                               std::string& error) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd < 0) {
    error = std::strerror(errno);
    return nullptr;
  }
  std::unique_ptr<RecordFile> file(new RecordFile(path, fd));
  if (!gzip) return file;
  file->deflater_ = std::make_unique<Deflater>();
  if (file->deflater_->ready()) return file;
  error = "gzip: no memory";
  return nullptr;
}

std::string RecordFile::put(Octets octets) {
  while (!octets.empty()) {
    const ssize_t n = ::write(fd_, octets.data(), octets.size());
    if (n > 0)
      octets = octets.subspan(static_cast<std::size_t>(n));
    else if (n == 0 || errno != EINTR)
      return n == 0 ? "no octet could be written" : std::strerror(errno);
  }
  return {};
}

std::string RecordFile::write(Octets octets) {
  size_ += octets.size();
  buffer_.insert(buffer_.end(), octets.begin(), octets.end());
  if (buffer_.size() < kBuffer) return {};
  const std::vector<std::uint8_t> full = std::exchange(buffer_, {});
  buffer_.reserve(full.capacity());
  if (!deflater_) return put(full);
  return deflater_->run(full, Z_NO_FLUSH, [this](Octets out) { return put(out); });
}

std::string RecordFile::flush() {
  const std::vector<std::uint8_t> rest = std::exchange(buffer_, {});
  if (!deflater_) return put(rest);
  return deflater_->run(rest, Z_SYNC_FLUSH, [this](Octets out) { return put(out); });
}

std::string RecordFile::close() {
  const std::vector<std::uint8_t> rest = std::exchange(buffer_, {});
  std::string error = deflater_ ? deflater_->run(rest, Z_FINISH,
                                                 [this](Octets out) { return put(out); })
                                : put(rest);
  // A file system may tell of a full disk or quota only now.
  if (::close(std::exchange(fd_, -1)) != 0 && error.empty()) error = std::strerror(errno);
  return error;
}

}  // namespace lapwing::collector
