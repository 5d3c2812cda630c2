// Detector `visibility`: durable state and restart. All numbers are big-endian.
#include <algorithm>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string_view>

#include "detectors/event_text.h"
#include "detectors/visibility.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kOutageFormat = 1, kUnexpectedFormat = 2, kDampingFormat = 2;

}  // namespace

/// Key: origin | prefix. Value: format | outage since | lost since | peak. Absent: not lost.
void Visibility::store(Asn origin, const Nlri& nlri) {
  std::string key;
  put_u32(key, origin);
  put_nlri(key, nlri);
  const auto* outage = outages_.find(origin);
  const auto at = outage == nullptr ? std::map<Nlri, Timestamp>::const_iterator{}
                                    : outage->inside.find(nlri);
  if (outage == nullptr || at == outage->inside.end()) return host_->erase_state(key);
  std::string value;
  put_u8(value, kOutageFormat);
  put_time(value, outage->since);
  put_time(value, at->second);
  Subject& s = subjects_.at(nlri);
  const OfOrigin* const of = watch_.origin(origin) ? s.find(origin) : nullptr;
  put_u32(value, of != nullptr ? of->peak : s.all.peak);
  host_->put_state(key, value);
}

/// Key: as of an outage of no known origin, which it cannot have. Value: format. Absent: followed.
void Visibility::set_unexpected(Subject& s, const Nlri& nlri, bool unexpected) {
  s.unexpected = unexpected;
  std::string key, value;
  put_u32(key, PathOrigins::kNone);
  put_nlri(key, nlri);
  if (!unexpected) return host_->erase_state(key);
  put_u8(value, kUnexpectedFormat);
  host_->put_state(key, value);
}

/// Key: origin. Value: format | damped since | calm at | folded | damped (1), which was always so in
/// format 1 | begins of the last outages, missing in 1. Absent: not damped, and no outage to count.
void Visibility::store_damping(Asn as) {
  const Origin& o = by_origin_[as];
  std::string key, value;
  put_u32(key, as);
  if (!o.damped && o.outages.empty()) return host_->erase_state(key);
  put_u8(value, kDampingFormat);
  put_time(value, o.damped_since);
  put_time(value, o.calm_at);
  put_u64(value, o.folded);
  put_u8(value, o.damped ? 1 : 0);
  for (const Timestamp began : o.outages) put_time(value, began);
  host_->put_state(key, value);
}

void Visibility::restore_damping(Asn as, std::string_view value) {
  StateReader v(value);
  const std::uint8_t format = v.u8();
  Origin& o = by_origin_[as];
  o.damped_since = v.time();
  o.calm_at = v.time();
  o.folded = v.u64();
  o.damped = format == 1 || v.u8() != 0;
  while (format >= 2 && v.ok() && !v.at_end()) o.outages.push_back(v.time());
  if (format == 0 || format > kDampingFormat || !v.at_end())
    throw std::runtime_error("visibility: stored state is damaged or of a newer format");
}

void Visibility::restore_state(std::string_view key, std::string_view value) {
  StateReader k(key), v(value);
  const Asn origin = k.u32();
  if (k.at_end()) return restore_damping(origin, value);
  const Nlri nlri = k.nlri();
  const std::uint8_t format = v.u8();
  Subject& s = subjects_[nlri];
  if (format == kUnexpectedFormat && k.at_end() && v.at_end()) {
    s.unexpected = true;
    return;
  }
  const Timestamp outage_since = v.time(), since = v.time();
  OfOrigin& o = s.of(origin);
  o.lost = true;
  o.peak = v.u32();
  if (format != kOutageFormat || !k.at_end() || !v.at_end())
    throw std::runtime_error("visibility: stored state is damaged or of a newer format");
  outages_.restore(origin, nlri, outage_since, since);
}

void Visibility::restore_route(const RouteView& route) {
  if (!counts(route.path, route.peer, route.prefix)) return;
  const Nlri nlri = without_path_id(host_->nlri(route.prefix));
  const Subject* const s = add(nlri, origins_.origin(route.path, route.peer));
  if (s == nullptr || !s->lost()) return;
  RouteChange shown;  // what ends its outage, if it does
  shown.peer = route.peer;
  shown.prefix = route.prefix;
  shown.after = route.path;
  touched_[nlri].by.add(*host_, shown);
}

/// What was lost of an origin that is not watched: all routes of the prefix, if that is. False: nor
/// is that.
bool Visibility::restore_whole(Subject& s, const Nlri& nlri, OfOrigin& of) {
  of.lost = false;
  if (!watch_.covering(nlri.prefix) || s.all.lost) return false;
  s.all.lost = true;
  s.all.peak = std::max(s.all.peak, of.peak);
  s.lost_origin = of.as;
  return true;
}

/// What is visible again, since the detector was off or has other settings now, is told; and what is
/// not watched any more.
void Visibility::start_up() {
  for (auto& [as, origin] : by_origin_) {
    if (origin.damped) host_->set_timer(as, origin.calm_at);
    forget_old_outages(origin);
    if (!origin.damped && origin.outages.empty()) store_damping(as);
  }
  for (auto& [nlri, s] : subjects_) {
    s.judged = true;
    if (s.unexpected && (s.all.routes == 0 || watched(s, nlri))) set_unexpected(s, nlri, false);
    recount(s);
  }
  for (const auto& [nlri, s] : subjects_)
    for (const OfOrigin& o : s.origins)
      if (o.lost) note_dark(o.as);
  Batch back, unwatched;
  for (auto it = subjects_.begin(); it != subjects_.end();) {
    auto& [nlri, s] = *it;
    for (OfOrigin& o : s.origins)
      if (o.lost && !watch_.origin(o.as) && !restore_whole(s, nlri, o))
        unwatched[o.as].push_back(nlri);
    judge(s, nlri, Touch{}, back, back);  // not live: nothing is lost by it
    it = s.all.routes == 0 && !s.lost() && !s.unexpected ? subjects_.erase(it) : std::next(it);
  }
  for (const auto& [origin, prefixes] : back) regain(origin, prefixes);
  for (const auto& [origin, prefixes] : unwatched) unwatch(origin, prefixes);
  touched_.clear();
}

}  // namespace lapwing::detectors
