// The durable side: Adj-RIB-In, paths, knowledge, event journal and cursors in RocksDB.
//
// `Store::open` opens or creates the database, `load` tells the engine what was kept, `start` runs
// the store thread. From then on the engine calls `submit`; the store thread joins waiting commits
// and writes each group atomically: few changes as one WriteBatch (synced when it holds an event),
// many as sorted table files ingested together. Formats are in docs/FORMATS.md.
//
// Failure: when the disk is full or fails, commits wait in memory, writes are retried with
// back-off, and `error()` says what is wrong; detection goes on. Beyond `max_pending_bytes` the
// oldest waiting commits without events are joined, the last route of a neighbour and prefix stays;
// events are never dropped. `stop` gives an ill disk ten more seconds.
// Thread: `submit` engine thread; `load`, `start`, `stop`, `save_cursors` the thread that owns the
// store; all else any thread.
// Owns: the database and the store thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lapwing/journal.h"
#include "lapwing/measures.h"
#include "lapwing/reader.h"
#include "rib/commit.h"

namespace rocksdb {
class Env;
}

namespace lapwing::rib {

struct StoreOptions {
  std::filesystem::path path;
  std::uint64_t cache_bytes = 16u << 20;        // RocksDB block cache
  std::uint64_t write_buffer_bytes = 8u << 20;  // all memtables together
  std::size_t max_pending_bytes = 256u << 20;   // commits waiting for the disk
  unsigned history_days = 90;                   // route changes kept, in event time; 0: none
  std::uint64_t history_bytes = 16ull << 30;    // and no more than that on disk; 0: no limit
  std::uint64_t event_limit = 1'000'000;        // events kept once every sink has them; 0: all
  unsigned event_days = 0;                      // and for so long, in event time; 0: for ever
  std::uint64_t event_budget = 4ull << 30;      // octets of events, whoever has them or not; 0: any
  std::chrono::milliseconds unasked_cursors_hold{600'000};  // the journal, since the start
  // A group without an event may wait that long until it is synced; 0: each is synced at once.
  std::chrono::seconds sync_interval{1};
  /// Told what the database warns of and what was found at `open`; from any thread.
  std::function<void(std::string_view)> on_warning;
  rocksdb::Env* env = nullptr;  // file system of tests; none: the real one
};

/// One row of the history: at `time` this neighbour's route changed from `before` to `after`.
struct HistoryRow {
  Timestamp time;
  PeerId peer = 0;
  bgp::NlriKey nlri;
  std::optional<Octets> before;  // none: no route
  std::optional<Octets> after;
};

/// Told in this order: meta, peers, paths, states (ascending by detector, then key), routes
/// (ascending by peer, then key).
class LoadVisitor {
 public:
  virtual ~LoadVisitor() = default;
  virtual void on_meta(Timestamp alive_until) = 0;
  virtual void on_peer(const PeerRecord&) = 0;
  virtual void on_path(PathId, Octets) = 0;
  virtual void on_route(PeerId, const bgp::NlriKey&, PathId, Timestamp since) = 0;
  virtual void on_state(std::string_view detector, std::string_view key,
                        std::string_view value) = 0;
};

class Store : public CommitSink {
 public:
  /// nullptr and a sentence in `error` when the database cannot be opened: it names the path, the
  /// cause and the way out.
  static std::unique_ptr<Store> open(const StoreOptions& options, std::string& error);
  /// False and a sentence in `error` when what is stored cannot be read.
  virtual bool load(LoadVisitor& visitor, std::string& error) = 0;
  /// What is durable of the detectors' states, as `load` tells it. Any thread.
  using StateFn = std::function<void(std::string_view detector, std::string_view key,
                                     std::string_view value)>;
  virtual bool load_states(const StateFn& fn, std::string& error) const = 0;
  /// `dictionary` must live until `stop` returns.
  virtual void start(const Dictionary& dictionary) = 0;
  /// Writes what is pending, ends the thread.
  virtual void stop() = 0;
  /// After `stop`: keeps where the sinks have come to since.
  virtual void save_cursors() = 0;

  /// Blocks while `max_pending_bytes` are waiting and the disk is well; when it is not, see
  /// "Failure" above.
  void submit(Commit&& commit) override = 0;
  /// As far as the sync setting promises.
  std::uint64_t durable_sequence() const override = 0;
  /// Route changes not yet durable; a commit without any counts as one: 0 means that all is.
  virtual std::uint64_t pending() const = 0;
  virtual StoreMeasures measures() const = 0;
  virtual std::uint64_t error_count() const = 0;
  virtual std::string error() const = 0;

  virtual Journal& journal() = 0;
  /// Reads from a snapshot; `stale` is not known here and stays false. Peers are named by id.
  using RouteFn = std::function<bool(PeerId, const bgp::NlriKey&, Octets path, Timestamp since)>;
  /// Where a page ended: the next one begins after it.
  struct RoutePosition {
    bgp::NlriKey nlri;
    PeerId peer = 0;
  };
  /// In ascending order of NLRI, then peer; `fn` returns false to end. kLongest is the longest
  /// match of each peer. A prefix is looked for in unicast; only where no peer has a match there,
  /// in the other families of its address family, each route distinguisher by itself.
  virtual void routes(const std::optional<Prefix>& prefix, Match match,
                      const std::vector<PeerId>& peers, const RouteFn& fn,
                      const std::optional<RoutePosition>& after = {}) const = 0;
  virtual std::vector<BlindInterval> blind_intervals(PeerId peer) const = 0;

  /// Changes of exactly this prefix in [from, to], in every family, newest first; `fn` returns
  /// false to end. Views live until `fn` returns.
  using HistoryFn = std::function<bool(const HistoryRow&)>;
  virtual void history(const Prefix& prefix, Timestamp from, Timestamp to,
                       const HistoryFn& fn) const = 0;
  /// A sentence if `open` found that acknowledged commits are missing; otherwise empty.
  virtual std::string recovery_report() const = 0;
};

}  // namespace lapwing::rib
