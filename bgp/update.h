// UPDATE: one walk that finds everything wrong, then records that cannot fail.
//
// Usage, for each message, on one `Update` object that is kept:
//     if (update.parse(body, session) == ErrorAction::kSessionReset) send(update.notification());
//     else update.append_records(time, peer, batch);
// Thread: any. Owns: scratch space; a parsed Update is a view into the body until the next `parse`.
// Implements RFC 4271 4.3 and 6.3, RFC 4760 3 and 4, RFC 4724 2 (End-of-RIB), RFC 7606 3 and 5.
// Decisions where the RFCs leave room:
// - an attribute block of one to three octets that is no attribute, and no NLRI: the message does
//   nothing (it is no End-of-RIB); other attribute errors without reachable NLRI reset (7606 5.2);
// - an attribute that overruns its block hides those behind it; when it is MP_REACH_NLRI or
//   MP_UNREACH_NLRI, its NLRI are lost: 3/1 (RFC 7606 3 j);
// - NLRI of a family that was not negotiated are ignored, unread and counted (RFC 4760 6).
#pragma once

#include <cstdint>
#include <vector>

#include "bgp/attributes.h"
#include "bgp/nlri.h"
#include "bgp/notification.h"
#include "bgp/open.h"
#include "bgp/record.h"
#include "lapwing/time.h"

namespace lapwing::bgp {

class Update {
 public:
  /// Reads the body of an UPDATE (what follows the header). The parameters are only used during the
  /// call. Returns the strongest action.
  ErrorAction parse(Octets body, const SessionParameters& session);

  ErrorAction action() const { return findings_.action(); }
  const Findings& findings() const { return findings_; }
  const AttributeSet& attributes() const { return attributes_; }
  /// IPv4 unicast NLRI outside of attributes.
  const NlriRange& withdrawn() const { return withdrawn_; }
  const NlriRange& announced() const { return announced_; }
  bool end_of_rib() const { return end_of_rib_; }
  Family end_of_rib_family() const { return end_of_rib_family_; }
  /// Fields of families that were not negotiated: 0 to 4.
  std::uint32_t ignored_families() const { return ignored_families_; }

  /// After kSessionReset: what to send. `data` is a view into the body.
  Notification notification() const;

  /// Appends the records of this message, as described in bgp/record.h; the last one has
  /// `last_of_message`. Treat-as-withdraw makes withdrawals of all announcements. A prefix that is
  /// withdrawn and announced is announced (RFC 4271 4.3). Returns how many records were appended:
  /// none after kSessionReset or when the message says nothing.
  unsigned append_records(Timestamp time, std::uint32_t peer, RecordBatch& batch);

 private:
  void find_message_errors();
  void find_end_of_rib(Octets body, const SessionParameters& session);
  unsigned append_announcements(Record record, RecordBatch& batch) const;
  /// `announced` keys follow the withdrawn ones of `record` at the end of the batch.
  void drop_reannounced(Record& record, std::uint32_t announced, RecordBatch& batch);

  Findings findings_;
  AttributeSet attributes_;
  NlriRange withdrawn_;
  NlriRange announced_;
  Octets block_;  // the path attributes
  Family end_of_rib_family_;
  std::uint32_t ignored_families_ = 0;
  bool end_of_rib_ = false;
  std::vector<NlriKey> sorted_;
};

}  // namespace lapwing::bgp
