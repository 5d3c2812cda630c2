// A parsed TOML file as plain values, each with the place where it stands.
//
// Thread: main. Owns: all of its text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/config.h"

namespace lapwing::collector {

struct Node {
  enum class Kind : std::uint8_t { kBoolean, kInteger, kReal, kText, kTime, kArray, kTable };

  Kind kind = Kind::kTable;
  Position at;
  std::string key;  // of an entry of a table
  Position key_at;
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Node> items;  // of an array, or the entries of a table in the order of the file

  bool is_table() const { return kind == Kind::kTable; }
  bool is_array() const { return kind == Kind::kArray; }
  const Node* find(std::string_view name) const;
};

/// "a string", "an array" …
std::string_view kind_name(Node::Kind kind);

/// The root table; nullopt with one diagnostic (TOML parsing ends at the first syntax error).
std::optional<Node> parse_toml(std::string_view text, const std::string& file,
                               std::vector<Diagnostic>& diagnostics);

}  // namespace lapwing::collector
