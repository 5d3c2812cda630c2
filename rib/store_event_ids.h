// Which event ids the journal holds, well enough to tell that one is new without asking the disk.
//
// A fingerprint of 32 bits for each id, some 8 octets in memory. "Perhaps" is checked in the
// database by the caller: an id that has left the journal, or one that looks like another.
//
// Thread: store. Owns: the fingerprints.
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <cstring>

#include "lapwing/event.h"

namespace lapwing::rib {

class EventIds {
 public:
  /// False until all ids of the journal were added: nothing can be told before.
  bool complete() const { return complete_; }
  void set_complete() { complete_ = true; }
  void add(const EventId& id) { fingerprints_.insert(fingerprint(id)); }
  bool perhaps_known(const EventId& id) const {
    return !complete_ || fingerprints_.contains(fingerprint(id));
  }
  /// More than `held` ids would need, by far: most have left the journal.
  bool outgrown(std::uint64_t held) const { return fingerprints_.size() > 2 * held + 65536; }
  void clear() {
    fingerprints_.clear();
    fingerprints_.rehash(0);
    complete_ = false;
  }

 private:
  static std::uint32_t fingerprint(const EventId& id) {
    std::uint32_t value = 0;  // ids are hashes: any four octets will do
    std::memcpy(&value, id.bytes.data(), sizeof value);
    return value;
  }
  boost::unordered_flat_set<std::uint32_t> fingerprints_;
  bool complete_ = false;
};

}  // namespace lapwing::rib
