// Text that is never changed, and shared by its copies: a copy costs a count and no memory.
//
// For what stands in many places, as the name of a neighbour or a path does in the evidence of
// several events. Thread: any; copies in several threads may share one text.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace lapwing {

class SharedText {
 public:
  SharedText() = default;
  SharedText(std::string_view text) : size_(text.size()) {  // implicit: it is text like any other
    if (text.empty()) return;
    auto copy = std::make_shared_for_overwrite<char[]>(text.size());
    std::copy(text.begin(), text.end(), copy.get());
    text_ = std::move(copy);
  }
  SharedText(const std::string& text) : SharedText(std::string_view(text)) {}
  SharedText(const char* text) : SharedText(std::string_view(text)) {}

  std::string_view view() const { return {text_.get(), size_}; }
  operator std::string_view() const { return view(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  friend bool operator==(const SharedText& a, const SharedText& b) { return a.view() == b.view(); }
  friend bool operator==(const SharedText& a, std::string_view b) { return a.view() == b; }
  friend bool operator==(const SharedText& a, const std::string& b) { return a.view() == b; }
  friend bool operator==(const SharedText& a, const char* b) { return a.view() == b; }

 private:
  std::shared_ptr<const char[]> text_;
  std::size_t size_ = 0;
};

}  // namespace lapwing
