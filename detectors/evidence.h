// What all detectors make alike: the sighting of a route change, the incident of an upstream, and
// settings in seconds.
//
// Thread: engine (settings: main). Owns: what it returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/detector.h"

namespace lapwing::detectors {

/// Texts of the paths and neighbours that were told last: the prefixes of an UPDATE share them, the
/// adjacencies that one change concerns, and a path that is told when it comes and when it goes.
class EvidenceTexts {
 public:
  const SharedText& path(const Host& host, PathId path);
  const SharedText& name(const PeerInfo& peer);
  /// The id may stand for another path from here on.
  void path_released(PathId path) {
    if (Entry& entry = entry_of(path); entry.path == path) entry = {};
  }

 private:
  struct Entry {
    PathId path = kNoPath;
    SharedText text;
  };
  static constexpr std::size_t kEntries = 1024;
  Entry& entry_of(PathId path) { return entries_[path % kEntries]; }

  std::vector<Entry> entries_{kEntries};
  std::vector<SharedText> names_;  // by PeerId
  std::string scratch_;
};

/// The change as a sighting of now, with paths of bounded length.
Evidence make_evidence(const Host& host, const RouteChange& change);
Evidence make_evidence(const Host& host, const RouteChange& change, EvidenceTexts& texts);

/// The incident that all events about this upstream of this origin share.
EventId upstream_incident(Asn origin, Asn upstream);

/// Keeps the first Event::kMaxEvidence.
inline void add_evidence(std::vector<Evidence>& to, const Host& host, const RouteChange& change) {
  if (to.size() < Event::kMaxEvidence) to.push_back(make_evidence(host, change));
}

/// The NLRI without its path identifier (RFC 7911): what an operator calls a prefix.
inline Nlri without_path_id(Nlri nlri) {
  nlri.has_path_id = false;
  nlri.path_id = 0;
  return nlri;
}

/// The earliest `last_known` of several changes.
inline void merge_last_known(std::optional<Timestamp>& into, const RouteChange& change) {
  if (change.last_known && (!into || *change.last_known < *into)) into = change.last_known;
}

constexpr std::size_t kMaxEventPeers = 64;

/// What several changes that make one event have in common: who shows it, since when, and how.
struct Witnesses {
  std::vector<std::string> peers;  // sorted, at most 64
  std::vector<Evidence> evidence;  // at most Event::kMaxEvidence
  std::optional<Timestamp> last_known;
  Cause cause = Cause::kLive;

  void add(const Host& host, const RouteChange& change);
  void add(const Witnesses& others);
  /// To an event of this moment.
  void put_into(Event& event, Timestamp now) const;
};

inline std::uint64_t id_part(Timestamp t) { return static_cast<std::uint64_t>(unix_micros(t)); }

/// A prefix as parts of an event id.
void append_id_parts(std::vector<std::uint64_t>& to, const Nlri& nlri);

std::size_t size_setting(Settings& settings, std::string_view key, std::size_t fallback,
                         std::int64_t min, std::int64_t max);
/// AS numbers, sorted; 0 and numbers beyond 32 bits are errors of the setting.
std::vector<Asn> as_setting(Settings& settings, std::string_view key,
                            const std::vector<Asn>& fallback);
/// The same for groups of them; each is sorted.
std::vector<std::vector<Asn>> as_groups_setting(Settings& settings, std::string_view key,
                                                const std::vector<std::vector<Asn>>& fallback);
/// `scope`: "all" routes or only what [watch] names. True: all.
bool scope_setting(Settings& settings, bool all_by_default);

}  // namespace lapwing::detectors
