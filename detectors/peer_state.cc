#include "detectors/peer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kDownFormat = 1;
constexpr std::uint8_t kToldBlind = 1;
constexpr std::uint8_t kNotToldDown = 2;
constexpr std::size_t kMaxReason = 512;

std::string bounded_reason(const std::string& reason) {
  if (reason.size() <= kMaxReason) return reason;
  std::size_t cut = kMaxReason;
  while (cut > 0 && (static_cast<unsigned char>(reason[cut]) & 0xc0) == 0x80) --cut;
  return reason.substr(0, cut) + "…";
}

std::string_view ends_of(bool told_down, bool told_blind) {
  if (!told_down) return "peer-blind";
  return told_blind ? "peer-down peer-blind" : "peer-down";
}

}  // namespace

std::unique_ptr<Detector> make_peer_state(Settings& settings) {
  return std::make_unique<PeerState>(
      settings.duration("blind-after", std::chrono::seconds(300), 1, 86400));
}

void PeerState::on_peer_change(const PeerChange& change) {
  const std::string peer = host_->peer(change.peer).name;
  switch (change.event) {
    case PeerEvent::kDown:
      return lost(peer, change);
    case PeerEvent::kUp:
      return back(peer, change);
    case PeerEvent::kRemoved:
      return removed(peer);
    case PeerEvent::kStanding:
      return stands(peer, change);
    case PeerEvent::kBaselineDone:
    case PeerEvent::kSynchronized:
      return;
  }
}

void PeerState::lost(const std::string& peer, const PeerChange& change) {
  Down& down = down_[peer];
  down.since = host_->now();
  down.reason = bounded_reason(change.reason);
  down.told_down = true;
  down.told_blind = false;
  watch_time(peer, down, down.since + blind_after_);
  Event e = make_event("peer-down", Action::kRaise, peer, down.since);
  e.severity = Severity::kWarning;
  e.fields.push_back({"reason", down.reason});
  e.rule = "the session ended; routes of the neighbour are kept, as unobserved";
  e.summary = fmt::format("neighbour {} is down{}{}", peer, down.reason.empty() ? "" : ": ",
                          down.reason);
  host_->emit(std::move(e));
}

/// format | since | what was told | reason
void PeerState::watch_time(const std::string& peer, Down& down, Timestamp due) {
  if (down.told_down || down.told_blind) {
    std::string value;
    put_u8(value, kDownFormat);
    put_time(value, down.since);
    put_u8(value, static_cast<std::uint8_t>((down.told_blind ? kToldBlind : 0) |
                                            (down.told_down ? 0 : kNotToldDown)));
    put_text(value, down.reason);
    host_->put_state(peer, value);
  }
  if (down.told_blind) return;
  if (down.timer == 0) {
    down.timer = next_timer_++;
    by_timer_[down.timer] = peer;
  }
  host_->set_timer(down.timer, due);
}

/// What stands of it is told no more; the caller says why.
void PeerState::forget(DownByName::iterator it) {
  host_->cancel_timer(it->second.timer);
  by_timer_.erase(it->second.timer);
  host_->erase_state(it->first);
  down_.erase(it);
}

/// After a start: what was missed of the neighbour while this detector was off.
void PeerState::stands(const std::string& peer, const PeerChange& change) {
  auto it = down_.find(peer);
  if (it != down_.end() && (!change.blind_since || it->second.since < *change.blind_since)) {
    came_back_unseen(it);
    it = down_.end();
  }
  if (!change.blind_since) return;
  if (it != down_.end())
    return watch_time(peer, it->second, std::max(host_->now(), it->second.since + blind_after_));
  Down& down = down_[peer];
  down.since = *change.blind_since;
  watch_time(peer, down, host_->now() + blind_after_);
}

void PeerState::came_back_unseen(DownByName::iterator it) {
  const auto& [peer, down] = *it;
  if (down.told_down || down.told_blind) {
    Event e = make_event("peer-up", Action::kClear, peer, down.since);
    e.severity = Severity::kNotice;
    e.fields.push_back({"blind_since", down.since});
    if (!down.reason.empty()) e.fields.push_back({"reason", down.reason});
    e.ends = ends_of(down.told_down, down.told_blind);
    e.rule = "the neighbour came back while this detector was off";
    e.summary = fmt::format("neighbour {} came back some time after it was lost", peer);
    host_->emit(std::move(e));
  }
  forget(it);
}

void PeerState::back(const std::string& peer, const PeerChange& change) {
  const auto it = down_.find(peer);
  // The first session of a neighbour ends nothing that could be told.
  if (it == down_.end() && !change.blind_since) return;
  const Timestamp since = change.blind_since.value_or(
      it == down_.end() ? host_->now() : it->second.since);
  const bool was_told = it != down_.end() && (it->second.told_down || it->second.told_blind);
  Event e = make_event(was_told ? "peer-up" : "peer-blind",
                       was_told ? Action::kClear : Action::kUpdate, peer,
                       was_told ? it->second.since : since);
  e.severity = Severity::kNotice;
  const microseconds blind = host_->now() - since;
  e.fields.push_back({"blind_since", since});
  e.fields.push_back({"duration_seconds", whole_seconds(blind)});
  if (was_told) {
    if (!it->second.reason.empty()) e.fields.push_back({"reason", it->second.reason});
    e.ends = ends_of(it->second.told_down, it->second.told_blind);
  }
  if (it != down_.end()) forget(it);
  e.rule = was_told ? "a session with the neighbour is established again"
                    : "Lapwing, or this detector, was not running when it began";
  e.summary = fmt::format("neighbour {} {} after {} in which it was not heard", peer,
                          was_told ? "is up" : "is heard again", format_duration(blind));
  host_->emit(std::move(e));
}

void PeerState::removed(const std::string& peer) {
  const auto it = down_.find(peer);
  if (it == down_.end()) return;
  const Down down = it->second;
  forget(it);
  if (!down.told_down && !down.told_blind) return;
  Event e = make_event("peer-down", Action::kClear, peer, down.since);
  e.severity = Severity::kInfo;
  e.ends = ends_of(down.told_down, down.told_blind);
  e.rule = "the neighbour is no longer configured";
  e.summary = fmt::format("neighbour {} was removed while it was down", peer);
  host_->emit(std::move(e));
}

void PeerState::on_timer(std::uint64_t key) {
  const auto named = by_timer_.find(key);
  if (named == by_timer_.end()) return;
  const std::string peer = named->second;
  Down& down = down_.at(peer);
  down.told_blind = true;
  watch_time(peer, down, {});
  Event e = make_event("peer-blind", Action::kRaise, peer, down.since);
  e.severity = Severity::kWarning;
  e.fields.push_back({"blind_since", down.since});
  if (!down.reason.empty()) e.fields.push_back({"reason", down.reason});
  e.rule = fmt::format("no session for {} s", blind_after_.count());
  e.summary = fmt::format(
      "neighbour {} has not been heard for {}: what it sees since then is not known", peer,
      format_duration(host_->now() - down.since));
  host_->emit(std::move(e));
}

void PeerState::restore_state(std::string_view key, std::string_view value) {
  StateReader in(value);
  const bool known = in.u8() == kDownFormat;
  Down down;
  down.since = in.time();
  const std::uint8_t told = in.u8();
  down.told_blind = (told & kToldBlind) != 0;
  down.told_down = (told & kNotToldDown) == 0;
  down.reason = in.text();
  if (!known || !in.at_end())
    throw std::runtime_error("peer-state: stored state is damaged or of a newer format");
  down_.emplace(key, std::move(down));
}

Event PeerState::make_event(std::string_view type, Action action, const std::string& peer,
                            Timestamp since) const {
  Event e;
  // Two outages may begin at one time, if it has no finer steps.
  const std::uint64_t parts[] = {id_part(since), static_cast<std::uint64_t>(action),
                                 id_part(host_->now())};
  e.id = make_event_id(fmt::format("{} {}", type, peer), parts);
  e.incident = make_event_id("peer " + peer, std::span(parts).first(1));
  e.type = type;
  e.action = action;
  e.time = host_->now();
  e.peers = {peer};
  return e;
}

}  // namespace lapwing::detectors
