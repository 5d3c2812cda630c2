#include "collector/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "collector/config_text.h"
#include "lapwing/units.h"

namespace lapwing::collector {
namespace {

constexpr std::string_view kAsnWanted = "an AS number from 1 to 4294967295";

std::string format_seconds(std::chrono::seconds s) {
  return s == std::chrono::seconds(1) ? "1 second" : fmt::format("{} seconds", s.count());
}

bool read_asn(std::string_view key, const Node& node, Notes& notes, Asn& out) {
  if (node.kind != Node::Kind::kInteger || node.integer < 1 ||
      node.integer > std::numeric_limits<Asn>::max()) {
    notes.error(node.at, mismatch(key, kAsnWanted, node));
    return false;
  }
  constexpr std::int64_t kAsTrans = 23456;
  if (node.integer == kAsTrans) {
    notes.error(node.at, fmt::format("\"{}\" must be a real AS number; 23456 is AS_TRANS, which "
                                     "stands for 4-octet ones (RFC 6793)",
                                     key));
    return false;
  }
  if (node.integer == 65535 || node.integer == std::numeric_limits<Asn>::max())
    notes.warning(node.at, fmt::format("AS{} is reserved (RFC 7300)", node.integer));
  out = static_cast<Asn>(node.integer);
  return true;
}

}  // namespace

std::string mismatch(std::string_view key, std::string_view wanted, const Node& found) {
  std::string shown(kind_name(found.kind));
  if (found.kind == Node::Kind::kInteger)
    shown = std::to_string(found.integer);
  else if (found.kind == Node::Kind::kText && found.text.size() <= 64 && is_one_line(found.text))
    shown = fmt::format("\"{}\"", found.text);
  return fmt::format("\"{}\" must be {}, not {}", key, wanted, shown);
}

std::string unknown_key(std::string_view key, std::vector<std::string> known) {
  const std::string shown =
      key.size() <= 64 && is_one_line(key) ? fmt::format("unknown key \"{}\"", key) : "unknown key";
  if (const auto name = nearest(key, known))
    return fmt::format("{}; did you mean \"{}\"?", shown, *name);
  std::sort(known.begin(), known.end());
  return fmt::format("{}; known here: {}", shown, fmt::join(known, ", "));
}

const Node* TableReader::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  return table_.find(key);
}

const Node* TableReader::require(std::string_view key, std::string_view wanted) {
  const Node* node = find(key);
  if (node == nullptr)
    notes_.error(table_.at, fmt::format("{} needs \"{}\": {}", title_, key, wanted));
  return node;
}

bool TableReader::boolean(std::string_view key, bool& out) {
  const Node* node = find(key);
  if (node == nullptr) return false;
  if (node->kind != Node::Kind::kBoolean) {
    notes_.error(node->at, mismatch(key, "true or false", *node));
    return false;
  }
  out = node->boolean;
  return true;
}

bool TableReader::text(std::string_view key, std::string& out) {
  const Node* node = find(key);
  if (node == nullptr) return false;
  if (node->kind != Node::Kind::kText) {
    notes_.error(node->at, mismatch(key, "a string", *node));
    return false;
  }
  out = node->text;
  return true;
}

bool TableReader::integer(std::string_view key, std::int64_t min, std::int64_t max,
                          std::int64_t& out) {
  const Node* node = find(key);
  if (node == nullptr) return false;
  if (node->kind != Node::Kind::kInteger || node->integer < min || node->integer > max) {
    notes_.error(node->at, mismatch(key, fmt::format("an integer from {} to {}", min, max), *node));
    return false;
  }
  out = node->integer;
  return true;
}

bool TableReader::duration(std::string_view key, std::chrono::seconds min, std::chrono::seconds max,
                           std::chrono::seconds& out) {
  const Node* node = find(key);
  if (node == nullptr) return false;
  std::optional<std::chrono::seconds> value;
  if (node->kind == Node::Kind::kInteger)
    value = std::chrono::seconds(node->integer);
  else if (node->kind == Node::Kind::kText)
    value = parse_duration(node->text);
  if (!value || *value < min || *value > max) {
    const std::string wanted = fmt::format(
        "a duration (seconds, or a text such as \"90s\", \"5m\", \"2h\", \"1d\") from {} to {}",
        min.count(), format_seconds(max));
    notes_.error(node->at, mismatch(key, wanted, *node));
    return false;
  }
  out = *value;
  return true;
}

bool TableReader::size(std::string_view key, std::uint64_t min, std::uint64_t max,
                       std::uint64_t& out) {
  const Node* node = find(key);
  if (node == nullptr) return false;
  std::optional<std::uint64_t> value;
  if (node->kind == Node::Kind::kInteger && node->integer >= 0)
    value = static_cast<std::uint64_t>(node->integer);
  else if (node->kind == Node::Kind::kText)
    value = parse_size(node->text);
  if (!value || *value < min || *value > max) {
    const std::string wanted =
        fmt::format("a size (octets, or a text such as \"64MiB\") from {} to {} octets", min, max);
    notes_.error(node->at, mismatch(key, wanted, *node));
    return false;
  }
  out = *value;
  return true;
}

bool TableReader::asn(std::string_view key, Asn& out) {
  const Node* node = find(key);
  return node != nullptr && read_asn(key, *node, notes_, out);
}

bool TableReader::asns(std::string_view key, std::vector<Asn>& out) {
  const Node* node = find(key);
  if (node == nullptr) return false;
  if (!node->is_array()) {
    notes_.error(node->at, mismatch(key, "an array of AS numbers", *node));
    return false;
  }
  for (const Node& item : node->items) {
    Asn as = 0;
    if (!read_asn(key, item, notes_, as)) continue;
    if (std::find(out.begin(), out.end(), as) != out.end())
      notes_.error(item.at, fmt::format("AS{} stands in \"{}\" twice", as, key));
    else
      out.push_back(as);
  }
  return true;
}

bool TableReader::texts(std::string_view key, std::string_view wanted,
                        const std::function<void(const Node&)>& fn) {
  const Node* node = find(key);
  if (node == nullptr) return false;
  if (!node->is_array()) {
    notes_.error(node->at, mismatch(key, fmt::format("an array of {}", wanted), *node));
    return false;
  }
  for (const Node& item : node->items) {
    if (item.kind == Node::Kind::kText)
      fn(item);
    else
      notes_.error(item.at, mismatch(key, fmt::format("an array of {}", wanted), item));
  }
  return true;
}

void TableReader::finish() {
  for (const Node& entry : table_.items)
    if (std::find(known_.begin(), known_.end(), entry.key) == known_.end())
      notes_.error(entry.key_at, unknown_key(entry.key, known_));
}

}  // namespace lapwing::collector
