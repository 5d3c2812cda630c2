// Reads the keys of one table of the configuration, and notes what is wrong with them.
//
// Ask for each key that the table may have; then call `finish`, which notes every other key with
// the nearest known one. A read returns true when the key is there and its value is good; `out` is
// untouched otherwise.
// Thread: main. Owns: nothing; the tree and the diagnostics must outlive it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/config_tree.h"

namespace lapwing::collector {

class Notes {
 public:
  Notes(std::string file, std::vector<Diagnostic>& out) : file_(std::move(file)), out_(out) {}

  void error(Position at, std::string message) {
    out_.push_back({file_, at, DiagnosticKind::kError, std::move(message)});
  }
  void warning(Position at, std::string message) {
    out_.push_back({file_, at, DiagnosticKind::kWarning, std::move(message)});
  }
  const std::string& file() const { return file_; }

 private:
  std::string file_;
  std::vector<Diagnostic>& out_;
};

/// "must be X, not Y", where Y is shown for numbers and short plain texts only.
std::string mismatch(std::string_view key, std::string_view wanted, const Node& found);

class TableReader {
 public:
  /// `title` as it stands in the file: "[speaker]".
  TableReader(const Node& table, std::string title, Notes& notes)
      : table_(table), title_(std::move(title)), notes_(notes) {}

  Position at() const { return table_.at; }
  const std::string& title() const { return title_; }
  Notes& notes() { return notes_; }

  /// nullptr where the table has no such key.
  const Node* find(std::string_view key);
  /// The same, and an error where there is none: "[speaker] needs local-as: …".
  const Node* require(std::string_view key, std::string_view wanted);

  bool boolean(std::string_view key, bool& out);
  bool text(std::string_view key, std::string& out);
  bool integer(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t& out);
  template <typename T>
  bool number(std::string_view key, std::int64_t min, std::int64_t max, T& out) {
    std::int64_t value = 0;
    if (!integer(key, min, max, value)) return false;
    out = static_cast<T>(value);
    return true;
  }
  /// An integer (seconds) or a text such as "5m".
  bool duration(std::string_view key, std::chrono::seconds min, std::chrono::seconds max,
                std::chrono::seconds& out);
  /// An integer (octets) or a text such as "64MiB".
  bool size(std::string_view key, std::uint64_t min, std::uint64_t max, std::uint64_t& out);
  /// An AS number that a speaker can have (RFC 7607, RFC 6793).
  bool asn(std::string_view key, Asn& out);
  bool asns(std::string_view key, std::vector<Asn>& out);
  /// Calls `fn` for each text of an array; false where there is no array of texts.
  bool texts(std::string_view key, std::string_view wanted,
             const std::function<void(const Node&)>& fn);

  void finish();

 private:
  const Node& table_;
  std::string title_;
  Notes& notes_;
  std::vector<std::string> known_;
};

/// "unknown key "hold-tme"; did you mean "hold-time"?", or what is known where nothing is near.
std::string unknown_key(std::string_view key, std::vector<std::string> known);

}  // namespace lapwing::collector
