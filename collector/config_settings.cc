// [detector.NAME] and [[sink.KIND]]: tables that their consumers check.
#include <fmt/format.h>

#include <algorithm>

#include "collector/config_parts.h"

namespace lapwing::collector {
namespace {

std::optional<SettingValue> to_list(const Node& array) {
  const auto all = [&array](Node::Kind kind) {
    return std::all_of(array.items.begin(), array.items.end(),
                       [kind](const Node& item) { return item.kind == kind; });
  };
  if (all(Node::Kind::kText)) {
    std::vector<std::string> texts;
    for (const Node& item : array.items) texts.push_back(item.text);
    return texts;
  }
  if (all(Node::Kind::kInteger)) {
    std::vector<std::int64_t> integers;
    for (const Node& item : array.items) integers.push_back(item.integer);
    return integers;
  }
  if (all(Node::Kind::kArray)) {
    std::vector<std::vector<std::int64_t>> groups;
    for (const Node& item : array.items) {
      std::vector<std::int64_t>& group = groups.emplace_back();
      for (const Node& number : item.items) {
        if (number.kind != Node::Kind::kInteger) return std::nullopt;
        group.push_back(number.integer);
      }
    }
    return groups;
  }
  return std::nullopt;
}

std::optional<SettingValue> to_setting(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kBoolean:
      return node.boolean;
    case Node::Kind::kInteger:
      return node.integer;
    case Node::Kind::kReal:
      return node.real;
    case Node::Kind::kText:
      return node.text;
    case Node::Kind::kArray:
      return to_list(node);
    case Node::Kind::kTime:
    case Node::Kind::kTable:
      return std::nullopt;
  }
  return std::nullopt;
}

// Adds the table to `out` unless `enabled = false` stands in it; false then.
bool read_table(const Node& table, std::string name, Notes& notes,
                std::vector<SettingsTable>& out) {
  SettingsTable result;
  result.name = std::move(name);
  result.at = table.at;
  bool enabled = true;
  for (const Node& entry : table.items) {
    if (entry.key == "enabled") {
      if (entry.kind == Node::Kind::kBoolean)
        enabled = entry.boolean;
      else
        notes.error(entry.at, mismatch("enabled", "true or false", entry));
      continue;
    }
    auto value = to_setting(entry);
    if (!value) {
      notes.error(
          entry.at,
          fmt::format("\"{}\" must be a boolean, a number, a string, or an array of integers, "
                      "of strings or of arrays of integers, not {}",
                      entry.key, entry.is_array() ? "a mixed array" : kind_name(entry.kind)));
      continue;
    }
    result.settings.set(entry.key, std::move(*value));
    result.positions[entry.key] = entry.at;
    result.key_positions[entry.key] = entry.key_at;
  }
  if (enabled) out.push_back(std::move(result));
  return enabled;
}

bool is_known(const std::string& name, const std::vector<std::string>& known) {
  return known.empty() || std::find(known.begin(), known.end(), name) != known.end();
}

std::string unknown_table(std::string_view what, const std::string& name,
                          const std::vector<std::string>& known) {
  std::string text = unknown_key(name, known);
  constexpr std::string_view kKey = "unknown key";
  return fmt::format("unknown {}{}", what, text.substr(kKey.size()));
}

constexpr std::string_view kUnknownKey = "unknown key; known here: ";

// "a, b, c" and `enabled`, which the program reads itself.
std::vector<std::string> split_known(std::string_view list) {
  std::vector<std::string> names{"enabled"};
  while (!list.empty()) {
    const auto comma = list.find(", ");
    names.emplace_back(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 2);
  }
  return names;
}

}  // namespace

void read_detectors(const Node& value, Notes& notes, const LoadOptions& options, Config& config) {
  for (const Node& entry : value.items) {
    // One that is loaded from a file may have any name that no built-in one has.
    const bool plugin = entry.is_table() && entry.find("plugin") != nullptr;
    if (entry.is_table() && (plugin || is_known(entry.key, options.detectors))) {
      if (!read_table(entry, entry.key, notes, config.detectors))
        config.disabled_detectors.push_back(entry.key);
    } else if (entry.is_table()) {
      notes.error(entry.key_at, unknown_table("detector", entry.key, options.detectors));
    } else {
      notes.error(entry.at, fmt::format("a detector is a table: write [detector.{}]", entry.key));
    }
  }
}

void read_sinks(const Node& value, Notes& notes, const LoadOptions& options, Config& config) {
  for (const Node& entry : value.items) {
    if (!is_known(entry.key, options.sinks)) {
      notes.error(entry.key_at, unknown_table("sink", entry.key, options.sinks));
    } else if (entry.is_table()) {
      read_table(entry, entry.key, notes, config.sinks);
    } else if (entry.is_array() && !entry.items.empty() &&
               std::all_of(entry.items.begin(), entry.items.end(),
                           [](const Node& item) { return item.is_table(); })) {
      for (const Node& item : entry.items) read_table(item, entry.key, notes, config.sinks);
    } else {
      notes.error(entry.at, fmt::format("a sink is a table: write [[sink.{}]]", entry.key));
    }
  }
  std::stable_sort(config.sinks.begin(), config.sinks.end(),
                   [](const SettingsTable& a, const SettingsTable& b) { return a.at < b.at; });
}

void read_suppressions(const Node& value, Notes& notes, Config& config) {
  const bool tables = value.is_array() && std::all_of(value.items.begin(), value.items.end(),
                                                      [](const Node& i) { return i.is_table(); });
  if (!tables) return notes.error(value.at, "a rule is a table: write [[suppress]]");
  for (const Node& item : value.items) {
    const Node* name = item.find("name");
    read_table(item, name != nullptr ? name->text : "", notes, config.suppressions);
  }
  for (std::size_t i = 0; i < config.suppressions.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (config.suppressions[i].name == config.suppressions[j].name)
        notes.error(config.suppressions[i].at, "two [[suppress]] rules have the same \"name\"");
}

void note_setting_errors(const Config& config, const SettingsTable& table,
                         const std::vector<SettingError>& errors,
                         std::vector<Diagnostic>& diagnostics) {
  for (const SettingError& error : errors) {
    const bool unknown = error.message.starts_with(kUnknownKey);
    const auto& places = unknown ? table.key_positions : table.positions;
    const auto place = places.find(error.key);
    std::string message =
        unknown
            ? unknown_key(error.key,
                          split_known(std::string_view(error.message).substr(kUnknownKey.size())))
            : fmt::format("\"{}\" {}", error.key, error.message);
    diagnostics.push_back({config.file, place == places.end() ? table.at : place->second,
                           DiagnosticKind::kError, std::move(message)});
  }
}

}  // namespace lapwing::collector
