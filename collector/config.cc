#include "collector/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "collector/config_parts.h"
#include "collector/show_table.h"

namespace lapwing::collector {
namespace {

constexpr std::size_t kMaxFile = 16u << 20;

const Node* table_of(TableReader& root, std::string_view key) {
  const Node* node = root.find(key);
  if (node == nullptr || node->is_table()) return node;
  root.notes().error(node->at, fmt::format("\"{}\" must be one table: write [{}]", key, key));
  return nullptr;
}

void add_live_warnings(const Node& root, Notes& notes) {
  const Position top{1, 1};
  if (root.find("neighbor") == nullptr)
    notes.warning(top, "no neighbours: nothing will be heard; add a [[neighbor]]");
  if (root.find("sink") == nullptr)
    notes.warning(top,
                  "no sinks: events reach the journal and the API only; add a [[sink.syslog]]");
}

Config read_root(const Node& root_table, Notes& notes, const LoadOptions& options) {
  Config config;
  config.file = notes.file();
  config.store.path = "/var/lib/lapwing";
  config.http.listen.emplace_back().unix_path = kDefaultSocket;
  TableReader root(root_table, "the file", notes);
  if (const Node* speaker = table_of(root, "speaker"))
    read_speaker(*speaker, notes, config);
  else if (options.live && root_table.find("speaker") == nullptr)
    notes.error({1, 1}, "needs a table [speaker] with local-as and router-id");
  if (const Node* neighbors = root.find("neighbor")) read_neighbors(*neighbors, notes, config);
  if (const Node* storage = table_of(root, "storage")) read_storage(*storage, notes, config);
  if (const Node* watch = table_of(root, "watch")) read_watch(*watch, notes, config);
  if (const Node* detectors = table_of(root, "detector"))
    read_detectors(*detectors, notes, options, config);
  if (const Node* rules = root.find("suppress")) read_suppressions(*rules, notes, config);
  if (const Node* sinks = table_of(root, "sink")) read_sinks(*sinks, notes, options, config);
  if (const Node* http = table_of(root, "http")) read_http(*http, notes, config);
  if (const Node* record = table_of(root, "record")) read_record(*record, notes, config);
  if (const Node* log = table_of(root, "log")) read_log(*log, notes, config);
  root.finish();
  if (options.live) add_live_warnings(root_table, notes);
  return config;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::optional<std::string> read_file(const std::string& path, std::string& error) {
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "re"));
  std::string text;
  if (file != nullptr) {
    char buffer[16384];
    errno = 0;
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file.get())) {
      text.append(buffer, n);
      if (text.size() > kMaxFile) {
        error = "larger than 16 MiB: this is no configuration";
        return std::nullopt;
      }
    }
    if (std::ferror(file.get()) == 0) return text;
  }
  error = std::system_category().message(errno);
  return std::nullopt;
}

}  // namespace

std::string format_diagnostic(const Diagnostic& d) {
  const char* kind = d.kind == DiagnosticKind::kError ? "error" : "warning";
  const std::string message = printable(d.message);
  if (d.at.line == 0) return fmt::format("{}: {}: {}", d.file, kind, message);
  return fmt::format("{}:{}:{}: {}: {}", d.file, d.at.line, d.at.column, kind, message);
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.kind == DiagnosticKind::kError; });
}

std::optional<Config> parse_config(std::string_view text, const std::string& name,
                                   std::vector<Diagnostic>& diagnostics,
                                   const LoadOptions& options) {
  std::vector<Diagnostic> own;
  std::optional<Config> config;
  if (const auto root = parse_toml(text, name, own)) {
    Notes notes(name, own);
    config = read_root(*root, notes, options);
  }
  std::stable_sort(own.begin(), own.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.at < b.at; });
  if (has_errors(own)) config.reset();
  diagnostics.insert(diagnostics.end(), std::make_move_iterator(own.begin()),
                     std::make_move_iterator(own.end()));
  return config;
}

std::optional<Config> load_config(const std::string& path, std::vector<Diagnostic>& diagnostics,
                                  const LoadOptions& options) {
  std::string error;
  const auto text = read_file(path, error);
  if (!text) {
    diagnostics.push_back({path, {}, DiagnosticKind::kError, "cannot read: " + error});
    return std::nullopt;
  }
  return parse_config(*text, path, diagnostics, options);
}

}  // namespace lapwing::collector
