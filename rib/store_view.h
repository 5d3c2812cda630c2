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
};

}  // namespace lapwing::rib
