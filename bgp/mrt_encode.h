// MRT records to be written: sessions as BGP4MP_ET, tables as TABLE_DUMP_V2, and Lapwing's own marks.
//
// Each function appends whole records to `out`. What is written here is read back by bgp/mrt.h.
// Thread: any. Owns: nothing.
// Implements RFC 6396 2, 3, 4.3 and 4.4; RFC 8050 3 and 4.
// Deviation: labels (SAFI 4, 128) are not kept by Lapwing: one label 0 with the bottom-of-stack bit
// stands for them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/message.h"
#include "bgp/mrt.h"
#include "bgp/record.h"
#include "lapwing/path.h"
#include "lapwing/prefix.h"
#include "lapwing/time.h"

namespace lapwing::bgp::mrt {

/// The two ends of a session, as a BGP4MP record names them. Both addresses are of one version.
struct SessionEnds {
  IpAddress peer;
  IpAddress local;
  Asn peer_as = 0;
  Asn local_as = 0;
};

/// How a message is to be read; chooses the subtype.
struct MessageForm {
  bool four_octet_as = true;
  bool add_path = false;
  bool from_local = false;  // Lapwing sent it
};

/// `body` is what follows the header of the BGP message.
void append_message(const SessionEnds& ends, Timestamp time, MessageForm form, MessageType type,
                    Octets body, std::vector<std::uint8_t>& out);
void append_state_change(const SessionEnds& ends, Timestamp time, std::uint16_t old_state,
                         std::uint16_t new_state, std::vector<std::uint8_t>& out);
void append_peer_index_table(Timestamp time, const IpAddress& collector_id, std::string_view view,
                             std::span<const PeerEntry> peers, std::vector<std::uint8_t>& out);

/// What Lapwing says about its own recording, as a PEER_INDEX_TABLE that no entry refers to: every
/// reader takes it for a table without routes.
struct Mark {
  enum class Kind : std::uint8_t {
    kStart,  // a run of Lapwing begins; sessions that were up before are not
    kPeer,   // a neighbour: its name in `text`, `peers` holds the neighbour and then our own end
    kDown,   // why the STATE_CHANGE that follows ended the session: `text`; `peers`: the neighbour
    kGap,    // `lost` messages are not in the recording, for want of room in the queue or on the disk
  };
  Kind kind = Kind::kStart;
  std::string text;
  std::uint64_t lost = 0;
  std::vector<PeerEntry> peers;
};
void append_mark(const Mark& mark, Timestamp time, const IpAddress& collector_id,
                 std::vector<std::uint8_t>& out);
/// The mark that this table is, if it is one.
std::optional<Mark> read_mark(const PeerIndexTable& table);

/// A RIB_* record: entries are added, then `end` sets the length and their count.
class RibEncoder {
 public:
  /// `nlri` without its path identifier where `add_path`. At most 65,535 entries.
  RibEncoder(Timestamp time, std::uint32_t sequence, const NlriKey& nlri, bool add_path,
             std::vector<std::uint8_t>& out);
  /// `attributes` as `append_wire_attributes` writes them.
  void add(std::uint16_t peer_index, Timestamp originated, std::uint32_t path_id,
           Octets attributes);
  bool full() const { return count_ == 0xffff; }
  void end();

 private:
  std::vector<std::uint8_t>& out_;
  const std::size_t start_;
  const bool add_path_;
  std::size_t count_at_ = 0;
  std::uint16_t count_ = 0;
};

/// Appends the path attributes that the canonical set stands for, with 4-octet ASNs; the next hop
/// as NEXT_HOP (IPv4) or as the short MP_REACH_NLRI of RFC 6396 4.3.4. False where they do not fit
/// into 65,535 octets; `out` is then as it was.
bool append_wire_attributes(Octets canonical, std::vector<std::uint8_t>& out);

}  // namespace lapwing::bgp::mrt
