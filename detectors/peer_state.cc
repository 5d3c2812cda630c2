#include "detectors/peer_state.h"

#include <fmt/format.h>

#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kDownFormat = 1;
constexpr std::size_t kMaxReason = 512;

std::string bounded_reason(const std::string& reason) {
  if (reason.size() <= kMaxReason) return reason;
  std::size_t cut = kMaxReason;
  while (cut > 0 && (static_cast<unsigned char>(reason[cut]) & 0xc0) == 0x80) --cut;
  return reason.substr(0, cut) + "…";
}

}  // namespace

std::unique_ptr<Detector> make_peer_state(Settings& settings) {
  return std::make_unique<PeerState>(
      seconds_setting(settings, "blind-after", std::chrono::seconds(300), 1, 86400));
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
    case PeerEvent::kBaselineDone:
    case PeerEvent::kSynchronized:
      return;
  }
}

void PeerState::lost(const std::string& peer, const PeerChange& change) {
  Down& down = down_[peer];
  down.since = host_->now();
  down.reason = bounded_reason(change.reason);
  down.told_blind = false;
  watch_time(peer, down);
  Event e = make_event("peer-down", Action::kRaise, peer, down.since);
  e.severity = Severity::kWarning;
  e.fields.push_back({"reason", down.reason});
  e.rule = "the session ended; routes of the neighbour are kept, as unobserved";
  e.summary = fmt::format("neighbour {} is down{}{}", peer, down.reason.empty() ? "" : ": ",
                          down.reason);
  host_->emit(std::move(e));
}

/// format | since | told blind | reason
void PeerState::watch_time(const std::string& peer, Down& down) {
  std::string value;
  put_u8(value, kDownFormat);
  put_time(value, down.since);
  put_u8(value, down.told_blind ? 1 : 0);
  put_text(value, down.reason);
  host_->put_state(peer, value);
  if (down.told_blind) return;
  if (down.timer == 0) {
    down.timer = next_timer_++;
    by_timer_[down.timer] = peer;
  }
  host_->set_timer(down.timer, down.since + blind_after_);
}

void PeerState::back(const std::string& peer, const PeerChange& change) {
  const auto it = down_.find(peer);
  // The first session of a neighbour ends nothing that could be told.
  if (it == down_.end() && !change.blind_since) return;
  const Timestamp since = change.blind_since.value_or(
      it == down_.end() ? host_->now() : it->second.since);
  const bool was_told = it != down_.end();
  Event e = make_event(was_told ? "peer-up" : "peer-blind",
                       was_told ? Action::kClear : Action::kUpdate, peer,
                       was_told ? it->second.since : since);
  e.severity = Severity::kNotice;
  const microseconds blind = host_->now() - since;
  e.fields.push_back({"blind_since", since});
  e.fields.push_back({"duration_seconds", whole_seconds(blind)});
  if (was_told) {
    if (!it->second.reason.empty()) e.fields.push_back({"reason", it->second.reason});
    e.ends = it->second.told_blind ? "peer-down peer-blind" : "peer-down";
    host_->cancel_timer(it->second.timer);
    by_timer_.erase(it->second.timer);
    down_.erase(it);
    host_->erase_state(peer);
  }
  e.rule = was_told ? "a session with the neighbour is established again"
                    : "Lapwing was not running while the neighbour may have changed";
  e.summary = fmt::format("neighbour {} {} after {} in which it was not heard", peer,
                          was_told ? "is up" : "is heard again", format_duration(blind));
  host_->emit(std::move(e));
}

void PeerState::removed(const std::string& peer) {
  const auto it = down_.find(peer);
  if (it == down_.end()) return;
  Event e = make_event("peer-down", Action::kClear, peer, it->second.since);
  e.severity = Severity::kInfo;
  e.ends = it->second.told_blind ? "peer-down peer-blind" : "peer-down";
  e.rule = "the neighbour is no longer configured";
  e.summary = fmt::format("neighbour {} was removed while it was down", peer);
  host_->cancel_timer(it->second.timer);
  by_timer_.erase(it->second.timer);
  down_.erase(it);
  host_->erase_state(peer);
  host_->emit(std::move(e));
}

void PeerState::on_timer(std::uint64_t key) {
  const auto named = by_timer_.find(key);
  if (named == by_timer_.end()) return;
  const std::string peer = named->second;
  Down& down = down_.at(peer);
  down.told_blind = true;
  watch_time(peer, down);
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
  down.told_blind = in.u8() != 0;
  down.reason = in.text();
  if (!known || !in.at_end())
    throw std::runtime_error("peer-state: stored state is damaged or of a newer format");
  down_.emplace(key, std::move(down));
}

void PeerState::start_up() {
  for (auto& [peer, down] : down_)
    if (!down.told_blind) watch_time(peer, down);
}

Event PeerState::make_event(std::string_view type, Action action, const std::string& peer,
                            Timestamp since) const {
  Event e;
  const std::uint64_t parts[] = {id_part(since), static_cast<std::uint64_t>(action)};
  e.id = make_event_id(fmt::format("{} {}", type, peer), parts);
  e.incident = make_event_id("peer " + peer, std::span(parts).first(1));
  e.type = type;
  e.action = action;
  e.time = host_->now();
  e.peers = {peer};
  return e;
}

}  // namespace lapwing::detectors
