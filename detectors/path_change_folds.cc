// Detector `path-change`: folding changes of one cause, and what the event of a fold says.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "detectors/event_text.h"
#include "detectors/evidence.h"
#include "detectors/path_change.h"

namespace lapwing::detectors {
namespace {

constexpr std::uint8_t kFoldFormat = 2;

Severity severity_of(PathClass c) {
  switch (c) {
    case PathClass::kOrigin:
      return Severity::kWarning;
    case PathClass::kUpstream:
    case PathClass::kWithdrawn:
      return Severity::kNotice;
    case PathClass::kPrepending:
      return Severity::kDebug;
    case PathClass::kAnnounced:
    case PathClass::kTransit:
    case PathClass::kLength:
      return Severity::kInfo;
  }
  return Severity::kInfo;
}

std::string_view rule_of(PathClass c) {
  switch (c) {
    case PathClass::kAnnounced:
      return "a neighbour that had no path for it has one";
    case PathClass::kWithdrawn:
      return "a neighbour withdrew its path";
    case PathClass::kOrigin:
      return "the last AS of the path is another one";
    case PathClass::kUpstream:
      return "the AS before the origin is another one";
    case PathClass::kTransit:
      return "an AS beyond the upstream left or came";
    case PathClass::kLength:
      return "the same ASes stand in another order or number";
    case PathClass::kPrepending:
      return "only the number of repetitions of an AS changed";
  }
  return "";
}

std::string as_text(Asn as) { return as == 0 ? "an AS_SET or nothing" : fmt::format("AS{}", as); }

std::string what_changed(PathClass kind, const PathDifference& d) {
  switch (kind) {
    case PathClass::kAnnounced:
      return fmt::format("announced from {}", as_text(d.came));
    case PathClass::kWithdrawn:
      return fmt::format("withdrawn, was from {}", as_text(d.left));
    case PathClass::kOrigin:
      return fmt::format("origin changed from {} to {}", as_text(d.left), as_text(d.came));
    case PathClass::kUpstream:
      return fmt::format("upstream changed from {} to {}", as_text(d.left), as_text(d.came));
    case PathClass::kTransit:
      if (d.left == 0) return fmt::format("{} came into the path", as_text(d.came));
      if (d.came == 0) return fmt::format("{} left the path", as_text(d.left));
      return fmt::format("{} left the path, {} came", as_text(d.left), as_text(d.came));
    case PathClass::kLength:
      return fmt::format("length changed from {} to {} hops", d.old_length, d.new_length);
    case PathClass::kPrepending:
      return fmt::format("prepending changed, {} to {} hops", d.old_length, d.new_length);
  }
  return "";
}

/// One child of an event as JSON; names and members as in an event's evidence.
std::string evidence_as_json(const Evidence& e) {
  const auto path = [](const std::optional<SharedText>& text) {
    return text ? json_string(*text) : std::string("null");
  };
  return fmt::format(
      R"({{"peer":{},"peer_as":{},"prefix":"{}","old_path":{},"new_path":{},"time":"{}"}})",
      json_string(e.peer), e.peer_as, format_prefix(e.prefix), path(e.old_path), path(e.new_path),
      format_rfc3339(e.time));
}

void merge(std::optional<Asn>& into, bool& mixed, Asn value, bool first) {
  if (first) into = value == 0 ? std::nullopt : std::optional(value);
  if (into.value_or(0) == value) return;
  mixed = true;
  into.reset();
}

}  // namespace

void PathChange::fold(const RouteChange& change, const PathDifference& d, const Adjacency& before,
                      const Adjacency& after) {
  const FoldKey key{d.kind, d.left, d.came, explanation(before, after)};
  const auto found = folds_.find(key);
  // Too many causes at once: what is new shares one fold for each class.
  const FoldKey used = found != folds_.end() || folds_.size() < kMaxFolds
                           ? key
                           : FoldKey{d.kind, kMany, kMany, std::nullopt};
  const bool first = !folds_.contains(used);
  Fold& f = folds_[used];
  if (first) {
    f.first = host_->now();
    f.timer = next_timer_++;
    f.sample = d;
    by_timer_[f.timer] = used;
    host_->set_timer(f.timer, f.first + settings_.window);
  }
  f.last = host_->now();
  ++f.count;
  f.cause = change.cause;
  merge_last_known(f.last_known, change);
  const Adjacency& shown = change.after == kNoPath ? before : after;
  if (!f.mixed_origin) merge(f.origin, f.mixed_origin, shown.origin, first);
  if (!f.mixed_upstream) merge(f.upstream, f.mixed_upstream, shown.upstream, first);
  if (!f.mixed_at) merge(f.at, f.mixed_at, d.at, first);
  const Prefix prefix = host_->prefix(change.prefix);
  if (f.prefixes.size() < kMaxPrefixSet)
    f.prefixes.insert(prefix);
  else if (!f.prefixes.contains(prefix))
    f.more_prefixes = true;
  insert_bounded(f.peers, host_->peer(change.peer).name, kMaxPeers);
  add_child(f, change);
  if (f.count <= Event::kMaxEvidence || std::has_single_bit(f.count)) store_fold(used, f);
}

void PathChange::add_child(Fold& f, const RouteChange& change) {
  if (f.children.size() >= settings_.children || children_ >= kMaxChildren) return;
  ++children_;
  f.children.push_back(make_evidence(*host_, change));
}

EventId PathChange::id_of(const FoldKey& key, const Fold& f) const {
  std::uint64_t explained[2] = {};
  if (key.explained_by)
    for (std::size_t i = 0; i < 16; ++i)
      explained[i / 8] = explained[i / 8] << 8 | key.explained_by->bytes[i];
  const std::uint64_t parts[] = {static_cast<std::uint64_t>(key.kind),
                                 key.left,
                                 key.came,
                                 explained[0],
                                 explained[1],
                                 static_cast<std::uint64_t>(unix_micros(f.first))};
  return make_event_id("path-change", parts);
}

void PathChange::on_timer(std::uint64_t timer) {
  const auto it = by_timer_.find(timer);
  if (it == by_timer_.end()) return;
  const FoldKey key = it->second;
  by_timer_.erase(it);
  const auto fold = folds_.find(key);
  Fold f = std::move(fold->second);
  folds_.erase(fold);
  report(key, std::move(f));
}

void PathChange::finish() {
  while (!by_timer_.empty()) {
    const std::uint64_t timer = by_timer_.begin()->first;  // in the order in which they began
    host_->cancel_timer(timer);
    on_timer(timer);
  }
}

void PathChange::report(const FoldKey& key, Fold&& f) {
  Event e;
  e.id = e.incident = id_of(key, f);
  e.type = "path-change";
  e.action = Action::kUpdate;
  e.severity = severity_of(key.kind);
  e.time = f.first;
  e.cause = f.cause;
  e.origin_as = f.origin;
  e.upstream_as = f.upstream;
  for (const Prefix& prefix : f.prefixes) {
    if (e.prefixes.size() == Event::kMaxPrefixes) break;
    e.prefixes.push_back(prefix);
  }
  e.prefix_count = static_cast<std::uint32_t>(f.prefixes.size());
  e.peers = f.peers;
  if (f.last_known) e.changed_between = TimeRange{*f.last_known, f.last};
  e.evidence.assign(f.children.begin(),
                    f.children.begin() + static_cast<std::ptrdiff_t>(
                                             std::min(f.children.size(), Event::kMaxEvidence)));
  const bool many = key.left == kMany && key.came == kMany;
  e.fields.push_back({"class", std::string(to_string(key.kind))});
  if (!many && key.left != 0) e.fields.push_back({"as_left", std::int64_t{key.left}});
  if (!many && key.came != 0) e.fields.push_back({"as_came", std::int64_t{key.came}});
  if (!many && f.at) e.fields.push_back({"at_as", std::int64_t{*f.at}});
  e.fields.push_back({"count", static_cast<std::int64_t>(f.count)});
  if (f.sample.old_length != 0 || f.sample.new_length != 0) {
    e.fields.push_back({"old_length", std::int64_t{f.sample.old_length}});
    e.fields.push_back({"new_length", std::int64_t{f.sample.new_length}});
  }
  e.fields.push_back({"last_time", f.last});
  if (key.explained_by) e.fields.push_back({"explained_by", format_event_id(*key.explained_by)});
  if (many) e.fields.push_back({"mixed", true});
  if (f.more_prefixes) e.fields.push_back({"more_prefixes", true});
  if (f.restored) e.fields.push_back({"count_is_lower_bound", true});
  e.rule = rule_of(key.kind);
  e.summary =
      fmt::format("{}: {} ({}{}, seen by {})", join_prefixes(e.prefixes, e.prefix_count),
                  many ? fmt::format("paths changed in many ways, class {}", to_string(key.kind))
                       : what_changed(key.kind, f.sample),
                  f.restored ? "at least " : "", count_of(f.count, "change", "changes"),
                  join_names(e.peers, e.peers.size()));
  keep_children(e.id, f);
  children_ -= f.children.size();
  host_->erase_state(fold_state_key(key));
  host_->emit(std::move(e));
}

void PathChange::keep_children(const EventId& id, const Fold& f) {
  if (settings_.events_kept == 0) return;
  const auto state_key = [](const EventId& of) {
    std::string key = "c";
    put_octets(key, of.bytes);
    return key;
  };
  std::string json = "[";
  for (const Evidence& e : f.children) {
    if (json.size() != 1) json += ',';
    json += evidence_as_json(e);
  }
  json += ']';
  kept_octets_ += json.size();
  while (!kept_.empty() && (kept_.size() >= settings_.events_kept || kept_octets_ > kMaxKept)) {
    kept_octets_ -= kept_.front().json.size();
    host_->erase_state(state_key(kept_.front().id));
    kept_.pop_front();
  }
  std::string value;
  put_time(value, host_->now());
  put_text(value, json);
  host_->put_state(state_key(id), value);
  kept_.push_back({id, host_->now(), std::move(json)});
}

std::string PathChange::fold_state_key(const FoldKey& key) {
  std::string text = "f";
  put_u8(text, static_cast<std::uint8_t>(key.kind));
  put_u32(text, key.left);
  put_u32(text, key.came);
  if (key.explained_by) put_octets(text, key.explained_by->bytes);
  return text;
}

/// format | class | left | came | explained by (0, or 1 and 16 octets) | first, last | count |
/// cause | order among those of one time (since format 2) | at, old length, new length | origin,
/// upstream (0: none) | mixed (1: origin, 2: upstream, 4: at) | last known (0, or 1 and time) |
/// number of children | each: peer, its AS, prefix, paths, time.
void PathChange::store_fold(const FoldKey& key, const Fold& f) {
  std::string v;
  put_u8(v, kFoldFormat);
  put_u8(v, static_cast<std::uint8_t>(key.kind));
  put_u32(v, key.left);
  put_u32(v, key.came);
  put_u8(v, key.explained_by ? 1 : 0);
  if (key.explained_by) put_octets(v, key.explained_by->bytes);
  put_time(v, f.first);
  put_time(v, f.last);
  put_u64(v, f.count);
  put_u8(v, static_cast<std::uint8_t>(f.cause));
  put_u64(v, f.timer);
  for (const std::uint32_t n : {f.sample.left, f.sample.came, f.sample.at, f.sample.old_length,
                                f.sample.new_length, f.origin.value_or(0), f.upstream.value_or(0)})
    put_u32(v, n);
  put_u8(v, static_cast<std::uint8_t>((f.mixed_origin ? 1 : 0) | (f.mixed_upstream ? 2 : 0) |
                                      (f.mixed_at ? 4 : 0)));
  put_u8(v, f.last_known ? 1 : 0);
  if (f.last_known) put_time(v, *f.last_known);
  const std::size_t evidence = std::min(f.children.size(), Event::kMaxEvidence);
  put_u8(v, static_cast<std::uint8_t>(evidence));
  for (std::size_t i = 0; i < evidence; ++i) {
    const Evidence& e = f.children[i];
    put_text(v, e.peer);
    put_u32(v, e.peer_as);
    put_u8(v, static_cast<std::uint8_t>(e.prefix.address.version));
    put_octets(v, e.prefix.address.bytes);
    put_u8(v, e.prefix.length);
    for (const auto* path : {&e.old_path, &e.new_path}) {
      put_u8(v, *path ? 1 : 0);
      if (*path) put_text(v, **path);
    }
    put_time(v, e.time);
  }
  host_->put_state(fold_state_key(key), v);
}

void PathChange::restore_fold(std::string_view value) {
  StateReader in(value);
  FoldKey key;
  Fold f;
  const std::uint8_t format = in.u8();
  key.kind = static_cast<PathClass>(in.u8());
  key.left = in.u32();
  key.came = in.u32();
  if (in.u8() != 0) in.octets(key.explained_by.emplace().bytes);
  f.first = in.time();
  f.last = in.time();
  f.count = in.u64();
  f.cause = static_cast<Cause>(in.u8());
  if (format >= 2) f.timer = in.u64();
  f.sample.kind = key.kind;
  for (std::uint32_t* n :
       {&f.sample.left, &f.sample.came, &f.sample.at, &f.sample.old_length, &f.sample.new_length})
    *n = in.u32();
  for (auto* as : {&f.origin, &f.upstream})
    if (const Asn value_of = in.u32(); value_of != 0) *as = value_of;
  const std::uint8_t mixed = in.u8();
  f.mixed_origin = (mixed & 1) != 0;
  f.mixed_upstream = (mixed & 2) != 0;
  f.mixed_at = (mixed & 4) != 0;
  if (!f.mixed_at && f.sample.at != 0) f.at = f.sample.at;
  if (in.u8() != 0) f.last_known = in.time();
  for (std::size_t left = in.u8(); left != 0 && in.ok(); --left) {
    Evidence& e = f.children.emplace_back();
    e.peer = in.text();
    e.peer_as = in.u32();
    e.prefix.address.version = static_cast<IpVersion>(in.u8());
    in.octets(e.prefix.address.bytes);
    e.prefix.length = in.u8();
    for (auto* path : {&e.old_path, &e.new_path})
      if (in.u8() != 0) *path = in.text();
    e.time = in.time();
    f.prefixes.insert(e.prefix);
    insert_bounded(f.peers, std::string(e.peer.view()), kMaxPeers);
  }
  if (format == 0 || format > kFoldFormat || !in.at_end() ||
      static_cast<std::size_t>(key.kind) >= kPathClasses)
    throw std::runtime_error("path-change: a stored fold is damaged or of a newer format");
  f.restored = f.count >= Event::kMaxEvidence;  // fewer are written one by one
  children_ += f.children.size();
  folds_.emplace(key, std::move(f));
}

}  // namespace lapwing::detectors
