#include "collector/mrt_cursor.h"

#include <algorithm>

namespace lapwing::collector {

namespace mrt = bgp::mrt;

void MrtStatistics::warn(const std::string& file, std::uint64_t offset, std::string reason) {
  ++warning_count;
  if (warnings.size() < kMaxWarnings) warnings.push_back({file, offset, std::move(reason)});
}

MrtCursor::MrtCursor(std::string path, MrtStatistics& statistics)
    : path_(std::move(path)), statistics_(statistics) {}

bool MrtCursor::open() {
  ++statistics_.files;
  if (file_.open(path_)) return true;
  statistics_.warn(path_, 0, file_.error());
  return false;
}

void MrtCursor::malformed(std::string_view reason) {
  ++statistics_.malformed;
  statistics_.warn(path_, offset_, std::string(reason));
}

/// Makes `record_` the first `want` octets that have not been read; a shorter one at the end.
bool MrtCursor::fill(std::size_t want) {
  if (carry_.empty() && block_.size() >= want) {
    record_ = block_.first(want);
    return true;
  }
  while (carry_.size() < want) {
    if (block_.empty()) {
      block_ = file_.next_block();
      statistics_.octets += block_.size();
      if (block_.empty()) break;
    }
    const std::size_t n = std::min(want - carry_.size(), block_.size());
    carry_.insert(carry_.end(), block_.begin(), block_.begin() + static_cast<std::ptrdiff_t>(n));
    block_ = block_.subspan(n);
  }
  record_ = carry_;
  return carry_.size() == want;
}

bool MrtCursor::skip(std::uint64_t octets) {
  std::uint64_t left = octets;
  while (left > 0) {
    if (block_.empty()) {
      block_ = file_.next_block();
      statistics_.octets += block_.size();
      if (block_.empty()) break;
    }
    const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left, block_.size()));
    block_ = block_.subspan(n);
    left -= n;
  }
  return left == 0;
}

void MrtCursor::end_of_file(std::uint64_t have, std::uint64_t want) {
  blank_ = blank_ && have == 0 && file_.error().empty();
  if (!file_.error().empty()) statistics_.warn(path_, offset_ + have, file_.error());
  if (have > 0)
    statistics_.warn(path_, offset_,
                     "the file ends within a record: " + std::to_string(have) + " of " +
                         std::to_string(want) + " octets");
}

bool MrtCursor::next(mrt::RecordView& out) {
  for (;;) {
    offset_ = next_offset_;
    carry_.clear();
    if (!fill(mrt::kHeaderSize)) {
      end_of_file(record_.size(), mrt::kHeaderSize);
      return false;
    }
    blank_ = false;
    const mrt::Header header = mrt::read_header(record_.data());
    const std::uint64_t size = mrt::kHeaderSize + std::uint64_t{header.length};
    next_offset_ = offset_ + size;
    if (header.length > kMaxRecord) {
      malformed("a record of " + std::to_string(size) + " octets");
      const std::uint64_t before = statistics_.octets - block_.size();
      if (!carry_.empty() ? !skip(header.length) : !skip(size)) {
        end_of_file(statistics_.octets - before, size);
        return false;
      }
      continue;
    }
    const bool in_block = carry_.empty();
    if (!fill(static_cast<std::size_t>(size))) {
      end_of_file(record_.size(), size);
      return false;
    }
    if (in_block && carry_.empty()) block_ = block_.subspan(record_.size());
    ++statistics_.records;
    if (const mrt::Fault fault = mrt::open_record(header, record_.subspan(mrt::kHeaderSize), out)) {
      malformed(fault.reason);
      continue;
    }
    return true;
  }
}

}  // namespace lapwing::collector
