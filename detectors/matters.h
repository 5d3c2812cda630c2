// Incidents that stand for as long as any of their prefixes does.
//
// A matter is raised when its first prefix enters, updated when others do or some leave, and cleared
// when the last one leaves. Bounded: beyond the limit a prefix does not enter.
// Thread: engine. Owns: the sets.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>

#include "lapwing/event.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::detectors {

template <typename Key>
class Matters {
 public:
  struct Matter {
    Timestamp since;                   // its first prefix entered
    std::map<Nlri, Timestamp> inside;  // since when each does
  };

  explicit Matters(std::size_t limit) : limit_(limit) {}

  /// False: it was inside, or there is no more room.
  bool enter(const Key& key, const Nlri& nlri, Timestamp now) {
    if (size_ >= limit_) return false;
    Matter& m = matters_[key];
    if (m.inside.empty()) m.since = now;
    if (!m.inside.emplace(nlri, now).second) return false;
    ++size_;
    return true;
  }
  /// When it entered; nullopt: it was not inside.
  std::optional<Timestamp> leave(const Key& key, const Nlri& nlri) {
    const auto m = matters_.find(key);
    if (m == matters_.end()) return std::nullopt;
    const auto at = m->second.inside.find(nlri);
    if (at == m->second.inside.end()) return std::nullopt;
    const Timestamp since = at->second;
    m->second.inside.erase(at);
    --size_;
    return since;
  }
  /// After `leave`, once the event is made: forgets a matter without prefixes.
  void forget_if_empty(const Key& key) {
    const auto m = matters_.find(key);
    if (m != matters_.end() && m->second.inside.empty()) matters_.erase(m);
  }
  /// nullptr where it does not stand.
  const Matter* find(const Key& key) const {
    const auto m = matters_.find(key);
    return m == matters_.end() ? nullptr : &m->second;
  }
  void restore(const Key& key, const Nlri& nlri, Timestamp matter_since, Timestamp since) {
    Matter& m = matters_[key];
    m.since = matter_since;
    if (m.inside.emplace(nlri, since).second) ++size_;
  }

 private:
  std::size_t limit_;
  std::size_t size_ = 0;
  std::map<Key, Matter> matters_;
};

}  // namespace lapwing::detectors
