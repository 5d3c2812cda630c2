// What a store holds, opened to read from only: beside a running Lapwing, or without one.
//
// Nothing is created, locked or written. It shows what was durable when it was opened.
// Thread: one at a time. Owns: the database.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "rib/store.h"

namespace lapwing::rib {

class StoreView {
 public:
  /// nullptr and a sentence in `error` where there is nothing that can be read.
  static std::unique_ptr<StoreView> open(const std::filesystem::path& path, std::string& error);
  virtual ~StoreView() = default;

  /// In ascending order of id. False and a sentence in `error` where one cannot be read.
  virtual bool peers(std::vector<PeerRecord>& out, std::string& error) const = 0;
  /// All neighbours that are up were heard until then.
  virtual Timestamp alive_until() const = 0;
  /// In ascending order of NLRI, then peer; `fn` returns false to end.
  virtual void routes(const std::vector<PeerId>& peers, const Store::RouteFn& fn) const = 0;
  /// The same as it was at that moment: the table of today with all later changes undone. A route that
  /// has changed since is told with `at` as the time of its last change. A neighbour's first table is
  /// no change: of a time before it, routes that changed after it are told although they were not
  /// there yet. False and a sentence where the history does not reach that far, or cannot be read.
  virtual bool routes_at(const std::vector<PeerId>& peers, Timestamp at, const Store::RouteFn& fn,
                         std::string& error) const = 0;
};

}  // namespace lapwing::rib
