#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>

#include "collector/config_tree.h"

namespace lapwing::collector {
namespace {

Position to_position(const toml::source_position& p) { return {p.line, p.column}; }

Node convert(const toml::node& from) {
  Node node;
  node.at = to_position(from.source().begin);
  if (const auto* table = from.as_table()) {
    node.kind = Node::Kind::kTable;
    for (const auto& [key, value] : *table) {
      Node entry = convert(value);
      entry.key = std::string(key.str());
      entry.key_at = to_position(key.source().begin);
      node.items.push_back(std::move(entry));
    }
    std::stable_sort(node.items.begin(), node.items.end(),
                     [](const Node& a, const Node& b) { return a.key_at < b.key_at; });
  } else if (const auto* array = from.as_array()) {
    node.kind = Node::Kind::kArray;
    for (const auto& item : *array) node.items.push_back(convert(item));
  } else if (const auto* text = from.as_string()) {
    node.kind = Node::Kind::kText;
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.kind = Node::Kind::kInteger;
    node.integer = integer->get();
  } else if (const auto* real = from.as_floating_point()) {
    node.kind = Node::Kind::kReal;
    node.real = real->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.kind = Node::Kind::kBoolean;
    node.boolean = boolean->get();
  } else {
    node.kind = Node::Kind::kTime;
  }
  return node;
}

std::string_view line_of(std::string_view text, unsigned number) {
  for (unsigned line = 1; line < number; ++line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// The parser's message may quote the text it stumbled over.
bool may_hold_secret(std::string_view line) {
  return line.find("password") != std::string_view::npos ||
         line.find("token") != std::string_view::npos;
}

}  // namespace

const Node* Node::find(std::string_view name) const {
  if (!is_table()) return nullptr;
  const auto it = std::find_if(items.begin(), items.end(),
                               [name](const Node& entry) { return entry.key == name; });
  return it == items.end() ? nullptr : &*it;
}

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kBoolean:
      return "a boolean";
    case Node::Kind::kInteger:
      return "an integer";
    case Node::Kind::kReal:
      return "a number with a fraction";
    case Node::Kind::kText:
      return "a string";
    case Node::Kind::kTime:
      return "a date or time";
    case Node::Kind::kArray:
      return "an array";
    case Node::Kind::kTable:
      return "a table";
  }
  return "a value";
}

std::optional<Node> parse_toml(std::string_view text, const std::string& file,
                               std::vector<Diagnostic>& diagnostics) {
  const toml::parse_result result = toml::parse(text);
  if (result) return convert(result.table());
  const toml::parse_error& error = result.error();
  const Position at = to_position(error.source().begin);
  std::string message = "not valid TOML: ";
  if (may_hold_secret(line_of(text, at.line)))
    message += "the value cannot be read; a string stands in quotes (not shown: it may be secret)";
  else
    message += error.description();
  diagnostics.push_back({file, at, DiagnosticKind::kError, std::move(message)});
  return std::nullopt;
}

}  // namespace lapwing::collector
