// What the tests of the store share: a directory, a dictionary, a model of what is stored.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bgp/record.h"
#include "rib/store.h"
#include "tests/unit/temp_dir.h"

namespace lapwing::rib::test {

using lapwing::test::TempDir;

/// Only grows; addresses stay, so that the store thread may read while more is added elsewhere.
class FakeDictionary : public Dictionary {
 public:
  PrefixId add(const bgp::NlriKey& key) {
    keys_.push_back(key);
    return static_cast<PrefixId>(keys_.size() - 1);
  }
  PrefixId add(const std::string& prefix, Family family = kIpv4Unicast, std::uint64_t rd = 0) {
    return add(bgp::to_key({family, rd, *parse_prefix(prefix), false, 0}));
  }
  PathId add_path(std::string octets) {
    paths_.push_back(std::move(octets));
    return static_cast<PathId>(paths_.size() - 1);
  }
  bgp::NlriKey nlri_key(PrefixId id) const override { return keys_[id]; }
  Octets path_octets(PathId id, PathBuffer&) const override {
    const std::string& path = paths_[id];
    return {reinterpret_cast<const std::uint8_t*>(path.data()), path.size()};
  }
  const std::string& path(PathId id) const { return paths_[id]; }

 private:
  std::deque<bgp::NlriKey> keys_;
  std::deque<std::string> paths_;
};

struct RouteName {
  Nlri nlri;
  PeerId peer = 0;
  friend auto operator<=>(const RouteName&, const RouteName&) = default;
};
struct RouteState {
  std::string path;
  Timestamp since;
  friend bool operator==(const RouteState&, const RouteState&) = default;
};
using Table = std::map<RouteName, RouteState>;

struct Loaded : LoadVisitor {
  void on_meta(Timestamp t) override { alive_until = t; }
  void on_peer(const PeerRecord& p) override { peers.push_back(p); }
  void on_path(PathId id, Octets o) override {
    paths[id] = {reinterpret_cast<const char*>(o.data()), o.size()};
  }
  void on_route(PeerId peer, const bgp::NlriKey& key, PathId path, Timestamp since) override {
    const RouteName name{bgp::to_nlri(key), peer};
    const std::pair order{peer, name.nlri};
    in_order = in_order && (table.empty() || last < order);
    last = order;
    table[name] = {paths.at(path), since};
  }
  void on_state(std::string_view d, std::string_view k, std::string_view v) override {
    // What a detector knows comes before the routes that it is told to count.
    in_order = in_order && table.empty();
    states[{std::string(d), std::string(k)}] = v;
  }
  Timestamp alive_until;
  std::vector<PeerRecord> peers;
  std::map<PathId, std::string> paths;
  Table table;
  std::map<std::pair<std::string, std::string>, std::string> states;
  bool in_order = true;
  std::pair<PeerId, Nlri> last;
};

inline std::unique_ptr<Store> open_store(const std::filesystem::path& path,
                                         std::chrono::seconds sync_interval = std::chrono::seconds(1)) {
  StoreOptions options;
  options.path = path;
  options.sync_interval = sync_interval;
  std::string error;
  auto store = Store::open(options, error);
  if (!store) throw std::runtime_error(error);
  return store;
}

inline Loaded load(Store& store) {
  Loaded loaded;
  std::string error;
  if (!store.load(loaded, error)) throw std::runtime_error(error);
  return loaded;
}

/// Waits until all up to `sequence` is durable; false after 30 s.
inline bool wait_durable(const Store& store, std::uint64_t sequence) {
  for (int i = 0; i < 15000; ++i) {
    if (store.durable_sequence() >= sequence) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

inline Event make_event(std::uint64_t n) {
  Event event;
  for (int i = 0; i < 8; ++i)
    event.id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(n >> (8 * i));
  event.id.bytes[15] = 0x5a;
  event.incident = event.id;
  event.type = "new-upstream";
  event.time = from_unix_micros(1'506'848'871'000'000 + static_cast<std::int64_t>(n));
  event.summary = "event " + std::to_string(n);
  return event;
}

}  // namespace lapwing::rib::test
