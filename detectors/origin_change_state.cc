// Detector `origin-change`: durable state and restart. All numbers are big-endian.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "detectors/event_text.h"
#include "detectors/origin_change.h"

namespace lapwing::detectors {
namespace {

// 1: without times; 2: without what waits; 3: without whether that is watched
constexpr std::uint8_t kOriginFormat = 4;
// Keys are told apart by their length.
constexpr char kPastKey = 'p', kFlappingKey = 'f';
constexpr std::size_t kPastKeySize = 5, kFlappingKeySize = 37;

/// 'f' | prefix | origin
std::string flapping_key(const std::pair<Nlri, Asn>& claim) {
  std::string key(1, kFlappingKey);
  put_nlri(key, claim.first);
  put_u32(key, claim.second);
  return key;
}

}  // namespace

/// Key: old origin | new origin | prefix. Value: format | matter since | since | times, missing in
/// format 1 | when it will be told (0: it was), missing in 2 | what waits is watched (1), missing in 3.
/// Absent: not standing.
void OriginChange::store(const Key& key, const Nlri& nlri) {
  if (!host_->keeps_state()) return;
  std::string name;
  put_u32(name, key.from);
  put_u32(name, key.to);
  put_nlri(name, nlri);
  const auto* matter = standing_.find(key);
  if (matter == nullptr || !matter->inside.contains(nlri)) return host_->erase_state(name);
  std::string value;
  put_u8(value, kOriginFormat);
  put_time(value, matter->since);
  put_time(value, matter->inside.at(nlri));
  put_u32(value, matter_of_.at({nlri, key.to}).times);
  const auto news = news_.find(key);
  const bool waits =
      news != news_.end() && !news->second.first && news->second.arrivals.contains(nlri);
  put_time(value, waits ? news->second.due : Timestamp{});
  put_u8(value, waits && news->second.arrivals.at(nlri).watched ? 1 : 0);
  host_->put_state(name, value);
}

/// Value: times | from (4) | until | watched (1), missing before format 4 of what stands.
void OriginChange::store_flapping(const Claim& claim, const Flapping& flapping) {
  std::string value;
  put_u32(value, flapping.times);
  put_u32(value, flapping.from);
  put_time(value, flapping.until);
  const auto& arrivals = flapping.news.arrivals;
  put_u8(value, !arrivals.empty() && arrivals.begin()->second.watched ? 1 : 0);
  host_->put_state(flapping_key(claim), value);
}

/// Key: 'p' | piece.
void OriginChange::store_past() {
  store_past_now_ = false;
  past_.store_changed([this](std::uint32_t piece, const std::string& value) {
    std::string name(1, kPastKey);
    put_u32(name, piece);
    if (value.empty())
      host_->erase_state(name);
    else
      host_->put_state(name, value);
  });
}

void OriginChange::erase_flapping(const Claim& claim) { host_->erase_state(flapping_key(claim)); }

bool OriginChange::restore_flapping(std::string_view name, std::string_view value) {
  StateReader k(name.substr(1)), v(value);
  const Nlri nlri = k.nlri();
  const Asn origin = k.u32();
  Flapping& flapping = flapping_[{nlri, origin}];
  flapping.times = v.u32();
  flapping.from = v.u32();
  flapping.until = v.time();
  flapping.news.arrivals[nlri].watched = !v.at_end() && v.u8() != 0;
  flapping.shown = false;
  return k.at_end() && v.at_end();
}

void OriginChange::restore_state(std::string_view name, std::string_view value) {
  const auto refuse_unless = [](bool good) {
    if (!good)
      throw std::runtime_error("origin-change: stored state is damaged or of a newer format");
  };
  StateReader k(name), v(value);
  if (name.size() == kPastKeySize && name.front() == kPastKey) {
    k.u8();
    return refuse_unless(past_.restore(k.u32(), value));
  }
  if (name.size() == kFlappingKeySize) return refuse_unless(restore_flapping(name, value));
  Key key;
  key.from = k.u32();
  key.to = k.u32();
  const Nlri nlri = k.nlri();
  const std::uint8_t format = v.u8();
  const Timestamp matter_since = v.time(), since = v.time();
  const std::uint32_t times = format == 1 ? 1 : v.u32();
  const Timestamp due = format < 3 ? Timestamp{} : v.time();
  const bool watched = format >= 4 && v.u8() != 0;
  refuse_unless(format != 0 && format <= kOriginFormat && k.at_end() && v.at_end());
  standing_.restore(key, nlri, matter_since, since);
  matter_of_.emplace(Claim(nlri, key.to), Standing{key, times, false});
  if (due == Timestamp{}) return;
  News& news = news_[key];
  news.due = due;
  insert_overflows(news.prefixes, nlri.prefix, kMaxPrefixes);
  news.arrivals[nlri] = {times, watched};
}

void OriginChange::restore_route(const RouteView& route) {
  groups_.note(route.prefix);
  if (matter_of_.empty() && flapping_.empty()) return;
  const Claim claim(without_path_id(host_->nlri(route.prefix)),
                    origins_.origin(route.path, route.peer));
  RouteChange shown;
  shown.peer = route.peer;
  shown.prefix = route.prefix;
  shown.after = route.path;
  if (const auto at = matter_of_.find(claim); at != matter_of_.end()) {
    at->second.shown = true;
    const auto news = news_.find(at->second.key);
    if (news != news_.end() && news->second.arrivals.contains(claim.first))
      restore_arrival(news->second, claim.first, shown, at->second.times);
  }
  const auto at = flapping_.find(claim);
  if (at == flapping_.end()) return;
  restore_arrival(at->second.news, claim.first, shown, at->second.times);
  at->second.shown = true;
}

/// Whether it is watched was told when it came; its path may be another by now.
void OriginChange::restore_arrival(News& news, const Nlri& nlri, const RouteChange& shown,
                                   std::uint32_t times) {
  const bool watched = news.arrivals[nlri].watched;
  note_arrival(news, nlri, shown, times);
  news.arrivals[nlri].watched = watched;
}

void OriginChange::start_up() {
  std::vector<Claim> flapped;
  for (const auto& [claim, flapping] : flapping_) flapped.push_back(claim);
  std::sort(flapped.begin(), flapped.end());
  for (const Claim& claim : flapped) {
    const auto at = flapping_.find(claim);
    if (at->second.shown)
      await_end(claim, at->second);
    else
      end_flapping(at);
  }
  end_unheard(nullptr);  // and sets the timers of what waits
}

}  // namespace lapwing::detectors
