// Looks through all that a store holds and says what is damaged, and where.
//
// Reads only: nothing is created, locked, cut off or written, and a Lapwing may run on the store.
// It sees the checksums of every table file, the write-ahead log as far as it is sound, every entry
// of every column family, and every block of the history. Thread: one at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lapwing::rib {

struct StoreCheck {
  static constexpr std::size_t kMaxFaults = 50;

  std::uint64_t files = 0;  // table files
  std::uint64_t peers = 0, routes = 0, paths = 0, states = 0;
  std::uint64_t history_rows = 0, events = 0, cursors = 0, blind = 0;
  std::uint64_t fault_count = 0;
  std::vector<std::string> faults;  // the first ones: each says what and where
  std::vector<std::string> notes;   // what a crash leaves and the next start takes care of

  bool sound() const { return fault_count == 0; }
  void fault(std::string text) {
    if (++fault_count <= kMaxFaults) faults.push_back(std::move(text));
  }
};

/// `path` as StoreOptions has it. Where it cannot be opened, that is the only fault.
StoreCheck check_store(const std::filesystem::path& path);

}  // namespace lapwing::rib
