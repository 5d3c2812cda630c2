#include "rib/store_reader.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include "lapwing/sort_unique.h"
#include "rib/store_codec.h"
#include "rib/store_keys.h"

namespace lapwing::rib {

namespace {

using IteratorPtr = std::unique_ptr<rocksdb::Iterator>;

struct FoundRoute {
  PeerId peer = 0;
  bgp::NlriKey nlri;
  std::string order;  // octets of the NLRI
  PathId path = kNoPath;
  Timestamp since;
};

// The routes of one peer in one family and RD: keys that begin with `start`.
struct RouteSpace {
  PeerId peer = 0;
  std::string start;  // peer | afi | safi | rd
};

bool starts_with(const rocksdb::Slice& key, std::string_view prefix) {
  return key.starts_with(slice(prefix));
}

std::string space_start(PeerId peer, std::uint8_t afi, std::uint8_t safi, std::uint64_t rd) {
  char buffer[14];
  char* end = write_be32(buffer, peer);
  *end++ = static_cast<char>(afi);
  *end++ = static_cast<char>(safi);
  if (has_rd(safi)) end = write_be64(end, rd);
  return {buffer, static_cast<std::size_t>(end - buffer)};
}

// address | length of `prefix` cut to `length`.
std::string address_part(const Prefix& prefix, unsigned length) {
  const IpAddress address = mask_address(prefix.address, length);
  std::string out(as_text({address.bytes.data(), address.size()}));
  out += static_cast<char>(length);
  return out;
}

class PrefixSearch {
 public:
  PrefixSearch(const Database& database, const rocksdb::ReadOptions& options, const Prefix& prefix)
      : prefix_(prefix), at_(database.db()->NewIterator(options, database.handle(Cf::kRoutes))) {}

  void spaces(PeerId peer, bool unicast, std::vector<RouteSpace>& out) {
    const auto afi =
        static_cast<std::uint8_t>(prefix_.address.version == IpVersion::kV4 ? kAfiIpv4 : kAfiIpv6);
    if (unicast) {
      out.push_back({peer, space_start(peer, afi, kSafiUnicast, 0)});
      return;
    }
    const std::string family = be32_key(peer) + static_cast<char>(afi);
    for (at_->Seek(slice(family)); at_->Valid() && starts_with(at_->key(), family);) {
      PeerId owner = 0;
      bgp::NlriKey nlri;
      if (!read_route_key(view(at_->key()), owner, nlri)) {
        at_->Next();
        continue;
      }
      const std::string start = space_start(peer, nlri.afi, nlri.safi, nlri.rd);
      if (nlri.safi != kSafiUnicast) out.push_back({peer, start});
      const std::string after = key_after(start);
      if (after.empty()) return;
      at_->Seek(slice(after));
    }
  }

  void exact(const RouteSpace& space, unsigned length, std::vector<FoundRoute>& out) {
    const std::string key = space.start + address_part(prefix_, length);
    for (at_->Seek(slice(key)); at_->Valid() && starts_with(at_->key(), key); at_->Next()) add(out);
  }

  // The predecessor of address/length is the longest match, or shows how many bits of the address
  // the longest match can have at most.
  std::optional<unsigned> longest(const RouteSpace& space, unsigned length) {
    for (;;) {
      std::string key = space.start + address_part(prefix_, length);
      key.append(4, '\xff');  // path identifiers of this prefix come before
      at_->SeekForPrev(slice(key));
      if (!at_->Valid() || !starts_with(at_->key(), space.start)) return std::nullopt;
      PeerId peer = 0;
      bgp::NlriKey nlri;
      if (!read_route_key(view(at_->key()), peer, nlri)) return std::nullopt;
      const Prefix found = bgp::to_nlri(nlri).prefix;
      if (found.length <= length && found.contains(prefix_)) return found.length;
      const unsigned common = common_bits(found.address, prefix_.address);
      const unsigned next = std::min({common, static_cast<unsigned>(found.length), length});
      if (next >= length) {
        if (length == 0) return std::nullopt;
        --length;
      } else {
        length = next;
      }
    }
  }

  void match(const RouteSpace& space, Match match, std::vector<FoundRoute>& out) {
    if (match == Match::kExact) return exact(space, prefix_.length, out);
    for (unsigned limit = prefix_.length;;) {
      const auto length = longest(space, limit);
      if (!length) return;
      exact(space, *length, out);
      if (match == Match::kLongest || *length == 0) return;
      limit = *length - 1;
    }
  }

 private:
  static unsigned common_bits(const IpAddress& a, const IpAddress& b) {
    for (unsigned i = 0; i < a.size(); ++i) {
      const unsigned differ = static_cast<unsigned>(a.bytes[i] ^ b.bytes[i]);
      if (differ != 0) return i * 8 + static_cast<unsigned>(__builtin_clz(differ)) - 24;
    }
    return static_cast<unsigned>(a.size()) * 8;
  }
  void add(std::vector<FoundRoute>& out) {
    FoundRoute route;
    if (!read_route_key(view(at_->key()), route.peer, route.nlri) ||
        !read_route_value(view(at_->value()), route.path, route.since))
      return;
    route.order = view(at_->key()).substr(4);
    out.push_back(std::move(route));
  }

  const Prefix prefix_;
  const IteratorPtr at_;
};

// All keys of one peer that begin with `start` and lie below `end`, one after the other.
class RouteStream {
 public:
  RouteStream(const Database& database, const rocksdb::ReadOptions& options, std::string start,
              std::string end)
      : end_(std::move(end)), bound_(slice(end_)) {
    rocksdb::ReadOptions bounded = options;
    if (!end_.empty()) bounded.iterate_upper_bound = &bound_;
    bounded.fill_cache = false;
    at_.reset(database.db()->NewIterator(bounded, database.handle(Cf::kRoutes)));
    at_->Seek(slice(start));
    settle();
  }
  RouteStream(const RouteStream&) = delete;
  RouteStream& operator=(const RouteStream&) = delete;

  bool valid() const { return at_->Valid(); }
  std::string_view order() const { return view(at_->key()).substr(4); }
  PeerId peer() const { return peer_; }
  const bgp::NlriKey& nlri() const { return nlri_; }
  PathId path() const { return path_; }
  Timestamp since() const { return since_; }
  void next() {
    at_->Next();
    settle();
  }

 private:
  void settle() {
    while (at_->Valid() && (!read_route_key(view(at_->key()), peer_, nlri_) ||
                            !read_route_value(view(at_->value()), path_, since_)))
      at_->Next();
  }

  const std::string end_;
  const rocksdb::Slice bound_;
  IteratorPtr at_;
  PeerId peer_ = 0;
  bgp::NlriKey nlri_;
  PathId path_ = kNoPath;
  Timestamp since_;
};

// Where the stream of `peer` begins so that it lies behind `after`: order is NLRI, then peer.
std::string start_after(PeerId peer, std::string start,
                        const std::optional<Store::RoutePosition>& after) {
  if (!after) return start;
  std::string key = route_key(peer, after->nlri);
  if (peer <= after->peer) key += '\0';
  return std::max(std::move(start), std::move(key));
}

bool is_behind(const FoundRoute& route, const std::optional<Store::RoutePosition>& after) {
  if (!after) return true;
  const std::string order = route_key(0, after->nlri).substr(4);
  return std::tie(route.order, route.peer) > std::tie(order, after->peer);
}

// In ascending order of NLRI, then peer. Returns the number of routes told.
std::size_t merge_streams(std::vector<std::unique_ptr<RouteStream>>& streams, PathReader& paths,
                          const Store::RouteFn& fn) {
  std::erase_if(streams, [](const auto& s) { return !s->valid(); });
  const auto later = [](const auto& a, const auto& b) {
    const int order = a->order().compare(b->order());
    return order != 0 ? order > 0 : a->peer() > b->peer();
  };
  std::make_heap(streams.begin(), streams.end(), later);
  std::size_t told = 0;
  while (!streams.empty()) {
    std::pop_heap(streams.begin(), streams.end(), later);
    RouteStream& stream = *streams.back();
    if (const auto path = paths.read(stream.path())) {
      ++told;
      if (!fn(stream.peer(), stream.nlri(), *path, stream.since())) return told;
    }
    stream.next();
    if (stream.valid())
      std::push_heap(streams.begin(), streams.end(), later);
    else
      streams.pop_back();
  }
  return told;
}

void read_matches(const Database& database, const rocksdb::ReadOptions& options,
                  const Prefix& prefix, Match match, const std::vector<PeerId>& peers,
                  const Store::RouteFn& fn, const std::optional<Store::RoutePosition>& after) {
  PathReader paths(database, options);
  PrefixSearch search(database, options, prefix);
  for (const bool unicast : {true, false}) {
    if (after && unicast != (after->nlri.safi == kSafiUnicast)) continue;
    std::vector<RouteSpace> spaces;
    for (const PeerId peer : peers) search.spaces(peer, unicast, spaces);
    if (match == Match::kLonger) {
      std::vector<std::unique_ptr<RouteStream>> streams;
      for (const RouteSpace& space : spaces) {
        // Everything inside the prefix lies between it and the last address in it.
        IpAddress last = prefix.address;
        for (unsigned bit = prefix.length; bit < prefix.max_length(); ++bit)
          last.bytes[bit / 8] = static_cast<std::uint8_t>(last.bytes[bit / 8] | 0x80 >> bit % 8);
        const std::string end =
            key_after(space.start + std::string(as_text({last.bytes.data(), last.size()})));
        const std::string start =
            start_after(space.peer, space.start + address_part(prefix, prefix.length), after);
        streams.push_back(std::make_unique<RouteStream>(database, options, start, end));
      }
      if (merge_streams(streams, paths, fn) != 0) return;
      continue;
    }
    std::vector<FoundRoute> found;
    for (const RouteSpace& space : spaces) search.match(space, match, found);
    std::sort(found.begin(), found.end(), [](const FoundRoute& a, const FoundRoute& b) {
      return std::tie(a.order, a.peer) < std::tie(b.order, b.peer);
    });
    for (const FoundRoute& route : found) {
      if (!is_behind(route, after)) continue;
      if (const auto path = paths.read(route.path))
        if (!fn(route.peer, route.nlri, *path, route.since)) return;
    }
    if (!found.empty()) return;
  }
}

bool fail(std::string& error, std::string_view what, const rocksdb::Status& status) {
  error = "cannot read the stored " + std::string(what) + ": " +
          (status.ok() ? "a record is damaged" : status.ToString()) +
          "; `lapwing db check` says where; restore the database from a backup, or move it away to "
          "begin anew";
  return false;
}

template <typename Fn>
bool scan(const Database& database, Cf cf, std::string_view what, std::string& error, Fn&& each) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = 2u << 20;
  const IteratorPtr at(database.db()->NewIterator(options, database.handle(cf)));
  for (at->SeekToFirst(); at->Valid(); at->Next())
    if (!each(view(at->key()), view(at->value()))) return fail(error, what, rocksdb::Status::OK());
  return at->status().ok() ? true : fail(error, what, at->status());
}

}  // namespace

bool read_route_value(std::string_view value, PathId& path, Timestamp& since) {
  OctetReader reader(value);
  std::uint64_t micros = 0;
  if (!reader.varint32(path) || !reader.varint(micros)) return false;
  since = from_unix_micros(static_cast<std::int64_t>(micros));
  return true;
}

std::optional<Octets> PathReader::read(PathId id) {
  if (id != id_) {
    id_ = id;
    found_ = database_.db()
                 ->Get(options_, database_.handle(Cf::kPaths), slice(be32_key(id)), &value_)
                 .ok();
  }
  return found_ ? read_path_value(value_) : std::nullopt;
}

bool load_peers(const Database& database, std::vector<PeerRecord>& out, std::string& error) {
  return scan(database, Cf::kPeers, "neighbours", error,
              [&](std::string_view, std::string_view value) {
                auto peer = decode_peer(value);
                if (peer) out.push_back(std::move(*peer));
                return peer.has_value();
              });
}

bool load_states(const Database& database, const Store::StateFn& fn, std::string& error) {
  return scan(database, Cf::kState, "knowledge", error,
              [&](std::string_view octets, std::string_view value) {
                std::string_view detector, key;
                if (!read_state_key(octets, detector, key)) return false;
                fn(detector, key, value);
                return true;
              });
}

bool load_all(const Database& database, LoadVisitor& visitor, std::string& error) {
  visitor.on_meta(
      from_unix_micros(static_cast<std::int64_t>(database.meta_number(meta_key::kAlive, 0))));
  std::vector<PeerRecord> peers;
  if (!load_peers(database, peers, error)) return false;
  for (const PeerRecord& peer : peers) visitor.on_peer(peer);
  return scan(database, Cf::kPaths, "paths", error,
              [&](std::string_view key, std::string_view value) {
                PathId id = 0;
                const auto path = read_path_value(value);
                if (!path || !read_be32_key(key, id)) return false;
                visitor.on_path(id, *path);
                return true;
              }) &&
         load_states(
             database,
             [&](std::string_view detector, std::string_view key, std::string_view value) {
               visitor.on_state(detector, key, value);
             },
             error) &&
         scan(database, Cf::kRoutes, "routes", error,
              [&](std::string_view key, std::string_view value) {
                PeerId peer = 0;
                bgp::NlriKey nlri;
                PathId path = 0;
                Timestamp since;
                if (!read_route_key(key, peer, nlri) || !read_route_value(value, path, since))
                  return false;
                visitor.on_route(peer, nlri, path, since);
                return true;
              });
}

void read_routes(const Database& database, const std::optional<Prefix>& prefix, Match match,
                 const std::vector<PeerId>& peers, const Store::RouteFn& fn,
                 const std::optional<Store::RoutePosition>& after) {
  std::vector<PeerId> sorted = peers;
  sort_unique(sorted);
  const Snapshot snapshot(database.db());
  const rocksdb::ReadOptions options = snapshot.options();
  if (prefix) return read_matches(database, options, *prefix, match, sorted, fn, after);
  PathReader paths(database, options);
  std::vector<std::unique_ptr<RouteStream>> streams;
  for (const PeerId peer : sorted) {
    const std::string start = be32_key(peer);
    streams.push_back(std::make_unique<RouteStream>(
        database, options, start_after(peer, start, after), key_after(start)));
  }
  merge_streams(streams, paths, fn);
}

void read_measures(const Database& database, StoreMeasures& out) {
  const auto number = [&database](const std::string& property) {
    std::uint64_t value = 0;
    database.db()->GetAggregatedIntProperty(property, &value);
    return value;
  };
  using Properties = rocksdb::DB::Properties;
  out.memtable_bytes = number(Properties::kCurSizeAllMemTables);
  out.table_bytes = number(Properties::kTotalSstFilesSize);
  out.compaction_pending_bytes = number(Properties::kEstimatePendingCompactionBytes);
  out.writes_stalled = number(Properties::kIsWriteStopped) != 0 ||
                       number(Properties::kActualDelayedWriteRate) != 0;
  out.history_bytes = database.history_log().bytes();
  std::uint64_t running = 0;
  database.db()->GetIntProperty(Properties::kNumRunningCompactions, &running);
  out.compactions_running = running;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(
           database.options().path / "db", std::filesystem::directory_options(), ignored))
    if (file.path().extension() == ".log") out.wal_bytes += file.file_size(ignored);
}

std::vector<BlindInterval> read_blind(const Database& database, PeerId peer) {
  std::vector<BlindInterval> intervals;
  const IteratorPtr at(
      database.db()->NewIterator(rocksdb::ReadOptions(), database.handle(Cf::kBlind)));
  const std::string start = be32_key(peer);
  for (at->Seek(slice(start)); at->Valid() && starts_with(at->key(), start); at->Next()) {
    BlindInterval interval;
    if (read_blind_key(view(at->key()), interval.peer, interval.range.from) &&
        decode_blind(view(at->value()), interval))
      intervals.push_back(std::move(interval));
  }
  return intervals;
}

}  // namespace lapwing::rib
