#include "collector/show_table.h"

#include <algorithm>
#include <cassert>

namespace lapwing::collector {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string cut(std::string_view text, std::size_t width) {
  if (count_characters(text) <= width) return std::string(text);
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    if (is_continuation(text[at])) continue;
    if (++seen == width) break;
  }
  return std::string(text.substr(0, at)) + "…";
}

// Three octets of UTF-8: U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069.
bool turns_direction(std::string_view three) {
  const auto last = static_cast<unsigned char>(three[2]);
  if (three.starts_with("\xe2\x80"))
    return last == 0x8e || last == 0x8f || (last >= 0xaa && last <= 0xae);
  return three.starts_with("\xe2\x81") && last >= 0xa6 && last <= 0xa9;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) {
      out += '?';
    } else if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      out += '?';
      ++i;
    } else if (i + 2 < text.size() && turns_direction(text.substr(i, 3))) {
      out += '?';
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

void Table::add_column(std::string title, Align align, bool shrink) {
  columns_.push_back({std::move(title), align, shrink});
}

void Table::add_row(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::fit(unsigned width) const {
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = count_characters(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, count_characters(row[i]));
    widths.push_back(widest);
    total += widest + (i == 0 ? 0 : kGap);
  }
  if (width == 0) return widths;
  for (std::size_t i = columns_.size(); i-- > 0 && total > width;) {
    if (!columns_[i].shrink || widths[i] <= kNarrowest) continue;
    const std::size_t saved = std::min(total - width, widths[i] - kNarrowest);
    widths[i] -= saved;
    total -= saved;
  }
  return widths;
}

void Table::append_line(std::string& out, const std::vector<std::string>& cells,
                        const std::vector<std::size_t>& widths) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line.append(kGap, ' ');
    const std::string cell = cut(cells[i], widths[i]);
    const std::string blank(widths[i] - count_characters(cell), ' ');
    line += columns_[i].align == Align::kRight ? blank + cell : cell + blank;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
}

std::string Table::render(unsigned width) const {
  const std::vector<std::size_t> widths = fit(width);
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  std::string out;
  append_line(out, titles, widths);
  for (const auto& row : rows_) append_line(out, row, widths);
  return out;
}

}  // namespace lapwing::collector
