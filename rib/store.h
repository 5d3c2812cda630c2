// The durable side: Adj-RIB-In, paths, knowledge, event journal and cursors in RocksDB.
//
// `Store::open` opens or creates the database, `load` tells the engine what was kept, `start` runs
// the store thread. From then on the engine calls `submit`; the store thread joins waiting commits
// and writes each group atomically: few changes as one WriteBatch (synced when it holds an event),
// many as sorted table files ingested together. Formats are in docs/FORMATS.md.
//
// Failure: when the disk is full or fails, commits wait in memory up to a bound, writes are retried,
// and `error()` says what is wrong; detection goes on.
// Thread: `submit` engine thread; `durable_sequence`, `pending`, `routes`, journal: any thread.
// Owns: the database and the store thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lapwing/journal.h"
#include "lapwing/reader.h"
#include "rib/commit.h"

namespace lapwing::rib {

struct StoreOptions {
  std::filesystem::path path;
  std::uint64_t cache_bytes = 16u << 20;         // RocksDB block cache
  std::uint64_t write_buffer_bytes = 8u << 20;   // all memtables together
  std::size_t max_pending_bytes = 256u << 20;    // commits waiting for the disk
};

/// Told in this order: peers, paths, routes (ascending by peer, then key), states (ascending by
/// detector, then key).
class LoadVisitor {
 public:
  virtual ~LoadVisitor() = default;
  virtual void on_meta(Timestamp alive_until) = 0;
  virtual void on_peer(const PeerRecord&) = 0;
  virtual void on_path(PathId, Octets) = 0;
  virtual void on_route(PeerId, const bgp::NlriKey&, PathId, Timestamp since) = 0;
  virtual void on_state(std::string_view detector, std::string_view key, std::string_view value) = 0;
};

class Store {
 public:
  /// nullptr and a sentence in `error` when the database cannot be opened: it names the path, the
  /// cause and the way out.
  static std::unique_ptr<Store> open(const StoreOptions& options, std::string& error);
  virtual ~Store() = default;

  /// False and a sentence in `error` when what is stored cannot be read.
  virtual bool load(LoadVisitor& visitor, std::string& error) = 0;
  /// `dictionary` must live until `stop` returns.
  virtual void start(const Dictionary& dictionary) = 0;
  /// Writes what is pending, ends the thread.
  virtual void stop() = 0;

  /// Blocks while `max_pending_bytes` are waiting and the disk is well; when it is not, see
  /// "Failure" above.
  virtual void submit(Commit&& commit) = 0;
  /// All commits up to this one are durable (as far as the sync setting promises).
  virtual std::uint64_t durable_sequence() const = 0;
  /// Route changes not yet durable.
  virtual std::uint64_t pending() const = 0;
  virtual std::uint64_t error_count() const = 0;
  virtual std::string error() const = 0;

  virtual Journal& journal() = 0;
  /// Reads from a snapshot; `stale` is not known here and stays false. Peers are named by id.
  using RouteFn = std::function<bool(PeerId, const bgp::NlriKey&, Octets path, Timestamp since)>;
  /// In ascending order of NLRI, then peer; `fn` returns false to end.
  virtual void routes(const std::optional<Prefix>& prefix, Match match,
                      const std::vector<PeerId>& peers, const RouteFn& fn) const = 0;
  virtual std::vector<BlindInterval> blind_intervals(PeerId peer) const = 0;
};

}  // namespace lapwing::rib
