// A table of text for a terminal.
//
// Thread: main. Owns: its cells.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lapwing::collector {

/// `text` with control characters (C0, DEL, C1) and the marks that turn the direction of writing
/// replaced by '?': what came from the network cannot drive the terminal.
std::string printable(std::string_view text);

class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };

  /// `shrink`: cut this column, with "…", where the table is wider than the screen; columns are cut
  /// from the last to the first.
  void add_column(std::string title, Align align = Align::kLeft, bool shrink = false);
  /// As many cells as there are columns.
  void add_row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// One line for the titles and one for each row; two blanks between columns, none at a line's
  /// end. `width` in characters; 0: no limit.
  std::string render(unsigned width) const;

 private:
  struct Column {
    std::string title;
    Align align;
    bool shrink;
  };
  std::vector<std::size_t> fit(unsigned width) const;
  void append_line(std::string& out, const std::vector<std::string>& cells,
                   const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lapwing::collector
