// Two routers that never stop changing, as a function of a seed: what the crash tests feed.
//
// `Feed` is the routers' own tables after change n. `Session` is one run of Lapwing that hears
// them: batches of records, numbered from 0; first both tables and their End-of-RIBs, then changes,
// bursts, sessions lost and found, and hours that pass. Whoever makes the same Session gets the
// same batches. Thread: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "bgp/record.h"

namespace lapwing::crash {

/// A number that depends on all of these and nothing else.
std::uint64_t mix(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0);

class Feed {
 public:
  static constexpr std::uint32_t kPeers = 2;
  static constexpr std::uint32_t kPrefixes = 1800;
  using Variant = std::uint8_t;  // which path a route has; 0: there is no route
  struct Change {
    std::uint32_t peer = 0;
    std::uint32_t prefix = 0;
    Variant variant = 0;
  };

  explicit Feed(std::uint64_t seed);
  std::uint64_t changes() const { return changes_; }
  /// Makes the next change and returns it.
  Change step();
  Variant variant(std::uint32_t peer, std::uint32_t prefix) const { return table_[peer][prefix]; }

  static bgp::NlriKey key(std::uint32_t prefix);
  /// The canonical attribute set.
  static std::vector<std::uint8_t> path(std::uint32_t peer, std::uint32_t prefix, Variant variant);
  static std::string peer_name(std::uint32_t peer) { return peer == 0 ? "edge1" : "edge2"; }

 private:
  std::uint64_t seed_;
  std::uint64_t changes_ = 0;
  std::array<std::array<Variant, kPrefixes>, kPeers> table_{};
};

class Session {
 public:
  /// `now`: later than anything that was heard before.
  Session(Feed feed, std::uint64_t seed, Timestamp now);
  bgp::RecordBatch next();
  /// After the batches so far.
  const Feed& feed() const { return feed_; }
  Timestamp now() const { return now_; }
  std::uint64_t batches() const { return number_; }
  /// Both neighbours are up and have told all that they have.
  bool in_step() const { return at_ == kChurn && up_[0] && up_[1]; }

 private:
  static constexpr std::uint32_t kChurn = Feed::kPeers * Feed::kPrefixes;
  void begin(bgp::RecordBatch& batch);
  void announce_some(bgp::RecordBatch& batch);
  void churn(bgp::RecordBatch& batch);
  void lose_or_find(bgp::RecordBatch& batch);
  void announce_table(bgp::RecordBatch& batch, std::uint32_t peer, std::uint32_t from,
                      std::uint32_t to);
  void add(bgp::RecordBatch& batch, const Feed::Change& change);

  Feed feed_;
  std::uint64_t seed_;
  Timestamp now_;
  std::uint64_t number_ = 0;
  std::uint32_t at_ = 0;  // of the first tables
  std::array<bool, Feed::kPeers> up_{};
};

}  // namespace lapwing::crash
