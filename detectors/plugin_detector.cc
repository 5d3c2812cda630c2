#include "detectors/plugin_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "detectors/adjacency.h"
#include "detectors/event_text.h"
#include "detectors/evidence.h"

namespace lapwing::detectors {
namespace {

constexpr std::size_t kMaxText = 4096;   // of a rule, a summary or a field
constexpr std::size_t kMaxFields = 64;

/// In lower snake case, and none that the JSON of every event has.
bool is_field_name(const char* name) {
  static constexpr std::string_view kOfAll[] = {
      "number", "id", "incident", "type", "action", "severity", "time", "origin_as", "upstream_as",
      "prefixes", "prefix_count", "origin_prefix_count", "peers", "direct", "cause",
      "changed_between", "known_upstreams", "evidence", "rule", "summary"};
  const std::string_view text = name == nullptr ? std::string_view() : name;
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == text.npos &&
         std::ranges::count(kOfAll, text) == 0;
}

}  // namespace

bool is_hyphenated(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kAll = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && kLetters.find(name.front()) != kLetters.npos && name.back() != '-' &&
         name.find_first_not_of(kAll) == name.npos && name.find("--") == name.npos;
}

namespace {

lapwing_text to_c(std::string_view text) { return {text.data(), text.size()}; }
std::string_view from_c(lapwing_text text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}
std::int64_t to_c(const std::optional<Timestamp>& time) {
  return time ? unix_micros(*time) : LAPWING_NO_TIME;
}

/// Copies as much of `full` as the caller's struct has room for, and leaves its `size`.
template <typename T>
void copy_out(const T& full, T* out) {
  const std::size_t size = std::min(out->size, sizeof(T));
  if (size <= sizeof(std::size_t)) return;
  std::memcpy(reinterpret_cast<char*>(out) + sizeof(std::size_t),
              reinterpret_cast<const char*>(&full) + sizeof(std::size_t),
              size - sizeof(std::size_t));
}

Prefix from_c(const lapwing_prefix& p) {
  IpAddress address;
  address.version = p.version == 6 ? IpVersion::kV6 : IpVersion::kV4;
  std::memcpy(address.bytes.data(), p.address, address.size());
  const std::uint8_t most = address.version == IpVersion::kV4 ? 32 : 128;
  return Prefix::make(address, std::min(p.length, most));
}

lapwing_prefix to_c(const Prefix& p) {
  lapwing_prefix out{};
  out.version = static_cast<std::uint8_t>(p.address.version);
  out.length = p.length;
  std::memcpy(out.address, p.address.bytes.data(), sizeof out.address);
  return out;
}

std::string bounded(std::string_view text) { return std::string(text.substr(0, kMaxText)); }

lapwing_route to_c(const RouteView& route) {
  return {sizeof(lapwing_route), route.peer, route.prefix, route.path,
          static_cast<std::uint8_t>(route.stale ? 1 : 0)};
}

}  // namespace

PluginDetector::PluginDetector(std::string name, const lapwing_plugin_table& table,
                               Settings& settings)
    : name_(std::move(name)), settings_(&settings) {
  std::memcpy(&table_, &table, std::min(table.size, sizeof table_));
  fill_host_table();
  self_ = table_.create(&host_table_.c, name_.c_str());
  if (self_ == nullptr && !failure_) failure_ = "its function `create` returned NULL";
  settings_ = nullptr;
  texts_.clear();
}

PluginDetector::~PluginDetector() {
  if (self_ != nullptr && table_.destroy != nullptr) table_.destroy(self_);
}

PluginDetector& PluginDetector::of(const lapwing_host* host) {
  return *reinterpret_cast<const HostTable*>(host)->self;
}

/// Calls into the plugin; what `fail` noted becomes the exception that disables a detector.
template <typename Fn, typename... Args>
void PluginDetector::call(Fn* fn, Args... args) {
  if (fn == nullptr) return;
  fn(self_, args...);
  if (failure_) throw std::runtime_error(*failure_);
}

void PluginDetector::attach(Host& host) {
  host_ = &host;
  watch_.attach(host);
}

RouteInterest PluginDetector::route_interest() const {
  switch (table_.routes) {
    case LAPWING_ROUTES_NONE:
      return RouteInterest::kNone;
    case LAPWING_ROUTES_LIVE:
      return RouteInterest::kLive;
    default:
      return RouteInterest::kAll;
  }
}

void PluginDetector::restore_state(std::string_view key, std::string_view value) {
  call(table_.restore_state, to_c(key), to_c(value));
}

void PluginDetector::restore_route(const RouteView& route) {
  const lapwing_route c = to_c(route);
  call(table_.restore_route, &c);
}

void PluginDetector::start_up() { call(table_.start_up); }

void PluginDetector::on_route_change(const RouteChange& change) {
  const lapwing_route_change c{sizeof c,
                               change.peer,
                               change.prefix,
                               change.before,
                               change.after,
                               static_cast<std::uint8_t>(change.cause),
                               static_cast<std::uint8_t>(change.baseline ? 1 : 0),
                               to_c(change.last_known),
                               static_cast<std::uint8_t>(change.peer_removed ? 1 : 0)};
  call(table_.on_route_change, &c);
}

void PluginDetector::on_update_end() { call(table_.on_update_end); }

void PluginDetector::on_peer_change(const PeerChange& change) {
  const lapwing_peer_change c{sizeof c,
                              change.peer,
                              static_cast<std::uint8_t>(change.event),
                              change.family.afi,
                              change.family.safi,
                              to_c(change.reason),
                              to_c(change.blind_since)};
  call(table_.on_peer_change, &c);
}

void PluginDetector::on_timer(std::uint64_t key) { call(table_.on_timer, key); }
void PluginDetector::path_released(PathId path) { call(table_.path_released, path); }
void PluginDetector::prefix_released(PrefixId prefix) { call(table_.prefix_released, prefix); }
void PluginDetector::finish() { call(table_.finish); }

void PluginDetector::fill_host_table() {
  using CHost = const lapwing_host*;
  host_table_.self = this;
  lapwing_host& c = host_table_.c;
  c.size = sizeof c;
  c.now = [](CHost h) { return unix_micros(of(h).host_->now()); };
  c.path = [](CHost h, std::uint32_t path) {
    const Octets octets = of(h).host_->path(path).octets();
    return lapwing_text{reinterpret_cast<const char*>(octets.data()), octets.size()};
  };
  c.as_path = [](CHost h, std::uint32_t path, std::uint32_t* hops, std::size_t room) {
    const std::vector<Asn> all = counted_hops(of(h).host_->path(path).as_path());
    std::copy_n(all.begin(), std::min(room, all.size()), hops);
    return all.size();
  };
  c.nlri = [](CHost h, std::uint32_t prefix, lapwing_nlri* out) {
    const Nlri n = of(h).host_->nlri(prefix);
    copy_out(lapwing_nlri{0, to_c(n.prefix), n.family.afi, n.family.safi,
                          static_cast<std::uint8_t>(n.has_path_id ? 1 : 0), n.path_id, n.rd},
             out);
  };
  c.peer = [](CHost h, std::uint32_t peer, lapwing_peer* out) {
    const PeerInfo& p = of(h).host_->peer(peer);
    copy_out(lapwing_peer{0, to_c(p.name), p.as, p.local_as,
                          static_cast<std::uint8_t>(p.internal ? 1 : 0)},
             out);
  };
  c.watches_prefix = [](CHost h, const lapwing_prefix* prefix) {
    return of(h).watch_.covering(from_c(*prefix)) ? 1 : 0;
  };
  c.watches_as = [](CHost h, std::uint32_t as) { return of(h).watch_.names(as) ? 1 : 0; };
  c.for_each_route = [](CHost h, std::uint32_t prefix,
                        void (*fn)(void*, const lapwing_route*), void* context) {
    of(h).host_->for_each_route(prefix, [&](const RouteView& route) {
      const lapwing_route view = to_c(route);
      fn(context, &view);
      return true;
    });
  };
  c.set_timer = [](CHost h, std::uint64_t key, std::int64_t due) {
    of(h).host_->set_timer(key, from_unix_micros(due));
  };
  c.cancel_timer = [](CHost h, std::uint64_t key) { of(h).host_->cancel_timer(key); };
  c.put_state = [](CHost h, lapwing_text key, lapwing_text value) {
    of(h).host_->put_state(from_c(key), from_c(value));
  };
  c.erase_state = [](CHost h, lapwing_text key) { of(h).host_->erase_state(from_c(key)); };
  c.emit = [](CHost h, const lapwing_event* event) { of(h).emit(*event); };
  c.integer_setting = [](CHost h, const char* key, std::int64_t fallback, std::int64_t min,
                         std::int64_t max) {
    Settings* settings = of(h).settings_;
    return settings == nullptr ? fallback : settings->integer(key, fallback, min, max);
  };
  c.text_setting = [](CHost h, const char* key, const char* fallback) {
    PluginDetector& self = of(h);
    if (self.settings_ == nullptr) return to_c(std::string_view(fallback));
    self.texts_.reserve(256);  // texts given out before stay where they are
    if (self.texts_.size() == 256) return to_c(std::string_view(fallback));
    self.texts_.push_back(self.settings_->text(key, fallback));
    return to_c(std::string_view(self.texts_.back()));
  };
  c.fail = [](CHost h, const char* why) {
    if (!of(h).failure_) of(h).failure_ = bounded(why == nullptr ? "no reason given" : why);
  };
  c.add_witness = [](CHost h, const char* type, const std::uint64_t* parts, std::size_t count,
                     std::uint32_t peer) {
    const PluginDetector& self = of(h);
    if (self.host_->counts_witnesses())
      self.host_->add_witness(self.incident_of({parts, count}), type, peer);
  };
}

void PluginDetector::emit(const lapwing_event& given) {
  lapwing_event event{};
  std::memcpy(&event, &given, std::min(given.size, sizeof event));
  const bool fine = event.type != nullptr && is_hyphenated(event.type) && event.id_part_count != 0 &&
                    event.action <= LAPWING_CLEAR && event.severity <= 7 &&
                    event.cause <= LAPWING_REPLAY;
  if (!fine) {
    failure_ = "an event needs a type of lower-case words joined by hyphens, parts of an id, and an "
               "action, a severity and a cause in range";
    return;
  }
  for (std::size_t i = 0; i < std::min(event.field_count, kMaxFields); ++i) {
    if (is_field_name(event.fields[i].name)) continue;
    failure_ = "a member of an event needs a name in lower snake case that not every event has";
    return;
  }
  host_->emit(to_event(event));
}

EventId PluginDetector::incident_of(std::span<const std::uint64_t> parts) const {
  return make_event_id(name_ + " incident", parts);
}

Event PluginDetector::to_event(const lapwing_event& c) const {
  Event e;
  const std::string domain = name_ + ' ' + c.type;
  e.id = make_event_id(domain, {c.id_parts, c.id_part_count});
  e.incident = c.incident_part_count == 0
                   ? e.id
                   : incident_of({c.incident_parts, c.incident_part_count});
  e.type = bounded(c.type);
  e.action = c.action == LAPWING_RAISE    ? Action::kRaise
             : c.action == LAPWING_UPDATE ? Action::kUpdate
                                          : Action::kClear;
  e.severity = static_cast<Severity>(c.severity);
  e.time = host_->now();
  e.cause = static_cast<Cause>(c.cause);
  if (c.has_origin != 0) e.origin_as = c.origin_as;
  if (c.has_upstream != 0) e.upstream_as = c.upstream_as;
  if (c.last_known != LAPWING_NO_TIME && c.last_known != 0)
    e.changed_between = TimeRange{from_unix_micros(c.last_known), e.time};
  for (std::size_t i = 0; i < c.prefix_count; ++i)
    insert_bounded(e.prefixes, from_c(c.prefixes[i]), Event::kMaxPrefixes);
  e.prefix_count = static_cast<std::uint32_t>(c.prefix_count);
  for (std::size_t i = 0; i < c.peer_count; ++i)
    insert_bounded(e.peers, host_->peer(c.peers[i]).name, kMaxEventPeers);
  for (std::size_t i = 0; i < std::min(c.evidence_count, Event::kMaxEvidence); ++i) {
    RouteChange change;
    change.peer = c.evidence[i].peer;
    change.prefix = c.evidence[i].prefix;
    change.before = c.evidence[i].before;
    change.after = c.evidence[i].after;
    e.evidence.push_back(make_evidence(*host_, change));
  }
  for (std::size_t i = 0; i < std::min(c.field_count, kMaxFields); ++i) {
    const lapwing_field& f = c.fields[i];
    FieldValue value = f.number;
    if (f.kind == LAPWING_BOOLEAN) value = f.number != 0;
    if (f.kind == LAPWING_TEXT) value = bounded(from_c(f.text));
    if (f.kind == LAPWING_TIME) value = from_unix_micros(f.number);
    e.fields.push_back({f.name, std::move(value)});
  }
  if (c.ends != nullptr) e.ends = bounded(c.ends);
  e.rule = bounded(from_c(c.rule));
  e.summary = bounded(from_c(c.summary));
  return e;
}

}  // namespace lapwing::detectors
