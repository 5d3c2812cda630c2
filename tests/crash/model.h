// What the store must hold: the commits of an engine in memory, applied one by one.
//
// A `Model` is given what the store held when a run of Lapwing began, hears the same batches, and
// keeps what each commit of its engine says in full, without ids. `advance_to` then applies commits
// until the store's is the same moment, and says what differs there.
// Thread: one at a time.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "rib/engine.h"
#include "rib/store.h"
#include "tests/crash/feed.h"
#include "tests/unit/store_support.h"

namespace lapwing::crash {

using rib::test::RouteName;
using rib::test::RouteState;
using rib::test::Table;

/// An engine with all detectors that run by default. `squeeze_from`: see EngineOptions.
std::unique_ptr<rib::Engine> make_engine(rib::CommitSink& sink,
                                         std::uint64_t squeeze_from = 8u << 20);
/// Tells the engine what the store keeps; `end_restore` is left. A sentence where something is
/// wrong.
std::string restore(rib::Store& store, rib::Engine& engine);

struct Change {
  RouteName name;
  std::optional<std::string> before, after;
  Timestamp time;
};

/// A commit in full.
struct Step {
  Timestamp alive_until;
  bool record_history = true;
  std::vector<Change> changes;
  rib::StateWrites states;
  std::vector<rib::PeerRecord> peers;
  std::vector<rib::BlindInterval> blind;
  std::vector<Event> events;
};

/// All that a store holds.
struct Contents {
  Timestamp alive_until;
  Table table;
  std::map<std::pair<std::string, std::string>, std::string> states;
  std::map<PeerId, rib::PeerRecord> peers;
  std::map<std::pair<PeerId, Timestamp>, rib::BlindInterval> blind;
  std::vector<Event> events;
  std::set<EventId> event_ids;
  std::map<Prefix, std::vector<Change>> history;  // of some prefixes, oldest first
  // False: writes were joined on a full disk. Rows must begin with what the ones before end with.
  bool whole_history = true;

  void apply(const Step& step);
  /// The first difference in words; empty where there is none. Without `all`, of the
  /// events the newest and of the history what `salt` chooses.
  std::string differs_from(rib::Store& store, std::uint64_t salt, bool all) const;
};

class Model final : public rib::CommitSink {
 public:
  /// The store must be what `contents` says.
  Model(rib::Store& store, Contents contents);
  void hear(const bgp::RecordBatch& batch) { engine_->process(batch); }
  void submit(rib::Commit&& commit) override;
  std::uint64_t durable_sequence() const override { return UINT64_MAX; }

  /// Applies `durable` commits at least, and up to the one that the store wrote last. A sentence
  /// where there is none of that moment, or where the store holds anything else.
  std::string advance_to(rib::Store& store, std::uint64_t durable, std::uint64_t salt,
                         bool all = false);
  const Contents& contents() const { return contents_; }
  void without_history() { contents_.whole_history = false; }
  const rib::EngineCounters& counters() const { return engine_->counters(); }
  Contents take_contents() { return std::move(contents_); }
  /// Commits that are not applied yet.
  std::size_t ahead() const { return steps_.size(); }
  /// Commits applied so far.
  std::uint64_t applied() const { return applied_; }
  /// The routes of the feed, as text, where the contents are none of it; otherwise empty.
  std::string differs_from(const Feed& feed) const;

 private:
  Contents contents_;
  std::deque<Step> steps_;
  std::uint64_t applied_ = 0;
  std::unique_ptr<rib::Engine> engine_;
};

}  // namespace lapwing::crash
