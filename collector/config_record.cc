// [record]: what live sessions send, into MRT files.
#include <fmt/format.h>

#include "collector/config_parts.h"

namespace lapwing::collector {

void read_record(const Node& table, Notes& notes, Config& config) {
  constexpr std::uint64_t kMiB = 1u << 20;
  constexpr std::uint64_t kTiB = kMiB << 20;
  constexpr std::string_view kCompressions = "\"gzip\" or \"none\"";
  TableReader reader(table, "[record]", notes);
  RecordConfig& record = config.record;
  std::string directory;
  if (reader.require("directory", "the directory that the MRT files go to") &&
      reader.text("directory", directory)) {
    if (directory.empty() || directory.find('\n') != std::string::npos)
      notes.error(table.find("directory")->at, "\"directory\" must name a directory");
    else
      record.directory = directory;
  }
  reader.duration("rotate-every", std::chrono::seconds(10), std::chrono::hours(24),
                  record.rotate_every);
  reader.size("rotate-size", kMiB, kTiB, record.rotate_size);
  reader.size("queue-size", kMiB, kTiB, record.queue_size);
  if (const Node* node = reader.find("compression")) {
    if (node->kind == Node::Kind::kText && (node->text == "gzip" || node->text == "none"))
      record.gzip = node->text == "gzip";
    else
      notes.error(node->at, mismatch("compression", kCompressions, *node));
  }
  reader.finish();
}

}  // namespace lapwing::collector
