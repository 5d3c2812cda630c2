// A session that malformed messages are played into, and what became of the route they concern.
//
// Each message stands between a clean announcement of the prefixes that it names and a sentinel of
// its own. One session serves many messages; a new one begins only after a reset.
// Thread: the test's. Owns: the speaker, its thread, the neighbour's socket.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bgp/open.h"
#include "tests/unit/session_peer.h"

namespace lapwing::bgp::testing {

inline constexpr std::array kBothUnicast{kIpv4Unicast, kIpv6Unicast};

/// What both sides say; `families` and `add_path` are configured and announced by the neighbour.
struct Terms {
  Asn local_as = kLocalAs;
  Asn peer_as = kPeerAs;
  bool four_octet_as = true;
  bool extended_messages = false;
  std::vector<Family> families{kBothUnicast.begin(), kBothUnicast.end()};
  std::vector<Family> add_path;

  bool internal() const { return local_as == peer_as; }
  bool operator==(const Terms&) const = default;
};

struct Outcome {
  enum class What {
    kAccepted,   // every prefix has other attributes than before
    kWithdrawn,  // no prefix is there any more
    kKept,       // at least one prefix is as it was: never right
    kMixed,      // some are there, some are not
    kNothing,    // the message names no prefix that we could announce before it
    kReset,
  };
  What what = What::kNothing;
  std::string notification;  // "3/1", of a reset
  std::string text() const;
};

class LiveSession {
 public:
  explicit LiveSession(Terms terms);

  Outcome play(const Bytes& message);
  /// Many messages in one go; the session must outlive all of them, otherwise one kReset is returned.
  std::vector<Outcome> play_all(const std::vector<Bytes>& messages);
  /// What is announced for the first prefix of the message that was played last.
  std::optional<Bytes> route() const;
  std::size_t sessions() const { return sessions_; }
  Bench& bench() { return *bench_; }

 private:
  void establish();
  Bytes clean(const NlriKey& key) const;
  Bytes sentinel();
  Outcome outcome(const std::vector<NlriKey>& keys) const;
  Outcome reset();

  Terms terms_;
  std::unique_ptr<Bench> bench_;
  std::optional<Peer> peer_;
  std::string sentinel_;
  std::uint32_t number_ = 0;
  std::size_t sessions_ = 0;
  std::string first_;
};

/// The NLRI of an UPDATE with its header, found by lengths alone: those after the attributes and
/// those in MP_REACH_NLRI. Empty where a length lies.
std::vector<NlriKey> announced_keys(const Bytes& message, const Terms& terms);

}  // namespace lapwing::bgp::testing
