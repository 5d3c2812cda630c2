// Which collector a file is of, where files of several are read side by side.
//
// A collector is told by its ID, which table dumps and Lapwing's recordings have, by its addresses,
// which messages have, and by its neighbours. A file is one collector's. It is told before any file
// is read, so that the order of the files means nothing. docs/FORMATS.md has the rule.
// Thread: its owner's. Owns: what it learnt.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bgp/mrt.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::collector {

/// A collector's ID; the first of its addresses where no ID is known. None: nothing tells.
using CollectorId = std::optional<IpAddress>;

/// What the first block of a file says.
struct FileHead {
  bool looked_into = false;           // not a pipe, which can be read only once
  Timestamp time = Timestamp::min();  // of the first record; least where it cannot be told
  CollectorId id;                     // of the first table or mark
  std::set<IpAddress> locals;         // addresses of the collector, IPv4 first
  std::set<IpAddress> neighbors;      // addresses of those that a table lists or a message is of
  // What `Collectors` makes of it.
  CollectorId collector;
  CollectorId in_doubt;  // it may as well be of this one

  void note(const bgp::mrt::RecordView& record);
};
FileHead head_of(const std::string& path);

class Collectors {
 public:
  /// Sets the collectors of the heads: of all files at once, and later of each pipe.
  void place(std::span<FileHead> heads);

 private:
  struct Group {
    CollectorId id;
    std::set<IpAddress> locals, neighbors;

    CollectorId name() const;
  };
  /// Files without an ID that share addresses.
  struct Part {
    Group said;
    std::vector<FileHead*> files;
  };

  Group* with_id(const IpAddress& id);
  Group* with_id_among(const std::set<IpAddress>& locals);
  void place_named(FileHead& head);
  static std::vector<Part> join_by_address(const std::vector<FileHead*>& files);
  static std::pair<Group*, CollectorId> nearest(std::vector<Group*> candidates,
                                                const std::set<IpAddress>& neighbors);
  bool place_by_address(const Part& part);
  void place_by_neighbors(std::vector<Part>& parts);
  void place_nameless(FileHead& head);
  void put(const Part& part, Group& group, const CollectorId& in_doubt);

  std::vector<Group> groups_;
};

}  // namespace lapwing::collector
