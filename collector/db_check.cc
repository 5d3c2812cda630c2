#include "collector/db_check.h"

#include <fmt/format.h>

#include <cstdio>

#include "rib/store_check.h"

namespace lapwing::collector {

int db_check(const Config& config) {
  const rib::StoreCheck check = rib::check_store(config.store.path);
  for (const std::string& fault : check.faults) fmt::print(stderr, "lapwing: {}\n", fault);
  if (check.fault_count > check.faults.size())
    fmt::print(stderr, "lapwing: and {} more\n", check.fault_count - check.faults.size());
  for (const std::string& note : check.notes)
    fmt::print(stderr, "lapwing: note: {}; the next start takes care of it\n", note);
  fmt::print(
      "{}: {}; table files: {}, neighbours: {}, routes: {}, paths: {}, knowledge: {}, "
      "history: {}, events: {}, cursors: {}, blind: {}\n",
      config.store.path.string(),
      check.sound() ? "sound" : fmt::format("damaged, faults: {}", check.fault_count), check.files,
      check.peers, check.routes, check.paths, check.states, check.history_rows, check.events,
      check.cursors, check.blind);
  if (check.sound()) return 0;
  fmt::print(stderr,
             "lapwing: restore {} from a backup, or move it away: routes are learnt again, events "
             "and knowledge in it are not\n",
             config.store.path.string());
  return 1;
}

}  // namespace lapwing::collector
