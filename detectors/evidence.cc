#include "detectors/evidence.h"

#include <algorithm>
#include <array>
#include <utility>

#include "detectors/event_text.h"
#include "lapwing/sort_unique.h"

namespace lapwing::detectors {
namespace {

std::vector<Asn> to_ases(Settings& settings, std::string_view key,
                         const std::vector<std::int64_t>& numbers) {
  std::vector<Asn> ases;
  for (const std::int64_t number : numbers) {
    if (number < 1 || number > 0xffffffffll)
      settings.error(key, "must be AS numbers from 1 to 4294967295");
    else
      ases.push_back(static_cast<Asn>(number));
  }
  sort_unique(ases);
  return ases;
}

}  // namespace

const SharedText& EvidenceTexts::name(const PeerInfo& peer) {
  if (peer.id >= names_.size()) names_.resize(peer.id + 1);
  SharedText& name = names_[peer.id];
  if (name.view() != peer.name) name = peer.name;
  return name;
}

const SharedText& EvidenceTexts::path(const Host& host, PathId path) {
  Entry& entry = entry_of(path);
  if (entry.path != path) {
    write_bounded_path(scratch_, host.path(path).as_path());
    entry = {path, scratch_};
  }
  return entry.text;
}

namespace {

template <typename PathText>
Evidence sighting(const Host& host, const RouteChange& change, const PeerInfo& peer,
                  SharedText name, PathText&& path) {
  Evidence e;
  e.peer = std::move(name);
  e.peer_as = peer.as;
  e.prefix = host.prefix(change.prefix);
  e.time = host.now();
  if (change.before != kNoPath) e.old_path = path(change.before);
  if (change.after != kNoPath) e.new_path = path(change.after);
  return e;
}

}  // namespace

Evidence make_evidence(const Host& host, const RouteChange& change, EvidenceTexts& texts) {
  const PeerInfo& peer = host.peer(change.peer);
  return sighting(host, change, peer, texts.name(peer),
                  [&](PathId path) { return texts.path(host, path); });
}

Evidence make_evidence(const Host& host, const RouteChange& change) {
  const PeerInfo& peer = host.peer(change.peer);
  return sighting(host, change, peer, peer.name, [&](PathId path) {
    std::string text;
    write_bounded_path(text, host.path(path).as_path());
    return SharedText(text);
  });
}

void Witnesses::add(const Host& host, const RouteChange& change) {
  cause = change.cause;
  merge_last_known(last_known, change);
  insert_bounded(peers, host.peer(change.peer).name, kMaxEventPeers);
  add_evidence(evidence, host, change);
}

void Witnesses::add(const Witnesses& others) {
  cause = others.cause;
  if (others.last_known && (!last_known || *others.last_known < *last_known))
    last_known = others.last_known;
  for (const std::string& peer : others.peers) insert_bounded(peers, peer, kMaxEventPeers);
  for (const Evidence& e : others.evidence)
    if (evidence.size() < Event::kMaxEvidence) evidence.push_back(e);
}

void Witnesses::put_into(Event& event, Timestamp now) const {
  event.cause = cause;
  event.peers = peers;
  event.evidence = evidence;
  if (last_known) event.changed_between = TimeRange{*last_known, now};
}

EventId upstream_incident(Asn origin, Asn upstream) {
  // Remembered: an upstream that comes and goes is asked for with each of its events.
  struct Kept {
    std::uint64_t pair = 0;  // 0: none; no adjacency is of AS 0 with itself
    EventId id;
  };
  static thread_local std::array<Kept, 2048> kept;
  const std::uint64_t pair = static_cast<std::uint64_t>(origin) << 32 | upstream;
  Kept& k = kept[(origin * 31 + upstream) % kept.size()];
  if (k.pair != pair || pair == 0)
    k = {pair, make_event_id("upstream", std::array<std::uint64_t, 2>{origin, upstream})};
  return k.id;
}

void append_id_parts(std::vector<std::uint64_t>& to, const Nlri& nlri) {
  to.push_back(static_cast<std::uint64_t>(nlri.family.afi) << 32 |
               static_cast<std::uint64_t>(nlri.family.safi) << 16 | nlri.prefix.length);
  to.push_back(nlri.rd);
  std::uint64_t words[2] = {};
  for (std::size_t i = 0; i < 16; ++i)
    words[i / 8] = words[i / 8] << 8 | nlri.prefix.address.bytes[i];
  to.insert(to.end(), {words[0], words[1]});
}

std::size_t size_setting(Settings& settings, std::string_view key, std::size_t fallback,
                         std::int64_t min, std::int64_t max) {
  return static_cast<std::size_t>(
      settings.integer(key, static_cast<std::int64_t>(fallback), min, max));
}

std::vector<Asn> as_setting(Settings& settings, std::string_view key,
                            const std::vector<Asn>& fallback) {
  return to_ases(settings, key, settings.integers(key, {fallback.begin(), fallback.end()}));
}

std::vector<std::vector<Asn>> as_groups_setting(Settings& settings, std::string_view key,
                                                const std::vector<std::vector<Asn>>& fallback) {
  std::vector<std::vector<std::int64_t>> numbers;
  for (const std::vector<Asn>& group : fallback) numbers.emplace_back(group.begin(), group.end());
  std::vector<std::vector<Asn>> groups;
  for (const std::vector<std::int64_t>& group : settings.groups(key, std::move(numbers)))
    groups.push_back(to_ases(settings, key, group));
  return groups;
}

bool scope_setting(Settings& settings, bool all_by_default) {
  const std::string scope = settings.text("scope", all_by_default ? "all" : "watched");
  if (scope != "all" && scope != "watched")
    settings.error("scope", "must be \"all\" or \"watched\"");
  return scope == "all";
}

}  // namespace lapwing::detectors
