// [record]: its keys, their defaults, and what is wrong with them.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "collector/config.h"

using namespace lapwing::collector;

namespace {

std::optional<Config> read(const std::string& table, std::vector<std::string>& lines) {
  LoadOptions options;
  options.live = false;
  std::vector<Diagnostic> diagnostics;
  auto config = parse_config(table, "t.toml", diagnostics, options);
  for (const Diagnostic& d : diagnostics) lines.push_back(format_diagnostic(d));
  return config;
}

}  // namespace

TEST_CASE("config: nothing is recorded unless [record] is there") {
  std::vector<std::string> lines;
  const auto config = read("", lines);
  REQUIRE(config);
  CHECK(config->record.directory.empty());
}

TEST_CASE("config: every key of [record] reaches its place, and the directory is all it needs") {
  std::vector<std::string> lines;
  const auto plain = read("[record]\ndirectory = \"/var/rec\"\n", lines);
  REQUIRE(plain);
  CHECK(plain->record.directory == "/var/rec");
  CHECK(plain->record.rotate_every == std::chrono::minutes(15));
  CHECK(plain->record.rotate_size == std::uint64_t{1} << 30);
  CHECK(plain->record.queue_size == std::uint64_t{64} << 20);
  CHECK(plain->record.gzip);
  const auto all = read(
      "[record]\ndirectory = \"r\"\nrotate-every = \"1h\"\nrotate-size = \"2MiB\"\n"
      "queue-size = 1048576\ncompression = \"none\"\n",
      lines);
  REQUIRE(all);
  CHECK(all->record.rotate_every == std::chrono::hours(1));
  CHECK(all->record.rotate_size == 2u << 20);
  CHECK(all->record.queue_size == 1u << 20);
  CHECK_FALSE(all->record.gzip);
  CHECK(lines.empty());
}

TEST_CASE("config: what is wrong in [record] is named with its place and what was expected") {
  const auto first = [](const std::string& table) {
    std::vector<std::string> lines;
    CHECK_FALSE(read(table, lines));
    return lines.empty() ? std::string() : lines.front();
  };
  CHECK(first("[record]\n") ==
        "t.toml:1:1: error: [record] needs \"directory\": the directory that the MRT files go to");
  CHECK(first("record = 1\n") == "t.toml:1:10: error: \"record\" must be one table: write [record]");
  const std::string directory = "[record]\ndirectory = \"r\"\n";
  CHECK(first("[record]\ndirectory = \"\"\n") ==
        "t.toml:2:13: error: \"directory\" must name a directory");
  CHECK(first(directory + "compression = \"bzip2\"\n") ==
        "t.toml:3:15: error: \"compression\" must be \"gzip\" or \"none\", not \"bzip2\"");
  CHECK(first(directory + "rotate-every = 1\n").starts_with("t.toml:3:16: error: \"rotate-every\""));
  CHECK(first(directory + "rotate-size = 1\n").starts_with("t.toml:3:15: error: \"rotate-size\""));
  CHECK(first(directory + "rotate = 1\n").starts_with("t.toml:3:1: error: unknown key \"rotate\""));
}
