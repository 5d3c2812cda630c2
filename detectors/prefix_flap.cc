#include "detectors/prefix_flap.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kPrefixFlapFormat = 1;

}  // namespace

std::unique_ptr<Detector> make_prefix_flap(Settings& settings) {
  PrefixFlapSettings s;
  s.all = scope_setting(settings, false);
  s.threshold =
      static_cast<std::uint32_t>(settings.integer("threshold", s.threshold, 2, 1000000));
  s.window = settings.duration("window", s.window, 10, 86400);
  return std::make_unique<PrefixFlap>(s);
}

void PrefixFlap::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
}

void PrefixFlap::on_route_change(const RouteChange& change) {
  if (!settings_.all && !watch_.change(change)) return;
  const Nlri nlri = without_path_id(host_->nlri(change.prefix));
  auto it = prefixes_.find(nlri);
  if (it == prefixes_.end()) {
    if (prefixes_.size() >= kMaxPrefixes) return;
    if (prefixes_.empty()) host_->set_timer(kWindowTimer, host_->now() + settings_.window);
    it = prefixes_.emplace(nlri, Entry{}).first;
  }
  Entry& p = it->second;
  auto count = std::find_if(p.counts.begin(), p.counts.end(),
                            [&](const Count& c) { return c.peer == change.peer; });
  if (count == p.counts.end()) {
    if (p.counts.size() >= kMaxPeers) return;
    count = p.counts.insert(p.counts.end(), Count{change.peer});
  }
  ++count->changes;
  if (change.after == kNoPath) ++count->withdrawals;
  ++p.total;
  if (p.raised)
    note(p, change);
  else if (count->changes > settings_.threshold)
    raise(nlri, p, *count, change);
}

/// The neighbours of the whole flap; of the changes the last one, so that its end shows what stayed.
void PrefixFlap::note(Entry& p, const RouteChange& change) const {
  p.last.evidence.clear();
  p.last.last_known.reset();
  p.last.add(*host_, change);
}

Event PrefixFlap::make_event(const Nlri& nlri, const Entry& p, Action action) const {
  Event e;
  std::vector<std::uint64_t> parts;
  append_id_parts(parts, nlri);
  parts.push_back(id_part(p.since));
  e.incident = make_event_id("prefix-flap", parts);
  parts.push_back(static_cast<std::uint64_t>(action) + 1);
  e.id = make_event_id("prefix-flap", parts);
  e.type = "prefix-flap";
  e.action = action;
  e.severity = Severity::kNotice;
  e.time = host_->now();
  e.prefixes = {nlri.prefix};
  e.prefix_count = 1;
  return e;
}

void PrefixFlap::raise(const Nlri& nlri, Entry& p, const Count& count, const RouteChange& change) {
  p.raised = true;
  p.since = host_->now();
  p.total = 0;
  Event e = make_event(nlri, p, Action::kRaise);
  e.cause = change.cause;
  e.peers = {host_->peer(change.peer).name};
  if (change.last_known) e.changed_between = TimeRange{*change.last_known, host_->now()};
  e.evidence = {make_evidence(*host_, change)};
  e.fields.push_back({"changes", std::int64_t{count.changes}});
  e.fields.push_back({"withdrawals", std::int64_t{count.withdrawals}});
  e.fields.push_back({"window_seconds", std::int64_t{settings_.window.count()}});
  e.rule = fmt::format("more than {} changes of one neighbour's route within {} s",
                       settings_.threshold, settings_.window.count());
  e.summary = fmt::format("{} flaps: {}, {} of them withdrawn, at {}; silent until it is calm for {}",
                          format_prefix(nlri.prefix), count_of(count.changes, "change", "changes"),
                          count.withdrawals, e.peers[0], format_duration(settings_.window));
  note(p, change);
  std::string key, value;
  put_nlri(key, nlri);
  put_u8(value, kPrefixFlapFormat);
  put_time(value, p.since);
  host_->put_state(key, value);
  host_->emit(std::move(e));
}

void PrefixFlap::clear(const Nlri& nlri, const Entry& p) {
  Event e = make_event(nlri, p, Action::kClear);
  p.last.put_into(e, e.time);
  e.fields.push_back({"folded", static_cast<std::int64_t>(p.total)});
  e.fields.push_back({"since", p.since});
  e.fields.push_back({"duration_seconds", whole_seconds(host_->now() - p.since)});
  e.rule = fmt::format("at most {} changes of each neighbour's route within {} s",
                       settings_.threshold, settings_.window.count());
  e.summary = fmt::format("{} is calm again after {} and {} more", format_prefix(nlri.prefix),
                          format_duration(host_->now() - p.since),
                          count_of(p.total, "change", "changes"));
  std::string key;
  put_nlri(key, nlri);
  host_->erase_state(key);
  host_->emit(std::move(e));
}

/// The end of a window, in order of prefix: what was calm is forgotten, the rest counts anew.
void PrefixFlap::on_timer(std::uint64_t) {
  for (auto it = prefixes_.begin(); it != prefixes_.end();) {
    Entry& p = it->second;
    const bool calm = std::all_of(p.counts.begin(), p.counts.end(), [this](const Count& c) {
      return c.changes <= settings_.threshold;
    });
    if (p.raised && calm) clear(it->first, p);
    if (!p.raised || calm) {
      it = prefixes_.erase(it);
      continue;
    }
    p.counts.clear();
    ++it;
  }
  if (!prefixes_.empty()) host_->set_timer(kWindowTimer, host_->now() + settings_.window);
}

void PrefixFlap::restore_state(std::string_view key, std::string_view value) {
  StateReader k(key), v(value);
  const Nlri nlri = k.nlri();
  Entry p;
  p.raised = true;
  const bool known = v.u8() == kPrefixFlapFormat;
  p.since = v.time();
  if (!known || !k.at_end() || !v.at_end())
    throw std::runtime_error("prefix-flap: stored state is damaged or of a newer format");
  prefixes_.emplace(nlri, std::move(p));
}

void PrefixFlap::start_up() {
  if (!prefixes_.empty()) host_->set_timer(kWindowTimer, host_->now() + settings_.window);
}

}  // namespace lapwing::detectors
