#include "collector/input_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "collector/decoder.h"

namespace lapwing::collector {

class InputDescriptor {
 public:
  InputDescriptor(int fd, bool owned) : fd_(fd), owned_(owned) {}
  ~InputDescriptor() {
    if (owned_ && fd_ >= 0) ::close(fd_);
  }
  InputDescriptor(const InputDescriptor&) = delete;
  InputDescriptor& operator=(const InputDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
  bool owned_;
};

namespace {

std::string error_text(int number) { return std::strerror(number); }

/// A regular file whose octets stand for themselves: the kernel reads ahead, and to pass each block
/// from one thread to another costs more than to copy it.
bool is_plain_file(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  std::array<std::uint8_t, kMagicSize> magic;
  const ssize_t got = ::pread(fd, magic.data(), magic.size(), 0);
  return got >= 0 && make_decoder({magic.data(), static_cast<std::size_t>(got)}) == nullptr;
}

}  // namespace

class InputFile::Source {
 public:
  virtual ~Source() = default;
  virtual Octets next_block(std::string& error) = 0;
  virtual std::uint64_t consumed() const = 0;
};

class InputFile::Plain final : public Source {
 public:
  explicit Plain(int fd) : file_(fd, true) {}

  Octets next_block(std::string& error) override {
    for (;;) {
      const ssize_t got = ::read(file_.get(), block_.data(), block_.size());
      if (got >= 0) {
        consumed_ += static_cast<std::uint64_t>(got);
        return {block_.data(), static_cast<std::size_t>(got)};
      }
      if (errno == EINTR) continue;
      error = error_text(errno);
      return {};
    }
  }
  std::uint64_t consumed() const override { return consumed_; }

 private:
  InputDescriptor file_;
  std::uint64_t consumed_ = 0;
  std::array<std::uint8_t, kBlockSize> block_;
};

class InputFile::Reader final : public Source {
 public:
  Reader(int fd, bool owned)
      : file_(fd, owned), wake_(::eventfd(0, EFD_CLOEXEC), true), thread_([this] { run(); }) {}

  ~Reader() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    const std::uint64_t one = 1;
    // Ends a poll on standard input that may never become readable.
    while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    thread_.join();
  }

  std::uint64_t consumed() const override { return consumed_.load(std::memory_order_relaxed); }

  Octets next_block(std::string& error) override {
    std::unique_lock lock(mutex_);
    if (lent_) {
      free_.push_back(std::move(ready_.front()));
      ready_.pop_front();
      lent_ = false;
      changed_.notify_all();
    }
    waiting_ = true;
    changed_.wait(lock, [this] { return !ready_.empty() || done_; });
    waiting_ = false;
    if (ready_.empty()) {
      error = error_;
      return {};
    }
    lent_ = true;
    return ready_.front();
  }

 private:
  using Block = std::vector<std::uint8_t>;

  void run() {
    std::string error = pump();
    if (out_.size() > filled_) out_.resize(filled_);
    const std::lock_guard lock(mutex_);
    if (!out_.empty()) ready_.push_back(std::move(out_));
    error_ = std::move(error);
    done_ = true;
    changed_.notify_all();
  }

  /// Reads to the end, an error or a stop; gives the error.
  std::string pump() {
    if (wake_.get() < 0) return "cannot create an event descriptor";
    std::string error;
    std::size_t got = 0;
    // The magic may come in pieces from a pipe.
    while (got < kMagicSize && error.empty()) {
      const std::size_t n = read_some(in_.data() + got, in_.size() - got, error);
      if (n == 0) break;
      got += n;
    }
    if (!error.empty()) return error;
    const std::unique_ptr<Decoder> decoder = make_decoder({in_.data(), got});
    DecoderBuffers b;
    b.in = in_.data();
    b.in_left = got;
    for (;;) {
      if (const char* wrong = decode(decoder.get(), b)) return wrong;
      if (b.last || stopped()) break;
      b.in = in_.data();
      b.in_left = read_some(in_.data(), in_.size(), error);
      if (!error.empty()) return error;
      b.last = b.in_left == 0;
    }
    if (decoder != nullptr && !stopped() && !decoder->complete())
      return "the compressed data end before their end";
    return {};
  }

  /// Uses all of `b.in`; gives full blocks to the ring.
  const char* decode(Decoder* decoder, DecoderBuffers& b) {
    for (;;) {
      if (out_.empty()) {
        out_ = take_block();
        if (out_.empty()) return nullptr;
        filled_ = 0;
      }
      b.out = out_.data() + filled_;
      b.out_left = out_.size() - filled_;
      const std::size_t before = b.in_left + b.out_left;
      const char* wrong = nullptr;
      if (decoder != nullptr) {
        wrong = decoder->step(b);
      } else {
        const std::size_t n = std::min(b.in_left, b.out_left);
        std::copy_n(b.in, n, b.out);
        b.in += n;
        b.in_left -= n;
        b.out_left -= n;
      }
      filled_ = out_.size() - b.out_left;
      const bool full = b.out_left == 0;
      if (wrong == nullptr && b.in_left > 0 && before == b.in_left + b.out_left)
        wrong = "the compressed data cannot be decoded any further";
      if (full || (filled_ > 0 && wanted())) give_block();
      if (wrong != nullptr || (b.in_left == 0 && !full)) return wrong;
    }
  }

  /// Octets read, 0 at the end or a stop.
  std::size_t read_some(std::uint8_t* to, std::size_t n, std::string& error) {
    for (;;) {
      std::array<pollfd, 2> ready{{{file_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
      if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) {
        error = error_text(errno);
        return 0;
      }
      if (ready[1].revents != 0) return 0;
      if (ready[0].revents == 0) continue;
      const ssize_t got = ::read(file_.get(), to, n);
      if (got >= 0) {
        consumed_.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
        return static_cast<std::size_t>(got);
      }
      if (errno == EINTR || errno == EAGAIN) continue;
      error = error_text(errno);
      return 0;
    }
  }

  /// Waits for room in the ring; empty on a stop.
  Block take_block() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_.size() < kBlocks || stop_; });
    if (stop_) return {};
    Block block;
    if (!free_.empty()) {
      block = std::move(free_.back());
      free_.pop_back();
    }
    block.resize(kBlockSize);
    return block;
  }

  void give_block() {
    out_.resize(filled_);
    {
      const std::lock_guard lock(mutex_);
      ready_.push_back(std::move(out_));
    }
    changed_.notify_all();
    out_ = Block();
    filled_ = 0;
  }

  bool stopped() {
    const std::lock_guard lock(mutex_);
    return stop_;
  }
  bool wanted() {
    const std::lock_guard lock(mutex_);
    return waiting_ && ready_.empty();
  }

  InputDescriptor file_;
  InputDescriptor wake_;
  std::atomic<std::uint64_t> consumed_{0};
  // Reader thread only.
  std::array<std::uint8_t, 64 * 1024> in_{};
  Block out_;
  std::size_t filled_ = 0;
  // Guarded by `mutex_`.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> ready_;
  std::vector<Block> free_;
  std::string error_;
  bool lent_ = false;     // the front of `ready_` is with the owner
  bool waiting_ = false;  // the owner waits for a block
  bool stop_ = false;
  bool done_ = false;
  std::thread thread_;  // last: it uses all of the above
};

InputFile::InputFile() = default;
InputFile::~InputFile() = default;

bool InputFile::open(const std::string& path) {
  if (path == "-") {
    source_ = std::make_unique<Reader>(STDIN_FILENO, false);
    return true;
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    error_ = error_text(errno);
    return false;
  }
  if (is_plain_file(fd))
    source_ = std::make_unique<Plain>(fd);
  else
    source_ = std::make_unique<Reader>(fd, true);
  return true;
}

std::uint64_t InputFile::consumed() const { return source_ ? source_->consumed() : 0; }

Octets InputFile::next_block() { return source_ ? source_->next_block(error_) : Octets(); }

}  // namespace lapwing::collector
