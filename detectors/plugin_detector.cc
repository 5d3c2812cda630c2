#include "detectors/plugin_detector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "detectors/adjacency.h"
#include "detectors/plugin_event.h"

namespace lapwing::detectors {
namespace {

using CHost = const lapwing_host*;

lapwing_text to_c(std::string_view text) { return {text.data(), text.size()}; }
std::int64_t to_c(const std::optional<Timestamp>& time) {
  return time ? unix_micros(*time) : LAPWING_NO_TIME;
}

/// Copies as much of `full` as the caller's struct has room for, and leaves its `size`, which is set.
template <typename T>
void copy_out(const T& full, T* out) {
  const std::size_t size = std::min(out->size, sizeof(T));
  std::memcpy(reinterpret_cast<char*>(out) + sizeof(std::size_t),
              reinterpret_cast<const char*>(&full) + sizeof(std::size_t),
              size - sizeof(std::size_t));
}

lapwing_prefix to_c(const Prefix& p) {
  lapwing_prefix out{};
  out.version = static_cast<std::uint8_t>(p.address.version);
  out.length = p.length;
  std::memcpy(out.address, p.address.bytes.data(), sizeof out.address);
  return out;
}

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
  host_ = nullptr;  // what is told within `destroy` would belong to nothing
  if (self_ == nullptr || table_.destroy == nullptr) return;
  try {
    table_.destroy(self_);
  } catch (...) {  // it is gone, and nobody is left to fail
  }
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
  host_table_.self = this;
  lapwing_host& c = host_table_.c;
  c.size = sizeof c;
  fill_questions(c);
  fill_actions(c);
  c.integer_setting = [](CHost h, const char* key, std::int64_t fallback, std::int64_t min,
                         std::int64_t max) {
    Settings* const settings = of(h).settings("integer_setting", key);
    return settings == nullptr ? fallback : settings->integer(key, fallback, min, max);
  };
  c.text_setting = [](CHost h, const char* key, const char* fallback) {
    PluginDetector& self = of(h);
    Settings* const settings = self.settings("text_setting", key);
    if (fallback == nullptr) {
      self.refuse("text_setting", "`fallback` is NULL");
      return lapwing_text{};
    }
    if (settings == nullptr) return to_c(std::string_view(fallback));
    return to_c(std::string_view(self.texts_.emplace_back(settings->text(key, fallback))));
  };
}

void PluginDetector::fill_questions(lapwing_host& c) {
  c.now = [](CHost h) {
    const Host* const host = of(h).reach("now");
    return host == nullptr ? 0 : unix_micros(host->now());
  };
  c.path = [](CHost h, std::uint32_t path) {
    if (path == kNoPath) return lapwing_text{};
    const Host* const host = of(h).reach_path("path", path);
    if (host == nullptr) return lapwing_text{};
    const Octets octets = host->path(path).octets();
    return lapwing_text{reinterpret_cast<const char*>(octets.data()), octets.size()};
  };
  c.as_path = [](CHost h, std::uint32_t path, std::uint32_t* hops, std::size_t room) {
    if (path == kNoPath) return std::size_t{0};
    const Host* const host = of(h).reach_path("as_path", path);
    const bool no_room = hops == nullptr && room != 0;
    if (no_room) of(h).refuse("as_path", "`hops` is NULL, and `room` is not 0");
    if (host == nullptr || no_room) return std::size_t{0};
    const std::vector<Asn> all = counted_hops(host->path(path).as_path());
    std::copy_n(all.begin(), std::min(room, all.size()), hops);
    return all.size();
  };
  c.nlri = [](CHost h, std::uint32_t prefix, lapwing_nlri* out) {
    const Host* const host = of(h).reach_prefix("nlri", prefix);
    if (host == nullptr) return of(h).answer("nlri", lapwing_nlri{}, out);
    const Nlri n = host->nlri(prefix);
    of(h).answer("nlri",
                 lapwing_nlri{0, to_c(n.prefix), n.family.afi, n.family.safi,
                              static_cast<std::uint8_t>(n.has_path_id ? 1 : 0), n.path_id, n.rd},
                 out);
  };
  c.peer = [](CHost h, std::uint32_t peer, lapwing_peer* out) {
    const Host* const host = of(h).reach_peer("peer", peer);
    if (host == nullptr) return of(h).answer("peer", lapwing_peer{}, out);
    const PeerInfo& p = host->peer(peer);
    of(h).answer("peer",
                 lapwing_peer{0, to_c(p.name), p.as, p.local_as,
                              static_cast<std::uint8_t>(p.internal ? 1 : 0)},
                 out);
  };
  c.find_prefix = [](CHost h, const lapwing_nlri* nlri, std::uint32_t* prefix) {
    const Host* const host = of(h).reach("find_prefix");
    if (host == nullptr) return 0;
    if (nlri == nullptr || prefix == nullptr || nlri->size < sizeof *nlri ||
        !is_prefix(nlri->prefix)) {
      of(h).refuse("find_prefix",
                   "`nlri` or `prefix` is NULL, or it is no NLRI by its size, version and length");
      return 0;
    }
    const auto found = host->find_prefix({{nlri->afi, nlri->safi},
                                          nlri->rd,
                                          from_c(nlri->prefix),
                                          nlri->has_path_id != 0,
                                          nlri->path_id});
    if (found) *prefix = *found;
    return found ? 1 : 0;
  };
  c.watches_prefix = [](CHost h, const lapwing_prefix* prefix) {
    PluginDetector& self = of(h);
    if (self.reach("watches_prefix") == nullptr) return 0;
    if (prefix != nullptr && is_prefix(*prefix))
      return self.watch_.covering(from_c(*prefix)) ? 1 : 0;
    self.refuse("watches_prefix", "`prefix` is NULL, or no prefix by its version and length");
    return 0;
  };
  c.watches_as = [](CHost h, std::uint32_t as) {
    PluginDetector& self = of(h);
    return self.reach("watches_as") != nullptr && self.watch_.names(as) ? 1 : 0;
  };
  c.for_each_route = [](CHost h, std::uint32_t prefix, void (*fn)(void*, const lapwing_route*),
                        void* context) {
    const Host* const host = of(h).reach_prefix("for_each_route", prefix);
    if (fn == nullptr) of(h).refuse("for_each_route", "`fn` is NULL");
    if (host == nullptr || fn == nullptr) return;
    host->for_each_route(prefix, [&](const RouteView& route) {
      const lapwing_route view = to_c(route);
      fn(context, &view);
      return true;
    });
  };
}

void PluginDetector::fill_actions(lapwing_host& c) {
  c.set_timer = [](CHost h, std::uint64_t key, std::int64_t due) {
    if (Host* const host = of(h).reach("set_timer")) host->set_timer(key, from_unix_micros(due));
  };
  c.cancel_timer = [](CHost h, std::uint64_t key) {
    if (Host* const host = of(h).reach("cancel_timer")) host->cancel_timer(key);
  };
  c.put_state = [](CHost h, lapwing_text key, lapwing_text value) {
    Host* const host = of(h).reach("put_state");
    if (host != nullptr && of(h).takes("put_state", {key, value}))
      host->put_state(from_c(key), from_c(value));
  };
  c.erase_state = [](CHost h, lapwing_text key) {
    Host* const host = of(h).reach("erase_state");
    if (host != nullptr && of(h).takes("erase_state", {key})) host->erase_state(from_c(key));
  };
  c.emit = [](CHost h, const lapwing_event* event) { of(h).emit(event); };
  c.add_witness = [](CHost h, const char* type, const std::uint64_t* parts, std::size_t count,
                     std::uint32_t peer) { of(h).add_witness(type, parts, count, peer); };
  c.fail = [](CHost h, const char* why) {
    if (!of(h).failure_)
      of(h).failure_ = bounded_text(why == nullptr || *why == 0 ? "no reason given" : why);
  };
}

void PluginDetector::refuse(const char* call, std::string_view why) {
  if (!failure_) failure_ = fmt::format("`{}`: {}", call, why);
}

Host* PluginDetector::reach(const char* call) {
  if (host_ == nullptr) refuse(call, "not within `create` or `destroy`");
  return host_;
}

Host* PluginDetector::reach_path(const char* call, PathId path) {
  Host* const host = reach(call);
  if (host == nullptr || host->has_path(path)) return host;
  refuse(call, fmt::format("no path has the id {}", path));
  return nullptr;
}

Host* PluginDetector::reach_prefix(const char* call, PrefixId prefix) {
  Host* const host = reach(call);
  if (host == nullptr || host->has_prefix(prefix)) return host;
  refuse(call, fmt::format("no prefix has the id {}", prefix));
  return nullptr;
}

Host* PluginDetector::reach_peer(const char* call, PeerId peer) {
  Host* const host = reach(call);
  if (host == nullptr || host->has_peer(peer)) return host;
  refuse(call, fmt::format("no neighbour has the id {}", peer));
  return nullptr;
}

Settings* PluginDetector::settings(const char* call, const char* key) {
  if (settings_ == nullptr)
    refuse(call, "only within `create`");
  else if (key == nullptr)
    refuse(call, "`key` is NULL");
  else
    return settings_;
  return nullptr;
}

template <typename T>
void PluginDetector::answer(const char* call, const T& full, T* out) {
  if (out == nullptr || out->size <= sizeof(std::size_t))
    refuse(call, "`out` is NULL, or its `size` is not set");
  else
    copy_out(full, out);
}

bool PluginDetector::takes(const char* call, std::initializer_list<lapwing_text> texts) {
  if (std::ranges::all_of(texts, is_whole)) return true;
  refuse(call, "a text is NULL, and its size is not 0");
  return false;
}

void PluginDetector::emit(const lapwing_event* given) {
  Host* const host = reach("emit");
  if (host == nullptr) return;
  if (given == nullptr) return refuse("emit", "`event` is NULL");
  lapwing_event event{};
  std::memcpy(&event, given, std::min(given->size, sizeof event));
  if (const std::string fault = fault_of(event, *host); !fault.empty())
    return refuse("emit", fault);
  host->emit(to_event(event, name_, *host));
}

void PluginDetector::add_witness(const char* type, const std::uint64_t* parts, std::size_t count,
                                 PeerId peer) {
  Host* const host = reach_peer("add_witness", peer);
  if (host == nullptr) return;
  if (const std::string fault = fault_of_type(type); !fault.empty())
    return refuse("add_witness", fault);
  if (parts == nullptr || count == 0) return refuse("add_witness", "an incident needs parts");
  if (host->counts_witnesses()) host->add_witness(incident_of(name_, {parts, count}), type, peer);
}

}  // namespace lapwing::detectors
