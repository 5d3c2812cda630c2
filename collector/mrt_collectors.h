// Which collector a file is of, where files of several are read side by side.
//
// A collector is told by its ID, which table dumps and Lapwing's recordings have, and by its
// addresses, which messages have. A file is one collector's. docs/FORMATS.md has the rule.
//
//     collectors.note(heads);                         // of all files, before any is read
//     collectors.choose(neighbors, id, in_doubt)      // for the record of a file with that ID
//     collectors.join(id, id_of_neighbor);            // they are one
// Thread: its owner's. Owns: what it learnt.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::collector {

/// A collector's ID; one of its addresses where no ID is known. None: nothing is known.
using CollectorId = std::optional<IpAddress>;

/// What the first block of a file says. Nothing of a pipe, which can be read only once.
struct FileHead {
  Timestamp time = Timestamp::min();  // of the first record; least where it cannot be told
  CollectorId id;                     // of the first table or mark; after `note` of the file
  std::set<IpAddress> locals;         // addresses of the collector, IPv4 first
};
FileHead head_of(const std::string& path);

/// None of an address or ID of zeros: the writer did not know.
CollectorId known(const IpAddress& address);

class Collectors {
 public:
  /// Sets the IDs of files that have none of their own.
  void note(std::span<FileHead> heads);
  /// Of the collector with this address.
  IpAddress id_at(const IpAddress& local);
  /// A file names this ID; `before`: what it was taken for until then.
  void add(const IpAddress& id, const CollectorId& before);
  /// The one ID for all that were found to be one.
  CollectorId canonical(const CollectorId& id) const;
  /// Which of the neighbours with one address and AS, by their collectors, is meant by a record of
  /// another collector `id`: its index. None: one that was not seen yet. `in_doubt`: may be several.
  std::optional<std::size_t> choose(std::span<const CollectorId> neighbors, const CollectorId& id,
                                    bool& in_doubt) const;
  /// Nothing where both are IDs of collectors.
  void join(const IpAddress& a, const IpAddress& b);

 private:
  bool may_be(const CollectorId& a, const CollectorId& b) const;
  bool has_address(const CollectorId& a, const CollectorId& b) const;

  std::set<IpAddress> ids_;  // of tables and marks
  std::map<IpAddress, IpAddress> id_of_local_;
  std::map<IpAddress, IpAddress> joined_;  // an address in place of an ID -> what it is now
  std::set<std::pair<IpAddress, IpVersion>> addressed_;  // IDs with a known address of that version
};

}  // namespace lapwing::collector
