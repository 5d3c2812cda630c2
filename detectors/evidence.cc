#include "detectors/evidence.h"

#include <algorithm>
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

const SharedText& PathTexts::name(const PeerInfo& peer) {
  if (peer_ != peer.id) {
    peer_ = peer.id;
    name_ = peer.name;
  }
  return name_;
}

const SharedText& PathTexts::of(const Host& host, PathId path) {
  for (std::size_t i = 0; i < used_; ++i)
    if (entries_[i].path == path) return entries_[i].text;
  if (used_ < entries_.size()) next_ = used_++;
  Entry& entry = entries_[next_];
  next_ = (next_ + 1) % entries_.size();
  entry.path = path;
  write_bounded_path(scratch_, host.path(path).as_path());
  entry.text = scratch_;
  return entry.text;
}

Evidence make_evidence(const Host& host, const RouteChange& change, PathTexts& texts) {
  const PeerInfo& peer = host.peer(change.peer);
  Evidence e;
  e.peer = texts.name(peer);
  e.peer_as = peer.as;
  e.prefix = host.nlri(change.prefix).prefix;
  e.time = host.now();
  if (change.before != kNoPath) e.old_path = texts.of(host, change.before);
  if (change.after != kNoPath) e.new_path = texts.of(host, change.after);
  return e;
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

std::chrono::seconds seconds_setting(Settings& settings, std::string_view key,
                                     std::chrono::seconds fallback, std::int64_t min,
                                     std::int64_t max) {
  return std::chrono::seconds(settings.integer(key, fallback.count(), min, max));
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
