// What `lapwing check` says of this machine.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "bgp/socket_options.h"
#include "collector/check_machine.h"
#include "tests/unit/temp_dir.h"

using namespace lapwing;
using namespace lapwing::collector;

namespace {

Config config_of(const test::TempDir& folder) {
  Config config;
  config.file = folder.file("lapwing.toml");
  std::ofstream(config.file) << "x";
  ::chmod(config.file.c_str(), 0644);
  config.store.path = folder.file("not/yet/there");
  config.speaker.listen = {{*parse_address("127.0.0.1"), 179, ""},
                           {*parse_address("0.0.0.0"), 179, ""}};
  config.http.listen = {{{}, "/run/lapwing/lapwing.sock", false},
                        {{*parse_address("127.0.0.1"), 8179, ""}, "", false}};
  return config;
}

std::vector<std::string> said(const Config& config) {
  std::vector<Diagnostic> diagnostics;
  check_machine(config, diagnostics);
  std::vector<std::string> lines;
  for (const Diagnostic& d : diagnostics)
    lines.push_back(format_diagnostic(d).substr(config.file.size() + 2));
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("check: a machine that has what is asked for is fine") {
  const test::TempDir folder;
  CHECK(said(config_of(folder)) == Lines{});
}

TEST_CASE("check: addresses that this machine has not") {
  const test::TempDir folder;
  Config config = config_of(folder);
  config.speaker.listen.push_back({*parse_address("198.51.100.77"), 179, ""});
  config.neighbors.resize(1);
  config.neighbors[0].name = "edge1";
  config.neighbors[0].local_address = *parse_address("198.51.100.78");
  CHECK(
      said(config) ==
      Lines{
          "error: [speaker] listen: 198.51.100.77 is no address of this machine",
          "warning: neighbour edge1: local-address: 198.51.100.78 is no address of this machine"});
}

TEST_CASE("check: TCP-AO where the kernel has none") {
  const test::TempDir folder;
  Config config = config_of(folder);
  config.neighbors.resize(1);
  config.neighbors[0].name = "edge1";
  config.neighbors[0].password = "key";
  config.neighbors[0].tcp_ao.emplace();
  ::chmod(config.file.c_str(), 0640);
  const auto missing = bgp::probe_ao();
  if (!missing) {
    CHECK(said(config) == Lines{});
    return;
  }
  CHECK(said(config) ==
        Lines{"error: neighbour edge1: authentication: this machine's kernel has no TCP-AO (" +
              *missing + "); Linux has it from 6.7 on, where it was built with CONFIG_TCP_AO"});
}

TEST_CASE("check: directories that are none, and files that everybody reads") {
  const test::TempDir folder;
  Config config = config_of(folder);
  config.store.path = config.file;
  config.http.listen.push_back({{}, folder.file("nowhere/x.sock"), false});
  config.http.token = "t";
  CHECK(said(config) ==
        Lines{"error: [storage] path: " + config.file + " is no directory",
              "error: [http] listen: there is no directory " + folder.file("nowhere"),
              "warning: everyone may read this file, and secrets may stand in it; chmod 0640 is "
              "enough"});
}
