// A host in memory: routes, timers, events and state, so that a detector's scenario reads as a
// story.
//
//   FakeHost host("new-upstream");
//   const PeerId rrc03 = host.add_peer("rrc03-x", 3333);
//   host.at("2017-10-01T09:00:00Z");
//   host.table(rrc03, {"175.45.176.0/24"}, "3333 4837 131279");   // first table
//   host.announce(rrc03, {"175.45.176.0/24"}, "3333 20485 131279");
//
// It is as strict as the contract allows: ids are released the moment no route uses them, a
// released id answers no more, and a second event with a known id is counted apart.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lapwing/detector.h"

namespace lapwing::test {

inline Timestamp time_of(std::string_view text) {
  const auto t = parse_rfc3339(text);
  if (!t) throw std::invalid_argument("no time: " + std::string(text));
  return *t;
}

inline Prefix prefix_of(std::string_view text) {
  const auto p = parse_prefix(text);
  if (!p) throw std::invalid_argument("no prefix: " + std::string(text));
  return *p;
}

/// "192.0.2.0/24", or "192.0.2.0/24#7" with path identifier 7.
inline Nlri nlri_of(std::string_view text) {
  Nlri n;
  const std::size_t mark = text.find('#');
  n.prefix = prefix_of(text.substr(0, mark));
  n.family = n.prefix.address.version == IpVersion::kV4 ? kIpv4Unicast : kIpv6Unicast;
  if (mark != std::string_view::npos) {
    n.has_path_id = true;
    n.path_id = static_cast<std::uint32_t>(std::stoul(std::string(text.substr(mark + 1))));
  }
  return n;
}

inline void put_varint(std::vector<std::uint8_t>& to, std::uint32_t v) {
  for (; v >= 0x80; v >>= 7) to.push_back(static_cast<std::uint8_t>(v | 0x80));
  to.push_back(static_cast<std::uint8_t>(v));
}

/// The AS_PATH octets of what `format_as_path` writes.
inline std::vector<std::uint8_t> as_path_octets(std::string_view text) {
  std::vector<std::uint8_t> out;
  std::vector<Asn> ases;
  std::uint8_t type = 2;
  const auto flush = [&] {
    if (ases.empty()) return;
    out.push_back(type);
    put_varint(out, static_cast<std::uint32_t>(ases.size()));
    for (const Asn as : ases) put_varint(out, as);
    ases.clear();
  };
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c >= '0' && c <= '9') {
      std::size_t used = 0;
      ases.push_back(static_cast<Asn>(std::stoul(std::string(text.substr(i)), &used)));
      i += used;
      continue;
    }
    if (c == '{' || c == '(' || c == '[') {
      flush();
      type = c == '{' ? 1 : c == '(' ? 3 : 4;
    } else if (c == '}' || c == ')' || c == ']') {
      flush();
      type = 2;
    }
    ++i;
  }
  flush();
  return out;
}

/// An attribute set with this AS path; `med` makes sets that differ elsewhere.
inline std::vector<std::uint8_t> attributes_of(std::string_view path, std::uint32_t med) {
  std::vector<std::uint8_t> out{1, 1, 0, 2};
  const auto octets = as_path_octets(path);
  put_varint(out, static_cast<std::uint32_t>(octets.size()));
  out.insert(out.end(), octets.begin(), octets.end());
  out.insert(out.end(),
             {4, 4, static_cast<std::uint8_t>(med >> 24), static_cast<std::uint8_t>(med >> 16),
              static_cast<std::uint8_t>(med >> 8), static_cast<std::uint8_t>(med)});
  return out;
}

class FakeHost final : public Host {
 public:
  /// How ids are given: detectors must not depend on it.
  enum class Numbering { kDenseReused, kSparse, kDense };

  explicit FakeHost(std::string_view detector, Numbering numbering = Numbering::kDenseReused)
      : detector_name_(detector), numbering_(numbering) {}

  Settings settings;
  Watch watched;
  std::vector<Asn> route_servers;
  std::deque<Event> events;
  std::vector<std::pair<EventId, std::string>> witnesses;  // incident; "type neighbour"
  std::size_t duplicate_events = 0;
  std::map<std::string, std::string> state;
  std::size_t state_writes = 0;
  Cause cause = Cause::kLive;

  PeerId add_peer(std::string name, Asn as, Asn local_as = 64512) {
    PeerInfo p;
    p.id = static_cast<PeerId>(peers_.size());
    p.name = std::move(name);
    p.as = as;
    p.local_as = local_as;
    p.internal = as == local_as;
    peers_.push_back(p);
    return p.id;
  }

  /// Serves this one, which the caller owns, instead of making its own.
  void use(Detector& detector) {
    used_ = &detector;
    timers_.clear();
    detector.attach(*this);
    interest_ = detector.route_interest();
    const auto stored = state;
    for (const auto& [key, value] : stored) detector.restore_state(key, value);
    detector.start_up();
  }

  /// Creates the detector at first use.
  Detector& detector() {
    if (used_ != nullptr) return *used_;
    if (!detector_) {
      Settings copy = settings;
      detector_ = make_detector(detector_name_, copy);
      REQUIRE(detector_ != nullptr);
      REQUIRE(copy.finish().empty());
      detector_->attach(*this);
      interest_ = detector_->route_interest();
      for (const auto& [key, value] : state) detector_->restore_state(key, value);
      for (auto& [prefix, routes] : routes_)
        for (auto& [peer, route] : routes) {
          route.stale = true;
          if (interest_ == RouteInterest::kAll)
            detector_->restore_route({peer, prefix, route.path, true});
        }
      detector_->start_up();
    }
    return *detector_;
  }

  /// The process ends and starts again; timers are lost, state and routes are kept.
  void restart() {
    detector();
    detector_.reset();
    timers_.clear();
    detector();
  }

  /// Switched off: `meanwhile` changes routes of which it is told nothing; then on again.
  template <typename Fn>
  void off_while(Fn&& meanwhile) {
    detector();
    timers_.clear();
    const RouteInterest interest = std::exchange(interest_, RouteInterest::kNone);
    meanwhile();
    interest_ = interest;
    detector_.reset();
    detector();
  }

  void at(std::string_view time) { at(time_of(time)); }
  void at(Timestamp time) {
    detector();
    while (!timers_.empty() && timers_.begin()->first.first <= time) {
      const auto [when, key] = *timers_.begin();
      timers_.erase(timers_.begin());
      now_ = std::max(now_, when.first);
      detector().on_timer(key);
    }
    now_ = std::max(now_, time);
  }
  void after(microseconds d) { at(now_ + d); }

  using Texts = std::vector<std::string>;
  void announce(PeerId p, const Texts& nlri, std::string_view path, std::uint32_t med = 0) {
    for (const auto& n : nlri) change(p, n, attributes_of(path, med), false, std::nullopt);
    end();
  }
  /// Both in one UPDATE.
  void replace(PeerId p, const Texts& withdrawn, const Texts& announced, std::string_view path) {
    for (const auto& n : withdrawn) change(p, n, std::nullopt, false, std::nullopt);
    announce(p, announced, path);
  }
  void withdraw(PeerId p, const Texts& nlri) {
    for (const auto& n : nlri) change(p, n, std::nullopt, false, std::nullopt);
    end();
  }
  /// Of a neighbour's first table.
  void table(PeerId p, const Texts& nlri, std::string_view path) {
    for (const auto& n : nlri) change(p, n, attributes_of(path, 0), true, std::nullopt);
    end();
  }
  /// Found when the neighbour came back: `path` empty optional is "not re-announced".
  void found(PeerId p, const Texts& nlri, std::optional<std::string> path, std::string_view known) {
    const Cause before = std::exchange(cause, Cause::kResync);
    for (const auto& n : nlri)
      change(p, n, path ? std::optional(attributes_of(*path, 0)) : std::nullopt, false,
             time_of(known));
    end();
    cause = before;
  }
  /// A part of an UPDATE; `end` closes it.
  void change(PeerId p, std::string_view text,
              const std::optional<std::vector<std::uint8_t>>& attributes, bool baseline,
              std::optional<Timestamp> last_known) {
    change(p, nlri_of(text), attributes, baseline, last_known);
  }
  void change(PeerId p, const Nlri& nlri,
              const std::optional<std::vector<std::uint8_t>>& attributes, bool baseline,
              std::optional<Timestamp> last_known) {
    Detector& d = detector();
    const PrefixId prefix = intern_prefix(nlri);
    auto& routes = routes_[prefix];
    const auto old = routes.find(p);
    RouteChange c;
    c.peer = p;
    c.prefix = prefix;
    c.before = old == routes.end() ? kNoPath : old->second.path;
    c.after = attributes ? intern_path(*attributes) : kNoPath;
    c.cause = cause;
    c.baseline = baseline;
    c.peer_removed = removing_;
    c.last_known = last_known;
    if (old != routes.end()) old->second.stale = false;
    if (c.before == c.after) return;
    if (c.after == kNoPath)
      routes.erase(p);
    else
      routes[p] = {c.after, false};
    if (c.after != kNoPath) ++path_uses_[c.after];
    if (interest_ == RouteInterest::kAll || (interest_ == RouteInterest::kLive && !baseline)) {
      d.on_route_change(c);
      told_ = true;
    }
    if (c.before != kNoPath) replaced_.push_back(c.before);
    if (routes.empty()) emptied_.push_back(prefix);
  }
  void end() {
    if (std::exchange(told_, false)) detector().on_update_end();
    for (const PathId path : std::exchange(replaced_, {})) drop_path(path);
    for (const PrefixId prefix : std::exchange(emptied_, {}))
      if (const auto it = routes_.find(prefix); it != routes_.end() && it->second.empty())
        drop_prefix(prefix);
  }

  /// As the engine does where the AS that the neighbour peers with changes; all paths are of one hop.
  void renumber(PeerId p, Asn local_as) {
    RouteChange c;
    c.peer = p;
    c.baseline = true;
    for (const bool comes : {false, true}) {
      for (const auto& [prefix, routes] : routes_)
        if (const auto it = routes.find(p); it != routes.end()) {
          c.prefix = prefix;
          (comes ? c.after : c.before) = it->second.path;
          detector().on_route_change(c);
        }
      c.before = kNoPath;
      peers_.at(p).local_as = local_as;
      peers_.at(p).internal = peers_.at(p).as == local_as;
    }
    detector().on_update_end();
  }

  void down(PeerId p, std::string reason = "") {
    for (auto& [prefix, routes] : routes_)
      if (const auto it = routes.find(p); it != routes.end()) it->second.stale = true;
    tell(p, PeerEvent::kDown, std::nullopt, std::move(reason));
  }
  void up(PeerId p, std::optional<Timestamp> blind_since = std::nullopt) {
    tell(p, PeerEvent::kUp, blind_since);
  }
  /// How a neighbour stands when the detector has started.
  void standing(PeerId p, std::optional<Timestamp> blind_since) {
    tell(p, PeerEvent::kStanding, blind_since);
  }
  /// No longer configured: its routes go as in a first table.
  void remove_peer(PeerId p) {
    drop_routes(p);
    tell(p, PeerEvent::kRemoved, std::nullopt);
  }
  /// Its first table is complete.
  void table_done(PeerId p, Family family = kIpv4Unicast) {
    tell(p, PeerEvent::kBaselineDone, std::nullopt, "", family);
  }
  /// Nobody said so.
  void drop_routes(PeerId p) {
    std::vector<Nlri> held;
    for (const auto& [prefix, routes] : routes_)
      if (routes.contains(p)) held.push_back(prefixes_.at(prefix));
    removing_ = true;
    for (const Nlri& nlri : held) change(p, nlri, std::nullopt, true, std::nullopt);
    removing_ = false;
    end();
  }

  /// The events since the last call, as "type origin upstream".
  Texts taken() {
    Texts out;
    for (; taken_ < events.size(); ++taken_) {
      const Event& e = events[taken_];
      std::string text = e.type;
      if (e.origin_as) text += ' ' + std::to_string(*e.origin_as);
      if (e.upstream_as) text += ' ' + std::to_string(*e.upstream_as);
      if (e.action == Action::kClear && e.type != "upstream-gone") text += " clear";
      out.push_back(std::move(text));
    }
    return out;
  }
  std::size_t timers() const { return timers_.size(); }

  // Host
  Timestamp now() const override { return now_; }
  PathView path(PathId id) const override { return PathView(Octets(paths_.at(id))); }
  Nlri nlri(PrefixId id) const override { return prefixes_.at(id); }
  const PeerInfo& peer(PeerId id) const override { return peers_.at(id); }
  std::optional<PrefixId> find_prefix(const Nlri& nlri) const override {
    const auto it = prefix_ids_.find(nlri);
    return it == prefix_ids_.end() ? std::nullopt : std::optional(it->second);
  }
  bool has_path(PathId id) const override { return paths_.contains(id); }
  bool has_prefix(PrefixId id) const override { return prefixes_.contains(id); }
  bool has_peer(PeerId id) const override { return id < peers_.size(); }
  const Watch& watch() const override { return watched; }
  std::span<const Asn> route_server_ases() const override { return route_servers; }
  bool is_stale(PeerId p, PrefixId prefix) const override { return routes_.at(prefix).at(p).stale; }
  void for_each_route(PrefixId prefix, FunctionRef<bool(const RouteView&)> fn) const override {
    const auto it = routes_.find(prefix);
    if (it == routes_.end()) return;
    for (const auto& [p, route] : it->second)
      if (!fn({p, prefix, route.path, route.stale})) return;
  }
  void set_timer(std::uint64_t key, Timestamp due) override {
    cancel_timer(key);
    timers_[{due, ++timer_order_}] = key;
  }
  void cancel_timer(std::uint64_t key) override {
    std::erase_if(timers_, [key](const auto& t) { return t.second == key; });
  }
  void put_state(std::string_view key, std::string_view value) override {
    state[std::string(key)] = value;
    ++state_writes;
  }
  void erase_state(std::string_view key) override { state.erase(std::string(key)); }
  bool counts_witnesses() const override { return true; }
  void add_witness(const EventId& incident, std::string_view type, PeerId peer) override {
    witnesses.push_back({incident, std::string(type) + ' ' + peers_.at(peer).name});
  }
  void emit(Event&& event) override {
    // A type that the registry does not list could be named by no [[suppress]] rule without a warning.
    if (used_ == nullptr && !is_built_in_event_type(event.type)) FAIL("no built-in type: " << event.type);
    if (!ids_.insert(event.id).second) {
      ++duplicate_events;
      return;
    }
    events.push_back(std::move(event));
  }

 private:
  bool removing_ = false;
  struct Route {
    PathId path = kNoPath;
    bool stale = false;
  };

  template <typename Map>
  std::uint32_t next_id(const Map& used, std::uint32_t& given) {
    if (numbering_ == Numbering::kSparse) return 5000 - 3 * given++ % 5000;
    if (numbering_ == Numbering::kDense) return given++;
    std::uint32_t id = 0;
    while (used.contains(id)) ++id;
    return id;
  }
  PrefixId intern_prefix(const Nlri& nlri) {
    if (const auto it = prefix_ids_.find(nlri); it != prefix_ids_.end()) return it->second;
    const PrefixId id = next_id(prefixes_, prefixes_given_);
    prefixes_[id] = nlri;
    return prefix_ids_[nlri] = id;
  }
  std::vector<PathId> replaced_;     // by the UPDATE that is open
  std::vector<PrefixId> emptied_;
  PathId intern_path(const std::vector<std::uint8_t>& attributes) {
    if (const auto it = path_ids_.find(attributes); it != path_ids_.end()) return it->second;
    const PathId id = next_id(paths_, paths_given_);
    paths_[id] = attributes;
    return path_ids_[attributes] = id;
  }
  void drop_path(PathId id) {
    if (--path_uses_.at(id) != 0) return;
    path_uses_.erase(id);
    path_ids_.erase(paths_.at(id));
    paths_.erase(id);
    if (interest_ != RouteInterest::kNone) detector().path_released(id);
  }
  void drop_prefix(PrefixId id) {
    routes_.erase(id);
    prefix_ids_.erase(prefixes_.at(id));
    prefixes_.erase(id);
    if (interest_ != RouteInterest::kNone) detector().prefix_released(id);
  }
  void tell(PeerId p, PeerEvent what, std::optional<Timestamp> blind_since,
            std::string reason = "", Family family = {}) {
    PeerChange c;
    c.family = family;
    c.reason = std::move(reason);
    c.peer = p;
    c.event = what;
    c.blind_since = blind_since;
    detector().on_peer_change(c);
  }

  std::string detector_name_;
  Numbering numbering_;
  Timestamp now_{};
  std::vector<PeerInfo> peers_;
  std::map<PathId, std::vector<std::uint8_t>> paths_;
  std::map<std::vector<std::uint8_t>, PathId> path_ids_;
  std::map<PathId, std::size_t> path_uses_;
  std::map<PrefixId, Nlri> prefixes_;
  std::map<Nlri, PrefixId> prefix_ids_;
  std::map<PrefixId, std::map<PeerId, Route>> routes_;
  std::uint32_t paths_given_ = 0, prefixes_given_ = 0;
  std::map<std::pair<Timestamp, std::uint64_t>, std::uint64_t> timers_;
  std::uint64_t timer_order_ = 0;
  std::set<EventId> ids_;
  std::size_t taken_ = 0;
  RouteInterest interest_ = RouteInterest::kAll;
  bool told_ = false;
  Detector* used_ = nullptr;
  std::unique_ptr<Detector> detector_;
};

/// The value of a field, or T{} and a failed check.
template <typename T>
T field(const Event& e, std::string_view name) {
  for (const Field& f : e.fields)
    if (f.name == name) {
      const T* value = std::get_if<T>(&f.value);
      REQUIRE_MESSAGE(value != nullptr, "field has another type: " << std::string(name));
      return *value;
    }
  FAIL_CHECK("no field " << std::string(name));
  return T{};
}

inline bool has_field(const Event& e, std::string_view name) {
  return std::any_of(e.fields.begin(), e.fields.end(),
                     [&](const Field& f) { return f.name == name; });
}

inline std::vector<std::string> prefix_texts(const Event& e) {
  std::vector<std::string> out;
  for (const Prefix& p : e.prefixes) out.push_back(format_prefix(p));
  return out;
}

}  // namespace lapwing::test
