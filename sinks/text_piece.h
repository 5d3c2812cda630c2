// A buffer before a string: a text of many short pieces is appended to the string in few long ones.
//
// Thread: one. Owns: the buffer; what it holds is in the string once it is gone or `flushed`.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace lapwing::sinks {

class TextPiece {
 public:
  static constexpr std::size_t kMost = 512;

  explicit TextPiece(std::string& out) : out_(out) {}
  ~TextPiece() { flush(); }
  TextPiece(const TextPiece&) = delete;
  TextPiece& operator=(const TextPiece&) = delete;

  /// Room for `n` octets, kMost at most, until anything else is called. What was written there counts
  /// once `keep` is given its end.
  char* room(std::size_t n) {
    if (static_cast<std::size_t>(buffer_.data() + buffer_.size() - at_) < n) flush();
    return at_;
  }
  void keep(char* end) { at_ = end; }

  TextPiece& operator+=(char c) {
    *room(1) = c;
    ++at_;
    return *this;
  }
  /// Of any length.
  TextPiece& operator+=(std::string_view text) {
    if (text.size() > kMost)
      flushed() += text;
    else
      at_ += text.copy(room(text.size()), text.size());
    return *this;
  }
  /// The string, with all that was said so far.
  std::string& flushed() {
    flush();
    return out_;
  }

 private:
  void flush() {
    out_.append(buffer_.data(), at_);
    at_ = buffer_.data();
  }

  std::string& out_;
  std::array<char, 4096> buffer_;
  char* at_ = buffer_.data();
};

}  // namespace lapwing::sinks
